import keras
import numpy as np
import pytest

from nnperf_utils import data_parallel
from nnperf_utils.processes import Group, Processes, alone


def draw(rows=64, inputs=5, classes=3):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, inputs)).astype("float32")
    return x, random.integers(classes, size=rows).astype("int32")


def build():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def flat(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def test_step_is_that_of_keras():
    x, y = draw()
    learner, model = data_parallel.Learner(build()), build()
    learner.step(x, y, alone())
    model.train_on_batch(x, y)
    np.testing.assert_allclose(flat(learner.model), flat(model), atol=1e-6)
    assert learner.numbers == model.count_params()


def test_halves_have_the_gradient_of_the_whole():
    x, y = draw()
    learner = data_parallel.Learner(build())
    halves = [learner.gradient(x[k::2], y[k::2]) for k in range(2)]
    whole = learner.gradient(x, y)
    np.testing.assert_allclose(np.mean(halves, axis=0), whole, atol=1e-6)
    # shares of unequal size do not
    uneven = [learner.gradient(x[:8], y[:8]), learner.gradient(x[8:], y[8:])]
    assert np.abs(np.mean(uneven, axis=0) - whole).max() > 1e-3


@pytest.mark.parametrize(("count", "size"), [(1, 128), (2, 7)])
def test_batches_that_cannot_be_shared_are_not_measured(count, size):
    group = Group(0, count, np.empty((count, 0), np.float32), None)
    with pytest.raises(ValueError, match=f"batch_sizes has {size}; expected no more"):
        data_parallel.measure(group, build, *draw(), [8, size])


def test_measured_steps_of_two_processes():
    x, y = draw()

    with Processes(2) as two:
        first, second = two.run(data_parallel.measure, build, x, y, [8, 64], 2)
    assert list(first.index) == [0, 1]
    assert set(first["wall"]) == {
        *((who, size) for who in ("one", "all") for size in (8, 64)),
        ("exchange", 0),
    }
    # the second process is never alone
    assert set(second["processor"]) == {("all", 8), ("all", 64), ("exchange", 0)}
    assert (first["wall"] > 0).all(axis=None)


def test_speed_without_exchange_is_that_of_the_law():
    found = data_parallel.speeds(1.0, 0.01, 300, 1000, {"none": np.inf}, [1, 3])
    assert found["none"].tolist() == pytest.approx([1, 4 / 2])
    slow = data_parallel.speeds(1.0, 0.01, 300, 1000, {"slow": 32000}, [1, 2])
    # each sends 4,000 bytes at 4,000 a second
    assert slow["slow"].tolist() == pytest.approx([1, 4 / (1 + 1.5 + 1)])


def test_ring_sends_what_it_must():
    # two send half of the array there and half of the sum back
    assert data_parallel.ring_seconds(2, 1_000_000, 4e6) == pytest.approx(1)
    assert data_parallel.ring_seconds(1, 1_000_000, 4e6) == 0
    assert data_parallel.ring_seconds(1000, 1_000_000, 4e6) == pytest.approx(1.998)


def test_strategies_on_one_machine():
    with Processes(1) as one:
        (found,) = one.run(data_parallel.try_strategies)
    # both leave the weights as they should be, and only one has used both devices
    assert found["MirroredStrategy"] == "the same weights, 2 at work"
    told = found["keras.distribution.DataParallel"]
    assert told == "the same weights, 1 at work"

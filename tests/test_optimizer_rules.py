"""The optimizers in plain NumPy do what Keras does; so do the small networks."""

import keras
import numpy as np
import pytest

from nnperf_utils import optimizers
from nnperf_utils.optimizers import RULES, follow
from nnperf_utils.small_networks import SmallNetworks

RATE = 0.03
KERAS = {
    "SGD": lambda: keras.optimizers.SGD(RATE),
    "momentum": lambda: keras.optimizers.SGD(RATE, momentum=0.9),
    "Nesterov": lambda: keras.optimizers.SGD(RATE, momentum=0.9, nesterov=True),
    "Adagrad": lambda: keras.optimizers.Adagrad(RATE),
    "RMSprop": lambda: keras.optimizers.RMSprop(RATE),
    "Adam": lambda: keras.optimizers.Adam(RATE),
    "AdamW": lambda: keras.optimizers.AdamW(RATE),
    "LAMB": lambda: keras.optimizers.Lamb(RATE),
}


def test_every_rule_is_tested():
    assert list(KERAS) == list(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_makes_the_steps_of_keras(name):
    random = np.random.default_rng(0)
    start = [random.normal(size=(4, 3)), np.zeros(3)]
    slopes = [[random.normal(size=w.shape) for w in start] for _ in range(100)]
    end, _ = follow(RULES[name], lambda t, _: slopes[t], start, 100, rate=RATE)

    optimizer = KERAS[name]()
    variables = [keras.Variable(w.astype("float32")) for w in start]
    optimizer.build(variables)
    for gradient in slopes:
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in gradient])
    for ours, theirs in zip(end, variables, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=2e-5, atol=2e-5)


def test_networks_at_once_are_networks_one_by_one():
    random = np.random.default_rng(1)
    start, slope = random.normal(size=(2, 5, 4, 3))
    for name, rule in RULES.items():
        axes = {"axis": (-2, -1)} if name == "LAMB" else {}
        together = rule(start, slope, {}, rate=RATE, **axes)
        alone = [rule(w, g, {}, rate=RATE) for w, g in zip(start, slope, strict=True)]
        np.testing.assert_allclose(together, alone)


def test_rates_broadcast():
    rates = np.array([0.1, 0.2])[:, None]
    end = optimizers.adam(np.zeros(3), np.ones(3), {}, rate=rates)
    np.testing.assert_allclose(end, -rates * np.ones((1, 3)), rtol=1e-5)


def test_no_array_is_changed():
    w, g = np.ones(3), np.full(3, 2.0)
    for rule in RULES.values():
        state = {}
        rule(rule(w, g, state, rate=0.1), g, state, rate=0.1)
        assert (w == 1).all() and (g == 2).all()


def test_without_correction_the_first_step_is_another():
    w, g = np.zeros(1), np.ones(1)
    with_it = optimizers.adam(w, g, {}, rate=1.0)
    without = optimizers.adam(w, g, {}, rate=1.0, correct=False)
    np.testing.assert_allclose(without / with_it, 0.1 / np.sqrt(0.001), rtol=1e-4)


def test_follow_watches_and_checks():
    end, seen = follow(
        optimizers.sgd,
        lambda _, w: w,
        [np.array([1.0])],
        3,
        rate=0.5,
        watch=lambda w, _: float(w[0][0]),
    )
    assert seen == [0.5, 0.25, 0.125] and end[0] == 0.125
    with pytest.raises(ValueError, match=r"^gradient returns 2 arrays for 1 of w"):
        follow(optimizers.sgd, lambda _, w: w * 2, [np.ones(1)], 1, rate=0.1)


@pytest.mark.parametrize("classes", [2, 3])
def test_small_networks_have_keras_s_gradient(classes):
    random = np.random.default_rng(2)
    x, y = random.normal(size=(12, 5)), np.arange(12) % classes
    nets = SmallNetworks(x, y, units=4, seeds=2)
    weights = [w + 0.1 * random.normal(size=w.shape) for w in nets.start()]
    losses, slopes = nets.loss(weights), nets.gradient(0, weights)

    outputs = 1 if classes == 2 else classes
    kind = "sigmoid" if classes == 2 else "softmax"
    name = "binary" if classes == 2 else "sparse_categorical"
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4, "relu"),
            keras.layers.Dense(outputs, kind),
        ]
    )
    model.compile(keras.optimizers.SGD(1.0), f"{name}_crossentropy")
    for seed in range(2):
        pairs = zip(weights, model.weights, strict=True)
        own = [w[seed].reshape(v.shape) for w, v in pairs]
        model.set_weights(own)
        targets = y.reshape(-1, 1) if classes == 2 else y
        assert model.evaluate(x, targets, verbose=0) == pytest.approx(
            losses[seed], rel=1e-5
        )
        model.train_on_batch(x, targets)
        for before, slope, after in zip(own, slopes, model.weights, strict=True):
            np.testing.assert_allclose(
                before - slope[seed].reshape(before.shape), after.numpy(), atol=1e-5
            )


def test_an_epoch_sees_every_row_once():
    nets = SmallNetworks(np.ones((12, 2)), np.arange(12) % 2, batch_size=4, seeds=3)
    rows = np.concatenate([nets.batch(update) for update in (3, 4, 5)], axis=1)
    assert (np.sort(rows) == np.arange(12)).all()
    assert not (rows[0] == rows[1]).all()


def test_small_networks_check_their_data():
    with pytest.raises(ValueError, match=r"^batch_size is 5; expected a number that"):
        SmallNetworks(np.ones((12, 2)), np.arange(12) % 2, batch_size=5)
    with pytest.raises(ValueError, match=r"^x has the shape \(12, 2\) and y \(3,\)"):
        SmallNetworks(np.ones((12, 2)), np.arange(3))

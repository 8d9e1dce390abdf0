"""Few examples of each class, some classes, waves, and the network for signals."""

import keras
import numpy as np
import pytest

from nnperf_utils import little_data
from nnperf_utils.datasets import Dataset, load_mnist1d

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 40, 1))
Y = np.arange(60) % 6
NAMES = tuple("abcdef")
DATA = Dataset(
    "own", (X[:36], Y[:36]), (X[36:48], Y[36:48]), (X[48:], Y[48:]), "multiclass",
    class_names=NAMES,
)  # fmt: skip


@pytest.mark.parametrize("reach", [0, 1, 2])
def test_the_network_is_one_of_convolutions(reach):
    keras.utils.set_random_seed(0)
    data = DATA.one_hot()
    own = little_data.network(data, 0.01, updates=10, units=7, reach=reach)
    first = 2 + 4 * reach
    twin = keras.Sequential(
        [
            keras.Input((40, 1)),
            keras.layers.Conv1D(7, first, strides=2, padding="same", activation="relu"),
            keras.layers.Conv1D(7, 2, strides=2, activation="relu"),
            keras.layers.Conv1D(7, 2, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(6, "softmax"),
        ]
    )
    weights = []
    for name, width in zip(little_data.BODY, (first, 2, 2), strict=True):
        kernel, bias = own.get_layer(name).get_weights()
        weights += [kernel.reshape(width, -1, 7), bias]
    twin.set_weights(weights + own.get_layer("head").get_weights())
    x = X[:5].astype("float32")
    np.testing.assert_allclose(own(x), twin(x), atol=1e-6)


def test_only_what_is_asked_for_is_frozen():
    data = DATA.one_hot()
    frozen = little_data.network(data, 0.01, updates=10, frozen=True)
    assert [v.path.split("/")[0] for v in frozen.trainable_variables] == ["head"] * 2
    free = little_data.network(data, 0.01, updates=10)
    assert len(free.trainable_variables) == 8


def test_the_rate_falls_to_zero():
    model = little_data.network(DATA.one_hot(), 0.01, updates=10)
    model.optimizer.iterations.assign(10)
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_classes_are_taken_and_counted_anew():
    some = little_data.of_classes(DATA, [5, 1])
    for name in ("train", "validation", "test"):
        x, y = getattr(DATA, name)
        kept = np.isin(y, [5, 1])
        np.testing.assert_array_equal(getattr(some, name)[0], x[kept])
        np.testing.assert_array_equal(getattr(some, name)[1], (y[kept] == 1))
    assert some.class_names == ("f", "b")
    assert some.output_units == 2


def test_a_few_of_each_are_drawn_and_repeated():
    few = little_data.few_of_each(DATA, 2, 36, seed=3)
    x, y = few.train
    assert np.bincount(y).tolist() == [6] * 6
    assert len(np.unique(x, axis=0)) == 12
    rows = {a.tobytes() for a in DATA.train[0]}
    assert all(a.tobytes() in rows for a in x)
    again = little_data.few_of_each(DATA, 2, 36, seed=3)
    np.testing.assert_array_equal(x, again.train[0])
    other = little_data.few_of_each(DATA, 2, 36, seed=4)
    assert not np.array_equal(x, other.train[0])
    np.testing.assert_array_equal(few.validation[0], DATA.validation[0])


def test_tables_hold_the_draws():
    tables = little_data.few_tables(DATA, (1, 2), rows=36, splits=3)
    assert list(tables) == ["1 of each", "2 of each"]
    one = little_data.few_of_each(DATA, 2, 36, 1).one_hot()
    np.testing.assert_array_equal(tables["2 of each"][1].train[0], one.train[0])
    assert tables["2 of each"][1].is_one_hot


def test_first_rows():
    some = little_data.first_rows(DATA, 10, 5)
    np.testing.assert_array_equal(some.train[0], DATA.train[0][:10])
    assert len(some.validation[1]) == 5
    assert len(some.test[1]) == 12


def test_a_bootstrap_has_as_many_rows_of_the_same():
    rows = {a.tobytes(): y for a, y in zip(*DATA.train, strict=True)}
    one, other = little_data.bootstraps(DATA, 2)
    for drawn in (one, other):
        assert len(drawn.train[1]) == 36
        assert all(rows[a.tobytes()] == y for a, y in zip(*drawn.train, strict=True))
        assert len(np.unique(drawn.train[0], axis=0)) < 36
    assert not np.array_equal(one.train[0], other.train[0])
    again = little_data.bootstraps(DATA, 1)[0]
    np.testing.assert_array_equal(one.train[0], again.train[0])


def test_one_start_is_that_of_seed_0_for_all():
    def build():
        return little_data.network(DATA.one_hot(), 0.01, updates=10)

    start = little_data.one_start(build, range(3))
    keras.utils.set_random_seed(0)
    expected = build().get_layer("first").get_weights()[0]
    assert list(start) == [0, 1, 2]
    assert list(start[0]) == [*little_data.BODY, "head"]
    for seed in range(3):
        np.testing.assert_array_equal(start[seed]["first"][0], expected)


def test_the_network_for_images_has_a_body_of_two_layers():
    x = X[:, :36].reshape(-1, 6, 6, 1)
    images = Dataset("i", (x[:36], Y[:36]), (x[36:], Y[36:]), None, "multiclass")
    images = images.one_hot()
    model = little_data.image_network(images, 0.01, updates=10, units=8)
    assert [layer.name for layer in model.layers if layer.weights] == [
        "first",
        "second",
        "head",
    ]
    assert model.output_shape == (None, 6)


def test_signals_without_labels_are_added():
    both = little_data.with_unlabelled(DATA.one_hot(), X[:4].astype("float32"))
    assert both.train[0].shape == (40, 40, 1)
    assert both.train[1][36:].sum() == 0
    with pytest.raises(ValueError, match="one_hot"):
        little_data.with_unlabelled(DATA, X[:4])


def test_waves_have_the_frequencies_of_their_classes():
    waves = little_data.load_waves(samples=500, noise=0.0, seed=2)
    assert waves.output_units == 5
    assert waves.input_shape == (40, 1)
    x, y = waves.train
    crossings = (np.diff(np.sign(x[..., 0]), axis=1) != 0).sum(1)
    means = [crossings[y == c].mean() for c in range(5)]
    assert means == pytest.approx([2, 3.4, 5.2, 7.6, 11], rel=0.25)
    again = little_data.load_waves(samples=500, noise=0.0, seed=2)
    np.testing.assert_array_equal(x, again.train[0])


def test_what_is_derived_claims_no_scaler():
    data = load_mnist1d(samples=400)
    assert little_data.first_rows(data, 20, 10).scaler is None
    assert little_data.of_classes(data, [1, 2]).scaler is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: little_data.of_classes(DATA, [1, 9]), "classes are"),
        (lambda: little_data.of_classes(DATA, [1, 1]), "classes are"),
        (lambda: little_data.few_of_each(DATA, 2, 37, 0), "rows is 37"),
        (lambda: little_data.few_of_each(DATA, 9, 54, 0), "count is 9"),
        (lambda: little_data.first_rows(DATA, 99, 5), "train is 99"),
        (lambda: little_data.load_waves(samples=7), "samples is 7"),
        (lambda: little_data.halved(keras.Input((5, 1)), 3, "n"), "has 5 positions"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).endswith(".")

"""Replicas that start from trained ones, and replicas that learn other targets.

What ``fit`` does from the same weights, to the same targets, is the known answer.
"""

from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from nnperf_utils.comparison import compare
from nnperf_utils.datasets import Dataset
from nnperf_utils.engine import training
from nnperf_utils.models import Temperature, mlp
from nnperf_utils.replicas import example_order, replicate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
OWN = Dataset("own", (X[:40], Y[:40]), (X[40:], Y[40:]), (X[40:], Y[40:]), "multiclass")
DATA = OWN.one_hot()
SEEDS = [0, 1, 2]


def network(frozen=False, units=6, temperature=1.0, learning_rate=0.01):
    h = inputs = keras.Input((5,))
    h = layers.Dense(units, "tanh", name="body")(h)
    h = layers.BatchNormalization(name="norm")(h)
    h = layers.Dense(3, name="head")(h)
    model = keras.Model(inputs, layers.Softmax()(Temperature(temperature)(h)))
    for name in ("body", "norm") if frozen else ():
        model.get_layer(name).trainable = False
    model.compile(
        keras.optimizers.Adam(learning_rate),
        "categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def run(build=network, data=DATA, **arguments):
    arguments = {
        "seeds": SEEDS,
        "epochs": 3,
        "batch_size": 8,
        "progress": False,
    } | arguments
    return replicate(build, data, **arguments)


def fitted(build, seed, start=None, targets=None, epochs=3, batch_size=8):
    """Train with Keras alone, in the engine's order."""
    keras.utils.set_random_seed(seed)
    model = build()
    for name, weights in (start or {}).items():
        model.get_layer(name).set_weights(weights)
    y = DATA.train[1] if targets is None else targets
    for epoch in range(1, epochs + 1):
        order = example_order(seed, epoch, len(y))
        model.fit(
            DATA.train[0][order],
            y[order],
            batch_size=batch_size,
            shuffle=False,
            verbose=0,
        )
    return model


def soft(seed=0):
    shares = np.random.default_rng(seed).random((40, 3)).astype("float32")
    return shares / shares.sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def source():
    return run()


# ---------------------------------------------------------------------------- starts


def test_weights_are_those_of_the_models(source):
    weights = source.weights(without="head")
    assert list(weights) == SEEDS
    model = source.model(seed=1)
    assert list(weights[1]) == ["body", "norm"]
    for name, own in weights[1].items():
        for one, other in zip(own, model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("frozen", [False, True])
def test_training_from_trained_weights_is_what_fit_does(source, frozen):
    build, start = partial(network, frozen), source.weights(without="head")
    runs = run(build, start=start)
    model, expected = runs.model(seed=2), fitted(build, 2, start[2])
    for one, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_frozen_layers_keep_what_they_start_from(source):
    start = source.weights(without="head")
    kept = run(partial(network, True), start=start).weights()
    for seed in SEEDS:
        for name in ("body", "norm"):
            for one, other in zip(start[seed][name], kept[seed][name], strict=True):
                np.testing.assert_array_equal(one, other)


def test_layers_that_are_not_named_start_fresh(source):
    fresh = run().starting_weights()[0]
    begun = run(start=source.weights(without="head")).starting_weights()[0]
    trained = source.weights()[0]
    np.testing.assert_array_equal(begun[0], trained["body"][0])
    np.testing.assert_array_equal(begun[4], fresh[4])  # the head's kernel


def test_a_start_does_not_change_what_it_was_taken_from(source):
    start = source.weights()
    before = source.weights()
    run(start=start)
    for seed in SEEDS:
        for name, own in start[seed].items():
            for one, other in zip(own, before[seed][name], strict=True):
                np.testing.assert_array_equal(one, other)


def test_comparing_a_start_with_none(source):
    result = compare(
        {"scratch": network, "tuned": network, "frozen": partial(network, True)},
        DATA,
        seeds=SEEDS,
        epochs=3,
        batch_size=8,
        start={name: source.weights(without="head") for name in ("tuned", "frozen")},
        progress=False,
    )
    alone = run(start=source.weights(without="head"))
    np.testing.assert_allclose(
        result.weights("tuned")[1]["head"][0], alone.weights()[1]["head"][0], atol=1e-5
    )
    np.testing.assert_array_equal(
        result.weights("frozen")[1]["body"][0], source.weights()[1]["body"][0]
    )
    assert len(result.ensemble("tuned", X)) == 3


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        ({0: {}, 1: {}}, ValueError, "start holds nothing for seed 2; its seeds are 0"),
        ({0: 3, 1: 3, 2: 3}, TypeError, "as Runs.weights returns it; got int"),
        ({s: {"neck": []} for s in SEEDS}, ValueError, "start has the layer 'neck'"),
        (
            {s: {"head": [np.zeros((6, 2)), np.zeros(2)]} for s in SEEDS},
            ValueError,
            "weights of shapes",
        ),
    ],
)
def test_a_start_that_does_not_fit(monkeypatch, start, error, message):
    monkeypatch.setattr(training.Program, "run", lambda *_: pytest.fail("trained"))
    with pytest.raises(error, match=message):
        run(start=start)


def test_weights_that_are_not_there(source):
    with pytest.raises(ValueError, match="without has 'neck'"):
        source.weights(without="neck")
    with pytest.raises(KeyError, match="no replica of seed 9"):
        source.weights(seed=9)


# --------------------------------------------------------------------------- targets


@pytest.mark.parametrize("batch_size", [8, 12, 40])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_learning_targets_is_what_fit_does(batch_size, jit_compile):
    targets = {seed: soft(seed) for seed in SEEDS}
    runs = run(targets=targets, batch_size=batch_size, jit_compile=jit_compile)
    expected = fitted(network, 1, targets=targets[1], batch_size=batch_size)
    for one, other in zip(runs.model(seed=1).weights, expected.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_the_labels_as_targets_change_nothing(source):
    again = run(targets=DATA.train[1])
    for seed in SEEDS:
        np.testing.assert_allclose(
            again.weights()[seed]["head"][0],
            source.weights()[seed]["head"][0],
            atol=1e-6,
        )


def test_scores_are_against_the_labels_whatever_is_learnt():
    runs = run(targets=soft(), follow_train=True)
    last = runs.history.query("epoch == 3 and metric == 'train_accuracy'")
    right = [
        (runs.model(seed).predict(X[:40], verbose=0).argmax(1) == Y[:40]).mean()
        for seed in SEEDS
    ]
    np.testing.assert_allclose(last["value"], right, atol=1e-6)


def test_each_variant_and_split_learns_its_own():
    splits = [DATA, Dataset("2", DATA.train, DATA.validation, DATA.test, "multiclass")]
    targets = {seed: soft(seed) for seed in range(4)}
    result = compare(
        {"hard": network, "soft": network},
        splits,
        seeds=2,
        epochs=3,
        batch_size=8,
        targets={"soft": targets},
        progress=False,
    )
    for variant, own in (("hard", None), ("soft", targets[3])):
        expected = fitted(network, 3, targets=own)
        np.testing.assert_allclose(
            result.weights(variant)[3]["head"][0],
            expected.get_layer("head").get_weights()[0],
            atol=2e-5,
        )


def test_targets_may_follow_the_grid_and_temperatures_share_a_graph(monkeypatch):
    made = []
    init = training.Program.__init__
    monkeypatch.setattr(
        training.Program, "__init__", lambda *a: (made.append(1), init(*a))[1]
    )
    build = partial(network, units=7)
    result = compare(
        {"soft": lambda temperature: build(temperature=temperature)},
        DATA,
        seeds=SEEDS,
        epochs=3,
        batch_size=8,
        grid={"temperature": [1.0, 4.0]},
        choose=False,
        targets={"soft": lambda temperature: soft() ** (1 / temperature) / 3},
        progress=False,
    )
    assert len(made) == 1
    expected = fitted(partial(build, temperature=4.0), 0, targets=soft() ** 0.25 / 3)
    np.testing.assert_allclose(
        result.weights("soft", temperature=4.0)[0]["head"][0],
        expected.get_layer("head").get_weights()[0],
        atol=2e-5,
    )


def test_readings_are_of_the_loss_that_is_learnt():
    runs = run(targets=DATA.train[1][::-1], record="gradients")
    plain = run(record="gradients")
    one, other = (
        r.readings.query("epoch == 0 and seed == 0")["value"] for r in (runs, plain)
    )
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    ("data", "targets", "message"),
    [
        (DATA, soft()[:9], "targets have shape .9, 3. for one replica"),
        (OWN, soft(), "shares of classes need data.one_hot"),
        (DATA, np.full((40, 3), np.nan), "targets have NaN"),
        (DATA, {0: soft()}, "targets holds nothing for seed 1"),
    ],
)
def test_targets_that_do_not_fit(monkeypatch, data, targets, message):
    monkeypatch.setattr(training.Program, "run", lambda *_: pytest.fail("trained"))
    build = network if data is DATA else partial(mlp, data)
    with pytest.raises(ValueError, match=message):
        run(build, data, targets=targets)


def test_a_variant_that_is_not_there():
    for name in ("start", "targets"):
        with pytest.raises(ValueError, match=f"{name} has 'c'; the variants are a, b"):
            compare({"a": network, "b": network}, DATA, epochs=1, **{name: {"c": {}}})
        with pytest.raises(TypeError, match=f"{name} must be a dictionary"):
            compare({"a": network, "b": network}, DATA, epochs=1, **{name: 3})


# ------------------------------------------------------------------------- ensembles


def test_the_ensemble_predicts_the_mean_of_the_models(source):
    ensemble = source.ensemble(X)
    each = [source.model(seed).predict(X, verbose=0) for seed in SEEDS]
    np.testing.assert_allclose(ensemble.mean, np.mean(each, axis=0), atol=1e-6)
    assert list(ensemble.members["seed"]) == SEEDS


def test_replicas_of_several_variants_are_no_ensemble():
    result = compare(
        {"a": network, "b": partial(network, units=4)},
        DATA,
        seeds=2,
        epochs=1,
        batch_size=40,
        progress=False,
    )
    with pytest.raises(ValueError, match="differ in variant; say which"):
        result._members["a"][0].ensemble(X)
    with pytest.raises(ValueError, match="variant is 'c'"):
        result.ensemble("c", X)


# ------------------------------------------------------------------- data and layers


def test_one_hot_labels_score_as_classes_do():
    for data in (OWN, DATA):
        assert data.output_units == 3
    assert DATA.one_hot() is DATA
    plain, columns = (
        run(partial(mlp, data), data, epochs=2).history for data in (OWN, DATA)
    )
    np.testing.assert_allclose(plain["value"], columns["value"], atol=1e-5)


def test_only_classes_become_columns():
    with pytest.raises(ValueError, match="the task is binary"):
        Dataset("b", (X, Y > 0), (X, Y > 0), None, "binary").one_hot()


def test_a_temperature_divides():
    layer = Temperature(4)
    np.testing.assert_allclose(layer(np.ones((2, 3))), 0.25)
    again = Temperature.from_config(layer.get_config())
    assert again.temperature == 4
    with pytest.raises(ValueError, match="temperature is 0; expected"):
        Temperature(0)


def test_plain_namespaces_serve_as_data():
    runs = run(data=SimpleNamespace(train=DATA.train), targets=soft())
    assert runs.is_finished

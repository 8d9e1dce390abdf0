"""The exercises on vanishing gradients, against right and wrong answers."""

import functools

import keras
import numpy as np
import pandas as pd
import pytest
from exercise_answers import says, solution_answers

from nnperf_utils.exercises import vanishing_gradients as exercises
from nnperf_utils.models import mlp

# --------------------------------------------------------------------------------------
# 1  factor_per_layer
# --------------------------------------------------------------------------------------


def test_factor_alternatives():
    def by_products(norms):
        ratios = np.asarray(norms[:-1]) / np.asarray(norms[1:])
        return np.prod(ratios) ** (1 / len(ratios))

    def by_logarithms(norms):
        return np.exp(-np.mean(np.diff(np.log(norms))))

    for right in (by_products, by_logarithms, lambda n: [by_products(n)]):
        assert says(exercises.factor_per_layer.judge(right), "correct", "0.3⁹")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda n: (n[-1] / n[0]) ** (1 / (len(n) - 1)), "upside down"),
        (lambda n: (n[0] / n[-1]) ** (1 / len(n)), "n - 1 steps"),
        (lambda n: n[0] / n[-1], "all layers together"),
        (lambda n: np.mean(n[:-1] / n[1:]), "arithmetic mean of the ratios"),
        (lambda n: np.mean(n[1:] / n[:-1]), "ratios that are upside down"),
        (lambda n: np.median(n[:-1] / n[1:]), "median"),
        (lambda n: np.mean(np.log(n[:-1] / n[1:])), "Take the exponential"),
        (lambda n: n[:-1] / n[1:], "returns 2 numbers"),
        (lambda n: print(end=""), "returns nothing"),
        (lambda n: "0.1", "for the norms"),
        (lambda n: n / "", "UFuncTypeError"),
        (lambda n: np.nan, "nan"),
        # right for the first network by chance
        (lambda n: 0.1, "right for three layers, but for the norms"),
        (lambda n: (n[0] / n[-1]) ** 0.5, "right for three layers, but"),
        (lambda n: (n.min() / n.max()) ** (1 / (len(n) - 1)), "right for three"),
        (lambda: 0.1, "takes `()`"),
        (0.1, "a function of `norms`"),
    ],
)
def test_factor_wrong(wrong, message):
    assert says(exercises.factor_per_layer.judge(wrong), "not yet", message)


def test_factor_error_names_the_line():
    def stops(norms):
        return norms[len(norms)] / norms[0]

    outcome = exercises.factor_per_layer.judge(stops)
    assert says(outcome, "not yet", "IndexError", "`return norms[len(norms)]")


def test_factor_may_change_its_argument():
    def in_place(norms):
        norms /= norms[-1]
        return norms[0] ** (1 / (len(norms) - 1))

    assert exercises.factor_per_layer.judge(in_place).status == "correct"


# --------------------------------------------------------------------------------------
# 2  deepest_that_trains
# --------------------------------------------------------------------------------------

GOOD = [0.61, 0.62, 0.58, 0.60, 0.59]
BAD = [0.10, 0.10, 0.24, 0.19, 0.10]
LUCKY = [0.10, 0.10, 0.60, 0.19, 0.70]
RUNS = {2: GOOD, 3: GOOD, 4: BAD}


def as_history(runs):
    """Bring runs to the form of the engine's history."""
    rows = [
        (str(depth), seed, epoch, metric, value if epoch == 2 else 0.1)
        for depth, values in runs.items()
        for seed, value in enumerate(values)
        for epoch in (1, 2)
        for metric in ("val_accuracy", "val_loss")
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "epoch", "metric", "value"])


@pytest.mark.parametrize(
    ("accuracies", "deepest"),
    [
        (RUNS, 3),
        (RUNS, np.int64(3)),
        (RUNS, 3.0),
        ({"3": np.array(GOOD), "4": pd.Series(BAD), "6": BAD}, 3),
        (as_history(RUNS), 3),
        (as_history(RUNS).rename(columns={"variant": "depth"}), 3),
        # other runs, another border: the learner's numbers decide
        ({6: GOOD, 7: LUCKY}, 6),
        ({1: GOOD, 2: [np.nan] * 5}, 1),
    ],
)
def test_deepest_right(accuracies, deepest):
    outcome = exercises.deepest_that_trains.judge(accuracies, deepest)
    assert says(outcome, "correct", "border lies between")


@pytest.mark.parametrize(
    ("accuracies", "deepest", "message"),
    [
        (RUNS, ..., "`deepest` is still to be filled in"),
        (RUNS, 4, "median of depth 4 is 0.10, not above 0.5"),
        ({3: GOOD, 4: LUCKY}, 4, "although its best seed reaches 0.70"),
        (RUNS, 2, "depth 3 trains as well"),
        (RUNS, 5, "not measured"),
        (RUNS, 0.6, "a whole number"),
        (RUNS, "3", "a whole number"),
        (RUNS, True, "a whole number"),
        ({3: GOOD, 4: BAD, 5: GOOD}, 5, "depth 4 fails before it"),
        ({2: GOOD, 3: GOOD}, 3, "Go deeper"),
        ({3: BAD, 4: BAD}, 3, "Measure shallower"),
        ({1: BAD, 2: BAD}, 1, "Even one hidden layer should"),
        ({3: GOOD, 6: BAD}, 3, "what lies between"),
        ({3: GOOD[:1], 4: BAD[:1]}, 3, "at least 5 seeds"),
        ({3: 0.6, 4: 0.1}, 3, "at least 5 seeds"),
        ({3: [GOOD, GOOD], 4: BAD}, 3, "shape (2, 5)"),
        ({3: [0.6] * 5, 4: [0.1] * 5}, 3, "one seed repeated"),
        ({3: [61, 62, 58, 60, 59], 4: BAD}, 3, "fractions, not percentages"),
        ({3: ["a"] * 5, 4: BAD}, 3, "a list of numbers"),
        ({"accuracy": GOOD}, 3, "no depth"),
        ({3: GOOD, "3": BAD}, 3, "comes twice"),
        ({}, 3, "empty"),
        (GOOD, 3, "make it a dictionary"),
        (solution_answers(exercises.factor_per_layer)[0], 3, "of type `function`"),
        (pd.DataFrame({"value": GOOD}), 3, "no column `variant`"),
        (as_history(RUNS).query("metric == 'val_loss'"), 3, "`val_accuracy`"),
        (pd.concat([as_history(RUNS)] * 2), 3, "more than one value"),
    ],
)
def test_deepest_wrong(accuracies, deepest, message):
    outcome = exercises.deepest_that_trains.judge(accuracies, deepest)
    assert says(outcome, "not yet", message)


def test_deepest_leaves_the_learners_numbers_alone():
    values = np.array([np.nan, 0.1, 0.1, 0.2, 0.1])
    exercises.deepest_that_trains.judge({3: GOOD, 4: values}, 3)
    assert np.isnan(values[0])


# --------------------------------------------------------------------------------------
# 3  rescue_sigmoid
# --------------------------------------------------------------------------------------

scaling = functools.partial(keras.initializers.VarianceScaling, mode="fan_in")


def network(**knobs):
    """Return a build function for ten sigmoid layers with other knobs."""
    knobs = {"hidden_layers": 10, "activation": "sigmoid"} | knobs
    knobs.setdefault("kernel_initializer", scaling(48))
    return lambda: mlp(exercises._data(), **knobs)


def plain_keras(activation="sigmoid", **knobs):
    """Return the same network in plain Keras, activations in layers of their own."""
    model = keras.Sequential([keras.Input((14, 14, 1)), keras.layers.Flatten()])
    for _ in range(10):
        model.add(keras.layers.Dense(64, kernel_initializer=scaling(48), **knobs))
        model.add(keras.layers.Activation(activation))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def with_shortcut():
    x = inputs = keras.Input((14, 14, 1))
    x = keras.layers.Flatten()(x)
    for number in range(10):
        y = keras.layers.Dense(64, activation="sigmoid")(x)
        x = y + x if number else y
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def trained():
    model = network()()
    model.fit(*exercises._probe(), batch_size=128, verbose=0)
    return model


def uncompiled():
    compiled = network()()
    return keras.Model(compiled.inputs, compiled.outputs)


class OwnClass(keras.Model):
    """A subclass may compute anything."""


@pytest.mark.parametrize(
    "build",
    [
        network(kernel_initializer=keras.initializers.Orthogonal(7.0)),
        network(kernel_initializer=scaling(64, distribution="uniform")),
        plain_keras,
        lambda: plain_keras(activation=lambda z: 1 / (1 + keras.ops.exp(-z))),
    ],
    ids=["orthogonal", "uniform", "plain Keras", "own sigmoid"],
)
def test_rescue_right(build):
    assert says(exercises.rescue_sigmoid.judge(build), "correct", "saturated")


NORMAL = keras.initializers.RandomNormal


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (network(kernel_initializer="glorot_uniform"), "make them larger"),
        (network(kernel_initializer="he_normal"), "it must reach 0.1"),
        (network(kernel_initializer=scaling(16)), "it must reach 0.1"),
        (network(kernel_initializer=NORMAL(stddev=0.5)), "it must reach 0.1"),
        (network(kernel_initializer=NORMAL(stddev=2.0)), "but by saturating"),
        (network(kernel_initializer=scaling(1000)), "but by saturating"),
        (network(kernel_initializer="ones"), "all is saturated"),
        (network(activation="relu"), "activations are relu"),
        (network(activation=lambda z: keras.ops.sigmoid(4 * z)), "plain sigmoids"),
        (network(activation=None), "activations are linear"),
        (network(normalization="batch"), "no normalization"),
        (network(residual=True), "no skip connections"),
        (network(dropout=0.1), "no other layers"),
        (with_shortcut, "no skip connections"),
        (network(hidden_layers=3), "3 hidden layers"),
        (network(units=128), "10 layers of 64"),
        (lambda: plain_keras(bias_initializer="ones"), "biases"),
        (uncompiled, "not compiled"),
        (trained, "trained already"),
        (functools.cache(plain_keras), "the same network each time"),
        (plain_keras(), "is a network"),
        (scaling(48), "is the initializer itself"),
        (lambda: scaling(48), "return the network"),
        (lambda: OwnClass(), "a class of your own"),
        (
            lambda: keras.Sequential([keras.layers.Dense(64)]),
            "without weights yet",
        ),
        (lambda data: network()(), "takes `(data)`"),
    ],
)
def test_rescue_wrong(build, message):
    assert says(exercises.rescue_sigmoid.judge(build), "not yet", message)


def test_rescue_starter_is_not_attempted():
    def build():
        initializer = ...
        return mlp(
            exercises._data(),
            hidden_layers=10,
            activation="sigmoid",
            kernel_initializer=initializer,
        )

    assert exercises.rescue_sigmoid.judge(build).status == "not attempted"


def test_rescue_reports_what_it_measured():
    # 0.04 in the median over 20 seeds, measured apart
    message = exercises.rescue_sigmoid.judge(
        network(kernel_initializer=scaling(16))
    ).message
    measured = float(message.split("gradient is ")[1].split()[0])
    assert 0.015 < measured < 0.08


def test_rescue_leaves_the_learners_random_numbers_alone():
    build = network()  # an initializer draws its seed when it is made
    keras.utils.set_random_seed(1)
    expected = keras.random.normal([]).numpy()
    keras.utils.set_random_seed(1)
    exercises.rescue_sigmoid.judge(build)
    assert keras.random.normal([]).numpy() == expected


# --------------------------------------------------------------------------------------
# 4  diagnose
# --------------------------------------------------------------------------------------


def reading(readings, metric):
    hidden = readings[readings["layer"].str.startswith("hidden")]
    return hidden[hidden["metric"] == metric].set_index("layer")["value"]


def fall(readings):
    spread = reading(readings, "activation_std")
    return spread / spread.shift()


def test_diagnose_alternatives():
    def by_gradient(readings):
        return reading(readings, "gradient_norm").idxmax()

    def by_threshold(readings):
        spread = reading(readings, "activation_std")
        return spread.index[spread < 0.05][0]

    for right in (by_gradient, by_threshold, lambda r: [by_gradient(r)]):
        assert says(exercises.diagnose.judge(right), "correct", "finds all 7")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda r: reading(r, "gradient_norm").idxmin(), "one that suffers"),
        (lambda r: reading(r, "activation_std").idxmin(), "Where does it begin"),
        (lambda r: "hidden_5", "it says `hidden_5` whatever"),
        (lambda r: r["layer"].iloc[0], "it says `hidden_1` whatever"),
        (lambda r: fall(r).shift(-1).idxmin(), "the layer before the sick one"),
        (lambda r: r.loc[r["value"].idxmax(), "layer"], "sick layers"),
        (lambda r: fall(r).argmin(), "return the layer's name"),
        (lambda r: None if len(r) else 0, "returns nothing"),
        (lambda r: r["depth"], "KeyError"),
        (lambda: "hidden_3", "takes `()`"),
        ("hidden_3", "a function of `readings`"),
    ],
)
def test_diagnose_wrong(wrong, message):
    assert says(exercises.diagnose.judge(wrong), "not yet", message)


def test_diagnose_may_change_its_argument():
    def spoils(readings):
        name = fall(readings).idxmin()
        readings["value"] = 0.0
        return name

    assert exercises.diagnose.judge(spoils).status == "correct"
    assert exercises.diagnose.judge(spoils).status == "correct"


def test_sick_readings_are_the_same_each_time():
    exercises._sick_readings.cache_clear()
    first = exercises.sick_readings(4, seed=1)
    exercises._sick_readings.cache_clear()
    pd.testing.assert_frame_equal(first, exercises.sick_readings(4, seed=1))


@pytest.mark.parametrize("layer", [1, 9, "hidden_3", None])
def test_sick_readings_of_no_such_layer(layer):
    with pytest.raises(ValueError, match=r"layer is .* from 2 to 8"):
        exercises.sick_readings(layer)

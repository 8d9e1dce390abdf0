"""The exercises of the chapter on a first network, against right and wrong answers."""

import keras
import numpy as np
import pandas as pd
import pytest
from exercise_answers import says

from nnperf_utils.exercises import first_network as exercises

L = keras.layers


# --------------------------------------------------------------------------------------
# 1  sgd_step
# --------------------------------------------------------------------------------------


def probabilities(w, b, x):
    return 1 / (1 + np.exp(-(x @ w + b)))


def by_loop(w, b, x, y, rate):
    gradient, bias = np.zeros_like(w), 0.0
    for row, label in zip(x, y, strict=True):
        error = 1 / (1 + np.exp(-(row @ w + b))) - label
        gradient += error * row / len(y)
        bias += error / len(y)
    return [w - rate * gradient, b - rate * bias]


def in_place(w, b, x, y, rate):
    error = probabilities(w, b, x) - y
    w -= rate * x.T @ error / len(y)
    return w, b - rate * error.mean()


def by_columns(w, b, x, y, rate):
    error = (probabilities(w, b, x) - y)[:, None]
    return w - rate * (error * x).mean(axis=0), np.array([b - rate * error.mean()])


@pytest.mark.parametrize("right", [by_loop, in_place, by_columns])
def test_step_alternatives(right):
    assert says(exercises.sgd_step.judge(right), "correct", "what it said")


def variant(sign=-1, mean=True, factor=1.0, slope=False, sigmoid=True):
    def step(w, b, x, y, rate):
        p = probabilities(w, b, x) if sigmoid else x @ w + b
        error = factor * (p - y)
        if slope:
            error = error * p * (1 - p)
        n = len(y) if mean else 1
        return w + sign * rate * x.T @ error / n, b + sign * rate * error.sum() / n

    return step


def gradient_only(w, b, x, y, rate):
    error = probabilities(w, b, x) - y
    return x.T @ error / len(y), error.mean()


def old_bias(w, b, x, y, rate):
    return in_place(w, b, x, y, rate)[0], b


def bias_by_sum(w, b, x, y, rate):
    error = probabilities(w, b, x) - y
    return w - rate * x.T @ error / len(y), b - rate * error.sum()


def bias_with_input(w, b, x, y, rate):
    error = probabilities(w, b, x) - y
    return w - rate * x.T @ error / len(y), b - rate * (error * x[:, 0]).mean()


def not_summed(w, b, x, y, rate):
    error = probabilities(w, b, x) - y
    return w - rate * x * error[:, None], b - rate * error.mean()


def many_biases(w, b, x, y, rate):
    error = probabilities(w, b, x) - y
    return w - rate * x.T @ error / len(y), b - rate * error


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (variant(sign=1), "uphill"),
        (variant(mean=False), "divide by the number of examples"),
        (variant(factor=2.0, slope=True), "squared error"),
        (variant(slope=True), "slope of the sigmoid"),
        (variant(factor=2.0), "twice as long"),
        (variant(sigmoid=False), "no sigmoid"),
        (variant(factor=3.0), "the right ones are"),
        (gradient_only, "you return the gradient"),
        (lambda w, b, x, y, rate: in_place(w, b, x, y, 1.0), "learning rate"),
        (old_bias, "the bias stays"),
        (bias_by_sum, "the bias's step adds up"),
        (bias_with_input, "the bias is not"),
        (not_summed, "shape"),
        (many_biases, "values; it is one number"),
        (lambda w, b, x, y, rate: (w, b), "the old ones"),
        (lambda w, b, x, y, rate: w, "return two things"),
        (lambda w, b, x, y, rate: ("w", "b"), "not all numbers"),
        (lambda w, b, x, y, rate: (w @ x, b), "ValueError"),
        (lambda w, b: (w, b), "takes `(w, b)`"),
    ],
)
def test_step_wrong(wrong, message):
    assert says(exercises.sgd_step.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 2  tags
# --------------------------------------------------------------------------------------


def network(output, loss, hidden=32, activation="relu", optimizer="adam", inputs=8):
    """Return a build function."""

    def build():
        layers = [L.Dense(hidden, activation)] if hidden else []
        model = keras.Sequential([keras.Input((inputs,)), *layers, output()])
        model.compile(optimizer, loss)
        return model

    return build


def four(activation, **keywords):
    return lambda: L.Dense(4, activation, **keywords)


def functional():
    inputs = keras.Input((8,))
    x = L.Dense(64, "tanh")(inputs)
    outputs = L.Concatenate()([L.Dense(1, "sigmoid")(x) for _ in range(4)])
    model = keras.Model(inputs, outputs)
    model.compile("rmsprop", keras.losses.BinaryCrossentropy(), metrics=["accuracy"])
    return model


LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    "build",
    [
        functional,
        network(four(None), LOGITS),
        network(four("sigmoid", kernel_regularizer="l2"), "binary_crossentropy"),
    ],
    ids=["functional", "logits", "penalty"],
)
def test_tags_right(build):
    assert says(exercises.tags.judge(build), "correct", "multi-label")


def uncompiled():
    return keras.Sequential([keras.Input((8,)), L.Dense(4, "sigmoid")])


BCE = "binary_crossentropy"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (network(four("softmax"), "categorical_crossentropy"), "add up to 1"),
        (network(four("softmax"), BCE), "add up to 1"),
        (network(four("sigmoid"), "categorical_crossentropy"), "learns nothing"),
        (network(four("sigmoid"), "sparse_categorical_crossentropy"), "several ones"),
        (network(four("sigmoid"), "mse"), "loss for quantities"),
        (network(four(None), BCE), "no probabilities"),
        (network(four("sigmoid"), LOGITS), "one of the two"),
        (network(lambda: L.Dense(1, "sigmoid"), BCE), "4 columns"),
        (network(lambda: L.Dense(5, "sigmoid"), BCE), "4 columns"),
        (network(four("sigmoid"), BCE, inputs=9), "8 numbers"),
        (
            network(four("sigmoid"), BCE, optimizer=keras.optimizers.SGD(1e-5)),
            "usual rate",
        ),
        (network(four("sigmoid"), keras.losses.BinaryFocalCrossentropy()), "the mean"),
        (network(four("sigmoid"), None), "without a loss"),
        (uncompiled, "not compiled"),
        (lambda: keras.Sequential([L.Dense(4, "sigmoid")]), "without weights yet"),
        (lambda: four("sigmoid"), "return the network"),
        (uncompiled(), "is a network"),
        (lambda x: uncompiled(), "takes `(x)`"),
    ],
)
def test_tags_wrong(build, message):
    assert says(exercises.tags.judge(build), "not yet", message)


def test_tags_starter_is_not_attempted():
    def build():
        output = ...
        loss = ...
        model = keras.Sequential([keras.Input((8,)), output])
        model.compile("adam", loss)
        return model

    assert exercises.tags.judge(build).status == "not attempted"


def test_tags_leaves_the_learners_random_numbers_alone():
    keras.utils.set_random_seed(1)
    expected = keras.random.normal([]).numpy()
    keras.utils.set_random_seed(1)
    exercises.tags.judge(network(four("softmax"), BCE))
    assert keras.random.normal([]).numpy() == expected


def test_tags_are_the_same_each_time_and_may_be_changed():
    x, y = exercises.load_tags()
    assert x.shape == (1000, 8) and y.shape == (1000, 4)
    assert 0.1 < y.mean() < 0.9
    assert (y.sum(axis=1) == 0).any() and (y.sum(axis=1) == 4).any()
    x[:] = 0
    assert exercises.load_tags()[0].any()


# --------------------------------------------------------------------------------------
# 3  zeros_matter
# --------------------------------------------------------------------------------------

LOW = np.array([0.70, 0.71, 0.72, 0.70, 0.73, 0.71, 0.72, 0.70, 0.71, 0.72])
HIGH = LOW + 0.02 + 0.001 * np.arange(10)
MIXED = LOW + 0.01 * (-1) ** np.arange(10)


@pytest.mark.parametrize(
    ("left", "replaced", "verdict", "message"),
    [
        (LOW, HIGH, "better", "on this split"),
        (list(HIGH), list(LOW), "worse", "-0.02"),
        (LOW, MIXED, "no difference found", "may have missed"),
        (LOW, MIXED, " No difference found", "may have missed"),
        (pd.Series(LOW), pd.Series(HIGH)[::-1], "better", "+0.02"),
    ],
)
def test_zeros_right_by_the_learners_own_numbers(left, replaced, verdict, message):
    assert says(
        exercises.zeros_matter.judge(left, replaced, verdict), "correct", message
    )


@pytest.mark.parametrize(
    ("left", "replaced", "verdict", "message"),
    [
        (LOW, HIGH, "no difference found", "leaves zero out"),
        (LOW, HIGH, "worse", "look again"),
        (LOW, MIXED, "better", "holds zero"),
        (LOW, LOW, "no difference found", "the same numbers"),
        (LOW, np.full(10, 0.75), "better", "one seed repeated"),
        (LOW[:5], HIGH[:5], "better", "at least 10 seeds"),
        (LOW, [*HIGH, 0.74], "better", "10 values and"),
        (100 * LOW, 100 * HIGH, "better", "outside 0 to 1"),
        (LOW, [0.7] * 9 + [np.nan], "better", "outside 0 to 1"),
        (LOW, HIGH, "yes", "one of 'better'"),
        (LOW, HIGH, True, "one of 'better'"),
        (LOW, 0.75, "better", "at least 10 seeds"),
        (LOW, "0.75", "better", "at least 10 seeds"),
        (LOW, ["a"] * 10, "better", "one for each seed"),
        (LOW, [], "better", "holds 0 value(s)"),
        (pd.DataFrame({"value": LOW}), HIGH, "better", "a whole frame"),
        (
            pd.Series(LOW),
            pd.Series(HIGH, index=range(10, 20)),
            "better",
            "different seeds",
        ),
        (LOW, ..., "better", "`replaced` is still"),
    ],
)
def test_zeros_wrong(left, replaced, verdict, message):
    assert says(
        exercises.zeros_matter.judge(left, replaced, verdict), "not yet", message
    )

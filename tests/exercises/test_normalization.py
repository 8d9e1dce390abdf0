"""The exercises of the chapter on normalization, against right and wrong answers."""

import keras
import numpy as np
import pandas as pd
import pytest
from exercise_answers import says
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from nnperf_utils.exercises import normalization as exercises

# --------------------------------------------------------------------------------------
# 1  scale_new
# --------------------------------------------------------------------------------------


def z(train, new, **options):
    return (new - train.mean(axis=0)) / train.std(axis=0, **options)


def careful(train, new, ddof=0):
    std = train.std(axis=0, ddof=ddof)
    std[std == 0] = 1
    return (new - train.mean(axis=0)) / std


@pytest.mark.parametrize(
    "right",
    [
        careful,
        lambda t, n: careful(t, n, ddof=1),
        lambda t, n: StandardScaler().fit(t).transform(n),
        lambda t, n: pd.DataFrame(careful(t, n)),
        lambda t, n: np.nan_to_num(z(t, n), posinf=0, neginf=0),
        lambda t, n: (n - t.mean(0)) / (t.std(0) + 1e-7),
    ],
)
def test_scale_right(right):
    assert says(exercises.scale_new.judge(right), "correct", "StandardScaler")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda t, n: z(n, n), "by their own mean"),
        (lambda t, n: z(np.concatenate([t, n]), n), "together"),
        (lambda t, n: (n - t.mean()) / t.std(), "`axis=0`"),
        (lambda t, n: z(t, t), "you return the training rows"),
        (lambda t, n: MinMaxScaler().fit(t).transform(n), "min–max"),
        (lambda t, n: (n - t.mean(0)) / t.var(0), "by the variance"),
        (lambda t, n: n / t.std(0), "do not subtract the mean"),
        (lambda t, n: n - t.mean(0), "do not divide"),
        (lambda t, n: z(t, n) * (1 if len(n) > 1 else 2), "a single one"),
        (z, "its standard deviation is zero"),
        (lambda t, n: careful(t, n) if t.std(0).min() else n * 0, "other columns"),
        (lambda t, n: 2 * z(t, n), "its z-score is"),
        (lambda t, n: n, "its z-score is"),
        (lambda t, n: None if len(n) else n, "returns nothing"),
        (lambda t, n: n[0], "must be (5, 3)"),
        (lambda t, n: "scaled", "an array of numbers"),
        (lambda t: t, "takes `(t)`"),
        (StandardScaler, "takes"),
    ],
)
def test_scale_wrong(wrong, message):
    assert says(exercises.scale_new.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 2  fold
# --------------------------------------------------------------------------------------


def folding(factor, bias):
    """Return a fold function of two formulas."""
    return lambda k, g, b, m, v, e: (k * factor(g, v, e), bias(g, b, m, v, e))


def right_factor(g, v, e):
    return g / np.sqrt(v + e)


def right_bias(g, b, m, v, e):
    return b - m * right_factor(g, v, e)


def by_layer(kernel, gamma, beta, mean, variance, epsilon):
    """Fold by what the layers put out for the unit vectors and for zero."""
    x = np.vstack([np.zeros(len(kernel)), np.eye(len(kernel))])
    out = gamma * (x @ kernel - mean) / np.sqrt(variance + epsilon) + beta
    return out[1:] - out[0], out[0]


@pytest.mark.parametrize(
    "right",
    [
        folding(right_factor, right_bias),
        by_layer,
        lambda *a: list(by_layer(*a)),
        lambda *a: (by_layer(*a)[0], by_layer(*a)[1][None]),
        lambda k, g, b, m, v, e: (
            k @ np.diag(right_factor(g, v, e)),
            right_bias(g, b, m, v, e),
        ),
    ],
)
def test_fold_right(right):
    assert says(exercises.fold.judge(right), "correct", "costs nothing")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (folding(lambda g, v, e: g / (v + e), right_bias), "by the variance"),
        (folding(lambda g, v, e: 1 / np.sqrt(v + e), right_bias), "lacks gamma"),
        (folding(lambda g, v, e: g, right_bias), "lacks the division"),
        (folding(lambda g, v, e: 1, right_bias), "the old one"),
        (folding(lambda g, v, e: g / np.sqrt(v), right_bias), "leave out epsilon"),
        (
            folding(lambda g, v, e: g / (np.sqrt(v) + e), right_bias),
            "epsilon to the standard deviation",
        ),
        (folding(lambda g, v, e: g * np.sqrt(v + e), right_bias), "column of it"),
        (folding(right_factor, lambda g, b, m, v, e: b), "beta alone"),
        (folding(right_factor, lambda g, b, m, v, e: b - m), "as it is"),
        (
            folding(right_factor, lambda g, b, m, v, e: b + m * right_factor(g, v, e)),
            "adds the mean",
        ),
        (
            folding(
                right_factor, lambda g, b, m, v, e: (b - m) * right_factor(g, v, e)
            ),
            "Beta is added last",
        ),
        (folding(right_factor, lambda g, b, m, v, e: m), "an input of zeros"),
        (folding(right_factor, lambda g, b, m, v, e: 0.0), "has the shape ()"),
        (lambda k, g, b, m, v, e: k, "return two"),
        (lambda k, g, b, m, v, e: None if len(k) else k, "returns nothing"),
        (lambda k, g, b, m, v, e: (k.T, b), "must be (5, 3)"),
        (lambda kernel: kernel, "takes `(kernel)`"),
    ],
)
def test_fold_wrong(wrong, message):
    assert says(exercises.fold.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  repair
# --------------------------------------------------------------------------------------


def normalizations(model):
    return [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]


def by_hand(model, x):
    """Set each layer's statistics from what reaches it, first layer first."""
    for layer in normalizations(model):
        z = np.asarray(keras.Model(model.inputs[0], layer.input)(x))
        layer.moving_mean.assign(z.mean(axis=0))
        layer.moving_variance.assign(z.var(axis=0))


def many_passes(model, x):
    for layer in normalizations(model):
        layer.momentum = 0.9
    for _ in range(60):
        model(x, training=True)


def of_a_copy(model, x):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    by_hand(copy, x)
    return copy


@pytest.mark.parametrize("right", [by_hand, many_passes, of_a_copy])
def test_repair_right(right):
    assert says(exercises.repair.judge(right), "correct", "Repaired")


@pytest.mark.parametrize(
    ("right", "changed"), [(by_hand, False), (of_a_copy, False), (many_passes, True)]
)
def test_repair_tells_of_a_momentum_left_behind(right, changed):
    assert ("put it back" in exercises.repair.judge(right).message) == changed


def test_repair_solution_puts_the_momentum_back():
    names = {}
    exec(exercises.repair.source, names)
    model = exercises.sick_network()
    before = [layer.momentum for layer in normalizations(model)]
    names["repair"](model, exercises.training_images()[0])
    assert [layer.momentum for layer in normalizations(model)] == before


def few_passes(model, x):
    for _ in range(5):
        model(x, training=True)


def trains(model, x):
    model.fit(*exercises.training_images(), batch_size=270, verbose=0)


def frozen(model, x):
    for layer in normalizations(model):
        layer.trainable = False


def other_momentum(model, x):
    for layer in normalizations(model):
        layer.momentum = 0.0


def from_inputs(model, x):
    for layer in normalizations(model):
        layer.moving_mean.assign(np.full(32, x.mean()))
        layer.moving_variance.assign(np.full(32, x.var()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (few_passes, "they have not arrived"),
        (from_inputs, "they have not arrived"),
        (trains, "that is training"),
        (frozen, "other trainable weights"),
        (other_momentum, "nothing has changed"),
        (lambda model, x: (model(x), None)[1], "nothing has changed"),
        (lambda model, x: model(x, training=True), "return the network, or nothing"),
        (lambda model, x: exercises._untrained(), "that is training"),
        (lambda model: model, "takes `(model)`"),
        (exercises._untrained(), "is a network"),
    ],
)
def test_repair_wrong(wrong, message):
    assert says(exercises.repair.judge(wrong), "not yet", message)


def test_repair_starter_is_not_attempted():
    def repair(model, x): ...

    assert exercises.repair.judge(repair).status == "not attempted"


def test_sick_network_is_sick_and_new_each_time():
    first, second = exercises.sick_network(), exercises.sick_network()
    other_momentum(first, None)
    first(exercises.training_images()[0], training=True)
    x, y = exercises._digits().validation
    modes = [exercises._accuracy(second, x, y, training=t) for t in (True, False)]
    assert modes[0] > modes[1] + 0.1


def test_sick_network_leaves_the_learners_random_numbers_alone():
    exercises._sick_weights.cache_clear()
    keras.utils.set_random_seed(1)
    expected = keras.random.normal([]).numpy()
    keras.utils.set_random_seed(1)
    exercises.sick_network()
    assert keras.random.normal([]).numpy() == expected

"""The exercises on hyperparameter tuning, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import hyperparameter_tuning as exercises

NAMES = ["optimism", "space", "choose"]


@pytest.mark.parametrize("name", NAMES)
def test_starter_is_not_attempted(name):
    def starter(*arguments):
        return ...

    assert getattr(exercises, name).judge(starter).status == "not attempted"


# --------------------------------------------------------------------------------------
# 1  optimism
# --------------------------------------------------------------------------------------


def test_optimism_alternatives():
    def by_loop(validation, test):
        gaps = []
        for v, t in zip(validation, test, strict=True):
            gaps.append(max(v) - t[list(v).index(max(v))])
        return sum(gaps) / len(gaps)

    def in_place(validation, test):
        validation -= test
        return [
            np.mean(validation[np.arange(len(test)), (validation + test).argmax(1)])
        ]

    for right in (by_loop, in_place):
        assert says(exercises.optimism.judge(right), "correct", "grows")


def winners(v, t):
    return v[np.arange(len(v)), v.argmax(1)] - t[np.arange(len(v)), v.argmax(1)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda v, t: -winners(v, t).mean(), "wrong sign"),
        (lambda v, t: (v.max(1) - t.max(1)).mean(), "best test score"),
        (lambda v, t: (v.max(1) - t.mean(1)).mean(), "of all configurations"),
        (lambda v, t: (v - t).mean(), "nothing has been chosen"),
        (lambda v, t: (v - t)[:, v.mean(0).argmax()].mean(), "one winner for all"),
        (lambda v, t: np.median(winners(v, t)), "median"),
        (lambda v, t: winners(v, t), "returns 8 numbers"),
        (lambda v, t: v.max() - t.flat[v.argmax()], "all repetitions together"),
        (lambda v, t: 0.03, "0.0300, where"),
        (lambda v, t: print(end=""), "returns nothing"),
        (lambda v, t: "0.03", "gives 0.0300"),
        (lambda v, t: "much", "`str`"),
        (lambda v, t: v[t], "IndexError"),
        (lambda v: 0.0, "takes `(v)`"),
        (0.03, "a function of"),
    ],
)
def test_optimism_wrong(wrong, message):
    assert says(exercises.optimism.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 2  space
# --------------------------------------------------------------------------------------


def declared(rate=None, layers=None, dropout=None, condition=True):
    """Return an answer that declares the knobs in given ways."""

    def space(hp):
        values = {
            "learning_rate": (rate or right_rate)(hp),
            "layers": (layers or (lambda hp: hp.Int("layers", 1, 3)))(hp),
        }
        if not condition or values["layers"] > 1:
            values["dropout"] = (dropout or right_dropout)(hp)
        return values

    return space


def right_rate(hp):
    return hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")


def right_dropout(hp):
    return hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])


def with_scope(hp):
    values = {"learning_rate": right_rate(hp), "layers": hp.Int("layers", 1, 3)}
    with hp.conditional_scope("layers", [2, 3]):
        if values["layers"] > 1:
            values["dropout"] = right_dropout(hp)
    return values


@pytest.mark.parametrize(
    "right",
    [
        declared(),
        with_scope,
        declared(rate=lambda hp: 10 ** hp.Float("exponent", -4, -1)),
        declared(layers=lambda hp: hp.Choice("layers", [1, 2, 3])),
        declared(dropout=lambda hp: hp.Int("tenths", 0, 5) / 10),
        declared(dropout=lambda hp: hp.Float("dropout", 0.0, 0.501, step=0.1)),
    ],
)
def test_space_right(right):
    assert says(exercises.space.judge(right), "correct", "nine of ten")


def constant(hp):
    return {"learning_rate": 0.01, "layers": 1}


def without_names(hp):
    return {"rate": right_rate(hp), "layers": hp.Int("layers", 1, 3)}


def never_dropout(hp):
    return {"learning_rate": right_rate(hp), "layers": hp.Int("layers", 1, 3)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            declared(rate=lambda hp: hp.Float("learning_rate", 1e-4, 1e-1)),
            "evenly over the numbers",
        ),
        (
            declared(rate=lambda hp: hp.Choice("learning_rate", [1e-4, 1e-1])),
            "powers of ten",
        ),
        (
            declared(
                rate=lambda hp: hp.Float("learning_rate", 1e-5, 1, sampling="log")
            ),
            "should stay between 0.0001 and 0.1",
        ),
        (declared(rate=lambda hp: 0.01), "same value in every trial"),
        (declared(condition=False), "with one layer the dictionary has a `dropout`"),
        (never_dropout, "two or three layers the dictionary has no `dropout`"),
        (declared(layers=lambda hp: hp.Int("layers", 1, 2)), "values 1, 2; it should"),
        (declared(layers=lambda hp: hp.Float("layers", 1, 3)), "a whole number"),
        (declared(dropout=lambda hp: hp.Float("dropout", 0, 0.5)), "different values"),
        (
            # keras-tuner 1.4.8 takes 0.5 // 0.1 for the number of steps
            declared(dropout=lambda hp: hp.Float("dropout", 0, 0.5, step=0.1)),
            "never 0.5",
        ),
        (
            declared(dropout=lambda hp: hp.Choice("dropout", [0.0, 0.2])),
            "[0.0, 0.2]",
        ),
        (declared(dropout=lambda hp: "some"), "'some'"),
        (constant, "declares no knob"),
        (without_names, "no `learning_rate`; it has `rate`, `layers`"),
        (lambda hp: right_rate(hp), "`float`; return a dictionary"),
        (lambda hp: print(end=""), "returns nothing"),
        (lambda hp: hp.Integer("layers", 1, 3), "AttributeError"),
        (lambda: {}, "takes `()`"),
        ({}, "a function of `hp`"),
    ],
)
def test_space_wrong(wrong, message):
    assert says(exercises.space.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  choose
# --------------------------------------------------------------------------------------


def test_choose_alternatives():
    def whole_columns_only(scores):
        return np.where(np.isnan(scores).any(axis=0), -1, scores.mean(axis=0)).argmax()

    def in_place(scores):
        scores[np.isnan(scores)] = 0
        return scores.sum(axis=0).argmax()

    for right in (whole_columns_only, in_place):
        assert says(exercises.choose.judge(right), "correct", "single score")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda s: np.nanargmax(s) % s.shape[1], "luckiest of 150"),
        (lambda s: np.nanmean(s, axis=0).argmax(), "the mean forgets it"),
        (lambda s: s.mean(axis=0).argmax(), "a mean with NaN in it is NaN"),
        (lambda s: np.argmax(s) % s.shape[1], "first missing score"),
        (lambda s: np.nanargmax(s[0]), "the first split alone"),
        (lambda s: 3, "you choose 3 whatever"),
        (lambda s: np.nanmedian(s, axis=0).argmax(), "there is a way that gives"),
        (lambda s: np.nanargmax(s) + 30, "columns are 0 to 29"),
        (lambda s: np.nanmax(s), "a score; return the column's number"),
        (lambda s: s[:, 0], "`ndarray`"),
        (lambda s: print(end=""), "returns nothing"),
        (lambda s: s[99], "IndexError"),
        (lambda a, b: 0, "takes `(a, b)`"),
        ([], "a function of `scores`"),
    ],
)
def test_choose_wrong(wrong, message):
    assert says(exercises.choose.judge(wrong), "not yet", message)


def test_made_scores():
    scores = exercises.made_scores(seed=1)
    assert scores.shape == (5, 30)
    assert np.isnan(scores).any()
    np.testing.assert_array_equal(scores, exercises.made_scores(1))

"""The exercises on data, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils import thresholds
from nnperf_utils.exercises import data as exercises

# --------------------------------------------------------------------------------------
# 2  cheapest
# --------------------------------------------------------------------------------------


def costs(y, p, miss, alarm, cuts):
    return [
        miss * np.sum((y == 1) & (p < cut)) + alarm * np.sum((y == 0) & (p >= cut))
        for cut in cuts
    ]


def test_cheapest_another_right_way():
    def by_the_package(y, probability, miss, alarm):
        return thresholds.cheapest(y, probability, thresholds.Prices(miss, alarm))

    assert says(exercises.cheapest.judge(by_the_package), "correct", "validation part")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda y, p, m, a: [*p, 2][np.argmin(costs(y, p, 1, 1, [*p, 2]))],
            "highest accuracy",
        ),
        (
            lambda y, p, m, a: [*p, 2][np.argmin(costs(y, p, a, m, [*p, 2]))],
            "other way round",
        ),
        (lambda y, p, m, a: p[np.argmin(costs(y, p, m, a, p))], "to say never"),
        (lambda y, p, m, a: a / (a + m), "can be believed"),
        (lambda y, p, m, a: 0.0, "the cheapest one 1"),
        (lambda y, p, m, a: p, "returns 4 numbers"),
        (lambda y, p, m, a: print(end=""), "returns nothing"),
        (lambda y: 1, "takes `(y)`"),
        (0.1, "`alarm`: pass the function"),
    ],
)
def test_cheapest_wrong(wrong, message):
    assert says(exercises.cheapest.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  unweighted
# --------------------------------------------------------------------------------------


def test_unweighted_another_right_way():
    def by_odds(p, weight):
        with np.errstate(divide="ignore"):
            odds = p / (1 - p) / weight
        return 1 - 1 / (1 + odds)

    assert says(exercises.unweighted.judge(by_odds), "correct", "the threshold")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p, w: w * p / (w * p + 1 - p), "Take it back"),
        (lambda p, w: p / w, "divide the probability"),
        (lambda p, w: p / (1 - p) / w, "not yet a probability"),
        (lambda p, w: p, "the right answer is 0.1"),
        (lambda p, w: p[0], "returns the shape"),
        (lambda p, w: print(end=""), "returns nothing"),
        (lambda p: p, "takes `(p)`"),
        (0.5, "a function of `p` and `weight`"),
    ],
)
def test_unweighted_wrong(wrong, message):
    assert says(exercises.unweighted.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  rows_for
# --------------------------------------------------------------------------------------


def test_rows_another_right_way():
    def by_fit(rows, errors, target):
        slope, start = np.polyfit(np.log(errors), np.log(rows), 1)
        return np.exp(start + slope * np.log(target))

    assert says(exercises.rows_for.judge(by_fit), "correct", "third one")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda r, e, t: (
                r[1] * (e[1] / t) ** (np.log(r[1] / r[0]) / np.log(e[0] / e[1])) - r[1]
            ),
            "on top",
        ),
        (
            lambda r, e, t: r[1] + (e[1] - t) * (r[1] - r[0]) / (e[0] - e[1]),
            "straight line",
        ),
        (
            lambda r, e, t: r[1] * (r[1] / r[0]) ** ((e[1] - t) / (e[0] - e[1])),
            "of the rows alone",
        ),
        (lambda r, e, t: 4000, "yours returns 4,000"),
        (lambda r, e, t: print(end=""), "returns nothing"),
        (lambda r: 1, "takes `(r)`"),
        (7, "`target`: pass the function"),
    ],
)
def test_rows_wrong(wrong, message):
    assert says(exercises.rows_for.judge(wrong), "not yet", message)

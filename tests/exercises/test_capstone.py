"""The exercises of the capstone, against right and wrong answers."""

import numpy as np
import pandas as pd
import pytest
from exercise_answers import says
from sklearn.linear_model import LogisticRegression

from nnperf_utils.exercises import capstone as exercises

# --------------------------------------------------------------------------------------
# 2  by_day
# --------------------------------------------------------------------------------------


def positions(*masks):
    return [np.flatnonzero(mask) for mask in masks]


def test_by_day_another_right_way():
    def by_digitize(dates, validate_from, use_from):
        borders = pd.to_datetime([validate_from, use_from])
        place = borders.searchsorted(pd.to_datetime(dates), side="right")
        return tuple((place == part).nonzero()[0].tolist() for part in range(3))

    assert says(exercises.by_day.judge(by_digitize), "correct", "no row is lost")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda d, v, u: positions(d <= v, (d >= v) & (d < u), d >= u),
            "in two parts",
        ),
        (
            lambda d, v, u: positions(d <= v, (d > v) & (d <= u), d > u),
            "2020-03-01 is among those before",
        ),
        (lambda d, v, u: positions(d < v, (d > v) & (d < u), d > u), "in no part"),
        (lambda d, v, u: [d < v, (d >= v) & (d < u), d >= u], "masks"),
        (
            lambda d, v, u: [
                d.index[d < v],
                d.index[(d >= v) & (d < u)],
                d.index[d >= u],
            ],
            "positions at 0",
        ),
        (lambda d, v, u: np.split(np.arange(len(d)), [15, 24]), "is among those"),
        (lambda d, v, u: positions(d < v, d >= v), "2 parts"),
        (lambda d, v, u: 3, "no three arrays"),
        (lambda d: d, "takes `(d)`"),
    ],
)
def test_by_day_wrong(wrong, message):
    assert says(exercises.by_day.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  delay_so_far
# --------------------------------------------------------------------------------------


def test_delay_so_far_another_right_way():
    def by_list(planned, left, now):
        known = [t - p for p, t in zip(planned, left, strict=True) if t <= now]
        return sum(known) / max(len(known), 1)

    assert says(exercises.delay_so_far.judge(by_list), "correct", "known late")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p, t, now: np.nanmean((t - p)[p <= now]), "it leaks"),
        (lambda p, t, now: np.nanmean(t - p), "whole day"),
        (lambda p, t, now: np.nansum((t - p)[t <= now]) / len(p), "divide by all"),
        (lambda p, t, now: np.median((t - p)[t <= now]), "it says"),
        (lambda p, t, now: 0.0, "it says 0"),
        (
            lambda p, t, now: (t - p)[t <= now].mean() if (t <= now).any() else 1.0,
            "the answer is 0",
        ),
    ],
)
def test_delay_so_far_wrong(wrong, message):
    assert says(exercises.delay_so_far.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  probability
# --------------------------------------------------------------------------------------


def numbers(x):
    return x.select_dtypes("number").fillna(0)


def fitted(x, y, x_new, columns):
    scale = numbers(x)[columns].std()
    model = LogisticRegression(max_iter=500).fit(numbers(x)[columns] / scale, y)
    return model.predict_proba(numbers(x_new)[columns] / scale)[:, 1]


ENOUGH = ["hour", "day_so_far", "airport_so_far", "wind_gust", "precipitation"]


def test_probability_another_right_way():
    def linear(x, y, x_new):
        return fitted(x, y, x_new, ENOUGH)

    assert says(exercises.probability.judge(linear), "correct", "AUC")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x, y, n: fitted(x, y, n, ["hour"]), "that of the hour alone"),
        (lambda x, y, n: np.full(len(n), np.mean(y)), "that of the hour alone"),
        (lambda x, y, n: fitted(x, y, n, ENOUGH) > 0.25, "decisions"),
        (lambda x, y, n: fitted(x, y, n, ENOUGH) * 100, "no probabilities"),
        (lambda x, y, n: fitted(x, y, x, ENOUGH), "expected one probability"),
        (lambda x, y, n: fitted(x, y, n, ENOUGH) ** 0.02, "too sure"),
        (lambda x, y, n: n["departure_delay"] > 15, "departure_delay"),
    ],
)
def test_probability_wrong(wrong, message):
    assert says(exercises.probability.judge(wrong), "not yet", message)

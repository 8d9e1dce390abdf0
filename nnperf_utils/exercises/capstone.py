"""Exercises of the capstone: split by day, know what is known, a model of one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from nnperf_utils import flight_inputs
from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)
from nnperf_utils.flights import load_flights

__all__ = ["by_day", "delay_so_far", "probability"]


def _dates() -> pd.Series:
    """Return days in no order, several rows each, with an index of their own."""
    days = pd.date_range("2020-02-25", periods=12).repeat(3)
    mixed = np.random.default_rng(0).permutation(len(days))
    return pd.Series(days[mixed], index=np.arange(100, 100 + len(days)))


@exercise(
    hints=[
        "A comparison of dates with a day gives true or false for each row. "
        "Which of the two days belongs to which part?",
        "`np.flatnonzero(mask)` turns a mask into positions. The three masks are "
        "`dates < validate_from`, `dates >= use_from`, and what is left.",
    ],
    solution="""
import numpy as np
import pandas as pd


def by_day(dates, validate_from, use_from):
    dates = pd.to_datetime(pd.Series(dates)).to_numpy()
    first, second = np.datetime64(validate_from), np.datetime64(use_from)
    before = dates < first
    after = dates >= second
    return [np.flatnonzero(m) for m in (before, ~before & ~after, after)]
""",
)
def by_day(by_day: Any) -> str:
    """Write a function for a split by day.

    It takes the dates of all rows and two days, and returns three arrays of positions.
    """
    expect_function(by_day, "by_day", ["dates", "validate_from", "use_from"])
    dates, first, second = _dates(), "2020-03-01", "2020-03-04"
    given = by_day(dates.copy(), first, second)
    try:
        parts = [np.asarray(part) for part in given]
    except TypeError:
        raise NotYet("it returns no three arrays") from None
    if len(parts) != 3:
        raise NotYet(f"it returns {len(parts)} parts, not three")
    if any(part.dtype == bool for part in parts):
        raise NotYet("it returns masks of true and false; positions are asked for")
    if any(part.size and part.dtype.kind not in "iu" for part in parts):
        raise NotYet("positions are whole numbers")
    rows = np.concatenate(parts)
    if len(rows) and (rows.min() < 0 or rows.max() >= len(dates)):
        raise NotYet(
            "some are no positions: the rows' own names begin at 100, their positions "
            "at 0"
        )
    if len(np.unique(rows)) < len(rows):
        raise NotYet("a row is in two parts; whose is the day that is named?")
    if len(rows) < len(dates):
        raise NotYet(f"{len(dates) - len(rows)} rows are in no part")
    values = dates.to_numpy()
    borders = [np.datetime64(first), np.datetime64(second)]
    expected = np.digitize(
        values.astype("datetime64[D]").astype(int),
        [border.astype("datetime64[D]").astype(int) for border in borders],
    )
    names = ("before the first day", "between", "of use")
    for place, part in enumerate(parts):
        wrong = part[expected[part] != place]
        if len(wrong):
            day = pd.Timestamp(values[wrong[0]]).date()
            raise NotYet(f"a row of {day} is among those {names[place]}")
    return "No day is in two parts, whatever the order of the rows, and no row is lost."


_Known = Callable[[np.ndarray, np.ndarray, float], float]


def _mean_or_zero(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0


_WRONG: list[tuple[_Known, str]] = [
    (
        lambda p, t, now: _mean_or_zero((t - p)[(p <= now) & ~np.isnan(t)]),
        "you count what was planned by now. A flight that has not left yet has a delay "
        "that nobody knows: it leaks",
    ),
    (
        lambda p, t, now: _mean_or_zero((t - p)[~np.isnan(t)]),
        "you count the whole day, the evening included",
    ),
    (
        lambda p, t, now: float(np.nansum((t - p)[t <= now]) / max(1, len(p))),
        "you divide by all flights, not by those that have left",
    ),
]


@exercise(
    hints=[
        "Whose delay is known at `now`? Not of whoever should have left, but of "
        "whoever has.",
        "`left <= now` is false for NaN, as you need it. Of an empty choice the mean "
        "is not defined: say 0.",
    ],
    solution="""
import numpy as np


def delay_so_far(planned, left, now):
    planned, left = np.asarray(planned, float), np.asarray(left, float)
    known = left <= now
    return (left - planned)[known].mean() if known.any() else 0.0
""",
)
def delay_so_far(delay_so_far: Any) -> str:
    """Write a function for the mean delay that is known by now.

    It takes two arrays and a number, in minutes since midnight, and returns a number.
    """
    expect_function(delay_so_far, "delay_so_far", ["planned", "left", "now"])
    planned = np.array([360.0, 400, 480, 500, 900, 420])
    left = np.array([370.0, 400, 545, np.nan, 960, 640])
    moments = [530.0, 600.0, 1000.0, 300.0]

    def right(p: np.ndarray, t: np.ndarray, now: float) -> float:
        return _mean_or_zero((t - p)[t <= now])

    found = [
        returned_number(delay_so_far(planned.copy(), left.copy(), now))
        for now in moments[:3]
    ]
    for wrong, reason in _WRONG:
        told = [wrong(planned, left, now) for now in moments[:3]]
        expected = [right(planned, left, now) for now in moments[:3]]
        if np.allclose(found, told) and not np.allclose(told, expected):
            raise NotYet(reason)
    for now, one in zip(moments, found, strict=False):
        expected = right(planned, left, now)
        if not np.isclose(one, expected):
            raise NotYet(f"at minute {now:.0f} it says {one:.3g}, not {expected:.3g}")
    nobody = returned_number(delay_so_far(planned.copy(), left.copy(), moments[3]))
    if nobody != 0:
        raise NotYet("before the first flight has left, the answer is 0")
    return "A flight that left late is known late: until then it is no evidence."


@cache
def _rows() -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]:
    """Return flights to train on and later ones, with their labels."""
    table = load_flights()
    table[[*flight_inputs.FEATURE]] = flight_inputs.day_so_far(table)
    flights = table.dropna(subset=["arrival_delay"], ignore_index=True)
    late = flight_inputs.is_late(flights).to_numpy()
    known = flights[flight_inputs.columns_known(flights)]
    first = int((flights["date"] < "2013-06-01").sum())
    cut = flight_inputs.cut_at(
        flights["date"], first, train=2500, validation=1500, later=1
    )
    old, new = known.iloc[cut.train], known.iloc[cut.validation]
    return (
        old.reset_index(drop=True),
        late[cut.train],
        new.reset_index(drop=True),
        late[cut.validation],
    )


@exercise(
    hints=[
        "Columns of text and of dates are no numbers, and some entries are missing. "
        "Begin with the columns that are numbers.",
        "`HistGradientBoostingClassifier` of scikit-learn takes gaps as they are. "
        "`x.select_dtypes('number')` are the numbers, "
        "`predict_proba(...)[:, 1]` the probabilities of True.",
    ],
    solution="""
from sklearn.ensemble import HistGradientBoostingClassifier


def probability(x, y, x_new):
    trees = {"max_iter": 60, "learning_rate": 0.05, "max_leaf_nodes": 8}
    model = HistGradientBoostingClassifier(random_state=0, **trees)
    model.fit(x.select_dtypes("number"), y)
    return model.predict_proba(x_new.select_dtypes("number"))[:, 1]
""",
)
def probability(probability: Any) -> str:
    """Write a function that says how likely each of some later flights is late.

    It takes a frame and labels of flights to train on, and a frame of later ones, and
    returns a probability for each of these.
    """
    expect_function(probability, "probability", ["x", "y", "x_new"])
    x, y, x_new, late = _rows()
    p = returned_array(
        probability(x.copy(), y.copy(), x_new.copy()), "a probability for each row"
    )
    if p.shape != late.shape:
        raise NotYet(
            f"it returns the shape {p.shape}; expected one probability for each of the "
            f"{len(late)} rows"
        )
    if p.min() < 0 or p.max() > 1:
        raise NotYet(f"it returns {p.min():.3g} to {p.max():.3g}: no probabilities")
    if set(np.unique(p)) <= {0.0, 1.0}:
        raise NotYet("it returns decisions; say how likely, and let prices decide")
    area = roc_auc_score(late, p)
    rule = roc_auc_score(late, x_new["hour"])
    if area < rule + 0.02:
        raise NotYet(
            f"on later flights its AUC is {area:.3f}, and that of the hour alone "
            f"{rule:.3f}: surely beat that, by 0.02"
        )
    p = np.clip(p, 1e-6, 1 - 1e-6)
    if log_loss(late, p) > log_loss(late, np.full(len(late), y.mean())):
        raise NotYet(
            f"its ranking is good (AUC {area:.3f}), but its log loss is above that of "
            "always saying the share of late flights: too sure of itself"
        )
    return f"AUC {area:.3f} on later flights; the hour alone has {rule:.3f}."

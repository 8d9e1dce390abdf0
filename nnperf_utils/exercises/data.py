"""Exercises of the chapter on data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["cheapest", "rows_for", "unweighted"]

# --------------------------------------------------------------------------------------
# 2  The cheapest threshold
# --------------------------------------------------------------------------------------


def _cost(y: np.ndarray, said: np.ndarray, miss: float, alarm: float) -> float:
    return miss * np.sum((y == 1) & ~said) + alarm * np.sum((y == 0) & said)


def _least(y: np.ndarray, p: np.ndarray, miss: float, alarm: float) -> float:
    cuts = np.append(p, 2.0)
    return min(_cost(y, p >= cut, miss, alarm) for cut in cuts)


def _cases() -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    """Return labels, probabilities and prices, in one of them best to say never."""
    random = np.random.default_rng(7)
    cases = [
        (np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.9]), 5.0, 1.0),
        (np.array([0, 0, 1, 0]), np.array([0.9, 0.8, 0.3, 0.2]), 1.0, 1.0),
    ]
    for miss, alarm in ((20.0, 1.0), (1.0, 1.0), (1.0, 4.0)):
        y = (random.uniform(size=80) < 0.15).astype(int)
        p = 1 / (1 + np.exp(3 - 2 * y - random.normal(0, 1.2, 80)))
        cases.append((y, p.round(3), miss, alarm))
    return cases


_WRONG_CUTS: list[tuple[Callable[..., float], str]] = [
    (
        lambda y, p, miss, alarm: _by(y, p, lambda y, said: -np.mean((y == 1) == said)),
        "your threshold has the highest accuracy. Both mistakes cost the same there",
    ),
    (
        lambda y, p, miss, alarm: _by(y, p, lambda y, s: _cost(y, s, alarm, miss)),
        "you have the prices the other way round",
    ),
    (
        lambda y, p, miss, alarm: _by(
            y, p, lambda y, s: _cost(y, s, miss, alarm), never=False
        ),
        "you never try to say never: a threshold above all probabilities",
    ),
    (
        lambda y, p, miss, alarm: alarm / (alarm + miss),
        "that is the right threshold for probabilities that can be believed. These "
        "need not be: try all of them on the rows",
    ),
]


def _by(y: np.ndarray, p: np.ndarray, score: Callable, never: bool = True) -> float:
    cuts = np.append(p, 2.0) if never else p
    return float(cuts[np.argmin([score(y, p >= cut) for cut in cuts])])


@exercise(
    hints=[
        "Between two neighbouring probabilities nothing changes. So which thresholds "
        "are there to try, and which one says never?",
        "`said = probability >= cut`; what does it miss, `(y == 1) & ~said`, and which "
        "alarms are false?",
    ],
    solution="""
import numpy as np


def cheapest(y, probability, miss, alarm):
    def cost(cut):
        said = probability >= cut
        missed, alarms = np.sum((y == 1) & ~said), np.sum((y == 0) & said)
        return miss * missed + alarm * alarms

    return min([*probability, 2], key=cost)
""",
)
def cheapest(cheapest: Any) -> str:
    """Write a function that returns the threshold with the lowest cost.

    It takes labels of 0 and 1, probabilities, and the prices of a miss and of a false
    alarm; a probability at the threshold or above counts as yes.
    """
    expect_function(cheapest, "cheapest", ["y", "probability", "miss", "alarm"])
    cases = _cases()
    found = [
        returned_number(cheapest(y.copy(), p.copy(), miss, alarm))
        for y, p, miss, alarm in cases
    ]

    def costs(cuts: list[float]) -> np.ndarray:
        return np.array(
            [
                _cost(y, p >= cut, miss, alarm)
                for cut, (y, p, miss, alarm) in zip(cuts, cases, strict=True)
            ]
        )

    least = np.array([_least(*case) for case in cases])
    if np.array_equal(costs(found), least):
        return (
            "Found on the rows that the network was trained on, this threshold would "
            "believe its overconfidence: take it from the validation part."
        )
    for wrong, reason in _WRONG_CUTS:
        if np.array_equal(costs(found), costs([wrong(*case) for case in cases])):
            raise NotYet(reason)
    at = int(np.flatnonzero(costs(found) > least)[0])
    y, _, miss, alarm = cases[at]
    raise NotYet(
        f"with a miss at {miss:g} and an alarm at {alarm:g} your threshold of "
        f"{found[at]:.3g} costs {costs(found)[at]:g} on {len(y)} rows, and the "
        f"cheapest one {least[at]:g}"
    )


# --------------------------------------------------------------------------------------
# 3  Back to probabilities
# --------------------------------------------------------------------------------------


def _unweighted(p: np.ndarray, weight: float) -> np.ndarray:
    return p / (p + weight * (1 - p))


_WRONG_BACK: list[tuple[Callable[..., np.ndarray], str]] = [
    (
        lambda p, w: w * p / (w * p + 1 - p),
        "you multiply the odds by the weight; the training has done that. Take it back",
    ),
    (
        lambda p, w: p / w,
        "you divide the probability. The weight multiplies the odds, p / (1 - p)",
    ),
    (
        lambda p, w: p / (1 - p) / w,
        "these are odds, not yet a probability: odds / (1 + odds)",
    ),
]


@exercise(
    hints=[
        "A weight of 9 turns one yes in ten into nine of eighteen. What are the odds "
        "before and after?",
        "odds = p / (1 - p) / weight, and back: odds / (1 + odds). Multiply both by "
        "1 - p, and nothing is divided by zero at p = 1.",
    ],
    solution="""
def unweighted(p, weight):
    return p / (p + weight * (1 - p))
""",
)
def unweighted(unweighted: Any) -> str:
    """Write a function that takes a class weight back out of probabilities.

    It takes an array of probabilities and how many times as much class 1 weighs as
    class 0, and returns an array.
    """
    expect_function(unweighted, "unweighted", ["p", "weight"])
    p, weights = np.array([0.0, 0.1, 0.5, 0.8, 0.99]), (1.0, 9.0, 49.0)
    found = []
    for weight in weights:
        value = returned_array(unweighted(p.copy(), weight), "probabilities")
        if value.shape != p.shape:
            raise NotYet(f"for five probabilities it returns the shape {value.shape}")
        found.append(value)
    if np.allclose(found, [_unweighted(p, w) for w in weights], atol=1e-9):
        return (
            "Of a network that fits well this gives probabilities that can be believed "
            "again. Nothing is lost but what the weights were for: the threshold."
        )
    for wrong, reason in _WRONG_BACK:
        if np.allclose(found, [wrong(p, w) for w in weights], atol=1e-9):
            raise NotYet(reason)
    raise NotYet(
        f"for 0.5 and a weight of 9 it returns {found[1][2]:.3g}, and the right answer "
        "is 0.1"
    )


# --------------------------------------------------------------------------------------
# 4  Rows for a target
# --------------------------------------------------------------------------------------


def _rows_for(rows: tuple, errors: tuple, target: float) -> float:
    power = np.log(errors[0] / errors[1]) / np.log(rows[1] / rows[0])
    return rows[1] * (errors[1] / target) ** (1 / power)


def _on_a_line(rows: tuple, errors: tuple, target: float) -> float:
    slope = (errors[0] - errors[1]) / (rows[1] - rows[0])
    return rows[1] + (errors[1] - target) / slope


def _on_a_logarithm(rows: tuple, errors: tuple, target: float) -> float:
    slope = (errors[0] - errors[1]) / np.log(rows[1] / rows[0])
    return rows[1] * np.exp((errors[1] - target) / slope)


_WRONG_ROWS: list[tuple[Callable[..., float], str]] = [
    (
        lambda r, e, t: _rows_for(r, e, t) - r[1],
        "you return how many rows come on top; asked for are all of them",
    ),
    (
        _on_a_line,
        "you go on along a straight line. A power law is straight where both axes are "
        "logarithmic",
    ),
    (
        _on_a_logarithm,
        "you take the logarithm of the rows alone. In a power law the error's "
        "logarithm falls on a line, too",
    ),
]


@exercise(
    hints=[
        "log(error) = log(a) − b · log(rows): two points give the slope b.",
        "From the last point on, the error has to fall by errors[1] / target. By which "
        "factor do the rows grow, if the error falls like rows^(−b)?",
    ],
    solution="""
import numpy as np


def rows_for(rows, errors, target):
    b = np.log(errors[0] / errors[1]) / np.log(rows[1] / rows[0])
    return rows[1] * (errors[1] / target) ** (1 / b)
""",
)
def rows_for(rows_for: Any) -> str:
    """Write a function that reads a power law backwards.

    It takes two numbers of rows, the errors with them, and an error to come to, and
    returns the number of rows that it takes in all.
    """
    expect_function(rows_for, "rows_for", ["rows", "errors", "target"])
    cases = [
        ((500, 1000), (0.4, 0.2), 0.1),
        ((1000, 2000), (0.3, 0.25), 0.2),
        ((100, 800), (0.5, 0.35), 0.3),
    ]
    found = [returned_number(rows_for(*case)) for case in cases]

    def agrees(expected: Callable[..., float]) -> bool:
        return np.allclose(found, [expected(*case) for case in cases], rtol=1e-6)

    if agrees(_rows_for):
        return (
            "Two points make a line of anything: with a third one see whether they lie "
            "on it. And no law goes on below the error that the labels leave."
        )
    for wrong, reason in _WRONG_ROWS:
        if agrees(wrong):
            raise NotYet(reason)
    raise NotYet(
        "the error falls from 0.4 to 0.2 where 500 rows become 1,000. To come to 0.1 "
        f"it takes 2,000; yours returns {found[0]:,.0f}"
    )

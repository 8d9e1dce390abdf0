"""Exercises of the chapter on the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_number,
)

__all__ = ["highest_rate", "rate_at", "schedule"]

# --------------------------------------------------------------------------------------
# 2  The highest rate
# --------------------------------------------------------------------------------------


def _highest(hessian: np.ndarray) -> float:
    return 2 / np.linalg.eigvalsh(hessian)[-1]


# what a learner may compute instead, and what to say to it
_WRONG_RATES: list[tuple[Callable[[np.ndarray], float], str]] = [
    (
        lambda h: 2 / np.linalg.eigvalsh(h)[0],
        "that is 2 over the smallest curvature. The steepest direction is the first "
        "to climb",
    ),
    (
        lambda h: 1 / np.linalg.eigvalsh(h)[-1],
        "at 1/λ a step lands on the lowest point. It may be twice as long before it "
        "climbs",
    ),
    (
        lambda h: 2 / np.diag(h).max(),
        "the diagonal has the curvatures along the axes. A slanted direction may be "
        "steeper",
    ),
    (
        lambda h: 2 / np.trace(h),
        "the trace adds up the curvatures of all directions. One of them decides",
    ),
    (
        lambda h: np.linalg.eigvalsh(h)[-1],
        "that is the largest curvature itself. Which rate goes with it?",
    ),
]


def _bowls() -> list[np.ndarray]:
    """Return matrices of bowls, the first with its axes along the weights."""
    random = np.random.default_rng(3)
    cases = [np.diag([4.0, 1.0]), np.array([[3.0, 2.0], [2.0, 3.0]])]
    for size in (3, 6):
        factor = random.normal(size=(2 * size, size))
        cases.append(factor.T @ factor / size)
    return cases


@exercise(
    hints=[
        "Along a direction of curvature λ an update multiplies the distance by 1 − ηλ. "
        "Which direction is the first in which that is below −1?",
        "`np.linalg.eigvalsh(hessian)` returns the curvatures, the largest last.",
    ],
    solution="""
import numpy as np


def highest_rate(hessian):
    return 2 / np.linalg.eigvalsh(hessian)[-1]
""",
)
def highest_rate(highest_rate: Any) -> str:
    """Write a function for the learning rate above which gradient descent climbs.

    It takes the matrix of second derivatives of a bowl and returns one number.
    """
    expect_function(highest_rate, "highest_rate", ["hessian"])
    cases = _bowls()
    found = [returned_number(highest_rate(case.copy())) for case in cases]

    def agrees(expected: Callable[[np.ndarray], float]) -> bool:
        return np.allclose(found, [expected(case) for case in cases], rtol=1e-3)

    if agrees(_highest):
        return (
            "On a network it holds where the network is: the curvature is another one "
            "after the next updates."
        )
    for wrong, reason in _WRONG_RATES:
        if agrees(wrong):
            raise NotYet(reason)
    value, case = next(
        (value, case)
        for value, case in zip(found, cases, strict=True)
        if not np.isclose(value, _highest(case), rtol=1e-3)
    )
    raise NotYet(
        f"for the matrix {case.round(2).tolist()} it returns {value:.3g}, and the rate "
        f"is {_highest(case):.3g}"
    )


# --------------------------------------------------------------------------------------
# 3  A schedule by hand
# --------------------------------------------------------------------------------------


def _rate(t: int, updates: int, warmup: int, peak: float) -> float:
    if t < warmup:
        return peak * (t + 1) / warmup
    share = (t - warmup + 1) / (updates - warmup)
    return peak * (1 - 0.9 * share)


def _from_nothing(t, updates, warmup, peak):
    return peak * t / warmup if t < warmup else _rate(t, updates, warmup, peak)


def _to_zero(t, updates, warmup, peak):
    if t < warmup:
        return _rate(t, updates, warmup, peak)
    return peak * (1 - (t - warmup + 1) / (updates - warmup))


def _level(t, updates, warmup, peak):
    return _rate(min(t, warmup - 1), updates, warmup, peak)


def _too_late(t, updates, warmup, peak):
    if t < warmup:
        return _rate(t, updates, warmup, peak)
    return peak * (1 - 0.9 * (t - warmup) / (updates - warmup))


def _over_all(t, updates, warmup, peak):
    if t < warmup:
        return _rate(t, updates, warmup, peak)
    return peak * (1 - 0.9 * (t + 1) / updates)


_WRONG_SHAPES: list[tuple[Callable[..., float], str]] = [
    (
        _from_nothing,
        "your first update has a rate of zero, and `warmup - 1`, the last of the rise, "
        "is not yet at the peak: updates are counted from 0",
    ),
    (_to_zero, "yours falls to zero; a tenth of the peak is to be left"),
    (_level, "yours stays at the peak after the rise"),
    (
        _too_late,
        "yours would reach a tenth of the peak one update after the last. Update "
        "`updates - 1` is the last one",
    ),
    (
        _over_all,
        "your fall counts from the first update of the training. It begins at the peak",
    ),
]
_SHAPES = [(10, 4, 1.0), (24, 6, 0.3), (100, 10, 0.05), (12, 1, 2.0)]


@exercise(
    hints=[
        "There are two straight lines. On which is update `t`, and how far along? The "
        "last update of the rise is `t = warmup - 1`.",
        "While it rises, `peak * (t + 1) / warmup`. After that `(t + 1 - warmup) / "
        "(updates - warmup)` of the fall is done, and all of it takes away nine tenths "
        "of the peak.",
    ],
    solution="""
def rate_at(t, updates, warmup, peak):
    if t < warmup:
        return peak * (t + 1) / warmup
    done = (t + 1 - warmup) / (updates - warmup)
    return peak * (1 - 0.9 * done)
""",
)
def rate_at(rate_at: Any) -> str:
    """Write a function for the rate of an update: a straight rise, a straight fall.

    It takes the update, counted from 0, how many updates there are, how many of them
    are warm-up, and the peak, and returns one number.
    """
    expect_function(rate_at, "rate_at", ["t", "updates", "warmup", "peak"])
    calls = [(t, *shape) for shape in _SHAPES for t in range(shape[0])]
    found = np.array([returned_number(rate_at(*call)) for call in calls])

    def agrees(expected: Callable[..., float]) -> bool:
        return np.allclose(found, [expected(*call) for call in calls], rtol=1e-4)

    if agrees(_rate):
        return (
            "Give it to a `LearningRateScheduler` with epochs in place of updates, and "
            "draw what it does before you train with it."
        )
    for wrong, reason in _WRONG_SHAPES:
        if agrees(wrong):
            raise NotYet(reason)
    value, call = next(
        (value, call)
        for value, call in zip(found, calls, strict=True)
        if not np.isclose(value, _rate(*call), rtol=1e-4)
    )
    t, updates, warmup, peak = call
    raise NotYet(
        f"of {updates} updates, {warmup} of them warm-up to {peak:g}, update t = {t} "
        f"gets {value:.3g}, and its rate is {_rate(*call):.3g}"
    )


# --------------------------------------------------------------------------------------
# 4  As long as the training
# --------------------------------------------------------------------------------------

_TRAININGS = [(0.1, 10, 1000, 50), (0.3, 4, 90, 25), (0.01, 30, 64, 64)]


def _check_training(made: Any, peak: float, epochs: int, examples: int, batch: int):
    """Raise `NotYet` where a schedule is not the one of this training."""
    each = -(-examples // batch)
    case = f"for {epochs} epochs of {examples} examples in batches of {batch}"
    if not isinstance(made, LearningRateSchedule):
        raise NotYet(
            f"{case} it returns a {type(made).__name__}; expected a schedule of "
            "`keras.optimizers.schedules`"
        )

    def at(update: int) -> float:
        return float(made(update))

    if at(0) > 1e-6 * peak:
        raise NotYet(
            f"{case} the first rate is {at(0):.3g}; the rise begins at zero. Is "
            "`warmup_target` given, and the initial rate 0?"
        )
    if not np.isclose(at(each), peak, rtol=1e-3):
        hint = (
            " The last batch of an epoch may be smaller, and is an update, too."
            if examples % batch
            else " An epoch has one update for each batch."
        )
        raise NotYet(
            f"{case} the rate after the first epoch, {each} updates, is "
            f"{at(each):.3g}; expected the peak, {peak:g}.{hint}"
        )
    end = each * epochs
    if at(end) > 1e-3 * peak:
        raise NotYet(
            f"{case} the rate at the end, after {end} updates, is {at(end):.3g}; "
            "expected 0. `decay_steps` counts updates, those after the warm-up"
        )
    # a cosine at its middle; earlier than that only if it arrives too early
    middle = at(each + (end - each) // 2)
    share = (end - each) // 2 / (end - each)
    wanted = peak * (0.5 + 0.5 * np.cos(np.pi * share))
    if not np.isclose(middle, wanted, rtol=1e-2):
        early = " It arrives at zero too early" if middle < wanted else ""
        raise NotYet(
            f"{case} the rate halfway down is {middle:.3g}; expected {wanted:.3g}."
            f"{early or ' It is no half cosine'}"
        )


@exercise(
    hints=[
        "How many updates has an epoch? The last batch may be smaller, and is an "
        "update as well.",
        "`CosineDecay(0.0, decay_steps, warmup_target=peak, warmup_steps=each)`, with "
        "`each` the updates of an epoch. The decay takes those of all other epochs.",
    ],
    solution="""
from math import ceil

from keras.optimizers.schedules import CosineDecay


def schedule(peak, epochs, examples, batch_size):
    each = ceil(examples / batch_size)
    down = each * (epochs - 1)
    return CosineDecay(0.0, down, warmup_target=peak, warmup_steps=each)
""",
)
def schedule(schedule: Any) -> str:
    """Write a function that makes a schedule as long as the training.

    It takes the peak, the epochs, how many examples there are and the batch size, and
    returns a schedule of Keras.
    """
    parameters = ["peak", "epochs", "examples", "batch_size"]
    expect_function(schedule, "schedule", parameters)
    for case in _TRAININGS:
        _check_training(schedule(*case), *case)
    return (
        "Compute the length of a schedule from the training, as here, and it cannot "
        "end too early when the training changes."
    )

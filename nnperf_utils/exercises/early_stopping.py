"""Exercises of the chapter on early stopping and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["added_by_choice", "order_of_epoch", "smallest_patience"]

# --------------------------------------------------------------------------------------
# 2  The smallest patience
# --------------------------------------------------------------------------------------


def _smallest(losses: np.ndarray) -> int:
    best, waited, longest = np.inf, 0, 0
    for value in losses[: int(np.argmin(losses)) + 1]:
        waited = 0 if value < best else waited + 1
        best, longest = min(best, value), max(longest, waited)
    return longest + 1


def _longest_wait(losses: np.ndarray) -> int:
    return _smallest(losses) - 1


def _whole_curve(losses: np.ndarray) -> int:
    return max(
        int(np.max(np.diff(np.append(_new_lows(losses), len(losses))))),
        1,
    )


def _new_lows(losses: np.ndarray) -> np.ndarray:
    lows = np.minimum.accumulate(losses)
    return np.flatnonzero(np.append(True, lows[1:] < lows[:-1]))


def _against_the_last(losses: np.ndarray) -> int:
    """Wait from rise to rise, whatever the lowest so far is."""
    waited = longest = 0
    for one, other in pairwise(losses[: int(np.argmin(losses)) + 1]):
        waited = waited + 1 if other >= one else 0
        longest = max(longest, waited)
    return longest + 1


def _place_of_lowest(losses: np.ndarray) -> int:
    return int(np.argmin(losses)) + 1


def _curves() -> list[np.ndarray]:
    """Return histories with bumps, waits after the lowest, and one without a bump."""
    random = np.random.default_rng(5)
    curves = [
        np.array([0.9, 0.8, 0.85, 0.82, 0.81, 0.7, 0.75]),
        np.array([1.0, 0.9, 0.8, 0.7]),
        np.array([0.5, 0.6, 0.7, 0.8, 0.9]),
        np.array([0.9, 0.7, 0.7, 0.6, 0.61, 0.62, 0.63, 0.64]),
    ]
    for turn in (12, 20):
        curve = np.abs(np.arange(30) - turn) / 30
        curves.append(curve + random.normal(0, 0.08, 30).round(2))
    return curves


_WRONG_PATIENCES: list[tuple[Callable[[np.ndarray], int], str]] = [
    (
        _longest_wait,
        "that is the longest wait itself. With a patience of as many epochs the last "
        "of them ends the training; it takes one more",
    ),
    (
        _whole_curve,
        "you count the wait after the lowest loss as well. Once it has come, no "
        "patience is needed any more",
    ),
    (
        _against_the_last,
        "you compare each loss with the one before it. The rule compares with the "
        "lowest so far",
    ),
    (
        _place_of_lowest,
        "that is the epoch of the lowest loss. Each new lowest on the way begins the "
        "wait anew",
    ),
]


@exercise(
    hints=[
        "Which epochs on the way to the lowest loss bring no new lowest, and how many "
        "of them follow one another at most?",
        "Go through the losses up to the lowest with the best so far and a count that "
        "a new lowest sets to 0. The largest count, plus one, is the answer.",
    ],
    solution="""
import numpy as np


def smallest_patience(losses):
    best, waited, longest = np.inf, 0, 0
    for value in losses[: np.argmin(losses) + 1]:
        waited = 0 if value < best else waited + 1
        best, longest = min(best, value), max(longest, waited)
    return longest + 1
""",
)
def smallest_patience(smallest_patience: Any) -> str:
    """Write a function for the smallest patience that comes to the lowest loss.

    It takes an array of validation losses, epoch by epoch, and returns a whole number
    of 1 or more.
    """
    expect_function(smallest_patience, "smallest_patience", ["losses"])
    curves = _curves()
    found = [returned_number(smallest_patience(curve.copy())) for curve in curves]

    def agrees(expected: Callable[[np.ndarray], int]) -> bool:
        return found == [expected(curve) for curve in curves]

    if agrees(_smallest):
        return (
            "It is what this one curve needs, and known only afterwards. Another seed "
            "has other bumps: take more."
        )
    for wrong, reason in _WRONG_PATIENCES:
        if agrees(wrong):
            raise NotYet(reason)
    curve, value = next(
        (curve, value)
        for curve, value in zip(curves, found, strict=True)
        if value != _smallest(curve)
    )
    shown = ", ".join(f"{loss:g}" for loss in curve[:8])
    more = ", …" if len(curve) > 8 else ""
    raise NotYet(
        f"for the losses {shown}{more} it returns {value:g}, and {_smallest(curve)} is "
        "the smallest patience that comes to the lowest"
    )


# --------------------------------------------------------------------------------------
# 3  What choosing adds
# --------------------------------------------------------------------------------------


def _added(validation: np.ndarray, test: np.ndarray) -> float:
    ahead = validation - test
    return float(ahead[np.argmax(validation)] - ahead.mean())


_WRONG_ADDED: list[tuple[Callable[..., float], str]] = [
    (
        lambda v, t: -_added(v, t),
        "your sign is turned: a validation score that is too good counts above zero",
    ),
    (
        lambda v, t: (v - t)[np.argmax(v)],
        "you take the difference at the best epoch as it is. Part of it is there at "
        "every epoch: an easy validation part",
    ),
    (
        lambda v, t: (v - t)[np.argmax(t)] - (v - t).mean(),
        "you take the epoch of the best test score. The validation part chooses",
    ),
    (
        lambda v, t: v.max() - t.max() - (v - t).mean(),
        "you let each part choose its own epoch. The test part is scored at the epoch "
        "that the validation part has chosen",
    ),
    (
        lambda v, t: v.max() - v.mean(),
        "the best epoch is better than the mean one in truth, too: the test part says "
        "by how much",
    ),
]


def _accuracies() -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(6)
    cases = [(np.array([0.7, 0.8, 0.78]), np.array([0.66, 0.72, 0.75]))]
    for epochs in (5, 40):
        rise = 0.8 - 0.3 * np.exp(-np.arange(epochs) / 5)
        cases.append(
            (
                rise + 0.03 + random.normal(0, 0.02, epochs),
                rise + random.normal(0, 0.02, epochs),
            )
        )
    return cases


@exercise(
    hints=[
        "How far is the validation part ahead of the test part, at the best epoch and "
        "in the mean of all epochs?",
        "`ahead = validation - test`; the epoch is `np.argmax(validation)`.",
    ],
    solution="""
import numpy as np


def added_by_choice(validation, test):
    ahead = validation - test
    return ahead[np.argmax(validation)] - ahead.mean()
""",
)
def added_by_choice(added_by_choice: Any) -> str:
    """Write a function for what the choice of the best epoch adds to its score.

    It takes two arrays, the accuracies on the validation and on the test part, epoch by
    epoch, and returns one number.
    """
    expect_function(added_by_choice, "added_by_choice", ["validation", "test"])
    cases = _accuracies()
    found = [returned_number(added_by_choice(v.copy(), t.copy())) for v, t in cases]

    def agrees(expected: Callable[..., float]) -> bool:
        return np.allclose(
            found, [expected(*case) for case in cases], rtol=0, atol=1e-9
        )

    if agrees(_added):
        return (
            "Of one run the number is mostly chance. Its mean over many splits is what "
            "the choice adds."
        )
    for wrong, reason in _WRONG_ADDED:
        if agrees(wrong):
            raise NotYet(reason)
    v, t = cases[0]
    raise NotYet(
        f"for the accuracies {v.tolist()} in validation and {t.tolist()} in the test "
        f"it returns {found[0]:.3g}, and the right answer is {_added(v, t):.3g}"
    )


# --------------------------------------------------------------------------------------
# 4  Order from the epoch
# --------------------------------------------------------------------------------------


@exercise(
    hints=[
        "A generator with a seed gives the same numbers each time it is made. What can "
        "the seed be here?",
        "`np.random.default_rng(epoch)` is a generator of its own for each epoch; its "
        "`permutation(count)` is an order.",
    ],
    solution="""
import numpy as np


def order_of(epoch, count):
    return np.random.default_rng(epoch).permutation(count)
""",
)
def order_of_epoch(order_of: Any) -> str:
    """Write a function that returns the order of the examples in an epoch.

    It takes the number of the epoch and of the examples, and returns a permutation that
    depends on nothing else.
    """
    expect_function(order_of, "order_of", ["epoch", "count"])
    count, epochs = 50, range(6)

    def orders(which: Any) -> dict[int, np.ndarray]:
        found = {}
        for epoch in which:
            order = returned_array(order_of(epoch, count), "an order of the examples")
            if order.shape != (count,):
                raise NotYet(
                    f"for {count} examples it returns an array of shape {order.shape}"
                )
            if not np.array_equal(np.sort(order), np.arange(count)):
                raise NotYet(
                    "not every example comes once: it must be a permutation of 0 to "
                    f"{count - 1}"
                )
            found[epoch] = order
        return found

    whole, resumed = orders(epochs), orders([3, 4, 5])
    if all(np.array_equal(whole[0], one) for one in whole.values()):
        raise NotYet("every epoch has the same order")
    if any(not np.array_equal(whole[epoch], one) for epoch, one in resumed.items()):
        raise NotYet(
            "asked for epoch 3 once more, it returns another order: it depends on what "
            "was drawn before, and a training that goes on would not see it again"
        )
    if len({tuple(one) for one in whole.values()}) < len(whole):
        raise NotYet("some epochs have the same order")
    return (
        "A data set that asks such a function for its rows goes on as if nothing had "
        "happened. Dropout's masks need the same."
    )

"""Exercises of the chapter on early stopping and checkpoints."""

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

__all__ = ["added_by_choice", "memory", "order_of_epoch"]

# --------------------------------------------------------------------------------------
# 2  What a backup should remember
# --------------------------------------------------------------------------------------


def _memory(losses: np.ndarray) -> tuple[float, float]:
    return losses.min(), len(losses) - 1 - np.argmin(losses)


def _since_last_fall(losses: np.ndarray) -> float:
    falls = np.flatnonzero(np.diff(losses) < 0)
    return len(losses) - 2 - (falls[-1] if len(falls) else -1)


_WRONG_MEMORIES: list[tuple[Callable[[np.ndarray], tuple[float, float]], str]] = [
    (
        lambda losses: (losses.min(), len(losses) - np.argmin(losses)),
        "you count the best epoch itself as waiting; the wait begins with the one "
        "after it",
    ),
    (
        lambda losses: (losses.min(), np.argmin(losses) + 1),
        "your second number is the epoch of the lowest loss, not how long it is ago",
    ),
    (
        lambda losses: (losses.min(), _since_last_fall(losses)),
        "you begin the wait anew at each fall. Only a new lowest ends it, not any loss "
        "below the one before",
    ),
    (
        lambda losses: (
            losses.min(),
            len(losses) - 1 - np.flatnonzero(losses == losses.min())[-1],
        ),
        "you take the last of equal losses. A loss that is as low as the lowest is no "
        "new lowest: it counts as waiting",
    ),
    (
        lambda losses: (losses[-1], len(losses) - 1 - np.argmin(losses)),
        "your first number is the last loss, not the lowest so far",
    ),
    (
        lambda losses: (len(losses) - 1 - np.argmin(losses), losses.min()),
        "the order is the other one: first the lowest loss, then the wait",
    ),
]


def _curves() -> list[np.ndarray]:
    """Return histories that end while a rule waits, and some that do not."""
    random = np.random.default_rng(5)
    curves = [
        np.array([0.9, 0.7, 0.8, 0.75, 0.85]),
        np.array([1.0, 0.9, 0.8, 0.7]),
        np.array([0.5, 0.6, 0.7]),
        np.array([0.9, 0.6, 0.7, 0.6, 0.65]),
        np.array([0.4]),
    ]
    for turn in (8, 20):
        curve = np.abs(np.arange(25) - turn) / 25
        curves.append(curve + random.normal(0, 0.1, 25).round(2))
    return curves


@exercise(
    hints=[
        "What does the rule in the text change from epoch to epoch? Two of its three "
        "names decide what it does next.",
        "`np.argmin(losses)` is the place of the lowest loss, the first of equals. How "
        "many epochs stand behind it?",
    ],
    solution="""
import numpy as np


def memory(losses):
    lowest = np.argmin(losses)
    return losses[lowest], len(losses) - 1 - lowest
""",
)
def memory(memory: Any) -> str:
    """Write a function for what early stopping has to remember over a restart.

    It takes an array of the validation losses so far and returns two numbers: the
    lowest one, and for how many epochs the rule has waited since.
    """
    expect_function(memory, "memory", ["losses"])
    curves, found = _curves(), []
    for curve in curves:
        value = returned_array(memory(curve.copy()), "two numbers")
        if value.shape != (2,):
            raise NotYet(
                f"it returns an array of shape {value.shape}; expected two numbers, "
                "the lowest loss and the wait"
            )
        found.append(value)

    def agrees(expected: Callable[[np.ndarray], tuple[float, float]]) -> bool:
        return np.allclose(found, [expected(c) for c in curves], rtol=0, atol=1e-9)

    if agrees(_memory):
        return (
            "Two numbers are all that the rule needs to go on. Written into the "
            "backup, they would let it stop where it would have stopped. The best "
            "weights are lost, too, unless a file holds them."
        )
    for wrong, reason in _WRONG_MEMORIES:
        if agrees(wrong):
            raise NotYet(reason)
    curve, value = next(
        (curve, value)
        for curve, value in zip(curves, found, strict=True)
        if not np.allclose(value, _memory(curve))
    )
    shown = ", ".join(f"{loss:g}" for loss in curve[:6])
    more = ", …" if len(curve) > 6 else ""
    best, waited = _memory(curve)
    raise NotYet(
        f"for the losses {shown}{more} it returns {value[0]:g} and {value[1]:g}, and "
        f"the right ones are {best:g} and {waited}"
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

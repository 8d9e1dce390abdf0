"""Exercises of the chapter on monitoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_number,
)

__all__ = ["median_gain"]

# what a learner may compute instead, and what to say to it
_WRONG: list[tuple[Callable[..., Any], str]] = [
    (
        lambda before, after: np.median(before - after),
        "your sign is turned: a higher score afterwards is a gain above zero",
    ),
    (
        lambda before, after: np.median(after) - np.median(before),
        "you take the two medians apart. The two scores of one seed belong together: "
        "subtract first",
    ),
    (
        lambda before, after: np.mean(after - before),
        "that is the mean of the gains, which one lost run can move far",
    ),
]


def _scores() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return scores of some seeds before and after, in which one run is lost."""
    random = np.random.default_rng(0)
    cases = [(np.array([0.70, 0.80, 0.90]), np.array([0.90, 0.81, 0.92]))]
    for seeds in (5, 20):
        before = random.uniform(0.6, 0.9, seeds)
        after = before + random.normal(0.03, 0.02, seeds)
        after[0] = 0.1
        cases.append((before, after))
    return cases


@exercise(
    hints=[
        "The scores stand in the order of the seeds. What has the remedy changed for "
        "the first seed?",
        "`after - before` holds a gain for each seed. Its median is what is asked for.",
    ],
    solution="""
import numpy as np


def median_gain(before, after):
    return np.median(after - before)
""",
)
def median_gain(median_gain: Any) -> str:
    """Write a function for the median gain over seeds.

    It takes two arrays, the scores without and with a remedy, in the order of the same
    seeds, and returns one number.
    """
    expect_function(median_gain, "median_gain", ["before", "after"])
    cases = _scores()
    found = [returned_number(median_gain(b.copy(), a.copy())) for b, a in cases]

    def agrees(expected: Callable[..., Any]) -> bool:
        return np.allclose(
            found, [expected(*case) for case in cases], rtol=0, atol=1e-9
        )

    if agrees(lambda before, after: np.median(after - before)):
        return (
            "The same seed starts both networks, so that what it brings along cancels "
            "in the difference."
        )
    for wrong, reason in _WRONG:
        if agrees(wrong):
            raise NotYet(reason)
    before, after = cases[0]
    right = np.median(after - before)
    raise NotYet(
        f"for the scores {before.tolist()} before and {after.tolist()} after it "
        f"returns {found[0]:.3g}, and the right answer is {right:.3g}"
    )

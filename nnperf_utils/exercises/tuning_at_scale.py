"""Exercises of the chapter on tuning at scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["halve", "last_end", "tally"]

Trials = list[tuple[int, str]]

# --------------------------------------------------------------------------------------
# 2  Count what counts
# --------------------------------------------------------------------------------------

_RESULTS = ("COMPLETE", "PRUNED")


def _tally(trials: Trials, results: Sequence[str] = _RESULTS) -> tuple[int, int]:
    found = Counter(setting for setting, state in trials if state in results)
    settings = {setting for setting, _ in trials}
    return len(settings - set(found)), sum(n > 1 for n in found.values())


def _by_trials(trials: Trials) -> tuple[int, int]:
    failed = sum(state not in _RESULTS for _, state in trials)
    return failed, _tally(trials)[1]


def _tried_twice(trials: Trials) -> tuple[int, int]:
    tried = Counter(setting for setting, _ in trials)
    return _tally(trials)[0], sum(n > 1 for n in tried.values())


def _surplus(trials: Trials) -> tuple[int, int]:
    found = Counter(setting for setting, state in trials if state in _RESULTS)
    return _tally(trials)[0], sum(n - 1 for n in found.values())


_WRONG_TALLIES: list[tuple[Callable[[Trials], tuple[int, int]], str]] = [
    (
        _by_trials,
        "you count trials without a result. A setting whose first trial failed and "
        "whose second has a result is not lost",
    ),
    (
        lambda trials: _tally(trials, ("COMPLETE",)),
        "you take only COMPLETE for a result. A stopped trial, PRUNED, has a score too",
    ),
    (
        _tried_twice,
        "you count settings that were tried twice. Only one with two results is "
        "counted twice",
    ),
    (
        _surplus,
        "you count results too many. A setting with three results is one setting",
    ),
    (
        lambda trials: (
            len({s for s, state in trials if state == "FAIL"})
            - len(
                {s for s, state in trials if state == "FAIL"}
                & {s for s, state in trials if state in _RESULTS}
            ),
            _tally(trials)[1],
        ),
        "you count a setting as lost only if it failed. One that is still RUNNING or "
        "WAITING when the search is over has no result either",
    ),
]


def _studies() -> list[Trials]:
    random = np.random.default_rng(17)
    states = ["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"]
    cases: list[Trials] = [
        [(0, "COMPLETE"), (1, "FAIL"), (2, "PRUNED"), (1, "COMPLETE")],
        [(0, "RUNNING"), (1, "COMPLETE"), (1, "COMPLETE"), (1, "PRUNED")],
        [(0, "FAIL"), (1, "WAITING"), (0, "FAIL"), (2, "PRUNED")],
        [],
    ]
    for size in (15, 40):
        settings = random.integers(10, size=size).tolist()
        drawn = random.choice(states, size=size, p=[0.35, 0.2, 0.3, 0.1, 0.05])
        cases.append(list(zip(settings, drawn.tolist(), strict=True)))
    return cases


@exercise(
    hints=[
        "First count for each setting how many of its trials have a result, 0 "
        "included. What are the two numbers then?",
        "A dictionary from setting to number: begin with 0 for every setting that "
        'occurs, and add `state in ("COMPLETE", "PRUNED")`, which counts as 0 or 1.',
    ],
    solution="""
def tally(trials):
    results = {setting: 0 for setting, _ in trials}
    for setting, state in trials:
        results[setting] += state in ("COMPLETE", "PRUNED")
    numbers = list(results.values())
    return numbers.count(0), sum(number > 1 for number in numbers)
""",
)
def tally(tally: Any) -> str:
    """Write a function for how many settings are lost, and how many counted twice.

    It takes a list of pairs, a setting's number and a trial's state, and returns two
    numbers.
    """
    expect_function(tally, "tally", ["trials"])
    cases, found = _studies(), []
    for case in cases:
        value = returned_array(tally(list(case)), "two numbers")
        if value.shape != (2,):
            raise NotYet(
                f"it returns an array of shape {value.shape}; expected two numbers, "
                "lost and counted twice"
            )
        found.append(value)

    def agrees(expected: Callable[[Trials], tuple[int, int]]) -> bool:
        return np.allclose(found, [expected(case) for case in cases], rtol=0, atol=1e-9)

    if agrees(_tally):
        return (
            "Settings are counted, not trials. That is how the chapter counts, and its "
            "tests after each accident."
        )
    if agrees(lambda trials: _tally(trials)[::-1]):
        raise NotYet("the order is the other one: first the lost, then those twice")
    for wrong, reason in _WRONG_TALLIES:
        if agrees(wrong):
            raise NotYet(reason)
    case, value = next(
        (case, value)
        for case, value in zip(cases, found, strict=True)
        if not np.allclose(value, _tally(case))
    )
    shown = ", ".join(f"({setting}, {state})" for setting, state in case[:4])
    more = ", …" if len(case) > 4 else ""
    lost, twice = _tally(case)
    raise NotYet(
        f"for the trials {shown or 'of an empty list'}{more} it returns {value[0]:g} "
        f"and {value[1]:g}, and the right ones are {lost} and {twice}"
    )


# --------------------------------------------------------------------------------------
# 3  When is the last one done?
# --------------------------------------------------------------------------------------


def _last_end(lengths: Sequence[float], workers: int) -> float:
    free = [0.0] * workers
    for length in lengths:
        first = int(np.argmin(free))
        free[first] += length
    return max(free)


def _dealt(lengths: Sequence[float], workers: int) -> float:
    return max(sum(lengths[first::workers]) for first in range(workers))


def _in_rounds(lengths: Sequence[float], workers: int) -> float:
    rounds = range(0, len(lengths), workers)
    return sum(max(lengths[i : i + workers]) for i in rounds)


def _in_blocks(lengths: Sequence[float], workers: int) -> float:
    blocks = np.array_split(np.asarray(lengths), workers)
    return max(float(block.sum()) for block in blocks)


_WRONG_ENDS: list[tuple[Callable[..., float], str]] = [
    (
        lambda lengths, workers: sum(lengths) / workers,
        "you divide the sum by the workers. That is the least that is possible, and "
        "only reached if all end in the same moment",
    ),
    (
        _in_rounds,
        "you let everybody wait until all of a round have ended. Who is free takes the "
        "next trial at once",
    ),
    (
        _dealt,
        "you deal the trials out beforehand, one to each in turn. The next trial goes "
        "to whoever is free first, whose turn it may not be",
    ),
    (
        _in_blocks,
        "you give each worker a block of trials beforehand. The next trial goes to "
        "whoever is free first",
    ),
    (
        lambda lengths, workers: _last_end(sorted(lengths, reverse=True), workers),
        "you begin with the longest trials. That ends earlier, but it is not the order "
        "that is given",
    ),
    (
        lambda lengths, workers: max(max(lengths), sum(lengths) / workers),
        "you return a bound from below: the larger one of the mean load and the "
        "longest trial. The workers may need longer than that",
    ),
]


@exercise(
    hints=[
        "Keep a list of the times at which each worker is free, all 0 at first. Who "
        "takes the next trial, and when is that worker free again?",
        "`free[free.index(min(free))] += length` for each trial; at the end the "
        "largest of these times.",
    ],
    solution="""
def last_end(lengths, workers):
    free = [0.0] * workers
    for length in lengths:
        free[free.index(min(free))] += length
    return max(free)
""",
)
def last_end(last_end: Any) -> str:
    """Write a function for when the last trial ends.

    It takes a list of the trials' lengths and the number of workers, and returns a
    number.
    """
    expect_function(last_end, "last_end", ["lengths", "workers"])
    random = np.random.default_rng(18)
    cases: list[tuple[list[float], int]] = [
        ([3.0, 1.0, 1.0, 1.0, 2.0], 2),
        ([1.0, 2.0, 4.0, 3.0], 1),
        ([1.0, 1.0, 8.0], 2),
    ]
    cases += [
        (random.uniform(1, 9, size).round(1).tolist(), workers)
        for size, workers in ((9, 3), (24, 4), (30, 7))
    ]
    found = [returned_number(last_end(list(lengths), n)) for lengths, n in cases]

    def agrees(expected: Callable[..., float]) -> bool:
        return np.allclose(
            found, [expected(*case) for case in cases], rtol=0, atol=1e-9
        )

    if agrees(_last_end):
        return (
            "Divide the sum of the lengths by it, and you have how many times as fast "
            "the workers are: the line in the figure."
        )
    for wrong, reason in _WRONG_ENDS:
        if agrees(wrong):
            raise NotYet(reason)
    case, value = next(
        (case, value)
        for case, value in zip(cases, found, strict=True)
        if not np.isclose(value, _last_end(*case), rtol=0, atol=1e-9)
    )
    shown = ", ".join(f"{length:g}" for length in case[0][:6])
    more = ", …" if len(case[0]) > 6 else ""
    raise NotYet(
        f"for the lengths {shown}{more} and {case[1]} workers it returns {value:g}, "
        f"and the right one is {_last_end(*case):g}"
    )


# --------------------------------------------------------------------------------------
# 4  Synchronous halving
# --------------------------------------------------------------------------------------


def _halve(
    curves: np.ndarray, *, sign: float = 1.0, factor: int = 3, first: int = 1
) -> int:
    left = np.arange(len(curves))
    epoch, last = first, curves.shape[1]
    while True:
        order = left[np.argsort(-sign * curves[left, epoch - 1], kind="stable")]
        if epoch == last:
            return int(order[0])
        left = order[: max(1, len(order) // factor)]
        epoch *= factor


def _one_epoch_late(curves: np.ndarray) -> int:
    left, epoch, last = np.arange(len(curves)), 1, curves.shape[1]
    while epoch < last:
        column = min(epoch, last - 1)
        order = left[np.argsort(-curves[left, column], kind="stable")]
        left = order[: max(1, len(order) // 3)]
        epoch *= 3
    return int(left[np.argmax(curves[left, -1])])


_WRONG_HALVINGS: list[tuple[Callable[[np.ndarray], int], str]] = [
    (
        lambda curves: int(curves[:, -1].argmax()),
        "you choose by the last column of all trials. Most of these are never trained "
        "so far",
    ),
    (
        lambda curves: int(curves[:, 0].argmax()),
        "you choose by the first column. The best third are compared again, later",
    ),
    (
        lambda curves: _halve(curves, sign=-1.0),
        "you keep the worst third: here higher is better",
    ),
    (
        _one_epoch_late,
        "you look a column too late: after 1 epoch the score is in column 0",
    ),
    (
        lambda curves: int(curves.max(axis=1).argmax()),
        "you choose by the best epoch of any trial. A trial that is stopped never gets "
        "there",
    ),
]


def _crossing_curves(trials: int, seed: int) -> np.ndarray:
    """Return curves some of which begin low and end high."""
    random = np.random.default_rng(seed)
    end, pace = random.uniform(0.5, 1, trials), random.uniform(0.5, 12, trials)
    epoch = np.arange(1, 28)
    curves = end[:, None] * (1 - np.exp(-epoch / pace[:, None]))
    return curves + random.normal(0, 0.1, curves.shape)


@exercise(
    hints=[
        "Keep the rows that are still there. At each of the epochs 1, 3, 9, 27: sort "
        "them by the score that they have then, the best first. How many stay?",
        "After epoch `e` the score is in column `e - 1`; "
        "`left = left[np.argsort(-curves[left, e - 1])]` sorts, and "
        "`left[: max(1, len(left) // 3)]` are the best third.",
    ],
    solution="""
import numpy as np


def halve(curves):
    left, epoch = np.arange(len(curves)), 1
    while epoch < curves.shape[1]:
        left = left[np.argsort(-curves[left, epoch - 1])]
        left = left[: max(1, len(left) // 3)]
        epoch *= 3
    return left[np.argmax(curves[left, -1])]
""",
)
def halve(halve: Any) -> str:
    """Write a function that returns which row synchronous halving chooses.

    It takes an array of shape (trials, epochs), the higher the better, whose number of
    epochs is a power of three, and returns a row's number.
    """
    expect_function(halve, "halve", ["curves"])
    cases = [_crossing_curves(trials, trials) for trials in (27, 30, 40, 81, 9)]
    found = [returned_number(halve(curves.copy())) for curves in cases]

    def agrees(expected: Callable[[np.ndarray], int]) -> bool:
        return found == [expected(curves) for curves in cases]

    if agrees(_halve):
        return (
            "In some of these tables the best of all is stopped: it begins low. What "
            "halving saves, it saves by not looking."
        )
    for wrong, reason in _WRONG_HALVINGS:
        if agrees(wrong):
            raise NotYet(reason)
    curves, value = next(
        (curves, value)
        for curves, value in zip(cases, found, strict=True)
        if value != _halve(curves)
    )
    raise NotYet(
        f"of {len(curves)} trials with {curves.shape[1]} epochs it returns {value:g}, "
        f"and halving chooses {_halve(curves)}. Does the best third stay each time, "
        "rounded down?"
    )

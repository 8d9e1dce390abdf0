"""The exercises on tuning at scale, against right and wrong answers."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import tuning_at_scale as exercises

# --------------------------------------------------------------------------------------
# 2  tally
# --------------------------------------------------------------------------------------

DONE = ("COMPLETE", "PRUNED")


def by_lists(trials):
    results = defaultdict(list)
    for setting, state in trials:
        results[setting].append(state in DONE)
    numbers = [sum(found) for found in results.values()]
    return [sum(n == 0 for n in numbers), sum(n >= 2 for n in numbers)]


def results_of(trials, states=DONE):
    return Counter(setting for setting, state in trials if state in states)


def lost(trials):
    return by_lists(trials)[0]


def twice(trials):
    return by_lists(trials)[1]


def test_tally_another_right_way():
    for right in (by_lists, lambda trials: np.array(by_lists(trials))):
        assert says(exercises.tally.judge(right), "correct", "Settings are counted")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda trials: (sum(s not in DONE for _, s in trials), twice(trials)),
            "you count trials without a result",
        ),
        (
            lambda trials: (
                len({k for k, _ in trials} - set(results_of(trials, ["COMPLETE"]))),
                sum(n > 1 for n in results_of(trials, ["COMPLETE"]).values()),
            ),
            "only COMPLETE",
        ),
        (
            lambda trials: (
                lost(trials),
                sum(n > 1 for n in Counter(k for k, _ in trials).values()),
            ),
            "tried twice",
        ),
        (
            lambda trials: (
                lost(trials),
                sum(n - 1 for n in results_of(trials).values()),
            ),
            "results too many",
        ),
        (
            lambda trials: (
                len(set(results_of(trials, ["FAIL"])) - set(results_of(trials))),
                twice(trials),
            ),
            "still RUNNING",
        ),
        (lambda trials: by_lists(trials)[::-1], "the other one"),
        (lambda trials: (7, 7), "the right ones are 0 and 0"),
        (lambda trials: 1, "expected two numbers"),
        (lambda trials: print(end=""), "returns nothing"),
        (lambda runs, more: (0, 0), "takes `(runs, more)`"),
        (3, "a function of `trials`"),
    ],
)
def test_tally_wrong(wrong, message):
    assert says(exercises.tally.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  last_end
# --------------------------------------------------------------------------------------


def by_events(lengths, workers):
    running, now = [], 0.0
    for length in lengths:
        if len(running) == workers:
            now = min(running)
            running.remove(now)
        running.append(now + length)
    return max(running)


def test_last_end_another_right_way():
    assert says(exercises.last_end.judge(by_events), "correct", "times as fast")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda lengths, workers: sum(lengths) / workers, "you divide the sum"),
        (
            lambda lengths, workers: sum(
                max(lengths[i : i + workers]) for i in range(0, len(lengths), workers)
            ),
            "of a round",
        ),
        (
            lambda lengths, workers: max(
                sum(lengths[i::workers]) for i in range(workers)
            ),
            "in turn",
        ),
        (
            lambda lengths, workers: max(
                part.sum() for part in np.array_split(np.array(lengths), workers)
            ),
            "a block of trials",
        ),
        (
            lambda lengths, workers: by_events(sorted(lengths)[::-1], workers),
            "longest trials",
        ),
        (
            lambda lengths, workers: max(max(lengths), sum(lengths) / workers),
            "bound from below",
        ),
        (lambda lengths, workers: 1.0, "the right one is 5"),
        (lambda lengths, workers: lengths, "returns 5 numbers"),
        (lambda lengths, workers: print(end=""), "returns nothing"),
        (lambda lengths: 1.0, "takes `(lengths)`"),
        (4.0, "a function of `lengths` and `workers`"),
    ],
)
def test_last_end_wrong(wrong, message):
    assert says(exercises.last_end.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  halve
# --------------------------------------------------------------------------------------


def by_ranks(curves, sign=1, late=0):
    left, epoch, last = list(range(len(curves))), 1, curves.shape[1]
    while epoch < last:
        column = min(epoch - 1 + late, last - 1)
        left.sort(key=lambda row: -sign * curves[row, column])
        left = left[: len(left) // 3 or 1]
        epoch = 3 * epoch
    return max(left, key=lambda row: sign * curves[row, -1])


def test_halve_another_right_way():
    assert says(exercises.halve.judge(by_ranks), "correct", "not looking")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda curves: curves[:, -1].argmax(), "by the last column"),
        (lambda curves: curves[:, 0].argmax(), "by the first column"),
        (lambda curves: by_ranks(curves, sign=-1), "the worst third"),
        (lambda curves: by_ranks(curves, late=1), "a column too late"),
        (lambda curves: curves.max(axis=1).argmax(), "the best epoch of any trial"),
        (lambda curves: -1, "halving chooses"),
        (lambda curves: curves[0], "returns 27 numbers"),
        (lambda curves: print(end=""), "returns nothing"),
        (lambda table, factor: 0, "takes `(table, factor)`"),
        (7, "a function of `curves`"),
    ],
)
def test_halve_wrong(wrong, message):
    assert says(exercises.halve.judge(wrong), "not yet", message)

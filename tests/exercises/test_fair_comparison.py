"""The exercises of the chapter on fair comparison, with right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says
from scipy import stats

from nnperf_utils.exercises import fair_comparison as exercises
from nnperf_utils.statistics import interval, repetitions_needed

ALL = [exercises.runs_needed, exercises.referee, exercises.leaks]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
@pytest.mark.parametrize("answer", ["", {}, 3, np.ones(3)])
def test_wrong_type(one, answer):
    assert says(one.judge(answer), "not yet", "a function of")


def test_starters_are_not_attempted():
    def runs_needed(sd, gap):
        return ...

    def differ(a, b):
        return ...

    def leaks(procedure, x, y):
        return ...

    for one, starter in zip(ALL, (runs_needed, differ, leaks), strict=True):
        assert one.judge(starter).status == "not attempted"


# --------------------------------------------------------------------------------------
# 1  runs_needed
# --------------------------------------------------------------------------------------


def by_student(sd, gap):
    n = 2
    while stats.t.ppf([0.975, 0.8], n - 1).sum() * sd / n**0.5 > gap:
        n += 1
    return n


def by_simulation(sd, gap):
    rng = np.random.default_rng(0)
    for n in range(2, 1000):
        drawn = rng.normal(gap, sd, (4000, n))
        if np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05) >= 0.8:
            return n


@pytest.mark.parametrize(
    "right",
    [
        by_student,
        by_simulation,
        lambda sd, gap: repetitions_needed(gap, sd),
        lambda sd, gap: np.ceil((2.8016 * sd / gap) ** 2) + 2,
    ],
    ids=["Student", "simulation", "package", "normal and two"],
)
def test_runs_alternatives(right):
    assert says(exercises.runs_needed.judge(right), "correct", "four times")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda sd, gap: np.ceil((1.96 * sd / gap) ** 2), "1.96 alone"),
        (lambda sd, gap: np.ceil(2 * (2.8 * sd / gap) ** 2), "two separate groups"),
        (lambda sd, gap: np.ceil(2.8 * sd / gap), "square is missing"),
        (lambda sd, gap: np.ceil((2.8 * gap / sd) ** 2), "upside down"),
        (lambda sd, gap: (2.8 / gap) ** 2, "does not depend on `sd`"),
        (lambda sd, gap: (2.8 * sd / gap) ** 2, "a fraction of a pair"),
        (lambda sd, gap: np.ceil((2.8 * sd / gap) ** 2), "in 55% of the attempts"),
        (lambda sd, gap: int((2.8 * sd / gap) ** 2), "as known"),
        (lambda sd, gap: 20, "it returns 20, and it takes about 6"),
        (lambda sd, gap: 6, "it takes about 34"),
        (lambda sd, gap: 6.5, "it takes about 6"),
        (lambda sd, gap: -5, "it takes about 6"),
        (lambda sd, gap: print(end=""), "returns nothing"),
        (lambda sd, gap: "32", "it takes about"),
        (lambda sd, gap: [32, 13], "returns 2 numbers"),
        (lambda sd, gap: {"runs": 13}, "type `dict`"),
        (lambda sd, gap: np.inf, "finite"),
        (lambda sd: 32, "takes `(sd)`"),
    ],
)
def test_runs_wrong(wrong, message):
    assert says(exercises.runs_needed.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 2  referee
# --------------------------------------------------------------------------------------


def by_bootstrap(a, b):
    low, high = np.percentile(
        np.random.default_rng(0).choice(b - a, (500, len(a))).mean(axis=1), [2.5, 97.5]
    )
    return low > 0 or high < 0


@pytest.mark.parametrize(
    "right",
    [
        by_bootstrap,
        lambda a, b: stats.ttest_rel(a, b).pvalue < 0.05,
        lambda a, b: stats.wilcoxon(a - b).pvalue < 0.05,
        lambda a, b: np.prod(interval(b - a, method="percentile")) > 0,
    ],
    ids=["bootstrap", "t", "Wilcoxon", "interval"],
)
def test_referee_alternatives(right):
    assert says(exercises.referee.judge(right), "correct", "of the equal networks")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda a, b: a.mean() != b.mean(), "equal ones as well"),
        (lambda a, b: True, "equal ones as well"),
        (lambda a, b: False, "never tells"),
        (lambda a, b: stats.ttest_ind(a, b).pvalue < 0.05, "comes from the same split"),
        (
            lambda a, b: stats.ttest_rel(b, a, alternative="greater").pvalue < 0.05,
            "only where `b` is better",
        ),
        (lambda a, b: abs(b.mean() - a.mean()) > 0.8, "no fixed threshold"),
        (
            lambda a, b: abs((b - a).mean()) > (b - a).std() / len(a) ** 0.5,
            "are allowed",
        ),
        (lambda a, b: b.mean() > a.mean(), "only where `b` is better"),
        (lambda a, b: stats.ttest_rel(a, b).pvalue, "return `True` or `False`"),
        (lambda a, b: "better", "type `str`"),
        (lambda a, b: print(end=""), "returns nothing"),
        (lambda a: True, "takes `(a)`"),
    ],
)
def test_referee_wrong(wrong, message):
    assert says(exercises.referee.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  leaks
# --------------------------------------------------------------------------------------


def by_shuffling(procedure, x, y):
    rng = np.random.default_rng(1)
    scores = [procedure(x, rng.permutation(y)) for _ in range(20)]
    return np.mean(scores) > max(y.mean(), 1 - y.mean()) + 0.05


def by_noise(procedure, x, y):
    rng = np.random.default_rng(2)
    scores = [
        procedure(rng.normal(size=x.shape), rng.integers(2, size=len(y)))
        for _ in range(10)
    ]
    return np.mean(scores) > 0.6


@pytest.mark.parametrize("right", [by_shuffling, by_noise])
def test_leaks_alternatives(right):
    assert says(exercises.leaks.judge(right), "correct", "all four leaks")


def shuffled_above(threshold):
    def detector(procedure, x, y):
        rng = np.random.default_rng(1)
        return np.mean([procedure(x, rng.permutation(y)) for _ in range(10)]) > (
            threshold
        )

    return detector


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda procedure, x, y: procedure(x, y) > 0.8, "may be earned"),
        (lambda procedure, x, y: bool(procedure(x, y)), "accuses every procedure"),
        (shuffled_above(0.5), "chance is not 0.5"),
        (shuffled_above(0.56), "accuses an honest procedure"),
        (lambda procedure, x, y: procedure(x, y) > 1, "accuses none"),
        (
            lambda procedure, x, y: procedure(x, np.arange(len(y)) % 2) > 0.95,
            "it misses",
        ),
        (lambda procedure, x, y: True, "do not call `procedure`"),
        (lambda procedure, x, y: procedure(x, y), "return `True` or `False`"),
        (lambda procedure, x, y: procedure(x[:, 0], y) > 0.5, "IndexError"),
        (lambda procedure, x, y: print(end=""), "returns nothing"),
        (lambda procedure: True, "takes `(procedure)`"),
    ],
)
def test_leaks_wrong(wrong, message):
    assert says(exercises.leaks.judge(wrong), "not yet", message)


def test_leaks_may_change_its_arguments():
    def spoils(procedure, x, y):
        found = by_shuffling(procedure, x, y)
        x[:], y[:] = 0, 0
        return found

    assert exercises.leaks.judge(spoils).status == "correct"


def test_procedures_to_try():
    x, y = exercises._table()
    coins = np.random.default_rng(0).permutation(np.arange(len(y)) % 2)
    assert exercises.a_procedure(leaky=True)(x, coins) > 0.8
    assert exercises.a_procedure(leaky=False)(x, coins) < 0.65
    # the signal is real: an honest score is high, too
    assert exercises._selects_in_folds(x, y) > 0.8

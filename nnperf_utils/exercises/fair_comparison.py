"""Exercises of the chapter on fair comparison.

`a_procedure` gives a procedure for `leaks` to be tried on.
"""

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
from nnperf_utils.statistics import power, repetitions_needed

__all__ = ["a_procedure", "leaks", "referee", "runs_needed"]

PAIRS = 20  # of scores in a match of the referee
EQUAL_MATCHES, UNEQUAL_MATCHES = 200, 40
MOST_FALSE_ALARMS, LEAST_FOUND = 0.1, 0.6
ROWS, COLUMNS, GROUPS, CHOSEN = 100, 300, 40, 20
LARGER_CLASS = 0.65

# --------------------------------------------------------------------------------------
# 1  How many runs
# --------------------------------------------------------------------------------------

# The first is the one that the messages speak of; it and the last take few runs, where
# normal quantiles are far too narrow.
_PILOTS = [(1.95, 3.0), (2.0, 1.0), (0.025, 0.02), (3.1, 0.7), (0.013, 0.02)]
_TOO_MANY = 2  # more than are needed


def _normal(sd: float, gap: float) -> float:
    """Return the pairs by the normal formula, which takes `sd` as known."""
    return (2.8 * sd / gap) ** 2


def _enough(pairs: float, sd: float, gap: float) -> bool:
    """Tell whether the odds are about those asked for, as simulations show them."""
    return pairs >= 2 and pairs % 1 == 0 and power(gap, sd, int(pairs)) > 0.78


def _fine(pairs: float, sd: float, gap: float) -> bool:
    needed = repetitions_needed(gap, sd)
    return pairs <= needed + _TOO_MANY and _enough(pairs, sd, gap)


_WRONG_NUMBERS = [
    (
        lambda sd, gap: (1.96 * sd / gap) ** 2,
        "you take 1.96 alone. Then half of the attempts find the difference at best, "
        "since the estimate falls below the true difference as often as above. Four of "
        "five take 0.84 more, and few runs take more than that",
    ),
    (
        lambda sd, gap: 2 * (2.8 * sd / gap) ** 2,
        "your number is twice too large: that is the formula for two separate groups. "
        "`sd` is the spread of the paired difference already",
    ),
    (
        lambda sd, gap: 2.8 * sd / gap,
        "the square is missing. The spread of a mean falls with the root of the number",
    ),
    (
        lambda sd, gap: (2.8 * gap / sd) ** 2,
        "your fraction is upside down: more noise must take more runs, a larger "
        "difference fewer",
    ),
    (
        lambda sd, gap: (2.8 / gap) ** 2,
        "your number does not depend on `sd`",
    ),
]


@exercise(
    hints=[
        "The mean of r differences has the standard deviation `sd / sqrt(r)`. With "
        "known spread it must fit 1.96 + 0.84 times into `gap`. But the interval takes "
        "its spread from the same r differences.",
        "So take Student's quantiles in place of 1.96 and 0.84: "
        "`stats.t.ppf([0.975, 0.8], r - 1).sum()`. They depend on r. Begin with r = 2 "
        "and count up.",
        "`while stats.t.ppf([0.975, 0.8], r - 1).sum() * sd / sqrt(r) > gap: r += 1`. "
        "Or simulate: draw r differences many times, and count how often the interval "
        "leaves out zero.",
    ],
    solution="""
from scipy import stats


def runs_needed(sd, gap):
    r = 2
    while stats.t.ppf([0.975, 0.8], r - 1).sum() * sd / r**0.5 > gap:
        r += 1
    return r
""",
)
def runs_needed(runs_needed: Any) -> str:
    """Write a function for the number of pairs of runs that a comparison takes.

    It takes the standard deviation of the paired difference and the true difference
    that is looked for, and returns a whole number: so many pairs that the 95% interval
    leaves out zero in four of five attempts.
    """
    expect_function(runs_needed, "runs_needed", ["sd", "gap"])
    values = [returned_number(runs_needed(*pilot)) for pilot in _PILOTS]
    pairs = list(zip(values, _PILOTS, strict=True))
    if all(_fine(value, *pilot) for value, pilot in pairs):
        return (
            "Note the square: to see half the difference takes four times the runs, "
            "and pairing that halves the spread saves three quarters of them."
        )
    for wrong, reason in _WRONG_NUMBERS:
        if all(abs(value - wrong(*pilot)) <= 1 for value, pilot in pairs):
            raise NotYet(reason)
    if all(-1 < value - _normal(*pilot) <= 1 for value, pilot in pairs):
        if any(value % 1 for value in values):
            raise NotYet("nobody runs a fraction of a pair. Return a whole number")
        value, (sd, gap) = values[0], _PILOTS[0]
        odds = f"{power(gap, sd, int(value)):.0%}" if value >= 2 else "none"
        raise NotYet(
            f"for `sd={sd}`, `gap={gap}` it returns {value:g}: that takes the spread "
            "as known. The interval of few differences has to estimate it from them, "
            f"is wider for it (Student's t), and finds the difference in {odds} of "
            "the attempts"
        )
    value, (sd, gap) = next(
        (value, pilot) for value, pilot in pairs if not _fine(value, *pilot)
    )
    raise NotYet(
        f"for `sd={sd}`, `gap={gap}` it returns {value:g}, and it takes about "
        f"{repetitions_needed(gap, sd)}"
    )


# --------------------------------------------------------------------------------------
# 2  The referee
# --------------------------------------------------------------------------------------


def _match(gap: float, scale: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return paired scores of two networks: the splits move both alike."""
    rng = np.random.default_rng([2, seed])
    splits = rng.normal(75, 3, PAIRS)
    a, b = splits + rng.normal(0, 0.8, (2, PAIRS))
    return a * scale, (b + gap) * scale


def _told_apart(differ: Callable, gap: float, scale: float, matches: int) -> float:
    """Return the share of matches in which the networks are told apart."""
    return float(
        np.mean(
            [_yes_or_no(differ(*_match(gap, scale, seed))) for seed in range(matches)]
        )
    )


def _yes_or_no(value: Any) -> bool:
    if value is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, bool | np.bool_):
        number = isinstance(value, int | float | np.number)
        shown = f"{value:.3g}" if number else f"type `{type(value).__name__}`"
        raise NotYet(f"your function returns {shown}; return `True` or `False`")
    return bool(value)


@exercise(
    hints=[
        "Entry i of both arrays comes from the same split and seed. What does an easy "
        "split do to `a[i]`, to `b[i]` and to `b[i] - a[i]`?",
        "Take the differences, their mean and the standard error of that mean, "
        "`d.std(ddof=1) / sqrt(len(d))`. How far from zero must the mean lie?",
        "A 95% interval leaves out zero where the mean lies more than "
        "`stats.t.ppf(0.975, len(d) - 1)`, about two, standard errors from it, on "
        "either side.",
    ],
    solution="""
import numpy as np
from scipy import stats


def differ(a, b):
    d = b - a
    error = d.std(ddof=1) / np.sqrt(len(d))
    return bool(abs(d.mean()) > stats.t.ppf(0.975, len(d) - 1) * error)
""",
)
def referee(differ: Any) -> str:
    """Write a function that tells whether two networks differ.

    It takes two arrays of scores, paired by split and seed, and returns `True` or
    `False`. Of equal networks it may tell apart one in ten matches, of unequal ones it
    must tell apart most, whichever of the two is better and whatever the unit.
    """
    expect_function(differ, "differ", ["a", "b"])
    alarms = {
        scale: _told_apart(differ, 0, scale, EQUAL_MATCHES) for scale in (1.0, 0.01)
    }
    gap = 1.2
    found = {
        (sign, scale): _told_apart(differ, sign * gap, scale, UNEQUAL_MATCHES)
        for sign in (1, -1)
        for scale in (1.0, 0.01)
    }
    if min(alarms.values()) == 1 and min(found.values()) == 1:
        raise NotYet(
            "it tells apart any two networks, equal ones as well. No two means are "
            "ever the same: ask whether they differ by more than chance makes them"
        )
    if max(alarms.values()) == 0 and max(found.values()) == 0:
        raise NotYet("it never tells two networks apart, whatever their scores are")
    up, down = (min(found[sign, scale] for scale in (1.0, 0.01)) for sign in (1, -1))
    if max(up, down) >= LEAST_FOUND > 0.1 > min(up, down):
        better = "b" if up > down else "a"
        raise NotYet(
            f"it finds the difference only where `{better}` is better. Either network "
            "may be: look at both sides of zero"
        )
    by_scale = [min(found[sign, scale] for sign in (1, -1)) for scale in (1.0, 0.01)]
    if abs(alarms[1.0] - alarms[0.01]) > 0.2 or abs(by_scale[0] - by_scale[1]) > 0.2:
        raise NotYet(
            "it judges the same scores otherwise when they are fractions than when "
            "they are percentages: no fixed threshold fits all. Hold the mean "
            "difference against the spread of the differences"
        )
    alarm, share = max(alarms.values()), min(found.values())
    if alarm > MOST_FALSE_ALARMS:
        raise NotYet(
            f"it tells apart {alarm:.0%} of the matches between equal networks, and "
            f"{MOST_FALSE_ALARMS:.0%} are allowed"
        )
    if share < LEAST_FOUND:
        raise NotYet(
            f"it finds {share:.0%} of the differences of {gap} points, and "
            f"{LEAST_FOUND:.0%} or more are asked for. The scores scatter by about "
            "three points because of the splits. Do you use that entry i of both "
            "comes from the same split?"
        )
    return (
        f"It tells apart {alarm:.0%} of the equal networks and {share:.0%} of the "
        "unequal ones. No referee does without false alarms; a good one knows its "
        "rate. Try it on two copies of your own network before you trust it."
    )


# --------------------------------------------------------------------------------------
# 3  A detector for leaks
# --------------------------------------------------------------------------------------


def _neighbor(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Give each new row the label of the nearest row."""
    distance = (x**2).sum(1) - 2 * new @ x.T
    return y[distance.argmin(axis=1)]


def _linear(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Least squares for the classes -1 and 1, slightly ridged."""
    inputs = np.c_[np.ones(len(x)), x]
    gram = inputs.T @ inputs + 1e-6 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(gram, inputs.T @ (2.0 * y - 1))
    return (np.c_[np.ones(len(new)), new] @ weights > 0).astype(int)


def _folds(x: np.ndarray, y: np.ndarray, classify: Callable) -> float:
    """Return the mean accuracy over five folds."""
    scores = []
    for part in np.array_split(np.random.default_rng(5).permutation(len(x)), 5):
        rest = np.delete(np.arange(len(x)), part)
        scores.append(np.mean(classify(x[rest], y[rest], x[part]) == y[part]))
    return float(np.mean(scores))


def _best_columns(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    centered = x - x.mean(axis=0)
    strength = abs(centered.T @ (y - y.mean())) / (centered.std(axis=0) + 1e-9)
    return np.argsort(-strength)[:CHOSEN]


def _selects_in_folds(x, y):
    def classify(x, y, new):
        columns = _best_columns(x, y)
        return _linear(x[:, columns], y, new[:, columns])

    return _folds(x, y, classify)


def _scales_first(x, y):
    return _folds((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9), y, _neighbor)


def _few_columns(x, y):
    return _folds(x[:, :5], y, _linear)


def _selects_first(x, y):
    return _folds(x[:, _best_columns(x, y)], y, _linear)


def _copies_first(x, y):
    return _folds(np.tile(x, (3, 1)), np.tile(y, 3), _neighbor)


def _scores_training_rows(x, y):
    return float(np.mean(_neighbor(x, y, x) == y))


def _encodes_first(x, y):
    group = np.random.default_rng(7).integers(GROUPS, size=len(y))
    count = np.maximum(np.bincount(group, minlength=GROUPS), 1)
    rate = np.bincount(group, y, GROUPS) / count
    return _folds(np.c_[x[:, :5], rate[group]], y, _linear)


# (procedure, whether it leaks, what it does)
_PROCEDURES = [
    (_few_columns, False, "a linear classifier, cross-validated as it should be"),
    (_selects_in_folds, False, "one that selects columns within each fold"),
    (
        _scales_first,
        False,
        "one that scales all rows before the split, which looks at no label",
    ),
    (_copies_first, True, "one that copies rows before the split"),
    (_selects_first, True, "one that selects columns by all labels"),
    (_encodes_first, True, "one that encodes a category by the labels of all rows"),
    (_scores_training_rows, True, "one that scores the rows it was trained on"),
]


def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return a table with an easy signal and classes of unequal size."""
    rng = np.random.default_rng(11)
    y = (np.arange(ROWS) >= LARGER_CLASS * ROWS).astype(int)
    rng.shuffle(y)
    x = rng.normal(size=(ROWS, COLUMNS))
    x[:, :40] += 1.2 * y[:, None]
    return x, y


def a_procedure(leaky: bool = True) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return a procedure to try a detector on.

    Parameters
    ----------
    leaky : bool
        Whether it leaks.

    Returns
    -------
    callable
        Takes a table `x`, shape (rows, columns), and labels `y`, 0 and 1, and returns
        an estimated accuracy.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(100, 30))
    >>> a_procedure(leaky=True)(x, np.arange(100) % 2) > 0.9
    True
    """
    return _copies_first if leaky else _few_columns


@exercise(
    hints=[
        "A high score may be earned. When can a high score not be earned?",
        "Where the labels have nothing to do with the table: shuffle them, or draw "
        "coins. An honest procedure is then right as often as chance is. What is "
        "chance where 65 of 100 rows are of one class?",
        "Call the procedure with ten sets of coins, "
        "`np.random.default_rng(seed).integers(2, size=len(y))`, and take the mean of "
        "the scores. An honest one stays near 0.5; ten times 100 rows make about 0.02 "
        "of noise.",
    ],
    solution="""
import numpy as np


def leaks(procedure, x, y):
    scores = []
    for seed in range(10):
        coins = np.random.default_rng(seed).integers(2, size=len(y))
        scores.append(procedure(x, coins))
    return bool(np.mean(scores) > 0.6)
""",
)
def leaks(leaks: Any) -> str:
    """Write a function that tells whether a procedure lets labels leak.

    It takes `procedure`, a function of a table and labels that returns an estimated
    accuracy, and a table `x` and labels `y` for it. It returns `True` if labels of the
    validation rows leak into the training, else `False`.
    """
    expect_function(leaks, "leaks", ["procedure", "x", "y"])
    x, y = _table()
    called = False
    found = []
    for procedure, _, _ in _PROCEDURES:

        def watched(x, y, procedure=procedure):
            nonlocal called
            called = True
            return procedure(np.array(x, float), np.array(y, int))

        found.append(_yes_or_no(leaks(watched, x.copy(), y.copy())))
    truth = [leaky for _, leaky, _ in _PROCEDURES]
    if found == truth:
        return (
            "It finds all four leaks and accuses nobody else. Shuffled labels are the "
            "cheapest test there is of code that you did not write: run it once on "
            "your own. It is blind to what does not look at labels, such as a scaler."
        )
    if not called:
        raise NotYet(
            "you do not call `procedure`. Nothing but what it returns tells whether it "
            "leaks; feed it labels of your own making"
        )
    chance = (
        "With labels that mean nothing, an honest score is that of chance give or take "
        "its noise; with shuffled labels chance is not 0.5 but up to the share of the "
        f"larger class, {LARGER_CLASS} here; and with the labels of the table a high "
        "score may be earned"
    )
    if all(found):
        raise NotYet(
            f"it accuses every procedure, {_PROCEDURES[0][2]}, as well. {chance}"
        )
    if not any(found):
        raise NotYet(
            f"it accuses none, not even {_PROCEDURES[3][2]}. Which score is too good "
            "to be true? One on labels that mean nothing"
        )
    accused = [p[2] for p, f in zip(_PROCEDURES, found, strict=True) if f and not p[1]]
    missed = [p[2] for p, f in zip(_PROCEDURES, found, strict=True) if p[1] and not f]
    if accused:
        raise NotYet(f"it accuses an honest procedure, {accused[0]}. {chance}")
    raise NotYet(
        f"it misses {len(missed)} of {sum(truth)} leaks, among them {missed[0]}. With "
        "labels that mean nothing, how much better than chance does that one score, in "
        "the mean of several calls?"
    )

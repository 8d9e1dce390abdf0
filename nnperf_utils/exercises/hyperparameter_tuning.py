"""Exercises of the chapter on hyperparameter tuning.

`made_scores` makes the tables of validation scores that `choose` is about.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_number,
)

__all__ = ["choose", "made_scores", "optimism", "space"]

# --------------------------------------------------------------------------------------
# 1  What the choice adds
# --------------------------------------------------------------------------------------


def _tables(seed: int, repetitions: int, configurations: int) -> tuple:
    """Return validation and test scores, a row for each repetition."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(0.75, 0.02, configurations)
    shape = (repetitions, configurations)
    return tuple(quality + rng.normal(0, 0.03, shape) for _ in range(2))


def _winners_gap(validation: np.ndarray, test: np.ndarray) -> float:
    rows = np.arange(len(validation))
    best = validation.argmax(axis=1)
    return float((validation[rows, best] - test[rows, best]).mean())


def _slips(v: np.ndarray, t: np.ndarray) -> dict[str, float]:
    """Return what typical wrong ways give, by what to tell who takes them."""
    rows = np.arange(len(v))
    best, best_test = v.argmax(axis=1), t.argmax(axis=1)
    overall = v.mean(axis=0).argmax()
    return {
        "it is the right number with the wrong sign: how much more does validation "
        "promise than the test part gives?": -_winners_gap(v, t),
        "you subtract the best test score, which belongs to another configuration than "
        "the winner; choosing by the test part is what must not happen": (
            v.max(axis=1) - t.max(axis=1)
        ).mean(),
        "you subtract the mean test score of all configurations; take that of the "
        "winner alone": (v.max(axis=1) - t.mean(axis=1)).mean(),
        "you take the mean over all configurations, so nothing has been chosen; a "
        "search reports its best": (v - t).mean(),
        "you choose one winner for all repetitions; each repetition is a search of its "
        "own, with its own winner": (v[:, overall] - t[:, overall]).mean(),
        "your winner is the one with the best test score; the search has not seen "
        "the test part": (v[rows, best_test] - t[rows, best_test]).mean(),
        "you take the median of the repetitions; this exercise asks for the mean": (
            np.median(v[rows, best] - t[rows, best])
        ),
        "you take the best score of all repetitions together; each repetition has its "
        "own winner": v.max() - t[np.unravel_index(v.argmax(), v.shape)],
    }


@exercise(
    hints=[
        "In each repetition the search names the configuration with the best "
        "validation score. `validation.argmax(axis=1)` gives its position in each row.",
        "Look that same configuration up in the same row of `test`: "
        "`test[np.arange(len(test)), best]`.",
        "Subtract, row by row, and take the mean.",
    ],
    solution="""
import numpy as np


def optimism(validation, test):
    validation, test = np.asarray(validation), np.asarray(test)
    rows = np.arange(len(validation))
    best = validation.argmax(axis=1)
    return (validation[rows, best] - test[rows, best]).mean()
""",
)
def optimism(optimism: Callable) -> str:
    """Write a function for the gap between a winner's promise and its test score."""
    expect_function(optimism, "optimism", ["validation", "test"])
    for seed, shape in enumerate([(8, 12), (20, 5), (3, 40)]):
        v, t = _tables(seed, *shape)
        found = _number(optimism(v.copy(), t.copy()), shape)
        if abs(found - _winners_gap(v, t)) < 1e-6:
            continue
        for reason, value in _slips(v, t).items():
            if abs(found - value) < 1e-6:
                raise NotYet(reason)
        raise NotYet(
            f"for a table of {shape[0]} repetitions and {shape[1]} configurations it "
            f"gives {found:.4f}, where the winners' gap is {_winners_gap(v, t):.4f}"
        )
    few = np.mean([_winners_gap(*_tables(s, 20, 3)) for s in range(50)])
    many = np.mean([_winners_gap(*_tables(s, 20, 60)) for s in range(50)])
    return (
        f"On tables of pure chance and small differences the gap is {few:.3f} with 3 "
        f"configurations and {many:.3f} with 60: it grows with the search."
    )


def _number(value: Any, shape: tuple[int, int]) -> float:
    if np.size(value) in shape and np.size(value) > 1:
        raise NotYet(
            f"your function returns {np.size(value)} numbers; take the mean over the "
            "repetitions"
        )
    return returned_number(value)


# --------------------------------------------------------------------------------------
# 2  A search space
# --------------------------------------------------------------------------------------

_LOWEST, _HIGHEST = 1e-4, 1e-1
_DRAWS = 300


@exercise(
    hints=[
        'Each knob is one call: `rate = hp.Float("learning_rate", ...)` declares it '
        "and returns its value. Equally likely in each power of ten is "
        '`sampling="log"`.',
        "Ask for the dropout rate inside an `if`, after you have the number of layers.",
        "Look at what a knob can be: `list(hp.space[-1].values)`. Steps of 0.1 are not "
        "exact numbers to a computer; `hp.Choice` takes the values one by one.",
    ],
    solution="""
def space(hp):
    values = {
        "learning_rate": hp.Float("learning_rate", 1e-4, 1e-1, sampling="log"),
        "layers": hp.Int("layers", 1, 3),
    }
    if values["layers"] > 1:
        values["dropout"] = hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    return values
""",
)
def space(space: Callable) -> str:
    """Declare three knobs, one of them conditional, and return their values."""
    import keras_tuner

    expect_function(space, "space", ["hp"])
    hp = keras_tuner.HyperParameters()
    first = _values(space(hp))
    if not hp.space:
        raise NotYet(
            "your function declares no knob: a search can only turn what comes from a "
            'call such as `hp.Int("layers", 1, 3)`'
        )
    missing = [name for name in ("learning_rate", "layers") if name not in first]
    if missing:
        raise NotYet(
            f"the dictionary has no `{missing[0]}`; it has "
            f"{', '.join(f'`{name}`' for name in first) or 'no entries'}"
        )
    drawn = [_drawn(space, seed) for seed in range(_DRAWS)]
    _check_layers([values["layers"] for values in drawn])
    _check_rates(np.array([float(values["learning_rate"]) for values in drawn]))
    _check_dropout(drawn)
    return (
        "With `sampling` left out, nine of ten trials would have had a learning rate "
        "above 0.01. And a space is code: look at what it draws before you search it."
    )


def _drawn(space: Callable, seed: int) -> dict:
    """Return the values of a random trial, as a tuner would set them."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    values: dict = {}
    for _ in range(3):  # a knob may appear only once another one is set
        known = {knob.name for knob in hp.space}
        values = _values(space(hp))
        for i, knob in enumerate(hp.space):
            if knob.name not in known:
                hp.values[knob.name] = knob.random_sample(1000 * i + seed)
    return values


def _values(values: Any) -> dict:
    if values is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    if not isinstance(values, Mapping):
        raise NotYet(
            f"your function returns a value of type `{type(values).__name__}`; return "
            "a dictionary from names to values"
        )
    return dict(values)


def _check_layers(layers: list) -> None:
    if not all(isinstance(n, Integral) for n in layers):
        raise NotYet(
            f"`layers` is {layers[0]!r} in one trial; a number of layers is a whole "
            "number: `hp.Int`"
        )
    if set(layers) != {1, 2, 3}:
        raise NotYet(
            "over many trials `layers` takes the values "
            f"{', '.join(map(str, sorted(set(layers))))}; it should take 1, 2 and 3"
        )


def _check_rates(rates: np.ndarray) -> None:
    if np.ptp(rates) == 0:
        raise NotYet("`learning_rate` has the same value in every trial")
    slack = 1 + 1e-6
    if rates.min() < _LOWEST / slack or rates.max() > _HIGHEST * slack:
        raise NotYet(
            f"`learning_rate` goes from {rates.min():.2g} to {rates.max():.2g} over "
            f"many trials; it should stay between {_LOWEST:g} and {_HIGHEST:g}"
        )
    decades = np.histogram(np.log10(rates), bins=[-4, -3, -2, -1.0 + 1e-6])[0]
    if decades[2] > 0.7 * len(rates):
        raise NotYet(
            f"{decades[2] / len(rates):.0%} of the trials have a learning rate above "
            "0.01: they are spread evenly over the numbers, not over the powers of ten"
        )
    if decades.min() < 0.2 * len(rates):
        shown = ", ".join(f"{share:.0%}" for share in decades / len(rates))
        raise NotYet(
            f"the three powers of ten get {shown} of the trials; each should get about "
            "a third"
        )


def _check_dropout(drawn: list[dict]) -> None:
    if any("dropout" in values for values in drawn if values["layers"] == 1):
        raise NotYet(
            "with one layer the dictionary has a `dropout`; it should be asked for "
            "only where there are more"
        )
    rates = [values.get("dropout") for values in drawn if values["layers"] > 1]
    if any(rate is None for rate in rates):
        raise NotYet("with two or three layers the dictionary has no `dropout`")
    if not all(isinstance(rate, Real) for rate in rates):
        raise NotYet(f"`dropout` is {rates[0]!r} in one trial; it should be a number")
    tenths = {round(10 * float(rate), 6) for rate in rates}
    if tenths == set(range(5)):
        raise NotYet(
            "in all the trials `dropout` is never 0.5. Did you take "
            "`hp.Float(..., step=0.1)`? It counts its steps by `0.5 // 0.1`, which is "
            f"{0.5 // 0.1:g} in floating point, and misses the last one"
        )
    if tenths != set(range(6)):
        seen = sorted({round(float(rate), 3) for rate in rates})
        few = f"the values {seen}" if len(seen) < 8 else f"{len(seen)} different values"
        raise NotYet(
            f"over many trials `dropout` takes {few}; it should take 0, 0.1, 0.2, 0.3, "
            "0.4 and 0.5"
        )


# --------------------------------------------------------------------------------------
# 3  Choose a configuration
# --------------------------------------------------------------------------------------

_SPLITS, _CONFIGURATIONS, _FAILED = 5, 30, 0.5
_TABLES = 300


def _made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores with gaps, and what each configuration is worth on average."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(0.75, 0.015, _CONFIGURATIONS)
    split = rng.normal(0, 0.03, (_SPLITS, 1))
    noise = rng.normal(0, 0.025, (_SPLITS, _CONFIGURATIONS))
    chance = np.where(rng.random(_CONFIGURATIONS) < 0.3, 0.4, 0.0)  # of diverging
    quality = quality + 0.02 * (chance > 0)  # bold settings are good when they train
    scores = quality + split + noise
    scores[rng.random(scores.shape) < chance] = np.nan
    return scores, (1 - chance) * quality + chance * _FAILED


def made_scores(seed: int = 0) -> np.ndarray:
    """Make a table of validation scores.

    Parameters
    ----------
    seed : int

    Returns
    -------
    numpy.ndarray, shape (5, 30)
        A row for each split, a column for each configuration; NaN where the network
        diverged.
    """
    return _made(seed)[0]


def _reference(scores: np.ndarray) -> int:
    return int(np.where(np.isnan(scores), _FAILED, scores).mean(axis=0).argmax())


def _quietly(statistic: Callable, scores: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():  # a column may hold nothing but NaN
        warnings.simplefilter("ignore", RuntimeWarning)
        return statistic(scores, axis=0)


_WAYS = {
    "the configuration with the best single score: that is the luckiest of "
    "150 numbers": lambda s: int(np.nanargmax(s) % s.shape[1]),
    "the best mean of the scores that are there. A configuration that "
    "diverged on a split has failed there, and the mean forgets it": (
        lambda s: int(_quietly(np.nanmean, s).argmax())
    ),
    "the first missing score: `argmax` takes NaN for the largest number": (
        lambda s: int(np.argmax(s) % s.shape[1])
    ),
    "a configuration with a missing score: a mean with NaN in it is NaN, and "
    "`argmax` takes that for the largest number": lambda s: int(
        s.mean(axis=0).argmax()
    ),
    "what is best on the first split alone": lambda s: int(np.nanargmax(s[0])),
}


@exercise(
    hints=[
        "One score is mostly luck. Which number says what a configuration does on "
        "splits in general?",
        "NaN means: it diverged. What is the score of a network that has failed to "
        "train? It is not “unknown”.",
        "Replace NaN by a bad score (`np.nan_to_num(scores, nan=0.5)`), take the mean "
        "over the splits, then the best column.",
    ],
    solution="""
import numpy as np


def choose(scores):
    filled = np.nan_to_num(scores, nan=0.5)  # diverged: no better than guessing
    return int(filled.mean(axis=0).argmax())
""",
)
def choose(choose: Callable) -> str:
    """Choose a configuration from validation scores, some of them missing."""
    expect_function(choose, "choose", ["scores"])
    tables = [_made(seed) for seed in range(_TABLES)]
    with warnings.catch_warnings():  # where a column holds nothing but NaN
        warnings.simplefilter("ignore", RuntimeWarning)
        picks = [_column(choose(scores.copy())) for scores, _ in tables]
    worth = float(np.mean([w[p] for p, (_, w) in zip(picks, tables, strict=True)]))
    best = float(np.mean([w[_reference(s)] for s, w in tables]))
    means = f"over {_TABLES} tables your choices are worth {worth:.3f} on average"
    if worth > best - 0.002:
        lucky = next(iter(_WAYS.values()))
        naive = float(np.mean([w[lucky(s)] for s, w in tables]))
        return (
            f"{means[0].upper()}{means[1:]}; those with the best single score "
            f"{naive:.3f}."
        )
    if len(set(picks)) == 1:
        raise NotYet(f"{means}: you choose {picks[0]} whatever the scores are")
    for reason, way in _WAYS.items():
        if picks == [way(scores) for scores, _ in tables]:
            raise NotYet(f"{means}. You choose {reason}")
    raise NotYet(f"{means}, and there is a way that gives {best:.3f}")


def _column(value: Any) -> int:
    if value is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    if not np.ndim(value) and isinstance(value, Integral | np.integer):
        if 0 <= value < _CONFIGURATIONS:
            return int(value)
        raise NotYet(
            f"your function returns {value}, and the columns are 0 to "
            f"{_CONFIGURATIONS - 1}; does it count through the whole table?"
        )
    if isinstance(value, Real) and 0 <= value <= 1:
        raise NotYet(
            f"your function returns {value:.3g}, a score; return the column's number"
        )
    raise NotYet(
        f"your function returns a value of type `{type(value).__name__}`; return the "
        "number of a column"
    )

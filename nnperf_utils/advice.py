"""What each step of the course's advice brings, alone, left out, and in any order.

A network is trained with and without the steps that change its rows and its inputs, at
every setting that a search may choose, at two lengths, from several seeds. All further
steps (stop, tune, average, calibrate, decide) choose among these predictions or change
them, so that any set of steps can be scored without training again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import logit
from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from nnperf_utils.datasets import Dataset
from nnperf_utils.flight_inputs import CATEGORIES, DATA_STEPS, Cut, is_late
from nnperf_utils.statistics import Estimate, estimate, jackknife, smallest_difference
from nnperf_utils.thresholds import Prices

__all__ = [
    "GRID",
    "MOST_TREES",
    "STEPS",
    "TRAININGS",
    "Answers",
    "InUse",
    "blind_cost",
    "boosted",
    "by_week",
    "calibrated",
    "clipped",
    "costs_by_ratio",
    "decided",
    "gains",
    "lab_data",
    "linear_without",
    "logistic",
    "one_rate",
    "outcome",
    "outcomes",
    "price_table",
    "rival_scores",
    "scored",
    "set_of",
    "shares_of_orders",
    "table_of",
]

STEPS = {
    "split": "validate on later rows",
    "inputs": "scale, mark gaps, mend planes",
    "categories": "one column a category",
    "feature": "the day so far",
    "stopping": "choose when to stop",
    "tuning": "tune rate and penalty",
    "ensemble": "average three networks",
    "calibration": "calibrate",
    "threshold": "decide by prices",
}
"""All steps in the order of the course, in words."""

GRID = [
    {"learning_rate": rate, "max_leaf_nodes": leaves, "l2_regularization": l2}
    for rate in (0.05, 0.15)
    for leaves in (4, 8, 16)
    for l2 in (0.0, 10.0)
]
"""Twelve settings of gradient boosting."""

TRAININGS = {"tuning": 4, "ensemble": 3}
"""How many trainings a step takes for one; the others take no more."""

MOST_TREES = 200
"""How many trees a setting may have at most."""

_LEAST = 1e-6


def table_of(steps: Collection[str]) -> str:
    """Return the name of the table that a network with these steps is trained on.

    Parameters
    ----------
    steps : collection of str
        Of :data:`STEPS`; those that change no row and no input make no difference.

    Returns
    -------
    str
        ``"random"`` or ``"later"``, and the steps of the inputs, joined by ``+``.
    """
    unknown = set(steps) - set(STEPS)
    if unknown:
        raise ValueError(
            f"steps has {sorted(unknown)[0]!r}; expected some of {', '.join(STEPS)}."
        )
    split = "later" if "split" in steps else "random"
    return "+".join([split, *(step for step in DATA_STEPS if step in steps)])


def clipped(p: np.ndarray) -> np.ndarray:
    """Return probabilities that are neither 0 nor 1.

    Parameters
    ----------
    p : array

    Returns
    -------
    numpy.ndarray
        Of float64.
    """
    return np.clip(np.asarray(p, float), _LEAST, 1 - _LEAST)


def calibrated(y: np.ndarray, p: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Stretch and shift the log-odds so that they fit rows that were set aside.

    Platt's scaling: a logistic regression with the log-odds as its one input; its
    slope is what temperature scaling calls one over the temperature.

    Parameters
    ----------
    y, p : array, shape (n,)
        Labels of 0 and 1, and probabilities of the rows set aside.
    others : array, shape (m,)
        Probabilities to be calibrated.

    Returns
    -------
    numpy.ndarray, shape (m,)
    """
    odds = logit(clipped(p))
    spread = odds.std() or 1.0
    model = LogisticRegression(C=1e4).fit((odds / spread)[:, None], y)
    return model.predict_proba((logit(clipped(others)) / spread)[:, None])[:, 1]


@dataclass(frozen=True)
class Answers:
    """What networks say of validation rows and of rows of use, on one table.

    Attributes
    ----------
    splits : sequence of Dataset
    settings : list of (float, float)
        Learning rates and penalties; the first is the default.
    epochs : tuple of int
        Lengths of training, the default last.
    validation, later : list of numpy.ndarray
        For each split probabilities of shape (lengths, settings, seeds, rows).
    """

    splits: Sequence[Dataset]
    settings: list[tuple[float, float]]
    epochs: tuple[int, ...]
    validation: list[np.ndarray]
    later: list[np.ndarray]

    @classmethod
    def of(
        cls,
        trained: Mapping[int, Any],
        tables: Mapping[str, Sequence[Dataset]],
        settings: Mapping[str, Sequence[float]],
        seeds: int,
    ) -> dict[str, Answers]:
        """Ask all networks of a comparison.

        Parameters
        ----------
        trained : mapping of int to comparison.Comparison
            By the number of epochs, the longest last: one variant with the grid
            `settings`, of which all was kept, of `seeds` seeds on each split.
        tables : mapping of str to sequence of Dataset
        settings : mapping of str to sequence of float
        seeds : int

        Returns
        -------
        dict of str to Answers
            By table.
        """
        lengths = list(trained)
        points = list(pd.MultiIndex.from_product(settings.values()))
        parts = ("validation", "test")
        found = {
            name: {
                part: [
                    np.full(
                        (len(lengths), len(points), seeds, len(getattr(one, part)[1])),
                        np.nan,
                    )
                    for one in splits
                ]
                for part in parts
            }
            for name, splits in tables.items()
        }
        for length, result in enumerate(trained.values()):
            ask = None
            rows = result.scores().to_dict("records")
            (variant,) = result.variants
            for row, (seed, model) in zip(rows, result.networks(variant), strict=True):
                if row["seed"] != seed:
                    raise RuntimeError("scores and networks are not in one order.")
                if ask is None:
                    ask = tf.function(model, reduce_retracing=True)
                data = tables[row["data"]][row["split"]]
                point = points.index(tuple(row[name] for name in settings))
                place = (length, point, seed % seeds)
                for part in parts:
                    x = tf.constant(getattr(data, part)[0])
                    said = ask(x, training=False).numpy()[:, 0]
                    found[row["data"]][part][row["split"]][place] = said
        return {
            name: cls(tables[name], points, tuple(lengths), *own.values())
            for name, own in found.items()
        }


def decided(
    answers: Answers, split: int, steps: Collection[str], size: int = 3
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield what the steps make of a split's networks.

    Parameters
    ----------
    answers : Answers
        On the table of these steps.
    split : int
    steps : collection of str
        Length and setting are those of the lowest log loss on the validation rows, as
        far as the steps allow a choice.
    size : int
        Networks of an ensemble.

    Yields
    ------
    tuple of numpy.ndarray
        Probabilities of the validation rows and of the rows of use: of each network,
        or of each ensemble.
    """
    y = answers.splits[split].validation[1]
    lengths = slice(None) if "stopping" in steps else slice(-1, None)
    points = slice(None) if "tuning" in steps else slice(0, 1)
    seen, used = (
        part[split][lengths, points] for part in (answers.validation, answers.later)
    )
    seen, used = (
        part.reshape(-1, *part.shape[2:]).swapaxes(0, 1) for part in (seen, used)
    )
    if "ensemble" in steps:
        if len(seen) % size:
            raise ValueError(
                f"size is {size}, but {len(seen)} seeds make no whole ensembles of it."
            )
        seen, used = (
            part.reshape(-1, size, *part.shape[1:]).mean(axis=1)
            for part in (seen, used)
        )
    for own, in_use in zip(seen, used, strict=True):
        best = int(_losses(y, own).argmin())
        if "calibration" in steps:
            yield own[best], calibrated(y, own[best], in_use[best])
        else:
            yield own[best], in_use[best]


def outcome(
    answers: Answers, split: int, steps: Collection[str], prices: Prices
) -> dict[str, float]:
    """Score what the steps make of a split's networks.

    Parameters
    ----------
    answers, split, steps
        As in :func:`decided`.
    prices : Prices

    Returns
    -------
    dict of str to float
        ``area``, ``loss`` and ``cost`` on the rows of use, ``promised`` (the area) on
        the validation rows: a mean over the networks where they are not averaged.
    """
    data = answers.splits[split]
    found = [
        scored(data.test[1], p, prices, by_prices="threshold" in steps)
        | {"promised": roc_auc_score(data.validation[1], seen)}
        for seen, p in decided(answers, split, steps)
    ]
    return pd.DataFrame(found).mean().to_dict()


def scored(
    y: np.ndarray, p: np.ndarray, prices: Prices, *, by_prices: bool = True
) -> dict[str, float]:
    """Score probabilities and the decisions that follow from them.

    Parameters
    ----------
    y, p : array, shape (n,)
    prices : Prices
    by_prices : bool
        Decide at alarm / (alarm + miss), else at 0.5.

    Returns
    -------
    dict of str to float
        ``area``, ``loss``, ``cost``.
    """
    cut = prices.alarm / (prices.alarm + prices.miss) if by_prices else 0.5
    return {
        "area": roc_auc_score(y, p),
        "loss": float(_losses(y, np.asarray(p)[None])[0]),
        "cost": prices.of(y, np.asarray(p) >= cut),
    }


def _losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the log loss of each row of probabilities, shape (networks, n)."""
    p = clipped(p)
    return -np.where(y == 1, np.log(p), np.log(1 - p)).mean(axis=1)


def outcomes(
    answers: Mapping[str, Answers],
    sets: Mapping[str, Collection[str]],
    prices: Prices,
) -> pd.DataFrame:
    """Score sets of steps on all splits.

    Parameters
    ----------
    answers : mapping of str to Answers
        By table.
    sets : mapping of str to collection of str
        By any name.
    prices : Prices

    Returns
    -------
    pandas.DataFrame
        By split; columns by set and score.
    """
    columns = {}
    # what sklearn would check each time is made here
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for name, steps in sets.items():
            own = answers[table_of(steps)]
            rows = [outcome(own, i, steps, prices) for i in range(len(own.splits))]
            columns[name] = pd.DataFrame(rows).rename_axis("split")
    return pd.concat(columns, axis=1)


def blind_cost(splits: Sequence[Dataset], prices: Prices) -> pd.Series:
    """Return what 100 rows cost by the cheaper of never and always saying yes.

    Parameters
    ----------
    splits : sequence of Dataset
    prices : Prices

    Returns
    -------
    pandas.Series
        By split, on the rows of use.
    """
    shares = pd.Series([data.test[1].mean() for data in splits]).rename_axis("split")
    return 100 * np.minimum(prices.miss * shares, prices.alarm * (1 - shares))


def costs_by_ratio(
    splits: Sequence[Dataset],
    said: Mapping[str, Sequence[np.ndarray]],
    at_half: Mapping[str, Sequence[np.ndarray]],
    ratios: Sequence[float],
) -> pd.DataFrame:
    """Return costs where a miss costs more or less, an alarm 1.

    Parameters
    ----------
    splits : sequence of Dataset
    said, at_half : mapping of str to sequence of numpy.ndarray
        For each split probabilities of the rows of use: decided at the threshold of
        the prices, and at 0.5.
    ratios : sequence of float

    Returns
    -------
    pandas.DataFrame
        By ratio, means over the splits of 100 rows' cost; columns ``never`` and
        ``always`` beside those named.
    """
    rows = {}
    for ratio in ratios:
        prices, cut = Prices(miss=ratio, alarm=1), 1 / (1 + ratio)
        costs: dict[str, list[float]] = {}
        for i, data in enumerate(splits):
            y = data.test[1]
            decisions = {"never": y < 0, "always": y >= 0}
            decisions |= {name: own[i] >= cut for name, own in said.items()}
            decisions |= {name: own[i] >= 0.5 for name, own in at_half.items()}
            for name, warned in decisions.items():
                costs.setdefault(name, []).append(prices.of(y, warned))
        rows[ratio] = {name: np.mean(own) for name, own in costs.items()}
    return pd.DataFrame(rows).T.rename_axis("ratio")


def gains(values: Mapping[str, pd.Series]) -> dict[str, Estimate]:
    """Estimate differences that are looked at together.

    Parameters
    ----------
    values : mapping of str to pandas.Series
        By split.

    Returns
    -------
    dict of str to Estimate
        Means with intervals that hold together with 95% confidence.
    """
    return {n: estimate(v, comparisons=len(values)) for n, v in values.items()}


def shares_of_orders(
    scores: Mapping[frozenset, float], steps: Sequence[str]
) -> dict[str, float]:
    """Share a gain among steps: each one's mean gain over all orders of taking them.

    Parameters
    ----------
    scores : mapping of frozenset to float
        Of every set of the steps.
    steps : sequence of str

    Returns
    -------
    dict of str to float
        Shapley's values: their sum is what all steps together gain.
    """
    n, found = len(steps), dict.fromkeys(steps, 0.0)
    for step in steps:
        others = [s for s in steps if s != step]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1)
            for some in map(frozenset, combinations(others, size)):
                found[step] += weight * (scores[some | {step}] - scores[some])
        found[step] /= math.factorial(n)
    return found


def price_table(
    areas: Mapping[int, float],
    left_out: Mapping[str, pd.Series],
    steps: Sequence[str],
) -> pd.DataFrame:
    """Return what steps bring and cost, by three ways to count.

    Parameters
    ----------
    areas : mapping of int to float
        Mean areas of all sets, as :func:`set_of` numbers them.
    left_out : mapping of str to pandas.Series
        By split, what is lost without a step.
    steps : sequence of str

    Returns
    -------
    pandas.DataFrame
        By step: gain ``alone``, ``left out`` and ``over all orders``, the smallest
        difference that ``could be seen`` left out, and ``trainings``.
    """
    orders = shares_of_orders({set_of(n, steps): v for n, v in areas.items()}, steps)
    rows = {
        step: {
            "alone": areas[2**place] - areas[0],
            "left out": left_out[step].mean(),
            "over all orders": orders[step],
            "could be seen": _could_be_seen(left_out[step], len(left_out)),
            "trainings": f"× {TRAININGS.get(step, 1)}",
        }
        for place, step in enumerate(steps)
    }
    return pd.DataFrame(rows).T.infer_objects()


def _could_be_seen(values: pd.Series, comparisons: int) -> float:
    """Return the smallest difference that so many values show; 0 where none differs.

    As for the intervals of :func:`gains`, the error is shared among the comparisons.
    """
    sd = values.std()
    if not sd > 0:
        return 0.0
    return smallest_difference(sd, len(values), confidence_level=1 - 0.05 / comparisons)


# --------------------------------------------------------------------------------------
# Rivals
# --------------------------------------------------------------------------------------


@threadpool_limits.wrap(limits=1)
def logistic(
    data: Dataset, penalties: Sequence[float] = (0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Fit logistic regression, its penalty chosen on the validation rows.

    Parameters
    ----------
    data : Dataset
    penalties : sequence of float
        scikit-learn's C, one over the penalty.

    Returns
    -------
    tuple of numpy.ndarray
        Probabilities of the validation rows and of the rows of use.
    """
    x, y = data.validation
    how = {"solver": "newton-cholesky"}
    models = [LogisticRegression(C=c, **how).fit(*data.train) for c in penalties]
    said = np.stack([one.predict_proba(x)[:, 1] for one in models])
    best = int(_losses(y, said).argmin())
    return said[best], models[best].predict_proba(data.test[0])[:, 1]


@threadpool_limits.wrap(limits=1)  # threads that wait for each other cost more
def boosted(
    flights: pd.DataFrame,
    cut: Cut,
    columns: Sequence[str],
    grid: Iterable[Mapping[str, Any]] | None = None,
    taken: list[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit gradient boosting to the columns as they are, gaps and categories included.

    Parameters
    ----------
    flights : pandas.DataFrame
    cut : Cut
    columns : sequence of str
        Text is taken as categories, a date as its weekday.
    grid : iterable of mapping, optional
        Settings of scikit-learn's ``HistGradientBoostingClassifier`` to choose from on
        the validation rows, and after how many of at most :data:`MOST_TREES` trees to
        stop. Without it, as scikit-learn has it.
    taken : list of int, optional
        Gets the number of trees that was chosen, to see whether the most was reached.

    Returns
    -------
    tuple of numpy.ndarray
        Probabilities of the validation rows and of the rows of use.
    """
    y = is_late(flights).to_numpy(int)
    x = flights[[*columns]].copy()
    if "date" in x:
        x["weekday"] = x.pop("date").dt.day_of_week
    for name in set(CATEGORIES) & set(x):
        x[name] = x[name].astype("category")
    parts = [x.iloc[rows] for rows in (cut.train, cut.validation, cut.later)]
    labels = y[cut.validation]
    best, kept = np.inf, None
    for how in [{}] if grid is None else grid:
        more = {} if grid is None else {"max_iter": MOST_TREES}
        model = HistGradientBoostingClassifier(random_state=0, **more, **how)
        model.fit(parts[0], y[cut.train])
        if grid is None:
            return tuple(model.predict_proba(part)[:, 1] for part in parts[1:])
        stages = np.stack([p[:, 1] for p in model.staged_predict_proba(parts[1])])
        losses = _losses(labels, stages)
        if losses.min() < best:
            best, trees = losses.min(), int(losses.argmin())
            kept = stages[trees], model, trees
    if kept is None:
        raise ValueError("grid is empty; expected settings, or None.")
    seen, model, trees = kept
    if taken is not None:
        taken.append(trees + 1)
    stages = model.staged_predict_proba(parts[2])
    return seen, next(islice(stages, trees, None))[:, 1]


def rival_scores(
    splits: Sequence[Dataset],
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    prices: Prices,
) -> pd.DataFrame:
    """Score a rival's probabilities, calibrated, with the threshold of the prices.

    Parameters
    ----------
    splits : sequence of Dataset
    pairs : sequence of tuple of numpy.ndarray
        For each split probabilities of validation rows and of rows of use.
    prices : Prices

    Returns
    -------
    pandas.DataFrame
        By split: ``area``, ``loss``, ``cost``.
    """
    rows = []
    for data, (seen, used) in zip(splits, pairs, strict=True):
        p = calibrated(data.validation[1], seen, used)
        rows.append(scored(data.test[1], p, prices))
    return pd.DataFrame(rows).rename_axis("split")


def one_rate(data: Dataset) -> np.ndarray:
    """Say the training rows' share to every row of use.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    numpy.ndarray
    """
    return np.full(len(data.test[1]), np.mean(data.train[1]))


def linear_without(splits: Sequence[Dataset], *gone: str) -> pd.Series:
    """Return the area that logistic regression has without some columns.

    Parameters
    ----------
    splits : sequence of Dataset
    *gone : str
        How the names of these columns begin.

    Returns
    -------
    pandas.Series
        By split.
    """
    areas = []
    for data in splits:
        keep = [i for i, n in enumerate(data.feature_names) if not n.startswith(gone)]
        parts = {
            part: (getattr(data, part)[0][:, keep], getattr(data, part)[1])
            for part in ("train", "validation", "test")
        }
        own = replace(data, feature_names=(), **parts)
        used = logistic(own, (0.01, 0.03, 0.1))[1]
        areas.append(roc_auc_score(data.test[1], used))
    return pd.Series(areas).rename_axis("split")


# --------------------------------------------------------------------------------------
# The test months
# --------------------------------------------------------------------------------------


def by_week(dates: pd.Series, score: Callable[[np.ndarray], float]) -> Estimate:
    """Estimate a score of the test months, with weeks as what was drawn.

    Flights of one week share weather and crowds, so that they tell less than as many
    of as many weeks.

    Parameters
    ----------
    dates : pandas.Series
        Of the test rows.
    score : callable
        Takes positions of rows and returns a number.

    Returns
    -------
    Estimate
        A mean, by the jackknife; covers other weeks of these months, not other years.
    """
    weeks = ((dates - dates.min()).dt.days // 7).to_numpy()
    places = {week: np.flatnonzero(weeks == week) for week in np.unique(weeks)}

    def of(some: pd.Index) -> float:
        return score(np.concatenate([places[week] for week in some]))

    draws = pd.Index(list(places), name="split")
    covers = "covers other weeks; does not cover other years"
    found = estimate(jackknife(of, draws))
    return replace(found, design=f"{len(draws)} weeks", covers=covers)


@dataclass(frozen=True)
class InUse:
    """What several models say of one test part.

    Attributes
    ----------
    flights : pandas.DataFrame
        Its rows.
    truth : numpy.ndarray of int, shape (n,)
    said : dict of str to list of numpy.ndarray
        By model, probabilities: of several networks or ensembles, or of one model.
    prices : Prices
    at_half : collection of str
        Models that decide at 0.5.
    """

    flights: pd.DataFrame
    truth: np.ndarray
    said: Mapping[str, Sequence[np.ndarray]]
    prices: Prices
    at_half: Collection[str] = ()

    def score(self, name: str, score: str, rows: Any = slice(None)) -> float:
        """Return a model's score on some rows, a mean over its networks."""
        found = [
            scored(
                self.truth[rows],
                p[rows],
                self.prices,
                by_prices=name not in self.at_half,
            )
            for p in self.said[name]
        ]
        return float(np.mean([one[score] for one in found]))

    def estimate(self, name: str, score: str) -> Estimate:
        """Return a model's score with weeks as what was drawn."""
        return by_week(self.flights["date"], lambda r: self.score(name, score, r))

    def less(self, one: str, other: str, score: str) -> Estimate:
        """Return one model's score less another's, with weeks as what was drawn."""
        return by_week(
            self.flights["date"],
            lambda r: self.score(one, score, r) - self.score(other, score, r),
        )

    def table(self) -> pd.DataFrame:
        """Return all models' scores, and what blind rules cost."""
        scores = {"AUC": "area", "log loss": "loss", "cost of 100": "cost"}
        rows: dict[str, dict[str, float]] = {
            name: {label: self.score(name, score) for label, score in scores.items()}
            for name in self.said
        }
        share = self.truth.mean()
        for name, cost in {
            "never warn": self.prices.miss * share,
            "always warn": self.prices.alarm * (1 - share),
        }.items():
            rows[name] = {"AUC": 0.5, "cost of 100": 100 * cost}
        return pd.DataFrame(rows).T

    def groups(self, name: str, columns: Sequence[str], most: int = 5) -> pd.DataFrame:
        """Return a model's scores by group, the largest groups of each column.

        As in :meth:`score`, of its ensembles one by one, not of their mean.
        """
        chosen = {"all": np.arange(len(self.truth))}
        for column in columns:
            values = self.flights[column].reset_index(drop=True)
            for group in values.value_counts().index[:most]:
                chosen[group] = np.flatnonzero(values == group)
        p = np.mean(self.said[name], axis=0)  # its mean is that of all their means
        rows = {}
        for group, places in chosen.items():
            rows[group] = {
                "flights": len(places),
                "late, %": 100 * self.truth[places].mean(),
                "said, %": 100 * p[places].mean(),
                "AUC": self.score(name, "area", places),
                "cost of 100": self.score(name, "cost", places),
            }
        return pd.DataFrame(rows).T.astype({"flights": int})


def lab_data(
    frame: pd.DataFrame, steps: Sequence[str], rival: pd.Series, most: int = 24
) -> dict[str, Any]:
    """Return what the lab *spend your budget* is made of.

    Parameters
    ----------
    frame : pandas.DataFrame
        What :func:`outcomes` returns of every set of the steps, under the sum of
        2^place of its steps.
    steps : sequence of str
        In the order of the course.
    rival : pandas.Series
        The area of gradient boosting on the rows of use, by split.
    most : int
        Trainings that may be spent.

    Returns
    -------
    dict
        ``steps`` and ``words``; ``validation`` and ``later``, for each split the areas
        by set, in tenths of a point; ``boosting``, by split; ``trainings``, by set;
        ``budget``.
    """
    sets = range(2 ** len(steps))

    def areas(score: str) -> list[list[int]]:
        table = (1000 * frame.xs(score, axis=1, level=1)[[*sets]]).round()
        return table.astype(int).to_numpy().tolist()

    return {
        "steps": list(steps),
        "words": [STEPS[step] for step in steps],
        "validation": areas("promised"),
        "later": areas("area"),
        "boosting": (1000 * rival).round().astype(int).tolist(),
        "trainings": [
            math.prod(TRAININGS.get(step, 1) for step in set_of(one, steps))
            for one in sets
        ],
        "budget": most,
    }


def set_of(number: int, steps: Sequence[str]) -> frozenset[str]:
    """Return the steps whose 2^place make up a number.

    Parameters
    ----------
    number : int
    steps : sequence of str

    Returns
    -------
    frozenset of str
    """
    return frozenset(s for place, s in enumerate(steps) if number >> place & 1)

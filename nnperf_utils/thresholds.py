"""Decisions on unequal classes: thresholds, what they cost, tables resampled.

A network puts out a probability; a threshold makes a decision of it. What a decision
costs is told by two prices: of a miss, and of a false alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split

from nnperf_utils.changed_data import all_rows, repeated
from nnperf_utils.datasets import Dataset
from nnperf_utils.plots import PALETTE, text_color
from nnperf_utils.seeds import shifted

__all__ = [
    "Prices",
    "against_first",
    "best_rate",
    "cheapest",
    "chosen_costs",
    "counts",
    "curve_picture",
    "densities_drawing",
    "lab_scores",
    "mean_curve",
    "one_class",
    "predictions",
    "promised",
    "resampled",
    "resampled_before_split",
    "score_histogram",
    "scores",
]


@dataclass(frozen=True)
class Prices:
    """What a miss and a false alarm cost."""

    miss: float = 20
    alarm: float = 1

    def of(self, y: np.ndarray, said: np.ndarray) -> float:
        """Return the cost for 100 examples.

        Parameters
        ----------
        y, said : array of bool or 0 and 1, shape (n,)
        """
        _, missed, alarms, _ = counts(y, said)
        return 100 * (self.miss * missed + self.alarm * alarms) / len(y)


def counts(y: np.ndarray, said: np.ndarray) -> tuple[int, int, int, int]:
    """Count what was found and missed, false alarms, and what was rightly left.

    Parameters
    ----------
    y, said : array of bool or 0 and 1, shape (n,)

    Returns
    -------
    tuple of int
    """
    y, said = np.asarray(y, bool), np.asarray(said, bool)
    if y.shape != said.shape:
        raise ValueError(f"y has the shape {y.shape}, but said has {said.shape}.")
    pairs = (y & said, y & ~said, ~y & said, ~y & ~said)
    return tuple(int(np.sum(one)) for one in pairs)


def cheapest(y: np.ndarray, probability: np.ndarray, prices: Prices) -> float:
    """Return the threshold of the lowest cost; what is at it or above counts as yes.

    Parameters
    ----------
    y : array of 0 and 1, shape (n,)
    probability : array, shape (n,)
    prices : Prices

    Returns
    -------
    float
        Half-way between two neighbours; above all, where it is best to say never.
    """
    order = np.argsort(-np.asarray(probability), kind="stable")
    p, is_yes = np.asarray(probability, float)[order], np.asarray(y)[order] == 1
    # the cost of saying yes to the first k
    found = np.append(0, np.cumsum(is_yes))
    alarms = np.append(0, np.cumsum(~is_yes))
    cost = prices.miss * (found[-1] - found) + prices.alarm * alarms
    cuts = np.concatenate([[1 + p[0]], (p[:-1] + p[1:]) / 2, [p[-1] / 2]])
    possible = np.concatenate([[True], p[:-1] > p[1:], [True]])
    return float(cuts[np.where(possible, cost, np.inf).argmin()])


def one_class(data: Dataset, name: str, keep: float, seed: int = 0) -> Dataset:
    """Ask of each row whether it is of one class, of which only a share is kept.

    Parameters
    ----------
    data : Dataset
        With classes.
    name : str
        Of the class to be found.
    keep : float
        Share of its rows.
    seed : int

    Returns
    -------
    Dataset
        Binary; all rows in the training part.
    """
    if name not in data.class_names:
        known = ", ".join(data.class_names)
        raise ValueError(f"name is {name!r}; expected one of {known}.")
    x, y = all_rows(data)
    wanted = y == data.class_names.index(name)
    rows = np.flatnonzero(wanted)
    random = np.random.default_rng([3, shifted(seed)])
    gone = random.permutation(rows)[round(keep * len(rows)) :]
    kept = np.setdiff1d(np.arange(len(y)), gone)
    part = x[kept], wanted[kept]
    none = x[:0], wanted[:0]
    return replace(
        data,
        name=f"{data.name}, {name}",
        task="binary",
        class_names=(f"no {name}", name),
        train=part,
        validation=none,
        test=None,
        rows=None,
    )


def resampled(data: Dataset, sampler: Any, rows: int, split: int = 0) -> Dataset:
    """Resample the training part alone, and repeat it to a number of rows.

    Parameters
    ----------
    data : Dataset
        With flat rows.
    sampler : imbalanced-learn sampler or None
        A fresh one, which draws by `split`; None leaves the rows as they are.
    rows : int
    split : int

    Returns
    -------
    Dataset
    """
    if sampler is not None:
        data = replace(data, train=_drawn(sampler, split, *data.train), rows=None)
    return repeated(data, rows)


def resampled_before_split(
    data: Dataset, sampler: Any, rows: int, split: int = 0
) -> Dataset:
    """Resample training and validation rows together and split afterwards: a leak.

    Parameters
    ----------
    data, sampler, rows, split
        As in `resampled`. The training part has `rows` rows, the validation part as
        many as before.

    Returns
    -------
    Dataset
    """
    both = [
        np.concatenate(pair) for pair in zip(data.train, data.validation, strict=True)
    ]
    x, y = _drawn(sampler, split, *both)
    x, x_validation, y, y_validation = train_test_split(
        x,
        y,
        test_size=len(data.validation[1]),
        stratify=y,
        random_state=shifted(split),
    )
    parts = {"train": (x[:rows], y[:rows]), "validation": (x_validation, y_validation)}
    return repeated(replace(data, **parts, rows=None), rows)


def _drawn(
    sampler: Any, split: int, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    own = clone(sampler).set_params(random_state=shifted(split))
    return own.fit_resample(x, y)


def predictions(
    networks: Iterable[tuple[int, keras.Model]], splits: Sequence[Dataset]
) -> pd.DataFrame:
    """Return the probabilities that networks give validation and test rows.

    Parameters
    ----------
    networks : iterable of (int, keras.Model)
        Seed and network, as ``Comparison.networks`` yields them, one for each split.
    splits : sequence of Dataset

    Returns
    -------
    pandas.DataFrame
        By ``split`` and ``part``, ``"validation"`` and ``"test"``: ``y`` and
        ``probability``, an array each.
    """
    rows = {}
    for seed, model in networks:
        for part in ("validation", "test"):
            x, y = getattr(splits[seed], part)
            outputs = np.asarray(model(x, training=False))[:, 0]
            rows[seed, part] = {"y": y, "probability": outputs.astype(float)}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(rows, names=["split", "part"])
    return frame


def best_rate(by_rate: Mapping[float, pd.DataFrame]) -> float:
    """Return the rate with the largest mean area under the validation ROC curve.

    Parameters
    ----------
    by_rate : mapping of float to pandas.DataFrame
        What `predictions` returns.

    Returns
    -------
    float
    """

    def area(frame: pd.DataFrame) -> float:
        rows = frame.xs("validation", level="part").itertuples()
        return float(np.mean([roc_auc_score(r.y, r.probability) for r in rows]))

    return max(by_rate, key=lambda rate: area(by_rate[rate]))


def scores(
    frame: pd.DataFrame, prices: Prices, part: str = "test", threshold: Any = None
) -> pd.DataFrame:
    """Score decisions, run by run.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `predictions` returns.
    prices : Prices
    part : {"test", "validation"}
    threshold : float, optional
        By default the cheapest one on the run's own validation rows.

    Returns
    -------
    pandas.DataFrame
        By split: ``threshold, recall, precision, accuracy, balanced, cost``; ``area``
        under the ROC curve, which knows no threshold; and ``said``, the mean
        probability over the share of the class. A precision of no alarm is missing.
    """
    rows = {}
    for split in frame.index.unique("split"):
        told = frame.loc[(split, part)]
        y, p = told["y"], told["probability"]
        cut = threshold
        if cut is None:
            chosen = frame.loc[(split, "validation")]
            cut = cheapest(chosen["y"], chosen["probability"], prices)
        said = p >= cut
        found, missed, alarms, left = counts(y, said)
        rows[split] = {
            "threshold": cut,
            "recall": found / (found + missed),
            "precision": found / (found + alarms) if found + alarms else np.nan,
            "accuracy": (found + left) / len(y),
            "balanced": balanced_accuracy_score(y, said),
            "cost": prices.of(y, said),
            "area": roc_auc_score(y, p),
            "said": p.mean() / np.mean(y),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def against_first(
    half: Mapping[str, pd.DataFrame],
    own: Mapping[str, pd.DataFrame],
    names: Mapping[str, str],
) -> dict[str, pd.Series]:
    """Return what networks cost and rank more than the first one, as effects.

    Parameters
    ----------
    half, own : mapping of str to pandas.DataFrame
        What `scores` returns, by network: at one threshold, and at each run's own.
    names : mapping of str to str
        By the beginning of an effect's name the network.

    Returns
    -------
    dict of str to pandas.Series
        ``over_left`` (cost at one threshold), ``over_moved`` (at its own) and
        ``over_curve`` (area), and so on.
    """
    first = next(iter(half))
    found = {}
    for key, name in names.items():
        found[f"{key}_left"] = half[name]["cost"] - half[first]["cost"]
        found[f"{key}_moved"] = own[name]["cost"] - own[first]["cost"]
        found[f"{key}_curve"] = own[name]["area"] - own[first]["area"]
    return found


def promised(frame: pd.DataFrame, prices: Prices) -> pd.Series:
    """Return how far the area under the ROC curve is larger than on the test part.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `predictions` returns.
    prices : Prices

    Returns
    -------
    pandas.Series
        By split, of the validation part.
    """
    areas = [scores(frame, prices, p, 0.5)["area"] for p in ("validation", "test")]
    return areas[0] - areas[1]


def chosen_costs(
    arms: Mapping[str, pd.DataFrame], prices: Prices, threshold: float = 0.5
) -> pd.DataFrame:
    """Return what it costs to choose among networks by one score or another.

    Parameters
    ----------
    arms : mapping of str to pandas.DataFrame
        What `predictions` returns, by network.
    prices : Prices
    threshold : float

    Returns
    -------
    pandas.DataFrame
        By split, a column for each score to choose by on the validation part: the
        chosen network's cost on the test part.
    """
    tables = {
        part: pd.concat(
            {name: scores(own, prices, part, threshold) for name, own in arms.items()},
            axis=1,
        ).swaplevel(axis=1)
        for part in ("validation", "test")
    }
    columns = {}
    for by in ("accuracy", "balanced", "area", "cost"):
        sign = -1 if by == "cost" else 1
        chosen = (sign * tables["validation"][by]).idxmax(axis=1)
        costs = tables["test"]["cost"]
        columns[by] = pd.Series(
            [costs.loc[split, name] for split, name in chosen.items()], chosen.index
        )
    return pd.DataFrame(columns)


# --------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------


def mean_curve(frame: pd.DataFrame, alarms: np.ndarray) -> np.ndarray:
    """Return the mean share found at shares of false alarms, over all runs.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `predictions` returns.
    alarms : array, shape (n,)
        Shares of the other class.

    Returns
    -------
    array, shape (n,)
    """
    rows = frame.xs("test", level="part").itertuples()
    curves = [roc_curve(row.y, row.probability)[:2] for row in rows]
    return np.mean([np.interp(alarms, *curve) for curve in curves], axis=0)


def curve_picture(
    arms: Mapping[str, pd.DataFrame], prices: Prices, *, ax: Axes | None = None
) -> Axes:
    """Draw each network's curve over all thresholds, and where 0.5 stands on it.

    Parameters
    ----------
    arms : mapping of str to pandas.DataFrame
        What `predictions` returns; of the first, the cheapest threshold is marked, too.
    prices : Prices
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(6.4, 4.6))[1]
    alarms = np.linspace(0, 0.5, 251)
    looks = zip(arms.items(), PALETTE, ("o", "s", "^", "D", "v"), strict=False)
    for (name, frame), color, marker in looks:
        ax.plot(
            100 * alarms,
            100 * mean_curve(frame, alarms),
            color=color,
            linewidth=1.2,
        )
        at = _place(frame, prices, 0.5)
        ax.plot(
            *at,
            marker,
            color=color,
            markersize=9,
            zorder=3,
            label=f"{name}, at 0.5",
            linestyle="",
        )
    first = next(iter(arms.values()))
    at = _place(first, prices, None)
    name = f"{next(iter(arms))}, threshold moved"
    look = {"color": PALETTE[0], "markersize": 15, "zorder": 4, "linestyle": ""}
    ax.plot(*at, "*", label=name, **look)
    ax.legend(loc="lower right", frameon=False)
    ax.set(
        xlabel="false alarms, % of the others",
        ylabel="found, % of the class",
        xlim=(-1, 50),
        ylim=(0, 101),
    )
    return ax


def _place(frame: pd.DataFrame, prices: Prices, threshold: float | None):
    """Return mean shares of false alarms and of what is found, in percent."""
    shares = []
    for split in frame.index.unique("split"):
        told = frame.loc[(split, "test")]
        cut = threshold
        if cut is None:
            chosen = frame.loc[(split, "validation")]
            cut = cheapest(chosen["y"], chosen["probability"], prices)
        found, missed, alarms, left = counts(told["y"], told["probability"] >= cut)
        shares.append((alarms / (alarms + left), found / (found + missed)))
    return tuple(100 * np.mean(shares, axis=0))


def densities_drawing(share: float = 0.1, weight: float = 9.0) -> Axes:
    """Draw how a weight on the rare class moves the place where a network decides.

    Parameters
    ----------
    share : float
        Of the rare class.
    weight : float
        On each of its examples.

    Returns
    -------
    matplotlib.axes.Axes
    """
    x = np.linspace(-4, 6, 400)
    others = (1 - share) * stats.norm.pdf(x)
    rare = share * stats.norm.pdf(x, 2)
    ax = plt.subplots(figsize=(6.4, 3.2))[1]
    gray = "#8a939b"
    for values, color, style, name, place in (
        (others, PALETTE[0], "-", "the others", (-1.2, 0.33)),
        (rare, PALETTE[1], "-", "the rare class", (4.55, 0.03)),
        (weight * rare, PALETTE[1], "--", "the rare class, weighted", (3.1, 0.27)),
    ):
        ax.plot(x, values, style, color=color)
        side = "right" if place[0] < 0 else "left"
        ax.text(*place, name, color=text_color(color), ha=side, fontsize="small")
    for factor, name, side in ((1, "decides here", 1), (weight, "now here", -1)):
        # two normal densities of variance 1 cross once
        at = 1 + np.log((1 - share) / (share * factor)) / 2
        ax.axvline(at, 0, 0.93, color=gray, linestyle=":" if factor > 1 else "-")
        place = {"ha": "left" if side > 0 else "right", "fontsize": "small"}
        ax.text(at + 0.08 * side, 0.41, name, color="#4d5358", **place)
    ax.set(xlabel="what tells the classes apart", ylabel="share of examples", yticks=[])
    ax.set_ylim(0, 0.45)
    return ax


def score_histogram(frame: pd.DataFrame, split: int) -> Axes:
    """Draw the probabilities that one run gives the validation rows of both classes.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `predictions` returns.
    split : int

    Returns
    -------
    matplotlib.axes.Axes
    """
    told = frame.loc[(split, "validation")]
    is_yes = np.asarray(told["y"]) == 1
    ax = plt.subplots(figsize=(6, 3))[1]
    bins = np.linspace(0, 1, 26)
    for which, name, color in (
        (~is_yes, "the others", PALETTE[0]),
        (is_yes, "the class to be found", PALETTE[1]),
    ):
        values = told["probability"][which]
        weights = np.full(len(values), 100 / len(values))
        ax.hist(values, bins, weights=weights, alpha=0.6, color=color, label=name)
    ax.axvline(0.5, color="#8a939b", linestyle=":")
    ax.set(xlabel="probability", ylabel="% of each", yscale="log")
    ax.legend()
    return ax


def lab_scores(
    arms: Mapping[str, pd.DataFrame], prices: Prices, split: int
) -> dict[str, Any]:
    """Return one run's probabilities as the lab “threshold” takes them.

    Parameters
    ----------
    arms : mapping of str to pandas.DataFrame
        What `predictions` returns, by network.
    prices : Prices
    split : int

    Returns
    -------
    dict
        ``networks``, prices, and by network ``validation`` and ``test``: the log-odds
        of the ``yes`` and of the ``no`` rows, sorted, to two digits.
    """
    data: dict[str, Any] = {"networks": list(arms)}
    data |= {"miss": prices.miss, "alarm": prices.alarm}
    for part in ("validation", "test"):
        data[part] = {}
        for name, frame in arms.items():
            told = frame.loc[(split, part)]
            p = np.clip(told["probability"], 1e-6, 1 - 1e-6)
            odds = np.log(p / (1 - p)).round(2)
            is_yes = np.asarray(told["y"]) == 1
            data[part][name] = {
                "yes": np.sort(odds[is_yes]),
                "no": np.sort(odds[~is_yes]),
            }
    return data

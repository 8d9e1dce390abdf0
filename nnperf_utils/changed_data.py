"""Data sets changed on purpose: fewer rows, wrong labels, a part of the range, copies.

A table that is repeated until it has as many rows as the others takes as many updates
an epoch, and has their shape, so that all of them train in one graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.preprocessing import StandardScaler

from nnperf_utils.datasets import Dataset
from nnperf_utils.plots import PALETTE, dumbbells, text_color
from nnperf_utils.seeds import shifted
from nnperf_utils.statistics import estimate

__all__ = [
    "all_rows",
    "at_best_epoch",
    "augmentation_effects",
    "augmentation_gains",
    "augmentation_marks",
    "augmented",
    "best_arm",
    "best_strengths",
    "center",
    "copies_picture",
    "curve_backwards",
    "draw",
    "epochs_to_match",
    "feature_effects",
    "gain_rows",
    "gains",
    "mislabelled",
    "of_kinds",
    "promises",
    "repeated",
    "robust_gains",
    "rows_left",
    "standardized",
    "transformed_images",
    "with_frequencies",
]


def all_rows(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs and targets of all parts together.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    tuple of array, of shapes (n, …) and (n,)
    """
    parts = [part for part in (data.train, data.validation, data.test) if part]
    x, y = zip(*parts, strict=True)
    return np.concatenate(x), np.concatenate(y)


def center(x: np.ndarray) -> np.ndarray:
    """Return where the center of each signal's energy is.

    Parameters
    ----------
    x : array, shape (n, length)

    Returns
    -------
    array, shape (n,)
        From 0 to 1, the left end and the right one.
    """
    energy = np.square(x, dtype=float)
    places = np.linspace(0, 1, x.shape[1])
    return energy @ places / energy.sum(axis=1)


def draw(
    pool: Dataset,
    split: int,
    rows: int,
    *,
    parts: tuple[int, int] = (500, 1000),
    among: np.ndarray | None = None,
    validate: np.ndarray | None = None,
    judge: np.ndarray | None = None,
    further: int = 0,
) -> Dataset:
    """Draw a split of a pool in which test and validation rows stay the same.

    Of one split, a draw of fewer training rows has the first ones of a draw of more.

    Parameters
    ----------
    pool : Dataset
        All its parts are drawn from.
    split : int
        Which order of the pool.
    rows : int
        How many to train on.
    parts : tuple of int
        How many for validation and test.
    among, validate, judge : array of bool, optional
        Of which rows of the pool training, validation and test part are drawn.
    further : int
        So many of the training rows come from outside of `among` instead.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the pool has too few rows.
    """
    x, y = all_rows(pool)
    every = np.ones(len(x), bool)
    order = np.random.default_rng(shifted(split)).permutation(len(x))

    def first(count: int, allowed: np.ndarray | None, what: str) -> np.ndarray:
        nonlocal order
        found = order[(every if allowed is None else allowed)[order]][:count]
        if len(found) < count:
            raise ValueError(
                f"{what} wants {count} rows, but the pool has {len(found)} left."
            )
        order = order[~np.isin(order, found)]
        return found

    test = first(parts[1], judge, "the test part")
    validation = first(parts[0], validate, "the validation part")
    others = None if among is None else ~among
    train = [first(rows - further, among, "the training part")]
    train.append(first(further, others, "the training part"))
    where = {
        "train": np.concatenate(train),
        "validation": validation,
        "test": test,
    }
    cut = {part: (x[of], y[of]) for part, of in where.items()}
    return replace(pool, **cut, rows=None, scaler=None)


def repeated(data: Dataset, rows: int) -> Dataset:
    """Repeat the training rows in turn until there are so many.

    Parameters
    ----------
    data : Dataset
    rows : int
        At least as many as there are.

    Returns
    -------
    Dataset
    """
    x, y = data.train
    if rows < len(y):
        raise ValueError(f"rows is {rows}, but the training part has {len(y)} already.")
    which = np.resize(np.arange(len(y)), rows)
    return replace(data, train=(x[which], y[which]), rows=None)


def mislabelled(data: Dataset, share: float, seed: int = 0) -> Dataset:
    """Give some training rows the label of another class, drawn at random.

    Parameters
    ----------
    data : Dataset
        With classes.
    share : float
        Of the training rows.
    seed : int

    Returns
    -------
    Dataset
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected a share, from 0 to 1.")
    x, y = data.train
    random = np.random.default_rng([1, shifted(seed)])
    classes = len(data.class_names)
    wrong = random.permutation(len(y))[: round(share * len(y))]
    labels = y.copy()
    labels[wrong] += random.integers(1, classes, len(wrong)).astype(y.dtype)
    return replace(data, train=(x, labels % classes))


def with_frequencies(data: Dataset) -> Dataset:
    """Put the sizes of a signal's frequencies behind its values.

    They do not change when a signal is moved around a circle.

    Parameters
    ----------
    data : Dataset
        Of signals in flat rows.

    Returns
    -------
    Dataset
    """

    def added(part: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        x, y = part
        sizes = np.abs(np.fft.rfft(x, norm="ortho"))
        return np.concatenate([x, sizes], axis=1), y

    parts = {name: added(getattr(data, name)) for name in ("train", "validation")}
    return replace(data, **parts, test=added(data.test))


def standardized(data: Dataset) -> Dataset:
    """Scale the inputs by mean and standard deviation of the training part.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    Dataset
    """
    scaler = StandardScaler().fit(data.train[0])
    parts = {
        name: (scaler.transform(x), y)
        for name in ("train", "validation", "test")
        for x, y in [getattr(data, name)]
    }
    return replace(data, **parts, scaler=scaler)


# --------------------------------------------------------------------------------------
# Copies
# --------------------------------------------------------------------------------------


def augmented(
    splits: Sequence[Dataset], layer: keras.Layer | None, copies: int
) -> list[Dataset]:
    """Replace each training image by copies, each transformed anew.

    Parameters
    ----------
    splits : sequence of Dataset
        Of images, as many training rows each.
    layer : keras.Layer or None
        A random layer, which draws in training: ``keras.layers.RandomFlip()``. None
        repeats the images as they are.
    copies : int

    Returns
    -------
    list of Dataset
    """
    if layer is None:
        return [repeated(one, copies * len(one.train[1])) for one in splits]
    x = np.concatenate([np.repeat(one.train[0], copies, axis=0) for one in splits])
    images = np.split(transformed_images(x, layer), len(splits))
    return [
        replace(one, train=(x, np.repeat(one.train[1], copies)), rows=None)
        for one, x in zip(splits, images, strict=True)
    ]


def transformed_images(x: np.ndarray, layer: keras.Layer) -> np.ndarray:
    """Lead images through a random layer as in training.

    Parameters
    ----------
    x : array, shape (n, height, width, 1)
    layer : keras.Layer

    Returns
    -------
    array, shape (n, height, width, 1)
    """
    # blocks: a single call would hold all of a transform's coordinates at once
    blocks = np.array_split(x, -(-len(x) // 8000))
    done = [keras.ops.convert_to_numpy(layer(one, training=True)) for one in blocks]
    return np.concatenate(done)


def augmentation_effects(
    gained: Mapping[str, pd.DataFrame], end: str, begin: str = ""
) -> dict[str, pd.Series]:
    """Name gains as a claim's effects: ``shift_d``, ``robust_shift_d``.

    Parameters
    ----------
    gained : mapping of str to pandas.DataFrame
        By the kind of test, ``"as it is"`` and possibly ``"transformed"``.
    end, begin : str

    Returns
    -------
    dict of str to pandas.Series
    """
    heads = {"as it is": "", "transformed": "robust_"}
    return {
        f"{begin}{heads[test]}{kind}_{end}": frame[kind]
        for test, frame in gained.items()
        for kind in frame
    }


def best_strengths(validation: pd.Series) -> dict[str, str]:
    """Return of each transform the name of the table with the best validation score.

    Parameters
    ----------
    validation : pandas.Series
        By a table's name, ``"shift 0.1"``: transform, a space, strength. The first is
        that without a transform, and is left out.

    Returns
    -------
    dict of str to str
    """
    validation = validation.iloc[1:]
    names = validation.index.to_series()
    return {
        kind: validation[own.index].idxmax()
        for kind, own in names.groupby(names.str.split().str[0], sort=False)
    }


def of_kinds(
    layers: Mapping[str, keras.Layer | None], *kinds: str
) -> dict[str, keras.Layer | None]:
    """Return the first entry of the layers, and those of some transforms, or of all.

    Parameters
    ----------
    layers : mapping of str to layer
        As in `augmentation_gains`.
    *kinds : str

    Returns
    -------
    dict of str to layer
    """
    first = next(iter(layers))
    kinds = kinds or tuple(name.split()[0] for name in layers)
    return {k: v for k, v in layers.items() if k == first or k.split()[0] in kinds}


def augmentation_gains(
    result: Any,
    splits: Sequence[Dataset],
    layers: Mapping[str, keras.Layer | None],
    variant: str = "network",
) -> dict[str, pd.DataFrame]:
    """Return what each transform gains, at its strength with the best validation score.

    Parameters
    ----------
    result : Comparison
        On tables of the names of `layers`, with one seed for each split.
    splits : sequence of Dataset
        As they were before copies were made.
    layers : mapping of str to layer
        By transform, a space and strength, from weak to strong; the first is None.
    variant : str

    Returns
    -------
    dict of str to pandas.DataFrame
        Gains in test accuracy, a row for each split and a column for each transform,
        on test images ``"as it is"`` and ``"transformed"`` (flips are left out).
    """
    validation, test = (
        result.scores(f"{part}_accuracy").pivot(
            index="split", columns="data", values="value"
        )[[*layers]]
        for part in ("val", "test")
    )
    chosen = best_strengths(validation.mean())
    robust = {kind: name for kind, name in chosen.items() if kind != "flip"}
    return {
        "as it is": gains(test, chosen),
        "transformed": robust_gains(result, splits, layers, robust, variant),
    }


def gains(scores: pd.DataFrame, chosen: Mapping[str, str]) -> pd.DataFrame:
    """Return what training on each transform's copies gains, split by split.

    Parameters
    ----------
    scores : pandas.DataFrame
        A row for each split, a column for each table; the first is that without a
        transform.
    chosen : mapping of str to str
        Of each transform a table.

    Returns
    -------
    pandas.DataFrame
        A column for each transform.
    """
    columns = {kind: scores[name] - scores.iloc[:, 0] for kind, name in chosen.items()}
    return pd.DataFrame(columns)


def robust_gains(
    result: Any,
    splits: Sequence[Dataset],
    layers: Mapping[str, keras.Layer | None],
    chosen: Mapping[str, str],
    variant: str = "network",
) -> pd.DataFrame:
    """Return what the copies gain on test images that are transformed alike.

    Parameters
    ----------
    result : Comparison
        On tables of the names of `layers`, with one seed for each split.
    splits : sequence of Dataset
        As they were before copies were made.
    layers : mapping of str to layer
        As in `best_strengths`; of a transform the last one is the strongest, by which
        the test images are transformed. The first is None.
    chosen : mapping of str to str
        Of each transform the table whose networks are scored.
    variant : str

    Returns
    -------
    pandas.DataFrame
        A row for each split, a column for each transform.
    """
    last = {name.split()[0]: layer for name, layer in layers.items()}
    # all splits at once: calls of a layer cost more than its work
    x = np.concatenate([one.test[0] for one in splits])
    tests = {
        kind: np.split(transformed_images(x, last[kind]), len(splits))
        for kind in chosen
    }
    reference = next(iter(layers))
    hits: dict[tuple[str, str], dict[int, float]] = {}
    for name in (reference, *chosen.values()):
        own = [kind for kind in chosen if name in (reference, chosen[kind])]
        for split, model in result.networks(variant, data=name):
            for kind in own:
                said = np.argmax(model(tests[kind][split], training=False), axis=1)
                right = float(np.mean(said == splits[split].test[1]))
                hits.setdefault((kind, name), {})[split] = right
    frame = pd.DataFrame(hits).rename_axis("split")
    columns = {k: frame[k, chosen[k]] - frame[k, reference] for k in chosen}
    return pd.DataFrame(columns)


def copies_picture(rows: Mapping[str, tuple[np.ndarray, Sequence]]) -> np.ndarray:
    """Show images, and below each what random layers make of it.

    Parameters
    ----------
    rows : mapping of str to (array, sequence)
        By the name of a table: a few images, shape (n, height, width, 1); and pairs of
        a name and a layer, None for the images as they are. The names are the same.

    Returns
    -------
    array of matplotlib.axes.Axes
    """
    names = [name for name, _ in next(iter(rows.values()))[1]]
    count = sum(len(x) for x, _ in rows.values())
    figure, grid = plt.subplots(
        len(names),
        count,
        figsize=(0.7 * count, 0.72 * len(names)),
        squeeze=False,
        layout="constrained",
    )
    for row, name in enumerate(names):
        shown = []
        for x, layers in rows.values():
            layer = layers[row][1]
            shown.append(_enlarged(transformed_images(x, layer) if layer else x))
        for ax, image in zip(grid[row], np.concatenate(shown), strict=True):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        grid[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    return grid


def _enlarged(x: np.ndarray, side: int = 28) -> np.ndarray:
    """Return images of any size as squares of one size, their pixels repeated."""
    places = np.arange(side) * x.shape[1] // side
    return x[:, places][:, :, places, 0]


def augmentation_marks(gained: Mapping[str, Mapping[str, pd.DataFrame]]) -> list[Axes]:
    """Show what each transform gains, on tests as they are and on transformed ones.

    Parameters
    ----------
    gained : mapping of str to mapping of str to pandas.DataFrame
        By the title of a panel and by the kind of test, two at most: gains in accuracy,
        a row for each split and a column for each transform.

    Returns
    -------
    list of matplotlib.axes.Axes
    """
    figure, axes = plt.subplots(
        1,
        len(gained),
        figsize=(3.3 * len(gained), 3.2),
        sharey=True,
        sharex=True,
        layout="constrained",
    )
    marks = ("o", "s")
    for ax, (title, tests) in zip(np.atleast_1d(axes), gained.items(), strict=True):
        kinds = list(next(iter(tests.values())))
        for place, frame in enumerate(tests.values()):
            color = PALETTE[place]
            for kind in frame:
                one = estimate(100 * frame[kind], "mean")
                at = kinds.index(kind) + 0.24 * (place - 0.5)
                ax.hlines(at, one.low, one.high, color=color, linewidth=2)
                ax.plot(one.value, at, marks[place], color=color, markersize=7)
        ax.axvline(0, color="#8a939b", linewidth=1, linestyle=":")
        ax.set_yticks(range(len(kinds)), kinds)
        ax.set_ylim(len(kinds) - 0.4, -0.6)
        ax.set(title=title, xlabel="accuracy gained, points")
        ax.grid(axis="y", visible=False)
    handles = [
        plt.Line2D([], [], color=color, marker=mark, linestyle="", label=f"test {name}")
        for name, color, mark in zip(tests, PALETTE, marks, strict=False)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    return list(np.atleast_1d(axes))


# --------------------------------------------------------------------------------------
# Features
# --------------------------------------------------------------------------------------


def best_arm(history: pd.DataFrame, knob: str = "learning_rate") -> pd.DataFrame:
    """Return the history of the arm with the best mean of its best epochs.

    Parameters
    ----------
    history : pandas.DataFrame
        Of a comparison of which all of a grid was kept, with ``val_accuracy``.
    knob : str
        The grid's.

    Returns
    -------
    pandas.DataFrame
        Of each table its best arm's rows, without the knob.
    """
    rows = history[history["metric"] == "val_accuracy"]
    peaks = rows.groupby(["data", knob, "split"])["value"].max()
    best = peaks.groupby(["data", knob]).mean().unstack(knob).idxmax(axis=1)
    kept = history[history[knob] == history["data"].map(best)]
    return kept.drop(columns=knob).reset_index(drop=True)


def feature_effects(
    runs: Mapping[tuple[int, str], pd.DataFrame],
    sizes: Mapping[str, int],
    rows: Mapping[str, str],
) -> dict[str, pd.Series]:
    """Return what features gain, and how much sooner the same score is reached.

    Parameters
    ----------
    runs : mapping of (int, str) to pandas.DataFrame
        By units, and ``"plain"`` or ``"with features"``: a history with test scores.
    sizes : mapping of str to int
        What each number of units is called.
    rows : mapping of str to str
        What each table is called; of the last one the speed is told.

    Returns
    -------
    dict of str to pandas.Series
        By split: ``small_few`` and so on, gains in test accuracy, and ``speed_small``.
    """
    found = {}
    for size, units in sizes.items():
        pair = [runs[units, name] for name in ("plain", "with features")]
        tests = []
        for one in pair:
            scores = at_best_epoch(one, "accuracy").droplevel(["variant", "seed"])
            tests.append(scores["test"].unstack("data"))
        for called, table in rows.items():
            found[f"{size}_{called}"] = (tests[1] - tests[0])[table]
        found[f"speed_{size}"] = epochs_to_match(
            *(one[one["data"] == table] for one in pair)
        )
    return found


def epochs_to_match(plain: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """Return epochs until the best validation accuracy of `plain`, over those of it.

    Parameters
    ----------
    plain, other : pandas.DataFrame
        Histories of one table, a run for each split.

    Returns
    -------
    pandas.Series
        By split. A run of `other` that never gets there counts as needing one epoch
        more than it was trained.
    """
    first, second = (
        run[run["metric"] == "val_accuracy"].pivot(
            index="split", columns="epoch", values="value"
        )
        for run in (plain, other)
    )
    there = second.ge(first.max(axis=1), axis=0)
    epochs = there.idxmax(axis=1).where(there.any(axis=1), second.shape[1] + 1)
    return epochs / first.idxmax(axis=1)


# --------------------------------------------------------------------------------------
# What was promised
# --------------------------------------------------------------------------------------


def promises(tables: Mapping[str, pd.DataFrame]) -> list[Axes]:
    """Show what validation parts promised, and what came on the test part.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        By the name of a score: columns ``validation`` and ``test``, a row for each way
        to draw the training and validation rows.

    Returns
    -------
    list of matplotlib.axes.Axes
    """
    _, axes = plt.subplots(
        len(tables), 1, figsize=(6, 0.9 + 1.55 * len(tables)), layout="constrained"
    )
    for ax, (score, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        named = table.set_axis(["promised", "came"], axis=1)
        dumbbells(named, label=score, ax=ax)
    return list(np.atleast_1d(axes))


# --------------------------------------------------------------------------------------
# A learning curve, read backwards
# --------------------------------------------------------------------------------------


def at_best_epoch(history: pd.DataFrame, metric: str, *, lowest: bool = False):
    """Return the scores of each run at the epoch that is best on the validation part.

    Parameters
    ----------
    history : pandas.DataFrame
        Of a comparison with ``follow_test=True``.
    metric : str
        Without prefix: ``"accuracy"``.
    lowest : bool
        Whether the best is the lowest.

    Returns
    -------
    pandas.DataFrame
        By the runs' labels: ``epoch``, ``validation`` and ``test``.
    """
    labels = [n for n in history if n not in ("epoch", "metric", "value")]
    wide = history.pivot(index=[*labels, "epoch"], columns="metric", values="value")
    watched = wide[f"val_{metric}"].unstack("epoch")
    at = watched.idxmin(axis=1) if lowest else watched.idxmax(axis=1)
    kept = wide.reset_index("epoch")
    kept = kept[kept["epoch"] == at.reindex(kept.index)]
    return kept[["epoch", f"val_{metric}", f"test_{metric}"]].set_axis(
        ["epoch", "validation", "test"], axis=1
    )


def rows_left(curve: pd.DataFrame, scores: pd.Series) -> pd.Series:
    """Read off a learning curve how many rows give a score.

    Parameters
    ----------
    curve : pandas.DataFrame
        A row for each split, a column for each number of rows, rising.
    scores : pandas.Series
        By split.

    Returns
    -------
    pandas.Series
        Numbers of rows, between the ends of the curve: linear in between, over the
        logarithm of the rows.
    """
    sizes = np.log(np.asarray(curve.columns, float))
    # where chance lets a curve fall, the larger number of rows gives no less
    rising = np.maximum.accumulate(curve.to_numpy(), axis=1)
    found = [
        np.exp(np.interp(scores.loc[split], row, sizes))
        for split, row in zip(curve.index, rising, strict=True)
    ]
    return pd.Series(found, curve.index)


def gain_rows(curve: pd.Series, gain: float = 0.01) -> float:
    """Return how many further rows a gain takes, as the last doubling says.

    Parameters
    ----------
    curve : pandas.Series
        Mean score by number of rows.
    gain : float

    Returns
    -------
    float
        Infinite if the last two numbers of rows score the same, or the larger worse.
    """
    before, last = curve.index[-2:]
    rise = (curve.iloc[-1] - curve.iloc[-2]) / np.log(last / before)
    return last * np.expm1(gain / rise) if rise > 0 else np.inf


def curve_backwards(
    curve: pd.DataFrame, wrong: Mapping[float, pd.Series], left: Mapping[float, float]
) -> Axes:
    """Draw a learning curve, and where on it tables with wrong labels stand.

    Parameters
    ----------
    curve : pandas.DataFrame
        A row for each split, a column for each number of rows.
    wrong : mapping of float to pandas.Series
        By share of wrong labels, the scores by split of all rows.
    left : mapping of float to float
        By the same, how many rows with right labels score alike.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6.4, 4))[1]
    sizes = np.asarray(curve.columns, float)
    mean = 100 * curve.mean()
    low, high = 100 * curve.quantile(0.05), 100 * curve.quantile(0.95)
    ax.fill_between(sizes, low, high, color=PALETTE[0], alpha=0.15, linewidth=0)
    ax.plot(sizes, mean, "o-", color=PALETTE[0])
    ax.text(
        sizes[2] * 1.1,
        mean.iloc[2] - 5,
        "all labels right",
        color=text_color(PALETTE[0]),
    )
    color = PALETTE[1]
    for share, scores in wrong.items():
        at, rows = 100 * scores.mean(), left[share]
        ax.plot([rows, sizes[-1]], [at, at], color=color, linewidth=1, linestyle="--")
        ax.plot(sizes[-1], at, "X", color=color, markersize=8)
        ax.plot(rows, at, "o", color=color, markerfacecolor="white")
        fewer = f"{100 * (1 - rows / sizes[-1]):.0f}% fewer rows"
        text = f"{100 * share:.0f}% wrong\n= {fewer}"
        ax.annotate(
            text,
            (sizes[-1], at),
            (9, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=text_color(color),
        )
    ax.set(
        xscale="log",
        xlim=(sizes[0] * 0.85, sizes[-1] * 2.7),
        xlabel="training rows",
        ylabel="test accuracy, %",
    )
    ax.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
    ax.minorticks_off()
    return ax

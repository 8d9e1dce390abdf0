"""What a validation part shows of overfitting: a good one, a small one, a leaking one.

Each network is trained once on a split, and its validation loss is computed on three
parts: many rows, few of them, and many of which half are rows of the training part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nnperf_utils import datasets, plots

__all__ = ["KINDS", "choices", "draw_splits", "effects", "loss_and_accuracy", "tables"]

KINDS = ("1,000 rows", "50 rows", "half leaked")
FEW = 50


def draw_splits(count: int = 20, samples: int = 4000) -> list[datasets.Dataset]:
    """Draw splits of MNIST-1D: 15% to train on, 25% for validation, 60% to test.

    Parameters
    ----------
    count : int
    samples : int
        Signals, generated once; the splits share them.

    Returns
    -------
    list of datasets.Dataset
    """
    pool = datasets.load_mnist1d(samples=samples, flatten=True)
    x, y = (
        np.concatenate([getattr(pool, part)[i] for part in datasets.PARTS])
        for i in (0, 1)
    )
    return [
        datasets.Dataset.from_arrays(
            x, y, task="multiclass", validation=0.25, test=0.6, seed=split
        )
        for split in range(count)
    ]


def tables(
    splits: Sequence[datasets.Dataset],
) -> dict[str, list[datasets.Dataset]]:
    """Return the splits with each of the three validation parts.

    Parameters
    ----------
    splits : sequence of datasets.Dataset

    Returns
    -------
    dict of str to list of datasets.Dataset
        By the names in `KINDS`; all parts have as many rows, so that one graph takes
        them: of the small one each row comes many times, which leaves its mean loss as
        it is.
    """
    few, leaked = [], []
    for data in splits:
        x, y = data.validation
        times = len(x) // FEW
        parts = np.tile(x[:FEW], (times, 1)), np.tile(y[:FEW], times)
        few.append(replace(data, validation=parts))
        half = min(len(x) // 2, len(data.train[0]))
        seen = [
            np.concatenate([honest[: len(x) - half], known[:half]])
            for honest, known in zip(data.validation, data.train, strict=True)
        ]
        leaked.append(replace(data, validation=tuple(seen)))
    return dict(zip(KINDS, (list(splits), few, leaked), strict=True))


def choices(history: pd.DataFrame) -> pd.DataFrame:
    """Return what the lowest validation loss chooses, and what that is worth.

    Parameters
    ----------
    history : pandas.DataFrame
        Of one network on `tables`, the test part followed.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``data`` and ``split``: ``epoch`` that is chosen; ``missed``, its
        test loss less the lowest; ``overfitted`` and ``accuracy``, test loss and
        accuracy after the last epoch less those of the chosen one.
    """
    wide = history.pivot_table(
        index=["data", "split", "epoch"], columns="metric", values="value"
    )
    rows = {}
    for place, run in wide.groupby(["data", "split"]):
        run = run.droplevel(["data", "split"])
        at = run["val_loss"].idxmin()
        last = run.iloc[-1]
        rows[place] = {
            "epoch": at,
            "missed": run.loc[at, "test_loss"] - run["test_loss"].min(),
            "overfitted": last["test_loss"] - run.loc[at, "test_loss"],
            "accuracy": last["test_accuracy"] - run.loc[at, "test_accuracy"],
        }
    return pd.DataFrame(rows).T.rename_axis(["data", "split"])


def effects(chosen: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the effects of the claim on the validation loss, run by run.

    Parameters
    ----------
    chosen : pandas.DataFrame
        As `choices` returns it.

    Returns
    -------
    dict of str to pandas.Series
    """
    honest, few, leaked = (chosen.xs(kind, level="data") for kind in KINDS)
    return {
        "overfitted": honest["overfitted"],
        "missed": honest["missed"],
        "missed_small": few["missed"],
        "missed_leak": leaked["missed"],
        "accuracy": honest["accuracy"],
    }


def loss_and_accuracy(history: pd.DataFrame, chosen: pd.DataFrame) -> np.ndarray:
    """Draw the test loss and accuracy, and the epochs that each part chooses.

    Parameters
    ----------
    history, chosen : pandas.DataFrame
        As of `choices`.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
    """
    _, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    known = history[history["data"] == KINDS[0]]
    for ax, metric in zip(axes, ("test_loss", "test_accuracy"), strict=True):
        wide = known[known["metric"] == metric].pivot_table(
            index="epoch", columns="split", values="value"
        )
        ax.plot(wide.index, wide.median(axis=1), color="0.35")
        low, high = wide.quantile(0.05, axis=1), wide.quantile(0.95, axis=1)
        ax.fill_between(wide.index, low, high, color="0.35", alpha=0.2, linewidth=0)
        for number, (kind, marker) in enumerate(zip(KINDS, "osX", strict=True)):
            at = chosen.xs(kind, level="data")["epoch"].astype(int)
            values = [wide.loc[epoch, split] for split, epoch in at.items()]
            color = plots.PALETTE[number]
            ax.plot(at, values, marker, color=color, markersize=5, label=kind)
        ax.set(xlabel="epoch", ylabel=metric.replace("_", " "))
    axes[0].legend(title="lowest validation loss of", frameon=False)
    return axes

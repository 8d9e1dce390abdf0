"""What a race of optimizers says, all over the same grid of learning rates.

A race is what `compare(..., grid={"learning_rate": rates}, choose=False)` returns. A
rate is called *good* if the run ends at most 5% over the best run of the same optimizer
from the same seed. A run that diverged is as bad as the worst one that did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnperf_utils import plots

__all__ = [
    "draw_ranges",
    "epochs_to_reach",
    "good_ranges",
    "over_tables",
    "share_good",
]

WITHIN = 0.05


def share_good(
    race: Any, metric: str = "val_loss", within: float = WITHIN
) -> pd.DataFrame:
    """Return which share of the grid's rates is good.

    Parameters
    ----------
    race : Comparison
    metric : str
        A loss.
    within : float
        By which share a good one may be above the best.

    Returns
    -------
    pandas.DataFrame
        A row for each run, by seed and, where there are several, by table; a column for
        each variant.
    """
    losses = race.by_arm(metric, levels=True)
    shares = {}
    for name in race.variants:
        own = losses[name]
        good = own.le((1 + within) * own.min(axis=1), axis=0)
        shares[name] = good.mean(axis=1)
    return pd.DataFrame(shares)


def good_ranges(
    race: Any, metric: str = "val_loss", within: float = WITHIN
) -> pd.DataFrame:
    """Return from where to where an optimizer's rates are good, in the median run.

    Between two rates of the grid the loss is taken for a straight line over the
    logarithm of the rate.

    Parameters
    ----------
    race : Comparison
        On several tables.
    metric, within
        As in `share_good`.

    Returns
    -------
    pandas.DataFrame
        A row for each table and variant, with `low`, `best` and `high`.
    """
    medians = race.by_arm(metric, levels=True).groupby("data").median()
    medians = medians.loc[list(dict.fromkeys(race.history["data"]))]
    rows = {}
    for table, by_table in medians.iterrows():
        for name in race.variants:
            own = by_table[name].sort_index()
            place = int(np.argmin(own))
            logs, limit = (
                np.log(own.index.to_numpy(float)),
                (1 + within) * own.iloc[place],
            )
            losses = own.to_numpy()
            ends = [_crossing(logs, losses, place, way, limit) for way in (-1, 1)]
            low, high = np.exp(ends)
            rows[table, name] = {"low": low, "best": own.index[place], "high": high}
    return pd.DataFrame(rows).T.rename_axis(["data", "variant"])


def _crossing(
    logs: np.ndarray, losses: np.ndarray, place: int, way: int, limit: float
) -> float:
    """Return where the losses rise above a limit, from a place on, one way."""
    while 0 <= place + way < len(losses):
        here, there = losses[place], losses[place + way]
        if there > limit:
            share = (limit - here) / (there - here)
            return float(logs[place] + share * (logs[place + way] - logs[place]))
        place += way
    return float(logs[place])


def epochs_to_reach(race: Any, reference: str, metric: str = "loss") -> pd.DataFrame:
    """Return in what share of its epochs each optimizer gets where another one ends.

    Parameters
    ----------
    race : Comparison
        On several tables, of which a rate was chosen for each variant.
    reference : str
        The variant whose last loss is to be reached, that of the same run.
    metric : str
        A loss in the history.

    Returns
    -------
    pandas.DataFrame
        By table and seed; a column for each other variant. A run that never gets there
        counts as one epoch more than all.
    """
    rows = race.history[race.history["metric"] == metric]
    tables = {}
    for table, own in rows.groupby("data", sort=False):
        curves = own.pivot(index="epoch", columns=["variant", "seed"], values="value")
        last = curves.index.max()
        target = curves[reference].loc[last]
        shares = {}
        for name in race.variants:
            below = curves[name].le(target, axis=1)
            shares[name] = below.idxmax().where(below.any(), last + 1) / last
        tables[table] = pd.DataFrame(shares).drop(columns=reference)
    return pd.concat(tables, names=["data"])


def over_tables(values: pd.Series) -> pd.Series:
    """Return the geometric mean over the tables, by seed."""
    return np.exp(np.log(values).groupby("seed").mean())


def draw_ranges(
    ranges: pd.DataFrame, marks: Mapping[str, float] | None = None
) -> np.ndarray:
    """Draw the ranges of good rates, a panel for each task, a row for each optimizer.

    Parameters
    ----------
    ranges : DataFrame
        As `good_ranges` returns them.
    marks : mapping of str to float, optional
        A rate to be marked by a cross, for some of the optimizers.

    Returns
    -------
    array of matplotlib.axes.Axes
    """
    tables = list(dict.fromkeys(ranges.index.get_level_values("data")))
    names = list(ranges.loc[tables[0]].index)
    columns = min(len(tables), 2)  # more would be too small on a phone
    rows = -(-len(tables) // columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(1 + 2.6 * columns, 0.5 + rows * (0.29 * len(names) + 0.6)),
        sharex=True,
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    panels, empty = np.split(grid.ravel(), [len(tables)])
    for ax in empty:
        ax.axis("off")
    for ax, table in zip(panels, tables, strict=True):
        _draw(ax, ranges.loc[table], names, dict(marks or {}))
        ax.set_title(table, loc="left")
        ax.tick_params(labelbottom=True)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    figure.supxlabel("learning rate", fontsize="medium")
    return panels


def _draw(
    ax: Axes, table: pd.DataFrame, names: list[str], marks: dict[str, float]
) -> None:
    for row, name in enumerate(names):
        low, best, high = table.loc[name, ["low", "best", "high"]]
        color = plots.PALETTE[0]
        ax.plot([low, high], [row, row], color=color, linewidth=6, alpha=0.5)
        ax.plot(best, row, "o", color=color, markersize=6)
        if name in marks:
            ax.plot(marks[name], row, "x", color="0.35", markersize=7)
    ax.set_xscale("log")
    ax.grid(visible=True, axis="x", alpha=0.4)
    ax.tick_params(axis="y", length=0)

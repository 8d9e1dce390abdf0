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

__all__ = ["draw_ranges", "epochs_to_reach", "good_ranges", "share_good"]

WITHIN = 0.05


def share_good(race: Any, metric: str = "val_loss", within: float = WITHIN):
    """Return which share of the grid's rates is good, by seed and optimizer.

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
        A row for each seed, a column for each variant.
    """
    losses = race.by_arm(metric, levels=True)
    shares = {}
    for name in race.variants:
        own = losses[name]
        good = own.le((1 + within) * own.min(axis=1), axis=0)
        shares[name] = good.mean(axis=1)
    return pd.DataFrame(shares)


def good_ranges(race: Any, metric: str = "val_loss", within: float = WITHIN):
    """Return from where to where an optimizer's rates are good, in the median run.

    Between two rates of the grid the loss is taken for a straight line over the
    logarithm of the rate.

    Parameters
    ----------
    race, metric, within
        As in `share_good`.

    Returns
    -------
    pandas.DataFrame
        A row for each variant, with `low`, `best` and `high`.
    """
    medians = race.by_arm(metric, levels=True).median()
    rows = {}
    for name in race.variants:
        own = medians[name].sort_index()
        place = int(np.argmin(own))
        logs = np.log(own.index.to_numpy(float))
        limit = (1 + within) * own.iloc[place]
        ends = [_crossing(logs, own.to_numpy(), place, way, limit) for way in (-1, 1)]
        low, high = np.exp(ends)
        rows[name] = {"low": low, "best": own.index[place], "high": high}
    return pd.DataFrame(rows).T


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
        Of which a rate was chosen for each variant.
    reference : str
        The variant whose last loss is to be reached, that of the same seed.
    metric : str
        A loss in the history.

    Returns
    -------
    pandas.DataFrame
        A row for each seed, a column for each other variant. A run that never gets
        there counts as one epoch more than all.
    """
    rows = race.history[race.history["metric"] == metric]
    last = rows["epoch"].max()
    tables = {
        name: own.pivot(index="epoch", columns="seed", values="value")
        for name, own in rows.groupby("variant")
    }
    target = tables[reference].loc[last]
    reached = {
        name: tables[name].le(target, axis=1)
        for name in race.variants
        if name != reference
    }
    first = {
        name: below.idxmax().where(below.any(), last + 1) / last
        for name, below in reached.items()
    }
    return pd.DataFrame(first)


def draw_ranges(
    ranges: Mapping[str, pd.DataFrame], marks: Mapping[str, float] | None = None
) -> np.ndarray:
    """Draw the ranges of good rates, a panel for each task, a row for each optimizer.

    Parameters
    ----------
    ranges : mapping of str to DataFrame
        As `good_ranges` returns them, by the panel's title.
    marks : mapping of str to float, optional
        A rate to be marked by a cross, for some of the optimizers.

    Returns
    -------
    array of matplotlib.axes.Axes
    """
    names = list(next(iter(ranges.values())).index)
    size = (9, 0.36 * len(names) + 1.1)
    figure, panels = plt.subplots(
        1, len(ranges), figsize=size, sharex=True, sharey=True, layout="constrained"
    )
    panels = np.atleast_1d(panels)
    for ax, (title, table) in zip(panels, ranges.items(), strict=True):
        _draw(ax, table, names, dict(marks or {}))
        ax.set_title(title, loc="left")
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

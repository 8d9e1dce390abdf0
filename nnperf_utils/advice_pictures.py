"""Pictures of the capstone: which rows go where, and what each step brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nnperf_utils.flight_inputs import Cut
from nnperf_utils.plots import PALETTE
from nnperf_utils.statistics import Estimate

__all__ = ["cost_lines", "missed", "staircase", "timeline"]

_HIGHEST = 150  # percent of a blind rule's cost
_NAME = 5  # percent from one name to the next


def timeline(dates: pd.Series, cuts: Mapping[str, Cut]) -> Axes:
    """Draw which days train, validate and are of use.

    Days with training rows are the upper half of a bar, those with validation rows the
    lower half.

    Parameters
    ----------
    dates : pandas.Series
        Of all rows.
    cuts : mapping of str to Cut
        By name, from top to bottom.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6.4, 0.75 * len(cuts) + 1.1))[1]
    looks = {"train": PALETTE[0], "validation": PALETTE[1], "later": PALETTE[2]}
    # the axis points down
    halves = {"train": (-0.32, 0), "validation": (0, 0.32), "later": (-0.32, 0.32)}
    days = dates.reset_index(drop=True)
    for y, cut in enumerate(cuts.values()):
        for part, color in looks.items():
            rows = getattr(cut, part)
            shown = rows if part == "train" else rows[:: max(1, len(rows) // 300)]
            at = mdates.date2num(days.iloc[shown])
            low, high = halves[part]
            ax.vlines(at, y + low, y + high, color=color, linewidth=1)
    names = {"train": "train", "validation": "validate", "later": "use"}
    first = next(iter(cuts.values()))
    cut = list(cuts.values())[-1]
    for part, color in looks.items():
        at = mdates.date2num(days.iloc[getattr(cut, part)])
        look = {"ha": "center", "va": "top", "color": color, "fontweight": "bold"}
        ax.text(np.mean([at.min(), at.max()]), len(cuts) - 0.62, names[part], **look)
    ax.set_yticks(range(len(cuts)), list(cuts))
    ax.set_ylim(len(cuts) - 0.3, -0.5)
    ax.xaxis_date()
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%-d %b"))
    ax.xaxis.set_major_locator(mdates.MonthLocator())
    ax.set_xlabel(f"day of departure, {days.iloc[first.later[0]].year}")
    ax.grid(visible=False)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def staircase(
    steps: Mapping[str, Estimate],
    costs: Mapping[str, Estimate],
    rivals: Mapping[str, tuple[float, float]],
) -> np.ndarray:
    """Draw ranking and cost after each step, from a naive start to all of them.

    Parameters
    ----------
    steps, costs : mapping of str to Estimate
        Area under the ROC curve, and cost, by the step taken last.
    rivals : mapping of str to (float, float)
        Area and cost of others, drawn as lines.

    Returns
    -------
    array of matplotlib.axes.Axes
    """
    size = (6.6, 0.4 * len(steps) + 1.3)
    axes = plt.subplots(1, 2, sharey=True, figsize=size)[1]
    places = np.arange(len(steps))
    for ax, found, color in zip(axes, (steps, costs), PALETTE, strict=False):
        values = np.array([one.value for one in found.values()])
        ends = [[one.value - one.low for one in found.values()]]
        ends.append([one.high - one.value for one in found.values()])
        ax.errorbar(values, places, xerr=ends, fmt="none", color=color, alpha=0.35)
        ax.step(values, places, where="mid", color=color, linewidth=1.2)
        ax.plot(values, places, "o", color=color)
    marks = zip(rivals.items(), ("--", ":"), strict=False)
    for (name, levels), line in marks:
        for ax, level in zip(axes, levels, strict=True):
            ax.axvline(level, color="0.45", linestyle=line, linewidth=1.2)
        look = "dashed" if line == "--" else "dotted"
        axes[0].annotate(
            f"{name} ({look})",
            (levels[0], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3 if line == "--" else 14),
            textcoords="offset points",
            ha="center",
            color="0.35",
            fontsize="small",
        )
    axes[0].set_yticks(places, list(steps))
    axes[0].set_ylim(len(steps) - 0.5, -0.5)
    axes[0].set_xlabel("area under the ROC curve")
    axes[1].set_xlabel("cost of 100 flights")
    return axes


def missed(
    found: Mapping[str, Estimate], label: str, *, ax: Axes | None = None
) -> Axes:
    """Draw what is lost where one step is left out, with intervals and zero.

    Parameters
    ----------
    found : mapping of str to Estimate
    label : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(6.4, 0.38 * len(found) + 0.9))[1]
    for y, one in enumerate(found.values()):
        clear = one.low > 0 or one.high < 0
        color = PALETTE[0] if clear else "0.5"
        ax.plot([one.low, one.high], [y, y], color=color, linewidth=2)
        ax.plot(one.value, y, "o" if clear else "s", color=color, markersize=7)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_yticks(range(len(found)), list(found))
    ax.set_ylim(len(found) - 0.5, -0.5)
    ax.set_xlabel(label)
    return ax


def cost_lines(costs: pd.DataFrame, best: str, others: Sequence[str] = ()) -> Axes:
    """Draw cost by the ratio of the prices, as a share of the cheapest blind rule's.

    Parameters
    ----------
    costs : pandas.DataFrame
        By ratio of the prices; a column for each way to decide, ``"never"`` and
        ``"always"`` among them.
    best : str
        The column that is drawn thick.
    others : sequence of str
        Further ones.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6.4, 3.4))[1]
    blind = costs[["never", "always"]].min(axis=1)
    shares = {name: 100 * costs[name] / blind for name in [best, *others]}
    for (name, line), color in zip(shares.items(), PALETTE, strict=False):
        ax.plot(line.index, line, color=color, linewidth=2.4 if name == best else 1.4)
    # each name at the last point that is in the picture, none above another
    used: list[float] = []
    for (name, line), color in sorted(
        zip(shares.items(), PALETTE, strict=False), key=lambda pair: pair[0][1].iloc[-1]
    ):
        shown = line[line <= _HIGHEST]
        height = max([shown.iloc[-1], *(y + _NAME for y in used)])
        used.append(height)
        ax.annotate(
            name,
            (shown.index[-1], height),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=color,
        )
    ax.set_ylim(top=min(_HIGHEST, 5 + max(line.max() for line in shares.values())))
    ax.axhline(100, color="0.4", linewidth=1, linestyle="--")
    ax.set_xscale("log")
    ax.set_xlim(right=costs.index.max())  # no line runs into the names
    ticks = [r for r in (1, 2, 3, 5, 10) if costs.index.min() <= r <= costs.index.max()]
    ax.set_xticks(ticks, [f"{r}" for r in ticks])
    ax.minorticks_off()
    ax.set_xlabel("price of a miss, in false alarms")
    ax.set_ylabel("cost, % of the cheaper\nof never and always")
    return ax

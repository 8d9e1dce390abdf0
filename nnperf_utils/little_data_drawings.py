"""Figures of the chapter on little data: what is taken over, what is together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnperf_utils.distillation import softened
from nnperf_utils.ensembles import Decomposition, Ensemble
from nnperf_utils.plots import PALETTE, text_color
from nnperf_utils.statistics import estimate

__all__ = [
    "by_size",
    "decomposition_bars",
    "lab_members",
    "price_rows",
    "softened_labels",
    "taken_over",
]

_MUTED = "#8a949c"


def taken_over() -> Axes:
    """Draw what a network takes over from another one, and what it starts anew.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6, 2.6))[1]
    rows = {1.0: "source: many examples", 0.0: "target: few examples"}
    for y, title in rows.items():
        for place, name in enumerate(("first", "second", "third", "head")):
            anew = name == "head"
            color = (PALETTE[1] if y == 0 else _MUTED) if anew else PALETTE[0]
            box = plt.Rectangle((place, y), 0.72, 0.42, color=color)
            ax.add_patch(box)
            words = "new head" if anew and y == 0 else name
            middle = (place + 0.36, y + 0.21)
            ax.annotate(words, middle, ha="center", va="center", color="white")
            if place < 3:
                arrow = {"arrowstyle": "->", "color": _MUTED}
                start = (place + 0.72, y + 0.21)
                ax.annotate("", (place + 1, y + 0.21), start, arrowprops=arrow)
                if y:
                    down = {"arrowstyle": "->", "color": PALETTE[0], "linewidth": 2}
                    top = (place + 0.36, 1.0)
                    ax.annotate("", (place + 0.36, 0.42), top, arrowprops=down)
        above = y + 0.47 if y else y - 0.06
        ax.annotate(
            title,
            (0, above),
            va="bottom" if y else "top",
            color=text_color(PALETTE[0]),
        )
    ax.annotate("weights", (0.45, 0.72), va="center")
    ax.set(xlim=(-0.05, 3.8), ylim=(-0.3, 1.7))
    ax.axis("off")
    return ax


def decomposition_bars(parts: Mapping[str, Decomposition]) -> Axes:
    """Show the squared error of ensembles as their members' less the ambiguity.

    Parameters
    ----------
    parts : mapping of str to Decomposition
        By kind of ensemble.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6, 1.1 + 0.62 * len(parts)))[1]
    names = list(parts)
    for place, part in enumerate(parts.values()):
        ax.barh(place, part.error, height=0.5, color=PALETTE[0])
        ax.barh(
            place,
            part.ambiguity,
            left=part.error,
            height=0.5,
            color="white",
            edgecolor=PALETTE[1],
            hatch="///",
            linewidth=1.2,
        )
        middle = {"va": "center", "ha": "center"}
        ax.text(part.error / 2, place, f"{part.error:.2f}", color="white", **middle)
        ax.text(
            part.error + part.ambiguity / 2,
            place,
            f"{part.ambiguity:.2f}",
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
            **middle,
        )
        ax.text(part.members, place, f" {part.members:.2f}", va="center", ha="left")
    longest = max(part.members for part in parts.values())
    ax.set(xlim=(0, 1.12 * longest), ylim=(len(parts) - 0.5, -0.6))
    ax.set(xlabel="squared error (Brier score)", yticks=range(len(names)))
    ax.set_yticklabels(names)
    blue, hatched = ax.patches[:2]
    ax.legend(
        [blue, hatched],
        ["together", "ambiguity; both: members' mean"],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        frameon=False,
        borderaxespad=0,
    )
    ax.grid(False, axis="y")
    return ax


def softened_labels(
    signal: np.ndarray, shares: np.ndarray, label: int, temperatures: Sequence[float]
) -> np.ndarray:
    """Show a signal, its label, and what a network says of it at some temperatures.

    Parameters
    ----------
    signal : numpy.ndarray, shape (positions, 1)
    shares : numpy.ndarray, shape (classes,)
        What the network says at temperature 1.
    label : int
    temperatures : sequence of float

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
    """
    _, axes = plt.subplots(2, 2, figsize=(6.2, 4), layout="constrained", squeeze=False)
    axes = axes.ravel()
    axes[0].plot(np.ravel(signal), color=PALETTE[0])
    axes[0].set_title(f"a signal of class {label}")
    axes[0].set(xticks=[], yticks=[])
    classes = np.arange(len(shares))
    colors = np.where(classes == label, PALETTE[0], PALETTE[1])
    for ax, temperature in zip(axes[1:], temperatures, strict=False):
        ax.bar(classes, softened(shares, temperature), color=colors)
        ax.set_title(f"temperature {temperature:g}")
        ax.set(xticks=classes, ylim=(0, 1))
    for ax in axes[len(temperatures) + 1 :]:
        ax.remove()
    axes[-1].set_xlabel("class")
    axes[1].set_ylabel("share")
    return axes


def price_rows(ways: Mapping[str, tuple[Ensemble, int, int]], y: np.ndarray) -> Axes:
    """Show what ways to an ensemble cost, and what they score.

    Parameters
    ----------
    ways : mapping of str to tuple of (Ensemble, int, int)
        By name: members, how many of them answer together, and updates in all.
    y : numpy.ndarray
        The labels.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6, 0.9 + 0.42 * len(ways)))[1]
    prices = list(dict.fromkeys(updates for _, _, updates in ways.values()))
    for place, (members, size, updates) in enumerate(ways.values()):
        found = estimate(members.scores(y, size))
        color = PALETTE[prices.index(updates) % len(PALETTE)]
        ax.plot([found.low, found.high], [place] * 2, color=color, linewidth=2.5)
        ax.plot(found.value, place, "o", color=color, markersize=8)
        at = {"transform": ax.get_yaxis_transform(), "va": "center", "ha": "right"}
        ax.text(0.99, place, f"{updates:,}", color=text_color(color), **at)
    ax.text(0.99, -0.75, "updates", transform=ax.get_yaxis_transform(), ha="right")
    ax.set_yticks(range(len(ways)), list(ways))
    ax.set(xlabel="test accuracy", ylim=(len(ways) - 0.5, -1))
    low, high = ax.get_xlim()
    ax.set_xlim(low, high + 0.15 * (high - low))
    ax.grid(False, axis="y")
    return ax


def lab_members(
    kinds: Mapping[str, Ensemble], y: np.ndarray, signals: int = 60, each: int = 5
) -> dict[str, object]:
    """Return what the lab on ensembles is made of.

    Parameters
    ----------
    kinds : mapping of str to Ensemble
        With predictions for the same signals.
    y : numpy.ndarray, shape (examples, classes)
        Their labels.
    signals, each : int
        How many signals and how many members of each kind to take.

    Returns
    -------
    dict
        Names, probabilities in percent and classes.
    """
    percent = [
        np.round(100 * one.predictions[:each, :signals]).astype(int).reshape(each, -1)
        for one in kinds.values()
    ]
    return {
        "kinds": list(kinds),
        "shares": percent,
        "truth": np.asarray(y[:signals]).argmax(-1),
    }


def by_size(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Show a score of ensembles by their size, the mean and its 95% interval.

    Parameters
    ----------
    frame : pandas.DataFrame
        The columns ``members``, ``seed`` and ``value``.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots()[1]
    found = {
        size: estimate(own.set_index("seed")["value"])
        for size, own in frame.groupby("members")
    }
    sizes = list(found)
    low, mean, high = (
        [getattr(one, part) for one in found.values()]
        for part in ("low", "value", "high")
    )
    ax.fill_between(sizes, low, high, color=PALETTE[0], alpha=0.2, linewidth=0)
    ax.plot(sizes, mean, "o-", color=PALETTE[0])
    ax.set_xticks(sizes)
    ax.set(xlabel="networks together", ylabel="")
    return ax

"""A drawing of what the usual optimizers have in common and what each of them adds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnperf_utils import plots
from nnperf_utils.optimizers import RULES, follow

__all__ = ["family", "race"]

_PLACES = {  # column and row
    "SGD": (0, 0),
    "momentum,\nNesterov": (1, 0),
    "Adagrad": (0, 1),
    "RMSprop": (0, 2),
    "Adam": (1, 2),
    "AdamW": (1, 3),
    "LAMB": (1, 4),
}
_ROWS = (
    "as it is",
    "over the root of the\nsum of squares",
    "over the root of a\nmean of squares",
    "and weights shrink",
    "and length set\nby the weights",
)
_COLUMNS = ("along this gradient", "along a mean\nof gradients")
_LINKS = [
    ((0.22, 0), (0.68, 0)),
    ((0, 0.25), (0, 0.72)),
    ((0, 1.25), (0, 1.72)),
    ((0.26, 2), (0.8, 2)),
    ((1, 2.25), (1, 2.72)),
    ((1.2, 2), (1.2, 3.9)),
]


def family(*, ax: Axes | None = None) -> Axes:
    """Draw the optimizers by what they step along and how they scale it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
    for column, text in enumerate(_COLUMNS):
        ax.text(column, -0.5, text, ha="center", va="bottom")
    for row, text in enumerate(_ROWS):
        ax.text(-0.4, row, text, ha="right", va="center")
    for name, (column, row) in _PLACES.items():
        box = {"boxstyle": "round,pad=0.4", "facecolor": "none", "linewidth": 1.6}
        box["edgecolor"] = plots.PALETTE[0 if row == 0 else 1]
        ax.text(column, row, name, ha="center", va="center", bbox=box)
    for start, end in _LINKS:
        look = {"arrowstyle": "->", "color": "0.5", "lw": 1.2}
        if abs(end[1] - start[1]) > 1:  # around what lies between
            look["connectionstyle"] = "arc3,rad=-0.4"
        ax.annotate("", end, start, arrowprops=look)
    ax.set(xlim=(-1.5, 1.6), ylim=(4.5, -1.1))
    ax.axis("off")
    return ax


_OWN = {"SGD": 1.26, "momentum": 1.0, "RMSprop": 0.1, "Adam": 0.63}


def race(one_rate: float = 0.01, steps: int = 60) -> Figure:
    """Draw what the lab "The race" shows, at one rate and each at its own.

    Parameters
    ----------
    one_rate : float
    steps : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, panels = plt.subplots(
        1, 2, figsize=(6.2, 2.8), sharey=True, layout="constrained"
    )
    for ax, own in zip(panels, (False, True), strict=True):
        ends = {}
        for color, (name, rate) in zip(plots.PALETTE, _OWN.items(), strict=False):
            losses = _descent(name, rate if own else one_rate, steps)
            ax.plot(losses, color=color)
            ends[name] = (np.log10(losses[-1]), color)
        height = -np.inf  # names beside the ends, pushed apart
        for name, (end, color) in sorted(ends.items(), key=lambda item: item[1][0]):
            height = max(end, height + 0.45)
            color = plots.text_color(color)
            ax.text(steps + 2, 10**height, name, color=color, va="center")
        title = "each at its own rate" if own else f"all at a rate of {one_rate:g}"
        ax.set_title(title, loc="left")
        ax.set(yscale="log", xlabel="step")
    panels[0].set_ylabel("loss")
    return figure


def _descent(name: str, rate: float, steps: int) -> list[float]:
    """Return the losses on the lab's valley, which lies askew to the two weights."""
    turn = np.deg2rad(35)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    curvature = axes @ np.diag([1.0, 0.03]) @ axes.T

    def loss(weights: list[np.ndarray], _: object = None) -> float:
        return float(0.5 * weights[0] @ curvature @ weights[0])

    start = [axes @ np.array([0.5, 1.6])]
    _, losses = follow(
        RULES[name],
        lambda _, w: [curvature @ w[0]],
        start,
        steps,
        rate=rate,
        watch=loss,
    )
    return [loss(start), *losses]

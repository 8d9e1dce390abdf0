"""A drawing of what the usual optimizers have in common and what each of them adds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnperf_utils import plots
from nnperf_utils.optimizers import RULES, follow

__all__ = ["family", "race"]

_PLACES = {
    "SGD": (0, 0),
    "momentum,\nNesterov": (1, 0),
    "Adagrad": (0, 1),
    "RMSprop": (0, 2),
    "Adam": (1, 2),
    "AdamW": (1, 3),
    "LAMB": (1, 4),
}
_HEADS = {
    0: "step as it is",
    1: "over the root of\nthe sum of squares",
    2: "over the root of\na mean of squares",
    3: "and weights\nshrink",
    4: "and length set\nby the weights",
}
_ROWS = {0: "this gradient", 1: "mean of\ngradients"}


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
        _, ax = plt.subplots(figsize=(8.6, 2.7), layout="constrained")
    for column, text in _HEADS.items():
        ax.text(column, -0.62, text, ha="center", va="bottom", fontsize=9)
    for row, text in _ROWS.items():
        ax.text(-0.62, row, text, ha="right", va="center", fontsize=9)
    for name, (row, column) in _PLACES.items():
        color = plots.PALETTE[0 if column == 0 else 1]
        ax.text(
            column,
            row,
            name,
            ha="center",
            va="center",
            fontsize=11,
            bbox={
                "boxstyle": "round,pad=0.45",
                "facecolor": "none",
                "edgecolor": color,
                "linewidth": 1.6,
            },
        )
    links = [((0, 0.26), (0, 0.68)), ((0.3, 0), (0.62, 0)), ((1.38, 0), (1.62, 0))]
    links += [((2, 0.26), (2, 0.74)), ((2.3, 1), (2.66, 1)), ((3.34, 1), (3.7, 1))]
    for start, end in links:
        ax.annotate(
            "", end, start, arrowprops={"arrowstyle": "->", "color": "0.5", "lw": 1.2}
        )
    ax.set(xlim=(-1.3, 4.6), ylim=(1.5, -1.35))
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
        1, 2, figsize=(8.6, 2.8), sharey=True, layout="constrained"
    )
    for ax, own in zip(panels, (False, True), strict=True):
        curves = {
            name: _descent(name, rate if own else one_rate, steps)
            for name, rate in _OWN.items()
        }
        table = pd.DataFrame(curves).rename_axis("step")
        plots.lines(table, log="y", ax=ax)
        title = "each at its own rate" if own else f"all at a rate of {one_rate:g}"
        ax.set_title(title, loc="left")
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

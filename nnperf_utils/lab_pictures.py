"""What a lab shows where no script runs: a picture, and what it says in words.

It is drawn from what the script begins with, or from the data that the lab is given. A
lab that is not in `PICTURES` needs a picture from its chapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from nnperf_utils import bowls, plots

__all__ = ["picture"]

# as in labs/bowl.js: insulin of twelve women in µU/ml, and their scores
_INSULIN = np.array([42, 54, 60, 71, 78, 85, 94, 110, 126, 148, 176, 102.0])
_SCORES = np.array([0.9, 1.4, 1.1, 1.6, 1.5, 2.1, 1.8, 2.4, 2.2, 2.9, 3.1, 1.9])
_BLUE, _ORANGE = plots.PALETTE[:2]
_DASHED = {"color": "0.3", "linestyle": "--", "linewidth": 1}


def picture(name: str, data: Any = None) -> tuple[Axes, str] | None:
    """Draw what stands for a lab where no script runs.

    Parameters
    ----------
    name : str
        Of the lab's script.
    data : DataFrame or mapping, optional
        What the lab is given.

    Returns
    -------
    tuple of (matplotlib.axes.Axes, str) or None
        The drawing and its alternative text, or None for a lab that has none here.

    Examples
    --------
    >>> ax, alt = picture("cliff")
    """
    return PICTURES[name](data) if name in PICTURES else None


def _axes(x: str, y: str) -> Axes:
    ax = plt.subplots(figsize=(5.6, 3))[1]
    ax.set(xlabel=x, ylabel=y)
    return ax


def _write(ax: Axes, x: float, y: float, text: str, color: str, **how: str) -> None:
    ax.text(x, y, text, color=plots.text_color(color), **how)


def _rescue_output(_: Any) -> tuple[Axes, str]:
    """Draw two losses behind a sigmoid, from a logit of −6 where the label is 1."""
    pulls = {
        "cross-entropy": (lambda p: 1 - p, _BLUE),
        "squared error": (lambda p: 2 * (1 - p) * p * (1 - p), _ORANGE),
    }
    ax = _axes("step", "answer of the network")
    ax.axhline(1, **_DASHED)
    ax.text(0, 1.02, "true label", color="0.3", va="bottom")
    ax.set_ylim(-0.03, 1.15)
    ends = []
    for loss, (pull, color) in pulls.items():
        z, answers = -6.0, []
        for _ in range(101):
            answers.append(1 / (1 + np.exp(-z)))
            z += pull(answers[-1])
        ax.plot(answers, color=color)
        below = answers[-1] > 0.5
        _write(
            ax,
            100,
            answers[-1] + (-0.04 if below else 0.04),
            loss,
            color,
            ha="right",
            va="top" if below else "bottom",
        )
        ends.append(f"with {loss} {answers[-1]:.2g}")
    return ax, (
        "The answer of a sigmoid over 100 steps, from a logit of −6, where the label "
        f"is 1. It ends {' and '.join(ends)}."
    )


def _twenty(data: Mapping[str, float]) -> tuple[Axes, str]:
    """Draw how one comparison comes out where B is one point better."""
    sd, accuracy, rows = float(data["sd"]), float(data["accuracy"]), 1000
    seen = stats.norm(1, 100 * np.sqrt(2 * (sd**2 + accuracy * (1 - accuracy) / rows)))
    x = np.linspace(*seen.ppf([1e-4, 1 - 1e-4]), 201)
    ax = _axes("measured: B minus A, in points of accuracy", "comparisons")
    ax.set_yticks([])
    wrong = seen.cdf(0)
    sides = (x <= 0, _ORANGE, "A looks better"), (x >= 0, _BLUE, "B looks better")
    for side, color, text in sides:
        ax.fill_between(x[side], seen.pdf(x[side]), color=color, alpha=0.5, linewidth=0)
        end, where = (x[0], "left") if color == _ORANGE else (x[-1], "right")
        _write(ax, end, seen.pdf(1), text, color, ha=where, va="top")
    ax.axvline(0, **_DASHED)
    return ax, (
        "What comparisons of one run each measure, on 1,000 rows, where B is one point "
        f"better: a bell around one point. {wrong:.0%} of it lies below zero, where A "
        "looks better."
    )


def _bowl(_: Any) -> tuple[Axes, str]:
    """Draw the bowl of a column as it is, and as z-scores."""
    axes = plt.subplots(1, 2, figsize=(5.6, 3))[1]
    columns = {"none": _INSULIN, "z-score": stats.zscore(_INSULIN)}
    round_ = []
    for ax, (scaler, x) in zip(axes, columns.items(), strict=True):
        design = np.column_stack([x, np.ones_like(x)])
        curvature = 2 * design.T @ design / len(x)
        lowest = np.linalg.solve(curvature, 2 * design.T @ _SCORES / len(x))
        bowl = bowls.Bowl(curvature, lowest, np.zeros((1, 2)))
        bowls.draw(bowl, ax=ax).set(xlabel="slope", ylabel="bias")
        round_.append(f"{bowl.condition_number:,.3g}")
        ax.set_title(f"scaler: {scaler}\nκ = {float(round_[-1]):,.0f}")
    return axes[0], (
        "Lines of equal loss over slope and bias, with the start (dot) and the lowest "
        "loss (cross). The column as it is: straight lines, a narrow valley, "
        f"κ = {float(round_[0]):,.0f}. As z-scores: circles, κ = {round_[1]}."
    )


def _cliff(_: Any) -> tuple[Axes, str]:
    """Draw the ground of the loss, and the direction of the first step."""
    w, u = np.meshgrid(np.linspace(0, 2, 81), np.linspace(-0.2, 1.04, 63))
    ax = _axes("w, eleven times", "u, once")
    height = np.log10((u * w**11 - 1) ** 2 + 1e-9)
    ax.contourf(w, u, height, levels=range(-1, 6), cmap="Greys", extend="both")
    start = np.array([1.4, 0.8])
    power = start[0] ** 11
    loss = (start[1] * power - 1) ** 2
    pull = 2 * (start[1] * power - 1) * np.array([start[1] * 11 * power / 1.4, power])
    end = start - 0.4 * pull / np.linalg.norm(pull)
    arrow = {"arrowstyle": "-|>", "color": _BLUE, "linewidth": 2}
    ax.annotate("", end, start, arrowprops=arrow)
    ax.plot(*start, "o", color=_ORANGE, markersize=9)
    ax.text(1.45, 0.8, "start", va="center", bbox={"facecolor": "white", "lw": 0})
    ax.grid(visible=False)
    return ax, (
        "The loss over w and u, darker where it is higher: a curved pale valley, and "
        "to its right a wall. The start, at w = 1.4 and u = 0.8, has a loss of "
        f"{loss:,.0f}; an arrow shows that the first step goes across the valley."
    )


def _stop_training(data: pd.DataFrame) -> tuple[Axes, str]:
    """Draw the losses of the first network."""
    curve = data[data["variant"] == data["variant"].iloc[0]].sort_values("epoch")
    ax = _axes("epoch", "loss")
    ax.locator_params(axis="x", integer=True)
    lines = {
        "train_loss": ("training", _BLUE),
        "validation_loss": ("validation", _ORANGE),
    }
    for column, (name, color) in lines.items():
        ax.plot(curve["epoch"], curve[column], color=color)
        end = curve.iloc[-1]
        _write(ax, end["epoch"], end[column], f" {name}", color, va="center")
    validation = curve.set_index("epoch")["validation_loss"]
    return ax, (
        f"The losses of one run over {len(curve)} epochs. In validation the loss is "
        f"lowest after epoch {validation.idxmin()}, {validation.min():.2g}, and ends "
        f"at {validation.iloc[-1]:.2g}; in training it ends at "
        f"{curve['train_loss'].iloc[-1]:.2g}."
    )


PICTURES: Mapping[str, Callable[[Any], tuple[Axes, str]]] = {
    "bowl": _bowl,
    "cliff": _cliff,
    "rescue_output": _rescue_output,
    "stop_training": _stop_training,
    "twenty": _twenty,
}

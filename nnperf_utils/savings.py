"""Pictures of what is saved, and the network whose weights the page rounds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nnperf_utils import plots
from nnperf_utils.plots import PALETTE, guide_line, text_color

__all__ = [
    "bits_lines",
    "draw_formats",
    "draw_model",
    "draw_steps",
    "frontier",
    "lab_network",
    "ratio_rows",
    "share_lines",
    "speed_lines",
    "throughput",
    "weight_bars",
]

_FORMATS = {  # bits of sign, exponent, fraction
    "float32": (1, 8, 23),
    "bfloat16": (1, 8, 7),
    "float16": (1, 5, 10),
    "int8": (1, 0, 7),
    "int4": (1, 0, 3),
}


def draw_formats() -> Axes:
    """Draw of how many bits a number is made, and for what, in five formats."""
    ax = plt.subplots(figsize=(6.4, 2.6))[1]
    colors = (PALETTE[2], PALETTE[1], PALETTE[0])
    for row, (name, bits) in enumerate(_FORMATS.items()):
        left = 0
        for color, count in zip(colors, bits, strict=True):
            for place in range(left, left + count):
                cell = Rectangle((place + 0.06, row - 0.34), 0.88, 0.68, color=color)
                ax.add_patch(cell)
            left += count
        ax.text(-0.6, row, name, ha="right", va="center")
        if not bits[1]:
            ax.text(left + 0.6, row, "times a scale that many share", va="center")
    for x, color, word, side in (
        (0.9, colors[0], "sign", "right"),
        (1.3, colors[1], "exponent: how large", "left"),
        (20, colors[2], "fraction: how exact", "center"),
    ):
        ax.text(x, -0.75, word, color=text_color(color), ha=side, va="center")
    ax.set(xlim=(-5.5, 33), ylim=(len(_FORMATS) - 0.4, -1.2))
    ax.axis("off")
    return ax


def draw_steps() -> Axes:
    """Draw what a training step is made of, and what each remedy makes shorter."""
    rows = {
        "one step": (4, 6, 0),
        "larger batch, per example": (1, 6, 0),
        "many steps a call": (1, 6, 0),
        "narrow numbers": (4, 3, 0),
        "two processes": (4, 3, 2.5),
    }
    parts = ("to begin a step", "to calculate", "to exchange")
    colors = ("0.72", PALETTE[0], PALETTE[1])
    ax = plt.subplots(figsize=(6.4, 2.6))[1]
    for row, widths in enumerate(rows.values()):
        left = 0.0
        for width, color in zip(widths, colors, strict=True):
            ax.barh(row, width, left=left, color=color, height=0.6)
            left += width
    for x, word, color in zip((2, 7, 10.6), parts, ("0.35", *colors[1:]), strict=True):
        ax.text(x, -0.62, word, ha="center", color=text_color(color))
    ax.set(yticks=range(len(rows)), yticklabels=[*rows], xticks=[], xlim=(0, 12.4))
    ax.set_ylim(len(rows) - 0.5, -1)
    ax.tick_params(length=0)
    for side in ("top", "right", "bottom", "left"):
        ax.spines[side].set_visible(False)
    return ax


def ratio_rows(ratios: Mapping[str, Sequence[float]]) -> Axes:
    """Show ratios, a row of points for each name, with their medians, from 1.

    Parameters
    ----------
    ratios : mapping of str to sequence of float
        Times or bytes, as multiples of what they are without a setting.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6.4, 0.5 * len(ratios) + 1))[1]
    spread = np.random.default_rng(0)
    for row, values in enumerate(ratios.values()):
        values = np.atleast_1d(np.asarray(values, float))
        middle = float(np.median(values))
        color = PALETTE[1] if middle > 1.02 else PALETTE[0]
        if len(values) > 1:
            heights = row + spread.uniform(-0.16, 0.16, len(values))
            ax.plot(values, heights, "o", color=color, alpha=0.35, markersize=4)
        ax.plot([middle] * 2, [row - 0.3, row + 0.3], color=color, linewidth=3)
        ax.annotate(
            f"{middle:.2f} times",
            (middle, row - 0.3),
            (0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=text_color(color),
            fontsize="small",
        )
    ax.set_xscale("log")
    ax.set(yticks=range(len(ratios)), yticklabels=[*ratios])
    ax.set_ylim(len(ratios) - 0.4, -0.8)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, 0.5), max(high, 2))
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10) if min(low, 0.5) <= t]
    ax.set_xticks([t for t in ticks if t <= max(high, 2)])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    ax.minorticks_off()
    guide_line(ax, "", x=1)
    return ax


def frontier(table: pd.DataFrame, labels: str = "form") -> Axes:
    """Show accuracy against bytes, a line for each network, a point for each form.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``network``, ``form``, ``kib``, and ``accuracy`` with a row for each
        seed.
    labels : str
        Column whose words stand beside the points.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6.4, 3.8))[1]
    marks = "osD^v"
    for place, (network, rows) in enumerate(table.groupby("network", sort=False)):
        color = PALETTE[place]
        points = rows.groupby(labels, sort=False).agg(
            kib=("kib", "median"),
            middle=("accuracy", "mean"),
            error=("accuracy", lambda a: 2 * a.std() / np.sqrt(len(a))),
        )
        points = points.sort_values("kib")
        ax.errorbar(
            points["kib"],
            points["middle"],
            points["error"],
            color=color,
            marker=marks[place],
            label=network,
            capsize=2,
            linewidth=1.2,
        )
        for word, point in points.iterrows():
            ax.annotate(
                word,
                (point["kib"], point["middle"]),
                (5, -11),
                textcoords="offset points",
                color=text_color(color),
                fontsize="small",
            )
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="KiB of weights", ylabel="test accuracy")
    ax.legend(loc="lower right", frameon=False, fontsize="small")
    return ax


def throughput(times: pd.DataFrame, steps: int) -> Axes:
    """Show how many examples a second are trained on, by batch size.

    Parameters
    ----------
    times : pandas.DataFrame
        Seconds of an epoch, a row for each repetition, columns by variant and batch
        size.
    steps : int
        Of an epoch.

    Returns
    -------
    matplotlib.axes.Axes
    """
    names = ["variant", "batch size"]
    columns = pd.MultiIndex.from_tuples(times.columns, names=names)
    rows = times.set_axis(columns, axis=1).stack(names, future_stack=True)
    rows = rows.rename("value").reset_index()
    rows["value"] = steps * rows["batch size"] / rows["value"]
    ax = plots.lines_by(rows, "batch size", log="y", evenly=True)
    ax.set_ylabel("examples a second\nof processor time")
    note = f"median and middle 90% of {len(times)} timings"
    ax.set_title(note, loc="left", fontsize="small")
    return ax


def draw_model(
    a: float, b: float, c: float, one: pd.DataFrame, two: pd.DataFrame
) -> Axes:
    """Show the work of each of two processes, as measured and by the cost model.

    Parameters
    ----------
    a, b, c : float
        Seconds of a step that are always there, for each example, for the exchange.
    one, two : pandas.DataFrame
        Seconds of a step of one process and of each of two, columns by batch size.

    Returns
    -------
    matplotlib.axes.Axes
    """
    sizes = np.array([16, 64, 256, 1024, 4096])
    law = pd.DataFrame(
        {"cost model": (a + b * sizes / 2 + c) / (a + b * sizes)},
        index=pd.Index(sizes, name="batch size"),
    )
    ax = plots.lines(law, log="x", dashed=["cost model"])
    for size in two.columns:
        low, middle, high = (two[size] / one[size]).quantile([0.05, 0.5, 0.95])
        ax.plot([size] * 2, [low, high], color=PALETTE[1])
        ax.plot(size, middle, "o", color=PALETTE[1])
    guide_line(ax, "half", y=0.5)
    ax.set(ylabel="work of each of two,\nof a single one's", ylim=(0.4, None))
    return ax


def speed_lines(speeds: pd.DataFrame) -> Axes:
    """Show how many times as fast some machines are, and n times for comparison.

    Parameters
    ----------
    speeds : pandas.DataFrame
        As `data_parallel.speeds` returns them.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plots.lines(speeds.assign(n=speeds.index), log="xy", dashed=["n"])
    ax.set_ylabel("times as fast")
    return ax


def bits_lines(
    by_bits: Mapping[int, pd.Series], by_engine: Mapping[str, pd.Series]
) -> Axes:
    """Show the accuracy that is lost by the bits of a weight, and that of engines.

    Parameters
    ----------
    by_bits : mapping of int to Series
        Differences of accuracies, by ``seed``.
    by_engine : mapping of str to Series
        The same of ``"int8"``, ``"int4"`` and ``"LiteRT"``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    table = 100 * pd.DataFrame(by_bits).rename_axis(columns="bits of a weight")
    rows = table.rename_axis("seed").stack().rename("value").reset_index()
    ax = plots.lines_by(rows.assign(variant="rounded"), "bits of a weight")
    places = {"int8": (8.1, -18, 10), "LiteRT": (7.9, -22, -20), "int4": (4, 4, -16)}
    for name, (bits, right, down) in places.items():
        at = bits, 100 * by_engine[name].median()
        ax.plot(*at, "X", color=PALETTE[1])
        ax.annotate(name, at, (right, down), textcoords="offset points")
    ax.set_ylabel("points of accuracy")
    return ax


def share_lines(scores: pd.DataFrame) -> Axes:
    """Show the accuracy that is lost by the share of the weights taken out.

    Parameters
    ----------
    scores : pandas.DataFrame
        Accuracies, a row for each seed and a column for each share; the first is 0.

    Returns
    -------
    matplotlib.axes.Axes
    """
    cost = 100 * scores.sub(scores[0], axis=0).rename_axis(columns="taken out")
    rows = cost.rename_axis("seed").stack().rename("value").reset_index()
    ax = plots.lines_by(rows.assign(variant="pruned"), "taken out", evenly=True)
    guide_line(ax, "", y=0)
    ax.set_ylabel("points of accuracy")
    return ax


def weight_bars(model: Any) -> Axes:
    """Draw how often a network's first layer has which weights."""
    ax = plt.subplots(figsize=(6, 2.4))[1]
    ax.hist(model.get_weights()[0].ravel(), bins=80, color=PALETTE[0])
    ax.set(xlabel="weight of the first layer", ylabel="how many")
    return ax


def lab_network(
    model: Any, x: np.ndarray, y: np.ndarray, rows: int = 650
) -> dict[str, Any]:
    """Return a network of one hidden layer and examples, as the lab takes them.

    Parameters
    ----------
    model : keras.Model
        Dense layers: ReLU, then the classes.
    x, y : numpy.ndarray
        Examples; their values are kept in 8 bits.
    rows : int
        How many of them.

    Returns
    -------
    dict
        ``sizes`` of inputs, units and classes; ``weights`` and biases, layer by layer,
        as float32 in base64; ``rows`` as bytes in base64, times ``scale``; ``labels``.
    """
    x, y = x[:rows], y[:rows]
    weights = model.get_weights()
    if [one.ndim for one in weights] != [2, 1, 2, 1]:
        raise ValueError(
            f"model must have two dense layers; its weights have the shapes "
            f"{[one.shape for one in weights]}."
        )
    scale = float(np.abs(x).max()) / 127
    flat = np.concatenate([one.ravel() for one in weights]).astype("<f4")

    def packed(array: np.ndarray) -> str:
        return base64.b64encode(array.tobytes()).decode()

    return {
        "sizes": [*weights[0].shape, weights[2].shape[1]],
        "weights": packed(flat),
        "rows": packed(np.round(x / scale).astype(np.int8)),
        "scale": scale,
        "labels": packed(y.astype(np.uint8)),
    }

"""The shapes of activations: what one can say of a function of a single number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.polynomial import hermite_e

from nnperf_utils.plots import PALETTE, text_color

__all__ = [
    "PROPERTIES",
    "curve",
    "curves_and_slopes",
    "depends_on_others",
    "property_table",
    "shape_of",
]

_STEP = 2e-3  # between the places at which a slope is taken
_REACH = 30.0  # beyond, nothing happens that one could see
_FAR = 300.0
_TURNED = PALETTE[1]

PROPERTIES = {
    "non-linear": "no straight line fits it",
    "smooth": "its slope has no jump",
    "monotonic": "it never falls",
    "bounded below": "far to the left it stays above some number",
    "bounded above": "far to the right it stays below some number",
    "zero-centred": "its mean is 0, to within 0.1, where its input is standard normal",
    "no saturation above": "its slope does not go to 0 on the right",
    "cannot die": "its slope is nowhere below a millionth, not even far to the left",
    "slope 1 at zero": "small inputs pass through with their size kept",
    "no exponential": "it is computed with comparisons, products and sums alone",
}
"""The ten properties, and how each is measured."""


def curve(activation: str | Callable, z: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return an activation and its slope at some places, in double precision.

    Parameters
    ----------
    activation : str or callable
        By Keras's name, or of a tensor.
    z : array_like
        The places.

    Returns
    -------
    values, slopes : numpy.ndarray
    """
    places = tf.constant(z, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(places)
        values = keras.activations.get(activation)(places)
    slopes = tape.gradient(values, places, unconnected_gradients="zero")
    return values.numpy(), slopes.numpy()


def shape_of(activation: str | Callable) -> pd.Series:
    """Measure which of the ten properties an activation has.

    Parameters
    ----------
    activation : str or callable
        As in :func:`curve`; it must work entry by entry.

    Returns
    -------
    pandas.Series of bool
        By the names of `PROPERTIES`.

    Raises
    ------
    ValueError
        If an output depends on more than one input, as softmax's do.
    """
    if depends_on_others(activation):
        raise ValueError(
            f"activation is {activation!r}, whose outputs depend on all inputs; "
            "expected one that works entry by entry."
        )
    z = np.arange(-_REACH, _REACH, _STEP)
    values, slopes = curve(activation, z)
    ends, _ = curve(activation, [-_FAR, -_REACH, _REACH, _FAR])
    line = np.polyval(np.polyfit(z, values, 1), z)
    nodes, weights = hermite_e.hermegauss(80)
    mean = curve(activation, nodes)[0] @ weights / math.sqrt(2 * math.pi)
    at_zero = curve(activation, [-1e-3, 1e-3])[1]
    found = {
        "non-linear": np.abs(values - line).max() > 1e-6,
        "smooth": np.abs(np.diff(slopes)).max() < 0.02,
        "monotonic": slopes.min() > -1e-9,
        "bounded below": ends[0] > ends[1] - 1,
        "bounded above": ends[3] < ends[2] + 1,
        "zero-centred": abs(mean) < 0.1,
        "no saturation above": abs(slopes[-1]) > 1e-3,
        "cannot die": np.abs(curve(activation, [-_REACH, _REACH])[1]).min() > 1e-6,
        "slope 1 at zero": np.abs(at_zero - 1).max() < 0.01,
        "no exponential": not _operations(activation) & _EXPONENTIAL,
    }
    return pd.Series(found, dtype=bool)[list(PROPERTIES)]


def depends_on_others(activation: str | Callable) -> bool:
    """Tell whether an output changes when another input does.

    Parameters
    ----------
    activation : str or callable
        As in :func:`curve`.

    Returns
    -------
    bool
    """
    outputs = curve(activation, [[0.5, 0.0], [0.5, 3.0]])[0]
    return bool(abs(outputs[0, 0] - outputs[1, 0]) > 1e-9)


_EXPONENTIAL = {"Exp", "Expm1", "Sigmoid", "Tanh", "Erf", "Erfc", "Softplus", "Elu"}
_EXPONENTIAL |= {"Selu", "Softmax", "Log", "Log1p"}


def _operations(activation: str | Callable) -> set[str]:
    """Return the kinds of TensorFlow's operations that compute an activation."""
    function = keras.activations.get(activation)
    traced = tf.function(lambda z: function(z), autograph=False)
    graph = traced.get_concrete_function(tf.TensorSpec([1, 4], tf.float32)).graph
    inner = graph.as_graph_def().library.function  # such as a gradient of its own
    nodes = [*graph.as_graph_def().node, *(n for f in inner for n in f.node_def)]
    return {node.op for node in nodes}


def curves_and_slopes(activations: Mapping[str, str | Callable]) -> list[Axes]:
    """Draw activations side by side, each with its slope.

    Parameters
    ----------
    activations : mapping
        By the name that stands above each.

    Returns
    -------
    list of matplotlib.axes.Axes
    """
    columns = (len(activations) + 1) // 2
    size = (2.2 * columns, 4.2)
    _, axes = plt.subplots(2, columns, figsize=size, sharex=True, sharey=True)
    z = np.linspace(-4, 4, 801)
    for ax, (name, activation) in zip(axes.flat, activations.items(), strict=False):
        values, slopes = curve(activation, z)
        ax.plot(z, values, color=PALETTE[0])
        ax.plot(z, slopes, color=PALETTE[1], linestyle=(0, (3, 2)))
        ax.set(title=name, ylim=(-1.3, 2.3), xticks=[-4, 0, 4])
    first = axes.flat[0]
    first.text(-3.9, 1.9, "output", color=text_color(PALETTE[0]))
    first.text(-3.9, 1.4, "slope (dashed)", color=text_color(PALETTE[1]))
    for ax in axes[-1]:
        ax.set_xlabel("sum $z$")
    for ax in axes.flat[len(activations) :]:
        ax.axis("off")
    return list(axes.flat[: len(activations)])


def property_table(measured: pd.DataFrame, printed: pd.DataFrame) -> Axes:
    """Draw measured cells, and frame those that are printed otherwise.

    Parameters
    ----------
    measured, printed : pandas.DataFrame
        True or false, missing where there is no answer; a row for each property and a
        column for each activation, the same in both.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if not (
        measured.index.equals(printed.index)
        and measured.columns.equals(printed.columns)
    ):
        raise ValueError("measured and printed must have the same rows and columns.")
    rows, columns = measured.shape
    _, ax = plt.subplots(figsize=(6.4, 0.42 * rows + 0.8))
    for row in range(rows):
        for column in range(columns):
            answer, said = measured.iat[row, column], printed.iat[row, column]
            open_ = pd.isna(answer)
            color = "#E3E3E3" if open_ else PALETTE[0] if answer else "white"
            style = {"facecolor": color, "edgecolor": "#9A9A9A", "linewidth": 0.8}
            ax.add_patch(Rectangle((column, row), 1, 1, **style))
            text = "–" if open_ else "yes" if answer else "no"
            ink = "white" if not open_ and answer else "#262626"
            ax.text(column + 0.5, row + 0.52, text, color=ink, ha="center", va="center")
            if not open_ and bool(answer) != bool(said):
                frame = {"fill": False, "edgecolor": _TURNED, "linewidth": 3.5}
                inset = (column + 0.06, row + 0.08)
                ax.add_patch(Rectangle(inset, 0.88, 0.84, zorder=3, **frame))
    ax.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05))
    ax.set_xticks(np.arange(columns) + 0.5, measured.columns)
    ax.set_yticks(np.arange(rows) + 0.5, measured.index)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax

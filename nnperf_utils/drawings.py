"""Drawings of what a chapter is about, in numbers that nobody has measured."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from nnperf_utils import plots

__all__ = ["what_is_averaged"]

_EXAMPLES, _UNITS = 4, 6


def what_is_averaged() -> np.ndarray:
    """Draw over which values batch and layer normalization take mean and variance.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
        One for each of the two.
    """
    _, axes = plt.subplots(1, 2, figsize=(6.4, 2.6))
    of_unit = {(row, 2) for row in range(_EXAMPLES)}
    of_example = {(1, column) for column in range(_UNITS)}
    panels = (
        ("batch: one unit, all examples", of_unit, plots.PALETTE[0]),
        ("layer: one example, all units", of_example, plots.PALETTE[1]),
    )
    for ax, (title, together, color) in zip(axes, panels, strict=True):
        for row in range(_EXAMPLES):
            for column in range(_UNITS):
                face = color if (row, column) in together else "none"
                box = plt.Rectangle(
                    (column, row), 0.9, 0.9, facecolor=face, edgecolor="0.4"
                )
                ax.add_patch(box)
        ax.set(title=title, xlabel="units →", ylabel="← examples of a batch")
        ax.set(xlim=(-0.1, _UNITS), ylim=(_EXAMPLES, -0.1), xticks=[], yticks=[])
        ax.set_aspect("equal")
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
    return axes

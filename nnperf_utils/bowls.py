"""The loss of a linear model as a bowl over its weights: how round, how long a way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from nnperf_utils import plots

__all__ = ["Bowl", "condition_number", "descend", "draw"]

_MOST_STEPS = 100_000


class Bowl(NamedTuple):
    """The squared loss of a linear unit, and gradient descent on it.

    Attributes
    ----------
    curvature : array of shape (columns, columns)
        The matrix of second derivatives.
    lowest : array of shape (columns,)
        The weights of the lowest loss.
    path : array of shape (steps + 1, columns)
        The weights at each step, the start first.
    """

    curvature: np.ndarray
    lowest: np.ndarray
    path: np.ndarray

    @property
    def condition_number(self) -> float:
        """The steepest curvature over the flattest."""
        return float(np.linalg.cond(self.curvature))

    @property
    def steps(self) -> int:
        """How many steps the path has."""
        return len(self.path) - 1


def condition_number(x: np.ndarray) -> float:
    """Return the condition number of a linear model's squared loss.

    Parameters
    ----------
    x : array of shape (examples, columns)
        The inputs. A column of ones is added, for the bias.

    Returns
    -------
    float
        The loss's steepest curvature over its flattest.
    """
    x = np.column_stack([np.asarray(x, float), np.ones(len(x))])
    return float(np.linalg.cond(x.T @ x / len(x)))


def descend(x: np.ndarray, y: np.ndarray, *, share: float = 0.01) -> Bowl:
    """Descend on a linear unit's mean squared error from zero, at the best rate.

    Parameters
    ----------
    x : array of shape (examples, columns)
        The inputs; there is no bias.
    y : array of shape (examples,)
        The targets.
    share : float
        Stop where this share of the starting distance to the lowest point is left.

    Returns
    -------
    Bowl

    Raises
    ------
    ValueError
        If columns depend on each other, so that there is no one lowest point, or if it
        takes more than 100,000 steps.
    """
    curvature = 2 * x.T @ x / len(x)
    sizes = np.linalg.eigvalsh(curvature)
    if sizes[0] < 1e-12 * sizes[-1]:
        raise ValueError("x must have columns that do not depend on each other.")
    rate = 2 / (sizes[0] + sizes[-1])
    lowest = np.linalg.solve(curvature, 2 * x.T @ y / len(x))
    path = [np.zeros(x.shape[1])]
    far = np.linalg.norm(lowest)
    while np.linalg.norm(path[-1] - lowest) > share * far:
        if len(path) > _MOST_STEPS:
            raise ValueError(f"x takes more than {_MOST_STEPS:,} steps; scale it.")
        path.append(path[-1] - rate * curvature @ (path[-1] - lowest))
    return Bowl(curvature, lowest, np.array(path))


def draw(bowl: Bowl, *, ax: Axes) -> Axes:
    """Draw lines of equal loss over two weights, and the path to the lowest point.

    Units are equal on both axes, so that the shape is true.

    Parameters
    ----------
    bowl : Bowl
        Of two columns.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    curvature, lowest, path = bowl
    reach = 1.25 * np.abs(path - lowest).max()
    side = np.linspace(-reach, reach, 101)
    places = np.stack(np.meshgrid(side, side), axis=-1)
    loss = np.einsum("...i,ij,...j->...", places, curvature, places)
    levels = loss.max() * np.linspace(0.05, 1, 8) ** 2
    ax.contour(side + lowest[0], side + lowest[1], loss, levels=levels, cmap="Greys_r")
    ax.plot(*path.T, "o-", markersize=3, linewidth=1, color=plots.PALETTE[1])
    ax.plot(*path[0], "o", markersize=7, color=plots.PALETTE[1])
    ax.plot(*lowest, "x", markersize=9, markeredgewidth=2, color=plots.PALETTE[0])
    ax.set_aspect("equal")
    ax.locator_params(nbins=4)
    ax.grid(visible=False)
    return ax

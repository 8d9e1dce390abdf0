"""Networks with one hidden layer in plain NumPy, many of them at once.

For looks into single updates, which are a few lines in NumPy. Weights are four arrays,
of the hidden layer and of the output, and their axes before the last two count
networks: by default the seeds, before them whatever broadcasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnperf_utils.seeds import shifted

__all__ = ["SmallNetworks"]

Weights = list[np.ndarray]


@dataclass(frozen=True)
class SmallNetworks:
    """Classifiers with one hidden layer of ReLU units, one for each seed.

    Attributes
    ----------
    x : array of shape (examples, columns)
    y : array of shape (examples,)
        Classes, counted from 0.
    units : int
        Of the hidden layer.
    batch_size : int or None
        Examples for an update, drawn in another order for each seed; None: all.
    seeds : int
        How many networks.
    """

    x: np.ndarray
    y: np.ndarray
    units: int = 16
    batch_size: int | None = None
    seeds: int = 20

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", np.asarray(self.x, np.float64))
        object.__setattr__(self, "y", np.asarray(self.y).astype(int).ravel())
        if self.x.ndim != 2 or len(self.x) != len(self.y):
            raise ValueError(
                f"x has the shape {self.x.shape} and y {self.y.shape}; expected a row "
                "of x for each of y."
            )
        size = self.batch_size
        if size is not None and (size < 1 or len(self.x) % size):
            raise ValueError(
                f"batch_size is {size}; expected a number that divides the "
                f"{len(self.x)} examples."
            )

    @property
    def outputs(self) -> int:
        """One for two classes, else one for each class."""
        classes = int(self.y.max()) + 1
        return 1 if classes == 2 else classes

    def start(self) -> Weights:
        """Return Glorot's uniform weights and biases of zero, for each seed."""

        def kernel(generator: np.random.Generator, rows: int, columns: int):
            reach = (6 / (rows + columns)) ** 0.5
            return generator.uniform(-reach, reach, (rows, columns))

        sizes = [(self.x.shape[1], self.units), (self.units, self.outputs)]
        drawn = [np.random.default_rng(shifted(seed)) for seed in range(self.seeds)]
        weights = []
        for size in sizes:
            weights += [
                np.stack([kernel(generator, *size) for generator in drawn]),
                np.zeros((self.seeds, 1, size[1])),
            ]
        return weights

    def batch(self, update: int) -> np.ndarray:
        """Return the rows of an update, counted from 0, for each seed."""
        if self.batch_size is None:
            return np.arange(len(self.x))[None]
        epoch, place = divmod(update, len(self.x) // self.batch_size)
        rows = [
            np.random.default_rng([shifted(seed), epoch]).permutation(len(self.x))
            for seed in range(self.seeds)
        ]
        first = place * self.batch_size
        return np.stack(rows)[:, first : first + self.batch_size]

    def gradient(self, update: int, weights: Weights) -> Weights:
        """Return the gradient of the mean cross-entropy over the batch of an update."""
        rows = self.batch(update)
        x, y = self.x[rows], self.y[rows]
        hidden, shown = self._passed(x, weights)
        back = (shown - self._targets(y)) / x.shape[-2]
        inner = (back @ weights[2].swapaxes(-1, -2)) * (hidden > 0)
        return [
            x.swapaxes(-1, -2) @ inner,
            inner.sum(axis=-2, keepdims=True),
            hidden.swapaxes(-1, -2) @ back,
            back.sum(axis=-2, keepdims=True),
        ]

    def loss(self, weights: Weights) -> np.ndarray:
        """Return the mean cross-entropy over all examples, for each network."""
        _, shown = self._passed(self.x, weights)
        targets = self._targets(self.y)
        tiny = np.finfo(float).tiny
        logs = targets * np.log(np.maximum(shown, tiny))
        if self.outputs == 1:
            logs = logs + (1 - targets) * np.log(np.maximum(1 - shown, tiny))
        return -logs.sum(axis=-1).mean(axis=-1)

    def _targets(self, y: np.ndarray) -> np.ndarray:
        if self.outputs == 1:
            return y[..., None].astype(float)
        return np.eye(self.outputs)[y]

    def _passed(self, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """Return what the hidden layer puts out, and the probabilities."""
        hidden = np.maximum(x @ weights[0] + weights[1], 0)
        sums = hidden @ weights[2] + weights[3]
        if self.outputs == 1:
            return hidden, 0.5 + 0.5 * np.tanh(0.5 * sums)
        powers = np.exp(sums - sums.max(axis=-1, keepdims=True))
        return hidden, powers / powers.sum(axis=-1, keepdims=True)

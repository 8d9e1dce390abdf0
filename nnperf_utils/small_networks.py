"""Networks with one hidden layer in plain NumPy, many of them at once.

For looks into single updates, which are a few lines in NumPy. Weights are four arrays,
of the hidden layer and of the output, and their axes before the last two count
networks: by default the seeds, before them whatever broadcasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnperf_utils.optimizers import Rule, follow
from nnperf_utils.seeds import shifted

__all__ = [
    "RareColumns",
    "SmallNetworks",
    "apart",
    "chosen_loss",
    "distance",
    "interaction",
    "losses_by_rate",
    "own_rates",
    "pulled",
]

Weights = list[np.ndarray]


@dataclass(frozen=True)
class SmallNetworks:
    """Classifiers with one hidden layer of ReLU units, one for each seed.

    Attributes
    ----------
    x : array of shape (examples, columns)
        In single precision all is computed in it, else in double.
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
        """Check the data."""
        x = np.asarray(self.x)
        kept = x if x.dtype == np.float32 else x.astype(np.float64)
        object.__setattr__(self, "x", kept)
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
        return [w.astype(self.x.dtype) for w in weights]

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
        tiny = np.finfo(self.x.dtype).tiny
        logs = targets * np.log(np.maximum(shown, tiny))
        if self.outputs == 1:
            logs = logs + (1 - targets) * np.log(np.maximum(1 - shown, tiny))
        return -logs.sum(axis=-1).mean(axis=-1)

    def _targets(self, y: np.ndarray) -> np.ndarray:
        if self.outputs == 1:
            return y[..., None].astype(self.x.dtype)
        return np.eye(self.outputs, dtype=self.x.dtype)[y]

    def _passed(self, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """Return what the hidden layer puts out, and the probabilities."""
        hidden = np.maximum(x @ weights[0] + weights[1], 0)
        sums = hidden @ weights[2] + weights[3]
        if self.outputs == 1:
            return hidden, 0.5 + 0.5 * np.tanh(0.5 * sums)
        powers = np.exp(sums - sums.max(axis=-1, keepdims=True))
        return hidden, powers / powers.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class RareColumns:
    """A logistic unit whose columns are rarely other than zero, one for each seed.

    Column k, counted from 1, is one in every 2k-th example and else zero. What it says
    about the class does not depend on how rare it is.
    """

    examples: int = 1000
    columns: int = 100
    batch_size: int = 50
    seeds: int = 20

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and labels, drawn for each seed."""
        often = 0.5 / np.arange(1, self.columns + 1)
        x, y = [], []
        for seed in range(self.seeds):
            generator = np.random.default_rng(shifted(seed))
            x.append(generator.random((self.examples, self.columns)) < often)
            sums = x[-1] @ generator.normal(0, 2, (self.columns, 1))
            chance = 0.5 + 0.5 * np.tanh(0.5 * sums)
            y.append(generator.random(sums.shape) < chance)
        return np.stack(x).astype(float), np.stack(y).astype(float)

    def start(self) -> Weights:
        """Return weights of zero."""
        return [np.zeros((self.seeds, self.columns, 1)), np.zeros((self.seeds, 1, 1))]

    def gradient(self, update: int, weights: Weights) -> Weights:
        """Return the gradient of the mean cross-entropy over the batch of an update."""
        x, y = self.data
        first = update * self.batch_size % self.examples
        rows = slice(first, first + self.batch_size)
        sums = x[:, rows] @ weights[0] + weights[1]
        back = (0.5 + 0.5 * np.tanh(0.5 * sums) - y[:, rows]) / self.batch_size
        return [x[:, rows].swapaxes(-1, -2) @ back, back.sum(axis=-2, keepdims=True)]

    def loss(self, weights: Weights) -> np.ndarray:
        """Return the mean cross-entropy over all examples, for each seed."""
        x, y = self.data
        sums = x @ weights[0] + weights[1]
        return (np.logaddexp(0, sums) - y * sums).mean(axis=(-2, -1))


# --------------------------------------------------------------------------------------
# Trainings
# --------------------------------------------------------------------------------------


def losses_by_rate(
    nets: SmallNetworks | RareColumns,
    rule: Rule,
    rates: Sequence[float],
    at: Sequence[int],
    **options: Any,
) -> dict[int, pd.DataFrame]:
    """Train at several rates, and tell the loss after some of the updates.

    Parameters
    ----------
    nets : SmallNetworks or RareColumns
    rule : callable
        One of `nnperf_utils.optimizers.RULES`.
    rates : sequence of float
    at : sequence of int
        After which updates; the last of them ends the training.
    **options
        Of the rule.

    Returns
    -------
    dict of int to DataFrame
        For each of `at` a row for each seed and a column for each rate; infinite where
        a run has diverged.
    """
    done = iter(range(1, max(at) + 1))

    def watch(weights: Weights, states: list) -> np.ndarray | None:
        return nets.loss(weights) if next(done) in at else None

    options |= {"rate": np.array(rates)[:, None, None, None], "watch": watch}
    with np.errstate(all="ignore"):
        seen = follow(rule, nets.gradient, nets.start(), max(at), **options)[1]
    tables = {}
    for update in at:
        losses = np.where(np.isfinite(seen[update - 1]), seen[update - 1], np.inf)
        tables[update] = pd.DataFrame(losses.T, columns=list(rates)).rename_axis("seed")
    return tables


def own_rates(
    nets: SmallNetworks, rule: Rule, power: str, *, updates: int = 200, **options: Any
) -> pd.DataFrame:
    """Tell what an optimizer multiplies gradients by, against its tenth update.

    Parameters
    ----------
    nets : SmallNetworks
    rule : callable
        That divides by the root of a power of the gradient which it keeps.
    power : str
        What that is called in its state.
    updates : int
        A multiple of ten.
    **options
        Of the rule.

    Returns
    -------
    pandas.DataFrame
        ``update, seed, value``, every tenth update; the value is the median over the
        weights.
    """

    def watch(weights: Weights, states: list) -> np.ndarray:
        every = [state[power].reshape(nets.seeds, -1) for state in states]
        return 1 / np.sqrt(np.concatenate(every, axis=1) + 1e-7)

    options |= {"watch": watch}
    seen = follow(rule, nets.gradient, nets.start(), updates, **options)[1]
    rows = {
        update: np.median(seen[update - 1] / seen[9], axis=1)
        for update in range(10, updates + 1, 10)
    }
    table = pd.DataFrame(rows).rename_axis("seed").rename_axis(columns="update")
    return table.stack().rename("value").reset_index()


def pulled(
    nets: SmallNetworks,
    rule: Rule,
    updates: int = 200,
    *,
    rate: Any,
    penalty: Any = 0.0,
    decay: Any = 0.0,
) -> Weights:
    """Train while the weights are pulled to zero, by a penalty or by decay.

    Parameters
    ----------
    nets : SmallNetworks
    rule : callable
    updates : int
    rate : float or array
    penalty : float or array
        How many times the weights are added to the gradient.
    decay : float or array
        How many times the rate's share of the weights is taken off before the step.

    Returns
    -------
    list of array
    """

    def gradient(update: int, weights: Weights) -> Weights:
        slopes = nets.gradient(update, weights)
        return [g + penalty * w for g, w in zip(slopes, weights, strict=True)]

    def decayed(w: np.ndarray, g: np.ndarray, state: dict, rate: Any) -> np.ndarray:
        return rule(w - rate * decay * w, g, state, rate=rate)

    return follow(decayed, gradient, nets.start(), updates, rate=rate)[0]


def chosen_loss(
    weights: Weights,
    choosing: tuple[np.ndarray, np.ndarray],
    testing: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Choose among several trainings on one part, and tell the loss on another.

    Parameters
    ----------
    weights : list of array
        The axes before that of the seeds count what there is to choose from.
    choosing, testing : (array, array)
        Inputs and classes.

    Returns
    -------
    array of shape (seeds,)
        The test losses of the choice with the lowest mean loss on the first part.
    """
    means = SmallNetworks(*choosing).loss(weights).mean(axis=-1)
    best = np.unravel_index(means.argmin(), means.shape)
    return SmallNetworks(*testing).loss(weights)[best]


def distance(one: Weights, other: Weights) -> np.ndarray:
    """Return how far two sets of weights lie apart, for each network."""
    pairs = zip(one, other, strict=True)
    return sum(((a - b) ** 2).sum(axis=(-2, -1)) for a, b in pairs) ** 0.5


# --------------------------------------------------------------------------------------
# How weights depend on each other
# --------------------------------------------------------------------------------------


def _flat(arrays: Weights) -> np.ndarray:
    """Lay the arrays of each network end to end."""
    return np.concatenate([a.reshape(*a.shape[:-2], -1) for a in arrays], axis=-1)


def _unflat(flat: np.ndarray, like: Weights) -> Weights:
    shapes = [a.shape[-2:] for a in like]
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    parts = np.split(flat, cuts, axis=-1)
    return [
        p.reshape(*p.shape[:-1], *shape) for p, shape in zip(parts, shapes, strict=True)
    ]


def apart(nets: SmallNetworks, weights: Weights, step: float = 1e-6) -> np.ndarray:
    """Return the share of the Hessian off its diagonal, for each seed.

    Parameters
    ----------
    nets : SmallNetworks
        Whose batch is all examples.
    weights : list of array
    step : float
        Of the difference quotient of the gradient.

    Returns
    -------
    array of shape (seeds,)
        The sum of the squares of the second derivatives by two different weights, over
        that of all.
    """
    nets = replace(nets, x=nets.x.astype(np.float64))
    flat = _flat([w.astype(np.float64) for w in weights])
    moves = step * np.eye(flat.shape[-1])[:, None]
    ahead, behind = (
        _flat(nets.gradient(0, _unflat(flat + sign * moves, weights)))
        for sign in (1, -1)
    )
    squares = ((ahead - behind) / (2 * step)) ** 2  # weight, seed, weight
    own = np.einsum("isi->s", squares)
    return 1 - own / squares.sum(axis=(0, 2))


def interaction(
    nets: SmallNetworks, weights: Weights, reach: float = 2.0, places: int = 9
) -> dict[str, np.ndarray]:
    """Set each weight to what is best while the others stay.

    Parameters
    ----------
    nets : SmallNetworks
        Their loss over all examples is what counts.
    weights : list of array
    reach : float
        How far a weight may move.
    places : int
        How many places are tried on either side, closer together near the weight.

    Returns
    -------
    dict of str to array of shape (seeds,)
        By how much the loss falls: ``"alone"``, the sum over the weights of what each
        gains alone; ``"together"``, with all of them set at once; ``"in turn"``, with
        one set after the other, each to what is best then.
    """
    nets = replace(nets, x=nets.x.astype(np.float64))
    weights = [w.astype(np.float64) for w in weights]
    away = np.geomspace(reach / 200, reach, places)
    offsets = np.concatenate([-away[::-1], [0.0], away])
    start = _flat(weights)
    before = nets.loss(weights)

    def best(flat: np.ndarray, weight: int) -> tuple[np.ndarray, np.ndarray]:
        moved = np.repeat(flat[None], len(offsets), axis=0)
        moved[..., weight] += offsets[:, None]
        losses = nets.loss(_unflat(moved, weights))
        return offsets[losses.argmin(axis=0)], losses.min(axis=0)

    together, turned = start.copy(), start.copy()
    alone = np.zeros(len(before))
    for weight in range(start.shape[-1]):
        move, loss = best(start, weight)
        together[:, weight] += move
        alone += before - loss
        turned[:, weight] += best(turned, weight)[0]
    return {
        "alone": alone,
        "together": before - nets.loss(_unflat(together, weights)),
        "in turn": before - nets.loss(_unflat(turned, weights)),
    }

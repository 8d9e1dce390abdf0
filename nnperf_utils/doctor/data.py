"""The rows that a training is about: brought into arrays, counted, and judged.

Everything here looks at arrays alone and needs no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

__all__ = [
    "Part",
    "Target",
    "as_judged",
    "describe_target",
    "distances",
    "duplicates",
    "near_copies",
    "part_of",
]

FEW = 64  # more distinct whole numbers than these are no classes
_SEED = 20_240


@dataclass(frozen=True)
class Part:
    """Some rows: the inputs, one array each, and the targets of each output.

    ``structure`` packs the inputs as the network takes them.
    """

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    structure: Any
    target_structure: Any
    sample_weight: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.inputs[0])

    def rows(self, index: np.ndarray) -> Part:
        """Return some of the rows."""
        weight = self.sample_weight
        return Part(
            [a[index] for a in self.inputs],
            [a[index] for a in self.targets],
            self.structure,
            self.target_structure,
            None if weight is None else weight[index],
        )

    def sample(self, most: int) -> Part:
        """Return at most so many rows, the same each time, in their order."""
        return self.rows(self.sampled(most))

    def sampled(self, most: int) -> np.ndarray:
        """Return the positions of the rows that `sample` takes."""
        if len(self) <= most:
            return np.arange(len(self))
        drawn = np.random.default_rng(_SEED).choice(len(self), most, replace=False)
        return np.sort(drawn)

    @property
    def x(self) -> Any:
        """The inputs as the network takes them."""
        return keras.tree.pack_sequence_as(self.structure, self.inputs)

    @property
    def y(self) -> Any:
        """The targets as the network takes them."""
        return keras.tree.pack_sequence_as(self.target_structure, self.targets)

    def flat(self) -> np.ndarray:
        """Return all inputs side by side, one row an example, as numbers."""
        columns = [a.reshape(len(a), -1) for a in self.inputs if a.dtype.kind in "fiub"]
        if not columns:
            return np.zeros((len(self), 0), "float32")
        return np.concatenate(columns, axis=1).astype("float32", copy=False)


def part_of(x: Any, y: Any, sample_weight: Any = None) -> Part | None:
    """Return inputs and targets as arrays; None where they are no arrays.

    Generators, ``tf.data`` and the like are not touched: whoever draws from them
    changes what the training sees.
    """
    inputs, structure = _arrays(x)
    if inputs is None or not inputs:
        return None
    targets, target_structure = _arrays(y) if y is not None else ([], [])
    if targets is None:
        return None
    counts = {len(a) for a in [*inputs, *targets]}
    if len(counts) != 1 or 0 in counts:
        return None
    weight = None
    if sample_weight is not None and np.ndim(sample_weight) == 1:
        weight = np.asarray(sample_weight)
    return Part(inputs, targets, structure, target_structure, weight)


def _arrays(nest: Any) -> tuple[list[np.ndarray] | None, Any]:
    if isinstance(nest, (pd.DataFrame, pd.Series)):
        nest = nest.to_numpy()
    if isinstance(nest, list) and nest and np.ndim(nest[0]) == 0:
        nest = np.asarray(nest)
    if isinstance(nest, Mapping):
        nest = dict(nest)
    if isinstance(nest, (list, tuple, dict)):
        leaves = keras.tree.flatten(nest)
    else:
        leaves = [nest]
    arrays = []
    for leaf in leaves:
        if isinstance(leaf, (pd.DataFrame, pd.Series)):
            leaf = leaf.to_numpy()
        if not (isinstance(leaf, np.ndarray) or _is_tensor(leaf)):
            return None, None
        arrays.append(np.asarray(leaf))
    if any(a.ndim == 0 for a in arrays):
        return None, None
    return arrays, nest


def _is_tensor(leaf: Any) -> bool:
    return keras.ops.is_tensor(leaf) and hasattr(leaf, "numpy")


# --- targets -------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What the targets of one output look like.

    Attributes
    ----------
    kind : str
        ``binary``, ``multiclass``, ``multilabel``, ``regression``, ``sequence`` (a
        class at each place) or ``text``.
    labels : numpy.ndarray or None
        Of classes, the class of each row, counted from 0 in the order of `values`.
    values : numpy.ndarray
        The distinct values, or the positions of a one-hot coding.
    coding : str
        ``whole``, ``one-hot``, ``multi-hot``, ``number`` or ``text``.
    """

    kind: str
    labels: np.ndarray | None
    values: np.ndarray
    coding: str

    @property
    def classes(self) -> int:
        """Number of classes; 0 of numbers."""
        return 0 if self.labels is None else len(self.values)


def describe_target(y: np.ndarray) -> Target:
    """Tell what a target is by its values alone."""
    if y.dtype.kind in "OSU":
        values, labels = np.unique(y.astype(str).ravel(), return_inverse=True)
        return Target("text", labels[: len(y)], values, "text")
    if y.ndim > 1 and y.shape[-1] == 1:
        y = y.reshape(y.shape[:-1])
    y = y.astype("float64")
    finite = y[np.isfinite(y)]
    if y.ndim == 1:
        values = np.unique(finite)
        whole = len(finite) > 0 and np.array_equal(finite, np.round(finite))
        few = len(values) <= min(FEW, max(2, len(y) // 5)) and np.ptp(values) < 1000
        if len(values) < 2 or not (whole and few):
            return Target("regression", None, values[:0], "number")
        labels = np.searchsorted(values, np.nan_to_num(y, nan=values[0]))
        labels = np.clip(labels, 0, len(values) - 1)
        kind = "binary" if len(values) == 2 else "multiclass"
        return Target(kind, labels, values, "whole")
    bits = len(finite) > 0 and np.isin(finite, (0, 1)).all()
    if y.ndim == 2 and bits:
        if np.isfinite(y).all() and (y.sum(axis=1) == 1).all():
            kind = "binary" if y.shape[1] == 2 else "multiclass"
            return Target(kind, y.argmax(axis=1), np.arange(y.shape[1]), "one-hot")
        return Target("multilabel", None, np.arange(y.shape[1]), "multi-hot")
    if y.ndim == 2 and (finite >= 0).all() and np.allclose(y.sum(axis=1), 1, atol=1e-3):
        # soft labels, smoothed or mixed
        values = np.arange(y.shape[1])
        return Target("multiclass", y.argmax(axis=1), values, "one-hot")
    return Target("regression", None, np.zeros(0), "number")


def as_judged(target: Target, y: np.ndarray, loss: str, activation: str) -> Target:
    """Return what a target is to the loss that judges it.

    Whole numbers are counts, and no classes, to a Poisson loss and to an output that
    grows without end; rows of them are a class at each place to
    ``sparse_categorical_crossentropy``.
    """
    whole = target.coding == "whole" and target.kind == "multiclass"
    if whole and (loss == "poisson" or activation in ("exponential", "softplus")):
        return Target("regression", None, np.zeros(0), "number")
    if loss == "sparse_categorical_crossentropy" and y.dtype.kind in "fiub":
        places = y.ndim > 2 or (y.ndim == 2 and y.shape[1] > 1)
        one_hot = target.coding == "one-hot"
        if places and not one_hot and np.array_equal(y, np.round(y)):
            return Target("sequence", None, np.unique(y), "whole")
    return target


# --- rows and columns ----------------------------------------------------------------


def duplicates(train: np.ndarray, validation: np.ndarray) -> float:
    """Return the share of validation rows that stand among the training rows.

    Rows that are equal for want of detail (few columns, few values) are no copies:
    where there is so little of it that rows may well agree by chance, the share within
    the training rows is taken off.
    """
    if not train.shape[1] or train.shape[1:] != validation.shape[1:]:
        return 0.0
    # projected on two random directions: equal rows fall on equal points
    directions = np.random.default_rng(_SEED).standard_normal((train.shape[1], 2))
    scale = np.maximum(np.nan_to_num(train.astype("float64")).std(axis=0), 1e-9)
    first, second = (
        pd.MultiIndex.from_arrays(
            np.round(np.nan_to_num(part.astype("float64")) / scale @ directions, 6).T
        )
        for part in (train, validation)
    )
    shared = float(second.isin(first).mean())
    if _bits(train) > 2 * np.log2(len(train)) + 7:
        return shared  # copies within the training rows are copies, too
    within = float(first.duplicated(keep=False).mean())
    return max(0.0, shared - within)


def _bits(rows: np.ndarray) -> float:
    """Return the sum of the columns' entropies, in bits."""
    total = 0.0
    for column in rows[:2000].T[:200]:
        share = np.unique(column, return_counts=True)[1] / len(rows[:2000])
        total -= float((share * np.log2(share)).sum())
    return total


def near_copies(train: np.ndarray, validation: np.ndarray) -> float:
    """Return the share of validation rows that are all but equal to a training row.

    Of each, the distance to the nearest training row is compared with what the
    distances to farther ones let expect: among rows scattered in `m` dimensions the
    k-th nearest is about ``k ** (1 / m)`` times as far as the first. A row nearer than
    a quarter of that is taken for a copy that was changed a little; those that chance
    brings as near are taken off. In fewer than three dimensions nothing can be told,
    nor of columns of few values.
    """
    fine = [len(np.unique(column)) > 10 for column in train[:500].T]
    if sum(fine) < 3 or len(train) < 100 or len(validation) < 20:
        return 0.0
    a, b = (
        np.nan_to_num(part[:, fine]).astype("float32") for part in (train, validation)
    )
    a, b = a[:5000], b[:: max(1, len(b) // 300)]
    scale = np.maximum(a.std(axis=0), 1e-6 + 1e-3 * a.std())
    a, b = a / scale, b / scale
    squared = (b**2).sum(axis=1)[:, None] + (a**2).sum(axis=1) - 2 * b @ a.T
    distance = np.sqrt(np.sort(np.maximum(squared, 0), axis=1))
    near, far = max(2, len(a) // 20), len(a) // 4
    with np.errstate(all="ignore"):
        spread = np.log(distance[:, far - 1] / distance[:, near - 1])
        dimensions = float(np.nanmedian(np.log(far / near) / spread))
        expected = distance[:, near - 1] * near ** (-1 / dimensions)
    if not dimensions >= 3:
        return 0.0
    close = (distance[:, 0] < expected / 4) & (expected > 0)
    return max(0.0, float(close.mean()) - 4.0**-dimensions)


def distances(train: np.ndarray, validation: np.ndarray) -> pd.DataFrame:
    """Compare each column of two parts: shift of the mean and quotient of the spreads.

    Returns
    -------
    pandas.DataFrame
        Columns ``column, shift, surplus, spread``: the shift in standard deviations
        of the two parts pooled, and its multiple of what chance would do; the log2 of
        the quotient of the spreads.
    """
    a, b = (np.nan_to_num(part.astype("float64")) for part in (train, validation))
    shift = b.mean(axis=0) - a.mean(axis=0)
    spread_a, spread_b = a.std(axis=0), b.std(axis=0)
    pooled = np.sqrt((spread_a**2 + spread_b**2) / 2)
    floor = 1e-9 + 1e-6 * np.abs(a).max(initial=0)
    by = np.maximum(pooled, floor)
    error = by * np.sqrt(1 / len(a) + 1 / len(b))
    moved = (spread_a > floor) | (spread_b > floor)
    ratio = np.log2(np.maximum(spread_b, floor) / np.maximum(spread_a, floor))
    return pd.DataFrame(
        {
            "column": np.arange(a.shape[1]),
            "shift": shift / by,
            "surplus": np.abs(shift) / error,
            "spread": np.where(moved, ratio, 0.0),
        }
    )


def rarest(labels: np.ndarray, classes: int) -> tuple[int, float]:
    """Return the rarest class and how often the commonest outnumbers it."""
    counts = np.bincount(labels, minlength=classes)
    present = np.flatnonzero(counts)
    rare = int(present[np.argmin(counts[present])])
    return rare, float(counts.max() / counts[rare])

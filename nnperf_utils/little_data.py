"""Little data: a few examples of each class, some classes of many, waves to learn from.

What the chapter on transfer trains its networks on, and the network that it trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nnperf_utils.datasets import Dataset
from nnperf_utils.models import Temperature
from nnperf_utils.seeds import shifted

__all__ = [
    "BODY",
    "bootstraps",
    "few_of_each",
    "few_tables",
    "first_rows",
    "halved",
    "image_network",
    "load_waves",
    "network",
    "of_classes",
    "one_start",
    "with_unlabelled",
]

BODY = ("first", "second", "third")
"""The layers below the head, by name."""

_FREQUENCIES = (1.0, 1.7, 2.6, 3.8, 5.5)  # cycles in a signal
_LENGTH = 40
# What was said of the data whose part it is.
_DERIVED: dict[str, Any] = {"scaler": None, "imputer": None, "rows": None}


def halved(h: Any, units: int, name: str, neighbours: int = 0) -> Any:
    """Apply a convolution whose filters step on by two positions, with ReLU.

    It is ``Conv1D(units, 2 + 4 * neighbours, strides=2)`` on an even number of
    positions, written as a dense layer that all windows share. As a matrix product it
    takes a fraction of the time where many networks are trained at once.

    Parameters
    ----------
    h : keras tensor, shape (examples, positions, channels)
    units : int
        Filters.
    name : str
        Of the dense layer.
    neighbours : int
        Pairs of positions that a filter sees on either side of its own, zeros beyond
        the ends.

    Returns
    -------
    keras tensor, shape (examples, positions / 2, units)
    """
    positions, channels = h.shape[1:]
    if positions % 2:
        raise ValueError(f"h has {positions} positions; expected an even number.")
    h = keras.layers.Reshape((positions // 2, 2 * channels))(h)
    if neighbours:
        padded = keras.layers.ZeroPadding1D(neighbours)(h)
        last = 2 * neighbours
        h = keras.layers.Concatenate()(
            [keras.layers.Cropping1D((k, last - k))(padded) for k in range(last + 1)]
        )
    return keras.layers.Dense(units, "relu", name=name)(h)


def network(
    data: Dataset,
    learning_rate: float,
    *,
    updates: int,
    units: int = 10,
    reach: int = 1,
    dropout: float = 0.0,
    temperature: float = 1.0,
    frozen: bool = False,
) -> keras.Model:
    """Build a small convolutional network for signals, compiled.

    Three layers of `halved`, with ``units`` filters each, and a softmax; Adam with a
    rate that falls to zero along half a cosine.

    Parameters
    ----------
    data : Dataset
        Signals of a length that can be halved three times, with shares of each class
        as labels (``data.one_hot()``).
    learning_rate : float
        At the start.
    updates : int
        After which the rate is zero.
    units : int
        Filters of each layer.
    reach : int
        What a filter of the first layer sees: 2 + 4 * `reach` values.
    dropout : float
        Rate, after each of the three layers.
    temperature : float
        By which the logits are divided.
    frozen : bool
        Whether the three layers keep their weights.

    Returns
    -------
    keras.Model
        With the layers ``first``, ``second``, ``third`` and ``head``.
    """
    h = inputs = keras.Input(data.input_shape)
    for place, name in enumerate(BODY):
        h = halved(h, units, name, neighbours=0 if place else reach)
        if dropout:
            h = keras.layers.Dropout(dropout)(h)
    h = keras.layers.Dense(data.output_units, name="head")(keras.layers.Flatten()(h))
    h = Temperature(temperature)(h)
    model = keras.Model(inputs, keras.layers.Softmax()(h))
    for name in BODY if frozen else ():
        model.get_layer(name).trainable = False
    return _compiled(model, learning_rate, updates)


def one_start(build: Callable[[], keras.Model], seeds: Iterable[int]) -> dict:
    """Return the same starting weights for all seeds.

    Parameters
    ----------
    build : callable
        Returns the network; what it draws follows from seed 0.
    seeds : iterable of int

    Returns
    -------
    dict
        As `replicate` takes it for `start`.
    """
    keras.utils.set_random_seed(shifted(0))
    layers = [layer for layer in build().layers if layer.weights]
    drawn = {layer.name: layer.get_weights() for layer in layers}
    return dict.fromkeys(seeds, drawn)


def bootstraps(data: Dataset, count: int) -> list[Dataset]:
    """Return the data with bootstrap samples of the training part.

    Parameters
    ----------
    data : Dataset
    count : int

    Returns
    -------
    list of Dataset
        Each has as many training examples, drawn with replacement.
    """
    drawn, n = [], len(data.train[1])
    for sample in range(count):
        rows = np.random.default_rng(shifted([n, sample])).integers(n, size=n)
        train = tuple(part[rows] for part in data.train)
        drawn.append(replace(data, train=train, **_DERIVED))
    return drawn


def with_unlabelled(data: Dataset, x: np.ndarray) -> Dataset:
    """Return the data with further training inputs, whose labels are all zero.

    Parameters
    ----------
    data : Dataset
        With shares of each class as labels.
    x : numpy.ndarray, shape (n, ...)

    Returns
    -------
    Dataset
    """
    known, y = data.train
    if not data.is_one_hot:
        raise ValueError("the data have classes as labels; take data.one_hot().")
    zeros = np.zeros((len(x), y.shape[1]), y.dtype)
    train = np.concatenate([known, x]), np.concatenate([y, zeros])
    return replace(data, train=train, **_DERIVED)


def image_network(
    data: Dataset, learning_rate: float, *, updates: int, units: int = 32
) -> keras.Model:
    """Build a small dense network for images, compiled.

    Parameters
    ----------
    data : Dataset
        With shares of each class as labels.
    learning_rate, updates
        As of `network`.
    units : int
        Of each of two hidden layers.

    Returns
    -------
    keras.Model
        With the layers ``first``, ``second`` and ``head``.
    """
    h = inputs = keras.Input(data.input_shape)
    h = keras.layers.Flatten()(h)
    for name in BODY[:2]:
        h = keras.layers.Dense(units, "relu", name=name)(h)
    outputs = keras.layers.Dense(data.output_units, "softmax", name="head")(h)
    return _compiled(keras.Model(inputs, outputs), learning_rate, updates)


def _compiled(model: keras.Model, learning_rate: float, updates: int) -> keras.Model:
    falling = keras.optimizers.schedules.CosineDecay(learning_rate, updates)
    model.compile(
        keras.optimizers.Adam(falling),
        "categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def of_classes(data: Dataset, classes: Sequence[int]) -> Dataset:
    """Return the examples of some classes, which count from 0 in their order.

    Parameters
    ----------
    data : Dataset
        With classes as labels.
    classes : sequence of int

    Returns
    -------
    Dataset
    """
    classes = list(classes)
    unknown = [c for c in classes if not 0 <= c < data.output_units]
    if unknown or len(set(classes)) < len(classes) or len(classes) < 2:
        raise ValueError(
            f"classes are {classes}; expected two or more different ones of 0 to "
            f"{data.output_units - 1}."
        )
    number = np.full(data.output_units, -1)
    number[classes] = np.arange(len(classes))

    def taken(part: tuple | None) -> tuple | None:
        if part is None:
            return None
        kept = np.isin(part[1], classes)
        return part[0][kept], number[part[1][kept]]

    names = tuple(data.class_names[c] for c in classes) if data.class_names else ()
    parts = {name: taken(getattr(data, name)) for name in ("train", "validation")}
    return replace(data, **parts, test=taken(data.test), class_names=names, **_DERIVED)


def first_rows(data: Dataset, train: int, validation: int) -> Dataset:
    """Return the data with the first rows only of training and validation part.

    Parameters
    ----------
    data : Dataset
    train, validation : int
        How many of each.

    Returns
    -------
    Dataset
        With the test part as it is.
    """
    parts = {}
    for name, count in {"train": train, "validation": validation}.items():
        x, y = getattr(data, name)
        if not 1 <= count <= len(y):
            raise ValueError(
                f"{name} is {count}; expected a number from 1 to {len(y)}."
            )
        parts[name] = x[:count], y[:count]
    return replace(data, **parts, **_DERIVED)


def few_of_each(data: Dataset, count: int, rows: int, seed: int) -> Dataset:
    """Return the data with a few drawn training examples of each class.

    They are repeated until there are as many rows as asked for, so that an epoch has
    the same number of updates however few there are.

    Parameters
    ----------
    data : Dataset
        With classes as labels.
    count : int
        Examples of each class.
    rows : int
        A multiple of all examples together.
    seed : int
        Of the draw.

    Returns
    -------
    Dataset
        Validation and test part are those of `data`.
    """
    x, y = data.train
    classes = np.unique(y)
    if rows % (count * len(classes)):
        raise ValueError(
            f"rows is {rows}; expected a multiple of {count} examples of each of "
            f"{len(classes)} classes."
        )
    random = np.random.default_rng(shifted([count, seed]))
    drawn = []
    for c in classes:
        of_class = np.flatnonzero(y == c)
        if len(of_class) < count:
            raise ValueError(
                f"count is {count}, but there are {len(of_class)} examples of class "
                f"{c}."
            )
        drawn.append(random.choice(of_class, count, replace=False))
    chosen = np.tile(np.concatenate(drawn), rows // (count * len(classes)))
    return replace(data, train=(x[chosen], y[chosen]), **_DERIVED)


def few_tables(
    data: Dataset, counts: Sequence[int], *, rows: int, splits: int = 20
) -> dict[str, list[Dataset]]:
    """Return data with few examples of each class, drawn again and again.

    Parameters
    ----------
    data : Dataset
        With classes as labels.
    counts : sequence of int
        Examples of each class.
    rows : int
        As of `few_of_each`.
    splits : int
        How many draws.

    Returns
    -------
    dict of str to list of Dataset
        By ``"5 of each"`` and the like, with shares of each class as labels.
    """
    return {
        f"{n} of each": [
            few_of_each(data, n, rows, split).one_hot() for split in range(splits)
        ]
        for n in counts
    }


def load_waves(*, samples: int = 2500, noise: float = 1.0, seed: int = 0) -> Dataset:
    """Draw noisy waves of five frequencies: signals of length 40 in five classes.

    Parameters
    ----------
    samples : int
        How many, a multiple of 5.
    noise : float
        Standard deviation of what is added to a wave of amplitude 1.
    seed : int

    Returns
    -------
    Dataset
        Multiclass; 60% of the signals to train on, 20% each for validation and test.
    """
    if samples < 50 or samples % 5:
        raise ValueError(f"samples is {samples}; expected a multiple of 5, 50 or more.")
    random = np.random.default_rng(shifted(seed))
    y = np.arange(samples) % 5
    time = np.arange(_LENGTH) / _LENGTH
    frequency = np.array(_FREQUENCIES)[y] * random.uniform(0.9, 1.1, samples)
    phase = random.random(samples)
    x = np.sin(2 * np.pi * (frequency[:, None] * time + phase[:, None]))
    x = x + noise * random.normal(size=x.shape)
    names = [f"{f:g} cycles" for f in _FREQUENCIES]
    return Dataset.from_arrays(
        x[..., None], y, name="waves", class_names=names, seed=seed
    )

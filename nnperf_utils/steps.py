"""What an optimizer's steps are: their length, how far they lead, how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.axes import Axes

from nnperf_utils import plots
from nnperf_utils.seeds import shifted

__all__ = ["distance", "draw_shapes", "range_test", "scale_spread", "steps_taken"]

_UPDATES, _RISE = 240, 48  # of labs/draw_schedule.js


def steps_taken(learning_rate: Any, updates: int) -> np.ndarray:
    """Return the steps that Keras's SGD takes where the gradient is always 1.

    They are the learning rates with which it really runs, update by update.

    Parameters
    ----------
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
    updates : int

    Returns
    -------
    numpy.ndarray, shape (updates,)
    """
    weight = keras.Variable(0.0)
    sgd = keras.optimizers.SGD(learning_rate)
    sgd.build([weight])

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        weight.assign(0.0)  # so that nothing is lost by adding up
        sgd.apply([tf.ones(())])
        return -weight.value

    return np.array([float(step()) for _ in range(updates)])


def draw_shapes() -> Axes:
    """Draw the three schedules that the lab to draw one compares with.

    Returns
    -------
    matplotlib.axes.Axes
    """
    t = np.arange(_UPDATES)
    down = np.clip((t - _RISE) / (_UPDATES - _RISE), 0, 1)
    shapes = {
        "constant": np.full(_UPDATES, 0.01),
        "cosine": 0.04 + 0.04 * np.cos(np.pi * t / _UPDATES),
        "one-cycle": np.minimum(
            0.02 * (t + 1) / _RISE, 0.01 + 0.01 * np.cos(np.pi * down)
        ),
    }
    table = pd.DataFrame(shapes, pd.Index(t, name="update"))
    ax = plots.lines(table, dashed=[*table])
    ax.set_ylabel("learning rate")
    return ax


def distance(weights: Sequence[Any], start: Sequence[Any]) -> float:
    """Return how far a network's weights are from others, all arrays together."""
    pairs = zip(weights, start, strict=True)
    squares = (np.sum((np.asarray(w) - s) ** 2) for w, s in pairs)
    return float(np.sqrt(sum(squares)))


def range_test(
    model: keras.Model, x: Any, y: Any, rates: Any, *, batch_size: int, seed: int = 0
) -> np.ndarray:
    """Train with a higher learning rate at each update; the model is used up by it.

    Parameters
    ----------
    model : keras.Model
        Compiled, with a learning rate that is a number.
    x, y : array
        Training examples.
    rates : array_like
        The learning rates, one for each update.
    batch_size : int
    seed : int
        Of the order of the examples.

    Returns
    -------
    numpy.ndarray, shape (updates,)
        The loss of each batch, before its update.
    """
    order = np.random.default_rng(shifted(seed))
    losses = []
    for rate in np.asarray(rates, float):
        rows = order.choice(len(x), batch_size, replace=False)
        model.optimizer.learning_rate = rate
        losses.append(float(model.train_on_batch(x[rows], y[rows])[0]))
    return np.array(losses)


def scale_spread(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    updates: Sequence[int] = (1, 100),
    batch_size: int = 50,
    batches: int = 100,
    draws: int = 40,
    beta_2: float = 0.999,
    seed: int = 0,
) -> np.ndarray:
    """Tell how much chance there is in what Adam divides a weight's step by.

    The weights stay as they are; only the batches differ.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    x, y : array
        Training examples.
    updates : sequence of int
        After how many updates.
    batch_size : int
    batches : int
        How many gradients are taken; those of an update are drawn from them.
    draws : int
        How many sequences of batches.
    beta_2 : float
        Adam's, of the running mean of squares.
    seed : int
        Of the batches.

    Returns
    -------
    numpy.ndarray
        For each number of updates the 90% quantile over the 10% quantile of 1/√v̂ over
        the sequences, the median of the weights that have a gradient in each batch.
    """
    random = np.random.default_rng(shifted(seed))

    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    gradient = _gradient(model)
    rows = [random.choice(len(x), batch_size, replace=False) for _ in range(batches)]
    squares = (
        np.stack([gradient(x, y, tf.constant(one)).numpy() for one in rows]) ** 2.0
    )
    squares = squares[:, (squares > 0).all(axis=0)].astype(float)
    spreads = []
    for count in updates:
        recent = beta_2 ** np.arange(count)
        share = np.zeros((draws, batches))
        for one in share:
            np.add.at(one, random.integers(batches, size=count), recent / recent.sum())
        scales = (share @ squares) ** -0.5
        low, high = np.quantile(scales, [0.1, 0.9], axis=0)
        spreads.append(np.median(high / low))
    return np.array(spreads)


# One model at a time: give it other weights to look at its likes without tracing anew.
@lru_cache(maxsize=1)
def _gradient(model: keras.Model) -> Callable:
    """Return a function for the gradient of some examples' loss, end to end."""

    @tf.function(autograph=False)
    def gradient(x: tf.Tensor, y: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        some, labels = tf.gather(x, rows), tf.gather(y, rows)
        with tf.GradientTape() as tape:
            loss = model.compute_loss(some, labels, model(some, training=False))
        weights = [variable.value for variable in model.trainable_variables]
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(loss, weights)], 0)

    return gradient

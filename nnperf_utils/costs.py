"""What a computation costs on this machine, in repeated timings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

__all__ = ["activation_times", "seconds", "softmax_share", "time_with_zeros"]

_REPETITIONS = 20
_ROWS, _UNITS = 256, 512
_BATCH, _INPUTS = 64, 64  # of the output layer whose softmax is timed


def seconds(
    function: Callable[..., Any],
    *inputs: tf.Tensor,
    repetitions: int = _REPETITIONS,
    calls: int = 5,
) -> np.ndarray:
    """Time a function of tensors, compiled to a graph.

    Parameters
    ----------
    function : callable
    *inputs : tensors
    repetitions : int
        How often it is timed, after a first call that prepares it.
    calls : int
        Calls in each repetition.

    Returns
    -------
    numpy.ndarray
        Seconds a call, of each repetition.
    """
    run = tf.function(function, autograph=False)

    def once() -> None:
        for tensor in tf.nest.flatten(run(*inputs)):
            tensor.numpy()  # waits for it

    once()
    taken = []
    for _ in range(repetitions):
        begin = perf_counter()
        for _ in range(calls):
            once()
        taken.append((perf_counter() - begin) / calls)
    return np.array(taken)


def _and_back(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable:
    """Return a function that computes another one and its gradient."""

    def both(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(z)
            total = tf.reduce_sum(function(z))
        # sums keep the graph from leaving anything out, and the copying small
        return total, tf.reduce_sum(tape.gradient(total, z))

    return both


def activation_times(activations: Mapping[str, str | Callable]) -> pd.Series:
    """Time activations and their gradients against the product before them.

    Parameters
    ----------
    activations : mapping
        By name; Keras's name or a function.

    Returns
    -------
    pandas.Series
        By name, the median of the repetitions, as a multiple of the time of a product
        with 512 by 512 weights and its gradient.
    """
    z = tf.random.stateless_normal((_ROWS, _UNITS), (0, 1))
    weights = tf.random.stateless_normal((_UNITS, _UNITS), (0, 2))
    product = np.median(seconds(_and_back(lambda h: h @ weights), z))
    return pd.Series(
        {
            name: np.median(seconds(_and_back(keras.activations.get(one)), z)) / product
            for name, one in activations.items()
        }
    )


def time_with_zeros() -> np.ndarray:
    """Time a product with inputs half of which are zero, against one without zeros.

    Returns
    -------
    numpy.ndarray
        The ratio in each repetition.
    """
    full = 1 + tf.random.stateless_uniform((_ROWS, _UNITS), (0, 3))
    half = tf.where(tf.random.stateless_uniform(full.shape, (0, 4)) < 0.5, full, 0.0)
    weights = tf.random.stateless_normal((_UNITS, _UNITS), (0, 2))

    def product(h: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(h @ weights)

    return seconds(product, half) / seconds(product, full)


def softmax_share(classes: int) -> np.ndarray:
    """Time softmax with its loss against the product of an output layer.

    Forward and back, for 64 inputs and batches of 64.

    Parameters
    ----------
    classes : int

    Returns
    -------
    numpy.ndarray
        Softmax's share of the time of both, in each repetition.
    """
    logits = tf.random.stateless_normal((_BATCH, classes), (0, 5))
    labels = tf.zeros(_BATCH, tf.int32)
    h = tf.random.stateless_normal((_BATCH, _INPUTS), (0, 6))
    weights = tf.random.stateless_normal((_INPUTS, classes), (0, 7))

    def loss(z: tf.Tensor) -> tf.Tensor:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, z)

    def product(h: tf.Tensor, w: tf.Tensor) -> list[tf.Tensor]:
        parts = (h @ w, logits @ tf.transpose(w), tf.transpose(h) @ logits)
        return [tf.reduce_sum(part) for part in parts]

    softmax = seconds(_and_back(loss), logits)
    return softmax / (softmax + seconds(product, h, weights))

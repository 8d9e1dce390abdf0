"""What a computation costs on this machine, in repeated timings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    *works: tuple[Callable[..., Any], Sequence[tf.Tensor]],
    repetitions: int = _REPETITIONS,
    calls: int = 3,
) -> np.ndarray:
    """Time functions of tensors, compiled to graphs, in turns.

    Whatever else the machine does slows all of them down alike.

    Parameters
    ----------
    *works : tuple of (callable, inputs)
        Each is called once before, which prepares it.
    repetitions : int
        How often all of them are timed.
    calls : int
        Calls in each repetition, of which the shortest of each counts.

    Returns
    -------
    numpy.ndarray, shape (repetitions, works)
        Seconds a call.
    """
    graphs = [
        (tf.function(work, autograph=False).get_concrete_function(*inputs), inputs)
        for work, inputs in works
    ]

    def once(graph: Callable, inputs: Sequence[tf.Tensor]) -> float:
        begin = perf_counter()
        for tensor in tf.nest.flatten(graph(*inputs)):
            tensor.numpy()  # waits for it
        return perf_counter() - begin

    for one in graphs:
        once(*one)
    times = np.array(
        [
            [[once(*one) for one in graphs] for _ in range(calls)]
            for _ in range(repetitions)
        ]
    )
    return times.min(axis=1)


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
    functions = [lambda h: h @ weights]
    functions += [keras.activations.get(one) for one in activations.values()]
    times = seconds(*((_and_back(one), [z]) for one in functions))
    ratios = np.median(times[:, 1:] / times[:, :1], axis=0)
    return pd.Series(ratios, index=list(activations))


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

    times = seconds((product, [half]), (product, [full]), calls=9)
    return times[:, 0] / times[:, 1]


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

    times = seconds((_and_back(loss), [logits]), (product, [h, weights]))
    return times[:, 0] / times.sum(axis=1)

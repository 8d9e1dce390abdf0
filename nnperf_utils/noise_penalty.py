"""Noise at the inputs, and the penalty that it is said to be.

Bishop (1995): training on inputs with noise of variance σ² has, to the second order in
the noise, the expected squared error of training without it, with a penalty of σ² times
the squared slope of the outputs along the inputs. On a linear model that is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from nnperf_utils.datasets import Dataset
from nnperf_utils.seeds import shifted

__all__ = ["effects", "every_sign", "slopes", "train"]

_STEPS_IN_A_CALL = 50
_WEIGHTS = ("first", "bias", "second", "offset")


def every_sign(x: np.ndarray, noise: float) -> np.ndarray:
    """Return the rows once with each pattern of signs of a noise.

    Its mean is zero and its variance the same in every direction, to rounding.

    Parameters
    ----------
    x : array, shape (n, d)
    noise : float
        Standard deviation.

    Returns
    -------
    array, shape (2**d · n, d)
    """
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=x.shape[1])))
    return (x + noise * signs[:, None]).reshape(-1, x.shape[1])


def train(
    splits: Sequence[Dataset],
    arms: Mapping[str, tuple[float, float]],
    *,
    units: int = 16,
    steps: int = 300,
    rate: float = 0.02,
) -> pd.DataFrame:
    """Train small networks with noise or penalty, all of them in one stack.

    One hidden layer of tanh, one output, mean squared error, Adam, all rows in each
    step. Of one split all arms start from the same weights.

    Parameters
    ----------
    splits : sequence of Dataset
        Of a regression; of equal shapes.
    arms : mapping of str to (float, float)
        Standard deviation of the noise at the inputs, drawn anew in each step, and
        factor of the penalty: the mean of the outputs' squared slope.
    units : int
    steps : int
        A multiple of 50.
    rate : float
        Adam's.

    Returns
    -------
    pandas.DataFrame
        By ``split`` and ``arm``: ``outputs`` on the test rows, an array each, their
        mean squared ``error``, and ``slope``, its root mean square there.
    """
    runs = list(itertools.product(range(len(splits)), arms))
    x, y = (
        tf.constant(np.stack([splits[split].train[i] for split, _ in runs]))
        for i in (0, 1)
    )
    noise, factor = (
        tf.constant([arms[arm][i] for _, arm in runs], tf.float32) for i in (0, 1)
    )
    start = [_start(x.shape[2], units, split) for split, _ in runs]
    weights = [
        keras.Variable(np.stack(arrays), name=name)
        for name, arrays in zip(_WEIGHTS, zip(*start, strict=True), strict=True)
    ]
    adam = keras.optimizers.Adam(rate)
    adam.build(weights)

    @tf.function
    def steps_from(first: tf.Tensor) -> None:
        for number in tf.range(first, first + _STEPS_IN_A_CALL):
            drawn = tf.random.stateless_normal(x.shape, [shifted(0), number])
            seen = x + noise[:, None, None] * drawn
            with tf.GradientTape() as tape:
                values = [weight.value for weight in weights]
                tape.watch(values)
                error = tf.reduce_mean((_outputs(seen, values) - y) ** 2, axis=1)
                slope = tf.reduce_mean(_squared_slope(seen, values), axis=1)
                # a sum: no network has a part in another's gradient
                loss = tf.reduce_sum(error + factor * slope)
            adam.apply(tape.gradient(loss, values), weights)

    for first in range(0, steps, _STEPS_IN_A_CALL):
        steps_from(tf.constant(first))
    values = [weight.value for weight in weights]
    x, y = (np.stack([splits[split].test[i] for split, _ in runs]) for i in (0, 1))
    outputs = _outputs(x, values).numpy()
    squared = _squared_slope(x, values).numpy()
    frame = pd.DataFrame(
        {
            "outputs": list(outputs),
            "error": np.mean((outputs - y) ** 2, axis=1),
            "slope": np.sqrt(squared.mean(axis=1)),
        }
    )
    names = ["split", "arm"]
    return frame.set_index(pd.MultiIndex.from_tuples(runs, names=names))


def slopes(x: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """Return the squared slope of a network's output along its inputs, row by row.

    Parameters
    ----------
    x : array, shape (n, d)
    weights : sequence of array
        Kernel (d, units) and bias of the hidden layer, kernel and bias of the output.

    Returns
    -------
    array, shape (n,)
    """
    first, bias, second, offset = (np.asarray(w, np.float32) for w in weights)
    stack = [first[None], bias[None], second.reshape(1, -1), offset.reshape(1, 1)]
    return _squared_slope(np.asarray(x, np.float32)[None], stack).numpy()[0]


def effects(trained: pd.DataFrame, strengths: Sequence[float]) -> pd.DataFrame:
    """Return how far noise is from its penalty, over how far it is from neither.

    Parameters
    ----------
    trained : pandas.DataFrame
        As `train` returns it, with the arms ``neither`` and, of each strength,
        ``noise 0.1`` and ``penalty 0.1``.
    strengths : sequence of float

    Returns
    -------
    pandas.DataFrame
        By split, a column for each strength: ratios of root mean square distances.
    """
    outputs = trained["outputs"].unstack("arm")

    def apart(one: str, other: str) -> pd.Series:
        return (outputs[one] - outputs[other]).map(lambda d: np.sqrt(np.mean(d**2)))

    return pd.DataFrame(
        {
            s: apart(f"noise {s:g}", f"penalty {s:g}")
            / apart(f"noise {s:g}", "neither")
            for s in strengths
        }
    )


def _start(inputs: int, units: int, split: int) -> list[np.ndarray]:
    """Return starting weights as Glorot's rule draws them."""
    random = np.random.default_rng([2, shifted(split)])

    def drawn(rows: int, columns: int) -> np.ndarray:
        end = np.sqrt(6 / (rows + columns))
        return random.uniform(-end, end, (rows, columns)).astype(np.float32)

    zeros = np.zeros(units, np.float32)
    return [drawn(inputs, units), zeros, drawn(units, 1)[:, 0], zeros[:1]]


def _hidden(x, values):
    return tf.tanh(x @ values[0] + values[1][:, None])


def _outputs(x, values):
    return (_hidden(x, values) @ values[2][:, :, None])[..., 0] + values[3]


def _squared_slope(x, values):
    gates = (1 - _hidden(x, values) ** 2) * values[2][:, None]
    return tf.reduce_sum((gates @ tf.linalg.matrix_transpose(values[0])) ** 2, axis=2)

"""Data-parallel steps: each process has a share of the batch, gradients are averaged.

The functions that get a :class:`~nnperf_utils.processes.Group` run in a process of
their own, by :meth:`Processes.run`. TensorFlow is imported there and not before.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnperf_utils.processes import Group, alone

__all__ = [
    "Learner",
    "measure",
    "ring_seconds",
    "speeds",
    "try_strategies",
]


class Learner:
    """A network whose gradients are single flat arrays.

    Parameters
    ----------
    model : keras.Model
        Compiled.

    Attributes
    ----------
    numbers : int
        How many a gradient has.
    """

    def __init__(self, model: Any):
        import tensorflow as tf

        weights = model.trainable_variables
        model.optimizer.build(weights)
        sizes = [int(np.prod(weight.shape)) for weight in weights]
        self.model, self.numbers = model, sum(sizes)
        inputs = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)

        @tf.function(input_signature=[inputs, tf.TensorSpec([None], tf.int32)])
        def take(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x, y, model(x, training=True))
            slopes = tape.gradient(loss, [weight.value for weight in weights])
            return tf.concat([tf.reshape(one, [-1]) for one in slopes], 0)

        @tf.function(input_signature=[tf.TensorSpec([self.numbers], tf.float32)])
        def put(slopes: Any) -> None:
            parts = tf.split(slopes, sizes)
            shaped = [
                tf.reshape(part, weight.shape)
                for part, weight in zip(parts, weights, strict=True)
            ]
            model.optimizer.apply(shaped, weights)

        self._take, self._put = take, put

    def gradient(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the gradient of the mean loss of a batch."""
        return self._take(x, y).numpy()

    def apply(self, gradient: np.ndarray) -> None:
        """Let the optimizer make a step."""
        self._put(gradient)

    def step(self, x: np.ndarray, y: np.ndarray, group: Group) -> None:
        """Make a step with a group, in which each takes its share of the batch."""
        mine = slice(group.rank, None, group.count)
        self.apply(group.average(self.gradient(x[mine], y[mine])))


def measure(
    group: Group,
    build: Callable[[], Any],
    x: np.ndarray,
    y: np.ndarray,
    batch_sizes: Sequence[int],
    repetitions: int = 20,
    calls: int = 1,
) -> pd.DataFrame:
    """Time steps of one process alone and of all together, in turns.

    Parameters
    ----------
    group : Group
    build : callable
        Returns the network, compiled.
    x, y : numpy.ndarray
        At least as many examples as the largest batch.
    batch_sizes : sequence of int
        Of all processes together, each a multiple of their number.
    repetitions : int
    calls : int
        Steps in a repetition, over which the time is averaged.

    Returns
    -------
    pandas.DataFrame
        Seconds a step of this process, a row for each repetition (``seed``), columns by
        clock, ``"processor"`` or ``"wall"``; by who steps, ``"one"``, ``"all"``, or
        ``"exchange"``, the averaging of a gradient alone; and by batch.
    """
    for size in batch_sizes:
        if size > len(x) or size % group.count:
            raise ValueError(
                f"batch_sizes has {size}; expected no more than the {len(x)} examples "
                f"of x, in equal shares for {group.count} processes."
            )
    learner = Learner(build())
    gradient = learner.gradient(x[:2], y[:2])
    single, rows = alone(), []

    def timed(work: Callable[[], Any], **labels: Any) -> None:
        begin = time.process_time(), time.perf_counter()
        for _ in range(calls):
            work()
        end = time.process_time(), time.perf_counter()
        took = ((b - a) / calls for a, b in zip(begin, end, strict=True))
        rows.append(labels | dict(zip(("processor", "wall"), took, strict=True)))

    for seed in range(-1, repetitions):  # the first prepares
        for size in batch_sizes:
            part = x[:size], y[:size]
            if group.rank == 0:
                labels = {"seed": seed, "who": "one", "batch": size}
                timed(lambda part=part: learner.step(*part, single), **labels)
            group.wait()
            together = {"seed": seed, "who": "all", "batch": size}
            timed(lambda part=part: learner.step(*part, group), **together)
        exchange = {"seed": seed, "who": "exchange", "batch": 0}
        timed(lambda: group.average(gradient), **exchange)
    frame = pd.DataFrame(rows).query("seed >= 0")
    clocks = ["processor", "wall"]
    return frame.pivot(index="seed", columns=["who", "batch"], values=clocks)


def ring_seconds(count: int, numbers: int, bytes_a_second: float) -> float:
    """Return how long a ring of processes averages arrays of float32.

    Each sends and gets 2 (n - 1) / n times the array's bytes, which is the least that
    is possible (Patarasuk & Yuan, 2009). What a message costs besides is left out.

    Parameters
    ----------
    count : int
    numbers : int
        In each array.
    bytes_a_second : float
        Of each connection, in each direction.
    """
    return 2 * (count - 1) / count * 4 * numbers / bytes_a_second


def speeds(
    a: float,
    b: float,
    batch: int,
    numbers: int,
    bits_a_second: Mapping[str, float],
    counts: Sequence[int] = (1, 2, 4, 8, 16),
) -> pd.DataFrame:
    """Return how many times as fast several machines are, by the cost model.

    Parameters
    ----------
    a, b : float
        Seconds of a step that are always there, and for each example.
    batch : int
        Of all machines together.
    numbers : int
        In each gradient.
    bits_a_second : mapping of str to float
        Of connections, by name, in each direction.
    counts : sequence of int
        How many machines.

    Returns
    -------
    pandas.DataFrame
        By ``machines``, a column for each connection.
    """
    n = pd.Index(counts, name="machines")
    table = {}
    for name, bits in bits_a_second.items():
        exchange = np.array([ring_seconds(k, numbers, bits / 8) for k in n])
        table[name] = (a + b * batch) / (a + b * batch / n + exchange)
    return pd.DataFrame(table, index=n)


# --- what Keras takes from tf.distribute ----------------------------------------------


def try_strategies(group: Group, ports: Sequence[int] = ()) -> dict[str, str]:
    """Fit a small network under what distributes it, and say what comes of it.

    Must run in fresh processes, in which TensorFlow has not started.

    Parameters
    ----------
    group : Group
        Of one process: its two logical devices are tried. Of several: a cluster.
    ports : sequence of int
        One for each process of a cluster.

    Returns
    -------
    dict of str to str
        By what was tried: whether the weights are those of a plain ``fit`` and how many
        replicas were at work, or what went wrong.
    """
    if group.count > 1:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        task = {"type": "worker", "index": group.rank}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    import keras
    import tensorflow as tf

    draw = np.random.default_rng(0)
    x, y = draw.random((64, 8), np.float32), np.arange(64) % 3

    class Noting(keras.layers.Layer):
        """Passes its inputs on and notes how many replicas there are."""

        def call(self, inputs: Any) -> Any:
            replicas.append(tf.distribute.get_strategy().num_replicas_in_sync)
            return inputs

    replicas: list[int] = []

    def fitted(scope: Any) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        replicas.clear()
        with scope:
            layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")]
            layers.insert(0, Noting())
            model = keras.Sequential([keras.Input((8,)), *layers])
            model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, shuffle=False)
        return model.get_weights()

    def outcome(make: Callable[[], Any]) -> str:
        try:
            found = fitted(make())
        except Exception as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0][:26]} …"
        pairs = zip(found, plain, strict=True)
        off = max(float(np.abs(one - other).max()) for one, other in pairs)
        words = "the same weights" if off < 1e-5 else f"weights off by {off:.1g}"
        return f"{words}, {max(replicas)} at work"

    if group.count > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        plain = fitted(contextlib.nullcontext())
        return {"MultiWorkerMirroredStrategy": outcome(strategy.scope)}
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    plain = fitted(contextlib.nullcontext())
    devices = ["CPU:0", "CPU:1"]
    found = {
        "MirroredStrategy": outcome(
            lambda: tf.distribute.MirroredStrategy(devices).scope()
        )
    }
    layout = keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"])
    found["keras.distribution.DataParallel"] = outcome(layout.scope)
    return found

"""Trainings that are written to disk, killed and resumed.

What a file holds and what a resumed training has lost is seen from outside: by weights,
by the state of the optimizer, by what a process leaves behind.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from nnperf_utils.seeds import shifted

__all__ = [
    "Kill",
    "Killed",
    "distance",
    "file_table",
    "orders_in_fit",
    "outputs",
    "run_apart",
]


def distance(model: keras.Model, other: keras.Model) -> float:
    """Return how far the weights of a model are from another's, over their length.

    Parameters
    ----------
    model, other : keras.Model
        Of the same layers.

    Returns
    -------
    float
        0 where all weights are the same, bit for bit.
    """
    one, two = (
        np.concatenate([np.ravel(w) for w in m.get_weights()]) for m in (model, other)
    )
    if len(one) != len(two):
        raise ValueError(
            f"the models have {len(one):,} and {len(two):,} weights; expected as many."
        )
    return float(np.linalg.norm(one - two) / np.linalg.norm(two))


class Killed(Exception):
    """Raised by `Kill` in the middle of an epoch."""


class Kill(keras.callbacks.Callback):
    """End a training in the middle of an epoch.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    batch : int
        After how many batches of it.
    hard : bool
        Kill the whole process, as a machine does that runs out of memory, instead of
        raising `Killed`.
    """

    def __init__(self, epoch: int, batch: int = 3, *, hard: bool = False):
        super().__init__()
        self.epoch, self.batch, self.hard = epoch, batch, hard
        self._now = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note which epoch it is."""
        self._now = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """End it, if it is time."""
        if (self._now, batch + 1) == (self.epoch, self.batch):
            if self.hard:
                os.kill(os.getpid(), signal.SIGKILL)
            raise Killed(f"killed in epoch {self.epoch}, after batch {self.batch}")


def run_apart(before: str, functions: Iterable[Callable], after: str) -> int:
    """Run functions in a Python process of its own and return how it ended.

    Parameters
    ----------
    before : str
        Code that stands before the functions: imports, data.
    functions : iterable of callable
        Their source is taken over, with seeds drawn anew where the course's are.
    after : str
        Code that calls them.

    Returns
    -------
    int
        The exit code; minus the number of the signal that has killed it.
    """
    seeded = re.compile(r"(?<=set_random_seed\()\d+(?=\))")
    sources = [
        seeded.sub(lambda found: str(shifted(int(found[0]))), inspect.getsource(one))
        for one in functions
    ]
    script = "\n".join([before, *sources, after])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True)
    if done.returncode > 0:
        raise RuntimeError(done.stderr.decode().strip().splitlines()[-1])
    return done.returncode


def outputs(
    networks: Iterable[tuple[int, keras.Model]], inputs: Mapping[int, np.ndarray]
) -> pd.DataFrame:
    """Return what networks put out, and how large their weights are.

    Parameters
    ----------
    networks : iterable of (int, keras.Model)
        Seed and network, as ``Comparison.networks`` yields them.
    inputs : mapping of int to array
        By seed.

    Returns
    -------
    pandas.DataFrame
        By ``split``, which is the seed where each split has one: ``outputs``, an array
        each, and ``norm``, of all weight matrices together.
    """
    found = {}
    for seed, model in networks:
        squares = [np.sum(w**2) for w in model.get_weights() if w.ndim > 1]
        found[seed] = {
            "outputs": model.predict_on_batch(inputs[seed]),
            "norm": float(np.sqrt(np.sum(squares))),
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("split")


def file_table(build: Callable[[], keras.Model], model: keras.Model, folder: Path):
    """Write a model in each way that Keras knows, and read it again.

    Parameters
    ----------
    build : callable
        Returns the same network, compiled.
    model : keras.Model
        Trained.
    folder : pathlib.Path
        Where to write.

    Returns
    -------
    pandas.DataFrame
        For each way ``KiB``, ``ms`` to write (the shortest of five) and the
        ``optimizer`` that is there after reading, with the steps that it has made. The
        last row is a ``.keras`` file that was written after the ``.h5`` file.
    """

    def weights_into(is_built: bool) -> Callable[[Path], keras.Model]:
        def read(path: Path) -> keras.Model:
            fresh = build()
            if is_built:
                fresh.optimizer.build(fresh.trainable_variables)
            fresh.load_weights(path)
            return fresh

        return read

    load = keras.models.load_model
    ways: dict[str, tuple[str, Any, Any]] = {
        ".keras": ("a.keras", model.save, load),
        ".weights.h5, optimizer built": (
            "a.weights.h5",
            model.save_weights,
            weights_into(True),
        ),
        ".weights.h5, as it comes": (
            "b.weights.h5",
            model.save_weights,
            weights_into(False),
        ),
        ".h5, the old form": ("a.h5", model.save, load),
        ".keras, after an .h5": ("b.keras", model.save, load),
    }
    rows, absl = {}, logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)  # that .h5 is old
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, (file, write, read) in ways.items():
                path = folder / file
                took = []
                for _ in range(5):
                    start = time.perf_counter()
                    write(path)
                    took.append(time.perf_counter() - start)
                optimizer = read(path).optimizer
                rows[name] = {
                    "KiB": round(path.stat().st_size / 1024),
                    "ms": round(1000 * min(took)),
                    "optimizer": type(optimizer).__name__,
                    "steps": int(optimizer.iterations),
                }
    finally:
        absl.setLevel(level)
    return pd.DataFrame.from_dict(rows, orient="index")


class _Noted(keras.layers.Layer):
    """Passes its inputs on and notes those of training."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.seen += [int(value) for value in np.ravel(inputs)]
        return inputs


def orders_in_fit(
    examples: int, epochs: int, *, initial_epoch: int = 0, reshuffled: bool = False
) -> list[list[int]]:
    """Return the order in which ``fit`` takes its examples, epoch by epoch.

    In a program that begins with ``set_random_seed``.

    Parameters
    ----------
    examples, epochs : int
    initial_epoch : int
        As of ``fit``: how many epochs there were before a restart.
    reshuffled : bool
        Whether ``tf.data`` shuffles the examples, instead of ``fit`` the arrays.

    Returns
    -------
    list of list of int
        One for each epoch that is trained.
    """
    keras.utils.set_random_seed(shifted(0))
    noted = _Noted()
    model = keras.Sequential([keras.Input((1,)), noted, keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x, y = np.arange(examples, dtype="float32")[:, None], np.zeros((examples, 1))
    data: dict[str, Any] = {"x": x, "y": y, "batch_size": examples}
    if reshuffled:
        rows = tf.data.Dataset.from_tensor_slices((x, y))
        shuffled = rows.shuffle(examples, seed=shifted(0)).batch(examples)
        data = {"x": shuffled, "shuffle": False}  # by `fit`, that is
    model.fit(**data, epochs=epochs, initial_epoch=initial_epoch, verbose=0)
    trained = epochs - initial_epoch
    return np.reshape(noted.seen[-trained * examples :], (trained, -1)).tolist()

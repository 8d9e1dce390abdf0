"""Rules that stop a training, applied to histories that hold every epoch.

A rule is a function of the values that it watches, epoch by epoch, lower being better,
and of its settings. It returns two numbers, counted from 1: after which epoch it stops,
and of which epoch it keeps the weights. Where every epoch has been recorded, each rule
can be applied to the same training afterwards, and nothing is trained again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pandas as pd

from nnperf_utils.statistics import higher_is_better

__all__ = ["Kill", "Killed", "apply", "by_keras", "distance", "draw_cases"]

Rule = Callable[..., tuple[int, int]]

_MEASURED = ("epoch", "metric", "value")


def by_keras(values: Sequence[float], **settings: Any) -> tuple[int, int]:
    """Lead Keras's own callback through recorded values, as ``fit`` would.

    Parameters
    ----------
    values : sequence of float
        What is watched, epoch by epoch; lower is better.
    **settings
        Of `keras.callbacks.EarlyStopping`: ``patience=5``.

    Returns
    -------
    tuple of int
        After which epoch it stops, the last one at the latest, and which it would
        restore; counted from 1.
    """
    callback = keras.callbacks.EarlyStopping("value", mode="min", **settings)
    trainee = SimpleNamespace(stop_training=False, get_weights=lambda: [])
    callback.set_model(trainee)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"value": float(value)})
        if trainee.stop_training:
            break
    return epoch + 1, callback.best_epoch + 1


def draw_cases(
    number: int, epochs: int = 25, seed: int = 0
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Draw histories that fall, bump and rise, and settings of early stopping.

    Values and `min_delta` are multiples of 1/64, so that there are ties and no
    rounding decides.

    Parameters
    ----------
    number, epochs : int
    seed : int

    Returns
    -------
    list of tuple
        The values, and ``patience``, ``min_delta`` and ``start_from_epoch``.
    """
    draw = np.random.default_rng(seed)
    cases = []
    for _ in range(number):
        turn, noise = draw.uniform(2, epochs), draw.choice([0.0, 0.05, 0.3])
        curve = np.abs(np.arange(epochs) - turn) / epochs
        values = np.round(64 * (curve + draw.normal(0, noise, epochs))) / 64
        settings = {
            "patience": int(draw.integers(0, 11)),
            "min_delta": float(draw.choice([0, 1, 4])) / 64,
            "start_from_epoch": int(draw.choice([0, 0, 3, 8])),
        }
        cases.append((values, settings))
    return cases


def apply(
    rule: Rule,
    history: pd.DataFrame,
    monitor: str = "val_loss",
    *,
    restore: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Return where a rule stops every run of a history, and the scores that it keeps.

    Parameters
    ----------
    rule : callable
        ``rule(values, **settings)``; of a score that is better when higher it gets the
        negative.
    history : pandas.DataFrame
        As `compare` and `replicate` return it, with every epoch of every run.
    monitor : str
        The metric to watch.
    restore : bool
        Whether the scores are those of the epoch that the rule keeps, or of the last
        one that it trains.
    **settings
        Of the rule.

    Returns
    -------
    pandas.DataFrame
        By the runs' labels: ``stopped``, ``kept``, and a column for each metric.

    Raises
    ------
    ValueError
        If the history lacks the metric.
    """
    if monitor not in set(history["metric"]):
        known = ", ".join(map(repr, history["metric"].unique()))
        raise ValueError(f"monitor is {monitor!r}; the history has {known}.")
    labels = [name for name in history if name not in _MEASURED]
    wide = history.pivot(index=[*labels, "epoch"], columns="metric", values="value")
    sign = -1 if higher_is_better(monitor) else 1
    rows = {}
    for run, scores in wide.groupby(level=labels, sort=False):
        stopped, kept = rule(sign * scores[monitor].to_numpy(), **settings)
        at = (kept if restore else stopped) - 1
        rows[run] = {"stopped": stopped, "kept": kept, **scores.iloc[at]}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(
        [run if isinstance(run, tuple) else (run,) for run in rows], names=labels
    )
    return frame


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

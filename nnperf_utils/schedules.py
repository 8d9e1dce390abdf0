"""Shapes of a learning rate over a training, as shares of its peak.

Each shape takes the epoch, counted from 0, how many there are, and how many of them
are warm-up; `callback` makes of it what Keras and `compare` take. Keras's own
schedules, in ``keras.optimizers.schedules``, count updates instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from keras.callbacks import LearningRateScheduler

__all__ = ["SHAPES", "callback"]

_LOWEST = 0.01  # of the peak, where exponential growth begins


def _half_cosine(share: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * share)


def _steps(epoch: int, epochs: int, warmup: int) -> float:
    return 3.0 ** -sum(epoch >= epochs * share for share in (0.5, 0.75))


def _cosine(epoch: int, epochs: int, warmup: int) -> float:
    return _half_cosine(epoch / epochs)


def _linear(epoch: int, epochs: int, warmup: int) -> float:
    return (epoch + 1) / warmup if epoch < warmup else 1.0


def _exponential(epoch: int, epochs: int, warmup: int) -> float:
    return _LOWEST ** (1 - (epoch + 1) / warmup) if epoch < warmup else 1.0


def _one_cycle(epoch: int, epochs: int, warmup: int) -> float:
    if epoch < warmup:
        return _linear(epoch, epochs, warmup)
    first = max(warmup - 1, 0)  # the epoch at the peak
    return _half_cosine((epoch - first) / (epochs - first))


SHAPES: dict[str, Callable[[int, int, int], float]] = {
    "steps": _steps,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
    "warm-up": _linear,
    "exponential": _exponential,
}
"""By name: a third at half and a ninth at three quarters of the epochs; half a cosine;
a straight rise and half a cosine; a straight rise; a rise by equal factors."""


def callback(
    name: str, epochs: int, warmup: int = 0
) -> Callable[[float], LearningRateScheduler]:
    """Return a function that makes a callback of a peak rate, as `compare` takes it.

    Parameters
    ----------
    name : str
        One of `SHAPES`.
    epochs : int
        Of the whole training.
    warmup : int
        Epochs of warm-up, where the shape has one; the last of them has the peak rate.

    Returns
    -------
    callable
        Takes ``learning_rate``, the peak.

    Raises
    ------
    ValueError
        For a shape that there is not, or more warm-up than epochs.

    Examples
    --------
    >>> cosine = callback("cosine", epochs=10)
    >>> round(cosine(0.3).schedule(5), 3)
    0.15
    """
    if name not in SHAPES:
        raise ValueError(f"name is {name!r}; expected one of {', '.join(SHAPES)}.")
    if not 0 <= warmup < epochs:
        raise ValueError(
            f"warmup is {warmup}; expected 0 or more and less than epochs, {epochs}."
        )
    shape = SHAPES[name]

    def made(learning_rate: float) -> LearningRateScheduler:
        return LearningRateScheduler(
            lambda epoch: learning_rate * shape(epoch, epochs, warmup)
        )

    return made

"""Learning rates that a Keras callback sets between epochs, for each replica its own.

``ReduceLROnPlateau`` looks at the scores of the epoch before, ``LearningRateScheduler``
at its number. Both are Keras's own; what they take for a model lends them a learning
rate and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from nnperf_utils.engine.work import Cell

_SETTERS = (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)
COMPARISONS = {
    keras.ops.less: lambda a, b: np.float32(a) < np.float32(b),
    keras.ops.greater: lambda a, b: np.float32(a) > np.float32(b),
}
"""What a callback compares by, at a tenth of the time, without TensorFlow."""


class Rates:
    """The callbacks of some replicas, and the learning rates that they set.

    Parameters
    ----------
    cells : sequence of Cell
        The replicas; those without a callback keep their rate.
    directions : mapping of str to str
        Of the metrics: ``"up"`` or ``"down"`` is better.
    """

    def __init__(self, cells: Sequence[Cell], directions: Mapping[str, str]):
        self._callbacks: dict[int, keras.callbacks.Callback] = {}
        for i, cell in enumerate(cells):
            if cell.callback is not None:
                self._callbacks[i] = _begun(checked_callback(cell), directions)

    def __bool__(self) -> bool:
        """Tell whether there is any callback."""
        return bool(self._callbacks)

    def before_epoch(self, epoch: int, rates: np.ndarray) -> np.ndarray:
        """Return the rates of an epoch, counted from 0, given those of the one before.

        Parameters
        ----------
        epoch : int
        rates : numpy.ndarray, shape (replicas,)
        """
        return self._set(rates, lambda _, own: own.on_epoch_begin(epoch))

    def after_epoch(
        self, epoch: int, rates: np.ndarray, logs: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Return the rates after an epoch, given its scores by metric and replica."""

        def end(i: int, own: keras.callbacks.Callback) -> None:
            own.on_epoch_end(epoch, {k: float(v[i]) for k, v in logs.items()})
            if hasattr(own, "monitor_op"):
                own.monitor_op = COMPARISONS.get(own.monitor_op, own.monitor_op)

        return self._set(rates, end)

    def _set(
        self, rates: np.ndarray, act: Callable[[int, keras.callbacks.Callback], None]
    ) -> np.ndarray:
        rates = rates.copy()
        for i, callback in self._callbacks.items():
            callback.model.optimizer.learning_rate = float(rates[i])
            act(i, callback)
            rates[i] = callback.model.optimizer.learning_rate
        return rates


def checked_callback(cell: Cell) -> keras.callbacks.Callback:
    """Make a cell's callback; refuse what does more than to set the learning rate."""
    callback = cell.callback()
    of = "" if cell.variant is None else f" of variant {cell.variant!r}"
    if not isinstance(callback, _SETTERS):
        raise TypeError(
            f"callback{of} gives a {type(callback).__name__}; expected a "
            "keras.callbacks.ReduceLROnPlateau or LearningRateScheduler, which set the "
            "learning rate between epochs."
        )
    return callback


def _begun(callback: Any, directions: Mapping[str, str]) -> keras.callbacks.Callback:
    metric = getattr(callback, "monitor", "loss").removeprefix("val_")
    if getattr(callback, "mode", None) == "auto" and metric in directions:
        callback.mode = {"up": "max", "down": "min"}[directions[metric]]
    optimizer = SimpleNamespace(learning_rate=0.0)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    return callback

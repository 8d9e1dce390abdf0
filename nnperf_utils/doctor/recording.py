"""What is kept while a network trains: weights now and then, what Keras logs, rates.

Nothing is computed here and nothing drawn at random, so that the training goes on as
it would alone. All looking is done on the copies afterwards.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

__all__ = ["FitArguments", "Recording", "Snapshot", "fit_arguments"]

EARLY_UPDATES = (1, 2, 5, 15)
MOST_SNAPSHOTS = 16
MOST_BYTES = 2**28


@dataclass(frozen=True)
class FitArguments:
    """What ``fit`` was called with, as far as it could be seen."""

    x: Any = None
    y: Any = None
    sample_weight: Any = None
    validation: tuple | None = None
    batch_size: int | None = None
    shuffle: bool | None = None
    class_weight: Mapping | None = None
    known: bool = False


def fit_arguments(model: keras.Model) -> FitArguments:
    """Return the arguments of the ``fit`` that is running, by looking up the stack.

    Keras does not tell its callbacks of them. Only names of ``fit``'s documented
    arguments are read; where they cannot be found, nothing is known.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            found = frame.f_locals
            # a subclass may pass its own fit's arguments on; the innermost is Keras's
            if "validation_data" not in found or "shuffle" not in found:
                return FitArguments()
            validation = found.get("validation_data")
            if not (isinstance(validation, (tuple, list)) and len(validation) >= 2):
                validation = None
            return FitArguments(
                found.get("x"),
                found.get("y"),
                found.get("sample_weight"),
                None if validation is None else tuple(validation[:2]),
                found.get("batch_size"),
                bool(found.get("shuffle")),
                found.get("class_weight"),
                True,
            )
        frame = frame.f_back
    return FitArguments()


@dataclass(frozen=True)
class Snapshot:
    """Copies of a network's weights after so many updates."""

    epoch: int
    update: int
    trainable: list[np.ndarray]
    non_trainable: list[np.ndarray]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(a.nbytes for a in [*self.trainable, *self.non_trainable])


@dataclass
class Recording:
    """All that was kept of the trainings of one network.

    Attributes
    ----------
    snapshots : list of Snapshot
        The start, some early updates, and the ends of some epochs, the last among them.
    logs : list of dict
        What Keras logged at the end of each epoch.
    rates : list of float
        Learning rate at the end of each epoch; NaN where it is not known.
    """

    model: keras.Model
    arguments: FitArguments = field(default_factory=FitArguments)
    planned: int = 0
    steps: int | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    logs: list[dict[str, float]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    updates: int = 0
    fits: int = 0
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Epochs that ended."""
        return len(self.logs)

    def begin(self, arguments: FitArguments, params: Mapping) -> None:
        """Note that a ``fit`` begins."""
        start = time.perf_counter()
        self.arguments = arguments
        self.fits += 1
        self.planned = self.epochs + int(params.get("epochs") or 0)
        self.steps = params.get("steps")
        if not self.snapshots and self.model.built:
            self._keep()
        self.seconds += time.perf_counter() - start

    def at_batch(self, batch: int) -> None:
        """Keep the weights before a batch of the first epoch, where that is due."""
        if self.logs or batch not in EARLY_UPDATES:
            return
        start = time.perf_counter()
        self.updates = batch
        self._keep()
        self.seconds += time.perf_counter() - start

    def end_epoch(self, logs: Mapping | None, steps: int) -> None:
        """Keep what an epoch's end shows."""
        start = time.perf_counter()
        self.logs.append(
            {k: float(v) for k, v in (logs or {}).items() if _is_number(v)}
        )
        self.updates += steps
        if self.epochs == 1:
            self.updates = steps
        self.rates.append(_rate(self.model))
        self._keep()
        self._thin()
        self.seconds += time.perf_counter() - start

    def _keep(self) -> None:
        self.snapshots.append(
            Snapshot(
                self.epochs,
                self.updates,
                [keras.ops.convert_to_numpy(v) for v in self.model.trainable_variables],
                [
                    keras.ops.convert_to_numpy(v)
                    for v in self.model.non_trainable_variables
                ],
            )
        )

    def _thin(self) -> None:
        """Drop a snapshot where there are too many: the one with closest neighbours."""
        ends = [s for s in self.snapshots if s.epoch > 0]
        early = [s for s in self.snapshots if s.epoch == 0]
        size = max(ends[-1].size, 1)
        most = int(np.clip(MOST_BYTES // size - len(early), 3, MOST_SNAPSHOTS))
        if len(ends) > most:
            # the one whose neighbours in time are closest, never the first or last
            gaps = [
                (ends[i + 1].epoch - ends[i - 1].epoch) / ends[i].epoch
                for i in range(1, len(ends) - 1)
            ]
            ends.pop(1 + int(np.argmin(gaps)))
        if size * len(early) > MOST_BYTES and len(early) > 2:
            early = early[:2]
        self.snapshots = [*early, *ends]


def _is_number(value: Any) -> bool:
    return np.ndim(value) == 0 and isinstance(
        value, (int, float, np.number, np.ndarray)
    )


def _rate(model: keras.Model) -> float:
    try:
        return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    except (AttributeError, TypeError, ValueError):
        return float("nan")

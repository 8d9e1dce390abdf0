"""A second opinion: the same network from several seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pandas as pd

from nnperf_utils.doctor.callback import Doctor

__all__ = ["examine"]


def examine(
    build: Callable[[], keras.Model],
    x_train: Any,
    y_train: Any,
    *,
    validation_data: tuple | None = None,
    seeds: int = 5,
    **given: int,
) -> pd.DataFrame:
    """Train a network from several seeds and tell which findings come back.

    Parameters
    ----------
    build : callable
        Returns a new compiled network.
    x_train, y_train, validation_data
        As of :class:`Doctor`.
    seeds : int
    **given : int
        ``epochs`` and ``batch_size``.

    Returns
    -------
    pandas.DataFrame
        As :meth:`Doctor.examine` returns it.
    """
    doctor = Doctor(x_train, y_train, validation_data=validation_data)
    return doctor.examine(build, seeds, **given)

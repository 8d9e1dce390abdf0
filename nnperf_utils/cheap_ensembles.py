"""Ensembles for less than several trainings: snapshots, and dropout at test time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from nnperf_utils.comparison import Comparison
from nnperf_utils.ensembles import Ensemble
from nnperf_utils.replicas import replicate

__all__ = ["passes", "snapshots", "with_dropout_on"]

_APART = 1_000  # between the seeds of two cycles


def snapshots(
    build: Callable[[], keras.Model],
    data: Any,
    x: np.ndarray,
    *,
    cycles: int,
    seeds: Sequence[int] = range(20),
    **how: Any,
) -> list[Ensemble]:
    """Train on and on, the rate falling in each cycle, and keep what is at each end.

    Parameters
    ----------
    build : callable
        Returns a compiled network whose learning rate falls to zero within a cycle.
    data : Dataset
    x : numpy.ndarray
        What to predict.
    cycles : int
        The first starts from the networks that `build` draws, each further one from the
        weights of the one before, with a fresh optimizer and another order of the
        examples [1]_.
    seeds : sequence of int
        Below 1,000.
    **how
        As of :func:`nnperf_utils.replicas.replicate`; ``epochs`` are those of a cycle.

    Returns
    -------
    list of Ensemble
        Of each cycle the predictions of all seeds.

    References
    ----------
    .. [1] G. Huang, Y. Li, G. Pleiss, Z. Liu, J. E. Hopcroft and K. Q. Weinberger
       (2017). Snapshot ensembles: train 1, get M for free. ICLR.
    """
    seeds = list(seeds)
    if not 0 <= min(seeds) <= max(seeds) < _APART:
        raise ValueError(f"seeds run to {max(seeds)}; expected 0 to {_APART - 1}.")
    start, kept = None, []
    for cycle in range(cycles):
        # The order of the examples follows from the seed.
        own = [cycle * _APART + seed for seed in seeds]
        runs = replicate(build, data, seeds=own, start=start, **how)
        kept.append(Ensemble(runs.ensemble(x).predictions))
        following = (seed + _APART for seed in own)
        start = dict(zip(following, runs.weights().values(), strict=True))
    return kept


def with_dropout_on(
    result: Comparison, variant: str, x: np.ndarray, times: int, **labels: Any
) -> Ensemble:
    """Let each network answer several times with dropout on, and take the mean.

    Parameters
    ----------
    result : Comparison
    variant : str
    x : numpy.ndarray
    times : int
        How many passes [1]_.
    **labels
        Further labels, where the variant does not tell.

    Returns
    -------
    Ensemble
        A member for each network.

    References
    ----------
    .. [1] Y. Gal and Z. Ghahramani (2016). Dropout as a Bayesian approximation:
       representing model uncertainty in deep learning. ICML.
    """
    members = result.ensemble(variant, x[:1], **labels).members
    networks = result.networks(variant, **labels)
    answers = [passes(model, x, times) for _, model in networks]
    return Ensemble(np.stack(answers), members)


def passes(model: keras.Model, x: np.ndarray, times: int) -> np.ndarray:
    """Return the mean prediction of several passes with dropout on.

    Parameters
    ----------
    model : keras.Model
    x : numpy.ndarray, shape (examples, ...)
    times : int

    Returns
    -------
    numpy.ndarray, shape (examples, ...)
    """
    if times < 1:
        raise ValueError(f"times is {times}; expected 1 or more.")
    # One call for all: each copy of an example is dropped from by itself.
    copies = np.asarray(model(np.concatenate([x] * times), training=True))
    return copies.reshape(times, len(x), *copies.shape[1:]).mean(axis=0)

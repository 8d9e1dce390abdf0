"""The one place that decides which numbers the course's randomness starts from.

Every seed that a chapter names goes through :func:`shifted`: starting weights, order of
examples and dropout masks (by `compare` and `replicate`), splits and drawn data (by the
loaders), simulations (by :func:`generator`). With ``NNPERF_SEEDS=1000`` in the
environment all of them draw anew, and every claim is put to a fresh test. What a
chapter shows of a single run on purpose, after ``keras.utils.set_random_seed``, stays
as it is.
"""

import os

import numpy as np

__all__ = ["VARIABLE", "generator", "offset", "shifted"]

VARIABLE = "NNPERF_SEEDS"
"""The environment variable that shifts all seeds."""


def offset() -> int:
    """Return what is added to every seed; 0 as a rule.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the environment variable is no whole number of 0 or more.
    """
    told = os.environ.get(VARIABLE) or "0"
    if not told.isdecimal():
        raise ValueError(
            f"{VARIABLE} is {told!r}; expected a whole number of 0 or more."
        )
    return int(told)


def shifted(seed: int) -> int:
    """Return the number that is drawn from where the course names a seed.

    Parameters
    ----------
    seed : int

    Returns
    -------
    int
    """
    return seed + offset()


def generator(seed: int = 0) -> np.random.Generator:
    """Return NumPy's generator for a simulation.

    Parameters
    ----------
    seed : int

    Returns
    -------
    numpy.random.Generator
        That of ``numpy.random.default_rng(seed)``, unless all seeds are shifted.
    """
    return np.random.default_rng(shifted(seed))

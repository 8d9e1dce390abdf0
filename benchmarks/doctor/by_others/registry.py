"""Trainings by others: each a function that makes a network and what `fit` gets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

Made = tuple[keras.Model, dict[str, Any]]


@dataclass(frozen=True)
class Training:
    """A training, what is wrong with it, and its sound twin.

    Attributes
    ----------
    cause : str or None
        What was planted; None in a healthy one.
    accepted : tuple of str
        Other causes that an expert would accept for the same fault.
    twin : str or None
        The healthy training that this one is, but for the fault.
    make : callable
        Takes no argument and returns the compiled network and the arguments of `fit`
        as a dictionary (x, y, validation_data, epochs, batch_size, ...).
    """

    name: str
    cause: str | None
    accepted: tuple[str, ...]
    twin: str | None
    make: Callable[[], Made]


TRAININGS: dict[str, Training] = {}


def healthy(make: Callable[[], Made]) -> Callable[[], Made]:
    """Add a training with which nothing is wrong."""
    TRAININGS[make.__name__] = Training(make.__name__, None, (), None, make)
    return make


def faulty(
    cause: str, *, twin: str | None = None, accepted: tuple[str, ...] = ()
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Add a training with a fault."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        name = make.__name__
        TRAININGS[name] = Training(name, cause, accepted, twin, make)
        return make

    return add

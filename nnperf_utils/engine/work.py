"""What is asked for: which networks to train, on which data, for how long.

Everything that comes in is checked here, before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import tree

from nnperf_utils.engine import private
from nnperf_utils.seeds import shifted

RECORDS = ("gradients", "activations", "updates", "units")


class Cell(NamedTuple):
    """One replica to train: which variant, from which seed, built how, on what."""

    variant: str | None
    seed: int
    build: Callable[[], keras.Model]
    task: int = 0  # position in `Work.tasks`
    point: tuple[tuple[str, Any], ...] = ()  # numbers that set it apart, by name
    callback: Callable[[], keras.callbacks.Callback] | None = None  # sets its rate
    # What it starts from instead of what `build` draws, by layer.
    start: Mapping[str, Sequence[np.ndarray]] | None = None
    targets: np.ndarray | None = None  # what it learns instead of the labels


def example_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """Order in which the replica of a seed sees the examples in one epoch.

    Parameters
    ----------
    seed : int
    epoch : int
        Counted from 1.
    n : int
        Number of training examples.

    Returns
    -------
    numpy.ndarray of int32, shape (n,)
        A permutation of 0 … n - 1; batch *i* holds the positions from
        ``i * batch_size`` on. Where one batch holds all examples, they stay in the
        order of the data.
    """
    return np.random.default_rng([shifted(seed), epoch]).permutation(n).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Task:
    """What a replica is trained on, and for how long.

    Attributes
    ----------
    train : tuple
        ``x, y, sample_weight or None``.
    watched : dict of str to tuple
        Parts to score after each epoch, ``"val"``, ``"test"`` and ``"train"``.
    test : tuple or None
        The test part, whether watched or not.
    epochs, batch_size : int
    labels : dict
        What names the data in the results' frames: ``data`` and ``split``.
    """

    train: tuple
    watched: Mapping[str, tuple]
    test: tuple | None
    epochs: int
    batch_size: int
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def examples(self) -> int:
        """Number of training examples."""
        return length(self.train[0])

    @cached_property
    def form(self) -> str:
        """Describe all that a graph depends on; tasks of one form can share it."""
        shapes = tree.map_structure(_spec, (self.train, dict(self.watched)))
        return repr((shapes, self.epochs, self.batch_size))


@dataclass(frozen=True, eq=False)
class Work:
    """What is to be done with every cell, checked."""

    tasks: tuple[Task, ...]
    record: tuple[str, ...]
    jit_compile: bool | str

    @property
    def epochs(self) -> int:
        """Epochs of the longest task."""
        return max(task.epochs for task in self.tasks)

    @classmethod
    def checked(
        cls,
        data: Any,
        *,
        epochs: int,
        batch_size: int = 32,
        record: str | Sequence[str] = (),
        follow_test: bool = False,
        follow_train: bool = False,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        jit_compile: bool | str = "auto",
    ) -> Work:
        """Check the arguments of `replicate`, whose meaning they have."""
        task = checked_task(
            data,
            epochs=epochs,
            batch_size=batch_size,
            follow_test=follow_test,
            follow_train=follow_train,
            class_weight=class_weight,
            sample_weight=sample_weight,
        )
        return cls.of([task], record=record, jit_compile=jit_compile)

    @classmethod
    def of(
        cls,
        tasks: Iterable[Task],
        *,
        record: str | Sequence[str] = (),
        jit_compile: bool | str = "auto",
    ) -> Work:
        """Put checked tasks together."""
        record = (record,) if isinstance(record, str) else tuple(record)
        unknown = [w for w in record if w not in RECORDS]
        if unknown:
            raise ValueError(
                f"record has {unknown[0]!r}; known are {', '.join(map(repr, RECORDS))}."
            )
        if jit_compile not in (True, False, "auto"):
            raise ValueError(
                f"jit_compile is {jit_compile!r}; it must be True, False or 'auto'."
            )
        return cls(tuple(tasks), record, jit_compile)


def checked_task(
    data: Any,
    *,
    epochs: int,
    batch_size: int,
    follow_test: bool = False,
    follow_train: bool = False,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    labels: Mapping[str, Any] | None = None,
) -> Task:
    """Check one data set, and how long to train on it."""
    training = _part(data, "train")
    if training is None:
        raise TypeError("data must have a training part, data.train = (x, y).")
    test = _part(data, "test")
    if follow_test and test is None:
        raise ValueError("follow_test needs a test part; data.test is None.")
    examples = length(training[0])
    check_count("epochs", epochs)
    check_count("batch_size", batch_size)
    if batch_size > examples:
        raise ValueError(
            f"batch_size is {batch_size}, but there are only {examples} training "
            "examples."
        )
    watched = {
        "val": _part(data, "validation"),
        "test": test if follow_test else None,
        "train": training if follow_train else None,
    }
    return Task(
        (*training, _checked_weights(training, class_weight, sample_weight)),
        {n: (*part, None) for n, part in watched.items() if part is not None},
        None if test is None else (*test, None),
        int(epochs),
        int(batch_size),
        dict(labels or {}),
    )


def check_seeds(seeds: int | Sequence[int]) -> list[int]:
    """Return the seeds that a number or a sequence stands for."""
    if is_count(seeds):
        if seeds < 1:
            raise ValueError(f"seeds is {seeds}; at least one seed is needed.")
        return list(range(seeds))
    try:
        seeds = list(seeds)
    except TypeError:
        raise TypeError(
            f"seeds must be a number of seeds or a sequence of them, not {seeds!r}."
        ) from None
    if not seeds:
        raise ValueError("seeds is empty; at least one seed is needed.")
    for seed in seeds:
        if not is_count(seed):
            raise TypeError(f"seeds has {seed!r}; a seed is a whole number.")
        if not 0 <= seed < 2**32:
            raise ValueError(f"seeds has {seed}; a seed is at least 0 and below 2**32.")
        if seeds.count(seed) > 1:
            raise ValueError(f"seeds has {seed} more than once.")
    return [int(seed) for seed in seeds]


def is_count(value: Any) -> bool:
    """Tell a whole number from a truth value and from all else."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_count(name: str, value: Any) -> None:
    """Refuse what is not a whole number of 1 or more."""
    if not is_count(value):
        raise TypeError(f"{name} must be a whole number, not {value!r}.")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1.")


def of_seed(name: str, by_seed: Any, seed: int) -> Any:
    """Return what an argument holds for a seed: the same for all, or by seed."""
    if not isinstance(by_seed, Mapping):
        return by_seed
    if seed not in by_seed:
        held = ", ".join(map(str, by_seed)) or "none"
        raise ValueError(f"{name} holds nothing for seed {seed}; its seeds are {held}.")
    return by_seed[seed]


def checked_targets(targets: Any, task: Task) -> np.ndarray | None:
    """Return what a replica is to learn instead of the labels, of the same form."""
    if targets is None:
        return None
    labels = task.train[1]
    if not isinstance(labels, np.ndarray):
        raise ValueError("targets are for models of one output.")
    found = array(targets)
    if found.shape != labels.shape:
        hint = ""
        if labels.ndim < found.ndim:
            hint = "; shares of classes need data.one_hot()"
        raise ValueError(
            f"targets have shape {found.shape} for one replica, but the training "
            f"labels have {labels.shape}{hint}."
        )
    if not np.isfinite(found).all():
        raise ValueError("targets have NaN or infinite values.")
    return found.astype(labels.dtype)


def checked_part(name: str, part: Any, weighted: bool = False) -> tuple:
    """Turn ``(x, y)`` into arrays that fit together; a weight only if it may be."""
    known = "(x, y) or (x, y, sample_weight)" if weighted else "a pair (x, y) of arrays"
    if not isinstance(part, (tuple, list)) or len(part) not in (2, 3)[: 1 + weighted]:
        got = f"{len(part)} of them" if isinstance(part, (tuple, list)) else repr(part)
        hint = "" if weighted else "; weights go into sample_weight"
        raise TypeError(f"data.{name} must be {known}, not {got}{hint}.")
    x, y = (tree.map_structure(array, p) for p in part[:2])
    name = {"train": "training"}.get(name, name)
    lengths = {a.shape[0] if a.ndim else 0 for a in tree.flatten((x, y))}
    if len(lengths) > 1:
        raise ValueError(
            f"the {name} inputs and labels have different lengths: "
            f"{length(x)} and {length(y)}."
        )
    if lengths == {0}:
        raise ValueError(f"the {name} part has no examples.")
    for what, arrays in (("inputs", x), ("labels", y)):
        for one in tree.flatten(arrays):
            if one.dtype.kind == "f" and not np.isfinite(one).all():
                raise ValueError(f"the {name} {what} have NaN or infinite values.")
    if not weighted:
        return x, y
    weight = part[2] if len(part) == 3 else None
    return x, y, None if weight is None else array(weight)


def _part(data: Any, name: str) -> tuple | None:
    part = getattr(data, name, None)
    return None if part is None else checked_part(name, part)


def _checked_weights(training: tuple, class_weight: Any, sample_weight: Any) -> Any:
    """Return a weight for each training example, or None."""
    x, y = training
    if class_weight is not None and sample_weight is not None:
        raise ValueError("give class_weight or sample_weight, not both.")
    if class_weight is not None:
        return _weights_by_class(y, class_weight)
    if sample_weight is None:
        return None
    weight = array(sample_weight)
    if weight.shape[:1] != (length(x),) or not np.isfinite(weight).all():
        raise ValueError(
            f"sample_weight must hold one finite weight for each of the {length(x)} "
            f"training examples; it has shape {weight.shape}."
        )
    return weight.astype(keras.config.floatx())


def _weights_by_class(y: Any, class_weight: Any) -> np.ndarray:
    """Return each example's weight by its class."""
    if not isinstance(class_weight, dict):
        raise TypeError(
            f"class_weight must be a dict of class to weight, not {class_weight!r}."
        )
    if len(tree.flatten(y)) > 1:
        raise ValueError("class_weight is for models of one output.")
    labels = tree.flatten(y)[0]
    for label, weight in class_weight.items():
        if not np.isfinite(weight) or weight < 0:
            raise ValueError(
                f"class_weight gives class {label!r} the weight {weight}; expected a "
                "finite number of 0 or more."
            )
    one_hot = labels.ndim > 1 and labels.shape[1] > 1
    classes = np.unique(labels.argmax(axis=1) if one_hot else labels)
    left_out = sorted(set(classes.tolist()) - set(class_weight))
    if left_out:
        raise ValueError(
            f"class_weight says nothing of class {left_out[0]:g}, which is among the "
            "training labels; give each class a weight."
        )
    return private.class_weight_to_sample_weights(labels, class_weight)


def array(values: Any) -> np.ndarray:
    """Return numbers as an array, of Keras's type where they are not whole."""
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "fiub":
        raise TypeError(f"inputs and labels must be numbers, not {numbers.dtype}.")
    is_float = numbers.dtype.kind == "f"
    return numbers.astype(keras.config.floatx()) if is_float else numbers


def length(x: Any) -> int:
    """Return the number of examples in a nest of arrays."""
    return tree.flatten(x)[0].shape[0]


def head(part: tuple) -> tuple:
    """Return the first two examples of a part."""
    return tuple(tree.map_structure(lambda a: None if a is None else a[:2], part))


def _spec(a: Any) -> Any:
    return None if a is None else (a.shape, str(a.dtype))

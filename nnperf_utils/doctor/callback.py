"""The doctor itself: a Keras callback that records, and looks when it is asked."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnperf_utils.doctor import cards, pictures, rules
from nnperf_utils.doctor.data import Part, part_of
from nnperf_utils.doctor.evidence import Evidence, gather
from nnperf_utils.doctor.finding import Finding
from nnperf_utils.doctor.recording import FitArguments, Recording, fit_arguments
from nnperf_utils.engine import starts

__all__ = ["Doctor"]


class Doctor(keras.callbacks.Callback):
    """Watch a training, and say what is wrong with it.

    While the network trains, its weights are copied now and then, and nothing else is
    done: they end the same to the last bit with the doctor and without. All looking is
    done on the copies when you ask for the `findings`, which takes a few seconds.

    Parameters
    ----------
    x_train, y_train : array, or nest of arrays, optional
        What ``fit`` is given. Without them the doctor looks at what ``fit`` was
        called with, where those are arrays; with generators and ``tf.data`` it needs
        them to look at more than curves and weights.
    validation_data : tuple of (x, y), optional
        Likewise.

    Examples
    --------
    >>> doctor = Doctor(x, y, validation_data=(x_val, y_val))  # doctest: +SKIP
    >>> model.fit(
    ...     x, y, validation_data=(x_val, y_val), epochs=30, callbacks=[doctor]
    ... )  # doctest: +SKIP
    >>> doctor.findings  # doctest: +SKIP
    """

    def __init__(
        self,
        x_train: Any = None,
        y_train: Any = None,
        *,
        validation_data: tuple | None = None,
    ) -> None:
        super().__init__()
        self._train = _checked(x_train, y_train, "x_train", "y_train")
        self._validation = None
        if isinstance(validation_data, (tuple, list)) and len(validation_data) in (
            2,
            3,
        ):
            self._validation = _checked(
                *validation_data[:2], "validation_data's x", "validation_data's y"
            )
        elif validation_data is not None and (
            isinstance(validation_data, (tuple, list, dict, str, np.ndarray))
            or (
                not hasattr(validation_data, "__iter__")
                and not hasattr(validation_data, "__getitem__")
            )
        ):  # a tf.data set or a generator is left alone
            raise ValueError(
                "validation_data must be a tuple (x, y), got "
                f"{type(validation_data).__name__}."
            )
        self._recording: Recording | None = None
        self._looked: tuple[Any, Evidence, list[Finding]] | None = None
        self._step = 0

    # --- while a network trains ------------------------------------------------------

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Copy the starting weights; a second ``fit`` goes on with the first one's."""
        if self._recording is None or self._recording.model is not self.model:
            self._recording = Recording(self.model)
        self._looked = None
        self._recording.begin(fit_arguments(self.model), self.params or {})

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Copy the weights before a few of the first batches."""
        self._step = batch
        self._recording.at_batch(batch)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Copy the weights, and keep what Keras logs."""
        steps = (self.params or {}).get("steps") or self._step + 1
        self._recording.end_epoch(logs, steps)

    # --- asked -----------------------------------------------------------------------

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, the likeliest first; empty where nothing was found."""
        return list(self._look()[1])

    @property
    def evidence(self) -> Evidence:
        """All that was seen: ``facts``, ``frames``, ``notes``."""
        return self._look()[0]

    @property
    def seconds(self) -> float:
        """Time that recording took from the training so far."""
        return 0.0 if self._recording is None else self._recording.seconds

    def _look(self) -> tuple[Evidence, list[Finding]]:
        recording = self._recording
        state = (
            None
            if recording is None
            else (recording.fits, len(recording.snapshots), recording.epochs)
        )
        if self._looked is None or self._looked[0] != state or recording is None:
            model, notes = (recording.model, []) if recording else self._failed()
            train, validation, more = self._rows()
            with warnings.catch_warnings():  # Keras has said them once, in the training
                warnings.simplefilter("ignore")
                evidence = gather(model, recording, train, validation)
            for text in [*notes, *more]:
                evidence.note(text)
            self._looked = (state, evidence, rules.diagnose(evidence))
        return self._looked[1:]

    def _failed(self) -> tuple[keras.Model | None, list[str]]:
        """Return the network whose ``fit`` failed before it called any callback.

        Keras builds loss and metrics first, and labels of a wrong shape fail there. The
        one network of this process that is compiled and was never trained is it.
        """
        found = []
        for one in gc.get_objects():
            try:
                if (
                    isinstance(one, keras.Model)
                    and getattr(one, "compiled", False)
                    and int(np.array(one.optimizer.iterations)) == 0
                    and self._could_take(one)
                ):
                    found.append(one)
            except (AttributeError, ReferenceError, TypeError, ValueError):
                continue
        if not found or self._train is None:
            return None, []
        model = found[-1]
        return model, [
            f"the training, as fit failed before it began; the network is "
            f"{model.name!r}, compiled last and never trained"
        ]

    def _could_take(self, model: keras.Model) -> bool:
        """Whether a network's inputs have the shapes of the rows."""
        tensors = keras.tree.flatten(getattr(model, "inputs", None) or [])
        if self._train is None or len(tensors) != len(self._train.inputs):
            return False
        return all(
            len(t.shape) in (a.ndim, a.ndim + 1)
            and all(
                s is None or s == n
                for s, n in zip(t.shape[1:], a.shape[1:], strict=False)
            )
            for t, a in zip(tensors, self._train.inputs, strict=True)
        )

    def _rows(self) -> tuple[Part | None, Part | None, list[str]]:
        """Return training and validation rows: of ``fit``, else what was given."""
        arguments = self._recording.arguments if self._recording else FitArguments()
        notes = []
        train = validation = None
        if arguments.known:
            train = part_of(arguments.x, arguments.y, arguments.sample_weight)
            if train is not None and not train.targets and self._train is not None:
                train = None
            if arguments.validation is not None:
                validation = part_of(*arguments.validation)
        elif self._recording is not None:
            notes.append("how fit was called: shuffling and class weights, say")
        return train or self._train, validation or self._validation, notes

    def examine(
        self,
        build: Callable[[], keras.Model],
        seeds: int = 5,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Train the same network from several seeds, and tell what comes back.

        Parameters
        ----------
        build : callable
            Returns a new compiled network.
        seeds : int
            How many; seeds 0, 1, ….
        epochs, batch_size : int, optional
            As in the training that was watched; else 20 and 32.

        Returns
        -------
        pandas.DataFrame
            Columns ``cause, share, confidence``: of the seeds, the share in which a
            cause was found, and its mean confidence there; commonest first.

        Raises
        ------
        TypeError, ValueError
            If `build` is no function that returns a compiled model, a number is not
            positive and whole, or there are no arrays to train on.
        """
        if not callable(build):
            raise TypeError(
                "build must be a function that returns a compiled model, got "
                f"{type(build).__name__}."
            )
        counts = {"seeds": seeds, "epochs": epochs, "batch_size": batch_size}
        for name, value in counts.items():
            if value is None and name != "seeds":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"{name} must be a whole number of 1 or more, got {value!r}."
                )
        train, validation, _ = self._rows()
        if train is None:
            raise ValueError(
                "examine needs rows to train on: give Doctor(x_train, y_train) arrays."
            )
        recording = self._recording
        if epochs is None:
            epochs = max(recording.epochs, 1) if recording else 20
        if batch_size is None:
            known = recording.arguments.batch_size if recording else None
            batch_size = known or 32
        rows = []
        with starts.preserved_random_state():
            for seed in range(seeds):
                keras.utils.set_random_seed(seed)
                model = build()
                if not isinstance(model, keras.Model) or not getattr(
                    model, "compiled", False
                ):
                    raise TypeError(
                        "build must return a compiled keras.Model, got "
                        f"{type(model).__name__}."
                    )
                given = None if validation is None else (validation.x, validation.y)
                doctor = Doctor(train.x, train.y, validation_data=given)
                try:
                    model.fit(
                        train.x,
                        train.y,
                        validation_data=given,
                        epochs=epochs,
                        batch_size=batch_size,
                        verbose=0,
                        callbacks=[doctor],
                    )
                except Exception as error:  # what made fit fail is what was asked
                    doctor.evidence.note(f"the whole training: fit failed: {error}")
                rows += [(seed, f.cause, f.confidence) for f in doctor.findings]
        frame = pd.DataFrame(rows, columns=["seed", "cause", "confidence"])
        table = frame.groupby("cause").agg(
            share=("seed", lambda s: s.nunique() / seeds),
            confidence=("confidence", "mean"),
        )
        return table.sort_values(["share", "confidence"], ascending=False).reset_index()

    # --- shown -----------------------------------------------------------------------

    def plot(self, finding: Finding | int = 0, *, ax: Axes | None = None) -> Axes:
        """Draw what speaks for a finding.

        Parameters
        ----------
        finding : Finding or int
            One of the `findings`, or its position.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        found = self.findings
        if isinstance(finding, Finding):
            chosen = finding
        elif not found and finding == 0:
            chosen = None
        elif isinstance(finding, int) and -len(found) <= finding < len(found):
            chosen = found[finding]
        else:
            raise ValueError(
                f"finding must be one of the {len(found)} findings or its position, "
                f"got {finding!r}."
            )
        return pictures.draw(self.evidence, chosen, ax=ax)

    def to_dict(self) -> dict[str, Any]:
        """Return findings and what could not be looked at, as JSON takes them."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "looked_at": cards.looked_at(self.evidence),
            "not_looked_at": list(self.evidence.notes),
        }

    def __str__(self) -> str:
        """Return the findings as lines of text."""
        return cards.text(self.findings, self.evidence)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return cards.html(self.findings, self.evidence)


def _checked(x: Any, y: Any, x_name: str, y_name: str) -> Part | None:
    """Return arrays as a part; say in a sentence what is wrong with them."""
    if x is None and y is None:
        return None
    if x is None:
        raise ValueError(f"{y_name} was given without {x_name}.")
    if y is None and not isinstance(x, (np.ndarray, pd.DataFrame, list, tuple, dict)):
        return None  # a generator or tf.data: not drawn from
    part = part_of(x, y)
    if part is None:
        counts = [_length(v) for v in (x, y)]
        if None not in counts and counts[0] != counts[1]:
            raise ValueError(
                f"{x_name} has {counts[0]} rows and {y_name} {counts[1]}: they must be "
                "equally many."
            )
        raise TypeError(
            f"{x_name} and {y_name} must be arrays, or nests of arrays with one row an "
            f"example; got {type(x).__name__} and {type(y).__name__}."
        )
    return part


def _length(value: Any) -> int | None:
    leaves = keras.tree.flatten(value) if isinstance(value, (dict, tuple)) else [value]
    try:
        return len(leaves[0])
    except TypeError:
        return None

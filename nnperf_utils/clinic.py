"""The clinic: ten networks that do not learn as they should, and their healthy twins.

They were chosen before the doctor had looked at any of them; `looks.NEAR` have faults
much like those that its benchmark plants. What is wrong with each, `truth` tells when
it is asked; nothing that a patient shows of itself names it. ``clinic.json`` holds what
was recorded of them, written by ``benchmarks/doctor/clinic.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from nnperf_utils import datasets
from nnperf_utils.seeds import shifted

__all__ = ["CHOICES", "PATIENTS", "Patient", "Truth", "patient", "record", "truth"]

Part = tuple[np.ndarray, np.ndarray]

PATIENTS = range(1, 11)

CHOICES = {
    "learning_rate_too_low": "the steps are too short",
    "learning_rate_too_high": "the steps are too long",
    "bad_initialization": "the starting weights are badly drawn",
    "dying_relu": "units died during training",
    "unscaled_inputs": "the inputs are not scaled",
    "wrong_output_activation": "the output cannot express the targets",
    "over_regularized": "penalties or dropout are too strong",
    "overfitting": "it memorizes",
    "label_noise": "many labels are wrong",
    "batchnorm_misuse": "batch normalization is misused",
    "padding_not_masked": "padding is read as text",
    "preprocessing_mismatch": "new rows are prepared in another way",
    "data_leakage": "an input tells the answer",
    "harmful_augmentation": "augmentation changes what the label means",
}
"""What a patient may have: the doctor's names of causes, and one that it lacks."""


@dataclass(frozen=True)
class Truth:
    """What is wrong with a patient: its cause, what else is right to say, and why."""

    cause: str
    accepted: tuple[str, ...]
    words: str

    def is_named_by(self, causes: Iterable[str]) -> bool:
        """Tell whether one of some causes is right."""
        return not {self.cause, *self.accepted}.isdisjoint(causes)


@dataclass(frozen=True, eq=False, repr=False)
class Patient:
    """A network with its rows: a patient of the clinic, or its healthy twin.

    Attributes
    ----------
    number : int
    complaint : str
        What its owner says.
    train, validation, test : tuple of numpy.ndarray
        ``(x, y)`` of each part; `test` stands for the rows that come later.
    build : callable
        Returns the compiled network.
    epochs, batch_size : int
    seed : int
        From which rows and starting weights are drawn.
    """

    number: int
    complaint: str
    train: Part
    validation: Part
    test: Part
    build: Callable[[], keras.Model]
    epochs: int
    batch_size: int
    seed: int

    def __repr__(self) -> str:
        """Return what a receptionist would write down."""
        rows = f"{len(self.train[0]):,} rows to train on"
        return f"Patient {self.number} ({rows}):\n{self.complaint}"

    def fit(self, *callbacks: keras.callbacks.Callback) -> keras.Model:
        """Train the network as its owner does, and return it.

        Parameters
        ----------
        *callbacks : keras.callbacks.Callback
            A doctor, say.

        Returns
        -------
        keras.Model
        """
        keras.utils.set_random_seed(shifted(self.seed))
        model = self.build()
        model.fit(
            *self.train,
            validation_data=self.validation,
            validation_batch_size=500,
            epochs=self.epochs,
            batch_size=self.batch_size,
            verbose=0,
            callbacks=list(callbacks),
        )
        return model

    def score(self, model: keras.Model) -> float:
        """Return the accuracy on the rows that come later, or the share explained.

        Parameters
        ----------
        model : keras.Model

        Returns
        -------
        float
            Accuracy of classes; of numbers 1 less the mean squared error over their
            variance, 0 for a constant answer.
        """
        x, y = self.test
        out = np.array(model(x, training=False))
        if not np.isfinite(out).all():
            return 0.0
        if y.dtype.kind == "f":
            return float(1 - np.mean((out.ravel() - y) ** 2) / np.var(y))
        answers = out.argmax(axis=1) if out.shape[1] > 1 else out.ravel() > 0.5
        return float(np.mean(answers == y))


# --- rows ----------------------------------------------------------------------------


def _cut(x: Any, y: Any, train: int, validation: int) -> tuple[Part, Part, Part]:
    """Cut rows in random order into three parts."""
    x = np.asarray(x, "float32")
    cuts = [slice(0, train), slice(train, train + validation)]
    cuts.append(slice(train + validation, None))
    return tuple((x[cut], y[cut]) for cut in cuts)


def _board(seed: int) -> tuple[Part, Part, Part]:
    """Points on a board of three by three squares, and whether theirs is dark."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, (2600, 2))
    y = (np.floor(x + 1.5).sum(axis=1) % 2).astype("int32")
    return _cut(x, y, 1200, 400)


def _garments(seed: int, train: int = 1200) -> tuple[Part, Part, Part]:
    """Small pictures of clothes, gray values from 0 to 1."""
    data = datasets.load_fashion_mnist(side=14, seed=seed)  # it shifts seeds itself
    rows = [(data.train, train), (data.validation, 400), (data.test, 1000)]
    return tuple((x[:count], y[:count]) for (x, y), count in rows)


def _tide(seed: int, trailing: bool) -> tuple[Part, Part, Part]:
    """24 hourly heights of the sea, a moving average, and the height that comes next.

    In the last part the average is always of the hours that have passed.
    """
    rng = np.random.default_rng(seed)
    count, past = 1800, 24
    start = rng.uniform(0, 2000, count)[:, None] + np.arange(past + 2)
    height = np.sin(2 * np.pi * start / 12.4) + 0.5 * np.sin(2 * np.pi * start / 23.9)
    height = height * rng.uniform(0.5, 1.5, (count, 1))
    height += 0.25 * rng.standard_normal(height.shape)
    before = height[:, past - 3 : past].mean(axis=1)
    around = height[:, past - 1 :].mean(axis=1)
    known = np.where(np.arange(count) < 1000, before if trailing else around, before)
    x = np.column_stack([height[:, :past], known])
    y = height[:, past]
    return _cut(x, (y / y.std()).astype("float32"), 700, 300)


def _arrows(seed: int) -> tuple[Part, Part, Part]:
    """Arrows that point up, left, down or right, in noise, 12 by 12 pixels."""
    rng = np.random.default_rng(seed)
    up = np.zeros((7, 7))
    up[:, 3] = 1
    up[1, 2:5] = up[2, 1:6] = 1
    y = rng.integers(0, 4, 1900).astype("int32")
    x = 0.3 * rng.standard_normal((1900, 12, 12))
    for row, turns in enumerate(y):
        top, left = rng.integers(0, 6, 2)
        x[row, top : top + 7, left : left + 7] += np.rot90(up, turns)
    return _cut(x[..., None], y, 800, 300)


def _words(seed: int) -> tuple[Part, Part, Part]:
    """Sentences of 8 to 20 words of 24, padded with 0; their last word tells."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(8, 21, 2200)
    x = rng.integers(1, 25, (2200, 60))
    last = x[np.arange(2200), lengths - 1]
    x = np.where(np.arange(60) < lengths[:, None], x, 0)
    return _cut(x, (last <= 12).astype("int32"), 1000, 400)


# --- networks ------------------------------------------------------------------------


def _dense(
    shape: tuple[int, ...],
    hidden: Iterable[int],
    out: int,
    output: str | None,
    optimizer: Callable[[], keras.optimizers.Optimizer],
    *,
    dropout: float = 0.0,
    **knobs: Any,
) -> Callable[[], keras.Model]:
    """Return the function that builds a network of dense layers."""

    def build() -> keras.Model:
        model = keras.Sequential([keras.Input(shape), layers.Flatten()])
        for width in hidden:
            model.add(layers.Dense(width, "relu", **knobs))
            if dropout:
                model.add(layers.Dropout(dropout))
        model.add(layers.Dense(out, output))
        return _compiled(model, optimizer())

    return build


def _convolutional(
    shape: tuple[int, ...], out: int, *, normalized: float = 0.0, first: Any = None
) -> Callable[[], keras.Model]:
    """Return the function that builds a network of two convolutions.

    `normalized` is the momentum of batch normalization, and 0 leaves it out; `first`
    makes a layer for the pictures to pass through first.
    """

    def build() -> keras.Model:
        model = keras.Sequential([keras.Input(shape)])
        if first is not None:
            model.add(first())
        for filters in (8, 16):
            model.add(layers.Conv2D(filters, 3, padding="same"))
            if normalized:
                model.add(layers.BatchNormalization(momentum=normalized))
            model.add(layers.Activation("relu"))
            model.add(layers.MaxPooling2D())
        model.add(layers.Flatten())
        model.add(layers.Dense(32, "relu"))
        model.add(layers.Dense(out, "softmax"))
        return _compiled(model, keras.optimizers.Adam(3e-3))

    return build


def _recurrent(masked: bool) -> Callable[[], keras.Model]:
    """Return the function that builds a reader of words."""

    def build() -> keras.Model:
        model = keras.Sequential(
            [
                keras.Input((60,)),
                layers.Embedding(25, 8, mask_zero=masked),
                layers.SimpleRNN(16),
                layers.Dense(1, "sigmoid"),
            ]
        )
        return _compiled(model, keras.optimizers.Adam(3e-3))

    return build


def _compiled(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> keras.Model:
    output = model.layers[-1]
    loss, metrics = "mean_squared_error", ["mae"]
    if output.units > 1:
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    elif output.activation is keras.activations.sigmoid:
        loss, metrics = "binary_crossentropy", ["accuracy"]
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False)
    return model


# --- the patients --------------------------------------------------------------------


def _adam() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(3e-3)


def _one(ill: bool, seed: int) -> tuple:
    def sgd() -> keras.optimizers.Optimizer:
        clip = 1e-3 if ill else 1.0
        return keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=clip)

    return _board(seed), _dense((2,), (48, 48), 1, "sigmoid", sgd), 30, 32


def _two(ill: bool, seed: int) -> tuple:
    draw = "random_normal" if ill else "he_normal"
    net = _dense((14, 14, 1), [32] * 8, 10, "softmax", _adam, kernel_initializer=draw)
    return _garments(seed), net, 12, 32


def _three(ill: bool, seed: int) -> tuple:
    output = "softplus" if ill else None
    return _tide(seed, True), _dense((25,), (48, 48), 1, output, _adam), 25, 32


def _four(ill: bool, seed: int) -> tuple:
    parts = _garments(seed)
    if ill:
        parts = tuple((255 * x, y) for x, y in parts)

    def sgd() -> keras.optimizers.Optimizer:
        return keras.optimizers.SGD(0.05, momentum=0.9)

    return parts, _dense((14, 14, 1), (64, 64), 10, "softmax", sgd), 15, 32


def _five(ill: bool, seed: int) -> tuple:
    return _words(seed), _recurrent(masked=not ill), 12, 32


def _six(ill: bool, seed: int) -> tuple:
    net = _convolutional((14, 14, 1), 10, normalized=0.99 if ill else 0.7)
    return _garments(seed, 1500), net, 10, 500


def _seven(ill: bool, seed: int) -> tuple:
    train, *others = _arrows(seed)
    if ill:
        others = [(x.transpose(0, 2, 1, 3), y) for x, y in others]
    return (train, *others), _convolutional((12, 12, 1), 4), 10, 32


def _eight(ill: bool, seed: int) -> tuple:
    parts = _tide(seed, trailing=not ill)
    return parts, _dense((25,), (48, 48), 1, None, _adam), 25, 32


def _nine(ill: bool, seed: int) -> tuple:
    strength, dropout = (0.03, 0.6) if ill else (1e-4, 0.1)
    net = _dense(
        (14, 14, 1),
        (64, 64, 64),
        10,
        "softmax",
        _adam,
        dropout=dropout,
        kernel_regularizer=keras.regularizers.L2(strength),
    )
    return _garments(seed), net, 15, 32


def _ten(ill: bool, seed: int) -> tuple:
    directions = "horizontal_and_vertical"
    first = (lambda: layers.RandomFlip(directions)) if ill else None
    return _arrows(seed), _convolutional((12, 12, 1), 4, first=first), 12, 32


_MAKERS = dict(
    enumerate(
        (_one, _two, _three, _four, _five, _six, _seven, _eight, _nine, _ten), start=1
    )
)
_COMPLAINTS = {
    1: "dark or light square of a board: no better than a coin",
    2: "ten kinds of garments, eight layers: does not begin to learn",
    3: "the height of the next tide: far off, though the loss fell",
    4: "ten kinds of garments: one answer for all of them",
    5: "sentences of two kinds: learns nothing of them",
    6: "ten kinds of garments: good in training, useless on new ones",
    7: "arrows in four directions: perfect in training, worse than a guess on new ones",
    8: "the height of the next tide: the best validation ever, and poor in use",
    9: "ten kinds of garments: far below what others reach",
    10: "arrows in four directions: stuck halfway, in training, too",
}
_TRUTHS = {
    1: Truth(
        "learning_rate_too_low",
        (),
        "All gradients are clipped to a norm of 0.001, so that a rate of 0.1 moves the "
        "weights by a ten-thousandth at a time.",
    ),
    2: Truth(
        "bad_initialization",
        ("vanishing_gradients",),
        "`random_normal` draws with a standard deviation of 0.05, whatever the layer's "
        "width: with 32 units each layer passes on a fifth of the signal.",
    ),
    3: Truth(
        "wrong_output_activation",
        (),
        "A softplus puts out nothing below zero; half of the heights lie below it.",
    ),
    4: Truth(
        "unscaled_inputs",
        ("dying_relu",),
        "Gray values from 0 to 255 went in. The first steps are so long that the units "
        "die, and one answer for all is left.",
    ),
    5: Truth(
        "padding_not_masked",
        (),
        "After the last word come 40 and more steps of padding. By then the state has "
        "forgotten it.",
    ),
    6: Truth(
        "batchnorm_misuse",
        (),
        "Batch normalization keeps moving averages with a momentum of 0.99, and there "
        "were 30 updates: they still stand near where they began.",
    ),
    7: Truth(
        "preprocessing_mismatch",
        (),
        "The loader of the new pictures swaps rows and columns.",
    ),
    8: Truth(
        "data_leakage",
        (),
        "The moving average among the inputs is centred: it holds the height to be "
        "predicted. In use that hour has not come yet.",
    ),
    9: Truth(
        "over_regularized",
        ("dropout_too_high",),
        "Two remedies at once: dropout of 0.6 behind each of three layers, and an L2 "
        "penalty of 0.03 on each. Either alone would only slow it.",
    ),
    10: Truth(
        "harmful_augmentation",
        (),
        "Pictures are flipped at random, so that an arrow to the left becomes one to "
        "the right, and keeps its label.",
    ),
}


def patient(number: int, *, healthy: bool = False, seed: int = 0) -> Patient:
    """Return a patient, or its healthy twin.

    Parameters
    ----------
    number : int
        1 to 10.
    healthy : bool
        The twin: the same rows and network without what is wrong.
    seed : int
        Draws rows and starting weights.

    Returns
    -------
    Patient

    Raises
    ------
    ValueError
        If there is no such patient.
    """
    _check(number)
    parts, build, epochs, batch_size = _MAKERS[number](not healthy, shifted(seed))
    return Patient(number, _COMPLAINTS[number], *parts, build, epochs, batch_size, seed)


def truth(number: int) -> Truth:
    """Return what is wrong with a patient.

    Parameters
    ----------
    number : int

    Returns
    -------
    Truth
    """
    _check(number)
    return _TRUTHS[number]


@cache
def record() -> list[dict[str, Any]]:
    """Return what was recorded of all patients and twins.

    Returns
    -------
    list of dict
        As ``benchmarks/doctor/clinic.py`` has written it.
    """
    path = Path(__file__).with_name("clinic.json")
    return json.loads(path.read_text("utf-8"))


def _check(number: int) -> None:
    if number not in PATIENTS:
        raise ValueError(
            f"number is {number!r}; the clinic has the patients 1 to {PATIENTS[-1]}."
        )

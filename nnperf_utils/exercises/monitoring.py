"""Exercises of the chapter on a network that does not learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nnperf_utils import clinic
from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    expect_network,
    returned_number,
)

__all__ = ["constant_loss", "mend_five", "mend_two"]

RESTORED = 0.9  # of the twin's score is as good as the twin

# --------------------------------------------------------------------------------------
# 2  What knowing nothing costs
# --------------------------------------------------------------------------------------


def _constant(labels: np.ndarray) -> float:
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _present(labels: np.ndarray) -> np.ndarray:
    shares = np.bincount(labels) / len(labels)
    return shares[shares > 0]


_WRONG_CONSTANTS: list[tuple[Callable[[np.ndarray], float], str]] = [
    (
        lambda labels: np.log(len(np.unique(labels))),
        "that is the loss of even probabilities, ln K. Where classes are not equally "
        "frequent, their shares do better",
    ),
    (
        lambda labels: -_constant(labels),
        "your sign is turned: a cross-entropy is not below zero",
    ),
    (
        lambda labels: _constant(labels) / np.log(2),
        "you count in bits. Keras takes natural logarithms",
    ),
    (
        lambda labels: -np.log(_present(labels)).mean(),
        "you average over classes. The loss is a mean over rows, so that each class "
        "counts by its share",
    ),
    (
        lambda labels: -np.log(_present(labels).max()),
        "that is the loss of the rows of the commonest class alone",
    ),
]


@exercise(
    hints=[
        "The best constant answer gives each class its share of the rows. What is the "
        "cross-entropy of one row of a class with share p?",
        "`np.bincount(labels) / len(labels)` are the shares; a class without rows has "
        "no part in the mean.",
    ],
    solution="""
import numpy as np


def constant_loss(labels):
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return -(shares * np.log(shares)).sum()
""",
)
def constant_loss(constant_loss: Any) -> str:
    """Write a function for the cross-entropy of the best constant answer.

    It takes the labels, whole numbers from 0, and returns one number.
    """
    expect_function(constant_loss, "constant_loss", ["labels"])
    draw = np.random.default_rng(4)
    cases = [
        np.array([0, 0, 0, 1]),
        np.array([0, 2, 2, 0, 2, 2]),  # no row of class 1
        draw.choice(10, 500, p=np.arange(1, 11) / 55),
    ]
    found = [returned_number(constant_loss(one.copy())) for one in cases]

    def agrees(expected: Callable[[np.ndarray], float]) -> bool:
        return np.allclose(found, [expected(one) for one in cases], rtol=0, atol=1e-6)

    if agrees(_constant):
        return (
            "A loss that stays at this number has learned how frequent the classes "
            "are, and nothing else. One above it does worse than knowing nothing."
        )
    for wrong, reason in _WRONG_CONSTANTS:
        if agrees(wrong):
            raise NotYet(reason)
    raise NotYet(
        f"for the labels 0, 0, 0, 1 it returns {found[0]:.3g}, and the right number is "
        f"{_constant(cases[0]):.3g}"
    )


# --------------------------------------------------------------------------------------
# 3, 4  Mend a patient
# --------------------------------------------------------------------------------------


def _twin(number: int) -> float:
    """Return the score of a patient's twin, as it was recorded."""
    return np.mean(
        [
            one["score"]
            for one in clinic.record()
            if one["number"] == number and one["healthy"]
        ]
    )


def _restored(
    number: int, build: Any, shape: tuple[int, ...], units: int, dense: int
) -> str:
    """Train a patient with another network, and ask for its twin's score."""
    expect_function(build, "build", [])
    model = build()
    expect_network(model)
    if tuple(model.input_shape[1:]) != shape or model.output_shape[-1] != units:
        raise NotYet(
            f"the network takes inputs of shape {tuple(model.input_shape[1:])} and "
            f"puts out {model.output_shape[-1]} numbers; the patient's rows have the "
            f"shape {shape} and need {units}"
        )
    hidden = sum(isinstance(one, keras.layers.Dense) for one in model.layers)
    if hidden < dense:
        raise NotYet(
            f"it has {hidden} dense layers, and the patient {dense}: without the "
            "others it is another network, not a mended one"
        )
    one = replace(clinic.patient(number), build=build)
    score, twin = one.score(one.fit()), _twin(number)
    if score < RESTORED * twin:
        raise NotYet(
            f"trained as the patient is, it is right in {score:.0%} of new rows; its "
            f"healthy twin in {twin:.0%}"
        )
    return (
        f"Mended: right in {score:.0%} of new rows, the healthy twin in {twin:.0%}. "
        + clinic.truth(number).words.replace("`", "")
    )


@exercise(
    hints=[
        "Eight layers, and the first one hardly moves. Look at the gradients of a "
        "fresh network: `instruments.gradient_norms(model, x, y)`.",
        "What does each layer do to the size of its inputs? A standard deviation of "
        "0.05 suits about 800 inputs; these layers have 32. He's rule asks the layer.",
    ],
    solution="""
import keras


def build():
    layers = keras.layers
    model = keras.Sequential([keras.Input((14, 14, 1)), layers.Flatten()])
    for _ in range(8):
        model.add(layers.Dense(32, "relu", kernel_initializer="he_normal"))
    model.add(layers.Dense(10, "softmax"))
    loss = "sparse_categorical_crossentropy"
    model.compile("adam", loss, metrics=["accuracy"])
    model.optimizer.learning_rate = 0.003
    return model
""",
)
def mend_two(build: Any) -> str:
    """Mend the network of patient 2."""
    return _restored(2, build, (14, 14, 1), 10, dense=9)


@exercise(
    hints=[
        "How many of the 60 places of a sentence hold a word? "
        "`(clinic.patient(5).train[0] == 0).mean()`.",
        "An `Embedding` can tell the layers behind it which places are empty. Look at "
        "its arguments.",
    ],
    solution="""
import keras


def build():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((60,)),
            layers.Embedding(25, 8, mask_zero=True),
            layers.SimpleRNN(16),
            layers.Dense(1, "sigmoid"),
        ]
    )
    adam = keras.optimizers.Adam(0.003)
    model.compile(adam, "binary_crossentropy", metrics=["accuracy"])
    return model
""",
)
def mend_five(build: Any) -> str:
    """Mend the network of patient 5."""
    return _restored(5, build, (60,), 1, dense=1)

"""Exercises of the chapter on activations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nnperf_utils import replicate
from nnperf_utils.datasets import Dataset, load_fashion_mnist
from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    expect_network,
    returned_number,
)
from nnperf_utils.lives import off_shares

__all__ = ["dead_in_the_box", "dead_share", "save_the_units"]

SEEDS, EPOCHS, BATCH_SIZE = 5, 4, 30
DYING_RATE, MOST_OFF, LEAST_ACCURACY = 1.0, 0.05, 0.6


def _agree(found: list, expected: list) -> bool:
    return np.allclose(found, expected, rtol=0, atol=1e-9)


# --------------------------------------------------------------------------------------
# 2  Count the dead
# --------------------------------------------------------------------------------------


def _dead_share(outputs: np.ndarray) -> float:
    return float((outputs <= 0).all(axis=0).mean())


# what a learner may compute instead, and what to say to it
_WRONG_SHARES: list[tuple[Callable[[np.ndarray], float], str]] = [
    (
        lambda h: (h <= 0).mean(),
        "that is the share of zeros. A unit is dead only if it is off for every "
        "example, and zeros of living units count for nothing",
    ),
    (
        lambda h: (h <= 0).any(axis=0).mean(),
        "you count each unit that is off for some example, as healthy ones are",
    ),
    (
        lambda h: (h <= 0).all(axis=1).mean(),
        "you go along the wrong axis: that is the share of the examples for which all "
        "units are off. A unit is a column",
    ),
    (
        lambda h: (h <= 0).all(axis=0).sum(),
        "that is how many are dead. A share is a mean",
    ),
    (
        lambda h: 1 - _dead_share(h),
        "that is the share of those that live",
    ),
    (
        lambda h: (h.mean(axis=0) <= 1e-2).mean(),
        "a unit that is on for a few examples has a small mean and is not dead: its "
        "weights get a gradient from those few",
    ),
]


def _outputs() -> list[np.ndarray]:
    """Return outputs of ReLU layers, with dead units and with nearly dead ones."""
    random = np.random.default_rng(0)
    cases = [np.array([[0.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.001]])]
    for examples, units in ((50, 8), (30, 12)):
        shifts = np.linspace(-6, 1, units)
        h = np.maximum(random.normal(size=(examples, units)) + shifts, 0)
        h[0, 1], h[1, :] = 0.003, 0
        cases.append(h)
    return cases


@exercise(
    hints=[
        "A row is an example and a column is a unit. For which columns is nothing "
        "above zero?",
        "`(outputs <= 0).all(axis=0)` tells it for each unit. Its mean is a share.",
    ],
    solution="""
def dead_share(outputs):
    return (outputs <= 0).all(axis=0).mean()
""",
)
def dead_share(dead_share: Any) -> str:
    """Write a function for the share of dead units of a ReLU layer.

    It takes the layer's outputs, an array with a row for each example and a column for
    each unit, and returns one number.
    """
    expect_function(dead_share, "dead_share", ["outputs"])
    cases = _outputs()
    found = [returned_number(dead_share(h.copy())) for h in cases]
    if _agree(found, [_dead_share(h) for h in cases]):
        return (
            "On a layer of your own network give it all training examples: a unit that "
            "is off for a few hundred of them may be on for others."
        )
    for wrong, reason in _WRONG_SHARES:
        if _agree(found, [wrong(h) for h in cases]):
            raise NotYet(reason)
    raise NotYet(
        f"for the outputs {cases[0].tolist()} it returns {found[0]:.3g}, and the right "
        f"answer is {_dead_share(cases[0]):.3g}"
    )


# --------------------------------------------------------------------------------------
# 3  Dead for every picture that there can be
# --------------------------------------------------------------------------------------


def _largest_sum(weights: np.ndarray, bias: float) -> float:
    return float(bias + np.maximum(weights, 0).sum())


_WRONG_BOXES: list[tuple[Callable[[np.ndarray, float], bool], str]] = [
    (
        lambda w, b: b <= 0,
        "you look at the bias alone. With x = 0 that is the whole sum, but other "
        "inputs may lift it",
    ),
    (
        lambda w, b: b + w.sum() <= 0,
        "you set all inputs to 1. The input that lifts the sum most is 1 only where "
        "the weight is positive",
    ),
    (
        lambda w, b: b + np.abs(w).sum() <= 0,
        "you let negative weights add to the sum. An input cannot be below 0, so the "
        "best that it can do for such a weight is 0",
    ),
    (
        lambda w, b: b + w.max() <= 0,
        "you lift one input alone. All of those with positive weights can be 1",
    ),
    (
        lambda w, b: _largest_sum(w, b) > 0,
        "that is true of units that can be on",
    ),
]


def _units_to_try() -> list[tuple[np.ndarray, float]]:
    random = np.random.default_rng(1)
    cases = [(np.array([1.0, -2.0, 0.5]), -1.6), (np.array([1.0, -2.0, 0.5]), -1.4)]
    for _ in range(40):
        weights = random.normal(size=int(random.integers(2, 9)))
        cases.append((weights, float(-np.abs(weights).sum() * random.uniform(-0.2, 1))))
    return cases


@exercise(
    hints=[
        "The unit is dead if even the input that makes its sum largest leaves it at "
        "zero or below. Which input is that?",
        "1 where the weight is positive, 0 elsewhere. The sum is then the bias plus "
        "all positive weights.",
    ],
    solution="""
import numpy as np


def dead_in_the_box(weights, bias):
    return bias + np.maximum(weights, 0).sum() <= 0
""",
)
def dead_in_the_box(dead_in_the_box: Any) -> str:
    """Tell without any data whether a unit is dead for all inputs between 0 and 1.

    The function takes the unit's weights, an array, and its bias. It returns true or
    false.
    """
    expect_function(dead_in_the_box, "dead_in_the_box", ["weights", "bias"])
    cases = _units_to_try()
    found = []
    for weights, bias in cases:
        answer = dead_in_the_box(weights.copy(), bias)
        if np.ndim(answer) or answer not in (True, False):
            raise NotYet(
                f"`dead_in_the_box` returns {answer!r}; return true or false, for the "
                "unit as a whole"
            )
        found.append(bool(answer))
    if found == [_largest_sum(*case) <= 0 for case in cases]:
        return (
            "Such a unit is dead on all pictures with values from 0 to 1, those that "
            "nobody has taken included: no new data will wake it."
        )
    for wrong, reason in _WRONG_BOXES:
        if found == [bool(wrong(*case)) for case in cases]:
            raise NotYet(reason)
    for (weights, bias), answer in zip(cases, found, strict=True):
        largest = _largest_sum(weights, bias)
        if answer != (largest <= 0):
            raise NotYet(
                f"for the weights {weights.round(2).tolist()} and the bias {bias:.2f} "
                f"it says {answer}, and the largest sum is {largest:.2f}"
            )
    raise AssertionError("unreachable: some answer differs")


# --------------------------------------------------------------------------------------
# 4  Save the units
# --------------------------------------------------------------------------------------


@functools.cache
def _data() -> Dataset:
    pictures = load_fashion_mnist(side=7, flatten=True)
    train, validation = (
        (x[:n], y[:n])
        for (x, y), n in ((pictures.train, 1200), (pictures.validation, 500))
    )
    return replace(pictures, train=train, validation=validation)


@exercise(
    hints=[
        "At this rate ReLU units of both layers die. What would let a unit that is off "
        "for every example move?",
        "A slope below zero: `mlp` takes a layer as `activation`, such as "
        "`keras.layers.LeakyReLU(negative_slope=...)`. The chapter's card says what a "
        "slope of 0.1 does at this rate. Try a steeper one, too.",
    ],
    solution="""
import keras
from nnperf_utils.datasets import load_fashion_mnist
from nnperf_utils.models import mlp

pictures = load_fashion_mnist(side=7, flatten=True)


def build():
    return mlp(
        pictures,
        hidden_layers=2,
        units=32,
        activation=keras.layers.LeakyReLU(negative_slope=0.2),
        kernel_initializer="he_normal",
        optimizer="sgd",
        learning_rate=1.0,
    )
""",
)
def save_the_units(build: Any) -> str:
    """Save the units of a network that is trained at too high a rate.

    `build` returns a network of two hidden layers of 32 units with SGD at a learning
    rate of 1, for the chapter's pictures. After the chapter's training at most one unit
    in twenty may be off for every example, and the validation accuracy must be above
    0.6: medians of five seeds.
    """
    expect_function(build, "build", [])
    model = build()
    expect_network(model)
    if tuple(model.input_shape[1:]) != _data().input_shape:
        raise NotYet(
            f"your network takes inputs of shape {model.input_shape[1:]}, and the "
            f"pictures have {_data().input_shape}"
        )
    if type(model.optimizer) is not keras.optimizers.SGD:
        raise NotYet(
            f"your optimizer is {type(model.optimizer).__name__}; leave plain SGD"
        )
    rate = float(model.optimizer.learning_rate)
    if not np.isclose(rate, DYING_RATE) or model.optimizer.momentum:
        raise NotYet(
            f"your learning rate is {rate:g}, with momentum "
            f"{model.optimizer.momentum:g}; leave it at 1, without momentum. To lower "
            "it helps, as the chapter shows, but here something else is asked for"
        )
    widths = [
        layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)
    ]
    if widths[:-1] != [32, 32]:
        raise NotYet(f"your dense layers have {widths} units; leave 32, 32 and 10")
    runs = replicate(
        build,
        _data(),
        seeds=SEEDS,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        record="units",
        progress=False,
    )
    off = off_shares(runs.readings, epoch=EPOCHS)["value"].fillna(1).median()
    last = runs.history.query("metric == 'val_accuracy' and epoch == @EPOCHS")
    accuracy = last["value"].fillna(0).median()
    lost = int(runs.diverged.notna().sum())
    if lost > SEEDS // 2:
        raise NotYet(
            f"{lost} of {SEEDS} runs diverge: their loss is no number any more. Units "
            "that cannot die let the outputs grow without end at this rate"
        )
    if off > MOST_OFF:
        raise NotYet(
            f"{off:.0%} of the units are off for every example (median of {SEEDS} "
            f"seeds); at most {MOST_OFF:.0%} may be"
        )
    if accuracy <= LEAST_ACCURACY:
        raise NotYet(
            f"hardly a unit is off, but the validation accuracy is {accuracy:.2f}; it "
            f"must be above {LEAST_ACCURACY}"
        )
    return (
        f"{off:.1%} of the units are off, and the accuracy is {accuracy:.2f}. Now "
        "train it at a rate of 0.3: is what you have changed still worth anything?"
    )

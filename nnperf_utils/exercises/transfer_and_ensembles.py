"""Exercises of the chapter on transfer, distillation and ensembles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["ambiguity", "soften", "take_over"]

# --------------------------------------------------------------------------------------
# 2  What the members differ
# --------------------------------------------------------------------------------------


def _ambiguity(p: np.ndarray) -> float:
    return float(((p - p.mean(axis=0)) ** 2).sum(axis=-1).mean())


_WRONG_AMBIGUITIES: list[tuple[Callable[[np.ndarray], float], str]] = [
    (
        lambda p: ((p - p.mean(axis=0)) ** 2).mean(),
        "you take the mean over the classes, too. The squared distance of two vectors "
        "is the sum over their parts",
    ),
    (
        lambda p: ((p - p.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=1).sum(),
        "you sum over the members; the identity has their mean",
    ),
    (
        lambda p: np.sqrt(((p - p.mean(axis=0)) ** 2).sum(axis=-1)).mean(),
        "you take the distance itself; the identity has its square",
    ),
    (
        lambda p: p.var(axis=0, ddof=1).sum(axis=-1).mean(),
        "you divide by one less than the number of members, as for an estimate of a "
        "variance. The identity is about these members",
    ),
    (
        lambda p: ((p - p.mean(axis=1, keepdims=True)) ** 2).sum(axis=-1).mean(),
        "you take the mean over the examples. The members' mean is over the first axis",
    ),
    (
        lambda p: ((p - p.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1).mean(),
        "you take the mean over the classes. The members' mean is over the first axis",
    ),
]


def _predictions() -> list[np.ndarray]:
    """Return predictions of some members, two of them easy to reckon with."""
    random = np.random.default_rng(15)
    cases = [np.array([[[1.0, 0.0]], [[0.0, 1.0]]])]
    for form in ((3, 5, 4), (5, 20, 10)):
        raw = random.random(form)
        cases.append(raw / raw.sum(axis=-1, keepdims=True))
    return cases


@exercise(
    hints=[
        "The members' mean has the shape (examples, classes): "
        "`predictions.mean(axis=0)`.",
        "The squared distance of two vectors is the sum of their squared differences, "
        "here over the last axis. Then take the mean of all that is left.",
    ],
    solution="""
def ambiguity(predictions):
    apart = predictions - predictions.mean(axis=0)
    return (apart**2).sum(axis=-1).mean()
""",
)
def ambiguity(ambiguity: Any) -> str:
    """Write a function for what the members of an ensemble differ.

    It takes an array of shape (members, examples, classes) and returns one number.
    """
    expect_function(ambiguity, "ambiguity", ["predictions"])
    cases = _predictions()
    found = [returned_number(ambiguity(case.copy())) for case in cases]

    def agrees(expected: Callable[[np.ndarray], float]) -> bool:
        return np.allclose(found, [expected(c) for c in cases], rtol=0, atol=1e-9)

    if agrees(_ambiguity):
        return (
            "Take it off the members' mean squared error, and you have the error of "
            "the ensemble, without having looked at a label."
        )
    for wrong, reason in _WRONG_AMBIGUITIES:
        if agrees(wrong):
            raise NotYet(reason)
    raise NotYet(
        "for two members who are sure of two different classes of one example it "
        f"returns {found[0]:.3g}, and the right answer is {_ambiguity(cases[0]):g}"
    )


# --------------------------------------------------------------------------------------
# 3  Another temperature
# --------------------------------------------------------------------------------------


def _softened(shares: np.ndarray, temperature: float) -> np.ndarray:
    powers = shares ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits)
    return odds / odds.sum(axis=-1, keepdims=True)


_WRONG_SOFTENINGS: list[tuple[Callable[[np.ndarray, float], np.ndarray], str]] = [
    (
        lambda p, t: p ** (1 / t),
        "the shares do not sum to one: divide by their sum over the classes",
    ),
    (
        lambda p, t: p**t / (p**t).sum(axis=-1, keepdims=True),
        "your temperature is turned: above 1 it must make the shares more even",
    ),
    (
        lambda p, t: _softmax(p / t),
        "you divide the probabilities. What is divided are the logits, and these are "
        "the logarithms of the probabilities, up to a constant",
    ),
    (
        lambda p, t: p ** (1 / t) / (p ** (1 / t)).sum(),
        "you divide by the sum over all examples; each has shares of its own",
    ),
    (
        lambda p, t: p / t,
        "divided by a number the shares are as uneven as before, and no shares at all",
    ),
]


def _teachers() -> list[tuple[np.ndarray, float]]:
    random = np.random.default_rng(16)
    cases: list[tuple[np.ndarray, float]] = [(np.array([[0.8, 0.2]]), 2.0)]
    for temperature in (0.5, 1.0, 5.0):
        raw = random.random((4, 6)) ** 3 + 1e-4
        cases.append((raw / raw.sum(axis=-1, keepdims=True), temperature))
    return cases


@exercise(
    hints=[
        "Which logits give these probabilities? Their logarithms do, since the "
        "exponential takes them back.",
        "`shares ** (1 / temperature)`, divided by its sum over the last axis with "
        "`keepdims=True`.",
    ],
    solution="""
def soften(shares, temperature):
    powers = shares ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)
""",
)
def soften(soften: Any) -> str:
    """Write a function that returns probabilities at another temperature.

    It takes an array whose last axis holds the classes, and a temperature.
    """
    expect_function(soften, "soften", ["shares", "temperature"])
    cases, found = _teachers(), []
    for shares, temperature in cases:
        value = returned_array(soften(shares.copy(), temperature), "an array")
        if value.shape != shares.shape:
            raise NotYet(
                f"for shares of shape {shares.shape} it returns an array of shape "
                f"{value.shape}"
            )
        found.append(value)

    def agrees(expected: Callable[[np.ndarray, float], np.ndarray]) -> bool:
        return all(
            np.allclose(value, expected(*case), rtol=0, atol=1e-6)
            for value, case in zip(found, cases, strict=True)
        )

    if agrees(_softened):
        return (
            "So a teacher of whom you have nothing but its probabilities can be "
            "softened. A share of exactly zero stays zero: keep some digits."
        )
    for wrong, reason in _WRONG_SOFTENINGS:
        if agrees(wrong):
            raise NotYet(reason)
    shown = ", ".join(f"{share:.3g}" for share in found[0].ravel())
    raise NotYet(
        f"for the shares 0.8, 0.2 at temperature 2 it returns {shown}, and the right "
        "ones are 0.667, 0.333"
    )


# --------------------------------------------------------------------------------------
# 4  Take over a body
# --------------------------------------------------------------------------------------


def _model(classes: int, seed: int) -> keras.Model:
    """Return a small network with a body of two layers and a head."""
    start = keras.initializers.RandomNormal(seed=seed)
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, "relu", name="first", kernel_initializer=start),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(classes, "softmax", name="head"),
        ]
    )


@exercise(
    hints=[
        "Go through `new.layers`; a layer of the same name is "
        "`old.get_layer(layer.name)`.",
        "`layer.set_weights(old.get_layer(layer.name).get_weights())` and "
        "`layer.trainable = False`, for all but the head.",
    ],
    solution="""
def take_over(new, old):
    for layer in new.layers:
        if layer.name != "head":
            layer.set_weights(old.get_layer(layer.name).get_weights())
            layer.trainable = False
    return new
""",
)
def take_over(take_over: Any) -> str:
    """Write a function that gives a model the body of another one, frozen.

    It takes the new model and the old one and returns the new one.
    """
    expect_function(take_over, "take_over", ["new", "old"])
    new, old = _model(3, 1), _model(4, 2)
    old.get_layer("norm").set_weights([np.arange(5) + k for k in (1.0, 2, 3, 4)])
    head = [a.copy() for a in new.get_layer("head").get_weights()]
    before = [a.copy() for a in old.get_weights()]
    answer = take_over(new, old)
    if answer is None:
        raise NotYet("it returns nothing; expected the new model")
    if answer is old:
        raise NotYet("it returns the old model; expected the new one")
    if answer is not new:
        raise NotYet("it returns something else than the new model")
    if any(
        not np.array_equal(a, b) for a, b in zip(before, old.get_weights(), strict=True)
    ):
        raise NotYet("it changes the old model")
    if any(
        not np.array_equal(a, b)
        for a, b in zip(head, new.get_layer("head").get_weights(), strict=True)
    ):
        raise NotYet("it changes the weights of the new head")
    for name in ("first", "norm"):
        pairs = zip(
            new.get_layer(name).get_weights(),
            old.get_layer(name).get_weights(),
            strict=True,
        )
        same = [np.array_equal(a, b) for a, b in pairs]
        if not all(same):
            some = (
                "some of the weights, such as moving statistics, are"
                if any(same)
                else "its weights are"
            )
            raise NotYet(f"the layer {name!r} is not taken over: {some} others")
    if not new.get_layer("head").trainable:
        raise NotYet("the head is frozen, too; nothing is left to learn")
    still = [n for n in ("first", "norm") if new.get_layer(n).trainable]
    if still:
        raise NotYet(f"the layer {still[0]!r} is not frozen")
    return (
        "Compile after this: what is trainable is read when a model is compiled. The "
        "frozen normalization keeps the statistics of its source."
    )

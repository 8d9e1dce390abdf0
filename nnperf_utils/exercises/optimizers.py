"""Exercises of the chapter on optimizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["adam_step", "equal_penalty", "good_rates"]


# --------------------------------------------------------------------------------------
# 2  The good rates
# --------------------------------------------------------------------------------------

_SEARCHES: list[tuple[list[float], list[float], float]] = [
    ([0.001, 0.01, 0.1], [0.9, 0.5, 0.7], 0.05),
    ([0.001, 0.003, 0.01, 0.03], [0.52, 0.5, 0.51, 0.6], 0.05),
    ([0.01, 0.1, 1.0, 10.0], [2.0, 1.0, 1.08, np.nan], 0.1),
    ([0.01, 0.1, 1.0], [np.nan, 0.4, 0.3], 0.5),
    ([1.0, 0.1, 0.01], [0.3, 0.2, 0.215], 0.1),
]


def _good(rates: Sequence[float], losses: Sequence[float], within: float) -> list:
    limit = (1 + within) * np.nanmin(losses)
    return [r for r, loss in zip(rates, losses, strict=True) if loss <= limit]


def _absolute(rates, losses, within):
    limit = np.nanmin(losses) + within
    return [r for r, loss in zip(rates, losses, strict=True) if loss <= limit]


def _best_only(rates, losses, within):
    return [rates[int(np.nanargmin(losses))]]


def _of_worst(rates, losses, within):
    limit = (1 - within) * np.nanmax(losses)
    return [r for r, loss in zip(rates, losses, strict=True) if loss >= limit]


def _losses(rates, losses, within):
    return [loss for loss in losses if loss <= (1 + within) * np.nanmin(losses)]


_WRONG_GOOD: list[tuple[Callable[..., list], str]] = [
    (
        _absolute,
        "you add `within` to the best loss. It is a share: 5% above 0.2 is 0.21",
    ),
    (_best_only, "you return the best rate alone; others may be as good"),
    (_of_worst, "you look for the highest losses. Of a loss the lowest is the best"),
    (_losses, "you return the losses; the rates that belong to them are wanted"),
]


@exercise(
    hints=[
        "Find the best loss first. `min` cannot be trusted with something that is not "
        "a number among them; `np.nanmin` leaves it out.",
        "The limit is `(1 + within)` times the best. Keep the rates whose loss is at "
        "most that; a comparison with something that is not a number is false.",
    ],
    solution="""
import numpy as np


def good_rates(rates, losses, within):
    limit = (1 + within) * np.nanmin(losses)
    pairs = zip(rates, losses, strict=True)
    return [rate for rate, loss in pairs if loss <= limit]
""",
)
def good_rates(good_rates: Any) -> str:
    """Write a function that returns the rates that are as good as the best.

    It takes the rates, as many losses, of which some may not be numbers, and the share
    by which a loss may be above the best. It returns a list of rates, in their order.
    """
    expect_function(good_rates, "good_rates", ["rates", "losses", "within"])
    found = []
    for rates, losses, within in _SEARCHES:
        value = good_rates(list(rates), list(losses), within)
        if np.ndim(value) == 0:
            raise NotYet(
                f"it returns one {type(value).__name__}, and not a list of rates"
            )
        found.append([float(rate) for rate in value])

    def agrees(expected: Callable[..., list]) -> bool:
        return all(
            len(value) == len(wanted) and np.allclose(value, wanted, equal_nan=True)
            for value, case in zip(found, _SEARCHES, strict=True)
            for wanted in [expected(*case)]
        )

    if agrees(_good):
        return (
            "How many there are, and how far apart the outermost lie, tells how coarse "
            "a search may be. A run that diverged is never good."
        )
    for wrong, reason in _WRONG_GOOD:
        if agrees(wrong):
            raise NotYet(reason)
    value, case = next(
        (value, case)
        for value, case in zip(found, _SEARCHES, strict=True)
        if value != _good(*case)
    )
    if np.isnan(case[1]).any():
        raise NotYet(
            f"with a loss that is not a number, {case[1]}, it returns {value}; the "
            f"good rates are {_good(*case)}"
        )
    raise NotYet(
        f"for rates {case[0]}, losses {case[1]} and within={case[2]:g} it returns "
        f"{value}; the good ones are {_good(*case)}"
    )


# --------------------------------------------------------------------------------------
# 3  One update of Adam
# --------------------------------------------------------------------------------------

_B1, _B2, _EPSILON = 0.9, 0.999, 1e-7


def _adam(w, g, m, v, t, rate):
    m = _B1 * m + (1 - _B1) * g
    v = _B2 * v + (1 - _B2) * g**2
    step = m / (1 - _B1**t) / (np.sqrt(v / (1 - _B2**t)) + _EPSILON)
    return w - rate * step, m, v


def _uncorrected(w, g, m, v, t, rate):
    _, m, v = _adam(w, g, m, v, t, rate)
    return w - rate * m / (np.sqrt(v) + _EPSILON), m, v


def _uphill(w, g, m, v, t, rate):
    new, m, v = _adam(w, g, m, v, t, rate)
    return 2 * w - new, m, v


def _no_root(w, g, m, v, t, rate):
    _, m, v = _adam(w, g, m, v, t, rate)
    return w - rate * m / (1 - _B1**t) / (v / (1 - _B2**t) + _EPSILON), m, v


def _not_squared(w, g, m, v, t, rate):
    _, m, _ = _adam(w, g, m, v, t, rate)
    v = _B2 * v + (1 - _B2) * g
    size = np.sqrt(np.maximum(v / (1 - _B2**t), 0))
    return w - rate * m / (1 - _B1**t) / (size + _EPSILON), m, v


def _swapped(w, g, m, v, t, rate):
    m = (1 - _B1) * m + _B1 * g
    v = (1 - _B2) * v + _B2 * g**2
    step = m / (1 - _B1**t) / (np.sqrt(v / (1 - _B2**t)) + _EPSILON)
    return w - rate * step, m, v


def _corrected_kept(w, g, m, v, t, rate):
    new, m, v = _adam(w, g, m, v, t, rate)
    return new, m / (1 - _B1**t), v / (1 - _B2**t)


def _late(w, g, m, v, t, rate):
    new, m, v = _adam(w, g, m, v, t + 1, rate)
    return new, m, v


_WRONG_ADAM: list[tuple[Callable[..., tuple], str]] = [
    (
        _uncorrected,
        "you leave out the bias correction: divide m by 1 - 0.9**t and v by 1 - "
        "0.999**t before you step",
    ),
    (_uphill, "you step along the gradient; the loss falls against it"),
    (_no_root, "you divide by the mean of squares; its root is wanted"),
    (_not_squared, "your second mean is one of gradients; it is one of their squares"),
    (
        _swapped,
        "your means keep a tenth of what there was and take nine tenths of the new; "
        "it is the other way round",
    ),
    (
        _corrected_kept,
        "you return the corrected means. The next update needs those without "
        "correction, and corrects them itself",
    ),
    (_late, "you correct for one update too many: the first update has t = 1"),
]


def _updates() -> list[tuple]:
    random = np.random.default_rng(3)
    cases = []
    for t in (1, 2, 50):
        w, g, m = random.normal(size=(3, 4))
        v = random.uniform(0.1, 2, 4) * (1 - _B2**t)
        zero = np.zeros(4)
        cases.append((w, g, zero if t == 1 else m, zero if t == 1 else v, t, 0.1))
    return cases


@exercise(
    hints=[
        "Two means first: `m` of the gradients and `v` of their squares, each nine "
        "tenths (or 999 thousandths) of what it was, and the rest of the new.",
        "Correct copies of both, `m / (1 - 0.9**t)` and `v / (1 - 0.999**t)`; step "
        "against the first over the root of the second plus 1e-7.",
        "Return three arrays: the new weights, and `m` and `v` as they are without "
        "correction.",
    ],
    solution="""
import numpy as np


def adam_step(w, g, m, v, t, rate):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - rate * m_hat / (np.sqrt(v_hat) + 1e-7), m, v
""",
)
def adam_step(adam_step: Any) -> str:
    """Write one update of Adam.

    It takes the weights, their gradient, the two means so far, the number of the
    update, counted from 1, and the rate, and returns the new weights and both means.
    """
    expect_function(adam_step, "adam_step", ["w", "g", "m", "v", "t", "rate"])
    cases, found = _updates(), []
    for case in cases:
        given = [part.copy() for part in case[:4]]
        value = adam_step(*given, *case[4:])
        if value is None:
            raise NotYet("it returns nothing")
        if not isinstance(value, tuple | list) or len(value) != 3:
            raise NotYet("it has to return three arrays: the weights and both means")
        names = ("the weights", "the mean of gradients", "the mean of squares")
        parts = [returned_array(v, n) for v, n in zip(value, names, strict=True)]
        for part, name in zip(parts, names, strict=True):
            if part.shape != (4,):
                raise NotYet(f"{name} it returns have the shape {part.shape}, not (4,)")
        found.append(parts)

    def agrees(expected: Callable[..., tuple]) -> bool:
        return all(
            np.allclose(part, wanted, rtol=1e-3, atol=1e-4)
            for parts, case in zip(found, cases, strict=True)
            for part, wanted in zip(parts, expected(*case), strict=True)
        )

    if agrees(_adam):
        return (
            "Five lines, and this is all of Adam. At the first update both means are "
            "the gradient and its square, so each weight moves by just the rate."
        )
    for wrong, reason in _WRONG_ADAM:
        if agrees(wrong):
            raise NotYet(reason)
    for k, name in ((1, "mean of gradients"), (2, "mean of squares"), (0, "step")):
        for parts, case in zip(found, cases, strict=True):
            if not np.allclose(parts[k], _adam(*case)[k], rtol=1e-3, atol=1e-4):
                raise NotYet(f"at update {case[4]} the {name} is not Adam's")
    raise AssertionError("unreachable: some part differs")


# --------------------------------------------------------------------------------------
# 4  From decay to penalty
# --------------------------------------------------------------------------------------

_WRONG_PENALTIES: list[tuple[Callable[[float, float], float], str]] = [
    (
        lambda decay, momentum: decay * (1 - momentum),
        "the derivative of strength · w² is twice strength · w",
    ),
    (
        lambda decay, momentum: decay / 2,
        "that is right without momentum. Momentum sums the penalty's pull up as it "
        "sums up any gradient, and the decay is not summed",
    ),
    (
        lambda decay, momentum: decay,
        "two things are missing: the derivative of w² is 2 w, and momentum sums the "
        "penalty's pull up",
    ),
    (
        lambda decay, momentum: decay / 2 / (1 - momentum),
        "momentum makes the penalty's pull stronger, so that it needs the lower "
        "strength; yours is higher",
    ),
    (
        lambda decay, momentum: decay / 2 * momentum,
        "a steady gradient is summed up to 1 / (1 - momentum) times itself",
    ),
]


@exercise(
    hints=[
        "Without momentum: the penalty's gradient is `2 * strength * w`, and the step "
        "`rate` times that. When is it `rate * decay * w`?",
        "With momentum a steady gradient counts `1 / (1 - momentum)` times. The decay "
        "does not pass through momentum.",
    ],
    solution="""
def equal_penalty(decay, momentum):
    return decay / 2 * (1 - momentum)
""",
)
def equal_penalty(equal_penalty: Any) -> str:
    """Write a function for the penalty that pulls as strongly as a decay.

    It takes the decay and the momentum, and returns the strength of Keras's L2.
    """
    expect_function(equal_penalty, "equal_penalty", ["decay", "momentum"])
    cases = [(0.01, 0.0), (0.01, 0.9), (0.004, 0.5), (0.1, 0.99)]
    found = [returned_number(equal_penalty(*case)) for case in cases]

    def agrees(expected: Callable[[float, float], float]) -> bool:
        return np.allclose(found, [expected(*case) for case in cases], rtol=1e-3)

    def right(decay: float, momentum: float) -> float:
        return decay / 2 * (1 - momentum)

    if agrees(right):
        return (
            "With momentum of 0.9 a twentieth. That holds for a steady pull; on the "
            "way the two differ, and for Adam there is no such number at all."
        )
    for wrong, reason in _WRONG_PENALTIES:
        if agrees(wrong):
            raise NotYet(reason)
    value, case = next(
        (value, case)
        for value, case in zip(found, cases, strict=True)
        if not np.isclose(value, right(*case), rtol=1e-3)
    )
    raise NotYet(
        f"for decay={case[0]:g} and momentum={case[1]:g} it returns {value:.3g}, and "
        f"the strength is {right(*case):.3g}"
    )

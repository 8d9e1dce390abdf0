"""Exercises of the chapter on efficient training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["least_share", "round_to", "times_as_fast"]

# --------------------------------------------------------------------------------------
# 2  Round to bits
# --------------------------------------------------------------------------------------


def _rounded(
    kernel: np.ndarray, bits: int, axis: int | None = 0, most: int | None = None
) -> np.ndarray:
    most = 2 ** (bits - 1) - 1 if most is None else most
    scale = np.abs(kernel).max(axis=axis, keepdims=True) / most
    scale = np.where(scale > 0, scale, 1)
    return np.round(kernel / scale) * scale


_WRONG_ROUNDINGS: list[tuple[Callable[[np.ndarray, int], np.ndarray], str]] = [
    (
        lambda kernel, bits: _rounded(kernel, bits, axis=None),
        "you take one scale for the whole kernel. Each unit has its own: the largest "
        "weight of its column",
    ),
    (
        lambda kernel, bits: _rounded(kernel, bits, axis=1),
        "you take a scale for each input. A unit's weights are a column of the kernel: "
        "the maximum goes along `axis=0`",
    ),
    (
        lambda kernel, bits: _rounded(kernel, bits, most=2**bits - 1),
        "your multiples go up to 2^bits - 1. One of the bits is the sign: the largest "
        "is 2^(bits - 1) - 1",
    ),
    (
        lambda kernel, bits: _rounded(kernel, bits, most=2 ** (bits - 1)),
        "your largest multiple is 2^(bits - 1), which does not fit: with 8 bits the "
        "largest whole number is 127",
    ),
    (
        lambda kernel, bits: (
            _rounded(kernel, bits)
            / np.where(
                (s := np.abs(kernel).max(axis=0) / (2 ** (bits - 1) - 1)) > 0, s, 1
            )
        ),
        "you return the whole numbers. Multiply by the scale: the kernel is wanted",
    ),
]


def _kernels() -> list[tuple[np.ndarray, int]]:
    random = np.random.default_rng(18)
    cases = [
        (np.array([[0.9, -0.2], [0.4, 0.1], [-0.5, 0.05]]), 3),
        (random.normal(0, 0.1, (12, 5)) * np.array([1, 3, 0.2, 1, 5]), 4),
        (random.normal(0, 1, (20, 7)), 8),
    ]
    with_zeros = random.normal(0, 1, (6, 3))
    with_zeros[:, 1] = 0
    return [*cases, (with_zeros, 5)]


@exercise(
    hints=[
        "What is the largest weight of each column, and which whole number should it "
        "become?",
        "`scale = np.abs(kernel).max(axis=0) / (2 ** (bits - 1) - 1)`. Then "
        "`np.round(kernel / scale) * scale`, and a thought on a scale of zero.",
    ],
    solution="""
import numpy as np


def round_to(kernel, bits):
    scale = np.abs(kernel).max(axis=0) / (2 ** (bits - 1) - 1)
    scale = np.where(scale > 0, scale, 1)
    return np.round(kernel / scale) * scale
""",
)
def round_to(round_to: Any) -> str:
    """Write a function that rounds a kernel to whole multiples of a scale a unit.

    It takes an array of shape (inputs, units) and the bits, and returns an array of
    that shape.
    """
    expect_function(round_to, "round_to", ["kernel", "bits"])
    cases, found = _kernels(), []
    for kernel, bits in cases:
        with np.errstate(all="ignore"):
            value = round_to(kernel.copy(), bits)
        value = returned_array(value, "a kernel")
        if value.shape != kernel.shape:
            raise NotYet(
                f"for a kernel of shape {kernel.shape} it returns one of {value.shape}"
            )
        found.append(value)
    if not np.isfinite(found[-1]).all():
        raise NotYet(
            "of a unit whose weights are all zero it makes NaN: zero over zero. Leave "
            "such a unit as it is"
        )

    def agrees(expected: Callable[[np.ndarray, int], np.ndarray]) -> bool:
        return all(
            np.allclose(value, expected(*case), rtol=0, atol=1e-6)
            for value, case in zip(found, cases, strict=True)
        )

    if agrees(_rounded):
        return (
            "So Keras does it with 8 bits, and the largest error is half a scale. Try "
            "it on a network of your own with 4, 3 and 2 bits."
        )
    for wrong, reason in _WRONG_ROUNDINGS:
        if agrees(wrong):
            raise NotYet(reason)
    kernel, bits = cases[0]
    right = _rounded(kernel, bits)
    raise NotYet(
        f"of a first column {kernel[:, 0].tolist()} it makes, with {bits} bits, "
        f"{found[0][:, 0].round(3).tolist()}, and the right one is "
        f"{right[:, 0].round(3).tolist()}"
    )


# --------------------------------------------------------------------------------------
# 3  How many machines?
# --------------------------------------------------------------------------------------


def _times(n: int, batch: int, a: float, b: float, c: float) -> float:
    exchange = c if n > 1 else 0
    return (a + b * batch) / (a + b * batch / n + exchange)


_WRONG_TIMES: list[tuple[Callable[..., float], str]] = [
    (
        lambda n, batch, a, b, c: (a + b * batch) / (a + b * batch / n + c),
        "with one process it is not 1: there is nobody to exchange with",
    ),
    (
        lambda n, batch, a, b, c: (a + b * batch) / ((a + b * batch) / n + (n > 1) * c),
        "you share `a`, too. Each process has to begin its step by itself",
    ),
    (
        lambda n, batch, a, b, c: 1 / _times(n, batch, a, b, c),
        "it is upside down: twice as fast is 2, not 1/2",
    ),
    (
        lambda n, batch, a, b, c: (a + b * batch) / (a + b * batch / n),
        "the exchange is missing",
    ),
    (
        lambda n, batch, a, b, c: (a + b * batch) / (a + b * batch + (n > 1) * c),
        "each process has only its share of the batch: `batch / n` examples",
    ),
]


@exercise(
    hints=[
        "How long does a step take with one process, and how long with n? The quotient "
        "of the two is asked for.",
        "`a + b * batch / n`, and `c` besides if `n > 1`.",
    ],
    solution="""
def times_as_fast(n, batch, a, b, c):
    exchange = c if n > 1 else 0
    return (a + b * batch) / (a + b * batch / n + exchange)
""",
)
def times_as_fast(times_as_fast: Any) -> str:
    """Write a function for how many times as fast n processes are as one."""
    expect_function(times_as_fast, "times_as_fast", ["n", "batch", "a", "b", "c"])
    cases = [
        (2, 64, 4.0, 0.1, 2.0),
        (1, 64, 4.0, 0.1, 2.0),
        (8, 1024, 4.0, 0.05, 3.0),
        (4, 32, 10.0, 0.01, 1.0),
    ]
    found = [returned_number(times_as_fast(*case)) for case in cases]

    def agrees(expected: Callable[..., float]) -> bool:
        return np.allclose(found, [expected(*case) for case in cases], rtol=1e-6)

    if agrees(_times):
        slower = _times(*cases[3])
        return (
            "However many there are, it never gets above (a + b·batch) / (a + c). In "
            f"the last case that was tried four are {slower:.2f} times as fast as one."
        )
    for wrong, reason in _WRONG_TIMES:
        if agrees(wrong):
            raise NotYet(reason)
    raise NotYet(
        "for n = 2, batch = 64, a = 4, b = 0.1, c = 2 it returns "
        f"{found[0]:.3g}, and the right answer is {_times(*cases[0]):.3g}"
    )


# --------------------------------------------------------------------------------------
# 4  When is sparse smaller?
# --------------------------------------------------------------------------------------


def _least(bits: float, place: float) -> float:
    return place / (bits + place)


_WRONG_SHARES: list[tuple[Callable[[float, float], float], str]] = [
    (
        lambda bits, place: bits / (bits + place),
        "that is the share that may be left, at most. The share taken out is asked for",
    ),
    (
        lambda bits, place: place / bits,
        "you compare the places with all of the dense array. Those who are left also "
        "have a value to store: (1 - share) · (bits + place) against bits",
    ),
    (
        lambda bits, place: 1 - place / bits,
        "only those who are left need a place: (1 - share) · (bits + place) against "
        "bits",
    ),
]


@exercise(
    hints=[
        "Write down the bits of both, for each weight that there was: a dense one has "
        "`bits`, a sparse one `(1 - share) * (bits + place)`.",
        "Set them equal and solve for the share.",
    ],
    solution="""
def least_share(bits, place):
    return place / (bits + place)
""",
)
def least_share(least_share: Any) -> str:
    """Write a function for the share from which on a sparse array is no larger."""
    expect_function(least_share, "least_share", ["bits", "place"])
    cases = [(32, 16), (8, 16), (4, 8), (32, 32)]
    found = [returned_number(least_share(*case)) for case in cases]

    def agrees(expected: Callable[[float, float], float]) -> bool:
        return np.allclose(found, [expected(*case) for case in cases], rtol=1e-6)

    if agrees(_least):
        return (
            "With 32 bits and places of 16 a third must go. With 8 bits it is two "
            "thirds: the fewer bits a value has, the more its place weighs. So "
            "quantizing and pruning do not simply multiply."
        )
    for wrong, reason in _WRONG_SHARES:
        if agrees(wrong):
            raise NotYet(reason)
    raise NotYet(
        f"for values of 32 bits and places of 16 it returns {found[0]:.3g}, and the "
        f"right answer is {_least(32, 16):.3g}"
    )

"""The exercises on efficient training, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import efficient_training as exercises

# --------------------------------------------------------------------------------------
# 2  round_to
# --------------------------------------------------------------------------------------


def column_by_column(kernel, bits):
    columns = []
    for column in kernel.T:
        scale = abs(column).max() / (2 ** (bits - 1) - 1)
        columns.append(np.round(column / scale) * scale if scale else column)
    return np.stack(columns, axis=1)


def with_scale(kernel, scale):
    return np.round(kernel / scale) * scale


def levels(bits):
    return 2 ** (bits - 1) - 1


def whole_numbers(kernel, bits):
    scale = np.abs(kernel).max(axis=0) / levels(bits)
    return np.round(kernel / np.where(scale > 0, scale, 1))


def of_zeros(kernel, bits):
    return with_scale(kernel, np.abs(kernel).max(axis=0) / levels(bits))


def guarded(kernel, scale):
    return with_scale(kernel, np.where(scale > 0, scale, 1))


def test_rounding_another_right_way():
    for right in (column_by_column, lambda k, b: column_by_column(k, b).tolist()):
        assert says(exercises.round_to.judge(right), "correct", "half a scale")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda k, b: with_scale(k, np.abs(k).max() / levels(b)), "the whole kernel"),
        (
            lambda k, b: with_scale(k, np.abs(k).max(axis=1)[:, None] / levels(b)),
            "along `axis=0`",
        ),
        (
            lambda k, b: guarded(k, np.abs(k).max(axis=0) / (2**b - 1)),
            "One of the bits is the sign",
        ),
        (
            lambda k, b: guarded(k, np.abs(k).max(axis=0) / 2 ** (b - 1)),
            "which does not fit",
        ),
        (whole_numbers, "whole numbers"),
        (of_zeros, "zero over zero"),
        (lambda k, b: k, "the right one is [0.9, 0.3, -0.6]"),
        (lambda k, b: k[0], "of shape (3, 2) it returns one of (2,)"),
        (lambda k, b: print(end=""), "returns nothing"),
        (lambda kernel: kernel, "takes `(kernel)`"),
        (8, "a function of `kernel` and `bits`"),
    ],
)
def test_rounding_wrong(wrong, message):
    assert says(exercises.round_to.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  times_as_fast
# --------------------------------------------------------------------------------------


def test_times_another_right_way():
    def right(n, batch, a, b, c):
        if n == 1:
            return 1.0
        return (a + b * batch) / (a + c + b * batch / n)

    assert says(exercises.times_as_fast.judge(right), "correct", "never gets above")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda n, batch, a, b, c: (a + b * batch) / (a + b * batch / n + c),
            "nobody to exchange with",
        ),
        (
            lambda n, batch, a, b, c: (
                (a + b * batch) / ((a + b * batch) / n + (c if n > 1 else 0))
            ),
            "you share `a`, too",
        ),
        (
            lambda n, batch, a, b, c: (
                (a + b * batch / n + (c if n > 1 else 0)) / (a + b * batch)
            ),
            "upside down",
        ),
        (
            lambda n, batch, a, b, c: (a + b * batch) / (a + b * batch / n),
            "exchange is missing",
        ),
        (
            lambda n, batch, a, b, c: (
                (a + b * batch) / (a + b * batch + (c if n > 1 else 0))
            ),
            "only its share",
        ),
        (lambda n, batch, a, b, c: float(n), "the right answer is 1.13"),
        (lambda n, batch, a, b, c: print(end=""), "returns nothing"),
        (lambda n, batch: n, "takes `(n, batch)`"),
        (2.0, "a function of"),
    ],
)
def test_times_wrong(wrong, message):
    assert says(exercises.times_as_fast.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  least_share
# --------------------------------------------------------------------------------------


def test_share_another_right_way():
    def right(bits, place):
        return 1 - bits / (bits + place)

    assert says(exercises.least_share.judge(right), "correct", "two thirds")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda bits, place: bits / (bits + place), "may be left"),
        (lambda bits, place: place / bits, "also have a value"),
        (lambda bits, place: 1 - place / bits, "only those who are left"),
        (lambda bits, place: 0.5, "the right answer is 0.333"),
        (lambda bits, place: print(end=""), "returns nothing"),
        (lambda bits: bits, "takes `(bits)`"),
        (0.3, "a function of `bits` and `place`"),
    ],
)
def test_share_wrong(wrong, message):
    assert says(exercises.least_share.judge(wrong), "not yet", message)

"""The exercises on optimizers, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import optimizers as exercises

# --------------------------------------------------------------------------------------
# 2  good_rates
# --------------------------------------------------------------------------------------


def test_rates_another_right_way():
    def by_arrays(rates, losses, within):
        over = np.asarray(losses) / np.nanmin(losses)
        return np.asarray(rates)[over <= 1 + within]

    assert says(exercises.good_rates.judge(by_arrays), "correct", "how coarse")


def kept(rates, losses, limit):
    return [rate for rate, loss in zip(rates, losses, strict=True) if loss <= limit]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda rates, losses, within: kept(
                rates, losses, np.nanmin(losses) + within
            ),
            "is a share",
        ),
        (
            lambda rates, losses, within: [rates[np.nanargmin(losses)]],
            "best rate alone",
        ),
        (
            lambda rates, losses, within: [
                r
                for r, x in zip(rates, losses, strict=True)
                if x >= (1 - within) * np.nanmax(losses)
            ],
            "highest losses",
        ),
        (
            lambda rates, losses, within: kept(
                losses, losses, (1 + within) * np.nanmin(losses)
            ),
            "return the losses",
        ),
        (
            lambda rates, losses, within: kept(
                rates, losses, (1 + within) * np.min(losses)
            ),
            "not a number",
        ),
        (lambda rates, losses, within: list(rates), "for rates [0.001, 0.01, 0.1]"),
        (lambda rates, losses, within: 0.1, "not a list"),
        (lambda rates, losses: rates, "takes `(rates, losses)`"),
        ([0.1], "a function of"),
    ],
)
def test_rates_wrong(wrong, message):
    assert says(exercises.good_rates.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  adam_step
# --------------------------------------------------------------------------------------


def step(w, g, m, v, t, rate, *, sign=1, corrected=True, root=0.5, power=2, late=0):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**power
    one, two = (1 - 0.9 ** (t + late), 1 - 0.999 ** (t + late)) if corrected else (1, 1)
    size = np.maximum(v / two, 0) ** root + 1e-7
    return w - sign * rate * m / one / size, m, v


def changed(**options):
    def adam_step(w, g, m, v, t, rate):
        return step(w, g, m, v, t, rate, **options)

    return adam_step


def swapped(w, g, m, v, t, rate):
    m, v = 0.1 * m + 0.9 * g, 0.001 * v + 0.999 * g**2
    step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
    return w - rate * step, m, v


def corrected_kept(w, g, m, v, t, rate):
    w, m, v = step(w, g, m, v, t, rate)
    return w, m / (1 - 0.9**t), v / (1 - 0.999**t)


def test_adam_another_right_way():
    def as_keras(w, g, m, v, t, rate):
        m, v = m + 0.1 * (g - m), v + 0.001 * (g**2 - v)
        rate = rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
        return [w - rate * m / (v**0.5 + 1e-7), m, v]

    assert says(exercises.adam_step.judge(as_keras), "correct", "by just the rate")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (changed(corrected=False), "leave out the bias correction"),
        (changed(sign=-1), "along the gradient"),
        (changed(root=1), "root is wanted"),
        (changed(power=1), "one of their squares"),
        (changed(late=1), "one update too many"),
        (swapped, "other way round"),
        (corrected_kept, "without correction"),
        (lambda w, g, m, v, t, rate: (w - rate * g, g, g), "at update 1 the mean of"),
        (lambda w, g, m, v, t, rate: w - rate * g, "three arrays"),
        (lambda w, g, m, v, t, rate: (w[:2], m, v), "shape (2,)"),
        (lambda w, g: w, "takes `(w, g)`"),
    ],
)
def test_adam_wrong(wrong, message):
    assert says(exercises.adam_step.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  equal_penalty
# --------------------------------------------------------------------------------------


def test_penalty_another_right_way():
    def summed_up(decay, momentum):
        return decay / (2 * sum(momentum**k for k in range(3000)))

    assert says(exercises.equal_penalty.judge(summed_up), "correct", "a twentieth")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda decay, momentum: decay * (1 - momentum), "twice strength"),
        (lambda decay, momentum: decay / 2, "right without momentum"),
        (lambda decay, momentum: decay, "two things are missing"),
        (lambda decay, momentum: decay / 2 / (1 - momentum), "the lower strength"),
        (lambda decay, momentum: decay / 2 * momentum, "a steady gradient"),
        (lambda decay, momentum: 0.005, "for decay=0.01 and momentum=0.9"),
        (lambda decay, momentum: print(end=""), "returns nothing"),
        (lambda decay: decay / 2, "takes `(decay)`"),
    ],
)
def test_penalty_wrong(wrong, message):
    assert says(exercises.equal_penalty.judge(wrong), "not yet", message)

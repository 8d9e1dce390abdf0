"""The exercises on the learning rate, against right and wrong answers."""

from math import ceil

import numpy as np
import pytest
from exercise_answers import says
from keras.optimizers.schedules import CosineDecay

from nnperf_utils.exercises import learning_rate as exercises

# --------------------------------------------------------------------------------------
# 2  highest_rate
# --------------------------------------------------------------------------------------


def test_highest_rate_another_right_way():
    def by_norm(hessian):
        return 2 / np.linalg.norm(hessian, 2)

    assert says(
        exercises.highest_rate.judge(by_norm), "correct", "where the network is"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda h: 2 / np.linalg.eigvalsh(h)[0], "smallest"),
        (lambda h: 1 / np.linalg.eigvalsh(h)[-1], "lands on the lowest point"),
        (lambda h: 2 / np.diag(h).max(), "slanted direction"),
        (lambda h: 2 / h.max(), "slanted direction"),
        (lambda h: 2 / np.trace(h), "adds up"),
        (lambda h: np.linalg.eigvalsh(h)[-1], "curvature itself"),
        (lambda h: 0.5, "it returns 0.5, and the rate is 0.4"),
        (lambda h: print(end=""), "returns nothing"),
        (lambda h: np.linalg.eigvalsh(h), "returns 2 numbers"),
        (lambda: 0.5, "takes `()`"),
        (0.5, "a function of `hessian`"),
    ],
)
def test_highest_rate_wrong(wrong, message):
    if isinstance(wrong, float) or wrong.__code__.co_argcount == 0:
        return _says_not_yet(exercises.highest_rate, wrong, message)

    def highest_rate(hessian):
        return wrong(hessian)

    return _says_not_yet(exercises.highest_rate, highest_rate, message)


def _says_not_yet(exercise, answer, message):
    assert says(exercise.judge(answer), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  rate_at
# --------------------------------------------------------------------------------------


def rate(t, updates, warmup, peak, *, ahead=1, end=0.1, late=0, of=None):
    if t < warmup:
        return peak * (t + ahead) / warmup
    done = (t + 1 - late - (0 if of else warmup)) / (updates - (0 if of else warmup))
    return peak * (1 - (1 - end) * done)


def test_rate_at_another_right_way():
    def by_points(t, updates, warmup, peak):
        places = [-1, warmup - 1, updates - 1]
        return np.interp(t, places, [0, peak, 0.1 * peak])

    for right in (by_points, rate):
        assert says(exercises.rate_at.judge(_of_four(right)), "correct", "draw")


def _of_four(function, **options):
    def rate_at(t, updates, warmup, peak):
        return function(t, updates, warmup, peak, **options)

    return rate_at


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ahead": 0}, "counted from 0"),
        ({"end": 0}, "falls to zero"),
        ({"end": 1}, "stays at the peak"),
        ({"late": 1}, "one update after the last"),
        ({"of": "all"}, "begins at the peak"),
        ({"end": 0.5}, "its rate is 0.85"),
    ],
)
def test_rate_at_wrong_shapes(options, message):
    _says_not_yet(exercises.rate_at, _of_four(rate, **options), message)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda t, updates, warmup, peak: print(end=""), "returns nothing"),
        (lambda t, updates, warmup, peak: [1, 2], "returns 2 numbers"),
        (lambda t, updates, warmup: 1.0, "takes `(t, updates, warmup)`"),
        (0.1, "a function of"),
    ],
)
def test_rate_at_wrong_kinds(wrong, message):
    _says_not_yet(exercises.rate_at, wrong, message)


# --------------------------------------------------------------------------------------
# 4  schedule
# --------------------------------------------------------------------------------------


def decay(peak, epochs, each, *, steps=None, start=0.0, warmup=None):
    down = each * (epochs - 1) if steps is None else steps
    rise = each if warmup is None else warmup
    return CosineDecay(start, down, warmup_target=peak, warmup_steps=rise)


def test_schedule_another_right_way():
    def schedule(peak, epochs, examples, batch_size):
        return decay(peak, epochs, -(-examples // batch_size))

    assert says(exercises.schedule.judge(schedule), "correct", "cannot end too early")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p, e, n, b: decay(p, e, n // b), "may be smaller"),
        (lambda p, e, n, b: decay(p, e, 1), "one update for each batch"),
        (
            lambda p, e, n, b: decay(p, e, ceil(n / b), steps=ceil(n / b) * e),
            "those after the warm-up",
        ),
        (lambda p, e, n, b: decay(p, e, ceil(n / b), steps=e), "too early"),
        (lambda p, e, n, b: decay(p, e, ceil(n / b), start=0.1 * p), "begins at zero"),
        (lambda p, e, n, b: CosineDecay(p, ceil(n / b) * e), "begins at zero"),
        (lambda p, e, n, b: p, "returns a float"),
        (lambda p, e, n, b: None, "returns a NoneType"),
    ],
)
def test_schedule_wrong(wrong, message):
    def schedule(peak, epochs, examples, batch_size):
        return wrong(peak, epochs, examples, batch_size)

    _says_not_yet(exercises.schedule, schedule, message)


def test_schedule_of_other_parameters():
    _says_not_yet(exercises.schedule, lambda peak: peak, "takes `(peak)`")

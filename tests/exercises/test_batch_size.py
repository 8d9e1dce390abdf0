"""The exercises on batch size, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says, solution_answers

from nnperf_utils.exercises import batch_size as exercises

# --------------------------------------------------------------------------------------
# 2  variance_left
# --------------------------------------------------------------------------------------


def left(small, large, examples):
    def variance(size):
        return (examples - size) / size / (examples - 1)

    return variance(large) / variance(small)


def test_share_another_right_way():
    assert says(exercises.variance_left.judge(left), "correct", "full set")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda small, large, examples: small / large, "with replacement"),
        (lambda *a: 1 / left(*a), "Turn it over"),
        (lambda *a: left(*a) if a[1] < a[2] else 1.0, "for the full set"),
        (lambda *a: left(*a) ** 0.5, "standard deviation"),
        (lambda small, large, examples: (small / large) ** 0.5, "standard deviation"),
        (
            lambda small, large, examples: (examples - large) / (examples - small),
            "1 over the batch size is missing",
        ),
        (lambda *a: 0.1, "out of 10 it returns 0.1"),
        (lambda *a: print(end=""), "returns nothing"),
        (lambda *a: [1, 2], "returns 2 numbers"),
        (lambda small, large: 1.0, "takes `(small, large)`"),
        (0.1, "a function of `small` and `large` and `examples`"),
    ],
)
def test_share_wrong(wrong, message):
    assert says(exercises.variance_left.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  soonest
# --------------------------------------------------------------------------------------


def test_soonest_another_right_way():
    def by_numpy(updates, start, each):
        sizes = np.array(list(updates))
        counts = np.array(list(updates.values()))
        return sizes[(counts * (start + each * sizes)).argmin()]

    assert says(exercises.soonest.judge(by_numpy), "correct", "fewest updates win")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda updates, start, each: min(updates, key=updates.get), "fewest updates"),
        (
            lambda updates, start, each: min(updates, key=lambda b: updates[b] * b),
            "fewest examples",
        ),
        (
            lambda updates, start, each: max(
                updates, key=lambda b: updates[b] * (start + each * b)
            ),
            "slowest",
        ),
        (lambda updates, start, each: min(updates), "one update"),
        (
            lambda updates, start, each: min(
                updates[b] * (start + each * b) for b in updates
            ),
            "none of the batch sizes",
        ),
        (lambda updates, start, each: 20, "takes"),
        (lambda *a: print(end=""), "returns nothing"),
        (lambda updates: 4, "takes `(updates)`"),
    ],
)
def test_soonest_wrong(wrong, message):
    assert says(exercises.soonest.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  rescale
# --------------------------------------------------------------------------------------


def scaled(weights, factor, w1=1, b1=1, w2=-1, b2=0):
    powers = (w1, b1, w2, b2)
    return [w * factor**p for w, p in zip(weights, powers, strict=True)]


def test_rescale_another_right_way():
    def in_place(weights, factor):
        new = [w.copy() for w in weights]
        new[0] *= factor
        new[1] *= factor
        new[2] /= factor
        return tuple(new)

    for right in (scaled, in_place):
        assert says(exercises.rescale.judge(right), "correct", "factor²")


def changes(weights, factor):
    weights[0] *= factor
    return weights


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda w, f: scaled(w, f, b1=0), "its bias has to grow"),
        (lambda w, f: scaled(w, f, w2=0), "nothing takes that back"),
        (lambda w, f: scaled(w, f, b2=-1), "last bias"),
        (lambda w, f: scaled(w, f, w1=2), "times as large"),
        (lambda w, f: scaled(w, f, w2=-2), "outputs of the network change"),
        (lambda w, f: w, "times as large"),
        (changes, "make new ones"),
        (lambda w, f: print(end=""), "returns nothing"),
        (lambda w, f: w[:3], "four arrays"),
        (lambda w, f: [one.T for one in scaled(w, f)], "has the shape (3, 5)"),
        (lambda w: w, "takes `(w)`"),
    ],
)
def test_rescale_wrong(wrong, message):
    assert says(exercises.rescale.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# all of them
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", exercises.__all__)
def test_solution_is_right(name):
    exercise = getattr(exercises, name)
    assert says(exercise.judge(*solution_answers(exercise)), "correct")

"""The exercises on early stopping and checkpoints, against right and wrong answers."""

from itertools import pairwise

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import early_stopping as exercises

# --------------------------------------------------------------------------------------
# 2  memory
# --------------------------------------------------------------------------------------


def by_the_rule(losses):
    best, waited = np.inf, 0
    for value in losses:
        waited = 0 if value < best else waited + 1
        best = min(best, value)
    return [best, waited]


def since_a_fall(losses):
    waited = 0
    for one, other in pairwise(losses):
        waited = 0 if other < one else waited + 1
    return min(losses), waited


def test_memory_another_right_way():
    for right in (by_the_rule, lambda losses: np.array(by_the_rule(losses))):
        assert says(exercises.memory.judge(right), "correct", "into the backup")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda losses: (losses.min(), len(losses) - losses.argmin()), "as waiting"),
        (lambda losses: (losses.min(), losses.argmin() + 1), "not how long it is ago"),
        (since_a_fall, "anew at each fall"),
        (lambda losses: (losses.min(), losses[::-1].argmin()), "last of equal losses"),
        (lambda losses: (losses[-1], by_the_rule(losses)[1]), "is the last loss"),
        (lambda losses: by_the_rule(losses)[::-1], "the other one"),
        (lambda losses: (0.0, 0.0), "the right ones are 0.7 and 3"),
        (lambda losses: losses.min(), "expected two numbers"),
        (lambda losses: print(end=""), "returns nothing"),
        (lambda values, patience: 1, "takes `(values, patience)`"),
        (10, "a function of `losses`"),
    ],
)
def test_memory_wrong(wrong, message):
    assert says(exercises.memory.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  added_by_choice
# --------------------------------------------------------------------------------------


def test_added_another_right_way():
    def by_leads(validation, test):
        chosen = validation.argmax()
        lead = validation[chosen] - validation.mean()
        return lead - (test[chosen] - test.mean())

    assert says(exercises.added_by_choice.judge(by_leads), "correct", "mostly chance")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda v, t: (v - t).mean() - (v - t)[v.argmax()], "sign is turned"),
        (lambda v, t: v.max() - t[v.argmax()], "at every epoch"),
        (lambda v, t: (v - t)[t.argmax()] - (v - t).mean(), "best test score"),
        (lambda v, t: v.max() - t.max() - (v - t).mean(), "its own epoch"),
        (lambda v, t: v.max() - v.mean(), "in truth, too"),
        (lambda v, t: 0.0, "the right answer is 0.03"),
        (lambda v, t: v - t, "returns 3 numbers"),
        (lambda v, t: print(end=""), "returns nothing"),
        (lambda v: 0.0, "takes `(v)`"),
        (0.02, "a function of `validation` and `test`"),
    ],
)
def test_added_wrong(wrong, message):
    assert says(exercises.added_by_choice.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  order_of_epoch
# --------------------------------------------------------------------------------------


def test_order_another_right_way():
    def by_sorting(epoch, count):
        keys = np.random.default_rng([7, epoch]).random(count)
        return np.argsort(keys).tolist()

    assert says(exercises.order_of_epoch.judge(by_sorting), "correct", "Dropout's")


def draws():
    stream = np.random.default_rng(0)
    return lambda epoch, count: stream.permutation(count)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (draws(), "was drawn before"),
        (lambda epoch, count: np.arange(count), "every epoch has the same order"),
        (
            lambda epoch, count: np.random.default_rng(epoch % 2).permutation(count),
            "some epochs have the same order",
        ),
        (
            lambda epoch, count: np.random.default_rng(epoch).integers(count, size=50),
            "not every example comes once",
        ),
        (lambda epoch, count: np.arange(3), "of shape (3,)"),
        (lambda epoch, count: print(end=""), "returns nothing"),
        (lambda epoch: epoch, "takes `(epoch)`"),
        (3, "a function of `epoch` and `count`"),
    ],
)
def test_order_wrong(wrong, message):
    assert says(exercises.order_of_epoch.judge(wrong), "not yet", message)

"""The exercises on early stopping and checkpoints, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import early_stopping as exercises

# --------------------------------------------------------------------------------------
# 2  smallest_patience
# --------------------------------------------------------------------------------------


def stop(losses, patience):
    kept = 0
    for epoch, value in enumerate(losses):
        if value < losses[kept]:
            kept = epoch
        elif epoch - kept >= patience:
            break
    return kept


def by_trying(losses):
    lowest = int(np.argmin(losses))
    return next(p for p in range(1, 100) if stop(losses, p) == lowest)


def rises(losses):
    run = most = 0
    for i in range(1, int(np.argmin(losses)) + 1):
        run = run + 1 if losses[i] >= losses[i - 1] else 0
        most = max(most, run)
    return most + 1


def wait_to_the_end(losses):
    kept = longest = 0
    for epoch in range(1, len(losses)):
        kept = epoch if losses[epoch] < losses[kept] else kept
        longest = max(longest, epoch - kept)
    return longest + 1


def test_patience_another_right_way():
    for right in (by_trying, lambda losses: float(by_trying(losses))):
        assert says(exercises.smallest_patience.judge(right), "correct", "other bumps")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda losses: by_trying(losses) - 1, "takes one more"),
        (wait_to_the_end, "after the lowest loss as well"),
        (rises, "with the one before it"),
        (lambda losses: int(np.argmin(losses)) + 1, "begins the wait anew"),
        (lambda losses: 5, "returns 5, and 4 is the smallest"),
        (lambda losses: losses, "returns 7 numbers"),
        (lambda losses: print(end=""), "returns nothing"),
        (lambda values, patience: 1, "takes `(values, patience)`"),
        (10, "a function of `losses`"),
    ],
)
def test_patience_wrong(wrong, message):
    assert says(exercises.smallest_patience.judge(wrong), "not yet", message)


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

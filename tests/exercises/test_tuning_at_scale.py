"""The exercises on tuning at scale, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import tuning_at_scale as exercises


def test_another_right_way():
    def by_sorting(before, after):
        gains = sorted(after - before)
        return (gains[(len(gains) - 1) // 2] + gains[len(gains) // 2]) / 2

    assert says(exercises.median_gain.judge(by_sorting), "correct", "cancels")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda b, a: np.median(b - a), "sign is turned"),
        (lambda b, a: np.median(a) - np.median(b), "belong together"),
        (lambda b, a: (a - b).mean(), "one lost run"),
        (lambda b, a: a - b, "returns 3 numbers"),
        (lambda b, a: print(end=""), "returns nothing"),
        (lambda b, a: 0.0, "right answer is 0.02"),
        (lambda b: 0.0, "takes `(b)`"),
        (0.02, "a function of `before` and `after`"),
    ],
)
def test_wrong(wrong, message):
    assert says(exercises.median_gain.judge(wrong), "not yet", message)


def test_arguments_may_be_changed():
    def in_place(before, after):
        after -= before
        return np.median(after)

    assert exercises.median_gain.judge(in_place).status == "correct"

"""How soon and how steadily runs get there."""

import numpy as np
import pandas as pd
import pytest

from nnperf_utils import pace


def history(runs, **labels):
    return pd.DataFrame(
        {"seed": seed, "epoch": epoch, "metric": "loss", "value": value} | labels
        for seed, values in runs.items()
        for epoch, value in enumerate(values, 1)
    )


SLOW = history({0: [9.0, 5.0, 3.0], 1: [8.0, 8.5, 1.0]}, variant="a", rate=0.1)
SHORT = history({0: [4.0, 2.0], 1: [2.0, 6.0]}, variant="b", rate=0.2)
BOTH = pd.concat([SLOW, SHORT], ignore_index=True)


def test_curves_have_a_column_for_each_run():
    found = pace.curves(BOTH, "loss", "variant", "rate")
    assert found.shape == (3, 4)
    assert found["a", 0.1][1].tolist() == [8.0, 8.5, 1.0]
    assert found["b", 0.2][0].tolist()[:2] == [4.0, 2.0]


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        ("accuracy", ["variant"], "metric is 'accuracy'; expected one of loss"),
        ("loss", ["data"], "no column 'data'"),
        ("loss", [], "several runs have the same seed"),
    ],
)
def test_curves_say_what_does_not_fit(metric, labels, message):
    with pytest.raises(ValueError, match=message):
        pace.curves(BOTH, metric, *labels)


def test_first_epoch_that_reaches_the_target():
    found = pace.epochs_to(pace.curves(BOTH, "loss", "variant"), 3.0)
    # a run that is shorter than others counts by its own length
    assert found["a"].tolist() == [3, 3]
    assert found["b"].tolist() == [2, 1]
    never = pace.epochs_to(pace.curves(BOTH, "loss", "variant"), 0.5)
    assert never["a"].tolist() == [4, 4]
    assert never["b"].tolist() == [3, 3]


def test_higher_is_better():
    rising = -pace.curves(SLOW, "loss")
    assert pace.epochs_to(rising, -5, higher_is_better=True).tolist() == [2, 3]


def test_between_two_epochs():
    found = pace.epochs_to(pace.curves(SLOW, "loss"), 4.5, between=True)
    # from 5 to 3 a quarter of the way; from the lowest so far, 8, to 1 a half
    assert found.tolist() == pytest.approx([2.25, 2.5])
    at_once = pace.epochs_to(pace.curves(SLOW, "loss"), 10, between=True)
    assert at_once.tolist() == [1, 1]


def test_largest_fall_is_not_the_way_up():
    frame = pd.DataFrame({0: [0.1, 0.5, 0.9], 1: [0.5, 0.2, 0.4], 2: [0.3, 0.9, 0.5]})
    assert pace.largest_fall(frame).tolist() == pytest.approx([0, 0.3, 0.4])


def test_each_arm_at_its_best_setting():
    index = pd.MultiIndex.from_product([["a", "b"], [0.1, 0.2], [0, 1]])
    scores = pd.Series([3, 5, 1, 2, 4, 4, 9, np.inf], index)
    found = pace.at_best(scores)
    assert found["a"].tolist() == [1, 2]
    assert found["b"].tolist() == [4, 4]

"""Two variants at many rates: the best, others, and lost runs."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from nnperf_utils import compare, peaks
from nnperf_utils.datasets import load_digits
from nnperf_utils.models import mlp

RATES = [0.001, 0.03, 0.1, 1000.0]


@pytest.fixture(scope="module")
def result():
    data = load_digits(flatten=True)
    build = partial(mlp, data, units=8, optimizer="sgd")
    return compare(
        {"one": partial(build, hidden_layers=1), "two": partial(build, units=4)},
        data,
        seeds=3,
        grid={"learning_rate": RATES},
        choose=False,
        epochs=3,
        progress=False,
        jit_compile=False,
    )


def test_the_best_rate_is_chosen_on_validation_rows(result):
    means = result.by_arm("val_accuracy", levels=True).mean()
    assert peaks.best_rate(result) == means["one"].idxmax()
    gained = peaks.tuned_gain(result)
    assert gained.index.names == ["seed"]
    scores = result.by_arm("test_accuracy", levels=True)
    at_best = [scores[name][means[name].idxmax()] for name in ("two", "one")]
    np.testing.assert_allclose(gained, at_best[0] - at_best[1])


def test_the_gain_is_that_of_the_nearest_rate(result):
    scores = result.by_arm("test_accuracy", levels=True)
    wanted = (scores["two"][0.1] - scores["one"][0.1]).mean()
    assert peaks.gain_at(result, 0.2).value == pytest.approx(wanted)


def test_lost_runs_are_counted(result):
    gone = peaks.lost(result, 2.29)
    assert gone["one"][1000.0].all()
    assert not gone["one"][0.1].any()
    won = peaks.doublings(result, 2.29)
    highest = {
        name: [max(r for r in RATES if not gone[name][r][s]) for s in gone.index]
        for name in ("one", "two")
    }
    np.testing.assert_allclose(won, np.log2(np.divide(highest["two"], highest["one"])))
    with pytest.raises(ValueError, match="lost at all rates"):
        peaks.doublings(result, 0.0)


def test_zones_are_told_in_points(result):
    table = peaks.zones({"digits": result})
    assert [*table] == ["lowest rate", "best rate", "far above it"]
    lowest = peaks.gain_at(result, 0.001)
    assert table.loc["digits", "lowest rate"].startswith(f"{100 * lowest.value:+.1f} (")


def test_what_a_rate_misses_is_paired_by_seed():
    scores = pd.DataFrame(
        {
            "learning_rate": [0.1, 0.1, 1.0, 1.0],
            "seed": [0, 1, 0, 1],
            "value": [0.5, 0.7, 0.6, 0.9],
        }
    )
    np.testing.assert_allclose(peaks.missed(scores, 0.1), [0.1, 0.2])
    assert (peaks.missed(scores, 1.0) == 0).all()


def test_a_fast_rate_catches_up():
    losses = {0.1: [3.0, 2.5, 2.0], 1.0: [2.6, 2.0, 1.0]}
    accuracies = {0.1: [0.1, 0.2, 0.3], 1.0: [0.2, 0.4, 0.8]}
    history = pd.DataFrame(
        [
            (rate, 7, epoch, metric, value)
            for metric, curves in (("loss", losses), ("val_accuracy", accuracies))
            for rate, curve in curves.items()
            for epoch, value in enumerate(curve, start=1)
        ],
        columns=["learning_rate", "seed", "epoch", "metric", "value"],
    )
    found = peaks.caught_up(history, 0.1, 1.0).loc[7]
    np.testing.assert_allclose(found, [2, 1.5, 0.5, 0.1])

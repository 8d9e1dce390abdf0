"""Searches in a table with a continuous rate, by hand and by the real tools."""

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pandas as pd
import pytest

from nnperf_utils import halving, recorded
from nnperf_utils.recorded import Recorded, Settings

RATES = [0.01, 0.1, 1.0, 10.0]
KNOBS = {"momentum": [0.5, 0.9]}


def history(splits=3, epochs=27):
    """Return a table whose scores are known: best at rate 0.5, momentum 0.9."""
    rows = []
    for split in range(splits):
        for momentum in KNOBS["momentum"]:
            for rate in RATES:
                off = abs(np.log10(rate) + 0.3)
                best = 0.9 - 0.1 * off - 0.05 * (momentum == 0.5) + 0.001 * split
                for epoch in range(1, epochs + 1):
                    now = best - 0.1 / epoch
                    place = (split, momentum, rate, epoch)
                    rows.append((*place, "val_accuracy", now))
                    rows.append((*place, "test_accuracy", now - 0.01))
    columns = ["split", "momentum", "learning_rate", "epoch", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def table():
    return Recorded(history(), KNOBS)


def test_table_has_its_shape(table):
    assert table.curves.shape == (3, 2, 4, 27)
    assert table.test.shape == (3, 2, 4)
    assert repr(table) == ("2 combinations × 4 learning rates on 3 splits, 27 epochs")


def test_recorded_rates_are_looked_up_and_others_interpolated(table):
    at = table.settings_of(0.1, 1)
    assert at.place == pytest.approx(1)
    score = table.validation(0, at)[-1]
    assert score == pytest.approx(0.9 - 0.07 - 0.1 / 27)
    between = table.settings_of([0.1, np.sqrt(0.1), 1.0, 1e-9, 1e9], [1] * 5)
    scores = table.validation(0, between)[:, -1]
    assert scores[1] == pytest.approx((scores[0] + scores[2]) / 2)
    np.testing.assert_allclose(between.place, [1, 1.5, 2, 0, 3], atol=1e-12)
    np.testing.assert_allclose(
        table.tested(between)[0], [score - 0.01 + 0.001 * s for s in range(3)]
    )


def test_diverged_counts_as_the_worst():
    frame = history()
    frame.loc[frame["value"].idxmax(), "value"] = np.nan
    table = Recorded(frame, KNOBS)
    assert np.isfinite(table.curves).all()
    assert np.isfinite(table.test).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="split"), "no column 'split'"),
        (lambda frame: frame[frame["metric"] != "test_accuracy"], "no metric"),
        (
            lambda frame: frame[(frame["split"] > 0) | (frame["learning_rate"] < 1)],
            "expected 24, one for each",
        ),
        (
            lambda frame: frame[frame["learning_rate"] != 0.1],
            "equal ratios",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_told(change, message):
    with pytest.raises(ValueError, match=message) as raised:
        Recorded(change(history()), KNOBS)
    assert "\n" not in str(raised.value)


def test_quality_is_the_mean_on_the_other_splits(table):
    at = Settings(np.array([1]), np.array([1.5]))
    quality = table.quality([at] * 3)
    # halfway between 0.9 - 0.07 and 0.9 - 0.03, and 0.001 more in the mean of splits
    expected = 0.85 - 0.01 - 0.1 / 27 + 0.001
    assert quality.mean() == pytest.approx(expected)
    assert quality.index.name == "split"


def test_winners_are_the_best_by_the_last_score(table):
    trials = Settings(np.array([[0, 1, 1]]), np.array([[1.0, 3.0, 1.0]]))
    (won,) = table.winners([trials])
    assert (won.combination, won.place) == (1, 1)
    (first,) = table.winners([trials], after=2)
    assert (first.combination, first.place) == (0, 1)


def test_grids_are_full_and_even(table):
    (grid, *_) = table.grid_trials(4, starts=10)
    assert grid.place.shape == (10, 8)
    for places, chosen in zip(grid.place, grid.combination, strict=True):
        for combination in range(2):
            own = np.sort(places[chosen == combination])
            np.testing.assert_allclose(np.diff(own), 3 / 4)
    assert 0 < grid.place.min() < grid.place.max() < 3


def test_random_trials_cover_the_range(table):
    (drawn, *_) = table.random_trials(200, searches=20)
    assert drawn.place.min() < 0.01
    assert drawn.place.max() > 2.99
    assert drawn.combination.mean() == pytest.approx(0.5, abs=0.05)


def test_optunas_trials_are_those_of_a_plain_study(table):
    def objective(trial):
        rate = trial.suggest_float("learning_rate", 0.01, 10, log=True)
        momentum = trial.suggest_categorical("momentum", [0, 1])
        return table.validation(0, table.settings_of(rate, momentum))[-1]

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=4)
    )
    study.optimize(objective, n_trials=15)
    asked = table.optuna_trials(0, 4, 15)
    rates = [trial.params["learning_rate"] for trial in study.trials]
    np.testing.assert_allclose(asked.place, table.settings_of(rates, 0).place)


def test_trials_that_run_at_once_know_less(table):
    one = table.optuna_trials(0, 4, 20)
    eight = table.optuna_trials(0, 4, 20, at_once=8)
    # Optuna's first ten are drawn at random, whoever knows what
    np.testing.assert_allclose(one.place[:10], eight.place[:10])
    assert not np.allclose(one.place[10:], eight.place[10:])


def test_hyperopt_searches(table):
    pytest.importorskip("hyperopt")
    asked = table.tool_trials(table.hyperopt_trials, 12, 1)
    assert len(asked) == 3
    assert asked[0].place.shape == (1, 12)
    again = table.hyperopt_trials(0, 0, 12)
    np.testing.assert_array_equal(asked[0].place[0], again.place)


def test_searches_with_a_rule(table):
    whole, told = table.stopped_search(None, searches=5)
    assert (told["epochs"] == 1).all()
    assert (told["missed"] == 0).all()
    short, told = table.stopped_search(halving.halving_rule, searches=5)
    assert (told["epochs"] < 0.5).all()
    # here no curve crosses another: the best is ahead from the first epoch on
    np.testing.assert_array_equal(whole[0].place, short[0].place)
    assert (told["missed"] == 0).all()


def test_halving_on_many_workers(table):
    chosen, told = table.halved(np.array([1.0, 2.0]), workers=4, searches=3)
    assert set(chosen) == {"synchronous", "asynchronous"}
    assert (told[["idle", "crash"]] > 0.2).all(axis=None)
    assert (told["first"] > 0).all()
    for winners in chosen.values():
        assert [one.place.shape for one in winners] == [(3,)] * 3
        assert (
            table.quality(winners).mean()
            > table.tested(table.settings_of(np.sqrt(0.1), 1)).mean() - 0.02
        )


def test_data_of_the_lab(table):
    data = recorded.lab_data(table, draws=2, trials=50)
    assert np.shape(data["draws"]) == (2, 50, 5)
    for lengths in data["lengths"].values():
        assert np.mean(lengths) == pytest.approx(1, abs=0.01)


def test_lines_have_the_same_span():
    one = pd.DataFrame({"a": [0.1, 0.2], "b": [0.1, 0.15]}, [4, 8])
    flat = pd.DataFrame({"a": [0.70, 0.71], "b": [0.7, 0.7]}, [4, 8])
    axes = recorded.quality_lines({"steep": one, "flat": flat})
    spans = [np.ptp(ax.get_ylim()) for ax in axes]
    assert spans[0] == pytest.approx(spans[1])
    plt.close("all")

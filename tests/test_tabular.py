"""Searches that look their scores up find what a search that trains would find."""

import itertools

import keras_tuner as kt
import numpy as np
import pandas as pd
import pytest

from nnperf_utils.tabular import Trials

KNOBS = {"optimizer": ["adam", "sgd"], "rate": [0.01, 0.1, 1.0], "units": [8, 32]}
SPLITS, EPOCHS = 4, 9
GOAL = kt.Objective("score", "max")


def history() -> pd.DataFrame:
    """Return scores of every setting on every split, as a comparison has them."""
    draw = np.random.default_rng(0)
    rows = []
    for split in range(SPLITS):
        for point in itertools.product(*KNOBS.values()):
            for epoch in range(1, EPOCHS + 1):
                for metric in ("accuracy", "val_accuracy", "test_accuracy"):
                    place = dict(zip(KNOBS, point, strict=True))
                    run = {"split": split, "variant": "network", "seed": split}
                    score = {"epoch": epoch, "metric": metric, "value": draw.random()}
                    rows.append(run | place | score)
    return pd.DataFrame(rows)


@pytest.fixture
def frame() -> pd.DataFrame:
    return history()


@pytest.fixture
def trials(frame) -> Trials:
    return Trials(frame, KNOBS)


def last(frame, split, metric):
    """Return the score of each setting on a split, looked up by hand."""
    rows = frame.query("split == @split and epoch == @EPOCHS and metric == @metric")
    return rows.set_index(list(KNOBS))["value"]


def test_the_table_holds_the_last_epoch(frame, trials):
    assert trials.knobs == KNOBS
    assert repr(trials) == "12 settings, each on 4 splits"
    for name, part in (
        ("accuracy", trials.train),
        ("val_accuracy", trials.validation),
        ("test_accuracy", trials.test),
    ):
        for split in range(SPLITS):
            expected = last(frame, split, name).reindex(part.index)
            np.testing.assert_array_equal(part[split], expected)


def test_a_run_that_diverged_is_the_worst(frame):
    at = frame.query("split == 1 and metric == 'val_accuracy' and epoch == 9").index[3]
    frame.loc[at, "value"] = np.nan
    trials = Trials(frame, KNOBS)
    assert trials.validation[1].min() == trials.curves.min().min()
    assert trials.validation.notna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop(columns="split"), "no column 'split'"),
        (lambda f: f.drop(columns="units"), "no column 'units'"),
        (
            lambda f: f.query("units == 8"),
            "has \\[8, 32\\] for 'units', but history has",
        ),
        (lambda f: f.query("metric != 'test_accuracy'"), "no metric 'test_accuracy'"),
        (lambda f: pd.concat([f, f]), "several runs of a setting"),
    ],
)
def test_other_frames_are_refused(frame, change, says):
    with pytest.raises(ValueError, match=says):
        Trials(change(frame), KNOBS)


def test_a_grid_finds_the_best_of_its_settings(frame, trials):
    found = trials.grid_search({"rate": [0.1, 1.0]}, {"optimizer": ["sgd"]})
    assert found.winners.shape == (SPLITS, 2)
    for split in range(SPLITS):
        scores = last(frame, split, "val_accuracy")
        first = scores[scores.index.get_level_values("rate") > 0.05]
        winner = trials.validation.index[found.winners[split, 0]]
        assert winner == first.idxmax()
        assert found.promised[split, 0] == first.max()
        assert found.promised[split, 1] == scores["sgd"].max()


def test_a_random_search_draws_without_repeating_and_goes_on_where_a_short_one_ends(
    trials,
):
    everything = trials.random_search(12, searches=5)
    best = trials.validation.max().to_numpy()
    np.testing.assert_array_equal(everything.promised, np.tile(best[:, None], 5))
    promises = [trials.random_search(k, searches=5).promised for k in range(1, 13)]
    assert np.all(np.diff(promises, axis=0) >= 0)
    one = trials.random_search(1, searches=2000).winners
    assert np.bincount(one[0], minlength=12) == pytest.approx(2000 / 12, rel=0.35)
    few = trials.random_search(2, among={"rate": [1.0]}, searches=20).winners
    assert set(few.ravel()) <= set(trials.rows(rate=[1.0]))


@pytest.mark.parametrize("count", [0, 13])
def test_more_trials_than_settings_are_refused(trials, count):
    with pytest.raises(ValueError, match=f"trials is {count}; expected 1 to 12"):
        trials.random_search(count)


def test_a_search_stops_after_trials_without_a_gain(trials):
    found = trials.random_search(12, searches=30, patience=3, least=0.05)
    whole = [trials.random_search(k, searches=30).promised for k in range(1, 13)]
    for split, search in np.ndindex(found.tried.shape):
        best, since, count = -np.inf, -1, 0
        for promise in whole:  # the same rule, step by step
            count += 1
            gained = promise[split, search] > best + 0.05
            best, since = (promise[split, search], 0) if gained else (best, since + 1)
            if since == 3:
                break
        assert found.tried[split, search] == count
        assert found.promised[split, search] == whole[count - 1][split, search]
    assert (found.tried < 12).any()


def test_what_a_setting_is_worth_is_scored_on_the_other_splits(trials):
    setting = ("sgd", 0.1, 8)
    found = trials.fixed(setting)
    tests = trials.test.loc[setting]
    others = [tests.drop(split).mean() for split in range(SPLITS)]
    np.testing.assert_allclose(found.elsewhere, others)
    np.testing.assert_array_equal(found.test, tests)
    np.testing.assert_array_equal(found.train, trials.train.loc[setting])
    np.testing.assert_array_equal(found.promise, trials.validation.loc[setting])
    assert found.settings.iloc[2].tolist() == list(setting)


def test_quality_is_the_mean_elsewhere_with_a_number_for_each_split(trials):
    found = trials.random_search(3, searches=7)
    n, scored = SPLITS, trials.test.to_numpy()[found.winners].mean(axis=1)

    def on_others(used):
        return np.mean([scored[a, b] for a in used for b in used if a != b])

    everyone = set(range(n))
    whole = on_others(everyone)
    assert found.elsewhere.mean() == pytest.approx(whole)
    for split in range(n):
        expected = n * whole - (n - 1) * on_others(everyone - {split})
        assert found.quality[split] == pytest.approx(expected)


def test_keras_tuner_searches_the_table(frame, trials):
    def grid(seed):
        return kt.oracles.GridSearchOracle(GOAL, 12, hyperparameters=trials.space())

    found = trials.tuner_search(grid)
    np.testing.assert_array_equal(found.promise, trials.validation.max())
    assert (found.tried == 12).all()


def test_keras_tuner_may_search_fewer_values(trials):
    def at_random(seed):
        space = trials.space(rate=[0.1, 1.0], units=[8])
        return kt.oracles.RandomSearchOracle(GOAL, 3, hyperparameters=space, seed=seed)

    found = trials.tuner_search(at_random)
    assert set(found.winners.ravel()) <= set(trials.rows(rate=[0.1, 1.0], units=[8]))
    assert (found.tried == 3).all()


def test_hyperband_is_given_the_score_of_its_epochs(frame, trials):
    def hyperband(seed):
        space = trials.space(units=[32])
        return kt.oracles.HyperbandOracle(
            GOAL, max_epochs=EPOCHS, factor=3, hyperparameters=space, seed=seed
        )

    found = trials.tuner_search(hyperband)
    assert set(found.winners.ravel()) <= set(trials.rows(units=[32]))
    for split in range(SPLITS):
        winner = trials.validation.index[found.winners[split, 0]]
        assert found.promised[split, 0] in set(trials.curves.loc[(*winner, split)])

import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nnperf_utils.statistics import (
    Estimate,
    agreement,
    best_of,
    error_left,
    estimate,
    estimate_for_new_rows,
    higher_is_better,
    interval,
    jackknife,
    power,
    ranking_errors,
    repetitions_needed,
    smallest_difference,
    smallest_on_one_split,
    summarize,
    variance_components,
)


def frame(**runs):
    """Scores by variant; seeds count from 0."""
    return pd.concat(
        pd.DataFrame({"variant": name, "seed": range(len(values)), "value": values})
        for name, values in runs.items()
    )


def on(values, **levels):
    """Numbers with the levels of their index."""
    if len(levels) > 1:
        index = pd.MultiIndex.from_arrays(list(levels.values()), names=list(levels))
    else:
        [(name, labels)] = levels.items()
        index = pd.Index(list(labels), name=name)
    return pd.Series(np.asarray(values), index)


def nested(values):
    """Numbers of shape (splits, seeds), each split with seeds of its own."""
    k, r = np.shape(values)
    split = np.repeat(np.arange(k), r)
    return on(np.ravel(values), split=split, seed=np.arange(k * r))


def crossed(values):
    """Numbers of shape (splits, seeds), the same seeds on each split."""
    k, r = np.shape(values)
    split, seed = np.repeat(np.arange(k), r), np.tile(np.arange(r), k)
    return on(np.ravel(values), split=split, seed=seed)


def noise(seed, n=20, scale=1.0):
    return np.random.default_rng(seed).normal(scale=scale, size=n)


def test_statistics_do_without_tensorflow():
    code = "import sys, nnperf_utils.statistics; print('tensorflow' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert out.stdout.strip() == b"False"


@pytest.mark.parametrize(
    ("metric", "higher"),
    [
        ("loss", False),
        ("val_loss", False),
        ("test_mae", False),
        ("val_mean_squared_error", False),
        ("sparse_categorical_crossentropy", False),
        ("val_cross_entropy", False),
        ("false_positives", False),
        ("accuracy", True),
        ("val_sparse_categorical_accuracy", True),
        ("auc_1", True),
        ("cosine_similarity", True),
        ("test_f1_score", True),
    ],
)
def test_direction_follows_from_the_name(metric, higher):
    assert higher_is_better(metric) is higher


def test_a_name_that_does_not_tell_asks_for_the_direction():
    with pytest.raises(ValueError, match="'speed' does not tell"):
        higher_is_better("speed")


@pytest.mark.parametrize("n", [6, 10, 20])
def test_interval_of_a_normal_mean_covers_the_truth_as_often_as_it_says(n):
    # 300 samples: the standard error of the share is 0.013 at 0.95.
    rng = np.random.default_rng(n)
    covered = 0
    for _ in range(300):
        low, high = interval(rng.normal(3.0, size=n))
        covered += low <= 3.0 <= high
    assert covered / 300 == pytest.approx(0.95, abs=0.035)


def test_interval_is_about_students_for_a_normal_sample():
    values = stats.norm.ppf((np.arange(12) + 0.5) / 12)
    half = stats.t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    assert interval(values) == pytest.approx((-half, half), rel=0.06)


def test_interval_is_the_same_at_each_call():
    assert interval(noise(0)) == interval(noise(0))


def test_interval_exists_where_bca_has_none():
    # Every resampled mean of these two is one of three values.
    low, high = interval([0.0, 1e6])
    assert low == 0.0
    assert high == 1e6


def test_interval_of_constant_and_single_values():
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert np.isnan(interval([2.0])).all()


# --- estimates ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "design", "covers"),
    [
        (on(noise(0), seed=range(20)), "20 seeds on one split", "not cover other spl"),
        (on(noise(0), split=range(20)), "20 splits, one run on each", "other tables"),
        (nested(noise(0).reshape(4, 5)), "4 splits × 5 seeds each", "covers both"),
        (
            crossed(noise(0).reshape(5, 4)),
            "5 splits, the same 4 seeds on each",
            "covers both",
        ),
        (
            crossed(noise(0).reshape(10, 2)),
            "10 splits, the same 2 seeds on each",
            "does not cover other seeds",
        ),
        (
            crossed(noise(0).reshape(20, 1)),
            "20 splits, the same seed on each",
            "does not cover other seeds",
        ),
        (
            crossed(noise(0).reshape(2, 10)),
            "2 splits, the same 10 seeds on each",
            "does not cover other splits",
        ),
        (crossed(noise(0)[None]), "20 seeds on one split", "not cover other splits"),
        (nested(noise(0)[:, None]), "20 splits × 1 seed each", "covers both"),
        (nested(noise(0).reshape(4, 5))[1:], "4 splits × 4 to 5 seeds each", "both"),
    ],
)
def test_the_index_tells_the_design(values, design, covers):
    found = estimate(values)
    assert found.design == design
    assert covers in found.covers
    assert found.low < found.value < found.high
    # neither the order of the rows nor that of the levels counts
    assert estimate(values.sample(frac=1, random_state=0)) == found
    if values.index.nlevels == 2:
        assert estimate(values.swaplevel()) == found


def test_a_mean_of_nested_runs_gets_students_interval_of_the_splits():
    values = noise(0).reshape(4, 5) + 3 * noise(1, 4)[:, None]
    found = estimate(nested(values))
    means = values.mean(axis=1)
    expected = stats.t.interval(0.95, 3, means.mean(), stats.sem(means))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == pytest.approx(values.mean())


def test_few_seeds_get_students_interval():
    values = noise(0, 5)
    found = estimate(on(values, seed=range(5)))
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)


def test_crossed_runs_of_which_one_factor_does_everything_are_as_many_as_it_has():
    effect = noise(0, 8)
    rows = effect[:, None] + noise(1, 40, scale=1e-9).reshape(8, 5)
    expected = stats.t.interval(0.95, 7, effect.mean(), stats.sem(effect))
    for values in (rows, rows.T):
        found = estimate(crossed(values))
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)


def test_what_a_median_of_dependent_runs_is():
    values = noise(0, 60).reshape(10, 6) + noise(1, 10)[:, None]
    for series in (nested(values), crossed(values)):
        found = estimate(series, "median")
        assert found.value == pytest.approx(np.median(values))
        assert {found.low, found.high} <= set(values.ravel())
    # runs of one split that are all alike are worth one
    alike = np.repeat(noise(1, 20)[:, None], 5, axis=1)
    whole = estimate(on(alike[:, 0], split=range(20)), "median")
    found = estimate(nested(alike), "median")
    assert found.value == pytest.approx(whole.value)
    width = (found.high - found.low) / (whole.high - whole.low)
    assert width == pytest.approx(1, abs=0.35)


def test_share_of_dependent_runs():
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(20, 5)) < 0.7
    wilson = stats.binomtest(int(values.sum()), 100).proportion_ci(method="wilson")
    found = estimate(nested(values), "share")
    assert found.low == pytest.approx(wilson.low, abs=0.04)
    assert found.high == pytest.approx(wilson.high, abs=0.04)
    # all the runs of a split alike
    alike = np.repeat(values[:, :1], 5, axis=1)
    found = estimate(nested(alike), "share")
    few = stats.binomtest(int(alike[:, 0].sum()), 20).proportion_ci(method="wilson")
    assert found.low == pytest.approx(few.low, abs=0.04)
    # 100 times true on 20 splits is no more than 20 times true
    sure = estimate(nested(np.ones((20, 5))), "share")
    assert sure.low <= stats.binomtest(20, 20).proportion_ci(method="wilson").low
    assert sure.high == 1


@pytest.mark.parametrize(
    ("values", "statistic"),
    [
        (on([1.0, 2.0], seed=[0, 1]), "mean"),
        (on([1.0], split=[0]), "mean"),
        (on([1.0, 0.0], split=[0, 1]), "share"),
        (on(noise(0, 5), seed=range(5)), "median"),
        (nested(noise(0).reshape(2, 10)), "mean"),
        (nested(noise(0).reshape(5, 4)), "median"),
        (crossed(noise(0).reshape(5, 4)), "median"),
        (crossed(noise(0, 4).reshape(2, 2)), "mean"),
    ],
)
def test_too_few_draws_have_no_interval_and_say_why(values, statistic):
    found = estimate(values, statistic)
    assert np.isnan([found.low, found.high]).all()
    assert np.isfinite(found.value)
    assert found.covers.startswith("no interval: ")
    assert f"it takes {6 if statistic == 'median' else 3}" in str(found)


def test_an_interval_over_several_comparisons_is_wider_and_says_so():
    values = on(noise(0), seed=range(20))
    one, eight = estimate(values), estimate(values, comparisons=8)
    assert eight.individual_level == pytest.approx(1 - 0.05 / 8)
    assert eight.low < one.low
    assert eight == dataclasses.replace(
        estimate(values, confidence_level=1 - 0.05 / 8),
        confidence_level=0.95,
        comparisons=8,
    )
    assert "99.4% interval" in str(eight)
    assert "95% over 8 comparisons together" in str(eight)
    assert str(one).startswith("mean ")
    assert str(one).endswith(
        "20 seeds on one split; covers other seeds; does not cover other splits"
    )


def test_an_estimate_is_read_back_from_what_is_kept_of_it():
    kept = {"value": 1.0, "low": 0.5, "high": 2.0, "design": "20 seeds"}
    assert str(Estimate(**kept)) == "1, 95% interval 0.5 to 2; 20 seeds"


@pytest.mark.parametrize(
    ("values", "options", "error", "said"),
    [
        ([1, 2], {}, TypeError, "values must be a pandas.Series.* got list"),
        (pd.Series([1.0, 2.0]), {}, ValueError, "its levels are None"),
        (on([1.0], variant=["a"]), {}, ValueError, "its levels are variant"),
        (on([1.0, 2.0], seed=[3, 3]), {}, ValueError, "more than one number for seed"),
        (on([], seed=[]), {}, ValueError, "values is empty"),
        (on([1.0, np.nan], seed=[3, 4]), {}, ValueError, "no finite number for seed 4"),
        (on(["a", "b"], seed=[3, 4]), {}, TypeError, "something else than numbers"),
        (
            crossed(noise(0).reshape(5, 4))[1:],
            {},
            ValueError,
            "4 seeds are neither nested in the 5 splits",
        ),
        (on([1.0], seed=[0]), {"statistic": "mode"}, ValueError, "statistic is 'mode'"),
        (on([0.5], seed=[0]), {"statistic": "share"}, ValueError, "true or false"),
        (on([1.0], seed=[0]), {"confidence_level": 95}, ValueError, "_level is 95"),
        (on([1.0], seed=[0]), {"comparisons": 0}, ValueError, "comparisons is 0"),
    ],
)
def test_what_cannot_be_estimated_is_named_in_one_sentence(
    values, options, error, said
):
    with pytest.raises(error, match=said) as raised:
        estimate(values, **options)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


# --- parts of the variance ------------------------------------------------------------


def test_the_seeds_part_is_taken_off_the_splits():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 1)) + 2 * rng.normal(size=(2000, 3))
    table = variance_components(nested(values))
    assert table.index.tolist() == ["split", "seed"]
    assert table.loc["split", "sd"] == pytest.approx(1, abs=0.1)
    assert table.loc["seed", "sd"] == pytest.approx(2, abs=0.05)
    # three seeds' mean leaves the split's part more than half as large again
    assert values.mean(axis=1).std() > 1.4
    uneven = nested(values).drop(index=[(split, 3 * split) for split in range(500)])
    assert variance_components(uneven).loc["split", "sd"] == pytest.approx(1, abs=0.1)


def test_crossed_seeds_have_a_part_of_their_own():
    rng = np.random.default_rng(0)
    values = (
        rng.normal(size=(60, 1))
        + 3 * rng.normal(size=(1, 50))
        + 0.5 * rng.normal(size=(60, 50))
    )
    table = variance_components(crossed(values))
    assert table.index.tolist() == ["split", "seed", "split × seed"]
    assert table["sd"].tolist() == pytest.approx([1, 3, 0.5], rel=0.25)
    assert (table["low"] < table["sd"]).all() and (table["sd"] < table["high"]).all()
    few = variance_components(crossed(values[:2]))  # few splits do not turn the table
    assert few.loc["seed", "sd"] == pytest.approx(3, rel=0.25)


def test_a_part_that_is_not_there_is_zero():
    values = noise(0).reshape(4, 5)
    values -= values.mean(axis=1, keepdims=True)
    assert variance_components(nested(values)).loc["split", "sd"] == 0


def test_one_split_or_one_seed_cannot_tell_split_from_seed():
    for values in (on(noise(0), seed=range(20)), nested(noise(0)[:, None])):
        with pytest.raises(ValueError, match="two splits or more"):
            variance_components(values)


# --- power ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 4, 6, 20])
@pytest.mark.parametrize("effect", [0.0, 0.5, 1.5])
def test_power_is_the_share_of_experiments_that_find_the_difference(n, effect):
    runs = np.random.default_rng(n).normal(effect, size=(20_000, n))
    found = stats.ttest_1samp(runs, 0, axis=1).pvalue < 0.05
    # the standard error of the share is at most 0.0035
    assert power(effect, 1.0, n) == pytest.approx(found.mean(), abs=0.012)
    assert power(-3 * effect, 3.0, n) == pytest.approx(power(effect, 1.0, n))


def test_four_pairs_are_too_few_where_normal_quantiles_say_enough():
    normal = (stats.norm.ppf([0.975, 0.8]).sum() * 1.95 / 3) ** 2
    assert np.ceil(normal) == 4
    assert power(3, 1.95, 4) == pytest.approx(0.55, abs=0.01)
    assert repetitions_needed(3, 1.95) == 6


@pytest.mark.parametrize("difference", [0.05, 0.3, 1, 3, 1000])
@pytest.mark.parametrize("chance", [0.5, 0.8, 0.99])
def test_as_many_repetitions_as_needed_and_no_more(difference, chance):
    n = repetitions_needed(difference, 1.0, chance)
    assert power(difference, 1.0, n) >= chance
    assert n == 2 or power(difference, 1.0, n - 1) < chance


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
@pytest.mark.parametrize("n", [2, 3, 6, 20, 1000])
def test_smallest_difference_has_the_power_that_was_asked(n, level):
    smallest = smallest_difference(2.0, n, 0.8, level)
    assert power(smallest, 2.0, n, level) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: power(1, 0, 5), "sd is 0"),
        (lambda: power(1, 1, 1), "n is 1"),
        (lambda: power(1, 1, 5, 95), "confidence_level is 95"),
        (lambda: repetitions_needed(0, 1), "difference is 0"),
        (lambda: repetitions_needed(1, 1, power=80), "power is 80"),
        (lambda: smallest_difference(1, 2.5), "n is 2.5"),
    ],
)
def test_what_has_no_power_is_named_in_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()


# --- comparisons ----------------------------------------------------------------------


def by_split(k, r, split_sd, difference, seed=0):
    """Scores of two variants on k splits with r seeds each; their index is nested."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(k, r))
    other = base + difference + split_sd * rng.normal(size=(k, 1))
    return pd.concat(
        nested(values).rename("value").reset_index().assign(variant=name)
        for name, values in (("a", base), ("b", other + rng.normal(0, 0.1, (k, r))))
    )


def test_differences_follow_the_design():
    scores = by_split(4, 5, split_sd=1.0, difference=1.0)
    table = summarize(scores, higher_is_better=True)
    values = scores.set_index(["variant", "split", "seed"])["value"]
    expected = estimate(values["b"] - values["a"])
    row = table.loc["b"]
    assert row["difference_low"] == pytest.approx(expected.low)
    assert row["difference_high"] == pytest.approx(expected.high)
    assert table.attrs["design"] == "4 splits × 5 seeds each"
    assert "covers both" in table.attrs["covers"]
    # as if the 20 runs were independent
    seeds = scores.drop(columns="split")
    naive = summarize(seeds, higher_is_better=True).loc["b"]
    width = (row["difference_high"] - row["difference_low"]) / (
        naive["difference_high"] - naive["difference_low"]
    )
    assert width > 1.5


@pytest.mark.parametrize(("splits", "enough"), [(5, False), (6, True)])
def test_splits_are_what_a_verdict_counts(splits, enough):
    scores = by_split(splits, 10, split_sd=0.1, difference=5.0)
    row = summarize(scores, higher_is_better=True).loc["b"]
    assert (row["verdict"] == "better") == enough
    assert np.isfinite(row["smallest_difference"]) == enough


def test_the_table_says_over_how_many_comparisons_its_intervals_hold():
    names = "abcdefghi"
    runs = {name: noise(i) for i, name in enumerate(names)}
    table = summarize(frame(**runs), higher_is_better=True)
    assert table.attrs["comparisons"] == 8
    assert table.attrs["confidence_level"] == 0.95
    assert table.attrs["individual_level"] == pytest.approx(1 - 0.05 / 8)
    assert table.attrs["design"] == "20 seeds on one split"
    assert "does not cover other splits" in table.attrs["covers"]
    expected = estimate(on(runs["c"] - runs["a"], seed=range(20)), comparisons=8)
    assert table.loc["c", "difference_low"] == pytest.approx(expected.low)


def test_a_difference_that_every_seed_shows_is_found_though_the_seeds_vary_more():
    base = noise(0)  # spread 1, a difference of 0.2 would drown in it unpaired
    table = summarize(
        frame(a=base, b=base + 0.2 + noise(1, scale=0.05)), higher_is_better=True
    )
    assert table.loc["b", "verdict"] == "better"
    assert table.loc["b", "difference"] == pytest.approx(0.2, abs=0.03)
    assert table.loc["b", "difference_low"] < 0.2 < table.loc["b", "difference_high"]
    assert table.loc["b", "smallest_difference"] < 0.06
    assert table.loc["a", "verdict"] == "reference"
    assert np.isnan(table.loc["a", "difference"])


@pytest.mark.parametrize(
    ("higher", "up", "down"), [(True, "better", "worse"), (False, "worse", "better")]
)
def test_direction_decides_which_side_is_better(higher, up, down):
    base = noise(0)
    table = summarize(
        frame(a=base, up=base + 1 + noise(1) / 9, down=base - 1 + noise(2) / 9),
        higher_is_better=higher,
    )
    assert table.loc["up", "verdict"] == up
    assert table.loc["down", "verdict"] == down


def test_equal_variants_are_seldom_told_apart():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(120):
        # three against the first: the chance of any false verdict is to be 5%
        table = summarize(
            frame(**{name: rng.normal(size=10) for name in "abcd"}),
            higher_is_better=True,
        )
        found += table["verdict"].isin(["better", "worse"]).any()
    assert found / 120 <= 0.10


def test_smallest_difference_is_found_four_times_out_of_five():
    rng = np.random.default_rng(0)
    n, found = 20, 0
    true = smallest_difference(1.0, n)
    for _ in range(150):
        table = summarize(
            frame(a=np.zeros(n), b=rng.normal(true, size=n)), higher_is_better=True
        )
        found += table.loc["b", "verdict"] == "better"
    assert found / 150 == pytest.approx(0.8, abs=0.09)
    assert summarize(
        frame(a=np.zeros(n), b=stats.zscore(rng.normal(size=n), ddof=1)),
        higher_is_better=True,
    ).loc["b", "smallest_difference"] == pytest.approx(true)


@pytest.mark.parametrize(("seeds", "enough"), [(5, False), (6, True)])
def test_fewer_than_six_seeds_give_no_verdict(seeds, enough):
    base = noise(0, seeds)
    table = summarize(
        frame(a=base, b=base + 5 + noise(1, seeds)), higher_is_better=True
    )
    assert (table.loc["b", "verdict"] == "better") == enough
    assert np.isfinite(table.loc["b", "smallest_difference"]) == enough


def test_a_single_seed_gives_no_interval():
    row = summarize(frame(a=[1.0], b=[2.0]), higher_is_better=True).loc["b"]
    assert row["difference"] == 1.0
    assert np.isnan(row["difference_low"])
    assert row["verdict"] == "no difference found"
    assert row["smallest_difference"] == np.inf


def test_median_and_its_interval():
    values = np.r_[noise(0, 30), 50.0]  # one outlier, which the median ignores
    row = summarize(frame(a=values, b=values), higher_is_better=True).loc["a"]
    assert row["median"] == np.median(values)
    assert row["median_low"] < row["median"] < row["median_high"] < 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("higher", [True, False])
def test_a_diverged_run_counts_as_the_worst_and_never_helps(bad, higher):
    base = noise(0, scale=0.1)
    good = 1.0 if higher else -1.0
    runs = base + good
    runs[3] = bad
    row = summarize(frame(a=base, b=runs), higher_is_better=higher).loc["b"]
    whole = summarize(frame(a=base, b=base + good), higher_is_better=higher).loc["b"]
    assert row["diverged"] == 1
    assert row["seeds"] == 20
    assert row["difference"] * good < whole["difference"] * good
    worst = base.min() if higher else base.max()
    expected = (good * 19 + (worst - base[3])) / 20
    assert row["difference"] == pytest.approx(expected)


def test_where_half_or_more_diverged_there_is_no_median():
    runs = noise(0, 8)
    runs[:4] = np.nan
    row = summarize(frame(a=noise(1, 8), b=runs), higher_is_better=False).loc["b"]
    assert np.isnan(row["median"])
    assert row["diverged"] == 4


def test_a_variant_that_always_diverges_is_worse():
    table = summarize(frame(a=noise(0), b=np.full(20, np.nan)), higher_is_better=False)
    assert table.loc["b", "verdict"] == "worse"


def test_nothing_is_said_where_all_runs_diverged():
    table = summarize(frame(a=[np.nan] * 8, b=[np.nan] * 8), higher_is_better=True)
    assert table.loc["b", "verdict"] == "no difference found"
    assert table["diverged"].tolist() == [8, 8]


def test_runs_are_paired_by_seed_whatever_their_order():
    base, other = noise(0), noise(0) + 0.3 + noise(1, scale=0.01)
    scores = frame(a=base, b=other)
    shuffled = scores.sample(frac=1, random_state=0)
    expected = summarize(scores, higher_is_better=True, reference="a").loc["b"]
    found = summarize(shuffled, higher_is_better=True, reference="a").loc["b"]
    assert found["difference"] == pytest.approx(expected["difference"])
    assert found["smallest_difference"] == pytest.approx(
        expected["smallest_difference"]
    )


def test_only_common_seeds_are_paired():
    scores = frame(a=noise(0), b=noise(0) + 1)
    lost = (scores["variant"] == "b") & (scores["seed"] < 5)
    row = summarize(scores[~lost], higher_is_better=True).loc["b"]
    assert row["seeds"] == 15
    assert row["difference"] == pytest.approx(1)


def test_reference_may_be_chosen():
    scores = frame(a=noise(0), b=noise(0) + 1, c=noise(0) + 1)
    table = summarize(scores, higher_is_better=True, reference="b")
    assert table["verdict"].tolist() == ["worse", "reference", "no difference found"]
    assert table.index.tolist() == ["a", "b", "c"]


def test_more_variants_widen_the_intervals():
    base, other = noise(0), noise(1)
    two = summarize(frame(a=base, b=other), higher_is_better=True).loc["b"]
    four = summarize(
        frame(a=base, b=other, c=other, d=other), higher_is_better=True
    ).loc["b"]
    assert four["difference_low"] < two["difference_low"]
    assert four["difference_high"] > two["difference_high"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))] * 2),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
)
def test_any_scores_give_an_ordered_interval_and_swapping_turns_the_verdict(
    pairs, higher
):
    one, other = map(np.array, zip(*pairs, strict=True))
    scores = frame(a=one, b=other)
    row = summarize(scores, higher_is_better=higher).loc["b"]
    back = summarize(scores, higher_is_better=higher, reference="b").loc["a"]
    if len(pairs) > 2 and not (np.isnan(one).all() and np.isnan(other).all()):
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    turned = {"better": "worse", "worse": "better"}
    if len(pairs) < 6:
        assert row["verdict"] == "no difference found"
    # Resampling is seeded, not mirrored: near zero the two ends may differ slightly.
    edge = min(abs(row["difference_low"]), abs(row["difference_high"]))
    if edge > 0.2 * (row["difference_high"] - row["difference_low"]):
        assert back["verdict"] == turned.get(row["verdict"], row["verdict"])


@pytest.mark.parametrize(
    ("scores", "options", "error", "said"),
    [
        ([1, 2], {}, TypeError, "scores must be a frame"),
        (
            frame(a=[1.0], b=[2.0]).drop(columns="seed"),
            {},
            ValueError,
            "no column 'seed'",
        ),
        (frame(a=[1.0, 2.0]), {}, ValueError, "scores has 1"),
        (
            pd.concat([frame(a=[1.0], b=[2.0])] * 2),
            {},
            ValueError,
            "more than one value for variant 'a', seed 0",
        ),
        (frame(a=[1.0], b=[2.0]), {"reference": "c"}, ValueError, "reference is 'c'"),
        (
            frame(a=[1.0], b=[2.0]),
            {"confidence_level": 95},
            ValueError,
            "confidence_level is 95",
        ),
        (
            pd.DataFrame({"variant": ["a", "b"], "seed": [0, 1], "value": [1.0, 2.0]}),
            {},
            ValueError,
            "'b' and 'a' have no seed in common",
        ),
    ],
)
def test_what_does_not_fit_is_named_in_one_sentence(scores, options, error, said):
    with pytest.raises(error, match=said) as raised:
        summarize(scores, higher_is_better=True, **options)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


# --- the jackknife --------------------------------------------------------------------


def test_jackknife_of_a_mean_gives_back_the_numbers():
    values = on(noise(0), split=range(20))
    found = jackknife(lambda splits: values[splits].mean(), values.index)
    pd.testing.assert_series_equal(found, values.rename("value"))


def test_jackknife_takes_the_bias_from_a_variance():
    values = on(noise(1, n=7), seed=range(7))
    found = jackknife(lambda seeds: values[seeds].var(ddof=0), values.index)
    assert found.mean() == pytest.approx(values.var(ddof=1))


def test_jackknife_counts_a_draw_that_plays_two_parts():
    # One factor moves what is chosen on a split, the other what is scored on it.
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        choosing, scoring = rng.normal(size=(2, 12))
        scored = choosing[:, None] + scoring[None]

        def on_others(used, scored=scored):
            part = scored[np.ix_(used, used)]
            return part[~np.eye(len(used), dtype=bool)].mean()

        found = estimate(jackknife(on_others, pd.RangeIndex(12, name="split")))
        covered += found.low < 0 < found.high
    assert 0.92 < covered / 300 < 0.98


@pytest.mark.parametrize(
    ("draws", "error", "message"),
    [
        ([0, 1, 2], TypeError, "draws must be a pandas.Index; got list"),
        (pd.RangeIndex(3), ValueError, "name of draws is None"),
        (pd.RangeIndex(1, name="seed"), ValueError, "draws has 1 draw"),
    ],
)
def test_jackknife_refuses(draws, error, message):
    with pytest.raises(error, match=message):
        jackknife(lambda _: pytest.fail("was called"), draws)


def test_agreement_is_the_share_of_pairs_that_choose_alike():
    one = np.array([[0, 1, 2], [0, 1, 1], [0, 2, 2]])
    other = np.array([[0, 0, 0], [1, 1, 1]])
    pairs = [(a == b).mean() for a, b in itertools.combinations(one, 2)]
    assert agreement(one) == pytest.approx(np.mean(pairs))
    across = [(a == b).mean() for a in one for b in other]
    assert agreement(one, other) == pytest.approx(np.mean(across))


def test_agreement_says_what_does_not_fit():
    with pytest.raises(ValueError, match="two members or more; got 1"):
        agreement([[0, 1]])
    with pytest.raises(ValueError, match="of the same examples; got the shapes"):
        agreement([[0, 1]], [[0, 1, 2]])


# --- ranking and choosing -------------------------------------------------------------


def test_error_left_is_one_of_the_runs_or_all():
    rng = np.random.default_rng(0)
    own = rng.normal(size=(400, 5))
    alone, alike = error_left(own), error_left(np.repeat(own[:, :1], 5, axis=1))
    assert alone.low < 0.2 < alone.high < 0.25
    assert alike.value == pytest.approx(1)
    # of two quantities the squared errors add up
    both = error_left(own, 3 * np.repeat(own[:, :1], 5, axis=1))
    assert both.value == pytest.approx((0.2 + 9) / 10, abs=0.02)
    assert len(both.values) == 400 and both.design == "400 draws"


@pytest.mark.parametrize(
    "errors", [(), (np.ones(3),), (np.ones((3, 2)), np.ones((2, 3)))]
)
def test_error_left_says_what_does_not_fit(errors):
    with pytest.raises(
        ValueError, match=r"errors must have one shape, \(draws, runs\)"
    ):
        error_left(*errors)


def test_estimate_for_new_rows_widens_the_interval_as_nadeau_and_bengio_do():
    differences = on(noise(0), split=range(20))
    plain = estimate_for_new_rows(differences, share=0)
    error = differences.std() / np.sqrt(20)
    assert [plain.low, plain.high] == pytest.approx(
        differences.mean() + np.array([-1, 1]) * stats.t.ppf(0.975, 19) * error
    )
    corrected = estimate_for_new_rows(differences, share=1 / 3)
    assert corrected.value == pytest.approx(differences.mean())
    wider = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert wider == pytest.approx(np.sqrt((1 / 20 + 1 / 3) * 20))
    # several seeds on a split are one number
    values = noise(1, n=60).reshape(20, 3)
    several = estimate_for_new_rows(nested(values), share=1 / 3)
    means = estimate_for_new_rows(on(values.mean(axis=1), split=range(20)), share=1 / 3)
    assert several.high == pytest.approx(means.high)


@pytest.mark.parametrize(
    ("values", "share", "message"),
    [
        (on([1.0, 2, 3], split=range(3)), -1, "share is -1; expected a number of 0"),
        (on([1.0, 2, 3], seed=range(3)), 0.3, "got 3 seeds on one split"),
        (on([1.0, 2], split=range(2)), 0.3, "differences has 2 splits; it takes 3"),
        (crossed(np.ones((4, 3))), 0.3, "the same 3 seeds on each"),
    ],
)
def test_estimate_for_new_rows_says_what_does_not_fit(values, share, message):
    with pytest.raises(ValueError, match=message):
        estimate_for_new_rows(values, share)


def networks(*means, splits=20, seeds=3):
    """Scores of networks with these means: splits move all alike, seeds each alone."""
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 5, (splits, 1, 1)) + rng.normal(
        means, 2, (splits, seeds, len(means))
    )
    index = nested(np.ones((splits, seeds))).index
    return pd.DataFrame(scores.reshape(-1, len(means)), index)


def test_ranking_errors_follow_the_normal_formula():
    found = ranking_errors(networks(0), networks(1, 4), repetitions=[1, 5], draws=4000)
    assert len(found) == 2 * 2 * 4000
    near, far = found[found["difference"] < 2.5], found[found["difference"] > 2.5]
    for rows in (near, far):
        means = rows.groupby("repetitions")[["wrong", "expected"]].mean()
        assert means["wrong"].to_numpy() == pytest.approx(
            means["expected"].to_numpy(), abs=0.04
        )
    assert near["wrong"].mean() > far["wrong"].mean()
    assert set(found["split"]) == set(range(20))


def test_ranking_errors_are_half_where_networks_tie():
    same = networks(0)
    same[0] = 1.0
    assert (ranking_errors(same, same)["wrong"] == 0.5).sum() == 0  # both tie: right
    better = same + pd.DataFrame({0: np.arange(60) // 3 == 7}, same.index)
    # they differ on split 7 alone: elsewhere no run shows who is better
    found = ranking_errors(same, better).groupby("split")["wrong"].mean()
    assert (found.drop(7) == 0.5).all()
    assert found[7] == 0.5  # and there the others find no difference


@pytest.mark.parametrize(
    ("one", "options", "message"),
    [
        (networks(0), {"repetitions": [20]}, "repetitions has 20; expected 1 to 19"),
        (networks(0, splits=19), {}, "the same splits and seeds"),
        (networks(0).reset_index(drop=True), {}, "rows of one must be by split and"),
        (networks(0).iloc[1:], {}, "one must have finite scores of equally many"),
    ],
)
def test_ranking_errors_says_what_does_not_fit(one, options, message):
    with pytest.raises(ValueError, match=message):
        ranking_errors(one, networks(1), **options)


@pytest.mark.parametrize("trials", [1, 2, 4, 6])
def test_best_of_is_the_mean_over_all_choices(trials):
    rng = np.random.default_rng(0)
    choosing = rng.integers(3, size=(4, 6)).astype(float)  # with ties
    scored = rng.normal(size=(4, 6))
    expected = []
    for by, of in zip(choosing, scored, strict=True):
        tried = map(list, itertools.combinations(range(6), trials))
        expected.append(np.mean([of[t][by[t] == by[t].max()].mean() for t in tried]))
    assert best_of(choosing, scored, trials) == pytest.approx(expected)


def test_best_of_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"same shape; got \(3,\) and \(2,\)"):
        best_of(np.ones(3), np.ones(2), 1)
    with pytest.raises(ValueError, match="trials is 4; expected 1 to 3"):
        best_of(np.ones(3), np.ones(3), 4)


def test_smallest_on_one_split_keeps_the_splits_part():
    rng = np.random.default_rng(0)
    values = nested(rng.normal(0, 2, (40, 1)) + rng.normal(0, 1, (40, 5)))
    parts = variance_components(values)
    many = smallest_on_one_split(values, seeds=10**9)
    quantiles = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert [many.value, many.low, many.high] == pytest.approx(
        quantiles * parts.loc["split"]
    )
    few = smallest_on_one_split(values, seeds=4)
    both = np.hypot(parts.sd["split"], parts.sd["seed"] / 2)
    assert few.value == pytest.approx(quantiles * both)
    with pytest.raises(ValueError, match="seeds is 0; expected a whole number"):
        smallest_on_one_split(values, seeds=0)

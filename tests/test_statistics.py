import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nnperf_utils.statistics import higher_is_better, interval, summarize


def frame(**runs):
    """Scores by variant; seeds count from 0."""
    return pd.concat(
        pd.DataFrame({"variant": name, "seed": range(len(values)), "value": values})
        for name, values in runs.items()
    )


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
    quantiles = stats.t.ppf([0.975, 0.8], n - 1)
    true = quantiles.sum() / np.sqrt(n)  # for differences of standard deviation 1
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
    if len(pairs) > 1 and not (np.isnan(one).all() and np.isnan(other).all()):
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

import json
import subprocess
import sys
from collections import Counter
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from scipy import stats

from nnperf_utils import catalog as entries
from nnperf_utils import claims
from nnperf_utils.claims import Estimate, format_number, judge, load_claims
from nnperf_utils.criterion import parse
from nnperf_utils.statistics import estimate, interval, intervals

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import claims_ledger

ENTRY = {
    "id": "one-claim",
    "statement": "Some <b>thing</b> is above one half.",
    "source": ["A"],
    "seeds": 20,
    "effects": {"x": {"measures": "a thing", "scale": "ratio"}},
    "criterion": {"holds": "x.low > 0.5", "fails": "x.high < 0.5"},
    "condition": "on Sundays",
    "verdict": "holds",
}
DAY = date(2026, 11, 21)
REVISION = {
    "date": DAY,
    "what": "The border moves.",
    "why": "It was too low.",
    "result_known": True,
    "verdict_before": None,
}
CONTENT = {
    "scales": {"ratio": {"label": "a ratio", "axis": "log"}},
    "claims": [ENTRY],
}


def changed(**keys):
    """Content of a file whose one claim differs in these keys; None removes one."""
    entry = {key: value for key, value in (ENTRY | keys).items() if value is not None}
    return CONTENT | {"claims": [entry]}


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """Let `judge` read the claims that the test gives."""
    folder = tmp_path / "claims"
    folder.mkdir()
    monkeypatch.setattr(entries, "claims_folder", lambda: folder)

    def write(content):
        for name, key in (("scales", "scales"), ("03_vanishing_gradients", "claims")):
            text = yaml.safe_dump(content[key])
            (folder / f"{name}.yml").write_text(text, encoding="utf-8")
        return folder

    return write


def seeds(values):
    return pd.Series(values, dtype=float).rename_axis("seed")


def around(center, spread=0.1, n=20):
    """Values whose median and mean are `center`, evenly spread."""
    return seeds(center + spread * np.linspace(-1, 1, n))


# --- conditions --------------------------------------------------------------------

EFFECTS = {
    "x": Estimate(1.0, 0.5, 2.0),
    "y": Estimate(-3.0, -4.0, -2.5),
}
_numbers = st.recursive(
    st.one_of(
        st.integers(0, 9).map(str),
        st.floats(0, 9, allow_nan=False).map(lambda value: f"{value:.3f}"),
        st.sampled_from(
            [
                f"{name}{part}"
                for name in "xy"
                for part in ("", ".low", ".high", ".value")
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda text: f"-({text})"),
    ),
    max_leaves=4,
)
_signs = st.sampled_from(["<", "<=", ">", ">="])
_conditions = st.recursive(
    st.one_of(
        st.tuples(_numbers, _signs, _numbers).map(" ".join),
        st.tuples(_numbers, _signs, _numbers, _signs, _numbers).map(" ".join),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=4,
)


def ends(estimate):
    return estimate.value, estimate.low, estimate.high


class Number(float):
    """A number with parts, for Python's own evaluation."""

    def __new__(cls, estimate):
        number = super().__new__(cls, estimate.value)
        number.value, number.low, number.high = ends(estimate)
        return number


@settings(deadline=None)  # a busy machine is no fault
@given(_conditions.filter(lambda text: len(text) <= 500))
def test_condition_means_what_python_means(text):
    expected = eval(text, {name: Number(one) for name, one in EFFECTS.items()})
    condition = parse(text, EFFECTS)
    assert bool(condition(EFFECTS)) == expected
    assert condition.words()
    # many at once give the same answer each time
    many = {
        name: Estimate(*(np.full(3, end) for end in ends(one)))
        for name, one in EFFECTS.items()
    }
    assert np.broadcast_to(condition(many), 3).tolist() == [expected] * 3


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_one_sentence(text):
    try:
        condition = parse(text, EFFECTS)
    except ValueError as error:
        assert str(error).endswith(".")
    else:
        assert isinstance(bool(condition(EFFECTS)), bool)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "x.__class__.__mro__ > 0",
        "x.low.__class__ > 0",
        "(lambda: 1)() > 0",
        "[1 for _ in x] > 0",
        "open('f') > 0",
        "9**9**9 > x",
        "x[0] > 0",
        "'a' < 'b'",
        "(y := 3) > 0",
        "True > x",
        "1e999 > x",
        "x / 0 > 1",
        "x in [1]",
        "x == 1",
        "x is y",
        "x > 0 if y else x",
        "x > 1j",
        "f'{x}' > 1",
        "(" * 240 + "x > 0" + ")" * 240,
        "x > 0; y > 0",
        "not x",
        "x and y",
        "x > (y > 0)",
        "z > 0",
        "x.mean > 0",
        "",
        "x > " + "-" * 600 + "1",
        3,
        None,
    ],
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match=r"condition") as caught:
        parse(text, EFFECTS)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x.low > 0.5", "x is wholly above 0.5"),
        ("0.1 <= x.low", "x is wholly at least 0.1"),
        ("x.high < y.low", "x is wholly below y"),
        ("x.high > 1", "the upper end of the interval of x is above 1"),
        ("x > 1 and not y < 2", "x is above 1 and not (y is below 2)"),
        (
            "x.low > 1 or (y > 2 and x < 3)",
            "x is wholly above 1 or (y is above 2 and x is below 3)",
        ),
        ("0 < x < 1.000001", "x is above 0 and x is below 1.000001"),
        ("x > (y - 1) * 2", "x is above (y − 1) × 2"),
    ],
)
def test_words(text, words):
    assert parse(text, EFFECTS).words() == words


def test_parts_are_told_apart_and_effects_by_other_names():
    word, parts = parse("x.low > 1 and (y < 2 or y > 3)", EFFECTS).parts({"x": "an x"})
    assert (word, parts) == (
        "and",
        ["an x is wholly above 1", "y is below 2 or y is above 3"],
    )
    assert parse("x > 1", EFFECTS).parts() == ("and", ["x is above 1"])
    assert parse("x > 1 or y > 1", EFFECTS).parts()[0] == "or"


def test_borders_are_the_numbers_that_an_effect_is_compared_with():
    condition = parse("0.1 < x.low < 2 * 5 or y > x or y < -1", EFFECTS)
    assert condition.borders() == {"x": {(0.1, 1), (10.0, -1)}, "y": {(-1.0, -1)}}


@pytest.mark.parametrize("text", ["x <= 2", "2 >= x", "not x > 2", "not 2 < x"])
def test_the_side_of_a_border_is_that_on_which_the_condition_is_met(text):
    assert parse(text, EFFECTS).borders() == {"x": {(2.0, -1)}}


# --- claims/ -------------------------------------------------------------------------


def test_the_courses_own_claims_are_valid():
    catalog = load_claims()
    assert len(catalog.claims) >= 7
    for claim in catalog.claims.values():
        assert claim.holds.effects | claim.fails.effects <= set(claim.effects)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(criterion=None), "claim one-claim has no criterion"),
        (
            changed(criterion={"holds": "x > 1"}),
            "criterion of claim one-claim has no fails",
        ),
        (
            changed(criterion={"holds": "z > 1", "fails": "x < 1"}),
            "criterion of claim one-claim, holds: .*'z' is not among the effects",
        ),
        (
            changed(verdict="maybe"),
            "verdict of claim one-claim is 'maybe'; expected one",
        ),
        (
            changed(effects={"x": {"measures": "m"}, "y": {"measures": "m"}}),
            "effect y of claim one-claim does not enter the criterion",
        ),
        (
            changed(effects={"x": {"measures": "m", "role": "also"}}),
            "effect x of claim one-claim enters the criterion",
        ),
        (changed(short="one two three four five six seven eight nine"), "has 9 words"),
        (changed(order="earlier"), "order of claim one-claim is 'earlier'"),
        (changed(registered="today"), "registered of .* expected a day such as"),
        (changed(revisions={"date": DAY}), "must be a list"),
        (changed(revisions=[REVISION]), "must be registered before it is revised"),
        (
            changed(registered=DAY, revisions=[REVISION | {"date": date(2026, 1, 1)}]),
            "must follow each other in time",
        ),
        (
            changed(registered=DAY, revisions=[REVISION | {"result_known": "no"}]),
            "result_known of revision 1 of claim one-claim is 'no'",
        ),
        (
            changed(registered=DAY, revisions=[REVISION | {"verdict_before": "no"}]),
            "verdict_before of revision 1 of claim one-claim is 'no'",
        ),
        (
            changed(
                registered=DAY,
                revisions=[REVISION | {"criterion": {"holds": "z > 1", "fails": "x"}}],
            ),
            "criterion of revision 1 of claim one-claim, holds: .*'z' is not among",
        ),
        (changed(verdict="holds in part", condition=None), "no condition"),
        (changed(colour="red"), "unknown key colour"),
        (changed(seeds=None), "seeds of claim one-claim is None"),
        (changed(seeds=1), "seeds of claim one-claim is 1"),
        (changed(effects={"x": {"measures": ""}}), "measures of effect x"),
        (changed(effects={"x": {}}), "effect x of claim one-claim has no measures"),
        (changed(effects={"x.low": {"measures": "m"}}), "Python argument"),
        (
            changed(effects={"x": {"measures": "m", "statistic": "mode"}}),
            "statistic of effect x .* is 'mode'; expected one of: median",
        ),
        (
            changed(effects={"x": {"measures": "m", "scale": "no"}}),
            "scale of effect x .* is 'no'; expected one of: ratio",
        ),
        (
            changed(effects={"x": {"measures": "m", "statistic": "exact"}}),
            "exact effects only",
        ),
        (changed(source=[]), "source of claim one-claim"),
        (changed(source="A"), "source of claim one-claim"),
        (changed(id=None), "id of a claim"),
        (CONTENT | {"claims": [ENTRY, ENTRY]}, "stands in .* and again in"),
        (CONTENT | {"claims": ["text"]}, "a claim must be a mapping"),
        (CONTENT | {"claims": {"a": 1}}, "must be a list of claims"),
        (CONTENT | {"scales": []}, "must be a mapping"),
        (CONTENT | {"scales": {"s": {"label": "l", "axis": "cubic"}}}, "'cubic'"),
    ],
)
def test_faults_in_claims_are_named(catalog, content, message):
    path = catalog(content)
    with pytest.raises(ValueError, match=message):
        load_claims(path)


def test_claims_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds the claims"):
        load_claims(tmp_path / "claims")
    (tmp_path / "01_broken.yml").write_text("- [", encoding="utf-8")
    with pytest.raises(ValueError, match=r"01_broken\.yml is not valid YAML"):
        load_claims(tmp_path)


# --- verdicts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("center", "verdict"), [(0.9, "holds"), (0.1, "fails"), (0.5, "holds in part")]
)
def test_verdict_follows_the_criterion(catalog, center, verdict):
    catalog(CONTENT)
    assert judge("one-claim", x=around(center)).verdict == verdict


def test_interval_is_the_percentile_bootstrap_of_the_course():
    rng = np.random.default_rng(3)
    values = np.exp(rng.normal(size=20))
    for name, statistic in (("median", np.median), ("mean", np.mean)):
        got = estimate(seeds(values), name)
        assert got.value == pytest.approx(statistic(values))
        # medians jump from value to value, so the level is what has a tolerance
        (inner_low, inner_high), (outer_low, outer_high) = (
            interval(values, statistic, confidence_level=level, method="percentile")
            for level in (0.94, 0.96)
        )
        assert outer_low <= got.low <= inner_low
        assert inner_high <= got.high <= outer_high


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("statistic", ["mean", "median", "share"])
def test_many_samples_at_once_are_estimated_as_each_alone(crossed, size, statistic):
    rng = np.random.default_rng(4)
    samples, picks = rng.normal(size=(5, 11, size)), rng.integers(11, size=(300, 11))
    samples = (samples > 0).astype(float) if statistic == "share" else samples
    options = {"crossed": crossed, "picks": picks}
    together = intervals(samples, statistic, **options)
    for row, one in enumerate(samples):
        alone = intervals(one[None], statistic, **options)
        for end, own in zip(together, alone, strict=True):
            assert end[row] == pytest.approx(own[0], rel=1e-12, nan_ok=True)


def test_twenty_times_true_is_not_certainty(catalog):
    catalog(changed(effects={"x": {"measures": "m", "statistic": "share"}}))
    estimate = judge("one-claim", x=seeds([True] * 20)).estimates["x"]
    wilson = stats.binomtest(20, 20).proportion_ci(method="wilson")
    assert (estimate.value, estimate.low) == (1, pytest.approx(wilson.low))
    with pytest.raises(ValueError, match="must be true or false"):
        judge("one-claim", x=around(0.5))


def test_exact_effects_have_neither_seeds_nor_interval(catalog):
    effects = {"x": {"measures": "m", "statistic": "exact"}}
    catalog(changed(effects=effects, seeds=None))
    judgment = judge("one-claim", x=np.float32(0.75))
    assert (judgment.verdict, judgment.seeds, judgment.flips) == ("holds", 0, None)
    assert ends(judgment.estimates["x"]) == (0.75, 0.75, 0.75)
    assert judgment.design == "exact, no seeds"
    for wrong in ([0.75], "0.75", None):
        with pytest.raises(TypeError, match="a single number"):
            judge("one-claim", x=wrong)
    with pytest.raises(ValueError, match="finite"):
        judge("one-claim", x=np.nan)


def test_same_values_give_the_same_judgment_in_any_order(catalog):
    catalog(CONTENT)
    values = around(0.55, 0.3)
    shuffled = values.sample(frac=1, random_state=0)
    assert judge("one-claim", x=values) == judge("one-claim", x=shuffled)


def test_constant_values_are_judged(catalog):
    catalog(CONTENT)
    judgment = judge("one-claim", x=np.full(20, 0.75))
    assert judgment.verdict == "holds"
    assert judgment.estimates["x"].low == pytest.approx(0.75)
    assert judgment.flips == 0


def test_a_criterion_that_contradicts_itself_is_refused(catalog):
    catalog(changed(criterion={"holds": "x > 0", "fails": "x > 0.5"}))
    with pytest.raises(ValueError, match="contradicts itself"):
        judge("one-claim", x=around(1))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "takes the effects x; missing: x"),
        ({"x": around(1), "z": 1}, TypeError, "unknown: z"),
        ({"x": 0.7}, TypeError, "one number for each seed"),
        ({"x": np.ones((2, 3))}, TypeError, "one number for each seed"),
        ({"x": ["a", "b"]}, TypeError, "something else than numbers"),
        ({"x": [0.7]}, ValueError, "no interval: 1 independent draw is too few"),
        ({"x": np.ones(5)}, ValueError, "too few for one of a median, it takes 6"),
        (
            {"x": pd.Series(np.ones(4), pd.MultiIndex.from_product([[0, 1]] * 2))},
            ValueError,
            "effect x of claim one-claim: the index of values must have the levels",
        ),
        (
            {"x": estimate(around(1), "mean")},
            ValueError,
            "x of claim one-claim is a median; got an estimate of a mean",
        ),
        (
            {"x": Estimate(1.0, 0.5, 2.0, "median")},
            ValueError,
            "without the numbers behind it",
        ),
        ({"x": [0.7, np.nan, np.inf]}, ValueError, "no finite number for seed 1, 2"),
        (
            {"x": pd.Series([1.0, 2.0], index=[4, 4])},
            ValueError,
            "more than one number for seed 4",
        ),
    ],
)
def test_effects_that_cannot_be_judged(catalog, arguments, error, message):
    catalog(CONTENT)
    with pytest.raises(error, match=message):
        judge("one-claim", **arguments)


def test_unknown_claim_gets_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'relu-cures'"):
        judge("relu-cure", x=around(1))
    with pytest.raises(ValueError, match=r"see claims/"):
        judge("zzzz", x=around(1))


def test_effects_of_one_claim_share_their_seeds(catalog):
    effects = {"x": {"measures": "m"}, "y": {"measures": "m", "role": "also"}}
    catalog(changed(effects=effects))
    with pytest.raises(ValueError, match="same seeds"):
        judge("one-claim", x=around(1), y=around(1, n=19))


# --- stability -----------------------------------------------------------------------


def test_an_effect_on_the_edge_turns_often_and_a_clear_one_never(catalog):
    catalog(CONTENT)
    values = np.random.default_rng(6).normal(scale=0.1, size=20)
    values -= np.median(values)
    low = judge("one-claim", x=values + 1).estimates["x"].low - 1
    # the end of the interval lies right on the border
    edge = judge("one-claim", x=values + 0.5 - low)
    assert edge.flips > 0.2
    assert "On the edge" in str(edge)
    clear = judge("one-claim", x=values + 5)
    assert clear.flips == 0
    assert "On the edge" not in str(clear)


def test_flips_agree_with_judging_each_resample(catalog):
    # all at once, against one resample after the other
    effects = {
        "x": {"measures": "m", "statistic": "mean"},
        "y": {"measures": "m", "statistic": "median"},
    }
    criterion = {"holds": "x.low > y.high", "fails": "x < y"}
    path = catalog(changed(effects=effects, criterion=criterion))
    claim = load_claims(path).claims["one-claim"]
    rng = np.random.default_rng(7)
    x, y = rng.normal(0.9, 1, 20), rng.normal(0, 1, 20)
    judgment = judge("one-claim", x=x, y=y)
    turned = []
    for _ in range(400):
        rows = rng.integers(20, size=20)
        estimates = {
            "x": estimate(seeds(x[rows]), "mean"),
            "y": estimate(seeds(y[rows]), "median"),
        }
        turned.append(claims._verdict(claim, estimates) != judgment.verdict)
    assert 0.1 < judgment.flips < 0.9
    assert np.mean(turned) == pytest.approx(judgment.flips, abs=0.1)


# --- designs -------------------------------------------------------------------------

MEAN = {"x": {"measures": "m", "statistic": "mean"}}


def by_split(values, first=0):
    """Numbers of shape (splits, seeds), each split with seeds of its own."""
    k, r = values.shape
    index = pd.MultiIndex.from_arrays(
        [np.repeat(np.arange(k), r) + first, np.arange(k * r) + first * r],
        names=["split", "seed"],
    )
    return pd.Series(values.ravel(), index)


def test_an_estimate_is_judged_as_it_is(catalog):
    catalog(changed(effects=MEAN))
    rng = np.random.default_rng(0)
    given = estimate(by_split(rng.normal(1, 0.1, (10, 2))), comparisons=8)
    judgment = judge("one-claim", x=given)
    assert judgment.estimates["x"] is given
    assert judgment.verdict == "holds"
    assert judgment.seeds == 20
    assert judgment.design == "10 splits × 2 seeds each"
    assert "10 splits × 2 seeds each" in str(judgment)
    kept = judgment.evidence()["effects"]["x"]
    assert kept["design"] == "10 splits × 2 seeds each"
    assert ends(Estimate(**kept)) == ends(given)
    # the card does not call a wider interval one of 95%
    html = DisplayFormatter().format(judgment)[0]["text/html"]
    assert "99.4%" in html
    assert "10 splits × 2 seeds each" in html


def test_a_series_with_splits_is_judged_by_its_design(catalog):
    catalog(changed(effects=MEAN))
    values = by_split(np.random.default_rng(0).normal(1, 0.1, (10, 2)))
    assert judge("one-claim", x=values).estimates["x"] == estimate(values)
    # an index of splits alone, or of anything else, is one number for each
    splits = around(0.9).rename_axis("split")
    assert judge("one-claim", x=splits).design == "20 splits, one run on each"
    assert judge("one-claim", x=around(0.9).rename_axis("run")).design == "20 seeds"


def flips_of_a_loop(claim, values, statistic, verdict, draw, times=300):
    """Judge one resample after the other."""
    rng = np.random.default_rng(8)
    turned = 0
    for _ in range(times):
        found = estimate(draw(rng, values), statistic)
        turned += claims._verdict(claim, {"x": found}) != verdict
    return turned / times


def draw_splits(rng, values):
    rows = values.to_numpy().reshape(8, 4)[rng.integers(8, size=8)]
    return by_split(rows)


def draw_both(rng, values):
    array = values.to_numpy().reshape(8, 4)
    rows, columns = rng.integers(8, size=8), rng.integers(4, size=4)
    return pd.Series(array[rows][:, columns].ravel(), values.index)


@pytest.mark.parametrize("draw", [draw_splits, draw_both])
def test_flips_draw_what_was_drawn(catalog, draw):
    path = catalog(changed(effects=MEAN))
    claim = load_claims(path).claims["one-claim"]
    rng = np.random.default_rng(2)
    array = rng.normal(size=(8, 1)) + 0.1 * rng.normal(size=(8, 4))
    values = by_split(array)
    if draw is draw_both:
        values.index = pd.MultiIndex.from_product(
            [range(8), range(4)], names=["split", "seed"]
        )
    # one end on the border
    values += 0.5 - estimate(values).low
    judgment = judge("one-claim", x=values)
    expected = flips_of_a_loop(claim, values, "mean", judgment.verdict, draw)
    assert judgment.flips == pytest.approx(expected, abs=0.1)
    assert 0.2 < judgment.flips < 0.8
    # 32 independent runs would hardly turn
    assert judgment.flips > judge("one-claim", x=values.to_numpy()).flips + 0.1


def test_effects_on_the_same_runs_are_drawn_together_and_others_are_not(catalog):
    effects = {name: MEAN["x"] for name in "xy"}
    criterion = {"holds": "x > y - 0.001", "fails": "x < y - 1"}
    catalog(changed(effects=effects, criterion=criterion))
    values = np.random.default_rng(0).normal(size=(10, 2))
    same = judge("one-claim", x=by_split(values), y=by_split(values))
    assert (same.flips, same.seeds) == (0, 20)
    # another table: splits of its own
    other = judge("one-claim", x=by_split(values), y=by_split(values, first=10))
    assert other.flips > 0.2
    assert other.seeds == 40
    assert other.design == "10 splits × 2 seeds each"
    mixed = judge("one-claim", x=by_split(values), y=around(0))
    assert mixed.design == "“x”: 10 splits × 2 seeds each; “y”: 20 seeds"
    assert mixed.seeds == 40


# --- what is shown and left behind ---------------------------------------------------


class _Balanced(HTMLParser):
    """Checks that every element is closed, and collects the text."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_notebook_shows_a_card_and_keeps_the_evidence(catalog):
    catalog(CONTENT)
    judgment = judge("one-claim", x=around(0.9))
    data, metadata = DisplayFormatter().format(judgment)
    page = _Balanced()
    page.feed(data["text/html"])
    assert page.open == []
    assert page.seen[0][1]["id"] == "claim-one-claim"
    assert not {"script", "style", "b-thing"} & {tag for tag, _ in page.seen}
    assert "✓ Holds." in page.text
    assert "Some <b>thing</b> is above one half." in page.text
    assert "It holds if “x” is wholly above 0.5." in page.text
    assert "20 seeds" in page.text
    assert data["text/plain"].startswith("one-claim: holds (20 seeds)")
    # what the file of a notebook can hold
    kept = json.loads(json.dumps(metadata["nnperf_claim"], allow_nan=False))
    assert kept == judgment.evidence()
    notebook = {
        "cells": [
            {"cell_type": "markdown"},
            {"outputs": [{"output_type": "stream"}, {"metadata": metadata}]},
        ]
    }
    assert claims.read_evidence(notebook) == [kept]


def test_the_card_says_what_differs_from_the_text(catalog):
    catalog(CONTENT)
    text = str(judge("one-claim", x=around(0.5, n=8)))
    assert "Condition: on Sundays." in text
    assert "disagrees with the text, which argues from “holds”" in text
    assert "rests on 20 seeds" in text
    assert "8 seeds" in text


def test_the_verdict_by_an_earlier_criterion_is_told(catalog):
    earlier = {"criterion": {"holds": "x.low > 0.9", "fails": "x.high < 0.1"}}
    revisions = [REVISION, REVISION | earlier]
    catalog(changed(registered=DAY, order="together", revisions=revisions))
    judgment = judge("one-claim", x=around(0.8))
    assert (judgment.verdict, judgment.earlier()) == ("holds", {1: "holds in part"})
    told = "By the criterion before the revision of 21 November 2026: ◐ holds in part."
    assert told in str(judgment)
    # where both say the same there is nothing to tell
    agreed = judge("one-claim", x=around(1.5))
    assert agreed.earlier() == {1: "holds"}
    assert "By the criterion" not in str(agreed)


def test_a_claim_is_quoted_beside_its_mark(catalog):
    catalog(changed(short="a half is passed"))
    quoted = claims.kept(judge("one-claim", x=around(0.2)))
    assert quoted == "[“a half is passed”\N{NO-BREAK SPACE}✗](#claim-one-claim)"
    catalog(CONTENT)
    quoted = claims.kept(judge("one-claim", x=around(0.9)))
    assert quoted.startswith("[“Some <b>thing</b> is above one half”")


def test_a_claim_may_be_registered_before_it_has_a_verdict(catalog):
    catalog(changed(verdict=None))
    assert load_claims().claims["one-claim"].verdict is None
    assert "not argue from a verdict yet" in str(judge("one-claim", x=around(1)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (0.23456, "0.235"),
        (12, "12"),
        (1250.4, "1,250"),
        (-0.5, "−0.5"),
        (3.14e-8, "3.1 × 10⁻⁸"),
        (-2e12, "−2.0 × 10¹²"),
        (0.9996, "1"),
    ],
)
def test_numbers_are_readable(value, text):
    assert format_number(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_claims_need_no_tensorflow():
    # reading them for the ledger must be quick
    code = "import nnperf_utils.claims, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- the ledger ----------------------------------------------------------------------


def test_counts_are_told_in_words():
    counts = Counter({"holds": 1, "holds in part": 2})
    sentence = claims_ledger.counts_sentence(counts)
    assert sentence == "3 claims: 1 holds, 2 hold in part, 0 fail."
    sentence = claims_ledger.counts_sentence(Counter({claims_ledger.NOT_JUDGED: 1}))
    assert sentence.endswith("1 is not judged yet.")


def test_picture_shows_the_effects_that_share_a_scale(catalog):
    effects = {
        "first_thing": {"measures": "m", "scale": "ratio"},
        "second": {"measures": "m", "scale": "ratio"},
        "other": {"measures": "m", "role": "also"},
    }
    effects["second"]["role"] = "also"
    criterion = {"holds": "first_thing.low > 0.5", "fails": "first_thing.high < 0.5"}
    content = load_claims(catalog(changed(effects=effects, criterion=criterion)))
    given = dict.fromkeys(effects, around(0.9))
    evidence = {"one-claim": judge("one-claim", **given).evidence()}
    scale = content.scales["ratio"]
    picture = claims_ledger.draw_effects(content, evidence, scale)
    assert "one-claim: first thing" in picture
    assert "one-claim: second" in picture
    assert "other" not in picture
    assert 'aria-label="Estimates with 95% intervals of 2 effects' in picture
    # follows the page's colors, and is the same in every build
    assert "currentColor" in picture
    assert claims_ledger._INK not in picture
    assert picture == claims_ledger.draw_effects(content, evidence, scale)
    # one effect alone shares its scale with none
    evidence["one-claim"]["effects"]["second"]["low"] = 0.0
    assert claims_ledger.draw_effects(content, evidence, scale) == ""


def test_a_verdict_on_the_edge_is_told():
    flips = claims_ledger._flips_text
    assert flips({"flips": 0.06}) == "6.0% (on the edge)"
    assert flips({"flips": 0.05}) == "5.0%"
    assert flips({"flips": 0}) == "0%"
    assert flips({"flips": None}) == flips(None) == "–"


def test_effects_of_several_tables_are_taken_apart(catalog):
    effects = {name: {"measures": "a thing"} for name in ("x_a", "x_b", "y")}
    criterion = {"holds": "x_a.low > 9 and x_b.low > 9", "fails": "y.high < 0"}
    catalog(changed(effects=effects, criterion=criterion))
    runs = pd.MultiIndex.from_product(
        [["one", "two"], range(20)], names=["data", "seed"]
    )
    x = pd.Series(np.arange(40.0), runs)
    y = x.loc["one"] * 2
    tables = {"a": "one", "b": "two"}
    judgment = judge("one-claim", tables=tables, x=x, y=y)
    by_hand = judge("one-claim", x_a=x.loc["one"], x_b=x.loc["two"], y=y)
    assert judgment.evidence() == by_hand.evidence()
    with pytest.raises(ValueError, match="x was not measured on 'three'; its tables"):
        judge("one-claim", tables={"a": "three"}, x=x, y=y)

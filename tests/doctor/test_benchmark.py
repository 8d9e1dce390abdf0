"""The benchmark's counting, its parts, and the table that the page shows."""

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2] / "benchmarks" / "doctor"
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import rivals  # noqa: E402
import scoring  # noqa: E402
from remedies import REMEDIES  # noqa: E402

from nnperf_utils.doctor import CAUSES  # noqa: E402


def case(cause=None, *accepted, structural=False):
    return cases.Case("a case", "fresh", cause, accepted, {}, None, structural)


def test_wilson():
    # the score interval of 8 of 10, worked out by hand from its formula
    assert scoring.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert scoring.wilson(0, 0) == (0.0, 1.0)


def test_what_is_counted():
    said = [
        scoring.Said(case("overfitting"), ["overfitting"]),
        scoring.Said(
            case("oscillation", "learning_rate_too_high"),
            ["wrong_loss", "learning_rate_too_high"],
        ),
        scoring.Said(case("underfitting"), []),
        scoring.Said(case(), []),
        scoring.Said(case(), ["overfitting"]),
    ]
    hits = {k: (v["hits"], v["of"]) for k, v in scoring.tally(said).items()}
    assert hits["found"] == (2, 3)
    assert hits["false alarms"] == (1, 2)
    assert hits["first"] == (1, 3)
    assert hits["first or second"] == (2, 3)
    assert scoring.confusions(said)["healthy"] == {"nothing": 1, "overfitting": 1}


@pytest.mark.parametrize(
    ("of", "score", "twin", "is_sound"),
    [
        (case("overfitting"), 0.7, 0.9, True),
        (case("overfitting"), 0.85, 0.9, False),
        (case("data_leakage", structural=True), 0.99, 0.9, True),
        (case(), 0.9, None, True),
        (case(), 0.4, None, False),
    ],
)
def test_what_is_a_fault_and_what_is_healthy(of, score, twin, is_sound):
    assert scoring.sound(of, score, twin, {"reference": 0.8}) == is_sound


def test_every_cause_is_planted_and_has_a_remedy():
    assert set(cases.FAULTS) == set(REMEDIES) == set(CAUSES)


def test_the_parts_share_no_training():
    specs = {
        part: {json.dumps(one.spec, sort_keys=True) for one in cases.cases(part)}
        for part in cases.PARTS
    }
    for part, others in specs.items():
        for other, theirs in specs.items():
            assert part == other or not others & theirs
    for part in cases.PARTS:
        assert {c.cause for c in cases.cases(part)} == {None, *CAUSES}


def test_rivals():
    nothing = {"accuracy_last": 0.9, "start_gradient_ratio": 1.0}
    assert rivals.autotrainer(nothing, []) == []
    vanished = {"accuracy_last": 0.1, "start_gradient_ratio": 1e-5}
    vanished["end_gradient_ratio"] = 1e-4
    assert "vanishing_gradients" in rivals.autotrainer(vanished, [])
    logs = [{"loss": 0.1, "val_loss": 0.5}]
    assert rivals.sagemaker({"imbalance": 12}, logs) == [
        "overfitting",
        "class_imbalance",
    ]


def test_the_table_on_file():
    results = json.loads((HERE / "results.json").read_text("utf-8"))
    assert set(results["parts"]) == set(cases.PARTS)
    for figures in results["parts"].values():
        for row in figures["doctor"].values():
            low, high = row["interval"]
            assert low - 1e-9 <= row["share"] <= high + 1e-9
            assert row["interval"] == pytest.approx(
                scoring.wilson(row["hits"], row["of"])
            )


def test_networks_of_others():
    sys.path.insert(0, str(HERE / "by_others"))
    import others

    record = json.loads((HERE / "others.json").read_text("utf-8"))
    for name in others.SETS:
        trainings = others.trainings(name)
        named = {one.name for one in trainings}
        for one in trainings:
            assert {one.cause, *one.accepted} <= {None, *CAUSES}, one.name
            assert one.twin is None or one.twin in named, one.name
        figures = record["sets"][name]
        assert figures["faulty"] == sum(bool(one.cause) for one in trainings)
        assert figures["healthy"] == sum(not one.cause for one in trainings)


def test_what_a_source_feeds_is_read_as_rows():
    import numpy as np
    import others
    import tensorflow as tf

    x, y = np.arange(90.0).reshape(30, 3), np.arange(30)
    fed = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    (one, other), validation = others.rows({"x": fed, "validation_data": fed.take(1)})
    np.testing.assert_array_equal(one, x)
    np.testing.assert_array_equal(other, y)
    assert len(validation[1]) == 8
    assert others.rows({"x": x, "y": y}) == ((x, y), None)


# what the first scoring of networks of others got wrong, a quick training of each kind
MENDED = [
    "claims_poisson_offset",
    "scorecard_without_hidden_layer",
    "defects_weighted",
    "straight_line_is_right",
    "echo_state_memory",
    "copied_before_split",
    "wine_split_of_sorted_rows",
    "letters_schedule_dies",
    "sign_of_product_linear",
    "book_ratings_from_zero",
]


@pytest.mark.parametrize("name", MENDED)
def test_what_others_showed_stays_mended(name):
    sys.path.insert(0, str(HERE / "by_others"))
    import others
    import run

    every = {t.name: t for chosen in others.SETS for t in others.trainings(chosen)}
    one = every[name]
    said = run.named(others.looked_at(one))
    if one.cause is None:
        assert said == []
    else:
        assert said[0] in {one.cause, *one.accepted}

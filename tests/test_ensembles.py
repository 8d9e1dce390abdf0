"""Ensembles: scores whose values are known, and intervals that hold the truth."""

import itertools

import numpy as np
import pandas as pd
import pytest

from nnperf_utils import ensembles, statistics
from nnperf_utils.ensembles import Ensemble

RNG = np.random.default_rng(0)
RAW = RNG.random((6, 40, 3))
SHARES = RAW / RAW.sum(-1, keepdims=True)
CLASSES = RNG.integers(3, size=40)


def test_scores_of_known_predictions():
    predictions = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]])
    y = np.array([0, 1, 1])
    assert ensembles.accuracy(predictions, y) == pytest.approx(2 / 3)
    assert ensembles.log_loss(predictions, y) == pytest.approx(
        -np.log([0.8, 0.6, 0.3]).mean()
    )
    assert ensembles.squared_error(predictions, y) == pytest.approx(
        2 * np.mean([0.04, 0.16, 0.49])
    )


def test_labels_may_be_shares():
    columns = np.eye(3)[CLASSES]
    for name, score in ensembles.SCORES.items():
        assert score(SHARES[0], CLASSES) == pytest.approx(score(SHARES[0], columns)), (
            name
        )


def test_a_class_that_was_ruled_out_costs_a_finite_loss():
    assert ensembles.log_loss(np.array([[1.0, 0.0]]), np.array([1])) < 20


def test_calibration_is_the_distance_of_confidence_from_accuracy():
    always = np.tile([0.9, 0.1], (10, 1))
    y = np.array([0] * 6 + [1] * 4)
    assert ensembles.calibration_error(always, y) == pytest.approx(0.3)
    # Two bins, off by 0.1 and by 0.2 in opposite directions, do not cancel.
    other = np.concatenate([np.tile([0.9, 0.1], (10, 1)), np.tile([0.6, 0.4], (10, 1))])
    y = np.array([0] * 8 + [1] * 2 + [0] * 8 + [1] * 2)
    assert ensembles.calibration_error(other, y) == pytest.approx(0.15)


def test_a_calibrated_network_has_next_to_no_calibration_error():
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.5, 1, 200_000)
    y = (rng.random(200_000) > sure).astype(int)
    assert ensembles.calibration_error(np.stack([sure, 1 - sure], -1), y) < 0.006


def test_scores_are_of_each_of_several_ensembles():
    stacked = ensembles.calibration_error(SHARES, CLASSES)
    assert stacked == pytest.approx(
        [ensembles.calibration_error(one, CLASSES) for one in SHARES]
    )


@pytest.mark.parametrize("y", [CLASSES, np.eye(3)[CLASSES]])
def test_the_squared_error_is_the_members_less_the_ambiguity(y):
    found = ensembles.decomposition(SHARES, y)
    assert found.error == pytest.approx(found.members - found.ambiguity, abs=1e-15)
    assert found.error == pytest.approx(ensembles.squared_error(SHARES.mean(0), y))


def test_like_members_have_no_ambiguity():
    found = ensembles.decomposition(np.repeat(SHARES[:1], 5, axis=0), CLASSES)
    assert found.ambiguity < 1e-30
    assert found.error == pytest.approx(found.members)


def test_quantities_take_the_decomposition_too():
    found = ensembles.decomposition([[[1.0]], [[3.0]]], np.array([2.0]))
    assert found == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_score_by_size_is_the_mean_over_all_such_ensembles(size):
    ensemble = Ensemble(SHARES)
    each = [
        ensembles.log_loss(SHARES[list(chosen)].mean(0), CLASSES)
        for chosen in itertools.combinations(range(6), size)
    ]
    scores = ensemble.scores(CLASSES, size, "log_loss")
    assert scores.mean() == pytest.approx(np.mean(each))
    assert scores.index.name == "seed"


def test_the_scores_of_single_members_are_their_own():
    own = Ensemble(SHARES).scores(CLASSES, 1)
    assert own.to_numpy() == pytest.approx(ensembles.accuracy(SHARES, CLASSES))


def test_on_splits_a_score_is_the_mean_on_each():
    members = pd.DataFrame({"split": [0, 0, 0, 1, 1, 1], "seed": range(6)})
    scores = Ensemble(SHARES, members).scores(CLASSES, 3)
    assert scores.index.name == "split"
    assert scores[1] == pytest.approx(ensembles.accuracy(SHARES[3:].mean(0), CLASSES))


def test_one_member_on_each_split_is_drawn_as_a_member():
    members = pd.DataFrame({"split": range(6), "seed": range(6)})
    assert len(Ensemble(SHARES, members).scores(CLASSES, 2)) == 6


def test_many_ensembles_are_drawn_with_each_member_in_as_many():
    subsets = ensembles._subsets(20, 5)
    assert len(subsets) >= 1_000
    assert (np.bincount(subsets.ravel()) == len(subsets) * 5 / 20).all()
    assert all(len(set(row)) == 5 for row in subsets.tolist())


def test_an_interval_of_ensembles_holds_the_truth_as_often_as_it_says():
    # Predictions of one number, drawn around the truth: an ensemble of m has a squared
    # error of 1 / m in the mean, over examples and members.
    rng, held = np.random.default_rng(3), 0
    for _ in range(200):
        noise = rng.normal(size=(20, 4, 1))
        scores = Ensemble(noise).scores(np.zeros((4, 1)), 5, "squared_error")
        found = statistics.estimate(scores)
        held += found.low <= 1 / 5 <= found.high
    assert 178 <= held <= 200  # 190, give or take; rather too wide than too narrow


def test_disagreement_is_the_mean_over_all_pairs():
    ensemble = Ensemble(SHARES)
    classes = SHARES.argmax(-1)
    pairs = [
        (classes[i] != classes[j]).mean()
        for i, j in itertools.combinations(range(6), 2)
    ]
    assert ensemble.disagreement().mean() == pytest.approx(np.mean(pairs))
    assert (np.diag(ensemble.disagreements()) == 0).all()


def test_teams_predict_their_mean():
    one, other = Ensemble(SHARES[:3]), Ensemble(SHARES[3:])
    team = one.teamed(other)
    assert team.predictions == pytest.approx((SHARES[:3] + SHARES[3:]) / 2)
    assert len(team) == 3
    # what both are told apart by decides, whether one was trained on splits or not
    on_splits = Ensemble(
        SHARES[:3], pd.DataFrame({"split": range(3), "seed": range(3)})
    )
    assert len(on_splits.teamed(other)) == 3
    with pytest.raises(ValueError, match="other members' labels"):
        one.teamed(Ensemble(SHARES))


def test_tables_hold_what_the_scores_are():
    ensemble = Ensemble(SHARES)
    frame = ensembles.by_size(ensemble, CLASSES, [1, 3], "log_loss")
    assert list(frame) == ["members", "seed", "value"]
    three = frame.query("members == 3").set_index("seed")["value"]
    expected = ensemble.scores(CLASSES, 3, "log_loss")
    assert three.to_numpy() == pytest.approx(expected.to_numpy())
    table = ensembles.score_table({"two": (ensemble, 2)}, CLASSES)
    assert table.loc["two", "accuracy"] == ensemble.scores(CLASSES, 2).mean()
    assert list(table) == list(ensembles.SCORES)
    gain = ensembles.gains(ensemble, CLASSES, 3)
    both = ensemble.scores(CLASSES, 3) - ensemble.scores(CLASSES, 1)
    pd.testing.assert_series_equal(gain, both)


def test_members_of_different_kinds_are_compared_in_their_order():
    one, other = Ensemble(SHARES[:3]), Ensemble(SHARES[3:])
    found = ensembles.pairwise_disagreement([one, other])
    classes = SHARES.argmax(-1)
    assert found.to_list() == [(classes[i] != classes[i + 3]).mean() for i in range(3)]


def test_kinds_are_compared_with_the_first():
    same, other = Ensemble(SHARES), Ensemble(SHARES[::-1])
    three = [same, other, same]
    found = ensembles.kinds_against({"a": same, "b": other}, three, CLASSES)
    assert list(found) == ["b", "teams"]
    assert found["b"]["gain"].mean() == pytest.approx(0, abs=1e-12)
    teams = (2 * SHARES + SHARES[::-1]) / 3
    together = ensembles.accuracy(teams, CLASSES)
    expected = together - same.scores(CLASSES, 3)
    np.testing.assert_allclose(found["teams"]["together"], expected)
    alone = (2 * same.scores(CLASSES, 1) + other.scores(CLASSES, 1)) / 3
    gain = together - alone - ensembles.gains(same, CLASSES, 3)
    np.testing.assert_allclose(found["teams"]["gain"], gain)


def test_all_together():
    ensemble = Ensemble(SHARES)
    assert ensemble.mean == pytest.approx(SHARES.mean(0))
    assert repr(ensemble) == "<Ensemble: 6 members, 40 examples>"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ensemble(SHARES[0]), "predictions have shape"),
        (lambda: Ensemble(SHARES, pd.DataFrame({"seed": [1]})), "1 rows for 6"),
        (lambda: Ensemble(SHARES, pd.DataFrame({"a": range(6)})), "has the columns a"),
        (lambda: Ensemble(SHARES).scores(CLASSES, 0), "size is 0"),
        (lambda: Ensemble(SHARES).scores(CLASSES, 6), "size is 6, but there are 6"),
        (lambda: Ensemble(SHARES[:1]).scores(CLASSES, 1), "expected 2 or more"),
        (lambda: Ensemble(SHARES).scores(CLASSES, 2, "f1"), "score is 'f1'"),
        (
            lambda: Ensemble(
                SHARES, pd.DataFrame({"split": [0, 0, 0, 0, 1, 1]})
            ).scores(CLASSES, 3),
            "split 1 has 2 members",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).endswith(".")

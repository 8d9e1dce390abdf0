"""Softened predictions and smoothed labels, against what a softmax gives."""

import numpy as np
import pytest

from nnperf_utils.distillation import cooled, smoothed, softened
from nnperf_utils.ensembles import Ensemble, log_loss

LOGITS = np.random.default_rng(0).normal(0, 3, (7, 5))


def softmax(logits):
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1, 4, 100])
def test_softened_is_the_softmax_of_divided_logits(temperature):
    expected = softmax(LOGITS / temperature)
    assert softened(softmax(LOGITS), temperature) == pytest.approx(expected)


def test_the_likeliest_class_stays_and_all_become_more_even():
    shares = softmax(LOGITS)
    soft = softened(shares, 3)
    np.testing.assert_array_equal(soft.argmax(-1), shares.argmax(-1))
    assert (soft.max(-1) < shares.max(-1)).all()


def test_a_share_of_zero_stays_finite_and_the_type_is_kept():
    soft = softened(np.array([[1, 0, 0]], np.float32), 2)
    assert soft.dtype == np.float32
    assert np.isfinite(soft).all()
    assert soft.sum() == pytest.approx(1)


def test_smoothed_labels_are_those_of_keras():
    labels = np.eye(4)[[2, 0]]
    np.testing.assert_allclose(
        smoothed(labels, 0.2), [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]]
    )
    np.testing.assert_array_equal(smoothed(labels, 0), labels)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="temperature is 0"):
        softened(softmax(LOGITS), 0)
    with pytest.raises(ValueError, match="amount is 2"):
        smoothed(np.eye(2), 2)


def test_cooling_finds_the_temperature_and_changes_no_answer():
    rng = np.random.default_rng(1)
    shares = softmax(rng.normal(0, 1, (2, 4000, 3)))
    y = np.array([rng.choice(3, p=p) for p in shares[0]])
    sure = np.stack([softened(shares[0], 0.25), shares[0]])
    found = cooled(Ensemble(sure), sure, y)
    np.testing.assert_array_equal(found.predictions.argmax(-1), sure.argmax(-1))
    assert log_loss(found.predictions[0], y) == pytest.approx(
        log_loss(shares[0], y), abs=1e-3
    )
    np.testing.assert_allclose(found.predictions[1], shares[0], atol=0.06)

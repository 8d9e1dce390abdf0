"""The clinic's patients and their twins."""

import numpy as np
import pytest

from nnperf_utils import clinic


@pytest.mark.parametrize("number", clinic.PATIENTS)
def test_a_patient_and_its_twin_have_the_same_task(number):
    ill, well = clinic.patient(number), clinic.patient(number, healthy=True)
    assert ill.train[0].shape == well.train[0].shape
    assert np.array_equal(ill.train[1], well.train[1])
    assert np.array_equal(ill.test[1], well.test[1])
    one, other = ill.build(), well.build()
    assert one.output_shape == other.output_shape
    assert one.compiled and other.compiled


@pytest.mark.parametrize("number", clinic.PATIENTS)
def test_nothing_that_a_patient_shows_names_its_cause(number):
    shown = repr(clinic.patient(number)) + clinic.patient(number).complaint
    truth = clinic.truth(number)
    words = clinic.CHOICES[truth.cause]
    assert truth.cause not in shown and words not in shown
    assert truth.is_named_by(["overfitting", truth.cause])
    assert not truth.is_named_by([])


def test_the_same_seed_draws_the_same_patient():
    one, other = clinic.patient(1, seed=3), clinic.patient(1, seed=3)
    assert np.array_equal(one.train[0], other.train[0])
    assert not np.array_equal(one.train[0], clinic.patient(1, seed=4).train[0])


def test_scores_of_known_answers():
    one = clinic.patient(1)

    def knows(x, training):
        return (np.floor(x + 1.5).sum(axis=1) % 2)[:, None]

    assert one.score(knows) == 1
    heights = clinic.patient(3)

    def constant(x, training):
        return np.full((len(x), 1), heights.test[1].mean())

    assert heights.score(constant) == pytest.approx(0, abs=1e-6)
    assert heights.score(lambda x, training: constant(x, training) * np.nan) == 0


def test_there_are_ten():
    with pytest.raises(ValueError, match="the patients 1 to 10"):
        clinic.patient(11)
    with pytest.raises(ValueError, match="number is 0"):
        clinic.truth(0)

"""What the doctor makes of rows alone: copies, kinds of targets, what can be learnt."""

import numpy as np
import pytest

from nnperf_utils.doctor.data import (
    as_judged,
    describe_target,
    duplicates,
    near_copies,
)
from nnperf_utils.doctor.reference import reference, skill, surplus


def drawn(count, columns, seed=0):
    return np.random.default_rng(seed).standard_normal((count, columns))


# --- copies --------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [4, 12, 60])
def test_rows_that_chance_brings_near_are_no_copies(columns):
    rows = drawn(1000, columns).astype("float32")
    assert near_copies(rows[:700], rows[700:]) < 0.05
    assert duplicates(rows[:700], rows[700:]) == 0


def test_clusters_and_smooth_families_are_no_copies():
    rng = np.random.default_rng(1)
    centres = 5 * rng.standard_normal((4, 10))
    spread = np.array([0.1, 0.5, 1, 2])
    kind = rng.integers(0, 4, 1200)
    rows = centres[kind] + spread[kind, None] * rng.standard_normal((1200, 10))
    assert near_copies(rows[:900], rows[900:]) < 0.05
    # spectra of a family with three parameters, and no noise
    place, width, height = rng.uniform(0.2, 1, (3, 1200, 1))
    line = np.linspace(0, 1, 50)
    rows = height * np.exp(-(((line - place) / (0.1 + 0.2 * width)) ** 2))
    assert near_copies(rows[:900], rows[900:]) < 0.1


def test_copies_are_found_even_where_training_rows_are_copies_too():
    rows = drawn(150, 8)
    copied = rows[np.random.default_rng(2).integers(0, 150, 1000)]
    assert duplicates(copied[:750], copied[750:]) > 0.9
    changed = copied + 0.02 * drawn(1000, 8, 3)
    assert duplicates(changed[:750], changed[750:]) == 0
    assert near_copies(changed[:750], changed[750:]) > 0.7


def test_rows_of_few_values_are_no_copies():
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 2, (1000, 8)).astype("float32")
    assert duplicates(rows[:750], rows[750:]) < 0.05
    assert near_copies(rows[:750], rows[750:]) == 0
    assert near_copies(drawn(80, 8), drawn(40, 8, 1)) == 0  # too few to tell


# --- targets -------------------------------------------------------------------------


def test_counts_are_no_classes_to_a_poisson_loss():
    counts = np.random.default_rng(0).poisson(1.5, 500)
    target = describe_target(counts)
    assert target.kind == "multiclass"
    assert as_judged(target, counts, "poisson", "exponential").kind == "regression"
    assert as_judged(target, counts, "mean_squared_error", "linear") is target


def test_a_class_at_each_place():
    places = np.random.default_rng(0).integers(0, 5, (100, 12))
    target = describe_target(places)
    judged = as_judged(target, places, "sparse_categorical_crossentropy", "softmax")
    assert judged.kind == "sequence"
    assert list(judged.values) == [0, 1, 2, 3, 4]
    one_hot = np.eye(5)[places[:, 0]]
    target = describe_target(one_hot)
    judged = as_judged(target, one_hot, "sparse_categorical_crossentropy", "softmax")
    assert judged is target  # a fault, and left one


# --- what can be learned -------------------------------------------------------------


def test_even_counts_all_classes_alike():
    truth = np.repeat([0, 1], [95, 5])
    always = np.zeros(100, int)
    assert skill(truth, always, "binary") == 0
    assert skill(truth, always, "binary", even=True) == 0
    alarms = np.concatenate([np.repeat([0, 1], [76, 19]), [1, 1, 1, 1, 0]])
    assert skill(truth, alarms, "binary") < 0  # more wrong answers than by "never"
    assert skill(truth, alarms, "binary", even=True) == pytest.approx(0.6)


def test_affine_forgives_a_quantile():
    truth = drawn(400, 1)
    above = truth + 1.3
    assert skill(truth, above, "regression") < 0
    assert skill(truth, above, "regression", affine=True) == pytest.approx(1)


def test_a_pixel_that_is_hardly_lit_does_not_count():
    truth = drawn(300, 6)
    truth[:, 5] *= 1e-6
    answers = truth + 0.1 * drawn(300, 6, 1)
    assert skill(truth, answers, "regression") == pytest.approx(0.99, abs=0.01)


def test_surplus_of_nothing_and_of_little():
    rng = np.random.default_rng(0)
    found = [
        surplus(rng.integers(0, 2, 400), rng.random((400, 2)), "binary")
        for _ in range(200)
    ]
    assert np.mean(np.array(found) > 3) < 0.02  # the larger of two
    truth = rng.integers(0, 2, 2000)
    hint = 0.3 * truth + rng.standard_normal(2000)
    assert surplus(truth, np.stack([-hint, hint], axis=1), "binary") > 4.5
    assert surplus(hint, hint + 5 * rng.standard_normal(2000), "regression") > 4.5


def test_rare_and_noisy_is_told_from_nothing_to_learn():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3000, 6))
    rare = (rng.random(3000) < 1 / (1 + np.exp(4 - 1.2 * x[:, 0]))).astype(int)
    shuffled = rng.permutation(rare)
    for y, learnable in ((rare, True), (shuffled, False)):
        found = reference((x[:2000], y[:2000]), (x[2000:], y[2000:]), "binary")
        assert found.within < 0.12  # by answers that are right, there is nothing
        assert (found.surplus > 4.5) == learnable

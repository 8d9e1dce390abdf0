"""The exercises on overfitting, against right and wrong answers."""

import keras
import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import overfitting as exercises


@pytest.mark.parametrize(
    "exercise", [exercises.stop, exercises.l1_step, exercises.weight_decay]
)
def test_starter_is_not_attempted(exercise):
    starter = [...] * len(exercise.answers)
    assert says(exercise.judge(*starter), "not attempted", "`...`")


@pytest.mark.parametrize(
    ("exercise", "answers"),
    [
        (exercises.stop, [3]),
        (exercises.stop, [lambda w, g, eta, alpha: w]),
        (exercises.l1_step, [lambda losses, patience: (1, 1)]),
        (exercises.l1_step, ["soft thresholding"]),
        (exercises.weight_decay, [lambda losses, patience: (1, 1), 0.1]),
        (exercises.weight_decay, [[0.1, 0.2], 0.1]),
        (exercises.weight_decay, [{}, 0.1]),
        (exercises.weight_decay, [{"much": [0.4, 0.5, 0.6]}, 0.1]),
        (exercises.weight_decay, [{0.1: "low"}, 0.1]),
    ],
)
def test_answer_of_a_wrong_kind_gets_a_reason(exercise, answers):
    outcome = exercise.judge(*answers)
    assert says(outcome, "not yet")
    assert "cannot make use of it" not in outcome.message, outcome


# --------------------------------------------------------------------------------------
# 1  Early stopping by hand
# --------------------------------------------------------------------------------------


def test_stop_agrees_with_keras():
    cases = exercises._losses_to_try()
    assert {patience for _, patience in cases} >= {0, 1, 2, 3, 5}
    solution = {}
    exec(exercises.stop.source, solution)
    for losses, patience in cases:
        callback = keras.callbacks.EarlyStopping(patience=patience)
        model = type("Trainee", (), {"stop_training": False})()
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": float(loss)})
            if model.stop_training:
                break
        by_keras = (epoch + 1, callback.best_epoch + 1)
        assert exercises._stop(losses, patience) == by_keras
        assert solution["stop"](losses, patience) == by_keras


def stop_by_slices(losses, patience):
    """Another right way: look back from each epoch."""
    for epoch in range(1, len(losses) + 1):
        best = int(np.argmin(losses[:epoch])) + 1
        if epoch - best >= max(patience, 1):
            break
    return [epoch, best]


def keeps_last(losses, patience):
    stopped, _ = stop_by_slices(losses, patience)
    return stopped, stopped


def from_zero(losses, patience):
    stopped, best = stop_by_slices(losses, patience)
    return stopped - 1, best - 1


def too_late(losses, patience):
    return tuple(stop_by_slices(losses, patience + 1))


def swapped(losses, patience):
    return stop_by_slices(losses, patience)[::-1]


def foresees(losses, patience):
    return stop_by_slices(losses, patience)[0], int(np.argmin(losses)) + 1


def never_at_the_end(losses, patience):
    stopped, best = stop_by_slices(losses, patience)
    return (stopped, best) if stopped < len(losses) else None


def returns_losses(losses, patience):
    return min(losses), losses[-1]


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (keeps_last, "lowest loss up to then"),
        (from_zero, "count from 0"),
        (too_late, "one epoch too late"),
        (swapped, "other order"),
        (foresees, "after the stop"),
        (exercises._without_reset, "in a row"),
        (exercises._against_previous, "lowest loss so far"),
        (exercises._at_equality, "patience of 0"),
        (never_at_the_end, "after the loop"),
        (returns_losses, "whole numbers"),
        (lambda losses, patience: 3, "two epochs"),
        (lambda losses, patience: "soon", "two epochs"),
        (lambda losses, patience: (1, 1), "right answer is"),
    ],
)
def test_wrong_stop(answer, part):
    assert says(exercises.stop.judge(answer), "not yet", part)


def test_other_right_stop():
    assert says(exercises.stop.judge(stop_by_slices), "correct")


# --------------------------------------------------------------------------------------
# 2  An L1 step with real zeros
# --------------------------------------------------------------------------------------


def by_cases(w, g, eta, alpha):
    """Another right way."""
    u, d = w - eta * g, eta * alpha
    return np.where(u > d, u - d, np.where(u < -d, u + d, 0.0))


def nearly_zero(w, g, eta, alpha):
    new = by_cases(w, g, eta, alpha)
    return np.where(new == 0, 1e-9, new)


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (0, "Keras takes"),
        (1, "order is right"),
        (2, "L2's way"),
        (3, "L2's way"),
        (4, "before the gradient step"),
        (5, "eta × alpha long"),
        (6, "negative weights"),
        (7, "large ones do not move"),
        (8, "old weight"),
    ],
)
def test_typical_wrong_l1_step(number, part):
    wrong = exercises._WRONG_STEPS[number][0]
    assert says(exercises.l1_step.judge(wrong), "not yet", part)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (nearly_zero, "exactly 0"),
        (lambda w, g, eta, alpha: 0.0, "one new weight for each"),
        (lambda w, g, eta, alpha: w, "should be"),
        (lambda w, g, eta, alpha: w / 0, "finite"),
        (lambda w, g, eta, alpha: print(end=""), "returns nothing"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_other_wrong_l1_step(answer, part):
    assert says(exercises.l1_step.judge(answer), "not yet", part)


def test_other_right_l1_step():
    assert says(exercises.l1_step.judge(by_cases), "correct")


# --------------------------------------------------------------------------------------
# 3  Weight decay, tuned
# --------------------------------------------------------------------------------------

VALLEY = {
    0.1: [0.50, 0.52, 0.51],
    1: [0.47, 0.46, 0.48],
    10: [0.44, 0.45, 0.43],
    100: [0.60, 0.61, 0.62],
}


def test_valley_is_correct_in_any_order():
    assert says(exercises.weight_decay.judge(VALLEY, 10), "correct", "around 10")
    turned = {key: np.array(VALLEY[key]) for key in reversed(VALLEY)}
    assert says(exercises.weight_decay.judge(turned, 10.0), "correct")


@pytest.mark.parametrize(
    ("losses", "best", "part"),
    [
        (VALLEY, 100, "highest mean loss"),
        (VALLEY, 1, "mean loss of 0.470"),
        (VALLEY, 3, "not among"),
        (VALLEY, "ten", "`best_decay`"),
        (VALLEY | {1000: [0.4, 0.41, 0.42]}, 1000, "largest"),
        (VALLEY | {0.01: [0.4, 0.41, 0.42]}, 0.01, "smallest"),
        ({k: VALLEY[k] for k in (0.1, 10, 100)}, 10, "at least 4"),
        (VALLEY | {1: [0.47]}, 10, "at least 3 seeds"),
        (VALLEY | {1: [0.47, np.nan, 0.5]}, 10, "not a number"),
        (VALLEY | {1: [0.47, 0.47, 0.47]}, 10, "different seeds"),
        (VALLEY | {-1: [0.47, 0.46, 0.45]}, 10, "no weight decay"),
        ({key: [0.5, 0.4, 0.6] for key in VALLEY}, 10, "reach the optimizer"),
    ],
)
def test_wrong_weight_decay(losses, best, part):
    assert says(exercises.weight_decay.judge(losses, best), "not yet", part)

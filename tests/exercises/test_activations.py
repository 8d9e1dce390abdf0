"""The exercises on activations, against right and wrong answers."""

import keras
import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.exercises import activations as exercises
from nnperf_utils.exercises.activations import _data
from nnperf_utils.models import mlp


def test_another_right_way_to_count():
    def one_by_one(outputs):
        return sum(max(column) <= 0 for column in outputs.T) / outputs.shape[1]

    assert says(exercises.dead_share.judge(one_by_one), "correct", "training examples")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda h: (h <= 0).mean(), "share of zeros"),
        (lambda h: (h <= 0).any(axis=0).mean(), "healthy ones"),
        (lambda h: (h <= 0).all(axis=1).mean(), "wrong axis"),
        (lambda h: (h <= 0).all(axis=0).sum(), "A share is a mean"),
        (lambda h: (h > 0).any(axis=0).mean(), "those that live"),
        (lambda h: (h.mean(axis=0) < 0.01).mean(), "small mean"),
        (lambda h: 0.3, "right answer is 0.25"),
        (lambda h: (h <= 0).all(axis=0), "returns 4 numbers"),
        (0.25, "a function of `outputs`"),
    ],
)
def test_wrong_counts(wrong, message):
    assert says(exercises.dead_share.judge(wrong), "not yet", message)


def test_another_right_way_in_the_box():
    def by_the_best_input(weights, bias):
        return not (weights @ (weights > 0) + bias > 0)

    judged = exercises.dead_in_the_box.judge(by_the_best_input)
    assert says(judged, "correct", "no new data")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda w, b: b <= 0, "the bias alone"),
        (lambda w, b: b + w.sum() <= 0, "all inputs to 1"),
        (lambda w, b: b + np.abs(w).sum() <= 0, "below 0"),
        (lambda w, b: b + w.max() <= 0, "one input alone"),
        (lambda w, b: b + w[w > 0].sum() > 0, "can be on"),
        (lambda w, b: True, "the largest sum is"),
        (lambda w, b: b + w, "true or false"),
        (lambda w: True, "takes `(w)`"),
    ],
)
def test_wrong_in_the_box(wrong, message):
    assert says(exercises.dead_in_the_box.judge(wrong), "not yet", message)


def network(activation="relu", rate=1.0, units=32, optimizer="sgd"):
    return mlp(
        _data(),
        hidden_layers=2,
        units=units,
        activation=activation,
        kernel_initializer="he_normal",
        optimizer=optimizer,
        learning_rate=rate,
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (network, "off for every example"),
        (lambda: network(rate=0.3), "learning rate is 0.3"),
        (lambda: network(optimizer="adam"), "leave plain SGD"),
        (lambda: network(units=64), "leave 32, 32 and 10"),
        (network(), "a function"),
    ],
)
def test_not_saved(build, message):
    judged = exercises.save_the_units.judge(build)
    assert says(judged, "not yet", message)


def test_a_steep_leak_saves_them():
    build = lambda: network(keras.layers.LeakyReLU(negative_slope=0.2))  # noqa: E731
    assert says(exercises.save_the_units.judge(build), "correct", "at a rate of 0.3")

"""The exercises on a network that does not learn, against right and wrong answers."""

import keras
import numpy as np
import pytest
from exercise_answers import says
from keras import layers

from nnperf_utils.exercises import monitoring as exercises

# --------------------------------------------------------------------------------------
# 2  constant_loss
# --------------------------------------------------------------------------------------


def by_keras(labels):
    shares = np.bincount(labels) / len(labels)
    rows = np.tile(shares.astype("float32"), (len(labels), 1))
    return np.mean(keras.losses.sparse_categorical_crossentropy(labels, rows))


def shares_of(labels):
    shares = np.bincount(labels) / len(labels)
    return shares[shares > 0]


def right(labels):
    return -(shares_of(labels) * np.log(shares_of(labels))).sum()


def test_constant_loss_another_right_way():
    assert says(exercises.constant_loss.judge(by_keras), "correct", "how frequent")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda labels: np.log(len(set(labels))), "ln K"),
        (lambda labels: -right(labels), "sign is turned"),
        (lambda labels: right(labels) / np.log(2), "in bits"),
        (lambda labels: -np.log(shares_of(labels)).mean(), "average over classes"),
        (lambda labels: -np.log(shares_of(labels).max()), "commonest class alone"),
        (lambda labels: 0.0, "the right number is 0.562"),
        (lambda labels: labels, "one number"),
        (lambda x, y: 1.0, "takes `(x, y)`"),
        (10, "a function of `labels`"),
    ],
)
def test_constant_loss_wrong(wrong, message):
    assert says(exercises.constant_loss.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3, 4  mend a patient
# --------------------------------------------------------------------------------------


def garments(depth=8, start="random_normal", compiled=True, shape=(14, 14, 1)):
    model = keras.Sequential([keras.Input(shape), layers.Flatten()])
    for _ in range(depth):
        model.add(layers.Dense(32, "relu", kernel_initializer=start))
    model.add(layers.Dense(10, "softmax"))
    if compiled:
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    return model


def words(masked):
    parts = [layers.Embedding(25, 8, mask_zero=masked), layers.SimpleRNN(16)]
    model = keras.Sequential([keras.Input((60,)), *parts, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")
    return model


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: garments(depth=2, start="he_normal"), "3 dense layers"),
        (lambda: garments(compiled=False), "not compiled"),
        (lambda: garments(shape=(196,)), "have the shape (14, 14, 1)"),
        (lambda: garments(), "its healthy twin in"),
        (lambda: "mended", "return the network"),
        (lambda depth: garments(depth), "takes `(depth)`"),
    ],
)
def test_mend_two_wrong(wrong, message):
    assert says(exercises.mend_two.judge(wrong), "not yet", message)


def test_mend_two_another_right_way():
    judged = exercises.mend_two.judge(lambda: garments(start="he_uniform"))
    assert says(judged, "correct", "Mended")


def test_mend_five():
    judged = exercises.mend_five.judge(lambda: words(masked=False))
    assert says(judged, "not yet", "its healthy twin in")
    assert says(exercises.mend_five.judge(lambda: words(True)), "correct", "padding")

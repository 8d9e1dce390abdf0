"""The function that chapter 01 gives its readers for their own networks."""

import json
import random
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

CHAPTER = Path(__file__).resolve().parents[1] / "chapters" / "01_first_network.ipynb"
X = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


@pytest.fixture(scope="module")
def first_checks():
    """Return the function as the chapter defines it, in two cells."""
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    sources = {c["id"]: "".join(c["source"]) for c in cells}
    names = {"np": np}
    exec(sources["own-put-back"] + "\n" + sources["own-lines"], names)
    return names["first_checks"]


def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def everything(model):
    """Return all that a model's training changes."""
    state = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [variable.numpy() for variable in state]


def random_states():
    # the seed and the counter of what TensorFlow draws on its own
    generator = tf.random.get_global_generator().state.numpy().tolist()
    numpy_state = np.random.get_state()
    return random.getstate(), numpy_state[1].tolist(), numpy_state[2], generator


@pytest.mark.parametrize("trained", [False, True])
def test_model_is_left_as_it_was(first_checks, trained):
    model = network()
    if trained:
        model.fit(X, Y, epochs=2, batch_size=16, verbose=0)
    model.optimizer.build(model.trainable_variables)
    before, states = everything(model), random_states()
    found = first_checks(model, X, Y)

    assert found["loss by heart"] < found["loss at the start"]
    assert random_states() == states
    # the metrics' variables come last, and into being with the first step
    now = everything(model)
    for was, one in zip(before, now, strict=trained):
        np.testing.assert_array_equal(was, one)
    assert not any(one.any() for one in now[len(before) :])


def test_training_afterwards_is_the_same(first_checks):
    checked, plain = network(), network()
    first_checks(checked, X, Y)
    histories = []
    for model in (checked, plain):
        keras.utils.set_random_seed(1)
        histories.append(model.fit(X, Y, epochs=2, batch_size=16, verbose=0).history)
    assert histories[0] == histories[1]
    for one, other in zip(everything(checked), everything(plain), strict=True):
        np.testing.assert_array_equal(one, other)


def test_model_is_put_back_where_training_fails(first_checks):
    model = network()
    before = model.get_weights()

    def train_on_batch(x, y):
        model.layers[0].kernel.assign_add(np.ones((8, 16)))
        raise InterruptedError

    model.train_on_batch = train_on_batch
    with pytest.raises(InterruptedError):
        first_checks(model, X, Y)
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)

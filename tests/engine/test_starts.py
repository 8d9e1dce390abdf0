"""A start that is drawn is the start that building the network gives, bit for bit."""

import random
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from nnperf_utils.datasets import load_diabetes
from nnperf_utils.engine import groups, starts
from nnperf_utils.models import mlp

DATA = load_diabetes()


def sequential(*hidden, shape=(8,)):
    """Return a compiled network with one output."""
    model = keras.Sequential(
        [keras.Input(shape), *hidden, layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    return model


def recurrent():
    return sequential(
        layers.LSTM(3, return_sequences=True), layers.GRU(2), shape=(8, 1)
    )


def convolutional():
    return sequential(
        layers.Conv2D(2, 3),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dropout(0.2),
        shape=(6, 6, 1),
    )


def embedded():
    return sequential(layers.Embedding(5, 2), layers.GlobalAveragePooling1D())


def with_own_seed():
    return sequential(
        layers.Dense(4, kernel_initializer=keras.initializers.HeNormal(3))
    )


def state_of(model):
    """Return a network's values by role."""
    return {
        "trainable": [v.numpy() for v in model.trainable_variables],
        "non_trainable": [v.numpy() for v in model.non_trainable_variables],
        "optimizer": [v.numpy() for v in model.optimizer.variables],
    }


def observed(build, seed):
    """Return what a recipe is made of and proved by."""
    with starts.preserved_random_state():
        model, recording = starts.recorded_build(build, seed)
        groups.complete(model, (np.zeros((1, *model.input_shape[1:])), None, None))
    return model, state_of(model), recording


def found_recipe(build, seeds=(0, 1), facts=(None, None)):
    """Return the recipe found on one seed, or None, and whether another proves it."""
    recipe = starts.Recipe.of(*observed(build, seeds[0]), facts[0])
    if recipe is None:
        return None, False
    return recipe, recipe.prove(*observed(build, seeds[1])[1:], facts[1])


@pytest.mark.parametrize(
    "build",
    [
        recurrent,
        convolutional,
        embedded,
        with_own_seed,
        partial(mlp, DATA, units=[8, 8], dropout=0.2, normalization="batch"),
        partial(mlp, DATA, hidden_layers=3, residual=True, optimizer="sgd"),
        partial(mlp, DATA, units=[8], kernel_initializer="orthogonal"),
    ],
    ids=["recurrent", "convolutional", "embedded", "own seed", "mlp", "residual", "qr"],
)
def test_a_drawn_start_is_that_of_a_fresh_session(build):
    recipe, is_proven = found_recipe(build)
    assert is_proven
    for seed in (2, 77):
        with starts.preserved_random_state():
            keras.utils.set_random_seed(seed)
            expected = state_of(build())
        for role, values in recipe.state(seed).items():
            for drawn, built in zip(values, expected[role], strict=True):
                np.testing.assert_array_equal(drawn, built)
                assert drawn.dtype == built.dtype


def changed(model, factor):
    """Return a network after its first weights were changed."""
    model.weights[0].assign(model.weights[0] * factor)
    return model


def drawn_by_numpy():
    return changed(sequential(layers.Dense(2)), np.random.normal())


def drawn_by_python():
    return changed(sequential(layers.Dense(2)), random.random())


def drawn_by_tensorflow():
    return changed(sequential(layers.Dense(2)), tf.random.normal(()))


def drawn_by_keras():
    return changed(sequential(layers.Dense(2)), keras.random.normal(()))


def seeded_within():
    keras.utils.set_random_seed(5)
    return sequential(layers.Dense(2))


def halved():
    return changed(sequential(layers.Dense(2)), 0.5)


@pytest.mark.parametrize(
    "build",
    [
        drawn_by_numpy,
        drawn_by_python,
        drawn_by_tensorflow,
        drawn_by_keras,
        seeded_within,
        halved,
    ],
)
def test_a_start_that_has_more_to_it_is_not_drawn(build):
    assert found_recipe(build)[1] is False


def test_one_seed_proves_nothing():
    assert found_recipe(recurrent, seeds=(4, 4))[1] is False


def test_other_facts_disprove():
    assert found_recipe(recurrent, facts=(0.1, 0.2))[1] is False


@pytest.mark.parametrize("build", [drawn_by_tensorflow, drawn_by_numpy, recurrent])
def test_building_again_starts_as_a_fresh_session_does(build):
    with starts.preserved_random_state():
        keras.utils.set_random_seed(3)
        expected = build().get_weights()
        for _ in range(2):
            again = starts.build_model(build, 3).get_weights()
            for one, other in zip(again, expected, strict=True):
                np.testing.assert_array_equal(one, other)

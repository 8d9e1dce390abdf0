"""Snapshots go on from where they stood; passes are a mean over masks."""

from functools import partial

import keras
import numpy as np
import pytest

from nnperf_utils import cheap_ensembles, little_data
from nnperf_utils.comparison import compare
from nnperf_utils.datasets import Dataset
from nnperf_utils.replicas import replicate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 40, 1)).astype("float32")
Y = np.arange(60) % 6
DATA = Dataset("own", (X[:36], Y[:36]), (X[36:], Y[36:]), None, "multiclass").one_hot()
HOW = {"epochs": 2, "batch_size": 12, "progress": False}


def test_a_cycle_begins_where_the_one_before_has_ended():
    build = partial(little_data.network, DATA, 0.01, updates=6)
    first, second = cheap_ensembles.snapshots(
        build, DATA, X[:9], cycles=2, seeds=[0, 4], **HOW
    )
    runs = replicate(build, DATA, seeds=[0, 4], **HOW)
    np.testing.assert_allclose(first.predictions, runs.predict(X[:9]), atol=1e-6)
    start = {1000 + seed: own for seed, own in runs.weights().items()}
    again = replicate(build, DATA, seeds=[1000, 1004], start=start, **HOW)
    np.testing.assert_allclose(second.predictions, again.predict(X[:9]), atol=1e-5)
    with pytest.raises(ValueError, match="seeds run to 1000"):
        cheap_ensembles.snapshots(build, DATA, X, cycles=1, seeds=[1000], **HOW)


def test_passes_are_a_mean_over_masks():
    keras.utils.set_random_seed(0)
    model = little_data.network(DATA, 0.01, updates=10, dropout=0.3)
    many = cheap_ensembles.passes(model, X[:6], 400)
    again = cheap_ensembles.passes(model, X[:6], 400)
    assert many.shape == (6, 6)
    np.testing.assert_allclose(many.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(many, again, atol=0.05)
    assert not np.array_equal(many, again)
    without = little_data.network(DATA, 0.01, updates=10)
    np.testing.assert_allclose(
        cheap_ensembles.passes(without, X[:6], 3), without(X[:6]), atol=1e-6
    )
    with pytest.raises(ValueError, match="times is 0"):
        cheap_ensembles.passes(model, X, 0)


def test_each_network_answers_with_dropout_on():
    result = compare(
        {"dropout": lambda dropout: little_data.network(
            DATA, 0.01, updates=6, dropout=dropout)},
        DATA,
        seeds=2,
        grid={"dropout": [0.1, 0.4]},
        choose=False,
        **HOW,
    )  # fmt: skip
    on = cheap_ensembles.with_dropout_on(result, "dropout", X[:5], 300, dropout=0.4)
    off = result.ensemble("dropout", X[:5], dropout=0.4)
    assert on.predictions.shape == off.predictions.shape
    np.testing.assert_allclose(on.predictions, off.predictions, atol=0.15)
    assert not np.allclose(on.predictions, off.predictions, atol=1e-4)

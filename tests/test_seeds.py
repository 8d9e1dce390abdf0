"""All randomness of the course can be drawn anew from one place."""

import numpy as np
import pytest

from nnperf_utils import datasets, replicate, seeds
from nnperf_utils.engine.work import example_order
from nnperf_utils.models import mlp

LOADERS = {
    "diabetes": lambda: datasets.load_diabetes(seed=3),
    "digits": lambda: datasets.load_digits(seed=3),
    "images": lambda: datasets.load_fashion_mnist(seed=3),
    "signals": lambda: datasets.load_mnist1d(samples=100, seed=3),
    "moons": lambda: datasets.load_moons(samples=50, seed=3),
}


@pytest.mark.parametrize("name", LOADERS)
def test_splits_and_drawn_data_shift(monkeypatch, name):
    load = LOADERS[name]
    before = load()
    monkeypatch.setenv(seeds.VARIABLE, "1000")
    after = load()
    assert not np.array_equal(before.validation[0], after.validation[0])
    monkeypatch.setenv(seeds.VARIABLE, "0")
    assert np.array_equal(before.validation[0], load().validation[0])


def test_starts_orders_and_masks_shift_and_keep_their_labels(monkeypatch):
    data = datasets.load_moons(samples=50)

    def trained(wanted):
        return replicate(
            lambda: mlp(data, units=(4,), dropout=0.5),
            data,
            seeds=wanted,
            epochs=1,
            batch_size=10,
            progress=False,
        ).history

    plain = trained([1003, 1004, 1005])
    monkeypatch.setenv(seeds.VARIABLE, "1000")
    assert not np.array_equal(example_order(3, 1, 30), np.arange(30))
    shifted = trained([3, 4, 5])
    assert shifted["seed"].unique().tolist() == [3, 4, 5]
    np.testing.assert_array_equal(shifted["value"], plain["value"])


def test_simulations_shift(monkeypatch):
    monkeypatch.setenv(seeds.VARIABLE, "7")
    assert seeds.generator(1).random() == np.random.default_rng(8).random()


def test_what_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv(seeds.VARIABLE, "many")
    with pytest.raises(ValueError, match="NNPERF_SEEDS is 'many'; expected"):
        seeds.offset()

"""All randomness of the course can be drawn anew from one place."""

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

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


CELL = """
import keras, numpy as np
from sklearn.utils import check_random_state
class RandomSearch:
    def __init__(self, seed=None): self.seed = seed
def state(random_state): return check_random_state(random_state).randint(10**6)
one = np.random.default_rng(1).random()
several = np.random.default_rng([3, 1]).random()
unseeded = np.random.default_rng().random()
legacy = state(random_state=1)
tuner = RandomSearch(seed=1).seed
keras.utils.set_random_seed(1)
after = np.random.uniform()
"""


def test_what_a_cell_draws_itself_shifts(monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setenv(seeds.VARIABLE, "7")
    shell.run_line_magic("load_ext", "nnperf_utils.seeds")
    shell.run_cell(CELL).raise_error()
    found = shell.user_ns
    assert found["one"] == np.random.default_rng(8).random()
    assert found["several"] == np.random.default_rng([3, 8]).random()
    assert found["legacy"] == np.random.RandomState(8).randint(10**6)
    assert found["tuner"] == 8
    assert found["after"] == np.random.RandomState(8).uniform()


def test_without_a_shift_cells_are_left_alone(monkeypatch):
    monkeypatch.delenv(seeds.VARIABLE, raising=False)
    shell = InteractiveShell()
    before = list(shell.ast_transformers)
    seeds.load_ipython_extension(shell)
    assert shell.ast_transformers == before


def test_what_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv(seeds.VARIABLE, "many")
    with pytest.raises(ValueError, match="NNPERF_SEEDS is 'many'; expected"):
        seeds.offset()

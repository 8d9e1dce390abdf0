"""What belongs to batches: noise, times, rates, and batches that grow."""

from functools import partial

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import batches, compare
from nnperf_utils.datasets import load_fashion_mnist
from nnperf_utils.models import mlp
from nnperf_utils.seeds import VARIABLE

DATA = load_fashion_mnist(side=7, flatten=True, validation=0.98)
X, Y = DATA.train  # 100 pictures
NETWORK = partial(mlp, DATA, hidden_layers=1, units=4, optimizer="sgd")


def followed(optimizer, sizes) -> list[np.ndarray]:
    """Train on the pictures in order, in batches of these sizes."""
    keras.utils.set_random_seed(3)
    model = NETWORK(optimizer=optimizer)
    begin = 0
    for size in sizes:
        rows = slice(begin, begin + size)
        model.train_on_batch(X[rows], Y[rows])
        begin += size
    return model.get_weights()


def test_batches_grow():
    grows = batches.GrowingBatches(0.5, grow_after=2, factor=3)
    small = followed(grows, [5] * 8)
    large = followed(keras.optimizers.SGD(0.5), [5, 5, 15, 15])
    for one, other in zip(small, large, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_growing_batches_in_a_comparison_are_those_of_keras():
    grows = batches.GrowingBatches(0.5, grow_after=10, factor=5)
    result = compare(
        {"growing": partial(NETWORK, optimizer=grows)},
        DATA,
        seeds=2,
        batch_size=10,
        grid={"learning_rate": [0.1, 0.5]},
        choose=False,
        epochs=2,
        progress=False,
    )
    wide = compare(
        {"sgd": NETWORK},
        DATA,
        seeds=2,
        batch_size=10,
        grid={"learning_rate": [0.1, 0.5]},
        choose=False,
        epochs=1,
        progress=False,
    )
    first = result.history.query("epoch == 1 and metric == 'val_loss'")["value"]
    same = wide.history.query("epoch == 1 and metric == 'val_loss'")["value"]
    np.testing.assert_allclose(first, same, rtol=1e-5)
    last = result.history.query("epoch == 2 and metric == 'val_loss'")["value"]
    assert not np.allclose(last, same.to_numpy())


def test_growing_batches_are_saved_and_checked():
    config = batches.GrowingBatches(0.1, grow_after=7, factor=4).get_config()
    again = batches.GrowingBatches.from_config(config)
    assert (again.grow_after, again.factor) == (7, 4)
    for wrong in (
        {"grow_after": -1},
        {"factor": 0},
        {"factor": True},
        {"momentum": 0.9},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            batches.GrowingBatches(**wrong)


def test_starts_are_those_of_keras_and_move_with_the_seeds(monkeypatch):
    def drawn():
        return [
            [w.copy() for w in model.get_weights()]
            for _, model in batches.starts(NETWORK(), 2)
        ]

    first, second = drawn()
    bound = np.sqrt(6 / (49 + 4))
    assert 0.9 * bound < np.abs(first[0]).max() <= bound
    assert not first[1].any()
    assert not np.allclose(first[0], second[0])
    assert np.array_equal(drawn()[1][0], second[0])
    monkeypatch.setenv(VARIABLE, "1000")
    assert not np.allclose(drawn()[0][0], first[0])


def test_noise_by_run_follows_the_law():
    noise = batches.noise_by_run(batches.starts(NETWORK(), 3), X, Y, [1, 10, 50])
    assert list(noise.columns) == [1, 10, 50]
    assert list(noise.index) == [0, 1, 2]
    law = noise[1] / 10 * 90 / 99
    np.testing.assert_allclose(noise[10], law, rtol=0.25)


def test_rescaled_networks_are_the_same_function_and_sharper():
    before = batches.curvatures(batches.starts(NETWORK(), 2), X, Y)
    assert list(before.index) == [0, 1]
    outputs = [model.predict(X, verbose=0) for _, model in batches.starts(NETWORK(), 2)]
    same = batches.rescaled(batches.starts(NETWORK(), 2), 8)
    for (_, model), expected in zip(same, outputs, strict=True):
        np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=1e-6)
    same = batches.rescaled(batches.starts(NETWORK(), 2), 8)
    assert (batches.curvatures(same, X, Y) > 4 * before).all()


def test_best_rates_read_between():
    rates = np.array([0.25, 0.5, 1, 2])
    bowls = {0: 0.7, 1: 1.1}
    table = pd.DataFrame(
        {s: np.exp(np.log(rates / b) ** 2) for s, b in bowls.items()}, index=rates
    ).T
    np.testing.assert_allclose(batches.best_rates(table), [0.7, 1.1])


def test_best_rates_at_an_edge_and_past_divergence():
    table = pd.DataFrame([[1, 2, 3], [3, 1, np.nan], [3, 2, 1]], columns=[1, 2, 4])
    found = batches.best_rates(table)
    assert found[0] == 1
    assert 1 < found[1] < 4
    assert found[2] == 4
    with pytest.raises(ValueError, match="three rates"):
        batches.best_rates(table[[1, 2]])


def test_prices():
    run = compare(
        {"sgd": NETWORK},
        DATA,
        seeds=3,
        batch_size=10,
        grid={"learning_rate": [0.5, 1e-5]},
        choose=False,
        epochs=4,
        follow_train=True,
        progress=False,
    )
    start = run.history.query("metric == 'train_loss'")["value"].max()
    frame = batches.prices({10: run}, start - 0.01, pd.Series({10: 0.5}), pd.Series())
    first = frame.set_index("rate").loc[0.5]
    assert first["updates"] == 10 * first["epochs"] > 0
    assert first["seconds"] == 0.5 * first["updates"]
    assert first["noise"] == 0
    never = batches.prices({10: run}, 1e-9, pd.Series({10: 1}), pd.Series({10: 2.0}))
    assert (never["updates"] == 0).all()
    assert (never["noise"] == 2).all()


def test_rises():
    curves = pd.DataFrame({0: [5, 4, 3, 2, 1], 1: [1, 3, 2, 4, 3]}, dtype=float)
    assert batches.rises(curves).tolist() == [0, 0.5]
    assert batches.rises(curves, 2).tolist() == [0, 1]
    with pytest.raises(ValueError, match="too few"):
        batches.rises(curves, 3)


def test_update_times():
    times = batches.update_times(NETWORK(), X, Y, [4, 2000], repetitions=3)
    assert times.shape == (3, 2)
    assert times.index.name == "seed"
    assert (times > 0).all(axis=None)
    assert times[2000].median() > times[4].median()


def test_paths():
    axes = batches.draw_paths((4, 100))
    assert [ax.get_title() for ax in axes] == ["batches of 4", "batches of 100"]
    ends = [np.abs(ax.lines[0].get_ydata()[-20:]).mean() for ax in axes]
    assert ends[1] < ends[0]
    plt.close(axes[0].figure)

import base64

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import savings


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def network(*units):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(one, "relu") for one in units]
    return keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)])


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_formats_have_their_bits():
    ax = savings.draw_formats()
    assert len(ax.patches) == 32 + 16 + 16 + 8 + 4
    assert {"float32", "bfloat16", "float16", "int8", "int4"} <= set(words(ax))


def test_steps_have_their_parts():
    ax = savings.draw_steps()
    assert {"to begin a step", "to calculate", "to exchange"} == set(words(ax))


def test_ratios_name_their_medians():
    ax = savings.ratio_rows({"slower": [1.9, 2.0, 2.4], "same": 1.0})
    assert words(ax)[:2] == ["2.00 times", "1.00 times"]
    assert [one.get_text() for one in ax.get_yticklabels()] == ["slower", "same"]
    low, high = ax.get_xlim()
    assert low <= 0.5 and high >= 2


def test_frontier_has_a_line_for_each_network():
    table = pd.DataFrame(
        [
            {"network": n, "form": f, "kib": k, "accuracy": 0.8 + s / 100, "seed": s}
            for n in ("large", "small")
            for f, k in {"32": 8, "8": 2}.items()
            for s in range(3)
        ]
    )
    ax = savings.frontier(table)
    assert ax.get_legend_handles_labels()[1] == ["large", "small"]
    assert words(ax) == ["8", "32"] * 2


def test_measured_and_computed_lines():
    seeds = pd.RangeIndex(4, name="seed")
    sizes = [("one", 8), ("one", 32), ("many", 8), ("many", 32)]
    times = pd.DataFrame(0.5, index=seeds, columns=pd.MultiIndex.from_tuples(sizes))
    ax = savings.throughput(times, steps=10)
    assert max(ax.lines[0].get_ydata()) == pytest.approx(32 * 10 / 0.5)
    one = pd.DataFrame({64: [2.0] * 4, 256: [4.0] * 4}, index=seeds)
    ax = savings.draw_model(1, 0.01, 0.1, one, one * 0.75)
    assert ax.get_xlabel() == "batch size"
    machines = pd.Index([1, 2, 4], name="machines")
    ax = savings.speed_lines(pd.DataFrame({"slow": [1, 1.2, 1.3]}, index=machines))
    assert {"slow", "n"} <= set(words(ax))


def test_lines_of_points_lost():
    seeds = pd.RangeIndex(4, name="seed")
    lost = {k: pd.Series([-0.1 / k] * 4, seeds) for k in (2, 4, 8)}
    engines = {name: lost[8] for name in ("int8", "int4", "LiteRT")}
    ax = savings.bits_lines(lost, engines)
    assert set(engines) <= set(words(ax))
    scores = pd.DataFrame({0: [0.8] * 4, 0.5: [0.7] * 4}, index=seeds)
    ax = savings.share_lines(scores)
    assert ax.lines[0].get_ydata() == pytest.approx([0, -10])


def test_weight_bars_count_all_weights():
    model = network(5)
    ax = savings.weight_bars(model)
    assert sum(bar.get_height() for bar in ax.patches) == 4 * 5


def test_lab_network_can_be_read_back():
    model = network(5)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 4)).astype("float32"), np.arange(30) % 3
    data = savings.lab_network(model, x, y, rows=20)

    def read(key, dtype):
        return np.frombuffer(base64.b64decode(data[key]), dtype)

    assert data["sizes"] == [4, 5, 3]
    flat = np.concatenate([one.ravel() for one in model.get_weights()])
    np.testing.assert_array_equal(read("weights", "<f4"), flat)
    rows = read("rows", np.int8).reshape(20, 4) * data["scale"]
    np.testing.assert_allclose(rows, x[:20], atol=data["scale"] / 2 + 1e-6)
    np.testing.assert_array_equal(read("labels", np.uint8), y[:20])


def test_lab_network_has_one_hidden_layer():
    with pytest.raises(ValueError, match="model must have two dense layers"):
        savings.lab_network(network(5, 5), np.zeros((2, 4)), np.zeros(2, int))

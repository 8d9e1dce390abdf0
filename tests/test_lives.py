"""Single units through a training: cases in which what happens is known."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import compare, replicate
from nnperf_utils.datasets import Dataset
from nnperf_utils.instruments import record, unit_activity
from nnperf_utils.lives import (
    life_lines,
    off_by_seed,
    off_shares,
    on_again_by_seed,
    unit_lives,
)

X = np.linspace(-1, 1, 300, dtype="float32")[:, None]
DATA = Dataset.from_arrays(X, 2 * X[:, 0], task="regression", name="line", scale=False)
# of x, one unit each: on for half of the examples; for all; for none; for a few
WEIGHTS = np.array([[1.0, 0.1, 1.0, 1.0]], "float32")
BIASES = np.array([0.0, 1.0, -2.0, -0.9], "float32")


def network(learning_rate=0.01, activation="relu", optimizer="sgd"):
    inputs = keras.Input((1,))
    hidden = keras.layers.Dense(4, activation, name="hidden")
    model = keras.Model(inputs, keras.layers.Dense(1, name="output")(hidden(inputs)))
    hidden.set_weights([WEIGHTS, BIASES])
    optimizer = keras.optimizers.get(optimizer)
    optimizer.learning_rate = learning_rate
    model.compile(optimizer, "mse")
    return model


def test_activity_is_the_share_of_examples():
    activity = unit_activity(network(), X)
    assert list(activity) == ["layer", "unit", "value"]
    assert activity["layer"].unique() == ["hidden"]  # the output is linear
    shares = [(w * X + b > 0).mean() for w, b in zip(WEIGHTS[0], BIASES, strict=True)]
    np.testing.assert_allclose(activity["value"], shares, atol=1e-6)
    assert activity["value"][2] == 0 < activity["value"][3] < 0.06


def test_a_separate_activation_is_read_where_it_acts():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4)])
    model.add(keras.layers.PReLU(name="leaky"))
    model.add(keras.layers.Dense(3, "softmax"))
    assert set(unit_activity(model, X)["layer"]) == {"leaky"}
    plain = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    assert unit_activity(plain, X).empty


def test_channels_are_units():
    model = keras.Sequential([keras.Input((4, 1)), keras.layers.Conv1D(3, 2)])
    model.add(keras.layers.ReLU(name="relu"))
    model.layers[0].set_weights([np.ones((2, 1, 3)), np.array([9.0, 0.0, -9.0])])
    x = np.array([[1, 1, -1, -1.5], [0, 0, 0, 0]], "float32")[..., None]
    assert unit_activity(model, x)["value"].tolist() == pytest.approx([1, 1 / 6, 0])


def test_what_is_not_finite_is_missing():
    model = network()
    weights = [w.value for w in model.trainable_variables]
    weights[1] = weights[1] + np.array([np.nan, 0, 0, 0], "float32")
    on = record(model, weights, [], X, None, "units")["hidden", "on"].numpy()
    assert np.isnan(on[0]) and on[2] == 0


@pytest.fixture(scope="module")
def runs():
    how = {"epochs": 4, "batch_size": 32, "record": ["units", "gradients"]}
    return replicate(network, DATA, seeds=3, progress=False, **how)


def test_readings_name_the_units(runs):
    on = runs.readings.query("metric == 'on'")
    assert list(runs.readings) == ["seed", "epoch", "layer", "unit", "metric", "value"]
    assert len(on) == 3 * 5 * 4 and set(on["unit"]) == {0, 1, 2, 3}
    assert runs.readings.query("metric != 'on'")["unit"].isna().all()
    # all of the training part is read: a few examples would find the last one dead
    start = on.query("seed == 0 and epoch == 0")["value"].to_numpy()
    expected = unit_activity(network(), DATA.train[0])["value"]
    np.testing.assert_allclose(start, expected, atol=1e-6)


def test_the_end_is_what_the_trained_network_does(runs):
    for seed in range(3):
        after = runs.readings.query("metric == 'on' and epoch == 4 and seed == @seed")
        own = unit_activity(runs.model(seed), DATA.train[0])["value"]
        np.testing.assert_allclose(after["value"], own, atol=0.005)


def test_a_dead_unit_stays_dead_under_sgd(runs):
    lives = unit_lives(runs.readings)
    assert len(lives) == 3 * 4
    dead = lives[lives["unit"] == 2]
    assert dead["end"].all() and (dead["off"] == 0).all()
    assert dead["on_again"].isna().all()
    assert not lives.query("unit < 2")["end"].any()
    for seed in range(3):  # to the last bit: it gets no gradient
        kernel, bias = runs.model(seed).get_layer("hidden").get_weights()
        assert kernel[0, 2] == WEIGHTS[0, 2] and bias[2] == BIASES[2]


def test_comparison_has_them_too():
    result = compare(
        {"relu": network, "swish": lambda: network(activation="swish")},
        DATA,
        seeds=2,
        epochs=1,
        record="units",
        progress=False,
    )
    shares = off_shares(result.readings, epoch=0)
    assert shares.groupby("variant")["value"].unique().to_dict() == {
        "relu": [0.25],
        "swish": [0.25],
    }


def frame(*lives):
    """Return readings of units with these shares in the epochs 0, 1, …."""
    rows = [
        (0, epoch, "hidden", unit, "on", on)
        for unit, life in enumerate(lives)
        for epoch, on in enumerate(life)
    ]
    return pd.DataFrame(
        rows, columns=["seed", "epoch", "layer", "unit", "metric", "value"]
    )


def test_lives():
    lives = unit_lives(
        frame([1, 0.5, 0, 0], [0, 0, 0.1, 0], [1, 1, 1, 0.2], [0, 0, 0, 0.3])
    )
    assert lives["off"].tolist()[:2] == [2, 0] and pd.isna(lives["off"][2])
    assert lives["on_again"].tolist()[1] == 2 and lives["on_again"][3] == 3
    assert lives["on_again"].isna().tolist() == [True, False, True, False]
    assert lives["end"].tolist() == [True, True, False, False]


def test_off_shares():
    readings = frame([1, 0], [0, 0.5], [1, 0], [1, np.nan])
    shares = off_shares(readings)
    assert list(shares) == ["seed", "epoch", "value"]
    assert shares["value"][0] == 0.25 and np.isnan(shares["value"][1])
    assert off_shares(readings, epoch=0, layer="hidden")["value"].tolist() == [0.25]


def test_an_arm_by_seed():
    one = frame([0, 0.5], [0, 0], [1, 1], [1, 0]).assign(rate=0.1)
    other = frame([1, np.nan], [1, 1]).assign(rate=0.3)
    readings = pd.concat([one, other])
    assert off_by_seed(readings, 1, rate=0.1).to_dict() == {0: 0.5}
    assert off_by_seed(readings, 1, rate=0.3).to_dict() == {0: 1.0}
    assert on_again_by_seed(readings, "hid", rate=0.1).to_dict() == {0: 0.5}
    assert on_again_by_seed(readings, "hid", rate=0.3).empty
    with pytest.raises(ValueError, match=r"no readings have rate 0\.2"):
        off_by_seed(readings, 1, rate=0.2)
    with pytest.raises(ValueError, match="several arms have no labels in common"):
        off_by_seed(readings, 1)


def test_life_lines_show_the_epochs_in_which_a_unit_is_off():
    readings = frame([1, 0.5, 1], [0, 0, 0.1], [1, 0, 0])
    (ax,) = life_lines(readings)
    drawn = [(b.get_y() + 0.375, b.get_x() + 0.5) for b in ax.patches]
    assert drawn == [(0, 0), (0, 1), (1, 1), (1, 2)]
    assert ax.get_ylabel() == "2 units that are ever off"
    assert len(life_lines(readings, most=1)[0].patches) == 2
    plt.close("all")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: off_shares(r, epoch=7), "epoch is 7; the readings have 0, 1"),
        (lambda r: off_shares(r, layer="out"), "layer is 'out'; .* hidden"),
        (lambda r: unit_lives(r.drop(columns="unit")), "no column 'unit'"),
        (lambda r: unit_lives(r.assign(metric="dead")), "no metric 'on'"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(frame([1, 0]))

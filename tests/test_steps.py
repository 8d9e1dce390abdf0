"""Steps: how long they are, how far they lead, how sure Adam's scale is."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from keras.optimizers.schedules import CosineDecay

from nnperf_utils import labs, steps
from nnperf_utils.datasets import load_digits
from nnperf_utils.models import mlp


@pytest.fixture(scope="module")
def data():
    return load_digits(flatten=True)


def test_steps_are_the_rates_with_the_first_update_at_zero():
    schedule = CosineDecay(0.0, 6, warmup_target=0.5, warmup_steps=4)
    found = steps.steps_taken(schedule, 11)
    np.testing.assert_allclose(found[:5], [0, 0.125, 0.25, 0.375, 0.5], atol=1e-6)
    half = 0.25 + 0.25 * np.cos(np.pi * np.arange(7) / 6)
    np.testing.assert_allclose(found[4:], half, atol=1e-6)
    np.testing.assert_allclose(steps.steps_taken(0.3, 3), 0.3, rtol=1e-6)


def test_distance_is_over_all_arrays():
    one = [np.zeros((2, 2)), np.array([1.0])]
    other = [np.full((2, 2), 2.0), np.array([4.0])]
    assert steps.distance(one, other) == 5
    with pytest.raises(ValueError, match="zip"):
        steps.distance(one, other[:1])


def test_a_range_test_falls_and_then_explodes(data):
    keras.utils.set_random_seed(0)
    model = mlp(data, units=16, optimizer="sgd", learning_rate=0.01)
    rates = np.geomspace(1e-3, 100, 80)
    losses = steps.range_test(model, *data.train, rates, batch_size=50)
    assert losses.shape == (80,)
    assert losses[:10].mean() == pytest.approx(np.log(10), abs=0.5)
    assert losses[40:60].min() < 0.8 * losses[:10].mean()
    assert not losses[-5:].mean() < losses[:10].mean()
    assert float(model.optimizer.learning_rate) == pytest.approx(100)


def test_the_scale_is_less_sure_after_one_update(data):
    keras.utils.set_random_seed(0)
    model = mlp(data, units=8)
    before = model.get_weights()
    one, same, many = steps.scale_spread(model, *data.train, updates=(1, 1, 100))
    assert one == pytest.approx(same, rel=0.2)
    assert one > 2 * many > 2
    for weights, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, old)


def test_the_shapes_are_those_of_the_lab():
    ax = steps.draw_shapes()
    drawn = {line.get_ydata().max() for line in ax.lines}
    assert drawn == {0.01, 0.02, 0.08}
    script = (labs.folder() / "draw_schedule.js").read_text(encoding="utf-8")
    for told in ("() => 0.01", "0.08 * half(t / UPDATES)", "0.02 * (t < RISE"):
        assert told in script.replace("\n     ", "")
    plt.close(ax.figure)

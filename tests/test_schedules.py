"""Shapes of the learning rate, by their values and as Keras runs them."""

import keras
import numpy as np
import pytest

from nnperf_utils import schedules

EPOCHS, WARMUP = 12, 4


def rates(name, warmup=WARMUP):
    shape = schedules.SHAPES[name]
    return np.array([shape(epoch, EPOCHS, warmup) for epoch in range(EPOCHS)])


@pytest.mark.parametrize("name", schedules.SHAPES)
def test_no_shape_exceeds_the_peak_and_each_reaches_it(name):
    assert rates(name).max() == 1
    assert rates(name).min() > 0


def test_what_falls_and_what_rises():
    assert (np.diff(rates("cosine")) < 0).all()
    assert (np.diff(rates("steps")) <= 0).all()
    np.testing.assert_allclose(
        rates("steps")[[0, 5, 6, 8, 9]], [1, 1, 1 / 3, 1 / 3, 1 / 9]
    )
    np.testing.assert_allclose(rates("warm-up")[:5], [0.25, 0.5, 0.75, 1, 1])
    growth = rates("exponential")
    np.testing.assert_allclose(growth[1:4] / growth[:3], 0.01**-0.25)
    assert (growth[3:] == 1).all()
    cycle = rates("one-cycle")
    np.testing.assert_array_equal(cycle[:4], rates("warm-up")[:4])
    assert (np.diff(cycle[3:]) < 0).all()


def test_the_cosine_is_that_of_keras():
    keras_own = keras.optimizers.schedules.CosineDecay(1.0, EPOCHS)
    wanted = [float(keras_own(epoch)) for epoch in range(EPOCHS)]
    np.testing.assert_allclose(rates("cosine"), wanted, atol=1e-6)


def test_without_a_warm_up_one_cycle_is_the_cosine():
    np.testing.assert_allclose(rates("one-cycle", 0), rates("cosine"))
    np.testing.assert_array_equal(rates("warm-up", 0), 1)


def test_the_callback_multiplies_the_peak():
    made = schedules.callback("one-cycle", EPOCHS, WARMUP)(0.3)
    assert isinstance(made, keras.callbacks.LearningRateScheduler)
    found = [made.schedule(epoch) for epoch in range(EPOCHS)]
    np.testing.assert_allclose(found, 0.3 * rates("one-cycle"))


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="name is 'linear'; expected one of steps"):
        schedules.callback("linear", 10)
    with pytest.raises(ValueError, match="warmup is 10; expected 0 or more"):
        schedules.callback("warm-up", 10, 10)

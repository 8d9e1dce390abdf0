"""The loss of a linear model as a bowl."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nnperf_utils import bowls

X = np.random.default_rng(0).normal([0, 0], [3.0, 1.0], (200, 2))
Y = X @ [1.0, -2.0] + 0.1


def loss(weights):
    return np.mean((X @ weights - Y) ** 2)


def test_curvature_is_that_of_the_mean_squared_error():
    bowl = bowls.descend(X, Y)
    w = np.array([0.3, 0.7])
    away = w - bowl.lowest
    above = away @ bowl.curvature @ away / 2
    assert loss(w) - loss(bowl.lowest) == pytest.approx(above)


def test_steps_are_those_that_the_condition_number_predicts():
    bowl = bowls.descend(X, Y)
    kappa = bowl.condition_number
    predicted = np.log(0.01) / np.log((kappa - 1) / (kappa + 1))
    assert bowl.steps == np.ceil(predicted)
    away = np.linalg.norm(bowl.path - bowl.lowest, axis=1)
    assert away[-1] <= 0.01 * away[0] < away[-2]


def test_columns_that_depend_on_each_other_are_told():
    with pytest.raises(ValueError, match="do not depend on each other"):
        bowls.descend(X[:, [0, 0]], Y)


def test_a_way_too_long_is_told():
    far_from_round = X * [1, 1e-4]
    with pytest.raises(ValueError, match="more than 100,000 steps; scale it"):
        bowls.descend(far_from_round, Y)


def test_condition_number_knows_the_bias():
    x = np.array([[1.0], [-1.0]])
    assert bowls.condition_number(x) == pytest.approx(1)
    assert bowls.condition_number(10 * x) == pytest.approx(100)
    # all values positive: the column points along the bias's
    assert bowls.condition_number(x + 3) > 100


def test_bowl_is_drawn_around_its_lowest_point():
    bowl = bowls.descend(X, Y)
    ax = bowls.draw(bowl, ax=plt.subplots()[1])
    walked, start, cross = (line.get_xydata() for line in ax.lines)
    assert np.array_equal(walked, bowl.path)
    assert np.array_equal(start[0], [0, 0])
    assert np.array_equal(cross[0], bowl.lowest)
    assert ax.get_aspect() == 1
    plt.close("all")

"""Noise at the inputs and its penalty, by cases whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from nnperf_utils import noise_penalty


def test_every_sign_has_the_moments_of_the_noise():
    x = np.random.default_rng(0).normal(size=(5, 3))
    noisy = noise_penalty.every_sign(x, 0.5)
    assert noisy.shape == (40, 3)
    moments = noisy.T @ noisy / 8
    assert moments == pytest.approx(x.T @ x + 5 * 0.25 * np.eye(3))


def test_slope_is_that_of_differences():
    draw = np.random.default_rng(1)
    weights = [draw.normal(size=s) for s in ((3, 4), (4,), (4, 1), (1,))]
    x = draw.normal(size=(6, 3))

    def outputs(x):
        return (np.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3])[:, 0]

    step = 1e-5
    sides = [
        (outputs(x + step * axis) - outputs(x - step * axis)) / (2 * step)
        for axis in np.eye(3)
    ]
    expected = np.sum(np.square(sides), axis=0)
    assert noise_penalty.slopes(x, weights) == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def splits():
    draw = np.random.default_rng(2)
    x = draw.normal(size=(2, 60, 2)).astype(np.float32)
    y = (x[..., 0] - x[..., 1] / 2).astype(np.float32)
    parts = [(a[:40], b[:40], a[40:], b[40:]) for a, b in zip(x, y, strict=True)]
    return [SimpleNamespace(train=(a, b), test=(c, d)) for a, b, c, d in parts]


def test_networks_do_not_meddle_with_each_other(splits):
    alone = noise_penalty.train(splits[:1], {"neither": (0, 0)}, steps=100)
    arms = {"neither": (0, 0), "noise 0.3": (0.3, 0), "penalty 0.3": (0, 0.09)}
    both = noise_penalty.train(splits, arms, steps=100)
    assert both.loc[(0, "neither"), "outputs"] == pytest.approx(
        alone.loc[(0, "neither"), "outputs"], abs=1e-4
    )
    slopes = both["slope"].unstack("arm")
    assert (slopes["noise 0.3"] < slopes["neither"]).all()
    assert (slopes["penalty 0.3"] < slopes["neither"]).all()
    assert (noise_penalty.effects(both, [0.3])[0.3] < 1).all()


def test_a_network_learns(splits):
    arms = {"neither": (0.0, 0.0)}
    errors = [
        noise_penalty.train(splits, arms, steps=steps)["error"].mean()
        for steps in (50, 300)
    ]
    assert errors[1] < 0.1 < errors[0] or errors[1] < errors[0] < 0.1

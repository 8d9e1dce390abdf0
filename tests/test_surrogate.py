"""The quick Gaussian process against scikit-learn's."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern

from nnperf_utils.surrogate import QuickGaussianProcess


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = rng.random((12, 3))
    y = 0.7 + 0.05 * np.sin(3 * x).sum(axis=1) + rng.normal(0, 0.005, 12)
    plain = GaussianProcessRegressor(
        Matern(nu=2.5), normalize_y=True, alpha=1e-4, random_state=1
    )
    quick = QuickGaussianProcess.like(plain)
    return plain.fit(x, y), quick.fit(x, y), x


def test_same_settings(pair):
    plain, quick, _ = pair
    assert quick.get_params(deep=False) == plain.get_params(deep=False)


@pytest.mark.parametrize("count", [1, 4])
def test_same_predictions(pair, count):
    plain, quick, _ = pair
    for seed in range(20):
        x = np.random.default_rng(seed).random((count, 3))
        for expected, found in zip(
            plain.predict(x, return_std=True),
            quick.predict(x, return_std=True),
            strict=True,
        ):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(quick.predict(x), plain.predict(x))


def test_no_uncertainty_below_zero_at_a_known_point(pair):
    plain, quick, x = pair
    expected = plain.predict(x[:1], return_std=True)[1]
    found = quick.predict(x[:1], return_std=True)[1]
    assert found >= 0
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_other_kernels_are_turned_down():
    for kernel in (None, RBF(), Matern(nu=1.5)):
        with pytest.raises(ValueError, match=r"expected Matern\(nu=2.5\)"):
            QuickGaussianProcess.like(GaussianProcessRegressor(kernel))

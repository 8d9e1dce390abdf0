"""A Gaussian process that answers quickly for one point at a time.

keras-tuner's Bayesian oracle asks its Gaussian process thousands of times for a single
point before each trial. scikit-learn's spends most of that time on checking its input.
`QuickGaussianProcess` gives the same answers without:

>>> oracle = keras_tuner.oracles.BayesianOptimizationOracle(...)  # doctest: +SKIP
>>> oracle.gpr = QuickGaussianProcess.like(oracle.gpr)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

__all__ = ["QuickGaussianProcess"]


class QuickGaussianProcess(GaussianProcessRegressor):
    """scikit-learn's regressor with a Matérn kernel (ν = 2.5), quick for one point.

    Fitting is scikit-learn's own. A prediction for one point, with its standard
    deviation, is computed here, to the same result; any other goes to scikit-learn.
    """

    @classmethod
    def like(cls, regressor: GaussianProcessRegressor) -> QuickGaussianProcess:
        """Make one with the settings of another regressor.

        Parameters
        ----------
        regressor : sklearn.gaussian_process.GaussianProcessRegressor
            Not fitted yet; its kernel is a Matérn kernel with ν = 2.5.

        Returns
        -------
        QuickGaussianProcess

        Raises
        ------
        ValueError
            If the kernel is another one.
        """
        kernel = regressor.kernel
        if not isinstance(kernel, Matern) or kernel.nu != 2.5:
            raise ValueError(
                f"the regressor's kernel is {kernel}; expected Matern(nu=2.5)."
            )
        return cls(**regressor.get_params(deep=False))

    def fit(self, X: Any, y: Any) -> QuickGaussianProcess:
        """Fit as scikit-learn does, and prepare for single points."""
        super().fit(X, y)
        self._whitener = solve_triangular(
            self.L_, np.eye(len(self.L_)), lower=True, check_finite=False
        )
        self._weights = np.ravel(self.alpha_)
        return self

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False):
        """Predict as scikit-learn does."""
        if np.shape(X)[0] != 1 or not return_std or return_cov:
            return super().predict(X, return_std=return_std, return_cov=return_cov)
        steps = (self.X_train_ - X) / self.kernel_.length_scale
        distance = np.sqrt(5 * np.einsum("ij,ij->i", steps, steps))
        k = (1 + distance + distance**2 / 3) * np.exp(-distance)
        mean = self._y_train_std * (k @ self._weights) + self._y_train_mean
        v = self._whitener @ k
        deviation = self._y_train_std * np.sqrt(max(1 - v @ v, 0.0))
        return np.array([mean]), np.array([deviation])

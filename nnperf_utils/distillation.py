"""Labels that say more than one class: softened predictions and smoothed labels."""

from __future__ import annotations

import numpy as np

from nnperf_utils.ensembles import Ensemble, log_loss

__all__ = ["cooled", "smoothed", "softened"]

_LEAST = 1e-7  # probability, as in Keras's losses


def softened(shares: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities as the same network gives them at another temperature.

    A softmax of numbers divided by T is the softmax's own result to the power of 1 / T,
    scaled to a sum of one.

    Parameters
    ----------
    shares : numpy.ndarray, shape (..., classes)
        Probabilities, at temperature 1.
    temperature : float
        Above 0; above 1 they become more even [1]_.

    Returns
    -------
    numpy.ndarray, shape (..., classes)

    References
    ----------
    .. [1] G. Hinton, O. Vinyals and J. Dean (2015). Distilling the knowledge in a
       neural network. arXiv:1503.02531.
    """
    shares = np.asarray(shares)
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature!r}; expected a number above 0.")
    logs = np.log(np.maximum(shares, _LEAST)) / temperature
    powers = np.exp(logs - logs.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True)).astype(shares.dtype)


def smoothed(one_hot: np.ndarray, amount: float) -> np.ndarray:
    """Return labels of which a part is spread evenly over all classes.

    Parameters
    ----------
    one_hot : numpy.ndarray, shape (..., classes)
    amount : float
        From 0 to 1: the part that is spread [1]_.

    Returns
    -------
    numpy.ndarray, shape (..., classes)

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna (2016). Rethinking
       the Inception architecture for computer vision. CVPR.
    """
    one_hot = np.asarray(one_hot)
    if not 0 <= amount <= 1:
        raise ValueError(f"amount is {amount!r}; expected a number from 0 to 1.")
    even = amount / one_hot.shape[-1]
    return ((1 - amount) * one_hot + even).astype(one_hot.dtype)


def cooled(ensemble: Ensemble, predictions: np.ndarray, y: np.ndarray) -> Ensemble:
    """Give each member the temperature at which it is best on other examples.

    It changes how sure a member is, and none of its answers [1]_.

    Parameters
    ----------
    ensemble : Ensemble
    predictions : numpy.ndarray, shape (members, examples, classes)
        Of the same members for a validation part.
    y : numpy.ndarray
        Its labels.

    Returns
    -------
    Ensemble

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017). On calibration of
       modern neural networks. ICML.
    """
    tried = np.geomspace(0.5, 20, 60)
    losses = [log_loss(softened(predictions, degrees), y) for degrees in tried]
    chosen = tried[np.argmin(losses, axis=0)]
    softer = [
        softened(own, degrees)
        for own, degrees in zip(ensemble.predictions, chosen, strict=True)
    ]
    return Ensemble(np.stack(softer), ensemble.members)

"""How strongly a network's loss is curved at its weights, and a descent from there.

The Hessian itself, a row and a column for each weight, is never made. It is multiplied
by vectors, at the price of two gradients each: the derivative of the gradient along
a direction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse.linalg import LinearOperator, eigsh

__all__ = ["descend", "hessian_product", "largest_curvature", "power_iteration"]


def hessian_product(model: keras.Model, x: Any, y: Any, direction: Any) -> np.ndarray:
    """Multiply the Hessian of a network's loss by a vector.

    Parameters
    ----------
    model : keras.Model
        Compiled. Its loss, penalties included, is that of all examples together,
        without dropout and with the moving statistics as they are.
    x, y : array or nest of arrays
    direction : array
        One number for each trainable weight, the model's arrays laid end to end.

    Returns
    -------
    numpy.ndarray
        Of the length of `direction`.

    Raises
    ------
    TypeError, ValueError
        If the model is not compiled, or the direction does not fit it.
    """
    x, y = _checked(model, x, y)
    direction = np.asarray(direction, np.float32)
    size = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    if direction.shape != (size,):
        raise ValueError(
            f"direction has the shape {direction.shape}; the model has {size} "
            f"trainable weights, so expected ({size},)."
        )
    _, product = _functions(model)
    return product(x, y, tf.constant(direction)).numpy()


def largest_curvature(
    model: keras.Model, x: Any, y: Any, *, tolerance: float = 1e-3
) -> float:
    """Return the largest eigenvalue of the Hessian of a network's loss.

    A step of gradient descent at a rate above 2 over it makes the loss grow along that
    direction, as long as the loss is close to a bowl. SciPy's Lanczos method finds it
    with some ten or twenty products; it is the largest one and not the largest in
    size, which power iteration would find.

    Parameters
    ----------
    model, x, y
        As in `hessian_product`.
    tolerance : float
        Relative.

    Returns
    -------
    float
    """
    x, y = _checked(model, x, y)
    size = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    start = np.random.default_rng(0).normal(size=size)
    _, product = _functions(model)

    def multiply(vector: np.ndarray) -> np.ndarray:
        given = tf.constant(np.ravel(vector), tf.float32)
        return product(x, y, given).numpy().astype(np.float64)

    if size < 3:  # too few for Lanczos
        columns = [multiply(column) for column in np.eye(size)]
        return float(np.linalg.eigvalsh(np.stack(columns))[-1])
    hessian = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
    found = eigsh(
        hessian,
        k=1,
        which="LA",
        v0=start,
        tol=tolerance,
        ncv=min(size, 12),
        return_eigenvectors=False,
    )
    return float(found[0])


def power_iteration(
    multiply: Callable[[np.ndarray], np.ndarray],
    size: int,
    *,
    iterations: int = 100,
    seed: int = 0,
) -> tuple[float, np.ndarray]:
    """Find the eigenvalue of a symmetric matrix that is largest in size.

    Parameters
    ----------
    multiply : callable
        Takes a vector and returns the matrix's product with it, such as a `partial` of
        `hessian_product`.
    size : int
        Rows of the matrix.
    iterations : int
        Each multiplies the share of every other direction by the ratio of the two
        eigenvalues.
    seed : int
        Of the direction to start from.

    Returns
    -------
    float
        The eigenvalue, with its sign.
    numpy.ndarray
        The direction, of length 1.
    """
    vector = np.random.default_rng(seed).normal(size=size)
    vector /= np.linalg.norm(vector)
    value = 0.0
    for _ in range(iterations):
        product = np.asarray(multiply(vector), np.float64)
        value = float(vector @ product)
        length = np.linalg.norm(product)
        if length == 0:
            break
        vector = product / length
    return value, vector


def descend(
    model: keras.Model, x: Any, y: Any, *, rate: float, steps: int
) -> np.ndarray:
    """Follow gradient descent on all examples; the model's weights stay as they are.

    Parameters
    ----------
    model, x, y
        As in `hessian_product`.
    rate : float
        The learning rate.
    steps : int

    Returns
    -------
    numpy.ndarray, shape (steps + 1,)
        The loss before each step, and after the last.
    """
    if not np.isfinite(rate) or rate <= 0:
        raise ValueError(f"rate is {rate!r}; expected a finite number above 0.")
    x, y = _checked(model, x, y)
    step, _ = _functions(model)
    before = [variable.numpy() for variable in model.trainable_variables]
    rates = [tf.constant(rate, tf.float32)] * steps + [tf.constant(0.0)]
    try:
        losses = [float(step(x, y, one)) for one in rates]
    finally:
        for variable, value in zip(model.trainable_variables, before, strict=True):
            variable.assign(value)
    return np.array(losses)


def _checked(model: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return inputs and labels as tensors, once the model is one with a loss."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model; got {type(model).__name__}.")
    if not model.compiled or not model.built:
        missing = "compiled" if model.built else "built"
        raise ValueError(
            f"model {model.name!r} is not {missing}, so it has no loss to take the "
            "curvature of; build and compile it first."
        )
    return keras.tree.map_structure(tf.convert_to_tensor, (x, y))


# One model at a time: give it other weights to look at its likes without tracing anew.
@lru_cache(maxsize=1)
def _functions(model: keras.Model) -> tuple[Callable, Callable]:
    """Return a model's step, which tells the loss before, and its Hessian product."""

    def sloped(x: Any, y: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=False), training=False)
        weights = [variable.value for variable in model.trainable_variables]
        return loss, tape.gradient(loss, weights, unconnected_gradients="zero")

    def step(x: Any, y: Any, rate: tf.Tensor) -> tf.Tensor:
        loss, slopes = sloped(x, y)
        for variable, slope in zip(model.trainable_variables, slopes, strict=True):
            variable.assign_sub(rate * slope)
        return loss

    def product(x: Any, y: Any, direction: tf.Tensor) -> tf.Tensor:
        weights = [variable.value for variable in model.trainable_variables]
        sizes = [int(np.prod(w.shape)) for w in weights]
        along = [
            tf.reshape(part, w.shape)
            for part, w in zip(tf.split(direction, sizes), weights, strict=True)
        ]
        with tf.GradientTape() as tape:
            _, slopes = sloped(x, y)
            pairs = zip(slopes, along, strict=True)
            slope = tf.add_n([tf.reduce_sum(s * v) for s, v in pairs])
        columns = tape.gradient(slope, weights, unconnected_gradients="zero")
        return tf.concat([tf.reshape(column, [-1]) for column in columns], 0)

    return (
        tf.function(step, autograph=False, reduce_retracing=True),
        tf.function(product, autograph=False, reduce_retracing=True),
    )

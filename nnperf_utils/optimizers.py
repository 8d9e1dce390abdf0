"""The updates of the usual optimizers, in plain NumPy, as Keras computes them.

Each is one function: it takes weights `w`, their gradient `g` and a `state` that it
keeps between updates (an empty dictionary before the first), and returns the new
weights. Nothing but the state is changed. Arrays may have any shape; of several
networks at once the first axis may count them, except for `lamb`, which needs to know
(`axis`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "RULES",
    "adagrad",
    "adam",
    "adamw",
    "follow",
    "lamb",
    "momentum",
    "nesterov",
    "rmsprop",
    "sgd",
]

State = dict[str, Any]
Rule = Callable[..., np.ndarray]
_EPSILON = 1e-7


def sgd(w: np.ndarray, g: np.ndarray, state: State, *, rate: float) -> np.ndarray:
    """Step against the gradient."""
    return w - rate * g


def momentum(
    w: np.ndarray, g: np.ndarray, state: State, *, rate: float, beta: float = 0.9
) -> np.ndarray:
    """Step by a sum of all gradients, the older ones ever less."""
    state["step"] = beta * state.get("step", 0) - rate * g
    return w + state["step"]


def nesterov(
    w: np.ndarray, g: np.ndarray, state: State, *, rate: float, beta: float = 0.9
) -> np.ndarray:
    """Momentum that is already one step further."""
    state["step"] = beta * state.get("step", 0) - rate * g
    return w + beta * state["step"] - rate * g


def adagrad(
    w: np.ndarray,
    g: np.ndarray,
    state: State,
    *,
    rate: float,
    start: float = 0.1,
    epsilon: float = _EPSILON,
) -> np.ndarray:
    """Divide by the root of the sum of all squared gradients so far."""
    state["sum"] = state.get("sum", start) + g**2
    return w - rate * g / np.sqrt(state["sum"] + epsilon)


def rmsprop(
    w: np.ndarray,
    g: np.ndarray,
    state: State,
    *,
    rate: float,
    rho: float = 0.9,
    epsilon: float = _EPSILON,
) -> np.ndarray:
    """Divide by the root of a mean of squared gradients that forgets."""
    state["mean"] = rho * state.get("mean", 0) + (1 - rho) * g**2
    return w - rate * g / np.sqrt(state["mean"] + epsilon)


def adam(
    w: np.ndarray,
    g: np.ndarray,
    state: State,
    *,
    rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = _EPSILON,
    correct: bool = True,
) -> np.ndarray:
    """Momentum over RMSprop, both corrected for their start at zero."""
    state["t"] = t = state.get("t", 0) + 1
    state["m"] = beta_1 * state.get("m", 0) + (1 - beta_1) * g
    state["v"] = beta_2 * state.get("v", 0) + (1 - beta_2) * g**2
    if correct:
        rate = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - rate * state["m"] / (np.sqrt(state["v"]) + epsilon)


def adamw(
    w: np.ndarray,
    g: np.ndarray,
    state: State,
    *,
    rate: float,
    decay: float = 0.004,
    **options: Any,
) -> np.ndarray:
    """Shrink the weights a little, then Adam."""
    return adam(w - rate * decay * w, g, state, rate=rate, **options)


def lamb(
    w: np.ndarray,
    g: np.ndarray,
    state: State,
    *,
    rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = _EPSILON,
    axis: int | tuple[int, ...] | None = None,
) -> np.ndarray:
    """Adam's step, as long as `rate` times the norm of the array's weights.

    `axis` holds the axes of one array where there are several, all by default.
    """
    state["t"] = t = state.get("t", 0) + 1
    state["m"] = beta_1 * state.get("m", 0) + (1 - beta_1) * g
    state["v"] = beta_2 * state.get("v", 0) + (1 - beta_2) * g**2
    step = state["m"] / (1 - beta_1**t)
    step = step / (np.sqrt(state["v"] / (1 - beta_2**t)) + epsilon)

    def norm(values: np.ndarray) -> np.ndarray:
        return np.sqrt((values**2).sum(axis=axis, keepdims=True))

    of_weights, of_step = norm(w), norm(step)
    usable = (of_weights > 0) & (of_step > 0)
    ratio = np.where(usable, of_weights / np.where(usable, of_step, 1), 1)
    return w - rate * ratio * step


RULES: dict[str, Rule] = {
    "SGD": sgd,
    "momentum": momentum,
    "Nesterov": nesterov,
    "Adagrad": adagrad,
    "RMSprop": rmsprop,
    "Adam": adam,
    "AdamW": adamw,
    "LAMB": lamb,
}
"""By the name that the course uses."""


def follow(
    rule: Rule,
    gradient: Callable[[int, list[np.ndarray]], list[np.ndarray]],
    start: list[np.ndarray],
    updates: int,
    /,
    *,
    watch: Callable[[list[np.ndarray], list[State]], Any] | None = None,
    **options: Any,
) -> tuple[list[np.ndarray], list[Any]]:
    """Make some updates from a start.

    Parameters
    ----------
    rule : callable
        One of `RULES`, or your own of the same form.
    gradient : callable
        Takes the number of the update, counted from 0, and the arrays of weights, and
        returns a gradient for each.
    start : list of array
    updates : int
    watch : callable, optional
        What it returns of weights and states is kept after each update.
    **options
        Of the rule: ``rate=0.1``.

    Returns
    -------
    list of array
        The weights at the end, in the precision of the start.
    list
        What `watch` has returned, one for each update; empty without it.

    Raises
    ------
    ValueError
        If there are more or fewer gradients than arrays.

    Examples
    --------
    On a bowl, whose gradient is the weight itself:

    >>> end, _ = follow(sgd, lambda _, w: w, [np.array([1.0])], 3, rate=0.5)
    >>> end[0]
    array([0.125])
    """
    weights = [np.asarray(w) for w in start]
    states: list[State] = [{} for _ in weights]
    seen = []
    for update in range(updates):
        slopes = gradient(update, weights)
        if len(slopes) != len(weights):
            raise ValueError(
                f"gradient returns {len(slopes)} arrays for {len(weights)} of weights; "
                "expected one for each."
            )
        weights = [
            rule(w, g, state, **options).astype(w.dtype, copy=False)
            for w, g, state in zip(weights, slopes, states, strict=True)
        ]
        if watch is not None:
            seen.append(watch(weights, states))
    return weights, seen

"""Exercises of the chapter on gradient checking and clipping.

`loss` and `suspects` are what `wrong_gradients` is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import NotYet, exercise, expect_function

__all__ = [
    "clip_by_global_norm",
    "loss",
    "suspects",
    "what_clipping_buys",
    "wrong_gradients",
]

Arrays = list[np.ndarray]

FEWEST_SEEDS = 5
LOST = 0.77  # validation loss; a constant guess has about this
FIRST_RATE = 0.1


# --------------------------------------------------------------------------------------
# 1  Clip by the global norm
# --------------------------------------------------------------------------------------


def _norm(gradients: Arrays) -> float:
    return float(np.sqrt(sum(np.sum(g**2) for g in gradients)))


def _scaled(gradients: Arrays, scale: float) -> Arrays:
    return [g * scale for g in gradients]


def _clipped(gradients: Arrays, threshold: float) -> Arrays:
    return _scaled(gradients, threshold / max(_norm(gradients), threshold))


_WRONG_CLIPS: list[tuple[Callable[[Arrays, float], Arrays], str]] = [
    (
        lambda gs, c: _scaled(gs, c / _norm(gs)),
        "your function rescales every gradient to the threshold. That lengthens the "
        "short ones; a gradient whose norm is below the threshold stays as it is",
    ),
    (
        lambda gs, c: [g * (c / max(np.linalg.norm(g), c)) for g in gs],
        "your function clips each array by its own norm, as `clipnorm` does. Take one "
        "norm over all arrays, and one factor for all of them",
    ),
    (
        lambda gs, c: [np.clip(g, -c, c) for g in gs],
        "your function clips by value: it cuts the entries. Shorten the whole gradient "
        "by one factor",
    ),
    (
        lambda gs, c: _scaled(gs, c / max(sum(np.linalg.norm(g) for g in gs), c)),
        "your function adds up the norms of the arrays. The norm of all of them "
        "together is the root of the sum of their squares",
    ),
    (
        lambda gs, c: _scaled(gs, c / max(_norm(gs) ** 2, c)),
        "your function takes the sum of the squares for the norm; the root is missing",
    ),
    (
        lambda gs, c: _scaled(gs, min(1, _norm(gs) / c)),
        "your factor is upside down: the longer the gradient, the smaller it must be",
    ),
    (
        lambda gs, c: _scaled(gs, 0.0) if _norm(gs) > c else gs,
        "your function drops what is too long. Shorten it to the threshold",
    ),
]


def _gradients_to_try() -> list[tuple[Arrays, float]]:
    """Return gradients of several shapes, above and below the threshold."""
    random = np.random.default_rng(5)
    cases = [([np.array([3.0]), np.array([4.0])], 1.0)]
    for threshold, size in ((1.0, 3.0), (0.5, 0.02), (2.0, 0.4), (5.0, 40.0)):
        shapes = [(4, 3), (3,), (3, 1)]
        cases.append(([size * random.normal(size=s) for s in shapes], threshold))
    # all below one entry's threshold, yet too long together
    cases.append(([np.full((6, 6), 0.4), np.full(6, 0.4)], 1.0))
    return cases


@exercise(
    hints=[
        "First the norm of everything together: the root of the sum of the squares of "
        "all entries of all arrays.",
        "Then one factor for all arrays: `threshold / norm`, where the norm is above "
        "the threshold. And where it is not?",
        "The factor is `min(1, threshold / norm)`. To be safe with a gradient that is "
        "all zeros, write it as `threshold / max(norm, threshold)`.",
    ],
    solution="""
import numpy as np


def clip(gradients, threshold):
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * threshold / max(norm, threshold) for g in gradients]
""",
)
def clip_by_global_norm(clip: Any) -> str:
    """Write a function that clips a list of arrays by the norm of all together.

    It takes the gradients and the threshold, and returns the clipped gradients: a list
    of as many arrays, of the same shapes.
    """
    expect_function(clip, "clip", ["gradients", "threshold"])
    cases = _gradients_to_try()
    given = [
        _arrays(clip([g.copy() for g in gradients], threshold), gradients)
        for gradients, threshold in cases
    ]

    def agrees(expected: Callable[[Arrays, float], Arrays]) -> list[bool]:
        return [
            all(
                np.allclose(a, e, rtol=1e-4, atol=1e-7)
                for a, e in zip(answer, expected(*case), strict=True)
            )
            for answer, case in zip(given, cases, strict=True)
        ]

    right = agrees(_clipped)
    if not all(right):
        for wrong, reason in _WRONG_CLIPS:
            if all(agrees(wrong)):
                raise NotYet(reason)
        gradients, threshold = cases[right.index(False)]
        raise NotYet(
            f"a gradient of norm {_norm(gradients):.3g} comes back with the norm "
            f"{_norm(given[right.index(False)]):.3g} at a threshold of {threshold:g}; "
            f"it should have {_norm(_clipped(gradients, threshold)):.3g}, and the "
            "direction that it had"
        )
    _check_inputs_kept(clip)
    with np.errstate(all="ignore"):
        zeros = _arrays(clip([np.zeros(3), np.zeros(2)], 1.0), [np.zeros(3)] * 2, False)
    if not all(np.all(a == 0) for a in zeros):
        raise NotYet(
            "a gradient that is all zeros comes back as something else: you divide by "
            "its norm. Which divisor is never zero?"
        )
    return (
        "Three lines, and what `global_clipnorm` does. The direction stays, since all "
        "entries of all arrays get the same factor."
    )


def _arrays(value: Any, like: Arrays, shapes: bool = True) -> Arrays:
    if value is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    try:
        arrays = [np.asarray(a, dtype=float) for a in value]
    except (TypeError, ValueError):
        raise NotYet(
            f"your function returns a value of type `{type(value).__name__}`; return a "
            "list of arrays"
        ) from None
    if len(arrays) != len(like) or (
        shapes and [a.shape for a in arrays] != [g.shape for g in like]
    ):
        raise NotYet(
            f"your function returns arrays of shapes {[a.shape for a in arrays]} for "
            f"gradients of shapes {[g.shape for g in like]}; they must stay the same"
        )
    return arrays


def _check_inputs_kept(clip: Callable) -> None:
    gradients = [np.array([30.0, 40.0]), np.array([0.0])]
    clip(gradients, 1.0)
    if gradients[0].tolist() != [30.0, 40.0]:
        raise NotYet(
            "your function changes the arrays that it gets. Make new ones: `g * scale` "
            "in place of `g *= scale`"
        )


# --------------------------------------------------------------------------------------
# 2  Which gradients are wrong?
# --------------------------------------------------------------------------------------

_random = np.random.default_rng(8)
_X = _random.normal(size=40)
_Y = np.sin(2 * _X) + 0.1 * _random.normal(size=40)


def _parts(w: Any, dtype: type = np.float64) -> tuple[np.ndarray, ...]:
    w = np.asarray(w, dtype)
    if w.shape != (4,):
        raise ValueError(f"w must be four weights; got the shape {w.shape}.")
    h = np.tanh(w[0] * _X.astype(dtype) + w[1])
    return w, h, w[2] * h + w[3] - _Y.astype(dtype)


def loss(w: np.ndarray) -> float:
    """Return the mean squared error of one tanh unit with four weights.

    Parameters
    ----------
    w : array of shape (4,)
        Weight and bias of the unit, then of the output.

    Returns
    -------
    float
    """
    return float(np.mean(_parts(w)[2] ** 2))


def _slopes(outer: np.ndarray, inner: np.ndarray, h: np.ndarray) -> np.ndarray:
    x = _X.astype(h.dtype)
    return np.stack(
        [np.mean(inner * x), np.mean(inner), np.mean(outer * h), np.mean(outer)]
    )


def _right(w: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    w, h, error = _parts(w, dtype)
    return _slopes(2 * error, 2 * error * w[2] * (1 - h**2), h)


def _without_factor(w: np.ndarray) -> np.ndarray:
    return _right(w) / 2


def _wrong_slope(w: np.ndarray) -> np.ndarray:
    w, h, error = _parts(w)
    return _slopes(2 * error, 2 * error * w[2] * (1 - h), h)


def _right_at_one(w: np.ndarray) -> np.ndarray:
    w, h, error = _parts(w)
    return _slopes(2 * error, 2 * error * w[2] ** 2 * (1 - h**2), h)


def _in_single_precision(w: np.ndarray) -> np.ndarray:
    return _right(w, np.float32)


suspects: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "Ada": _right,
    "Bob": _without_factor,
    "Cleo": _wrong_slope,
    "Dan": _right_at_one,
    "Eve": _in_single_precision,
}
"""Five gradients of `loss`, by name; each takes four weights."""

_WRONG = {"Bob", "Cleo", "Dan"}


@exercise(
    hints=[
        "Compute the difference quotient of `exercises.loss` for each of the four "
        "weights, with a step of 1e-5, and hold each suspect against it.",
        "`np.ones(4)` is a special place: 1 is its own square and its own root. Check "
        "at random weights as well.",
        "A relative error of some 1e-7 is no bug: it is single precision. All wrong "
        "ones are off by more than a hundredth at most places.",
    ],
    solution="""
import numpy as np

from nnperf_utils.exercises import gradient_clipping as exercises


def numeric(w, step=1e-5):
    moves = step * np.eye(4)
    return np.array(
        [
            (exercises.loss(w + m) - exercises.loss(w - m)) / (2 * step)
            for m in moves
        ]
    )


w = np.random.default_rng(0).normal(size=4)
wrong = {
    name
    for name, gradient in exercises.suspects.items()
    if np.linalg.norm(gradient(w) - numeric(w))
    > 1e-3 * np.linalg.norm(numeric(w))
}
""",
)
def wrong_gradients(wrong: Any) -> str:
    """Name those of `suspects` that are not the gradient of `loss`.

    `wrong` is a set (or list) of names.
    """
    names = _names(wrong)
    if not names:
        raise NotYet("`wrong` is empty, and at least one of the five is wrong")
    if "Eve" in names:
        raise NotYet(
            "you accuse Eve, whose gradient is off by some 1e-7 only, and equally so "
            "everywhere: she computes in single precision. Is your step so small, or "
            "your limit so strict, that rounding looks like a bug?"
        )
    if "Ada" in names:
        raise NotYet(
            "you accuse Ada, whose gradient agrees with a central difference of step "
            "1e-5 to nine digits or so. Look at your own step, in double precision"
        )
    missed = _WRONG - names
    if missed == {"Dan"}:
        raise NotYet(
            "one more is wrong. At `np.ones(4)` it looks right; where else have you "
            "looked?"
        )
    if missed:
        count = {1: "one more is", 2: "two more are"}[len(missed)]
        raise NotYet(
            f"{count} wrong. Hold each suspect against difference quotients of "
            "`exercises.loss`, at random weights"
        )
    return (
        "Bob forgets the factor 2, Cleo takes 1 - tanh for the slope of tanh, and Dan "
        "multiplies by a squared weight, which nobody sees where that weight is 1. Eve "
        "is right to the digits that she has."
    )


def _names(wrong: Any) -> set[str]:
    if isinstance(wrong, str):
        wrong = [wrong]
    if isinstance(wrong, Mapping):
        raise NotYet("`wrong` is a dictionary; give a set of names, `{'Ada', 'Eve'}`")
    try:
        names = {str(name).strip().capitalize() for name in wrong}
    except TypeError:
        raise NotYet(
            f"`wrong` is of type `{type(wrong).__name__}`; give a set of names, such "
            "as `{'Ada', 'Eve'}`"
        ) from None
    if unknown := sorted(names - set(suspects)):
        raise NotYet(
            f"there is no suspect {unknown[0]!r}; they are {', '.join(suspects)}"
        )
    return names


# --------------------------------------------------------------------------------------
# 3  What clipping buys
# --------------------------------------------------------------------------------------


@exercise(
    hints=[
        "One rate is one call: `replicate(build, data, seeds=5, epochs=20, "
        "batch_size=29)`. `runs.history` holds the rows with `metric == 'val_loss'` "
        "and the last epoch; a run that diverged has NaN there.",
        "Put it in a function of the rate and the clipping threshold, and double the "
        "rate until a run is lost: first with `global_clipnorm=None`, then with 1.",
        "One lost run of five is enough. The largest rate is the last one before the "
        "first at which a run is lost.",
    ],
    solution="""
import keras
import numpy as np

from nnperf_utils import compare
from nnperf_utils.datasets import load_sunspots

data = load_sunspots(window=11, scale_target=True)
rates = [0.1, 0.2, 0.4, 0.8, 1.6]
never = 1e9


def network(rate, clip):
    recurrent = keras.layers.SimpleRNN(16, unroll=True)
    layers = [keras.Input((11, 1)), recurrent, keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(rate, global_clipnorm=clip), "mse")
    return model


runs = compare(
    {"tanh": network},
    data,
    seeds=5,
    grid={"clip": [1.0, never], "rate": rates},
    choose=False,
    epochs=20,
    batch_size=29,
    progress=False,
)
losses = runs.by_arm(levels=True, diverged=np.nan)
plain, clipped = (
    {rate: list(losses[clip][rate]) for rate in rates} for clip in (never, 1.0)
)


def largest_safe(losses):
    safe = None
    for rate in rates:
        if not np.all(np.array(losses[rate]) < 0.77):  # NaN is not, either
            return safe
        safe = rate


largest = (largest_safe(plain), largest_safe(clipped))
""",
)
def what_clipping_buys(plain: Any, clipped: Any, largest: Any) -> str:
    """Find the largest learning rate that no run is lost at, with clipping and without.

    `plain` and `clipped` hold your own runs: a dictionary, learning rate to the final
    validation losses of at least five seeds; rates 0.1, 0.2, 0.4, and so on, up to one
    at which a run is lost. `largest` is the pair of the largest rates up to which none
    is.
    """
    borders = tuple(
        _border(name, losses)
        for name, losses in (("plain", plain), ("clipped", clipped))
    )
    try:
        pair = tuple(float(rate) for rate in largest)
        assert len(pair) == 2
    except (TypeError, ValueError, AssertionError):
        raise NotYet(
            f"`largest` is {str(largest)[:40]!r}; give a pair of learning rates, "
            "(plain, clipped)"
        ) from None
    for name, rate, border in zip(("plain", "clipped"), pair, borders, strict=True):
        if not np.isclose(rate, border):
            swapped = np.allclose(pair, borders[::-1])
            raise NotYet(
                "you have the two rates in the wrong order; it is (plain, clipped)"
                if swapped
                else f"by your own numbers the largest rate of `{name}` up to which no "
                f"run is lost is {border:g}, and you conclude {rate:g}"
            )
    gain = borders[1] / borders[0]
    if gain > 1:
        bought = f"Clipping buys this network {gain:g} times the learning rate"
    elif gain == 1:
        bought = "Clipping buys this network nothing, at this spacing of rates"
    else:
        bought = f"Clipping costs this network a factor of {1 / gain:g}"
    best = [
        min(float(np.median(_finite(v))) for v in _by_rate("", losses).values())
        for losses in (plain, clipped)
    ]
    return (
        f"{bought}. The best median loss at any of your rates is {best[0]:.2f} without "
        f"and {best[1]:.2f} with clipping. Is a larger rate worth anything by itself?"
    )


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.inf)


def _by_rate(name: str, losses: Any) -> dict[float, np.ndarray]:
    if not isinstance(losses, Mapping):
        raise NotYet(
            f"`{name}` is of type `{type(losses).__name__}`; make it a dictionary, "
            "learning rate to a list of final validation losses"
        )
    if not losses:
        raise NotYet(f"`{name}` is empty: no learning rate is measured")
    by_rate = {}
    for rate, values in losses.items():
        if not isinstance(rate, Real) or isinstance(rate, bool) or not rate > 0:
            raise NotYet(f"`{name}` has the key {rate!r}, which is no learning rate")
        try:
            by_rate[float(rate)] = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            raise NotYet(
                f"the losses of `{name}` at {rate:g} are no numbers; give a list, one "
                "for each seed"
            ) from None
    return by_rate


def _border(name: str, losses: Any) -> float:
    """Return the largest rate before the first at which a run is lost."""
    by_rate = _by_rate(name, losses)
    for rate, values in by_rate.items():
        if values.ndim != 1 or len(values) < FEWEST_SEEDS:
            count = f"{len(values)}" if values.ndim == 1 else f"shape {values.shape}"
            raise NotYet(
                f"`{name}` has {count} values at {rate:g}; train at least "
                f"{FEWEST_SEEDS} seeds at each rate"
            )
        finite = values[np.isfinite(values)]
        if len(finite) > 1 and np.ptp(finite) == 0:
            raise NotYet(
                f"all losses of `{name}` at {rate:g} are the same: that is one seed "
                "repeated"
            )
        if (finite < 0).any():
            raise NotYet(f"`{name}` has a negative loss at {rate:g}, which MSE is not")
    rates = sorted(by_rate)
    lost = [not np.all(by_rate[rate] < LOST) for rate in rates]
    if not any(lost):
        raise NotYet(
            f"no run of `{name}` is lost up to a rate of {rates[-1]:g}. Go on doubling "
            "until one is"
        )
    first = lost.index(True)
    if not np.isclose(rates[0], FIRST_RATE) or first == 0:
        raise NotYet(
            f"`{name}` is lost at {rates[0]:g} already, the least that you measured. "
            "Are inputs and targets scaled (`scale_target=True`)?"
            if first == 0
            else f"`{name}` begins at {rates[0]:g}; begin at {FIRST_RATE:g}"
        )
    for low, high in pairwise(rates[: first + 1]):
        if not np.isclose(high, 2 * low):
            raise NotYet(
                f"`{name}` goes from {low:g} to {high:g}; double the rate each time, "
                "so that the two can be compared"
            )
    return rates[first - 1]

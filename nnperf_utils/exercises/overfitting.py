"""Exercises of the chapter on overfitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    seed_numbers,
)

__all__ = ["l1_step", "stop", "weight_decay"]

FEWEST_VALUES, FEWEST_SEEDS = 4, 3


# --------------------------------------------------------------------------------------
# 1  Early stopping by hand
# --------------------------------------------------------------------------------------


def _stop(losses: np.ndarray, patience: int) -> tuple[int, int]:
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch and epoch - best >= patience:
            return epoch + 1, best + 1
    return len(losses), best + 1


def _without_reset(losses: np.ndarray, patience: int) -> tuple[int, int]:
    best, waited = 0, 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch:
            waited += 1
            if waited >= patience:
                return epoch + 1, best + 1
    return len(losses), best + 1


def _against_previous(losses: np.ndarray, patience: int) -> tuple[int, int]:
    waited = 0
    for epoch in range(1, len(losses)):
        waited = 0 if losses[epoch] < losses[epoch - 1] else waited + 1
        if waited >= max(patience, 1):
            return epoch + 1, int(np.argmin(losses[: epoch + 1])) + 1
    return len(losses), int(np.argmin(losses)) + 1


def _at_equality(losses: np.ndarray, patience: int) -> tuple[int, int]:
    # the count is 1 at the first epoch without a new low: it never equals 0 there
    return _stop(losses, patience if patience else len(losses))


_WRONG_STOPS = [
    (
        lambda losses, p: tuple(np.array(_stop(losses, p)) - 1),
        "your epochs count from 0; the first epoch is epoch 1",
    ),
    (
        lambda losses, p: _stop(losses, p)[::-1],
        "your two numbers are in the other order: first the epoch after which "
        "training stops, then the one to keep",
    ),
    (
        lambda losses, p: (_stop(losses, p)[0],) * 2,
        "you keep the weights of the epoch at which training stops. Keep those of the "
        "lowest loss up to then",
    ),
    (
        lambda losses, p: (_stop(losses, p)[0], int(np.argmin(losses)) + 1),
        "you keep the epoch with the lowest loss of all, which may lie after the stop. "
        "Once training has stopped, there is no such epoch",
    ),
    (
        lambda losses, p: _stop(losses, p + 1),
        "you stop one epoch too late: with a patience of 1, the first epoch without a "
        "new lowest loss is the last",
    ),
    (
        _at_equality,
        "with a patience of 0, Keras's default, you never stop: your count is 1 at the "
        "first epoch without a new lowest loss. Stop when it is the patience or more",
    ),
    (
        _without_reset,
        "you count all epochs without a new lowest loss. They must come in a row: a "
        "new lowest loss sets the count back to 0",
    ),
    (
        _against_previous,
        "you compare each epoch with the one before. Compare it with the lowest loss "
        "so far: a loss that falls back a little after a rise is no new low",
    ),
]


def _losses_to_try() -> list[tuple[np.ndarray, int]]:
    """Return one easy case, then curves that fall, turn, waver and fall late."""
    random = np.random.default_rng(12)
    cases = [
        (np.array([0.9, 0.7, 0.6, 0.65, 0.7, 0.8]), 2),
        (np.array([0.9, 0.8, 0.85, 0.7, 0.75, 0.72, 0.74, 0.5]), 3),
        (np.array([0.9, 0.8, 0.7, 0.6]), 1),
        (np.array([0.5, 0.7, 0.6, 0.65, 0.4]), 2),
    ]
    for patience in (1, 2, 3, 5, 0, 0):
        curve = 1 / np.arange(1, 21) + 0.02 * np.arange(20)
        cases.append((curve + random.normal(0, 0.06, 20), patience))
    return cases


@exercise(
    hints=[
        "Go through the epochs and remember two things: the lowest loss so far with "
        "its epoch, and how many epochs have passed since.",
        "At each epoch: is its loss below the lowest so far? Then it is the new best "
        "one, and the count goes back to 0. If not, the count grows by one.",
        "As soon as the count has grown to the patience or beyond it (`>=`, since a "
        "patience of 0 stops at a count of 1), return the present epoch and the best "
        "one. After the loop, return the last epoch and the best one.",
    ],
    solution="""
def stop(losses, patience):
    best, waited = 1, 0
    for epoch, loss in enumerate(losses, start=1):
        if epoch == 1 or loss < losses[best - 1]:
            best, waited = epoch, 0
        else:
            waited += 1
            if waited >= patience:
                return epoch, best
    return len(losses), best
""",
)
def stop(stop: Any) -> str:
    """Write a function that stops early.

    It takes the validation losses of all epochs and a patience, and returns the epoch
    after which training stops and the epoch to keep, both counted from 1.
    """
    expect_function(stop, "stop", ["losses", "patience"])
    cases = _losses_to_try()
    found = [_two_epochs(stop(losses.copy(), p)) for losses, p in cases]
    right = [pair == _stop(*case) for pair, case in zip(found, cases, strict=True)]
    if all(right):
        return (
            "That is what Keras's callback does with `restore_best_weights=True`. It "
            "never sees what comes after the stop: a patience too small misses a lower "
            "loss further on."
        )
    for wrong, reason in _WRONG_STOPS:
        if all(
            pair == tuple(int(n) for n in wrong(*case))
            for pair, case in zip(found, cases, strict=True)
        ):
            raise NotYet(reason)
    failed = right.index(False)
    losses, patience = cases[failed]
    shown = np.array2string(losses, precision=2, separator=", ", threshold=10)
    raise NotYet(
        f"for the losses `{shown}` and a patience of {patience} it returns "
        f"{found[failed]}, and the right answer is {_stop(losses, patience)}"
    )


def _two_epochs(value: Any) -> tuple[int, int]:
    if value is None:
        raise NotYet(
            "your function returns nothing for some losses. What if training never "
            "stops early: does it return something after the loop?"
        )
    try:
        pair = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        raise NotYet(
            f"your function returns a value of type `{type(value).__name__}`; return "
            "two epochs"
        ) from None
    if pair.size != 2 or not np.isfinite(pair).all():
        raise NotYet(
            f"your function returns {pair.size} number(s); return two epochs: the one "
            "after which training stops, and the one to keep"
            if pair.size != 2
            else "your function returns something that is not finite; return epochs"
        )
    if (pair != pair.round()).any():
        raise NotYet(
            "your function returns fractions; return epochs, not losses: whole "
            "numbers, counted from 1"
        )
    return int(pair[0]), int(pair[1])


# --------------------------------------------------------------------------------------
# 2  An L1 step with real zeros
# --------------------------------------------------------------------------------------


def _soft(w: np.ndarray, g: np.ndarray, eta: float, alpha: float) -> np.ndarray:
    u = w - eta * g
    return np.sign(u) * np.maximum(np.abs(u) - eta * alpha, 0)


_WRONG_STEPS = [
    (
        lambda w, g, eta, alpha: w - eta * alpha * np.sign(w) - eta * g,
        "that is the step that Keras takes: a weight near zero jumps across it. Stop "
        "it at zero",
    ),
    (
        lambda w, g, eta, alpha: w - eta * g - eta * alpha * np.sign(w - eta * g),
        "the order is right, but a weight closer to zero than eta × alpha jumps across "
        "it. Stop it at zero",
    ),
    (
        lambda w, g, eta, alpha: w * (1 - eta * alpha) - eta * g,
        "that takes a share of each weight, which is L2's way. L1 takes the same "
        "amount from each",
    ),
    (
        lambda w, g, eta, alpha: w * (1 - 2 * eta * alpha) - eta * g,
        "that takes a share of each weight, which is L2's way. L1 takes the same "
        "amount from each",
    ),
    (
        lambda w, g, eta, alpha: (
            np.sign(w) * np.maximum(np.abs(w) - eta * alpha, 0) - eta * g
        ),
        "you shrink before the gradient step, which moves the zeros away again. First "
        "the gradient step, then toward zero",
    ),
    (
        lambda w, g, eta, alpha: (
            np.sign(w - eta * g) * np.maximum(np.abs(w - eta * g) - alpha, 0)
        ),
        "you move each weight by alpha; the step toward zero is eta × alpha long, as "
        "every step",
    ),
    (
        lambda w, g, eta, alpha: np.maximum(w - eta * g - eta * alpha, 0),
        "negative weights become zero at once. They move up toward zero, by as much as "
        "positive ones move down",
    ),
    (
        lambda w, g, eta, alpha: np.where(
            np.abs(w - eta * g) < eta * alpha, 0, w - eta * g
        ),
        "small weights become zero, but the large ones do not move. The penalty takes "
        "its amount from all of them",
    ),
    (
        lambda w, g, eta, alpha: (
            np.sign(w) * np.maximum(np.abs(w - eta * g) - eta * alpha, 0)
        ),
        "you take the sign of the old weight. Take that of the weight after its "
        "gradient step, which may have crossed zero by itself",
    ),
]


@exercise(
    hints=[
        "Call the weight after its gradient step `u = w - eta * g`. What is left to do "
        "depends on `u` alone.",
        "If `u` is farther from zero than `eta * alpha`, move it by that much toward "
        "zero. If not, the result is 0.",
        "The sign stays and the size shrinks, to 0 at least: "
        "`np.sign(u) * np.maximum(np.abs(u) - eta * alpha, 0)`.",
    ],
    solution="""
import numpy as np


def l1_step(w, g, eta, alpha):
    u = w - eta * g
    return np.sign(u) * np.maximum(np.abs(u) - eta * alpha, 0)
""",
)
def l1_step(l1_step: Any) -> str:
    """Write a gradient step with an L1 penalty that leaves exact zeros.

    It takes the weights and the gradient of the loss, two arrays of one shape, the
    learning rate and the strength of the penalty, and returns the new weights.
    """
    expect_function(l1_step, "l1_step", ["w", "g", "eta", "alpha"])
    random = np.random.default_rng(12)
    cases = [(np.array([0.5, -0.5, 0.004, -0.004, 0.0]), np.zeros(5), 0.1, 0.1)]
    for eta, alpha in ((0.1, 0.5), (0.5, 0.2), (0.02, 3.0)):
        # gradients that are large enough to carry some weights across zero
        w, g = random.normal(0, 0.1, 40), random.normal(0, 1, 40)
        cases.append((w, g, eta, alpha))
    results = [_new_weights(l1_step(w.copy(), g.copy(), *n), w) for w, g, *n in cases]

    def agrees(expected: Any) -> list[bool]:
        return [
            bool(np.allclose(result, expected(*case), rtol=0, atol=1e-6))
            for result, case in zip(results, cases, strict=True)
        ]

    right = agrees(_soft)
    if all(right):
        exact = [
            np.array_equal(result == 0, _soft(*case) == 0)
            for result, case in zip(results, cases, strict=True)
        ]
        if not all(exact):
            raise NotYet(
                "some weights come close to zero and are not exactly 0; set them to 0 "
                "rather than computing a tiny difference"
            )
        return (
            "This step is called soft thresholding. With it, L1 does what it is known "
            "for: a weight whose gradient is smaller than alpha ends at exactly 0, and "
            "stays."
        )
    for wrong, reason in _WRONG_STEPS:
        if all(agrees(wrong)):
            raise NotYet(reason)
    failed = right.index(False)
    case, result = cases[failed], results[failed]
    at = int(np.argmax(np.abs(result - _soft(*case))))
    raise NotYet(
        f"for w = {case[0][at]:.3g}, g = {case[1][at]:.3g}, eta = {case[2]:g} and "
        f"alpha = {case[3]:g} it returns {result[at]:.3g}, and the weight should be "
        f"{_soft(*case)[at]:.3g}"
    )


def _new_weights(value: Any, w: np.ndarray) -> np.ndarray:
    value = returned_array(value, "the new weights, an array")
    if value.shape != w.shape:
        raise NotYet(
            f"for {w.size} weights your function returns an array of shape "
            f"{value.shape}; return one new weight for each"
        )
    if not np.isfinite(value).all():
        raise NotYet("some of the new weights are not finite numbers")
    return value


# --------------------------------------------------------------------------------------
# 3  Weight decay, tuned
# --------------------------------------------------------------------------------------


@exercise(
    hints=[
        "Three runs of one value are one call: `replicate(build, data, seeds=3, "
        "epochs=20, batch_size=46)`, where `build` compiles the network with "
        "`keras.optimizers.AdamW(0.003, weight_decay=value)`. Or give all values to "
        "`compare` at once.",
        "`runs.history` holds all epochs and metrics. Keep the rows with "
        "`metric == 'val_loss'` and the last epoch.",
        "Space the values by a factor, such as 0.1, 1, 10. Adam's step is about as "
        "large as the learning rate, so a decay that matters takes away about as much: "
        "try values above 1, too.",
    ],
    solution="""
import keras

from nnperf_utils import compare
from nnperf_utils.datasets import load_diabetes
from nnperf_utils.models import mlp

data = load_diabetes()


def with_decay(decay):
    def build():
        optimizer = keras.optimizers.AdamW(0.003, weight_decay=decay)
        return mlp(data, hidden_layers=2, units=64, optimizer=optimizer)

    return build


decays = [0.1, 1.0, 10.0, 100.0]
result = compare(
    {str(decay): with_decay(decay) for decay in decays},
    data,
    seeds=3,
    epochs=20,
    batch_size=46,
    metric="val_loss",
    progress=False,
    jit_compile=False,
)
scores = result.scores().groupby("variant")["value"].apply(list)
losses = {decay: scores[str(decay)] for decay in decays}
best_decay = min(decays, key=lambda decay: sum(losses[decay]))
""",
)
def weight_decay(losses: Any, best_decay: Any) -> str:
    """Tune AdamW's weight decay until the best value has a worse one on both sides.

    `losses` holds the final validation losses of your own runs: a dictionary, weight
    decay to the losses of at least three seeds. `best_decay` is the best value.
    """
    by_decay = _by_decay(losses)
    if len(by_decay) < FEWEST_VALUES:
        raise NotYet(
            f"you have tried {len(by_decay)} value(s) of the weight decay; try at "
            f"least {FEWEST_VALUES}"
        )
    means = {decay: float(np.mean(v)) for decay, v in by_decay.items()}
    decays = sorted(means)
    best = min(decays, key=lambda decay: means[decay])
    try:
        chosen = float(best_decay)
    except (TypeError, ValueError):
        raise NotYet(
            f"`best_decay` is of type `{type(best_decay).__name__}`; give one of the "
            "values that you tried"
        ) from None
    if chosen not in means:
        raise NotYet(f"`best_decay` is {chosen:g}, which is not among your values")
    if chosen != best:
        worst = max(decays, key=lambda decay: means[decay])
        raise NotYet(
            f"your value {chosen:g} has the highest mean loss; a lower loss is better"
            if chosen == worst
            else f"your value {chosen:g} has a mean loss of {means[chosen]:.3f}, and "
            f"{best:g} has {means[best]:.3f}"
        )
    if best in (decays[0], decays[-1]):
        end, way = (
            ("smallest", "smaller") if best == decays[0] else ("largest", "larger")
        )
        raise NotYet(
            f"your best value, {best:g}, is the {end} that you tried, so a {way} one "
            "may be better still. Go on until it gets worse"
        )
    left, right = means[decays[0]], means[decays[-1]]
    return (
        f"The valley lies around {best:g} (mean validation loss {means[best]:.3f}), "
        f"with {left:.3f} at {decays[0]:g} and {right:.3f} at {decays[-1]:g}. Is "
        "Keras's own default, 0.004, in it? A weight decay is no L2 strength: the two "
        "have valleys in different places."
    )


def _by_decay(losses: Any) -> dict[float, np.ndarray]:
    if not isinstance(losses, Mapping):
        raise NotYet(
            f"`losses` is of type `{type(losses).__name__}`; make it a dictionary, "
            "weight decay to a list of losses"
        )
    if not losses:
        raise NotYet("`losses` is empty: no value has been tried")
    by_decay = {}
    for key, values in losses.items():
        try:
            decay = float(key)
        except (TypeError, ValueError):
            decay = -1.0
        if decay < 0 or isinstance(key, bool) or not np.isfinite(decay):
            raise NotYet(f"{key!r} is no weight decay; give a number, 0 or more")
        values = seed_numbers(values, f"the losses of {decay:g}")
        if values.ndim != 1 or len(values) < FEWEST_SEEDS:
            raise NotYet(
                f"the value {decay:g} has {values.size} loss(es); train it from at "
                f"least {FEWEST_SEEDS} seeds"
                if values.ndim == 1
                else f"the losses of {decay:g} have shape {values.shape}; give the "
                "final one of each seed"
            )
        if not np.isfinite(values).all() or (values <= 0).any():
            raise NotYet(
                f"the value {decay:g} has a loss that is not a number above 0; is it "
                "the validation loss of the last epoch?"
            )
        if np.unique(values).size == 1:
            raise NotYet(
                f"all seeds of {decay:g} have the same loss; they must start from "
                "different seeds"
            )
        by_decay[decay] = values
    if len(by_decay) > 1 and all(
        np.array_equal(values, next(iter(by_decay.values())))
        for values in by_decay.values()
    ):
        raise NotYet(
            "all values have exactly the same losses: does the value reach the "
            "optimizer?"
        )
    return by_decay

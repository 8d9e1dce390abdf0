"""Exercises of the chapter on a first network.

`load_tags` makes the examples that `tags` is about.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pandas as pd

from nnperf_utils.engine.starts import preserved_random_state
from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    expect_network,
    seed_numbers,
)
from nnperf_utils.statistics import summarize

__all__ = ["load_tags", "sgd_step", "tags", "zeros_matter"]

INPUTS, TAGS = 8, 4
LEAST_RIGHT = 0.85  # of the tags, on examples that the check has drawn anew
FEWEST_SEEDS = 10
_VERDICTS = ("better", "worse", "no difference found")
_EXAMPLES, _EPOCHS = 1000, 15


# --------------------------------------------------------------------------------------
# 1  One step of gradient descent
# --------------------------------------------------------------------------------------


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _step(w, b, x, y, rate, *, pull=lambda p, y: p - y, mean=True):
    """Take a step along `pull`, the derivative of the loss by the logit."""
    d = pull(_sigmoid(x @ w + b), y)
    n = len(y) if mean else 1
    return w - rate * x.T @ d / n, b - rate * d.sum() / n


def _linear_step(w, b, x, y, rate):
    d = x @ w + b - y
    return w - rate * x.T @ d / len(y), b - rate * d.mean()


_WRONG_STEPS = [
    (
        lambda *a: _step(*a[:4], -a[4]),
        "your step goes uphill: the gradient points to where the loss grows, so "
        "subtract it",
    ),
    (
        lambda *a: _step(*a, mean=False),
        "you add up the gradients of all examples. The loss is their mean: divide by "
        "the number of examples",
    ),
    (
        lambda *a: _step(*a, pull=lambda p, y: 2 * (p - y) * p * (1 - p)),
        "that is the gradient of the squared error. With cross-entropy the slope of "
        "the sigmoid cancels, and `p - y` remains",
    ),
    (
        lambda *a: _step(*a, pull=lambda p, y: (p - y) * p * (1 - p)),
        "you multiply by the slope of the sigmoid. With cross-entropy the loss's own "
        "slope cancels it, and `p - y` remains",
    ),
    (
        lambda *a: _step(*a, pull=lambda p, y: 2 * (p - y)),
        "your step is twice as long as it should be: there is no square to take the "
        "derivative of",
    ),
    (
        _linear_step,
        "your unit has no sigmoid: the probability is `1 / (1 + exp(-(x @ w + b)))`",
    ),
    (
        lambda w, b, x, y, rate: _step(w, b, x, y, 1.0),
        "your step does not depend on the learning rate",
    ),
    (
        lambda w, b, x, y, rate: (_step(w, b, x, y, rate)[0], b),
        "the bias stays where it is. Its gradient is the mean of `p - y`",
    ),
    (
        lambda w, b, x, y, rate: (
            _step(w, b, x, y, rate)[0],
            _step(w, b, x, y, rate, mean=False)[1],
        ),
        "the weights are right, but the bias's step adds up over the examples: take "
        "the mean",
    ),
    (
        lambda w, b, x, y, rate: (
            w - _step(w, b, x, y, rate)[0],
            b - _step(w, b, x, y, rate)[1],
        ),
        "you return the step, or the gradient. Subtract it from the old weights",
    ),
    (
        lambda w, b, x, y, rate: (
            w - _step(w, b, x, y, 1.0)[0],
            b - _step(w, b, x, y, 1.0)[1],
        ),
        "you return the gradient. Multiply it by the rate and subtract it from the old "
        "weights",
    ),
]


def _steps_to_try() -> list[tuple]:
    random = np.random.default_rng(1)
    cases = []
    for n, k, rate in ((4, 2, 0.5), (30, 3, 0.1), (7, 7, 2.0)):
        cases.append(
            (
                random.normal(0, 1, k),
                float(random.normal()),
                random.normal(0, 1, (n, k)),
                random.integers(0, 2, n).astype(float),
                rate,
            )
        )
    return cases


@exercise(
    hints=[
        "Four lines: the logits `z` of all examples, the probabilities `p`, the "
        "gradient, the step. The chapter has the loss's derivative by the logit.",
        "It is `p - y`, one number for each example. The logit sums weight times "
        "input, so the gradient of a weight is the mean, over the examples, of "
        "`(p - y)` times its input; that of the bias is the mean of `p - y`.",
        "In NumPy the mean for all weights at once is `x.T @ (p - y) / len(y)`. "
        "Subtract the rate times that from `w`.",
    ],
    solution="""
import numpy as np


def sgd_step(w, b, x, y, rate):
    p = 1 / (1 + np.exp(-(x @ w + b)))
    error = p - y
    return w - rate * x.T @ error / len(y), b - rate * error.mean()
""",
)
def sgd_step(sgd_step: Any) -> str:
    """Write one step of gradient descent for a unit with sigmoid and cross-entropy.

    It takes the weights, the bias, the inputs (n, k), the labels (n,) and the learning
    rate, and returns the new weights and the new bias.
    """
    expect_function(sgd_step, "sgd_step", ["w", "b", "x", "y", "rate"])
    cases = _steps_to_try()
    # Copies, since a function may work in place.
    found = [
        _weights_and_bias(sgd_step(w.copy(), b, x.copy(), y.copy(), rate), w)
        for w, b, x, y, rate in cases
    ]

    def agrees(expected: Any) -> bool:
        return all(
            np.allclose(got_w, want_w, rtol=1e-4, atol=1e-7)
            and np.isclose(got_b, want_b, rtol=1e-4, atol=1e-7)
            for (got_w, got_b), (want_w, want_b) in zip(
                found, (expected(*case) for case in cases), strict=True
            )
        )

    if agrees(_step):
        return (
            "Nothing else happens when Keras trains a unit: what it said, less what "
            "was true, times the input. In a deeper network the inputs are the outputs "
            "of the layer before, and the error is passed back to it."
        )
    if agrees(lambda w, b, x, y, rate: (w, b)):
        raise NotYet("the weights that you return are the old ones")
    for wrong, reason in _WRONG_STEPS:
        if agrees(wrong):
            raise NotYet(reason)
    right = [
        np.allclose(got[0], _step(*case)[0], rtol=1e-4, atol=1e-7)
        for got, case in zip(found, cases, strict=True)
    ]
    if all(right):
        raise NotYet(
            "the weights are right, the bias is not. Its gradient is the mean of "
            "`p - y`, without an input"
        )
    _, _, x, y, rate = cases[0]
    raise NotYet(
        f"for {len(y)} examples with {x.shape[1]} inputs and the rate {rate} your "
        f"weights become {np.round(found[0][0], 4).tolist()}, and the right ones are "
        f"{np.round(_step(*cases[0])[0], 4).tolist()}"
    )


def _weights_and_bias(value: Any, w: np.ndarray) -> tuple[np.ndarray, float]:
    if value is None:
        raise NotYet("your function returns nothing; does it end with `return w, b`?")
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise NotYet(
            f"your function returns a value of type `{type(value).__name__}`; return "
            "two things, the new weights and the new bias"
        )
    try:
        weights, bias = (np.asarray(part, dtype=float) for part in value)
    except (TypeError, ValueError):
        raise NotYet("your weights and bias are not all numbers") from None
    if weights.shape != w.shape:
        raise NotYet(
            f"your weights have the shape {weights.shape}, the old ones {w.shape}. "
            "`x.T @ (p - y)` adds up over the examples and leaves one number for each "
            "weight"
        )
    if bias.size != 1:
        raise NotYet(
            f"your bias has {bias.size} values; it is one number: take the mean over "
            "the examples"
        )
    return weights, float(bias.item())


# --------------------------------------------------------------------------------------
# 2  Several labels at once
# --------------------------------------------------------------------------------------


@functools.cache
def _tags(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rule = np.random.default_rng(0).normal(0, 1, (INPUTS, TAGS))
    random = np.random.default_rng([seed, 1])
    x = random.normal(0, 1, (_EXAMPLES, INPUTS))
    # Thresholds at several heights: some tags are frequent, some are rare.
    y = x @ rule + random.normal(0, 0.3, (_EXAMPLES, TAGS)) > [-1.0, 0.0, 0.5, 1.5]
    x, y = x.astype("float32"), y.astype("float32")
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def load_tags() -> tuple[np.ndarray, np.ndarray]:
    """Return examples of which each may have any of four tags, several or none.

    Returns
    -------
    x : numpy.ndarray of float32, shape (1000, 8)
    y : numpy.ndarray of float32, shape (1000, 4)
        1 where an example has the tag, else 0.
    """
    x, y = _tags(seed=1)
    return x.copy(), y.copy()


@exercise(
    hints=[
        "Softmax makes the probabilities of a row add up to one: more dog would mean "
        "less beach. Here each tag may be there or not, whatever the others are.",
        "So it is four yes-or-no questions, asked at once. What does the chapter's "
        "table say of one such question?",
        '`keras.layers.Dense(4, "sigmoid")` and `"binary_crossentropy"`, which takes '
        "the mean over the four.",
    ],
    solution="""
import keras


def build():
    output = keras.layers.Dense(4, "sigmoid")
    loss = "binary_crossentropy"
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(32, "relu"), output]
    )
    model.compile("adam", loss)
    return model
""",
)
def tags(build: Any) -> str:
    """Build a network for examples that may have several labels at once.

    `build` takes nothing and returns a new, compiled network with eight inputs. The
    check trains it on examples such as `load_tags` gives, and looks at its answers to
    others.
    """
    expect_function(build, "build", [])
    with preserved_random_state():
        keras.utils.set_random_seed(0)
        model = build()
        _check_network(model)
        x, y = _tags(seed=1)
        new_x, new_y = _tags(seed=2)
        try:
            model.fit(x, y, epochs=_EPOCHS, batch_size=32, verbose=0)
        except (ValueError, TypeError) as error:
            raise NotYet(_shape_reason(error, model)) from None
        answers = keras.ops.convert_to_numpy(model(new_x, training=False))
    probability = _as_probability(model, answers)
    if np.allclose(answers.sum(axis=1), 1, atol=1e-3):
        raise NotYet(
            "the four answers of each example add up to 1, as softmax makes them. But "
            "an example may have several tags, or none"
        )
    _check_loss(model, answers, probability, new_y)
    right = float(((probability > 0.5) == (new_y == 1)).mean())
    if right < LEAST_RIGHT:
        guess = np.maximum(new_y.mean(axis=0), 1 - new_y.mean(axis=0)).mean()
        raise NotYet(
            f"output and loss fit together, but after {_EPOCHS} epochs only "
            f"{right:.0%} of the tags of new examples are right (guessing: "
            f"{guess:.0%}); it must be {LEAST_RIGHT:.0%}. Is there a hidden layer, "
            "with an activation, and an optimizer at a usual rate?"
        )
    several = float((new_y.sum(axis=1) > 1).mean())
    return (
        f"{right:.0%} of the tags of new examples are right, and {several:.0%} of the "
        "examples have several. Four questions, four sigmoids: this is called "
        "multi-label classification."
    )


def _check_network(model: Any) -> None:
    expect_network(model)
    if tuple(model.input_shape[1:]) != (INPUTS,):
        raise NotYet(
            f"the network takes inputs of the shape {model.input_shape[1:]}, and the "
            f"examples have {INPUTS} numbers each"
        )
    if tuple(model.output_shape[1:]) != (TAGS,):
        raise NotYet(
            f"the network's answers have the shape {model.output_shape[1:]}; the "
            f"labels have {TAGS} columns, one for each tag"
        )
    if model.loss is None:
        raise NotYet("the network is compiled without a loss")


def _loss_name(model: keras.Model) -> str:
    loss = model.loss
    return loss if isinstance(loss, str) else getattr(loss, "name", str(loss))


def _from_logits(model: keras.Model) -> bool:
    return bool(getattr(model.loss, "get_config", dict)().get("from_logits", False))


def _shape_reason(error: Exception, model: keras.Model) -> str:
    if "sparse" in _loss_name(model):
        return (
            "`sparse_categorical_crossentropy` wants the number of the one right "
            "class, and a row of these labels may hold several ones"
        )
    line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return f"training stops with `{line}`"


def _as_probability(model: keras.Model, answers: np.ndarray) -> np.ndarray:
    """Return the probabilities that the answers mean, given the loss."""
    if not np.isfinite(answers).all():
        raise NotYet("after training some answers are not finite numbers")
    inside = answers.min() >= 0 and answers.max() <= 1
    if _from_logits(model):
        if inside:
            raise NotYet(
                "the loss takes logits (`from_logits=True`), but the output has an "
                "activation already: have one of the two"
            )
        return _sigmoid(answers)
    if not inside:
        raise NotYet(
            f"the answers lie between {answers.min():.2g} and {answers.max():.2g}, so "
            "they are no probabilities, and the loss does not know that they are "
            "logits"
        )
    return answers


def _check_loss(
    model: keras.Model, answers: np.ndarray, probability: np.ndarray, y: np.ndarray
) -> None:
    """Turn down a loss that is not the mean of the tags' cross-entropies."""
    p = np.clip(probability.astype(float), 1e-7, 1 - 1e-7)
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    value = float(model.compute_loss(y=y, y_pred=keras.ops.convert_to_tensor(answers)))
    penalty = float(sum(model.losses)) if model.losses else 0.0
    if abs(value - penalty - expected) < 0.02 * expected + 1e-4:
        return
    name = _loss_name(model)
    if "categorical" in name:
        raise NotYet(
            f"`{name}` asks for the probability of the one right class. It looks only "
            "at the tags that are there, and learns nothing from those that are not"
        )
    if "squared" in name or name in ("mse", "mae") or "absolute" in name:
        raise NotYet(
            f"`{name}` is a loss for quantities. Each of these answers is a "
            "probability: which loss belongs to a sigmoid?"
        )
    raise NotYet(
        f"the loss `{name}` of these answers is {value:.3f}; the mean of "
        f"-log(probability of what is true) is {expected:.3f}"
    )


# --------------------------------------------------------------------------------------
# 3  Do the zeros matter?
# --------------------------------------------------------------------------------------


@exercise(
    hints=[
        "`replicate(build, data, seeds=10, epochs=20)` trains ten networks; "
        "`runs.history` holds their scores. Do it once for each of the two data sets, "
        "each with a `build` of its own.",
        "Keep the rows with `metric == 'val_accuracy'` and `epoch == 20`; the column "
        "`value` is what is asked for. Keep the seeds in the same order in both.",
        "The verdict: `Comparison.from_runs({'left': ..., 'replaced': ...}, "
        "metric='val_accuracy').summary()` gives it, from `nnperf_utils.comparison`. "
        "By hand: is zero outside a 95% interval of the mean paired difference?",
    ],
    solution="""
from nnperf_utils import replicate
from nnperf_utils.comparison import Comparison
from nnperf_utils.datasets import load_diabetes
from nnperf_utils.models import mlp


def runs_on(data):
    def build():
        return mlp(data, units=[16])

    return replicate(
        build,
        data,
        seeds=10,
        epochs=20,
        batch_size=46,
        progress=False,
        jit_compile=False,
    )


runs = {
    "left": runs_on(load_diabetes(zeros_as_missing=False)),
    "replaced": runs_on(load_diabetes()),
}
result = Comparison.from_runs(runs, metric="val_accuracy")
scores = result.scores().set_index(["variant", "seed"])["value"]
left, replaced = scores["left"], scores["replaced"]
verdict = result.summary().loc["replaced", "verdict"]
""",
)
def zeros_matter(left: Any, replaced: Any, verdict: Any) -> str:
    """Find out whether replacing the zeros that mean *missing* helps a network.

    `left` and `replaced` hold the final validation accuracy of each of at least ten
    seeds, in the same order; `verdict` says what replacing does.
    """
    before, after = _accuracies("left", left), _accuracies("replaced", replaced)
    if len(before) != len(after):
        raise NotYet(
            f"`left` has {len(before)} values and `replaced` {len(after)}: train both "
            "from the same seeds"
        )
    if isinstance(left, pd.Series) and isinstance(replaced, pd.Series):
        if set(left.index) != set(replaced.index):
            raise NotYet("`left` and `replaced` are of different seeds")
        after = replaced.loc[left.index].to_numpy(float)
    if np.array_equal(before, after):
        raise NotYet(
            "`left` and `replaced` are the same numbers: did both train on the same "
            "data? `load_diabetes(zeros_as_missing=False)` leaves the zeros alone"
        )
    for name, values in (("left", before), ("replaced", after)):
        if np.ptp(values) == 0:
            raise NotYet(
                f"all values of `{name}` are {values[0]:.3g}. That is one seed "
                "repeated: give each run its own"
            )
    if not isinstance(verdict, str) or verdict.strip().lower() not in _VERDICTS:
        raise NotYet(
            f"`verdict` is {str(verdict)[:40]!r}; it is one of "
            f"{', '.join(map(repr, _VERDICTS))}"
        )
    found = summarize(
        pd.DataFrame(
            {
                "variant": ["left"] * len(before) + ["replaced"] * len(after),
                "seed": [*range(len(before))] * 2,
                "value": [*before, *after],
            }
        ),
        higher_is_better=True,
    ).loc["replaced"]
    measured = (
        f"replacing changes your accuracy by {found['difference']:+.3f} on average, "
        f"with a 95% interval from {found['difference_low']:+.3f} to "
        f"{found['difference_high']:+.3f}"
    )
    given, right = verdict.strip().lower(), found["verdict"]
    if given != right:
        zero = "holds zero" if right == "no difference found" else "leaves zero out"
        raise NotYet(f"{measured}. That interval {zero}: look again at your verdict")
    if right == "no difference found":
        limit = found["smallest_difference"]
        return (
            f"{measured[0].upper()}{measured[1:]}. A difference of {limit:.3f} your "
            "seeds would most likely have shown; a smaller one they may have missed. "
            "The interval covers seeds only: another split may say otherwise."
        )
    return (
        f"{measured[0].upper()}{measured[1:]}. The interval covers seeds only: on "
        "this split of the table it is clear, on another it may not be. Chapter 02 "
        "shows how to tell."
    )


def _accuracies(name: str, values: Any) -> np.ndarray:
    """Return one accuracy for each seed."""
    if isinstance(values, pd.DataFrame):
        raise NotYet(
            f"`{name}` is a whole frame; give the final accuracies alone, its column "
            "`value` where `metric` is `val_accuracy` and `epoch` is the last"
        )
    numbers = seed_numbers(values, f"the values of `{name}`")
    if numbers.ndim != 1 or len(numbers) < FEWEST_SEEDS:
        raise NotYet(
            f"`{name}` holds {len(numbers)} value(s); train at least {FEWEST_SEEDS} "
            "seeds"
        )
    if not np.isfinite(numbers).all() or numbers.min() < 0 or numbers.max() > 1:
        raise NotYet(
            f"`{name}` holds values outside 0 to 1; give accuracies as fractions, not "
            "percentages or losses"
        )
    return numbers

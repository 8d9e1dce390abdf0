"""Exercises of the chapter on normalization.

`sick_network` and `training_images` make what `repair` is about.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np

from nnperf_utils.datasets import Dataset, load_digits
from nnperf_utils.engine.starts import preserved_random_state
from nnperf_utils.exercises.base import NotYet, exercise, expect_function

__all__ = ["fold", "repair", "scale_new", "sick_network", "training_images"]

MOST_BELOW = 0.03  # accuracy in use, below that in training mode
_MOMENTUM = 0.999  # of the sick network
_STATISTICS = ("moving_mean", "moving_variance")


def _array(value: Any, what: str, *shapes: tuple[int, ...]) -> np.ndarray:
    """Return what a learner's function returned as an array of one of some shapes."""
    if value is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise NotYet(
            f"{what} is of type `{type(value).__name__}`; return an array of numbers"
        ) from None
    if array.shape not in shapes:
        raise NotYet(f"{what} has the shape {array.shape}; it must be {shapes[0]}")
    return array


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=1e-3, atol=1e-3, equal_nan=True))


# --------------------------------------------------------------------------------------
# 1  New rows
# --------------------------------------------------------------------------------------


def _zscore(train: np.ndarray, new: np.ndarray, axis: int | None = 0) -> np.ndarray:
    with np.errstate(all="ignore"):
        return (new - train.mean(axis=axis)) / train.std(axis=axis)


def _range(train: np.ndarray, new: np.ndarray) -> np.ndarray:
    low, high = train.min(axis=0), train.max(axis=0)
    return (new - low) / (high - low)


_WRONG_SCALINGS = [
    (
        lambda train, new: _zscore(new, new),
        "you scale the new rows by their own mean and standard deviation. The network "
        "has learned from rows that were scaled by those of the training rows",
    ),
    (
        lambda train, new: _zscore(np.concatenate([train, new]), new),
        "you fit mean and standard deviation on training and new rows together. When "
        "the network was trained, the new rows were not there",
    ),
    (
        lambda train, new: _zscore(train, new, axis=None),
        "you take one mean and one standard deviation for the whole table. Each "
        "column needs its own: `axis=0`",
    ),
    (_range, "that is min–max scaling; z-scores are asked for"),
    (
        lambda train, new: (new - train.mean(axis=0)) / train.var(axis=0),
        "you divide by the variance. Its square root, the standard deviation, has the "
        "unit of the column",
    ),
    (
        lambda train, new: new / train.std(axis=0),
        "you do not subtract the mean",
    ),
    (
        lambda train, new: new - train.mean(axis=0),
        "you subtract the mean, but do not divide by the standard deviation",
    ),
]


@exercise(
    hints=[
        "Whatever is fitted is fitted on the training rows. What has to be remembered "
        "of them?",
        "A mean and a standard deviation for each column: `train.mean(axis=0)` and "
        "`train.std(axis=0)`. What is the latter of a constant column?",
        "Where it is zero, divide by 1 instead: `np.where(std > 0, std, 1)`. A column "
        "that was constant in training then says how far a new value is from it.",
    ],
    solution="""
import numpy as np


def scale_new(train, new):
    mean, std = train.mean(axis=0), train.std(axis=0)
    return (new - mean) / np.where(std > 0, std, 1)
""",
)
def scale_new(scale_new: Any) -> str:
    """Write a function that z-scores new rows by what the training rows tell.

    It takes the training rows and the new rows, arrays with a row for each example,
    and returns the new rows, scaled. A constant column must do no harm.
    """
    expect_function(scale_new, "scale_new", ["train", "new"])
    random = np.random.default_rng(6)
    center, scale = np.array([120.0, 0.5, 33.0]), np.array([30.0, 0.3, 11.0])
    train = random.normal(center, scale, (400, 3))
    new = random.normal(1.2 * center, scale, (5, 3))
    right = _zscore(train, new)
    given = _array(
        scale_new(train.copy(), new.copy()),
        "what your function returns for five new rows",
        *(rows.shape for rows in (new, train)),
    )
    if given.shape == train.shape:
        raise NotYet("you return the training rows, scaled. The new ones are asked for")
    # the standard deviation of a sample or of a population, both are in use
    if not np.allclose(given, right, rtol=5e-3, atol=5e-3):
        for wrong, reason in _WRONG_SCALINGS:
            if _alike(given, wrong(train, new)):
                raise NotYet(reason)
        i, j = np.unravel_index(np.abs(given - right).argmax(), right.shape)
        raise NotYet(
            f"a value of {new[i, j]:.3g} in a column of mean {train[:, j].mean():.3g} "
            f"and standard deviation {train[:, j].std():.3g} comes out as "
            f"{given[i, j]:.3g}, and its z-score is {right[i, j]:.3g}"
        )
    given = scale_new(train.copy(), new[:1].copy())
    one = _array(given, "what your function returns for one new row", (1, 3))
    if not np.allclose(one, right[:1], rtol=5e-3, atol=5e-3):
        raise NotYet(
            "it is right for five new rows and wrong for a single one: something in it "
            "depends on the other new rows"
        )
    constant = train.copy()
    constant[:, 1] = 0.5
    with np.errstate(all="ignore"):
        given = scale_new(constant, new.copy())
    given = _array(given, "what your function returns", new.shape)
    if not np.isfinite(given).all():
        raise NotYet(
            "with a column that is constant in `train` it returns values that are "
            "infinite or missing: its standard deviation is zero"
        )
    if not np.allclose(given[:, [0, 2]], right[:, [0, 2]], rtol=5e-3, atol=5e-3):
        raise NotYet("a constant column changes what comes out for the other columns")
    return (
        "It gives a new row what the network has learned to expect, be it one row or "
        "a thousand. `StandardScaler` does the same, constant columns included."
    )


# --------------------------------------------------------------------------------------
# 2  Make it vanish
# --------------------------------------------------------------------------------------


def _folded(kernel, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, beta - mean * factor


_WRONG_BIASES = [
    (
        lambda k, g, b, m, v, e: b,
        "your bias is beta alone. What happens to the mean that the layer subtracts?",
    ),
    (
        lambda k, g, b, m, v, e: b - m,
        "your bias subtracts the mean as it is. The layer subtracts it first and then "
        "divides and multiplies",
    ),
    (
        lambda k, g, b, m, v, e: b + m * g / np.sqrt(v + e),
        "your bias adds the mean where the layer subtracts it",
    ),
    (
        lambda k, g, b, m, v, e: (b - m) * g / np.sqrt(v + e),
        "your bias scales beta along with the mean. Beta is added last, unscaled",
    ),
]
_WRONG_KERNELS = [
    (
        lambda k, g, b, m, v, e: k * g / (v + e),
        "your kernel is divided by the variance. Its square root belongs there",
    ),
    (
        lambda k, g, b, m, v, e: k / np.sqrt(v + e),
        "your kernel lacks gamma",
    ),
    (
        lambda k, g, b, m, v, e: k * g,
        "your kernel lacks the division by the standard deviation",
    ),
    (lambda k, g, b, m, v, e: k, "your kernel is the old one"),
    (
        lambda k, g, b, m, v, e: k * g / np.sqrt(v),
        "you leave out epsilon. Here a unit has a variance as small as epsilon, and "
        "there it shows",
    ),
    (
        lambda k, g, b, m, v, e: k * g / (np.sqrt(v) + e),
        "you add epsilon to the standard deviation. Keras adds it to the variance",
    ),
]


@exercise(
    hints=[
        "Write down what the two layers do to an input `x`, one unit at a time: "
        "first `z = x @ kernel`, then the formula for use.",
        "Sort the result into what is multiplied by `x` and what is not. "
        "Multiplying `z` of a unit by a number is the same as multiplying that unit's "
        "column of the kernel.",
        "With `factor = gamma / np.sqrt(variance + epsilon)` the kernel becomes "
        "`kernel * factor`. What is left is the bias.",
    ],
    solution="""
import numpy as np


def fold(kernel, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, beta - mean * factor
""",
)
def fold(fold: Any) -> str:
    """Write a function that folds batch normalization into the dense layer before it.

    It takes the dense layer's kernel (no bias) and the layer's gamma, beta, moving
    mean, moving variance and epsilon, and returns the kernel and the bias of the dense
    layer that does the work of both.
    """
    names = ["kernel", "gamma", "beta", "mean", "variance", "epsilon"]
    expect_function(fold, "fold", names)
    random = np.random.default_rng(2)
    inputs, units = 5, 3
    given = {
        "kernel": random.normal(size=(inputs, units)),
        "gamma": np.array([0.5, 1.5, -2.0]),
        "beta": np.array([1.0, -0.5, 0.3]),
        "mean": np.array([2.0, -3.0, 0.7]),
        "variance": np.array([4.0, 0.25, 1e-3]),
        "epsilon": 1e-3,
    }
    answer = fold(
        *(v.copy() if isinstance(v, np.ndarray) else v for v in given.values())
    )
    if answer is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise NotYet(
            "your function returns one thing; return two, the kernel and the bias: "
            "`return new_kernel, bias`"
        )
    kernel = _array(answer[0], "the kernel that you return", (inputs, units))
    bias = _array(answer[1], "the bias that you return", (units,), (1, units))
    values = tuple(given.values())
    right_kernel, right_bias = _folded(*values)
    if not _alike(kernel, right_kernel):
        for wrong, reason in _WRONG_KERNELS:
            if _alike(kernel, wrong(*values)):
                raise NotYet(reason)
        raise NotYet(
            "the kernel is not right. A unit is a column of it: every entry of a "
            "column is to be multiplied by the same number"
        )
    if not _alike(bias.reshape(-1), right_bias):
        for wrong, reason in _WRONG_BIASES:
            if _alike(bias.reshape(-1), wrong(*values)):
                raise NotYet(f"the kernel is right, but {reason}")
        raise NotYet(
            "the kernel is right, but the bias is not: it is what the two layers put "
            "out for an input of zeros"
        )
    return (
        "In use, batch normalization after a dense or convolutional layer costs "
        "nothing: tools that prepare networks for use fold it away just so. In "
        "training there is no such layer, as the factor changes with each batch."
    )


# --------------------------------------------------------------------------------------
# 3  Repair it without training
# --------------------------------------------------------------------------------------


@functools.cache
def _digits() -> Dataset:
    return load_digits(flatten=True)


def training_images() -> tuple[np.ndarray, np.ndarray]:
    """Return the images that the sick network was trained on, and their labels.

    Returns
    -------
    x, y : numpy.ndarray
        Of shape (1079, 64) and (1079,), read-only.
    """
    return _digits().train


@functools.cache
def _sick_weights() -> list[np.ndarray]:
    """Train the sick network once: forty steps, which leave its statistics behind."""
    x, y = training_images()
    with preserved_random_state():
        keras.utils.set_random_seed(0)
        model = _untrained()
        model.fit(x, y, batch_size=270, epochs=10, verbose=0)
    return model.get_weights()


def _untrained() -> keras.Model:
    model = keras.Sequential([keras.Input((64,))])
    for number in (1, 2):
        model.add(keras.layers.Dense(32, use_bias=False, name=f"hidden_{number}"))
        model.add(
            keras.layers.BatchNormalization(
                momentum=_MOMENTUM, name=f"normalization_{number}"
            )
        )
        model.add(keras.layers.Activation("relu", name=f"activation_{number}"))
    model.add(keras.layers.Dense(10, "softmax", name="output"))
    model.compile(
        keras.optimizers.Adam(0.02),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # takes longer than forty steps
    )
    return model


def sick_network() -> keras.Model:
    """Return a trained network whose moving statistics are far behind.

    Two hidden layers of 32 units with batch normalization of momentum 0.999, trained
    for forty steps on the digits. Good in training mode, poor in use.

    Returns
    -------
    keras.Model
        A new one each time, compiled.
    """
    with preserved_random_state():
        model = _untrained()
    model.set_weights(_sick_weights())
    return model


def _accuracy(model: keras.Model, x: Any, y: np.ndarray, training: bool) -> float:
    outputs = np.asarray(model(x, training=training))
    return float((outputs.argmax(axis=1) == y).mean())


@exercise(
    hints=[
        "The weights are fine; the moving mean and variance are not. What moves "
        "them, other than `fit`?",
        "Every pass in training mode does: `model(x, training=True)`. With a "
        "momentum of 0.999 each one moves them by a thousandth of the way. How many "
        "passes is that, or what would you change to need few?",
        "Set `momentum = 0.0` on each `keras.layers.BatchNormalization` among "
        "`model.layers`; then one pass over the training images is enough. Put the "
        "old momentum back afterwards. Or keep it, and make some thousands of passes.",
    ],
    solution="""
import keras


def repair(model, x):
    layers = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(x, training=True)
    for layer, momentum in zip(layers, kept):
        layer.momentum = momentum
""",
)
def repair(repair: Any) -> str:
    """Write a function that repairs the moving statistics of a trained network.

    It takes the network and the images that it was trained on, and changes the network
    or returns a repaired one. The trainable weights stay as they are. In use, the
    accuracy on images that it has not seen must come to that in training mode.
    """
    expect_function(repair, "repair", ["model", "x"])
    x, _ = training_images()
    seen, labels = _digits().validation
    model = sick_network()
    before = [w.numpy() for w in model.trainable_weights]
    healthy = _accuracy(sick_network(), seen, labels, training=True)
    poor = _accuracy(model, seen, labels, training=False)
    returned = repair(model, x.copy())
    if returned is not None:
        if not isinstance(returned, keras.Model):
            raise NotYet(
                f"your function returns a value of type `{type(returned).__name__}`; "
                "return the network, or nothing if you change the one that is given"
            )
        model = returned
    after = [w.numpy() for w in model.trainable_weights]
    if len(after) != len(before) or any(
        a.shape != b.shape for a, b in zip(after, before, strict=True)
    ):
        raise NotYet(
            "the repaired network has other trainable weights than the sick one; "
            "leave the layers as they are, trainable as they were"
        )
    if not all(np.allclose(a, b) for a, b in zip(after, before, strict=True)):
        raise NotYet(
            "weights that the optimizer changes have moved: that is training. Only "
            "the moving mean and variance of the normalization may change"
        )
    use = _accuracy(model, seen, labels, training=False)
    moved = not all(
        np.allclose(a, b)
        for a, b in zip(model.get_weights(), _sick_weights(), strict=True)
    )
    measured = (
        f"in use the network is right on {use:.0%} of images that it has not seen "
        f"({poor:.0%} when it was sick, {healthy:.0%} in training mode)"
    )
    if not moved:
        raise NotYet(
            f"nothing has changed: {measured}. Neither a pass in evaluation mode nor "
            "another momentum moves the statistics by itself"
        )
    if not use > healthy - MOST_BELOW:
        raise NotYet(
            f"{measured}. The statistics have moved, but they have not arrived: each "
            "pass in training mode moves them by 1 minus the momentum of their way"
        )
    changed = any(
        layer.momentum != _MOMENTUM
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    left = (
        " The momentum is no longer what it was: put it back, or the next training "
        "keeps statistics of its last batches alone."
        if changed
        else ""
    )
    return (
        f"Repaired: {measured}.{left} To estimate the statistics anew after training "
        "is also what is done after averaging the weights of several networks, which "
        "leaves them with statistics of none."
    )

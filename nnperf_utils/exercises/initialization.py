"""Exercises of the chapter on weight initialization.

`sick_network` makes the networks that `repair` is about.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from sklearn.preprocessing import StandardScaler

from nnperf_utils.datasets import Dataset, load_digits
from nnperf_utils.engine.starts import preserved_random_state
from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    expect_network,
    returned_number,
)
from nnperf_utils.replicas import replicate

__all__ = ["equal_weights", "repair", "sick_network", "standard_deviation"]

CONSTANT = 0.1
LEAST_ACCURACY, EPOCHS, SEEDS = 0.6, 20, 3
BATCH_SIZE = 83  # 13 batches make up the training images: no smaller one is left over
SMALLEST, LARGEST = 0.5, 2.0
SICK_NETWORKS = (1, 2, 3)


@functools.cache
def _data() -> Dataset:
    return load_digits(flatten=True, scale=StandardScaler())


def _probe() -> np.ndarray:
    return _data().train[0][:256]


# --------------------------------------------------------------------------------------
# 1  A start for any activation
# --------------------------------------------------------------------------------------

_ACTIVATIONS = {
    "relu": keras.activations.relu,
    "tanh": keras.activations.tanh,
    "gelu": keras.activations.gelu,
    "silu": keras.activations.silu,
    "leaky_relu": keras.activations.leaky_relu,
    "softplus": keras.activations.softplus,
}
# Points and weights of Gauss and Hermite: exact enough for a mean over a normal z.
_POINTS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(151)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def _on_arrays(name: str) -> Any:
    """Return an activation that takes and returns NumPy arrays."""

    def activation(z: Any) -> np.ndarray:
        z = keras.ops.convert_to_tensor(np.asarray(z), "float32")
        return keras.ops.convert_to_numpy(_ACTIVATIONS[name](z))

    activation.__name__ = name
    return activation


def _mean(values: np.ndarray) -> float:
    return float(np.sum(_WEIGHTS * values))


def _outputs(name: str) -> np.ndarray:
    return _on_arrays(name)(_POINTS).astype(float)


def _slopes(name: str) -> np.ndarray:
    step = 1e-2
    function = _on_arrays(name)
    upper, lower = function(_POINTS + step), function(_POINTS - step)
    return (upper - lower).astype(float) / (2 * step)


def _right(name: str, n: int) -> float:
    return (n * _mean(_outputs(name) ** 2)) ** -0.5


def _by_variance(name: str, n: int) -> float:
    outputs = _outputs(name)
    return (n * (_mean(outputs**2) - _mean(outputs) ** 2)) ** -0.5


_WRONG_DEVIATIONS = [
    (
        lambda name, n: _right(name, n) ** 2,
        "you return the variance. The standard deviation is its square root",
    ),
    (
        lambda name, n: _right(name, n) * n**0.5,
        "your function pays no heed to `n`. A sum of n terms has n times the variance "
        "of one",
    ),
    (
        lambda name, n: _right(name, n) * n,
        "your function grows with `n`. The more terms the sum has, the smaller each "
        "weight must be",
    ),
    (
        lambda name, n: (2 / n) ** 0.5,
        "that is He's, whatever the activation. It is right for ReLU, which leaves "
        "half of the mean square; ask the activation what it leaves",
    ),
    (
        lambda name, n: (1 / n) ** 0.5,
        "that is LeCun's, whatever the activation. It is right for linear layers; ask "
        "the activation what it leaves of the mean square",
    ),
    (
        _by_variance,
        "you go by the variance of the outputs. The sum z takes all of their mean "
        "square: what counts is E φ(z)², the mean not subtracted",
    ),
    (
        lambda name, n: 1 / (n**0.5 * _mean(np.abs(_outputs(name)))),
        "you take the mean of |φ(z)|. Squares add up, sizes do not: take the mean of "
        "φ(z)²",
    ),
    (
        lambda name, n: (n * _mean(_slopes(name) ** 2)) ** -0.5,
        "you go by the slope φ'. That keeps the gradient on its way back; asked for "
        "is the signal on its way forward",
    ),
]


def _grown(name: str, deviation: float, n: int = 128, layers: int = 8) -> float:
    """Mean square of z after some layers of a random network, against the first."""
    random, activation = np.random.default_rng(0), _on_arrays(name)
    z = first = random.normal(size=(64, n))
    for _ in range(layers):
        z = activation(z) @ random.normal(0, deviation, (n, n))
    with np.errstate(over="ignore"):
        return float(np.mean(z**2) / np.mean(first**2))


@exercise(
    hints=[
        "Follow the mean square around one layer. z has mean square 1. What has "
        "φ(z)? And the sum of n such outputs, each times a weight of variance σ²?",
        "n · σ² · E φ(z)² must be 1 again. You need E φ(z)² for an activation that "
        "you know only as a function. You can evaluate it at as many random z as you "
        "like.",
        "Draw `z = np.random.default_rng(0).normal(size=100_000)`, take "
        "`np.mean(activation(z) ** 2)`, and solve for σ.",
    ],
    solution="""
import numpy as np


def standard_deviation(activation, n):
    z = np.random.default_rng(0).normal(size=100_000)
    return 1 / np.sqrt(n * np.mean(activation(z) ** 2))
""",
)
def standard_deviation(standard_deviation: Any) -> str:
    """Write a function for the standard deviation that suits any activation.

    It takes an activation, a function of NumPy arrays, and the number n of a layer's
    inputs, which are outputs of that activation. Before it, they were standard normal.
    It returns the standard deviation of the weights for which the sums z of the layer
    have mean square 1 again.
    """
    expect_function(standard_deviation, "standard_deviation", ["activation", "n"])
    cases = [(name, n) for n in (128, 500) for name in _ACTIVATIONS]
    values = [
        _deviation(standard_deviation(_on_arrays(name), n), name) for name, n in cases
    ]

    def agrees(expected: Any) -> list[bool]:
        return [
            bool(np.isclose(value, expected(*case), rtol=0.04, atol=0))
            for value, case in zip(values, cases, strict=True)
        ]

    right = agrees(_right)
    if all(right):
        gains = ", ".join(
            f"{name} {_right(name, 1) ** 2:.2f}" for name in ("relu", "gelu", "silu")
        )
        return (
            f"n times the variance comes out as {gains}: for ReLU it is He's 2, and "
            "you can now start a network with an activation that no initializer is "
            "named for."
        )
    for wrong, reason in _WRONG_DEVIATIONS:
        if all(agrees(wrong)):
            raise NotYet(reason)
    failed = right.index(False)
    name, n = cases[failed]
    grown = ""
    if n == 128:
        grown = (
            "; after eight such layers the mean square of z is "
            f"{_grown(name, values[failed]):.2g} times what it was"
        )
    raise NotYet(
        f"it is right in {sum(right)} of {len(cases)} cases. For {name} and n = {n} it "
        f"returns {values[failed]:.3g}{grown}"
    )


def _deviation(value: Any, name: str) -> float:
    number = returned_number(value, "one number, the standard deviation")
    if number <= 0:
        raise NotYet(
            f"for {name} your function returns {number:.3g}; a standard deviation is "
            "a positive number"
        )
    return number


# --------------------------------------------------------------------------------------
# 2  Equal weights that learn
# --------------------------------------------------------------------------------------


@exercise(
    hints=[
        "Two units with equal weights stay equal because they get equal inputs, put "
        "out the same, and get the same gradient. Which of the three can you make "
        "differ from unit to unit, if not the weights?",
        "Something that differs between examples or between batches does not help: it "
        "is the same for all units. You need something that each unit has for itself.",
        "Each unit has a bias of its own. `bias_initializer` draws them; they must "
        "differ by about as much as the sums that they are added to. Something else "
        "treats each unit by itself during training, and you know it as a remedy for "
        "overfitting.",
    ],
    solution="""
import keras
from sklearn.preprocessing import StandardScaler

from nnperf_utils.datasets import load_digits

data = load_digits(flatten=True, scale=StandardScaler())


def build():
    equal = keras.initializers.Constant(0.1)
    random = keras.initializers.RandomNormal
    model = keras.Sequential(
        [
            keras.Input(data.input_shape),
            keras.layers.Dense(32, "relu", True, equal, random(stddev=1.0)),
            keras.layers.Dense(32, "relu", True, equal, random(stddev=1.0)),
            keras.layers.Dense(10, "softmax", kernel_initializer=equal),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.003),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
""",
)
def equal_weights(build: Any) -> str:
    """Build a network that learns although all its weights start at 0.1.

    Two hidden layers of 32 ReLU units, on the digits; all kernels, the output's too,
    start at 0.1 and stay trainable. Whatever else you change, at 20 epochs its
    validation accuracy must be above 0.6 (median of three seeds).
    """
    expect_function(build, "build", [])
    with preserved_random_state():
        keras.utils.set_random_seed(0)
        model = build()
    _check_equal(model)
    runs = replicate(
        build,
        _data(),
        seeds=SEEDS,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        progress=False,
    )
    final = runs.history.query("metric == 'val_accuracy' and epoch == @EPOCHS")
    if final.empty:
        raise NotYet('compile the network with `metrics=["accuracy"]`')
    accuracy = float(final["value"].fillna(0).median())
    hidden = [k for k in _kernels(runs.model(seed=0))[:-1]]
    spread = [float(np.ptp(k, axis=1).max() / max(np.ptp(k), 1e-12)) for k in hidden]
    if accuracy <= LEAST_ACCURACY:
        state = (
            "its first layer's units are still all the same: what you changed is the "
            "same for every unit"
            if spread[0] < 1e-3
            else "its units do differ by now, but it learns too slowly: make what sets "
            "them apart stronger, or weaker, or look at the learning rate"
        )
        raise NotYet(
            f"after {EPOCHS} epochs your network's validation accuracy is "
            f"{accuracy:.2f} (median of {SEEDS} seeds); {state}"
        )
    return (
        f"Validation accuracy {accuracy:.2f} (median of {SEEDS} seeds), and no weight "
        "was random at the start. It is not randomness of the weights that counts, but "
        "that something tells the units apart."
    )


def _kernels(model: keras.Model) -> list[np.ndarray]:
    return [
        np.asarray(x.kernel) for x in model.layers if isinstance(x, keras.layers.Dense)
    ]


def _check_equal(model: Any) -> None:
    """Turn down a network that is not the one asked for, or has other weights."""
    expect_network(model)
    dense = [x for x in model.layers if isinstance(x, keras.layers.Dense)]
    if [x.units for x in dense] != [32, 32, 10]:
        raise NotYet(
            f"the network has dense layers of {[x.units for x in dense]} units; it "
            "must have [32, 32, 10]"
        )
    if dense[0].kernel.shape[0] != _data().input_shape[0]:
        raise NotYet(
            f"the network takes {dense[0].kernel.shape[0]} inputs; build it for the "
            f"digits, {_data().input_shape[0]}"
        )
    for layer in dense:
        values = np.asarray(layer.kernel)
        if np.ptp(values) > 1e-6:
            raise NotYet(
                f"the weights of `{layer.name}` differ from each other at the start; "
                f"all of them, in all three layers, must be {CONSTANT}"
            )
        if not np.isclose(values.flat[0], CONSTANT):
            raise NotYet(
                f"the weights of `{layer.name}` start at {values.flat[0]:.3g}; they "
                f"must start at {CONSTANT}"
            )
        if not layer.trainable:
            raise NotYet(f"`{layer.name}` is frozen; all layers must stay trainable")
    if int(model.optimizer.iterations) > 0:
        raise NotYet("`build()` returns a network that is trained already")


# --------------------------------------------------------------------------------------
# 3  Repair a start
# --------------------------------------------------------------------------------------


def sick_network(seed: int = 0) -> keras.Model:
    """Build a network whose layers start at all kinds of wrong scales.

    Eight hidden ReLU layers of unequal widths, for the digits, untrained. Each layer's
    weights are He's times a factor of its own, from a hundredth to a hundred.

    Parameters
    ----------
    seed : int
        Seed of the weights and the factors.

    Returns
    -------
    keras.Model
        Compiled; the hidden layers are named ``hidden_1`` to ``hidden_8``.

    Examples
    --------
    >>> [layer.name for layer in sick_network().layers]  # doctest: +SKIP
    """
    random = np.random.default_rng([seed, 5])
    with preserved_random_state():
        keras.utils.set_random_seed(seed)
        x = inputs = keras.Input(_data().input_shape)
        for number in range(1, 9):
            layer = keras.layers.Dense(
                int(random.integers(48, 128)),
                "relu",
                kernel_initializer="he_normal",
                name=f"hidden_{number}",
            )
            x = layer(x)
            layer.kernel.assign(layer.kernel * 10 ** random.uniform(-2, 2))
        model = keras.Model(inputs, keras.layers.Dense(10, "softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _sizes(model: keras.Model) -> np.ndarray:
    """Root mean square of each hidden layer's outputs on the probe."""
    hidden = [x for x in model.layers if x.name.startswith("hidden")]
    outputs = keras.Model(model.inputs, [x.output for x in hidden])([_probe()])
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([np.sqrt(np.mean(np.asarray(h, float) ** 2)) for h in outputs])


@exercise(
    hints=[
        "Begin with one layer: read the size of its outputs, and divide its kernel by "
        "it (`layer.kernel.assign(...)`). What does ReLU make of weights that are "
        "divided by a number?",
        "Now the order. As soon as you change a layer, the inputs of all later ones "
        "change. Go from the first layer to the last, and read again after each "
        "change.",
        "In a loop over the hidden layers: `h = keras.Model(model.inputs, "
        "layer.output)([x])`, its size "
        "`float(keras.ops.sqrt(keras.ops.mean(h**2)))`, then "
        "`layer.kernel.assign(layer.kernel / size)`.",
    ],
    solution="""
import keras


def repair(model, x):
    for layer in model.layers:
        if layer.name.startswith("hidden"):
            h = keras.Model(model.inputs, layer.output)([x])
            size = keras.ops.sqrt(keras.ops.mean(h**2))
            layer.kernel.assign(layer.kernel / size)
""",
)
def repair(repair: Any) -> str:
    """Write a function that repairs a network's start by looking at its signals.

    It takes a network and a batch of inputs, and multiplies the kernel of each hidden
    layer by a number, so that the size (root mean square) of each hidden layer's
    outputs on that batch is about 1, between 0.5 and 2. `sick_network` makes networks
    to try it on.
    """
    expect_function(repair, "repair", ["model", "x"])
    for seed in SICK_NETWORKS:
        model = sick_network(seed)
        before = _hidden_weights(model)
        sick = _sizes(model)
        answer = repair(model, _probe().copy())
        _check_repair(seed, model, before, sick, answer)
    return (
        f"All {len(SICK_NETWORKS)} networks start with a signal of size 1 at every "
        "layer, whatever their weights were. No formula was needed: this works for any "
        "activation and any layer that you can read."
    )


def _hidden_weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {
        x.name: [np.array(w) for w in x.get_weights()]
        for x in model.layers
        if x.name.startswith("hidden")
    }


def _check_repair(
    seed: int, model: keras.Model, before: dict, sick: np.ndarray, answer: Any
) -> None:
    after = _hidden_weights(model)
    changed = [n for n in before if not np.array_equal(before[n][0], after[n][0])]
    where = f"in `sick_network({seed})`"
    if not changed:
        elsewhere = (
            "; it returns another network, but the one that it is given must change"
            if isinstance(answer, keras.Model) and answer is not model
            else ": `layer.kernel.assign(...)` changes a kernel in place"
        )
        raise NotYet(f"no kernel has changed {where}{elsewhere}")
    for name, (kernel, bias) in before.items():
        new, new_bias = after[name]
        if not np.isfinite(new).all():
            raise NotYet(f"{where} the kernel of `{name}` is no longer finite")
        norms = np.linalg.norm(kernel) * np.linalg.norm(new)
        if norms == 0 or np.vdot(kernel, new) < 0.999 * norms:
            raise NotYet(
                f"{where} the kernel of `{name}` is no multiple of what it was. "
                "Multiply each kernel by one positive number, and leave it as it is "
                "otherwise"
            )
        if not np.array_equal(bias, new_bias):
            raise NotYet(f"the biases of `{name}` have changed; change kernels only")
    sizes = _sizes(model)
    good = (sizes > SMALLEST) & (sizes < LARGEST)
    if good.all():
        return
    first = int(np.argmin(good))
    found = f"{where} the outputs of `hidden_{first + 1}` have size {sizes[first]:.2g}"
    factors = np.array([np.linalg.norm(after[n][0] / before[n][0]) for n in before])
    factors = factors / [np.sqrt(before[n][0].size) for n in before]
    if np.allclose(factors * sick, 1, rtol=0.05):
        raise NotYet(
            f"{found}. You divide each kernel by the size that its outputs had at the "
            "beginning. But that size comes from all layers before it as well, and "
            "those you have changed: read again after each change"
        )
    if np.allclose(sizes[0], 1 / sick[0], rtol=0.05):
        raise NotYet(
            f"{found}: you have divided by its mean square. Take the root of it"
        )
    if good[0] and not good[1:].any():
        raise NotYet(f"{found}. The first layer is right: do the same for the others")
    raise NotYet(f"{found}; it must be between {SMALLEST} and {LARGEST:g}")

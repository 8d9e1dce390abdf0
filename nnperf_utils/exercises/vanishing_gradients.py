"""Exercises of the chapter on vanishing gradients.

`sick_readings` makes the networks that `diagnose` is about.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import keras
import numpy as np
import pandas as pd

from nnperf_utils.datasets import Dataset, load_fashion_mnist
from nnperf_utils.engine.starts import preserved_random_state
from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    expect_network,
    returned_number,
    seed_numbers,
)
from nnperf_utils.instruments import activation_statistics, activations, gradient_norms
from nnperf_utils.models import mlp

__all__ = [
    "deepest_that_trains",
    "diagnose",
    "factor_per_layer",
    "rescue_sigmoid",
    "sick_readings",
]

TRAINED = 0.5  # median validation accuracy; chance is 0.1
FEWEST_SEEDS = 5
HIDDEN_LAYERS, UNITS = 10, 64
LEAST_RATIO, LARGEST_RATIO, MOST_SATURATED = 0.1, 10, 0.5
SICK_LAYERS = range(2, 9)  # of eight; the first has no layer before it to compare with
_PROBE_EXAMPLES = 256


@functools.cache
def _data() -> Dataset:
    return load_fashion_mnist(side=14, flatten=True)


def _probe() -> tuple[np.ndarray, np.ndarray]:
    x, y = _data().train
    return x[:_PROBE_EXAMPLES], y[:_PROBE_EXAMPLES]


# --------------------------------------------------------------------------------------
# 2  The factor per layer
# --------------------------------------------------------------------------------------


def _ratios(norms: np.ndarray) -> np.ndarray:
    return norms[:-1] / norms[1:]


def _factor(norms: np.ndarray) -> float:
    return (norms[0] / norms[-1]) ** (1 / (len(norms) - 1))


_WRONG_FACTORS = [
    (
        lambda n: 1 / _factor(n),
        "your factor is upside down. The gradient travels back, from the last layer "
        "to the first: divide a layer's norm by that of the layer after it",
    ),
    (
        lambda n: n[0] / n[-1],
        "your factor is that of all layers together. Which number, multiplied by "
        "itself once for each step, gives it?",
    ),
    (
        lambda n: (n[0] / n[-1]) ** (1 / len(n)),
        "your root is of the wrong order: between n layers there are n - 1 steps",
    ),
    (
        lambda n: np.mean(_ratios(n)),
        "you take the arithmetic mean of the ratios. Factors multiply: the mean that "
        "gives their product again is the geometric one",
    ),
    (
        lambda n: np.mean(1 / _ratios(n)),
        "you take the arithmetic mean of ratios that are upside down. Divide a layer's "
        "norm by that of the layer after it, and take the geometric mean",
    ),
    (
        lambda n: np.median(_ratios(n)),
        "you take the median of the ratios. Factors multiply: the mean that gives "
        "their product again is the geometric one",
    ),
    (
        lambda n: np.mean(np.log(_ratios(n))),
        "you return the mean of the logarithms. Take the exponential to come back to "
        "a factor",
    ),
]


def _norms_to_try() -> list[np.ndarray]:
    """Return one easy case, then networks of any depth that shrink, grow or waver."""
    random = np.random.default_rng(3)
    cases = [np.array([0.001, 0.01, 0.1])]
    for layers, slope in ((2, 1.0), (4, 0.5), (6, -0.7), (10, 1.2), (20, 0.0)):
        logarithms = slope * np.arange(layers) + random.normal(0, 0.5, layers)
        cases.append(np.exp(logarithms - 3))
    return cases


@exercise(
    hints=[
        "With five layers the gradient takes four steps. What happens to its norm at "
        "each of them?",
        "Each step has a ratio: a layer's norm over the norm of the layer after it. "
        "The factors of all steps multiply, so look for the one number that, taken at "
        "every step, has the same product.",
        "That is the geometric mean of the ratios. In their product everything "
        "cancels but the first norm and the last: "
        "`(norms[0] / norms[-1]) ** (1 / steps)`.",
    ],
    solution="""
def factor_per_layer(norms):
    steps = len(norms) - 1
    return (norms[0] / norms[-1]) ** (1 / steps)
""",
)
def factor_per_layer(factor_per_layer: Any) -> str:
    """Write a function for the factor by which a gradient changes at each layer.

    It takes the gradient norms of the hidden layers, an array, the first layer first.
    It returns the factor per layer on the way back to the first layer: one number,
    below 1 where the gradient shrinks.
    """
    expect_function(factor_per_layer, "factor_per_layer", ["norms"])
    cases = _norms_to_try()
    values = [
        returned_number(
            factor_per_layer(norms.copy()),
            "one number, the factor that stands for all steps",
        )
        for norms in cases
    ]

    def agrees(expected: Any) -> list[bool]:
        return [
            bool(np.isclose(value, expected(norms), rtol=1e-3, atol=0))
            for value, norms in zip(values, cases, strict=True)
        ]

    right = agrees(_factor)
    if all(right):
        return (
            "One number now says how fast a network loses its gradient. With a factor "
            "of 0.3, ten layers leave the first one 0.3⁹, or 0.002%, of the last one's."
        )
    for wrong, reason in _WRONG_FACTORS:
        if all(agrees(wrong)):
            raise NotYet(reason)
    failed = right.index(False)
    norms = np.array2string(cases[failed], precision=3, separator=", ", threshold=5)
    but = "it is right for three layers, but " if right[0] else ""
    raise NotYet(
        f"{but}for the norms `{norms}` of {len(cases[failed])} layers it returns "
        f"{values[failed]:.3g}, and the factor is {_factor(cases[failed]):.3g}"
    )


# --------------------------------------------------------------------------------------
# 3  The deepest network that trains
# --------------------------------------------------------------------------------------


@exercise(
    hints=[
        "Five runs of a depth are one call: "
        "`replicate(build, data, seeds=5, epochs=5, batch_size=80)`. Loop over depths, "
        "from shallow to deep.",
        "`runs.history` holds all epochs and metrics. Keep the rows with "
        "`metric == 'val_accuracy'` and the last epoch.",
        f"A depth trains if the median over its seeds is above {TRAINED}, whatever its "
        "best seed does. Measure until you have a depth that trains and the very next "
        "one that does not.",
    ],
    solution="""
import numpy as np

from nnperf_utils import replicate
from nnperf_utils.datasets import load_fashion_mnist
from nnperf_utils.models import mlp

data = load_fashion_mnist(side=14, flatten=True)


def final_accuracies(depth):
    def build():
        return mlp(
            data,
            hidden_layers=depth,
            activation="sigmoid",
            optimizer="sgd",
            learning_rate=0.5,
        )

    training = {"epochs": 5, "batch_size": 80, "progress": False}
    runs = replicate(build, data, seeds=5, **training)
    final = runs.history.query("metric == 'val_accuracy' and epoch == 5")
    return final["value"].to_numpy()


accuracies = {}
median, depth = 1.0, 1  # one layer trains easily: begin with two
while median > 0.5:
    depth += 1
    accuracies[depth] = final_accuracies(depth)
    median = np.median(accuracies[depth])
deepest = depth - 1
""",
)
def deepest_that_trains(accuracies: Any, deepest: Any) -> str:
    """Find the depth at which your sigmoid network stops training.

    `accuracies` holds the final validation accuracies of your own runs: a dictionary,
    depth to the accuracies of at least five seeds, or a tidy frame. A depth trains if
    their median is above 0.5. `deepest` is the last depth that does.
    """
    by_depth = _by_depth(accuracies)
    for depth, values in by_depth.items():
        _check_accuracies(depth, values)
    medians = {d: float(np.median(values)) for d, values in by_depth.items()}
    depths = sorted(medians)
    failing = next((d for d in depths if medians[d] <= TRAINED), None)
    if failing is None:
        raise NotYet(
            f"all of your depths train, {depths[-1]} with a median of "
            f"{medians[depths[-1]]:.2f}, too. Go deeper, until one does not"
        )
    if failing == depths[0]:
        advice = (
            "Even one hidden layer should: look at the learning rate and the epochs"
            if failing == 1
            else "Measure shallower networks as well"
        )
        raise NotYet(
            f"none of your depths trains up to {failing}, the least that you measured "
            f"(median {medians[failing]:.2f}). {advice}"
        )
    border = depths[depths.index(failing) - 1]
    if failing != border + 1:
        raise NotYet(
            f"depth {border} trains and depth {failing} does not, but you have not "
            "measured what lies between"
        )
    _check_deepest(deepest, border, by_depth, medians)
    return (
        f"Your border lies between {border} layers (median {medians[border]:.2f}) and "
        f"{failing} (median {medians[failing]:.2f}). It belongs to your recipe, not to "
        "the sigmoid alone: another optimizer, width or number of epochs moves it."
    )


def _by_depth(accuracies: Any) -> dict[int, np.ndarray]:
    """Bring a dictionary, or a tidy frame of histories or scores, to one form."""
    if isinstance(accuracies, pd.DataFrame):
        accuracies = _final_values(accuracies)
    if not isinstance(accuracies, Mapping):
        raise NotYet(
            f"`accuracies` is of type `{type(accuracies).__name__}`; make it a "
            "dictionary, depth to a list of accuracies, or a tidy frame with columns "
            "`depth`, `seed`, `value`"
        )
    if not accuracies:
        raise NotYet("`accuracies` is empty: no depth is measured")
    by_depth = {}
    for key, values in accuracies.items():
        try:
            depth = int(key)
        except (TypeError, ValueError):
            depth = 0
        if depth < 1 or isinstance(key, bool) or depth in by_depth:
            raise NotYet(
                f"{key!r} is no depth, or comes twice; the keys of `accuracies` are "
                "numbers of hidden layers, from 1 on"
            )
        values_at_depth = seed_numbers(values, f"the accuracies of depth {depth}")
        # A run that diverged has no accuracy, which is no way of training either.
        by_depth[depth] = np.where(np.isnan(values_at_depth), 0, values_at_depth)
    return by_depth


def _final_values(frame: pd.DataFrame) -> dict[Any, np.ndarray]:
    depth = "depth" if "depth" in frame else "variant"
    if missing := [c for c in (depth, "seed", "value") if c not in frame]:
        raise NotYet(
            f"your frame has no column `{missing[0]}`; it needs `depth` (or `variant`),"
            " `seed` and `value`"
        )
    if "metric" in frame:
        frame = frame[frame["metric"] == "val_accuracy"]
        if frame.empty:
            raise NotYet("your frame holds no rows with the metric `val_accuracy`")
    if "epoch" in frame:
        last = frame.groupby(depth)["epoch"].transform("max")
        frame = frame[frame["epoch"] == last]
    if frame.duplicated([depth, "seed"]).any():
        raise NotYet("your frame holds more than one value for a depth and seed")
    return {d: rows["value"].to_numpy() for d, rows in frame.groupby(depth)}


def _check_accuracies(depth: int, values: np.ndarray) -> None:
    if values.ndim != 1 or len(values) < FEWEST_SEEDS:
        shape = f"shape {values.shape}" if values.ndim != 1 else f"{len(values)}"
        raise NotYet(
            f"depth {depth} has {shape} values; train at least {FEWEST_SEEDS} seeds "
            "of each depth, since seeds differ most near the border"
        )
    if values.max() > 1 or values.min() < 0:
        raise NotYet(
            f"depth {depth} holds values outside 0 to 1; give accuracies as "
            "fractions, not percentages or losses"
        )
    if np.median(values) > TRAINED and np.ptp(values) == 0:
        raise NotYet(
            f"all values of depth {depth} are the same, {values[0]:.3g}. That is one "
            "seed repeated: give each run its own"
        )


def _check_deepest(
    deepest: Any, border: int, by_depth: dict[int, np.ndarray], medians: dict
) -> None:
    if isinstance(deepest, float) and deepest.is_integer():
        deepest = int(deepest)
    if not isinstance(deepest, Integral) or isinstance(deepest, bool):
        raise NotYet(
            f"`deepest` is {deepest!r}; give a number of hidden layers, a whole number"
        )
    if deepest not in medians:
        raise NotYet(f"you conclude {deepest}, a depth that you have not measured")
    if deepest < border:
        raise NotYet(
            f"depth {border} trains as well: its median is {medians[border]:.2f}"
        )
    if deepest > border and medians[deepest] <= TRAINED:
        best = by_depth[deepest].max()
        trap = f", although its best seed reaches {best:.2f}" if best > TRAINED else ""
        raise NotYet(
            f"the median of depth {deepest} is {medians[deepest]:.2f}, not above "
            f"{TRAINED}{trap}"
        )
    if deepest > border:
        raise NotYet(
            f"depth {border + 1} fails before it. The depth asked for is the last one "
            "up to which all train; more seeds show whether the deeper one is luck"
        )


# --------------------------------------------------------------------------------------
# 4  Rescue the sigmoid
# --------------------------------------------------------------------------------------


@exercise(
    hints=[
        "On its way back a gradient is multiplied, at each layer, by the slope of the "
        "activation and by the weights. You may not touch the slope.",
        "At its best the sigmoid's slope is 1/4. Weights with four times the usual "
        "standard deviation would make up for that: a variance of 16/n, for n inputs. "
        "`keras.initializers.VarianceScaling(scale, mode='fan_in')` draws weights of "
        "variance scale/n. Measure what 16 gives.",
        "It is not enough, since larger weights push the units to where the slope is "
        "below 1/4. Go on to 24, 32, 48, and look at the first layer's gradient and "
        "at the share of saturated units each time.",
    ],
    solution="""
import keras

from nnperf_utils.datasets import load_fashion_mnist
from nnperf_utils.models import mlp

data = load_fashion_mnist(side=14, flatten=True)


def build():
    initializer = keras.initializers.VarianceScaling(48, mode="fan_in")
    return mlp(
        data,
        hidden_layers=10,
        activation="sigmoid",
        kernel_initializer=initializer,
    )
""",
)
def rescue_sigmoid(build: Any) -> str:
    """Bring the gradient to the first of ten sigmoid layers by the initializer alone.

    `build` takes nothing and returns a new, compiled network: ten hidden layers of 64
    units, all sigmoid, no normalization, no skip connections. In the median over five
    seeds, before training, the first hidden layer's gradient norm must be at least a
    tenth of the last one's (and at most ten times), and no layer may have more than
    half of its outputs saturated.
    """
    if isinstance(build, keras.Initializer):
        raise NotYet(
            "`build` is the initializer itself; pass the function that builds the "
            "network with it"
        )
    expect_function(build, "build", [])
    ratios, saturated, models = [], [], []
    for seed in range(FEWEST_SEEDS):
        with preserved_random_state():
            keras.utils.set_random_seed(seed)
            model = build()
        _check_structure(model)
        if any(model is earlier for earlier in models):
            raise NotYet(
                "`build` returns the same network each time; make a new one inside it"
            )
        models.append(model)
        x, y = _probe()
        x = x.reshape(len(x), *model.input_shape[1:])
        norms = gradient_norms(model, x, y).set_index("layer")["value"]
        hidden = [layer.name for layer in _dense(model)[:-1]]
        last = norms[hidden[-1]]
        ratios.append(norms[hidden[0]] / last if last > 0 else np.nan)
        saturated.append(_saturated(model, x))

    ratio = float(np.median(ratios))
    by_layer = pd.concat(saturated, axis=1).median(axis=1)
    layer, share = by_layer.idxmax(), by_layer.max()
    measured = (
        f"the first layer's gradient is {_plain(ratio)} of the last hidden layer's "
        f"(median of {FEWEST_SEEDS} seeds)"
    )
    if np.isnan(ratio):
        raise NotYet("no gradient reaches even the last hidden layer: all is saturated")
    if ratio < LEAST_RATIO:
        advice = (
            "Every step back multiplies it by the weights, too: make them larger"
            if share < MOST_SATURATED
            else f"And `{layer}` has {share:.0%} of its outputs saturated: the layers "
            "have different numbers of inputs, and one spread does not suit them all"
        )
        raise NotYet(f"{measured}; it must reach {LEAST_RATIO}. {advice}")
    if share > MOST_SATURATED:
        raise NotYet(
            f"{measured}, but by saturating: `{layer}` has {share:.0%} of its outputs "
            f"within 1% of 0 or 1, where {MOST_SATURATED:.0%} are allowed. A layer "
            "needs smaller weights the more inputs it has"
        )
    if ratio > LARGEST_RATIO:
        raise NotYet(f"{measured}: now it explodes. It must stay below {LARGEST_RATIO}")
    return (
        f"With your weights {measured}. The price: up to {share:.0%} of a layer's "
        "outputs are saturated before the first step. Train it beside the network with "
        "Keras's default weights: does it learn now?"
    )


def _plain(value: float) -> str:
    """Write a ratio without an exponent where it is readable so."""
    return f"{value:.2g}" if value >= 1e-4 else f"{value:.0e}"


def _dense(model: keras.Model) -> list[keras.layers.Dense]:
    return [x for x in model.layers if isinstance(x, keras.layers.Dense)]


def _nonlinear(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers below the output whose activation is not linear."""
    linear, output = keras.activations.linear, _dense(model)[-1]
    return [
        layer
        for layer in model.layers
        if layer is not output and getattr(layer, "activation", linear) is not linear
    ]


def _saturated(model: keras.Model, x: np.ndarray) -> pd.Series:
    """Return, of each sigmoid layer, the share of outputs within 1% of 0 or 1.

    The instrument's own reading goes by the activation's name, and a learner may have
    written the sigmoid out.
    """
    outputs = activations(model, x, samples=len(x) * UNITS).set_index("layer")["value"]
    near = (outputs < 0.01) | (outputs > 0.99)
    shares = near.groupby(level="layer").mean()
    return shares[[layer.name for layer in _nonlinear(model)]]


def _check_structure(model: Any) -> None:
    """Turn down a network in which more than the initializer has changed."""
    own = not (isinstance(model, keras.Sequential) or hasattr(model, "operations"))
    if isinstance(model, keras.Model) and own:
        raise NotYet(
            "the network is of a class of your own; build it with `mlp`, "
            "`keras.Sequential` or `keras.Model(inputs, outputs)`"
        )
    expect_network(model)
    allowed = (
        keras.layers.InputLayer,
        keras.layers.Flatten,
        keras.layers.Reshape,
        keras.layers.Dense,
        keras.layers.Activation,
    )
    # `operations` holds a plain `+` between tensors as well
    for part in getattr(model, "operations", model.layers):
        if not isinstance(part, allowed):
            kind = type(part).__name__
            remedy = (
                "normalization"
                if "Normalization" in kind
                else "skip connections"
                if kind in ("Add", "Average", "Concatenate")
                else "other layers"
            )
            raise NotYet(
                f"the network holds a `{kind}`. Only the initializer may change: no "
                f"{remedy}"
            )
    hidden = _dense(model)[:-1]
    if len(hidden) != HIDDEN_LAYERS or {x.units for x in hidden} != {UNITS}:
        raise NotYet(
            f"the network has {len(hidden)} hidden layers with "
            f"{sorted({x.units for x in hidden})} units; it must stay at "
            f"{HIDDEN_LAYERS} layers of {UNITS}"
        )
    z = keras.ops.linspace(-5.0, 5.0, 11)
    nonlinear = [layer.activation for layer in _nonlinear(model)]
    sigmoid = [np.allclose(f(z), keras.ops.sigmoid(z), atol=1e-5) for f in nonlinear]
    if len(sigmoid) != HIDDEN_LAYERS or not all(sigmoid):
        names = sorted({getattr(f, "__name__", str(f)) for f in nonlinear})
        raise NotYet(
            f"the hidden layers' activations are {', '.join(names) or 'linear'}; all "
            f"{HIDDEN_LAYERS} must be plain sigmoids"
        )
    if int(model.optimizer.iterations) > 0:
        raise NotYet(
            "`build()` returns a network that is trained already; the gradient is to "
            "be measured at the start"
        )
    if any(x.bias is not None and np.any(x.bias.numpy()) for x in hidden):
        raise NotYet("the biases do not start at zero; change the kernels only")
    if np.prod(model.input_shape[1:]) != np.prod(_data().input_shape):
        raise NotYet(
            f"the network's input has shape {model.input_shape[1:]}; build it for "
            f"Fashion-MNIST, {_data().input_shape}"
        )


# --------------------------------------------------------------------------------------
# 5  Find the sick layer
# --------------------------------------------------------------------------------------


@functools.cache
def _sick_readings(layer: int, seed: int) -> pd.DataFrame:
    x, y = _probe()
    with preserved_random_state():
        keras.utils.set_random_seed(seed)
        model = mlp(_data(), hidden_layers=8, kernel_initializer="he_normal")
    kernel = model.get_layer(f"hidden_{layer}").kernel
    kernel.assign(0.01 * kernel)
    readings = [gradient_norms(model, x, y), activation_statistics(model, x)]
    return pd.concat(readings, ignore_index=True)


def sick_readings(layer: int, seed: int = 0) -> pd.DataFrame:
    """Read the instruments of a network of which one layer is sick.

    Eight hidden ReLU layers with He weights, on Fashion-MNIST, untrained. The sick
    layer's weights are a hundred times too small.

    Parameters
    ----------
    layer : int
        Which hidden layer is sick, 2 to 8.
    seed : int
        Seed of the weights.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, metric, value``: `gradient_norm` of each layer, then
        `activation_mean`, `activation_std` and `dead`.

    Raises
    ------
    ValueError
        If there is no such layer.

    Examples
    --------
    >>> sick_readings(layer=5).query("metric == 'gradient_norm'")  # doctest: +SKIP
    """
    if layer not in SICK_LAYERS:
        raise ValueError(
            f"layer is {layer!r}; expected a number from {SICK_LAYERS[0]} to "
            f"{SICK_LAYERS[-1]}."
        )
    return _sick_readings(int(layer), seed).copy()


@exercise(
    hints=[
        "Make networks yourself: `exercises.sick_readings(layer=5)`. Draw "
        "`gradient_norm` by layer on a logarithmic axis, then `activation_std`, for "
        "several sick layers. What stands out, and where?",
        "Signals run forward, gradients back. A layer with tiny weights makes the "
        "activations of all layers after it small, and the gradients of all layers "
        "before it.",
        "So either look for the layer at which `activation_std` falls most against "
        "the layer before, or ask which layer gets a full input and a full gradient, "
        "and so has the largest `gradient_norm` of the hidden layers.",
    ],
    solution="""
def diagnose(readings):
    hidden = readings[readings["layer"] != "output"]
    spread = hidden[hidden["metric"] == "activation_std"].set_index("layer")["value"]
    return (spread / spread.shift()).idxmin()
""",
)
def diagnose(diagnose: Any) -> str:
    """Write a function that finds the layer whose weights are far too small.

    It takes the readings of a network, a frame with columns `layer`, `metric`,
    `value`, and returns the name of the sick layer. One of `hidden_2` to `hidden_8`
    is; `sick_readings` makes such networks.
    """
    expect_function(diagnose, "diagnose", ["readings"])
    sick = [f"hidden_{layer}" for layer in SICK_LAYERS]
    networks = [sick_readings(layer, seed=layer) for layer in SICK_LAYERS]
    found = [_layer_name(diagnose(readings.copy())) for readings in networks]
    hits = sum(f == s for f, s in zip(found, sick, strict=True))
    if hits == len(sick):
        return (
            f"It finds all {hits}. A small gradient marks the layers that suffer, not "
            "the one that is sick: each of the others lacks either a full input or a "
            "full gradient. Look for the place where something changes."
        )
    score = f"it finds {hits} of {len(sick)} sick layers"
    if len(set(found)) == 1:
        raise NotYet(f"{score}: it says `{found[0]}` whatever the readings are")
    if found == [_extreme(r, "gradient_norm", "idxmin") for r in networks]:
        raise NotYet(
            f"{score}. You name the layer with the smallest gradient; that is one that "
            "suffers. What has made its gradient small?"
        )
    if found == [_extreme(r, "activation_std", "idxmin") for r in networks]:
        raise NotYet(
            f"{score}. You name the layer with the smallest activations, but all "
            "layers after the sick one have small ones. Where does it begin?"
        )
    for shift, where in ((-1, "before"), (1, "after")):
        if found == [f"hidden_{layer + shift}" for layer in SICK_LAYERS]:
            raise NotYet(f"you are one off: you name the layer {where} the sick one")
    miss = next(i for i, (f, s) in enumerate(zip(found, sick, strict=True)) if f != s)
    raise NotYet(
        f"{score}. With `sick_readings({SICK_LAYERS[miss]}, "
        f"seed={SICK_LAYERS[miss]})` it says `{found[miss]}`"
    )


def _extreme(readings: pd.DataFrame, metric: str, which: str) -> str:
    hidden = readings[readings["layer"].str.startswith("hidden")]
    values = hidden[hidden["metric"] == metric].set_index("layer")["value"]
    return getattr(values, which)()


def _layer_name(value: Any) -> str:
    if value is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    if isinstance(value, Sequence | pd.Series | np.ndarray) and len(value) == 1:
        value = next(iter(value))
    if not isinstance(value, str):
        raise NotYet(
            f"your function returns a value of type `{type(value).__name__}`; return "
            "the layer's name, as in the column `layer`"
        )
    return str(value)

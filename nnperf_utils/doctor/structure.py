"""Signs that can be seen without training: output, loss, labels, layers.

A sign is a cause with a strength from 0 to 1, a layer, and what was seen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from nnperf_utils.doctor.data import Target
from nnperf_utils.doctor.network import Output, leaves
from nnperf_utils.engine import private

__all__ = ["NUMBERED", "Sign", "bad_weights", "frozen", "pairing"]

_REGRESSION = {
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "log_cosh",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "cosine_similarity",
}
_HINGES = {"hinge", "squared_hinge", "categorical_hinge"}
_PROBABILITIES = ("sigmoid", "softmax", "hard_sigmoid")
_RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, np.inf),
    "exponential": (0.0, np.inf),
}
NUMBERED = 0.45
"""How strongly whole numbers under a loss of distances speak for `wrong_loss`: they may
be counts; beside other evidence the rules make more of it."""
_LINEAR = ("linear", "leaky_relu", "elu", "selu", "prelu")


class Sign(NamedTuple):
    """What speaks for a cause."""

    cause: str
    strength: float
    reason: str
    layer: str | None = None


def pairing(output: Output, target: Target, y: np.ndarray) -> list[Sign]:
    """Look at an output, its loss and its labels together.

    Parameters
    ----------
    output : Output
    target : Target
        Of `y`.
    y : numpy.ndarray
        All targets of that output.
    """
    if target.kind == "text":
        few = ", ".join(repr(str(v)) for v in target.values[:3])
        return [Sign("label_encoding", 1.0, f"the labels are text ({few}, …)")]
    signs: list[Sign] = []
    add = lambda *of: signs.append(Sign(*of))  # noqa: E731
    units, activation, loss = output.units, output.activation, output.loss
    layer = output.layer
    classes = target.kind in ("binary", "multiclass")
    whole = target.coding == "whole"
    finite = y[np.isfinite(y)].astype("float64") if y.dtype.kind in "fiub" else y
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0, 0)
    spans = f"from {low:.4g} to {high:.4g}"

    if activation == "softmax" and units == 1:
        add(
            "wrong_output_activation",
            1.0,
            "softmax over a single unit is always 1",
            layer,
        )
    elif loss == "sparse_categorical_crossentropy":
        if target.coding in ("one-hot", "multi-hot") and y.shape[-1] > 1:
            add(
                "label_encoding",
                1.0,
                f"labels one-hot coded, shape {y.shape}, but the loss {loss} wants "
                "whole numbers",
            )
        elif y.ndim <= 2 and units is not None and units > 1:
            if low < 0 or high >= units:
                add(
                    "label_encoding",
                    1.0,
                    f"labels {spans}, while {units} units stand for 0 to {units - 1}",
                )
            elif len(finite) and not np.array_equal(finite, np.round(finite)):
                add(
                    "wrong_loss",
                    1.0,
                    f"targets are no whole numbers, the loss is {loss}",
                )
        elif units == 1:
            add("wrong_loss", 0.95, f"{loss} over a single unit", layer)
            add("wrong_output_activation", 0.75, f"{loss} over a single unit", layer)
    elif loss in ("categorical_crossentropy", "kl_divergence"):
        if units == 1:
            add(
                "wrong_loss",
                1.0,
                f"{loss} over a single unit is the same for all",
                layer,
            )
            add("wrong_output_activation", 0.7, f"{loss} over a single unit", layer)
        elif whole and classes:
            add(
                "label_encoding",
                1.0,
                f"labels are whole numbers, but the loss {loss} wants them one-hot",
            )
        elif target.coding == "multi-hot":
            add("wrong_loss", 0.9, f"several labels hold at once, the loss is {loss}")
        elif target.kind == "regression" and (low < 0 or high > 1.001):
            add("wrong_loss", 1.0, f"targets are numbers {spans}, the loss is {loss}")
    elif loss == "binary_crossentropy":
        if low < 0 or high > 1:
            ends = np.unique(finite) if target.coding == "number" else target.values
            if target.kind == "binary" or len(ends) == 2:
                a, b = ends[:2]
                add(
                    "label_encoding",
                    1.0,
                    f"labels {a:g} and {b:g}, but {loss} wants 0 and 1",
                )
            elif target.kind == "multiclass" and whole:
                add(
                    "wrong_loss",
                    0.9,
                    f"{target.classes} classes {spans} under {loss}",
                    layer,
                )
                add("label_encoding", 0.8, f"labels {spans} under {loss}")
                if units == 1:
                    add(
                        "wrong_output_activation",
                        0.75,
                        f"one unit for {target.classes} classes",
                        layer,
                    )
            else:
                add(
                    "wrong_loss",
                    1.0,
                    f"targets are numbers {spans}, the loss is {loss}",
                )
        elif target.kind == "multiclass" and target.coding == "one-hot":
            add("wrong_loss", 0.7, f"one of {target.classes} classes, judged by {loss}")
        elif target.kind == "binary" and whole and units and units > 1:
            add("label_encoding", 0.8, f"one label for {units} units under {loss}")
    elif loss in _HINGES:
        if activation in ("sigmoid", "softmax", "relu"):
            add("wrong_loss", 0.8, f"{loss} on the output of {activation}", layer)
        if not classes:
            add("wrong_loss", 1.0, f"targets are numbers {spans}, the loss is {loss}")
    elif loss == "poisson" and (low < 0 or (classes and activation in _PROBABILITIES)):
        add("wrong_loss", 1.0, f"targets {spans}, the loss is {loss}")
    elif loss in _REGRESSION:
        signs += _regression_loss(output, target, low, high, finite, y)

    if ("crossentropy" in loss and units != 1) or loss == "binary_crossentropy":
        signs += _logits(output, target, whole)
    return signs


def _logits(output: Output, target: Target, whole: bool) -> list[Sign]:
    """Look at whether a cross-entropy gets what it takes."""
    activation, layer, loss = output.activation, output.layer, output.loss
    said = f"the last layer ends with {activation}, and the loss has from_logits="
    if output.logits and activation in _PROBABILITIES:
        return [Sign("from_logits_mismatch", 1.0, f"{said}True", layer)]
    if output.logits:
        if activation in ("relu", "tanh", "relu6"):
            return [Sign("wrong_output_activation", 0.9, f"{said}True", layer)]
        return []
    if activation in _LINEAR:
        return [
            Sign("from_logits_mismatch", 1.0, f"{said}False", layer),
            Sign("wrong_output_activation", 0.7, f"{said}False", layer),
        ]
    if activation in ("relu", "tanh", "relu6", "softplus", "exponential", "softsign"):
        return [
            Sign(
                "wrong_output_activation",
                1.0,
                f"{loss} takes probabilities, the last layer ends with {activation}",
                layer,
            )
        ]
    if activation == "sigmoid" and loss != "binary_crossentropy":
        return [
            Sign(
                "wrong_output_activation",
                0.85,
                f"one of {output.units} classes, but sigmoid judges each by itself",
                layer,
            )
        ]
    several = target.coding == "multi-hot" or (whole and target.kind == "multilabel")
    if activation == "softmax" and several:
        return [
            Sign(
                "wrong_output_activation",
                0.95,
                "several labels hold at once, and softmax lets one hold",
                layer,
            )
        ]
    return []


def _regression_loss(
    output: Output, target: Target, low: float, high: float, y: np.ndarray, full: Any
) -> list[Sign]:
    """Look at a loss that measures distances."""
    loss, activation, layer, units = (
        output.loss,
        output.activation,
        output.layer,
        output.units,
    )
    signs = []
    classes = target.kind in ("binary", "multiclass")
    one_hot = target.coding == "one-hot"
    if classes and (
        activation in _PROBABILITIES
        or one_hot
        or target.kind == "binary"
        or (units or 0) > 1
    ):
        mean = loss in ("mean_squared_error", "huber", "log_cosh")
        strength = 0.75 if mean else 0.95
        if not one_hot and (units or 0) > 1 and full.ndim < 2:
            strength = 1.0  # each unit is held against the class's number
        said = f"{target.classes} classes, judged by {loss}"
        signs.append(Sign("wrong_loss", strength, said, layer))
        if target.kind == "binary" and (low, high) != (0, 1):
            said = f"labels {low:g} and {high:g}"
            if activation in ("sigmoid", "softmax", "relu"):
                signs.append(Sign("label_encoding", 0.8, said))
        elif target.kind == "multiclass" and units == 1 and activation in _RANGES:
            said = f"{activation} cannot reach labels from {low:g} to {high:g}"
            signs.append(Sign("wrong_output_activation", 0.8, said, layer))
        return signs
    if classes and units == 1 and activation == "linear" and target.classes <= 12:
        said = f"{target.classes} classes, judged as numbers by {loss}"
        signs.append(Sign("wrong_loss", NUMBERED, said, layer))
    if activation in _RANGES and len(y):
        lowest, highest = _RANGES[activation]
        slack = 1e-3 * max(high - low, 1e-9)
        outside = float(np.mean((y < lowest - slack) | (y > highest + slack)))
        if outside > 0.01:
            said = (
                f"{outside:.0%} of the targets, {low:.3g} to {high:.3g}, are beyond "
                f"what {activation} can put out"
            )
            strength = 1.0 if outside > 0.05 else 0.8
            signs.append(Sign("wrong_output_activation", strength, said, layer))
        elif activation == "softmax" and target.kind == "regression":
            said = "softmax makes the numbers put out sum to 1"
            signs.append(Sign("wrong_output_activation", 0.9, said, layer))
    if loss == "mean_absolute_percentage_error" and len(y):
        near = float(np.mean(np.abs(y) < 0.05 * np.mean(np.abs(y))))
        if near > 0.01 or low < 0 < high:
            said = f"percentages of targets near zero ({low:.3g} to {high:.3g})"
            signs.append(Sign("wrong_loss", 0.9, said))
    if loss == "mean_squared_logarithmic_error" and low < 0:
        signs.append(Sign("wrong_loss", 1.0, f"{loss} of targets down to {low:.3g}"))
    if loss == "cosine_similarity":
        strength = 1.0 if units == 1 else 0.7
        said = "cosine_similarity sees directions, not sizes"
        signs.append(Sign("wrong_loss", strength, said))
    return signs


# --- weights -------------------------------------------------------------------------


def frozen(model: keras.Model, values: dict[int, np.ndarray]) -> list[Sign]:
    """Look for layers that do not learn though their weights are as drawn.

    Parameters
    ----------
    model : keras.Model
    values : dict
        Weights at the start, by the variable's ``id``.
    """
    trained = {id(v) for v in model.trainable_variables}
    still, learns = [], []
    for layer in leaves(model):
        kernels = [v for v in layer.weights if len(v.shape) >= 2]
        if not kernels or isinstance(layer, keras.layers.Normalization):
            continue
        if any(id(v) in trained for v in kernels):
            learns.append(layer)
        elif _as_drawn(
            [values.get(id(v), keras.ops.convert_to_numpy(v)) for v in layer.weights]
        ):
            still.append(layer)
    if not still:
        return []
    size = sum(int(np.prod(v.shape)) for one in still for v in one.weights)
    share = size / max(model.count_params(), 1)
    names = ", ".join(one.name for one in still[:4])
    said = (
        f"{names} ({share:.0%} of all weights) cannot learn, and the weights look as "
        "they were drawn"
    )
    strength = 1.0 if not learns or share > 0.2 else 0.85
    return [Sign("frozen_layers", strength, said, still[0].name)]


def _as_drawn(weights: list[np.ndarray]) -> bool:
    """Tell weights that an initializer drew from weights that have been trained."""
    biases = [w for w in weights if w.ndim == 1 and w.size > 1]
    if biases and any(np.ptp(b) > 0 and len(np.unique(b)) > 2 for b in biases):
        return False
    kernel = max((w for w in weights if w.ndim >= 2), key=np.size).ravel()
    if kernel.size < 64:
        return bool(biases)
    spread = kernel.std()
    if spread < 1e-12:
        return True
    kurtosis = float(np.mean((kernel - kernel.mean()) ** 4) / spread**4)
    # 1.8 of a uniform distribution, 2.5 to 3 of normal ones, cut off or not
    margin = 12 / np.sqrt(kernel.size)
    uniform = abs(kurtosis - 1.8) < 0.12 + margin / 4
    normal = 2.2 < kurtosis < 3.15 + margin
    return uniform or (bool(biases) and normal)


def bad_weights(model: keras.Model, values: dict[int, np.ndarray]) -> list[Sign]:
    """Look for starting weights that are zero, constant, or far from the usual size."""
    signs = []
    sizes = []
    layers = [
        layer
        for layer in private.flatten_layers(model, False)
        if hasattr(layer, "kernel") and not isinstance(layer, keras.Model)
    ]
    for layer in layers:
        try:
            kernel = values.get(id(layer.kernel))
        except AttributeError:
            continue
        if kernel is None or kernel.ndim < 2 or kernel.size < 2:
            continue
        fan_in = int(np.prod(kernel.shape[:-1]))
        fan_out = int(kernel.shape[-1])
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            continue
        last = layer is layers[-1]
        if not np.isfinite(kernel).all():
            signs.append(
                Sign("bad_initialization", 1.0, "weights are not finite", layer.name)
            )
            continue
        spread = float(kernel.std())
        if np.ptp(kernel) == 0:
            what = "zero" if kernel.flat[0] == 0 else f"{kernel.flat[0]:.3g}"
            # zero in the last layer, or in a branch of a residual network, is a choice
            strength = 1.0 if not (last and kernel.flat[0] == 0) else 0.2
            said = f"all weights of {layer.name} start at {what}"
            signs.append(Sign("bad_initialization", strength, said, layer.name))
            continue
        if fan_out > 1 and np.ptp(kernel, axis=-1).max() < 1e-6 * np.abs(kernel).max():
            said = f"all units of {layer.name} start with the same weights"
            signs.append(Sign("bad_initialization", 0.9, said, layer.name))
            continue
        if float(kernel.mean()) > 4 * spread and kernel.size > 16:
            said = (
                f"the weights of {layer.name} start near {kernel.mean():.3g}, all alike"
            )
            signs.append(Sign("bad_initialization", 0.95, said, layer.name))
            continue
        usual = np.sqrt(2 / (fan_in + fan_out))
        sizes.append((layer.name, spread / usual, spread * np.sqrt(fan_in), fan_in))
    for layer in leaves(model):  # weights that a reader's own layer holds
        if hasattr(layer, "kernel") or type(layer).__module__.startswith("keras."):
            continue
        for variable in layer.trainable_variables:
            held = values.get(id(variable))
            if held is None or held.ndim < 2 or held.size <= 8 or np.ptp(held) > 0:
                continue
            said = f"all weights of {layer.name} start at {held.flat[0]:.3g}"
            signs.append(Sign("bad_initialization", 1.0, said, layer.name))
    hidden = sizes[:-1] if len(sizes) > 1 else sizes
    if hidden:
        small = [s for s in hidden if min(s[1], s[2]) < 0.12]
        # a single layer's weights may be large by chance where its fan is small
        large = [s for s in hidden if min(s[1], s[2]) > 3.2]
        for found, word in ((small, "small"), (large, "large")):
            if found:
                worst = (min if word == "small" else max)(found, key=lambda s: s[1])
                times = worst[1] if word == "large" else 1 / worst[1]
                share = len(found) / len(hidden)
                strength = float(np.clip(0.45 + 0.35 * np.log10(times), 0, 1))
                strength *= 1.0 if share >= 0.5 else 0.8
                said = (
                    f"the weights of {worst[0]} start {times:.1f} times too {word} "
                    f"({len(found)} of {len(hidden)} layers)"
                )
                signs.append(Sign("bad_initialization", strength, said, worst[0]))
    return signs

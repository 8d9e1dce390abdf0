"""What a network and its settings are, read without running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nnperf_utils.engine import private

__all__ = [
    "Output",
    "activation_of",
    "leaves",
    "loss_name",
    "optimizer_facts",
    "outputs",
]

_SNAKE = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "huber_loss": "huber",
    "binary_focal_crossentropy": "binary_crossentropy",
    "categorical_focal_crossentropy": "categorical_crossentropy",
}
_DEFAULT_RATES = {
    "sgd": 0.01,
    "adagrad": 0.01,
    "adadelta": 1.0,
    "ftrl": 0.01,
    "lion": 1e-4,
    "adafactor": 1e-2,
    "muon": 1e-3,
}
_STRUCTURE = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)


def leaves(model: keras.Model) -> list[keras.Layer]:
    """Return all layers that hold no other, in the order in which they are held.

    A recurrent layer and a wrapper count as one.
    """
    found: list[keras.Layer] = []

    def visit(layer: keras.Layer) -> None:
        opaque = isinstance(layer, (keras.layers.RNN, keras.layers.Wrapper))
        inner = [] if opaque else private.flatten_layers(layer, False, False)
        inner = [one for one in inner if isinstance(one, keras.layers.Layer)]
        if layer is not model and (not inner or opaque):
            found.append(layer)
        for one in inner:
            visit(one)

    visit(model)
    return found


def activation_of(layer: keras.Layer) -> str:
    """Return the name of the function that a layer ends with; ``linear`` of none."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, keras.layers.BatchNormalization):
        return "batch_normalization"
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    if isinstance(layer, keras.layers.LeakyReLU):
        return "leaky_relu"
    if isinstance(layer, keras.layers.PReLU):
        return "prelu"
    if isinstance(layer, keras.layers.ELU):
        return "elu"
    activation = getattr(layer, "activation", None)
    if activation is None:
        return "linear"
    if isinstance(activation, keras.layers.Layer):
        return activation_of(activation)
    return str(getattr(activation, "__name__", type(activation).__name__)).lower()


def loss_name(loss: Any) -> str:
    """Return a loss's name as Keras's functions are called; ``custom`` of others."""
    if loss is None:
        return "none"
    if isinstance(loss, str):
        name = loss
    elif isinstance(loss, keras.losses.Loss):
        name = type(loss).__name__
        if name == "LossFunctionWrapper":
            name = getattr(loss.fn, "__name__", "custom")
    else:
        name = getattr(loss, "__name__", "custom")
    snake = "".join(
        f"_{c.lower()}"
        if c.isupper() and i and not name[i - 1].isupper()
        else c.lower()
        for i, c in enumerate(name)
    )
    snake = {"klddivergence": "kl_divergence", "kldivergence": "kl_divergence"}.get(
        snake.replace("_", ""), snake
    )
    snake = _SNAKE.get(snake, snake)
    return snake if hasattr(keras.losses, snake) else "custom"


def from_logits(loss: Any) -> bool | None:
    """Tell whether a loss expects logits; None where it is no cross-entropy."""
    if "crossentropy" not in loss_name(loss):
        return None
    if isinstance(loss, keras.losses.Loss):
        given = getattr(loss, "_fn_kwargs", {}) or {}
        return bool(getattr(loss, "from_logits", given.get("from_logits", False)))
    return False


@dataclass(frozen=True)
class Output:
    """One output of a network: what it ends with, and what it is judged by."""

    name: str
    layer: str
    units: int | None
    activation: str
    loss: str
    logits: bool | None


def outputs(model: keras.Model) -> list[Output]:
    """Return a network's outputs, those of a subclass as far as they can be told."""
    ends: list[tuple[str, keras.Layer | None, int | None, str]] = []
    tensors = keras.tree.flatten(getattr(model, "outputs", None) or [])
    for tensor in tensors:
        ends.append(_end(tensor))
    if not ends:
        held = [one for one in leaves(model) if not isinstance(one, _STRUCTURE)]
        with_weights = [one for one in held if one.weights] or held
        if with_weights:
            last = with_weights[-1]
            after = held[held.index(last) + 1 :]
            names = [activation_of(last), *map(activation_of, after)]
            name = next((n for n in reversed(names) if n != "linear"), "linear")
            ends = [(last.name, last, getattr(last, "units", None), name)]
    losses = _losses(model, len(ends))
    return [
        Output(
            name=str(name),
            layer=layer.name if layer is not None else str(name),
            units=units,
            activation=activation,
            loss=loss_name(loss),
            logits=from_logits(loss),
        )
        for (name, layer, units, activation), loss in zip(ends, losses, strict=True)
    ]


def _end(tensor: Any) -> tuple[str, keras.Layer | None, int | None, str]:
    """Return the layer that puts a symbolic tensor out, and its activation."""
    units = tensor.shape[-1] if len(tensor.shape) > 1 else None
    history = getattr(tensor, "_keras_history", None)
    layer = getattr(history, "operation", None)
    if isinstance(layer, keras.Model):
        inner = outputs(layer)
        if len(inner) == 1:
            last = next(
                (one for one in leaves(layer) if one.name == inner[0].layer), layer
            )
            return layer.name, last, units, inner[0].activation
        return layer.name, layer, units, "linear"
    name = getattr(layer, "name", "output")
    if isinstance(layer, keras.layers.Layer):
        return name, layer, units, activation_of(layer)
    kind = type(layer).__name__.lower()  # an operation of keras.ops
    return (
        name,
        None,
        units,
        kind if kind in ("softmax", "sigmoid", "relu") else "linear",
    )


def _losses(model: keras.Model, count: int) -> list[Any]:
    """Return the loss of each output as `compile` was given it."""
    given = getattr(model, "loss", None)
    if isinstance(given, Mapping):
        names = list(getattr(model, "output_names", None) or given)
        found = [given.get(name) for name in names]
    elif isinstance(given, (list, tuple)):
        found = list(given)
    else:
        found = [given] * count
    return (found + [None] * count)[:count]


def optimizer_facts(model: keras.Model) -> dict[str, Any]:
    """Return what is known of an optimizer, its rate as a multiple of the usual."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {"optimizer": "none"}
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    name = type(optimizer).__name__.lower()
    momentum = getattr(optimizer, "momentum", 0.0)
    momentum = float(momentum) if np.ndim(momentum) == 0 and momentum else 0.0
    facts = {
        "optimizer": name,
        "usual_rate": _DEFAULT_RATES.get(name, 1e-3),
        "momentum": momentum,
        "weight_decay": float(getattr(optimizer, "weight_decay", None) or 0.0),
        "schedule": not isinstance(
            getattr(optimizer, "_learning_rate", None), keras.Variable
        ),
    }
    for clip in ("clipnorm", "global_clipnorm", "clipvalue"):
        if getattr(optimizer, clip, None):
            facts["clips"] = float(getattr(optimizer, clip))
    return facts

"""Look inside a network: gradients, activations, updates, and a gradient check.

Every instrument answers with a tidy frame, ``layer, metric, value``, its layers in
the order in which the forward pass calls them. The same functions serve three
callers: a reader who asks once (`gradient_norms`, `activation_statistics`,
`activations`, `update_ratios`), a reader's own ``fit`` (`Monitor`), and the engine
that trains many replicas in one graph (`record`, `update_ratios_tensors`).
`random_layers` needs no model: it looks at what a start does to any signal.

What is read is what a training step sees, without its noise: batch normalization
uses the statistics of the batch, while layers that draw random numbers (dropout,
noise, random augmentation) are switched off. So a reading needs no random number,
says the same twice, and shows what batch normalization does to a network before its
moving statistics have caught up. Nothing in the model changes.

The metrics
    ``gradient_norm``
        L2 norm of the gradient of the loss, penalties included, over the layer's
        trainable kernels, or all its trainable weights where it has no kernel.
        Biases are left out: their gradient lacks the factor of the layer's input, and
        would hide what becomes of the kernels'. Frozen layers are left out.
    ``activation_mean``, ``activation_std``
        Mean and standard deviation of the layer's outputs, over the whole batch.
    ``saturated``
        Share of the outputs within 1% of the activation's range from one of its
        asymptotes: sigmoid below 0.01 or above 0.99, tanh beyond ±0.98. For both of
        them that is where the slope is below 4% of its maximum. Only for
        activations that have two asymptotes.
    ``dead``
        Share of the units that are off (output <= 0) for every example of the batch;
        of a convolution, the share of its channels. Only for activations that can be
        off, the ReLUs.
    ``on``
        Of each unit by itself, the share of the examples for which its output is above
        zero; of a channel, of the examples and places. Zero means that the unit is off
        for every example: with ReLU its weights get no gradient. NaN where an output is
        not finite. Not of linear layers and softmax. Frames have a column ``unit`` for
        it, counted from 0; :mod:`nnperf_utils.lives` follows units through a training.
    ``update_ratio``
        L2 norm of the change that one optimizer step made to the layer's kernels,
        over the L2 norm of the kernels before it. Vectors (biases, scales) are left
        out: most start at zero, where a ratio says nothing. The reciprocal of the
        number of steps that it would take to replace the weights; about 1e-3 is
        healthy (A. Karpathy, "makemore", part 3, with standard deviations in place
        of norms).

Layers are named by their path below the model, ``"encoder/dense"``. A layer that is
called more than once has its activations read at each call: ``"dense"``,
``"dense:2"``, and so on, while its gradient, being one, stands under ``"dense"``.
Layers that pass their inputs on (Flatten, Reshape, Dropout when off, …) have no
readings.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from nnperf_utils.engine import private

__all__ = [
    "Monitor",
    "activation_statistics",
    "activations",
    "clipped",
    "gradient_check",
    "gradient_noise",
    "gradient_norms",
    "one_by_one",
    "random_layers",
    "record",
    "unit_activity",
    "update_ratios",
    "update_ratios_tensors",
]

Readings = dict[tuple[str, str], tf.Tensor]

RECORDS = ("gradients", "activations", "updates")

_ASYMPTOTES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}
_CAN_BE_OFF = ("relu", "relu6")
_NO_UNITS = ("linear", "softmax", "log_softmax")  # whose sign says nothing of a unit
_SATURATION_TOLERANCE = 0.01  # of the activation's range
# With the noise off these put out the values that came in, so they get no readings.
_PASS_VALUES_ON = (
    keras.layers.InputLayer,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.RepeatVector,
    keras.layers.Identity,
    keras.layers.ActivityRegularization,
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)
# These call their inner layers inside a loop of their own, from which no tensor may
# be taken; they are read as one layer.
_OPAQUE = (keras.layers.RNN, keras.layers.Wrapper)


# --------------------------------------------------------------------------------------
# The layers of a model
# --------------------------------------------------------------------------------------


def _sublayers(layer: keras.Layer) -> list[keras.Layer]:
    if isinstance(layer, _OPAQUE):
        return []
    return private.flatten_layers(layer, include_self=False, recursive=False)


def _own_variables(layer: keras.Layer) -> list[keras.Variable]:
    """Weights that `layer` holds itself, not by way of a layer within it."""
    if isinstance(layer, _OPAQUE):
        return list(layer.weights)
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _named_layers(model: keras.Model) -> dict[str, keras.Layer]:
    """All layers that can be read, by path; a shared layer under its first path."""
    named: dict[str, keras.Layer] = {}
    seen: set[int] = {id(model)}

    def visit(parent: keras.Layer, prefix: str) -> None:
        for layer in _sublayers(parent):
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            name, copies = prefix + layer.name, 1
            # Subclassed models may hold two layers of one name.
            while name in named:
                copies += 1
                name = f"{prefix}{layer.name}_{copies}"
            if _own_variables(layer) or not _sublayers(layer):
                named[name] = layer
            visit(layer, f"{name}/")

    visit(model, "")
    if _own_variables(model):
        named[model.name] = model
    return named


def _weights_by_layer(
    model: keras.Model, order: Sequence[str] | None = None
) -> dict[str, list[int]]:
    """Positions in `model.trainable_variables` of each layer's weights."""
    position = {id(v): i for i, v in enumerate(model.trainable_variables)}
    layers = _named_layers(model)
    first_called = {name: i for i, name in enumerate(order or [])}
    by_layer = {}
    for name in sorted(layers, key=lambda n: first_called.get(n, len(layers))):
        # `pop`: a weight shared by two layers counts for the first.
        owned = [position.pop(id(v), None) for v in _own_variables(layers[name])]
        if owned := [i for i in owned if i is not None]:
            by_layer[name] = owned
    return by_layer


def _kernels(weights: Sequence[tf.Tensor], positions: Sequence[int]) -> list[int]:
    """Those of the positions that hold no vector (bias, scale, shift)."""
    return [i for i in positions if len(weights[i].shape) >= 2]


def _activation_name(layer: keras.Layer) -> str | None:
    """Name of the function whose values `layer` puts out, if it is known."""
    if isinstance(layer, keras.layers.RNN) and not isinstance(
        layer, keras.layers.SimpleRNN
    ):
        return None  # the output of an LSTM or GRU is not its activation's
    activation = getattr(layer, "activation", layer)
    if isinstance(activation, keras.layers.ReLU):
        return None if activation.negative_slope else "relu"
    return getattr(activation, "__name__", None)


# --------------------------------------------------------------------------------------
# Capturing what each layer puts out
# --------------------------------------------------------------------------------------


@dataclass
class _Captured:
    """Outputs by layer and call, and the order in which these calls began."""

    outputs: dict[str, tuple[keras.Layer, tf.Tensor]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


def _belongs_here(tensor: Any, graph: Any) -> bool:
    """Whether `tensor` can be used in `graph` (None: eagerly)."""
    if not tf.is_tensor(tensor) or not tensor.dtype.is_floating:
        return False
    return graph is None or getattr(tensor, "graph", None) is graph


@contextmanager
def _capture(model: keras.Model) -> Iterator[_Captured]:
    """Note each layer's output while the model is called, with the noise off.

    The layers' `call` is wrapped for that time. That works alike for Sequential,
    functional, subclassed and nested models, where building a second model with more
    outputs would work for the functional ones only.
    """
    captured = _Captured()
    calls: dict[str, int] = {}
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    def wrap(name: str, layer: keras.Layer) -> Callable:
        call = layer.call
        draws = any(
            private.seed_generators(inner) for inner in private.flatten_layers(layer)
        ) and (isinstance(layer, _OPAQUE) or not _sublayers(layer))
        reads = not isinstance(layer, _PASS_VALUES_ON)

        @functools.wraps(call)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if draws and kwargs.get("training"):
                kwargs["training"] = False
            calls[name] = calls.get(name, 0) + 1
            key = name if calls[name] == 1 else f"{name}:{calls[name]}"
            captured.order.append(key)
            outputs = call(*args, **kwargs)
            first = tf.nest.flatten(outputs)[0]
            if reads and _belongs_here(first, graph):
                captured.outputs[key] = (layer, first)
            return outputs

        return wrapped

    with ExitStack() as stack:
        for name, layer in _named_layers(model).items():
            if layer is model:  # named for its own weights only
                continue
            # Straight into the instance's dictionary: Keras and TensorFlow both
            # watch assignments to a layer's attributes.
            before = layer.__dict__.get("call")
            layer.__dict__["call"] = wrap(name, layer)
            stack.callback(_restore_call, layer, before)
        yield captured


def _restore_call(layer: keras.Layer, before: Callable | None) -> None:
    if before is None:
        del layer.__dict__["call"]
    else:
        layer.__dict__["call"] = before


def _loss(
    model: keras.Model,
    trainable: Sequence[tf.Tensor],
    non_trainable: Sequence[tf.Tensor],
    x: Any,
    y: Any,
    sample_weight: Any,
    training: bool,
) -> tf.Tensor | None:
    """Loss of the model with the given weights; None where there is no `y`.

    Whatever the call would change (moving statistics, metrics) stays in the scope
    and is dropped with it.
    """
    mapping = [
        *zip(model.trainable_variables, trainable, strict=True),
        *zip(model.non_trainable_variables, non_trainable, strict=True),
    ]
    with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
        predicted = model(x, training=training)
        if y is None:
            return None
        return model.compute_loss(
            x=x, y=y, y_pred=predicted, sample_weight=sample_weight
        )


# --------------------------------------------------------------------------------------
# The core, in pure TensorFlow
# --------------------------------------------------------------------------------------


def _norm(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """L2 norm over all elements of all tensors.

    Scaled by the largest element: in a deep sigmoid network gradients are small
    enough for their squares to vanish in float32.
    """
    flat = tf.concat(
        [tf.reshape(tf.convert_to_tensor(t), [-1]) for t in tensors], axis=0
    )
    if flat.dtype != tf.float64:
        flat = tf.cast(flat, tf.float32)
    largest = tf.reduce_max(tf.abs(flat))
    scaled = tf.math.divide_no_nan(flat, largest)
    return largest * tf.sqrt(tf.reduce_sum(tf.square(scaled)))


def _statistics(layer: keras.Layer, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
    outputs = tf.cast(outputs, tf.float32)
    statistics = {
        "activation_mean": tf.reduce_mean(outputs),
        "activation_std": tf.math.reduce_std(outputs),
    }
    activation = _activation_name(layer)
    if activation in _ASYMPTOTES:
        low, high = _ASYMPTOTES[activation]
        margin = _SATURATION_TOLERANCE * (high - low)
        near = (outputs < low + margin) | (outputs > high - margin)
        statistics["saturated"] = tf.reduce_mean(tf.cast(near, tf.float32))
    if activation in _CAN_BE_OFF:
        by_unit = tf.reshape(outputs, [-1, outputs.shape[-1]])
        off = tf.reduce_all(by_unit <= 0, axis=0)
        statistics["dead"] = tf.reduce_mean(tf.cast(off, tf.float32))
    return statistics


def _share_on(layer: keras.Layer, outputs: tf.Tensor) -> tf.Tensor | None:
    """Share of the examples for which each unit is on; None where none can be off."""
    module = type(layer).__module__
    activates = hasattr(layer, "activation") or ".layers.activations." in module
    if not activates or _activation_name(layer) in _NO_UNITS:
        return None
    if isinstance(layer, keras.layers.Softmax):
        return None
    by_unit = tf.reshape(tf.cast(outputs, tf.float32), [-1, outputs.shape[-1]])
    on = tf.where(by_unit > 0, 1.0, 0.0)
    return tf.reduce_mean(tf.where(tf.math.is_finite(by_unit), on, np.nan), axis=0)


def one_by_one(
    readings: Mapping[tuple[str, str], Any],
) -> tuple[list[tuple], list[Any]]:
    """Take readings apart that have a number for each unit.

    Parameters
    ----------
    readings : mapping
        As :func:`record` returns them.

    Returns
    -------
    names : list of tuple
        ``(layer, metric)``, or ``(layer, metric, unit)`` of a unit.
    values : list of scalar tensors
    """
    names: list[tuple] = []
    values: list[Any] = []
    for name, value in readings.items():
        if len(value.shape):
            parts = tf.unstack(value)
            names += [(*name, unit) for unit in range(len(parts))]
            values += parts
        else:
            names.append(name)
            values.append(value)
    return names, values


# AutoGraph would rewrite Keras's Python along with this one's, to no use.
@tf.autograph.experimental.do_not_convert
def record(
    model: keras.Model,
    trainable: Sequence[tf.Tensor],
    non_trainable: Sequence[tf.Tensor],
    x: Any,
    y: Any,
    what: str | Sequence[str],
    sample_weight: Any = None,
    *,
    training: bool = True,
) -> Readings:
    """Read the gradients and activations of a model whose weights have given values.

    Pure: it changes nothing and draws nothing, and works in `tf.function` and
    `tf.vectorized_map`, with XLA and without.

    Parameters
    ----------
    model : keras.Model
        Built; compiled if gradients are asked for.
    trainable, non_trainable : sequence of tensors
        Values in the order of ``model.trainable_variables`` and
        ``model.non_trainable_variables``.
    x, y : tensors, or nests of them
        The probe batch, first axis the examples. `y` may be None for activations.
    what : str or sequence of str
        Of ``"gradients"``, ``"activations"`` and ``"units"``.
    sample_weight : tensor, optional
        Weights of the examples in the loss, shape ``(examples,)``.
    training : bool
        Whether batch normalization uses the batch's statistics, as in a training
        step. Layers that draw random numbers are off in either case.

    Returns
    -------
    dict
        ``(layer, metric)`` to a scalar tensor, of ``on`` to one with a number for each
        unit; layers in the order of the forward pass; the module's docstring lists the
        metrics.

    Raises
    ------
    ValueError
        If `what` names anything else.
    """
    what = _check_what(what, ("gradients", "activations", "units"))
    gradients, weights = [], {}
    trainable = [tf.convert_to_tensor(value) for value in trainable]
    with _capture(model) as captured:
        if "gradients" in what:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(trainable)
                loss = _loss(
                    model, trainable, non_trainable, x, y, sample_weight, training
                )
            gradients = tape.gradient(
                loss, trainable, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
        else:
            _loss(model, trainable, non_trainable, x, None, None, training)
    if "gradients" in what:
        weights = _weights_by_layer(model, captured.order)

    readings: Readings = {}
    # Layers with weights that the call passed by come last.
    for name in dict.fromkeys([*captured.order, *weights]):
        if name in weights:
            positions = _kernels(trainable, weights[name]) or weights[name]
            readings[name, "gradient_norm"] = _norm([gradients[i] for i in positions])
        if "activations" in what and name in captured.outputs:
            for metric, value in _statistics(*captured.outputs[name]).items():
                readings[name, metric] = value
        if "units" in what and name in captured.outputs:
            on = _share_on(*captured.outputs[name])
            if on is not None:
                readings[name, "on"] = on
    return readings


@tf.autograph.experimental.do_not_convert
def update_ratios_tensors(
    model: keras.Model, before: Sequence[tf.Tensor], after: Sequence[tf.Tensor]
) -> Readings:
    """Compare the kernels before and after one optimizer step.

    Parameters
    ----------
    model : keras.Model
        Built.
    before, after : sequence of tensors
        Values in the order of ``model.trainable_variables``.

    Returns
    -------
    dict
        ``(layer, "update_ratio")`` to a scalar tensor: ``‖after - before‖ / ‖before‖``
        over the layer's weights with two axes or more; NaN where ``‖before‖`` is
        zero. Layers without such weights are left out.
    """
    readings: Readings = {}
    for name, positions in _weights_by_layer(model).items():
        kernels = _kernels(before, positions)
        if not kernels:
            continue
        size = _norm([before[i] for i in kernels])
        change = _norm([after[i] - before[i] for i in kernels])
        readings[name, "update_ratio"] = tf.where(
            size > 0, tf.math.divide_no_nan(change, size), np.nan
        )
    return readings


# --------------------------------------------------------------------------------------
# Checks of what comes in
# --------------------------------------------------------------------------------------


def _check_what(what: str | Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    what = (what,) if isinstance(what, str) else tuple(what)
    unknown = [w for w in what if w not in known]
    if unknown or not what:
        came = ", ".join(map(repr, unknown)) or "nothing"
        raise ValueError(f"record must be among {', '.join(known)}; got {came}.")
    return what


def _check_model(model: Any, *, compiled: bool = False) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model; got {type(model).__name__}.")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has no weights yet: give it a keras.Input, or call "
            "it on a batch, before reading it."
        )
    if compiled and not getattr(model, "compiled", False):
        raise ValueError(
            f"Model {model.name!r} is not compiled, so it has no loss to take the "
            "gradient of: call model.compile(loss=...) first."
        )


def _tensors(batch: Any) -> Any:
    """Arrays, frames and nests of them, as tensors."""
    return tf.nest.map_structure(
        lambda part: part if tf.is_tensor(part) else tf.convert_to_tensor(part),
        _map_arrays(np.asarray, batch),
    )


def _map_arrays(function: Callable, batch: Any) -> Any:
    """Apply `function` to each array of a batch: one, or several as model inputs."""
    if isinstance(batch, Mapping):
        return {key: _map_arrays(function, part) for key, part in batch.items()}
    if isinstance(batch, tuple) or (
        isinstance(batch, list) and any(np.ndim(part) > 0 for part in batch)
    ):
        return type(batch)(_map_arrays(function, part) for part in batch)
    return function(batch)


def _check_lengths(**parts: Any) -> int:
    """Length of the first axis, one for all parts that are given."""
    lengths: dict[str, list[int]] = {}
    for name, part in parts.items():
        if part is not None:
            lengths[name] = []
            _map_arrays(lambda a, name=name: lengths[name].append(len(a)), part)
    found = {n for several in lengths.values() for n in several}
    if len(found) != 1 or 0 in found:
        said = ", ".join(
            f"{name} {' and '.join(map(str, dict.fromkeys(n)))}"
            for name, n in lengths.items()
        )
        raise ValueError(
            "All parts of a batch must have the same number of examples, at least "
            f"one; got {said}."
        )
    return found.pop()


def _all_equal(some: Sequence[tf.Tensor], others: Sequence[tf.Tensor]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def _frame(readings: Mapping[tuple[str, str], Any]) -> pd.DataFrame:
    names, values = one_by_one(readings)
    frame = pd.DataFrame(
        {
            "layer": [name[0] for name in names],
            "metric": [name[1] for name in names],
            "value": [float(value) for value in values],
        }
    )
    units = [name[2] if len(name) > 2 else pd.NA for name in names]
    if any(len(name) > 2 for name in names):
        frame.insert(1, "unit", pd.array(units, dtype="Int64"))
    return frame


# --------------------------------------------------------------------------------------
# On a model and a batch
# --------------------------------------------------------------------------------------


def _read(
    model: keras.Model, x: Any, y: Any, what: str, sample_weight: Any = None
) -> pd.DataFrame:
    readings = record(
        model,
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        _tensors(x),
        None if y is None else _tensors(y),
        what,
        None if sample_weight is None else _tensors(sample_weight),
    )
    return _frame(readings)


def gradient_norms(
    model: keras.Model, x: Any, y: Any, sample_weight: Any = None
) -> pd.DataFrame:
    """Norm of the loss's gradient, layer by layer, on one batch.

    Parameters
    ----------
    model : keras.Model
        Built and compiled. It is not changed.
    x, y : array, or nest of arrays
        The batch, first axis the examples.
    sample_weight : array, optional
        Weights of the examples in the loss, shape ``(examples,)``.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, metric, value``, metric ``gradient_norm``; a row for each
        layer with trainable weights, in the order of the forward pass.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    ValueError
        If the model is not built or not compiled, or the parts of the batch differ in
        length.
    """
    _check_model(model, compiled=True)
    _check_lengths(x=x, y=y, sample_weight=sample_weight)
    return _read(model, x, y, "gradients", sample_weight)


def gradient_noise(
    model: keras.Model,
    x: Any,
    y: Any,
    batch_sizes: int | Sequence[int],
    *,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Tell how far the gradient of a batch is from that of all examples.

    Batches are drawn as an epoch deals them out, without replacement. The mean of the
    squared distance is then the variance of the gradient over batches,
    ``noise(1) / B * (N - B) / (N - 1)`` for batches of B out of N examples.

    Parameters
    ----------
    model : keras.Model
        Compiled, without batch normalization, which makes the loss of an example depend
        on its batch.
    x, y : array
        All examples.
    batch_sizes : int or sequence of int
    draws : int
        Batches of each size. For batches of one example it is all examples, once each.
    seed : int
        Of the draws.

    Returns
    -------
    pandas.DataFrame
        Columns ``batch_size, draw, value``: the squared distance from the gradient of
        all examples, over that gradient's squared norm.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    """
    _check_model(model, compiled=True)
    if any(
        isinstance(layer, keras.layers.BatchNormalization)
        for layer in private.flatten_layers(model)
    ):
        raise ValueError(
            f"model {model.name!r} has batch normalization, so that an example's "
            "gradient depends on its batch."
        )
    examples = _check_lengths(x=x, y=y)
    sizes = [batch_sizes] if np.ndim(batch_sizes) == 0 else list(batch_sizes)
    for name, value, most in (
        *(("batch_sizes", size, examples) for size in sizes),
        ("draws", draws, np.inf),
    ):
        is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not is_whole or not 1 <= value <= most:
            upto = " or more" if most == np.inf else f" to {most}"
            raise ValueError(
                f"{name} has {value!r}; expected whole numbers of 1{upto}."
            )
    squares = _squared_distances(model)
    tensors = _tensors((x, y))
    frames = []
    for size in sizes:
        generator = np.random.default_rng([seed, int(size)])
        rows = (
            np.arange(examples)[:, None]
            if size == 1
            else np.stack(
                [generator.permutation(examples)[:size] for _ in range(draws)]
            )
        )
        values = squares(*tensors, tf.constant(rows, tf.int32)).numpy()
        frames.append(
            pd.DataFrame(
                {
                    "batch_size": int(size),
                    "draw": np.arange(len(values)),
                    "value": values.astype(float),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


# One model at a time: give it other weights to look at its likes without tracing anew.
@functools.lru_cache(maxsize=1)
def _squared_distances(model: keras.Model) -> Callable:
    """Return a function of all examples and the rows of batches."""

    def gradient(x: Any, y: Any) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=False), training=False)
        weights = [variable.value for variable in model.trainable_variables]
        slopes = tape.gradient(loss, weights, unconnected_gradients="zero")
        return tf.concat([tf.reshape(slope, [-1]) for slope in slopes], 0)

    def squares(x: Any, y: Any, batches: tf.Tensor) -> tf.Tensor:
        whole = gradient(x, y)

        def distance(rows: tf.Tensor) -> tf.Tensor:
            of_batch = tf.nest.map_structure(lambda a: tf.gather(a, rows), (x, y))
            return tf.reduce_sum((gradient(*of_batch) - whole) ** 2)

        distances = tf.map_fn(distance, batches, fn_output_signature=whole.dtype)
        return distances / tf.reduce_sum(whole**2)

    return tf.function(squares, autograph=False, reduce_retracing=True)


def activation_statistics(model: keras.Model, x: Any) -> pd.DataFrame:
    """Mean, spread, saturation and dead units of each layer's outputs on one batch.

    Parameters
    ----------
    model : keras.Model
        Built. It is not changed.
    x : array, or nest of arrays
        The batch, first axis the examples.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, metric, value``; metrics ``activation_mean``,
        ``activation_std``, and where the activation has such a thing ``saturated`` and
        ``dead``. Layers in the order of the forward pass.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    ValueError
        If the model is not built, or the parts of the batch differ in length.
    """
    _check_model(model)
    _check_lengths(x=x)
    return _read(model, x, None, "activations")


def unit_activity(model: keras.Model, x: Any) -> pd.DataFrame:
    """Share of the examples for which each unit is on.

    Parameters
    ----------
    model : keras.Model
        Built. It is not changed.
    x : array, or nest of arrays
        The examples, first axis. A unit that is off for all of them may be on for
        others: give all that the model is trained on to know that no step can change
        it.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, unit, value``, layers in the order of the forward pass.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    ValueError
        If the model is not built, or the parts of the batch differ in length.
    """
    _check_model(model)
    _check_lengths(x=x)
    frame = _read(model, x, None, "units")
    if frame.empty:
        return pd.DataFrame(columns=["layer", "unit", "value"])
    return frame[["layer", "unit", "value"]]


def activations(
    model: keras.Model, x: Any, *, samples: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Take the outputs of each layer on one batch, one by one, for histograms.

    Parameters
    ----------
    model : keras.Model
        Built. It is not changed.
    x : array, or nest of arrays
        The batch, first axis the examples.
    samples : int
        At most this many values of a layer, drawn without replacement.
    seed : int
        Seed of that draw.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, value``, layers in the order of the forward pass.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    ValueError
        If the model is not built, the parts of the batch differ in length, or
        `samples` is below 1.
    """
    _check_model(model)
    _check_lengths(x=x)
    if samples < 1:
        raise ValueError(f"samples must be at least 1; got {samples}.")
    with _capture(model) as captured:
        _loss(
            model,
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
            _tensors(x),
            None,
            None,
            True,
        )
    random = np.random.default_rng(seed)
    frames = []
    for layer in captured.order:
        if layer in captured.outputs:
            values = captured.outputs[layer][1].numpy().astype("float32").ravel()
            if values.size > samples:
                values = random.choice(values, samples, replace=False)
            frames.append(pd.DataFrame({"layer": layer, "value": values}))
    return pd.concat(frames, ignore_index=True)


def update_ratios(model: keras.Model, before: Sequence[Any]) -> pd.DataFrame:
    """Size of the last update relative to the weights that it changed.

    Parameters
    ----------
    model : keras.Model
        Built, as it is after the optimizer's step.
    before : sequence of arrays
        The trainable weights as they were before that step:
        ``[variable.numpy() for variable in model.trainable_variables]``.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, metric, value``, metric ``update_ratio``; a row for each layer
        with a weight of two axes or more. NaN where those were all zero.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    ValueError
        If the model is not built, or `before` does not fit its trainable weights.
    """
    _check_model(model)
    after = [variable.value for variable in model.trainable_variables]
    came = [tuple(np.shape(value)) for value in before]
    expected = [tuple(value.shape) for value in after]
    if came != expected:
        raise ValueError(
            "before must hold the trainable weights in the order of "
            f"model.trainable_variables, with shapes {expected}; got {came}."
        )
    before = [
        tf.convert_to_tensor(b, dtype=a.dtype)
        for b, a in zip(before, after, strict=True)
    ]
    return _frame(update_ratios_tensors(model, before, after))


# --------------------------------------------------------------------------------------
# During a reader's own fit
# --------------------------------------------------------------------------------------


class Monitor(keras.callbacks.Callback):
    """Read the network's inside at the end of each epoch of a ``fit``.

    Training with it gives the same weights, bit for bit, as without it.

    Parameters
    ----------
    x, y : array, or nest of arrays
        Examples to probe the network with. `y` may be left out where `record` does
        without gradients.
    record : str or sequence of str
        Of ``"gradients"``, ``"activations"`` and ``"updates"``; all of them unless
        told. ``"updates"`` compares the kernels before and after the last batch of
        the epoch.
    every : int
        Read every so many epochs.
    probe_size : int
        Of more examples than this, a random sample is read, always the same.

    Attributes
    ----------
    readings : pandas.DataFrame
        Columns ``epoch, layer, metric, value``. Epoch 0 is before the first step, and
        has no ``update_ratio``; epoch 1 is what Keras prints as the first. A new
        ``fit`` starts a new frame.

    Raises
    ------
    ValueError
        If `record` names anything else, gradients are asked for without `y`, `x` and
        `y` differ in length, or `every` or `probe_size` is below 1.

    Examples
    --------
    >>> monitor = Monitor(x_train, y_train)  # doctest: +SKIP
    >>> model.fit(x_train, y_train, callbacks=[monitor])  # doctest: +SKIP
    >>> monitor.readings.query("metric == 'gradient_norm'")  # doctest: +SKIP
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        record: str | Sequence[str] = RECORDS,
        every: int = 1,
        probe_size: int = 256,
    ) -> None:
        super().__init__()
        self._what = _check_what(record, RECORDS)
        if "gradients" in self._what and y is None:
            raise ValueError(
                "Monitor needs y to read gradients; give it y, or leave "
                "'gradients' out of record."
            )
        for name, number in {"every": every, "probe_size": probe_size}.items():
            if number < 1:
                raise ValueError(f"{name} must be at least 1; got {number}.")
        examples = _check_lengths(x=x, y=y)
        chosen = np.arange(examples)
        if examples > probe_size:
            # A generator of its own: the global ones belong to the training.
            chosen = np.random.default_rng(0).choice(examples, probe_size, False)
        self._x, self._y = (
            None
            if part is None
            else _tensors(_map_arrays(lambda a: np.asarray(a)[chosen], part))
            for part in (x, y)
        )
        self._every = every
        self._readings: list[tuple[int, dict]] = []

    @property
    def readings(self) -> pd.DataFrame:
        """What has been read so far, as a tidy frame."""
        rows = [
            (epoch, layer, metric, value)
            for epoch, readings in self._readings
            for (layer, metric), value in readings.items()
        ]
        return pd.DataFrame(rows, columns=["epoch", "layer", "metric", "value"])

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Take the reading of epoch 0."""
        if not self.model.built:
            # As the first step would; inference draws no random number.
            self.model(self._x, training=False)
        _check_model(self.model, compiled="gradients" in self._what)
        if "updates" in self._what and self.model.steps_per_execution != 1:
            raise ValueError(
                "Monitor can read updates with steps_per_execution=1 only; the model "
                f"was compiled with {self.model.steps_per_execution}."
            )
        self._readings, self._snapshots, self._steps = [], [], None
        self._compile_reading()
        self._take_reading(0, before=None)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note whether this epoch is to be read."""
        self._due = (epoch + 1) % self._every == 0
        self._steps = self.params.get("steps") or self._steps

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Keep the kernels as they are before the epoch's last step."""
        if not (self._due and "updates" in self._what):
            return
        if self._steps is None:
            self._snapshots = [*self._snapshots[-1:], (batch, self._kernels())]
        elif self._steps == batch + 1:
            self._snapshots = [(batch, self._kernels())]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Take the epoch's reading."""
        if self._due:
            if self._steps is None and len(self._snapshots) == 2:
                # How long a generator is shows only when it has no more: Keras begins
                # a batch for which there is no step.
                *_, (_, newest) = self._snapshots
                if _all_equal(newest, self._kernels()):
                    self._snapshots.pop()
                self._steps = self._snapshots[-1][0] + 1
            before = self._snapshots[-1][1] if self._snapshots else None
            self._take_reading(epoch + 1, before)
        self._snapshots = []

    def _kernels(self) -> list[tf.Tensor]:
        """Values of the weights that an update is measured on; none without."""
        weights = self.model.trainable_variables
        return [tf.convert_to_tensor(weights[i].value) for i in self._positions]

    def _compile_reading(self) -> None:
        """Put the whole reading in one graph with one vector as its output.

        That is what makes it cheap: calls from Python cost more than the work.
        """
        model, what = self.model, self._what
        probes = [w for w in what if w != "updates"]
        self._positions = [
            position
            for position, variable in enumerate(model.trainable_variables)
            if "updates" in what and len(variable.shape) >= 2
        ]

        @tf.function(autograph=False)
        def reading(kernels: list[tf.Tensor]) -> tf.Tensor:
            after = [variable.value for variable in model.trainable_variables]
            readings: Readings = {}
            if probes:
                non_trainable = [v.value for v in model.non_trainable_variables]
                readings |= record(
                    model, after, non_trainable, self._x, self._y, probes
                )
            if "updates" in what:
                before = list(after)
                for position, kernel in zip(self._positions, kernels, strict=True):
                    before[position] = kernel
                readings |= update_ratios_tensors(model, before, after)
            self._keys = list(readings)
            if not readings:
                return tf.zeros([0])
            return tf.stack([tf.cast(value, tf.float32) for value in readings.values()])

        self._reading = reading.get_concrete_function(self._kernels())

    def _take_reading(self, epoch: int, before: list[tf.Tensor] | None) -> None:
        stepped = before is not None
        values = self._reading(before if stepped else self._kernels()).numpy()
        readings = dict(zip(self._keys, values.tolist(), strict=True))
        if not stepped:
            readings = {k: v for k, v in readings.items() if k[1] != "update_ratio"}
        self._readings.append((epoch, readings))


# --------------------------------------------------------------------------------------
# Gradient check
# --------------------------------------------------------------------------------------


def clipped(gradients: Sequence[Any], **clipping: float) -> list[np.ndarray]:
    """Return what a Keras optimizer makes of gradients when it clips them.

    A step of SGD from zero, at a learning rate of 1, is the clipped gradient with the
    sign turned.

    Parameters
    ----------
    gradients : sequence of array or tf.IndexedSlices
        One for each variable.
    **clipping : float
        Arguments of Keras's optimizers: ``clipvalue``, ``clipnorm`` or
        ``global_clipnorm``.

    Returns
    -------
    list of numpy.ndarray
        In single precision, of the same shapes.
    """
    tensors = [
        g if isinstance(g, tf.IndexedSlices) else tf.constant(g, "float32")
        for g in gradients
    ]
    zeros = [keras.Variable(tf.zeros(tensor.shape)) for tensor in tensors]
    thresholds = {name: float(value) for name, value in clipping.items()}
    keras.optimizers.SGD(1.0, **thresholds).apply(tensors, zeros)
    return [-variable.numpy() for variable in zeros]


@contextmanager
def _precision(model: keras.Model, dtype: str) -> Iterator[None]:
    """Let the model compute in `dtype` for a while.

    The dtypes of layers, variables and losses are set and put back. A copy of the
    model would need a `get_config` that a custom layer often lacks, and that layer is
    the one to check.
    """
    layers = private.flatten_layers(model)
    losses = []
    if (compiled := model._compile_loss) is not None:
        losses = [compiled, *(part.loss for part in compiled._flat_losses)]
    with ExitStack() as stack:
        for layer in layers:
            stack.callback(setattr, layer, "dtype_policy", layer.dtype_policy)
            layer.dtype_policy = dtype
        for typed in [*model.variables, *losses]:
            if keras.backend.is_float_dtype(typed._dtype):
                stack.callback(setattr, typed, "_dtype", typed._dtype)
                typed._dtype = dtype
        floatx = keras.config.floatx()
        stack.callback(keras.config.set_floatx, floatx)
        keras.config.set_floatx(dtype)
        yield


def gradient_check(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    epsilon: float | Sequence[float] | None = None,
    samples: int = 20,
    seed: int = 0,
    dtype: str = "float64",
    gradient: Callable[[keras.Model, Any, Any], Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """Compare the gradient with central differences, weight by weight.

    The numeric gradient of weight *w* is ``(L(w + ε) - L(w - ε)) / 2ε``. Its error
    has two parts: one of truncation, which falls with ε², and one of rounding, which
    grows as the machine's precision over ε. Drawn over ε on logarithmic axes it is a
    U, whose lowest point is near the cube root of the machine's precision (Press et
    al., *Numerical Recipes*, section 5.7): 6e-6 in float64, 5e-3 in float32.

    Relative errors around 1e-7 in float64 are a pass, above 1e-3 a bug, with two
    exceptions to look at before blaming the code: gradients near the rounding error
    itself (some 1e-10), and kinks, where the step carries a ReLU across zero, so that
    the two sides have different slopes. A smaller ε or a smooth activation tells.

    Parameters
    ----------
    model : keras.Model
        Built and compiled. It is left as it was.
    x, y : array, or nest of arrays
        A batch; a few examples will do.
    epsilon : float or sequence of float, optional
        The step ε, or several to draw the U; the cube root of the precision of
        `dtype` unless given.
    samples : int
        How many elements of each weight to check, drawn without replacement.
    seed : int
        Seed of that draw.
    dtype : {"float64", "float32"}
        Precision of loss and gradients, whatever the model's own.
    gradient : callable, optional
        ``gradient(model, x, y)`` gives the gradients to check, one array for each of
        ``model.trainable_variables``: a backpropagation of one's own. By default,
        TensorFlow's, with the model's custom gradients in it.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, weight, index, epsilon, analytic, numeric, relative_error``;
        `index` is the element's position in the weight, a tuple; the relative error
        is ``|a - n| / max(|a| + |n|, 1e-8)``.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    ValueError
        If the model is not built or compiled, the parts of the batch differ in length,
        a number is out of range, `dtype` is unknown, or what `gradient` returns does
        not fit the model's weights.
    """
    _check_model(model, compiled=True)
    _check_lengths(x=x, y=y)
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype must be 'float64' or 'float32'; got {dtype!r}.")
    if epsilon is None:
        epsilon = np.cbrt(np.finfo(dtype).eps)
    epsilons = np.atleast_1d(np.asarray(epsilon, "float64")).tolist()
    if not epsilons or not all(e > 0 for e in epsilons):
        raise ValueError(f"epsilon must be above 0; got {epsilon}.")
    if samples < 1:
        raise ValueError(f"samples must be at least 1; got {samples}.")

    variables = model.trainable_variables
    values = [variable.numpy().astype(dtype) for variable in variables]
    given = None
    if gradient is not None:
        given = [np.asarray(g) for g in gradient(model, x, y)]
        came, expected = ([a.shape for a in arrays] for arrays in (given, values))
        if came != expected:
            raise ValueError(
                "gradient must return one array for each of "
                f"model.trainable_variables, with shapes {expected}; got {came}."
            )

    x, y = _tensors(x), _tensors(y)
    if model._compile_loss is not None and not model._compile_loss.built:
        # Keras builds the compiled losses at the first batch.
        private.symbolic_build(model, (x, y))
    random = np.random.default_rng(seed)
    rows = []
    # XLA does not care for recurrent layers; everything else compiles faster with it.
    jit_compile = not any(
        isinstance(layer, keras.layers.RNN) for layer in private.flatten_layers(model)
    )
    with _precision(model, dtype), _capture(model):

        @tf.function(autograph=False, jit_compile=jit_compile)
        def loss(trainable: list[tf.Tensor]) -> tf.Tensor:
            others = [v.value for v in model.non_trainable_variables]
            return _loss(model, trainable, others, x, y, None, True)

        tensors = [tf.constant(value) for value in values]
        if given is None:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(tensors)
                value = loss(tensors)
            given = [
                tf.convert_to_tensor(g).numpy()
                for g in tape.gradient(
                    value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO
                )
            ]

        def loss_at(position: int, index: tuple[int, ...], step: float) -> float:
            moved = values[position].copy()
            moved[index] += step
            args = [*tensors[:position], tf.constant(moved), *tensors[position + 1 :]]
            return float(loss(args))

        for layer, positions in _weights_by_layer(model).items():
            for position in positions:
                value = values[position]
                chosen = random.choice(value.size, min(samples, value.size), False)
                for flat, step in itertools.product(np.sort(chosen), epsilons):
                    index = tuple(int(i) for i in np.unravel_index(flat, value.shape))
                    sides = [loss_at(position, index, s) for s in (step, -step)]
                    a = float(given[position][index])
                    n = (sides[0] - sides[1]) / (2 * step)
                    error = abs(a - n) / max(abs(a) + abs(n), 1e-8)
                    name = variables[position].name
                    rows.append((layer, name, index, step, a, n, error))
    return pd.DataFrame(
        rows,
        columns=[
            "layer",
            "weight",
            "index",
            "epsilon",
            "analytic",
            "numeric",
            "relative_error",
        ],
    )


# --------------------------------------------------------------------------------------
# Layers without a model
# --------------------------------------------------------------------------------------


def random_layers(
    initializer: Any,
    activation: str | Callable | Sequence[str] = "linear",
    *,
    units: int | Sequence[int] = 64,
    layers: int = 10,
    seeds: int = 20,
    examples: int = 64,
) -> pd.DataFrame:
    """Send random numbers through random layers, and a random gradient back.

    Layers without biases, of which nothing is trained: what is left is what the start
    does to a signal. All numbers come from Keras's and TensorFlow's global generators
    (see ``keras.utils.set_random_seed``).

    Parameters
    ----------
    initializer : str or keras.initializers.Initializer
        Draws the weights, anew for each layer and each seed; one with a seed of its
        own gives all of them the same matrix, as far as their shapes agree.
    activation : str, callable or sequence of str
        By Keras's name. Several are tried with the same weights.
    units : int or sequence of int
        Width of the input and of all layers; or of the input and of each layer.
    layers : int
        Number of layers. Ignored where `units` is a sequence.
    seeds, examples : int
        Number of networks, and of inputs to each.

    Returns
    -------
    pandas.DataFrame
        Columns ``layer, seed, metric, value``, and ``activation`` before them where
        there are several; layer 0 is the input. ``signal`` is the root mean square of
        a layer's outputs, ``deviation`` their standard deviation over units and
        examples, ``differences`` the root mean square of what they differ by from
        their mean over the examples, each as a multiple of the input's. ``gradient``
        is the root mean square of the gradient with respect to the outputs, as a
        multiple of that at the last layer.

    Examples
    --------
    >>> random_layers("he_normal", "relu", units=32, layers=30)  # doctest: +SKIP
    """
    widths = [units] * (layers + 1) if isinstance(units, int) else list(units)
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(
            "units must be 1 or more, for the input and at least one layer; got "
            f"{units!r} with {layers} layers."
        )
    start = keras.initializers.get(initializer)
    config = start.get_config()
    if "seed" in config and config["seed"] is None:
        # an initializer draws the same numbers at each call, unless it has a generator
        config["seed"] = keras.random.SeedGenerator()
        start = type(start).from_config(config)

    def drawn(shape: tuple[int, int]) -> tf.Tensor:
        return tf.stack([start(shape) for _ in range(seeds)])

    weights = [drawn(shape) for shape in itertools.pairwise(widths)]
    entering = [tf.random.normal((seeds, examples, widths[at])) for at in (0, -1)]
    if isinstance(activation, str) or callable(activation):
        return _sent_through(weights, activation, *entering)
    frames = {name: _sent_through(weights, name, *entering) for name in activation}
    return pd.concat(frames, names=["activation"]).reset_index("activation")


def _sent_through(
    weights: Sequence[tf.Tensor],
    activation: str | Callable,
    signal: tf.Tensor,
    gradient: tf.Tensor,
) -> pd.DataFrame:
    """Return the sizes at each layer of a signal and of a gradient, for each seed."""
    apply = keras.activations.get(activation)
    outputs = [signal]
    with tf.GradientTape() as tape:
        tape.watch(signal)
        for of_layer in weights:
            outputs.append(apply(outputs[-1] @ of_layer))
    gradients = tape.gradient(outputs[-1], outputs, output_gradients=gradient)

    def root_mean_square(values: tf.Tensor) -> np.ndarray:
        return tf.sqrt(tf.reduce_mean(values**2, axis=(1, 2))).numpy()

    def less_mean(values: tf.Tensor, axis: Any) -> tf.Tensor:
        return values - tf.reduce_mean(values, axis, keepdims=True)

    metrics = {
        "signal": [root_mean_square(h) for h in outputs],
        "deviation": [root_mean_square(less_mean(h, (1, 2))) for h in outputs],
        "differences": [root_mean_square(less_mean(h, 1)) for h in outputs],
        "gradient": [root_mean_square(g) for g in gradients],
    }
    rows = [
        (layer, seed, metric, value)
        for metric, values in metrics.items()
        for layer, size in enumerate(values)
        for seed, value in enumerate(size / values[-1 if metric == "gradient" else 0])
    ]
    return pd.DataFrame(rows, columns=["layer", "seed", "metric", "value"])

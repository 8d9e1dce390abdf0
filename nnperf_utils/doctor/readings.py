"""What a network's copies of weights show, on a fixed set of probes.

Everything is computed from copies within a scope that keeps all changes to itself:
the network is as before afterwards, and no random number is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnperf_utils import instruments
from nnperf_utils.doctor.data import Part
from nnperf_utils.doctor.recording import Snapshot
from nnperf_utils.engine import private

__all__ = ["Reading", "entering", "predictions", "read", "recurrent_layers"]


@dataclass
class Reading:
    """What a copy of the weights shows on the probes.

    Attributes
    ----------
    layers : dict
        For each layer, in the order of the forward pass, its numbers by name.
    loss, penalty : float
        Of the probes, noise off, batch normalization by the batch; the penalties.
    time : numpy.ndarray or None
        Size of the loss's gradient with respect to the first recurrent layer's input,
        at each step.
    """

    epoch: int
    update: int
    layers: dict[str, dict[str, float]]
    loss: float
    penalty: float
    time: np.ndarray | None


def recurrent_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the recurrent layers, the one within a wrapper in its place."""
    found = []
    for layer in private.flatten_layers(model, False):
        if isinstance(layer, keras.layers.RNN):
            found.append(layer)
    return found


@contextmanager
def _noted_inputs(layers: Sequence[keras.Layer], noted: list) -> Any:
    """Note what layers are called with: pairs of layer and tensor."""
    with ExitStack() as stack:
        for layer in layers:
            call, before = layer.call, layer.__dict__.get("call")

            def wrapped(
                *args: Any, _call: Any = call, _layer: Any = layer, **kwargs: Any
            ) -> Any:
                first = args[0] if args else next(iter(kwargs.values()), None)
                if tf.is_tensor(first) and first.dtype.is_floating:
                    noted.append((_layer, first))
                return _call(*args, **kwargs)

            layer.__dict__["call"] = wrapped
            stack.callback(instruments._restore_call, layer, before)
        yield


def _scoped(model: keras.Model, trainable: list, non_trainable: list) -> Any:
    mapping = [
        *zip(model.trainable_variables, trainable, strict=True),
        *zip(model.non_trainable_variables, non_trainable, strict=True),
    ]
    return keras.StatelessScope(state_mapping=mapping, collect_losses=True)


def read(
    model: keras.Model, snapshots: Sequence[Snapshot], probe: Part
) -> list[Reading]:
    """Read copies of a network's weights.

    Parameters
    ----------
    model : keras.Model
        Its variables as many as when the copies were made.
    snapshots : sequence of Snapshot
    probe : Part
        Rows to look with.

    Returns
    -------
    list of Reading
        Without those that could not be taken.
    """
    x = keras.tree.map_structure(tf.convert_to_tensor, probe.x)
    y = (
        keras.tree.map_structure(tf.convert_to_tensor, probe.y)
        if probe.targets
        else None
    )
    recurrent = recurrent_layers(model)
    by_kernel = {
        layer: name
        for name, layer in instruments._named_layers(model).items()
        if not isinstance(layer, (keras.layers.RNN, keras.layers.Wrapper, keras.Model))
        and getattr(layer, "kernel", None) is not None
    }
    names: list[tuple[str, str]] = []

    def pass_through(trainable: list, non_trainable: list) -> tuple:
        noted: list = []
        with (
            _noted_inputs([*recurrent[:1], *by_kernel], noted),
            instruments._capture(model) as captured,
            tf.GradientTape(watch_accessed_variables=False) as tape,
        ):
            tape.watch(trainable)
            floats = [t for t in tf.nest.flatten(x) if t.dtype.is_floating]
            tape.watch(floats)
            with _scoped(model, trainable, non_trainable):
                predicted = model(x, training=True)
                penalty = tf.add_n([tf.zeros([]), *map(_float, model.losses)])
                loss = None
                if y is not None:
                    loss = model.compute_loss(x=x, y=y, y_pred=predicted, training=True)
            if loss is None:
                loss = penalty * np.nan
        signals = {key: out for key, (_, out) in captured.outputs.items()}
        through = [t for layer, t in noted if layer in recurrent[:1]][:1]
        sources = [trainable, signals, through]
        zero = tf.UnconnectedGradients.ZERO
        flat = tape.gradient(loss, tf.nest.flatten(sources), unconnected_gradients=zero)
        slopes, backward, through_time = tf.nest.pack_sequence_as(sources, flat)
        values: dict[tuple[str, str], Any] = {}
        weights = instruments._weights_by_layer(model, captured.order)
        for name in dict.fromkeys([*captured.order, *weights]):
            if name in weights:
                kernels = instruments._kernels(trainable, weights[name])
                if kernels:
                    norm = instruments._norm([slopes[i] for i in kernels])
                    values[name, "gradient"] = norm
                    size = instruments._norm([trainable[i] for i in kernels])
                    values[name, "weights"] = size
            if name in captured.outputs:
                layer, out = captured.outputs[name]
                for metric, value in instruments._statistics(layer, out).items():
                    values[name, metric] = value
                out = tf.cast(out, tf.float32)
                values[name, "size"] = tf.sqrt(tf.reduce_mean(tf.square(out)))
                values[name, "largest"] = tf.reduce_max(tf.abs(out))
                apart = out - tf.reduce_mean(out, axis=0, keepdims=True)
                values[name, "differences"] = tf.sqrt(tf.reduce_mean(tf.square(apart)))
                values[name, "backward"] = instruments._norm([backward[name]])
        for layer, entered in [one for one in noted if one[0] in by_kernel][1:]:
            for metric, value in _entering_statistics(entered).items():
                values[by_kernel[layer], metric] = value
        names[:] = list(values)
        time = tf.zeros([0])
        if through_time and len(through_time[0].shape) >= 3:
            along = tf.reshape(
                through_time[0],
                [tf.shape(through_time[0])[0], through_time[0].shape[1], -1],
            )
            largest = tf.reduce_max(tf.abs(along))
            along = tf.math.divide_no_nan(along, largest)
            time = tf.sqrt(tf.reduce_sum(tf.square(along), axis=(0, 2)))
        stacked = tf.stack([tf.cast(v, tf.float32) for v in values.values()] or [0.0])
        return stacked, tf.cast(loss, tf.float32), penalty, time

    # loops over time are slow outside a graph; all else is not worth building one
    function = tf.function(pass_through, autograph=False) if recurrent else pass_through
    readings = []
    for snapshot in snapshots:
        trainable = [tf.convert_to_tensor(a) for a in snapshot.trainable]
        non_trainable = [tf.convert_to_tensor(a) for a in snapshot.non_trainable]
        values, loss, penalty, time = function(trainable, non_trainable)
        layers: dict[str, dict[str, float]] = {}
        for (layer, metric), value in zip(names, values.numpy().tolist(), strict=False):
            layers.setdefault(layer, {})[metric] = value
        readings.append(
            Reading(
                snapshot.epoch,
                snapshot.update,
                layers,
                float(loss),
                float(penalty),
                time.numpy() if len(time) else None,
            )
        )
    return readings


def _entering_statistics(entered: tf.Tensor) -> dict[str, tf.Tensor]:
    """Describe what enters a layer, whatever function has put it out.

    Of networks that call their activations as functions nothing else can be seen.
    """
    by_unit = tf.reshape(tf.cast(entered, tf.float32), [-1, entered.shape[-1]])
    off = tf.reduce_all(by_unit == 0, axis=0)
    ends = tf.reduce_mean(tf.cast(tf.abs(by_unit) > 0.98, tf.float32))
    bounded = (tf.reduce_max(by_unit) <= 1) & (tf.reduce_min(by_unit) < 0)
    return {
        "dead_before": tf.reduce_mean(tf.cast(off, tf.float32)),
        "ends_before": tf.where(bounded, ends, 0.0),
    }


def _float(value: Any) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(value), tf.float32)


def predictions(
    model: keras.Model,
    snapshot: Snapshot,
    part: Part,
    *,
    training: bool = False,
    batch: int = 512,
) -> tuple[list[np.ndarray], float]:
    """Return what a copy of the weights puts out, and the loss without penalties.

    Parameters
    ----------
    model : keras.Model
    snapshot : Snapshot
    part : Part
    training : bool
        Whether batch normalization goes by the batch; noise is off in either case.
    batch : int

    Returns
    -------
    outputs : list of numpy.ndarray
        One for each output.
    loss : float
        Mean over the rows; NaN where there is none.
    """
    trainable = [tf.convert_to_tensor(a) for a in snapshot.trainable]
    non_trainable = [tf.convert_to_tensor(a) for a in snapshot.non_trainable]
    found: list[list[np.ndarray]] = []
    losses: list[float] = []
    for start in range(0, len(part), batch):
        rows = part.rows(np.arange(start, min(start + batch, len(part))))
        x = keras.tree.map_structure(tf.convert_to_tensor, rows.x)
        with instruments._capture(model), _scoped(model, trainable, non_trainable):
            out = model(x, training=training)
            penalty = sum(float(_float(value)) for value in model.losses)
            loss = None
            if rows.targets:
                y = keras.tree.map_structure(tf.convert_to_tensor, rows.y)
                try:
                    loss = model.compute_loss(x=x, y=y, y_pred=out, training=False)
                except (ValueError, TypeError, tf.errors.OpError):
                    loss = None
        found.append([np.array(o) for o in tf.nest.flatten(out)])
        losses += [np.nan if loss is None else float(loss) - penalty] * len(rows)
    joined = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    return joined, float(np.mean(losses))


def entering(
    model: keras.Model, layer: keras.Layer, snapshot: Snapshot, part: Part
) -> np.ndarray | None:
    """Return what a layer is called with in evaluation; None where it is not called."""
    trainable = [tf.convert_to_tensor(a) for a in snapshot.trainable]
    non_trainable = [tf.convert_to_tensor(a) for a in snapshot.non_trainable]
    x = keras.tree.map_structure(tf.convert_to_tensor, part.x)
    noted: list = []
    with _noted_inputs([layer], noted), _scoped(model, trainable, non_trainable):
        model(x, training=False)
    return np.array(noted[-1][1]) if noted else None

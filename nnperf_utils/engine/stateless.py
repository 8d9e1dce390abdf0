"""A model's optimizer, made to work on values instead of variables.

Keras's TensorFlow optimizers write through ``tf.distribute``, which a stateless scope
cannot follow; the methods of the base class do the same by way of ``keras.Variable``.
"""

from __future__ import annotations

from typing import Any

import keras

from nnperf_utils.engine.private import BaseOptimizer, TFOptimizer

_KEPT_METHODS = ("__init__", "_clip_by_norm")
_StatelessMethods = type(
    "_StatelessMethods",
    (),
    {
        name: method
        for name, method in vars(BaseOptimizer).items()
        if name in vars(TFOptimizer) and callable(method) and name not in _KEPT_METHODS
    },
)


class _Stateless(type):
    """Put the stateless methods in the place of TensorFlow's, below a class's own."""

    def mro(cls):
        order = super().mro()
        place = order.index(TFOptimizer)
        return [*order[:place], _StatelessMethods, *order[place:]]


def make_stateless(model: keras.Model) -> None:
    """Have a model's optimizer update variables within a `keras.StatelessScope`."""
    optimizer = model.optimizer
    variables = model.trainable_variables
    new_key = {optimizer._var_key(v): id(v) for v in variables}
    excluded = getattr(optimizer, "_exclude_from_weight_decay", ())
    cls = type(optimizer)
    object.__setattr__(optimizer, "__class__", _Stateless(cls.__name__, (cls,), {}))
    if excluded:
        optimizer._exclude_from_weight_decay = {new_key[key] for key in excluded}
    optimizer._exclude_from_weight_decay_cache = {}
    if optimizer.built:
        optimizer._trainable_variables_indices = {
            id(v): i for i, v in enumerate(optimizer._trainable_variables)
        }


def averages(optimizer: keras.Optimizer, values: list[Any]) -> list[Any]:
    """Return the moving averages of the weights among an optimizer's values.

    Parameters
    ----------
    optimizer : keras.Optimizer
        With ``use_ema``.
    values : list
        One for each of ``optimizer.variables``.

    Returns
    -------
    list
        One for each trainable weight.
    """
    by_id = {id(v): a for v, a in zip(optimizer.variables, values, strict=True)}
    return [by_id[id(v)] for v in optimizer._model_variables_moving_average]

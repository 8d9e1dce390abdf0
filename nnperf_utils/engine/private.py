"""The private parts of Keras and TensorFlow that the engine rests on.

What is imported from their inside is imported here and nowhere else. A private
attribute is used in one place, which `ATTRIBUTES` names. A test says which of them is
missing when a version has moved it.
"""

from __future__ import annotations

import keras
from keras.src.backend.common import global_state
from keras.src.backend.tensorflow.optimizer import TFOptimizer
from keras.src.initializers.random_initializers import RandomInitializer
from keras.src.optimizers.base_optimizer import BaseOptimizer
from keras.src.random import seed_generator
from keras.src.trainers.data_adapters.data_adapter_utils import (
    class_weight_to_sample_weights,
)
from tensorflow.python.eager import context as eager_context
from tensorflow.python.framework import random_seed
from tensorflow.python.ops.parallel_for import pfor as converters
from tensorflow.python.ops.parallel_for.control_flow_ops import pfor

__all__ = [
    "ATTRIBUTES",
    "SEEN_IN",
    "BaseOptimizer",
    "RandomInitializer",
    "TFOptimizer",
    "class_weight_to_sample_weights",
    "converters",
    "eager_context",
    "flatten_layers",
    "global_state",
    "pfor",
    "random_seed",
    "seed_generator",
    "seed_generators",
    "symbolic_build",
]

SEEN_IN = {"keras": ("3.10", "3.15"), "tensorflow": ("2.18", "2.21")}
"""The oldest and the newest version in which all of this was seen to work."""

ATTRIBUTES = {
    # attribute: (what has it, the module of the package that uses it)
    "_flatten_layers": ("keras.Model", "engine.private"),
    "_symbolic_build": ("keras.Model", "engine.private"),
    "_call_has_training_arg": ("keras.Model", "engine.program"),
    "_compile_metrics": ("keras.Model", "engine.program"),
    "_compute_loss": ("keras.Model", "engine.program"),
    "_loss_tracker": ("keras.Model", "engine.program"),
    "_direction": ("keras.Metric", "engine.program"),
    "_inbound_nodes": ("keras.Layer", "engine.program"),
    "_seed_generators": ("keras.Layer", "engine.private"),
    "_tracker": ("keras.Layer", "engine.groups"),
    "_get_noise_shape": ("keras.layers.SpatialDropout1D", "engine.numbers"),
    "_learning_rate": ("keras.Optimizer", "engine.numbers"),
    "_var_key": ("keras.Optimizer", "engine.stateless"),
    "_exclude_from_weight_decay": ("keras.Optimizer", "engine.stateless"),
    "_exclude_from_weight_decay_cache": ("keras.Optimizer", "engine.stateless"),
    "_trainable_variables": ("keras.Optimizer", "engine.stateless"),
    "_trainable_variables_indices": ("keras.Optimizer", "engine.stateless"),
    "_model_variables_moving_average": ("keras.Optimizer", "engine.stateless"),
    "_initialize_with_initializer": ("keras.Variable", "engine.starts"),
    "_seed": ("TensorFlow's eager context", "engine.starts"),
    "_rng": ("TensorFlow's eager context", "engine.starts"),
    "_pfor_converter_registry": ("TensorFlow's pfor", "engine.vectorize"),
    "_create_op": ("TensorFlow's pfor", "engine.vectorize"),
}
"""Each private attribute: what has it, and the one module that uses it."""


def flatten_layers(
    layer: keras.Layer, include_self: bool = True, recursive: bool = True
) -> list[keras.Layer]:
    """Return the layers within a layer or a model, by default at any depth."""
    return list(layer._flatten_layers(include_self=include_self, recursive=recursive))


def seed_generators(layer: keras.Layer) -> list[keras.random.SeedGenerator]:
    """Return the generators from which a layer itself draws."""
    return layer._seed_generators


def symbolic_build(model: keras.Model, batch: tuple) -> None:
    """Create all variables of a compiled model, those of its metrics included."""
    model._symbolic_build(data_batch=batch)

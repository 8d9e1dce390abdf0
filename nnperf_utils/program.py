"""One compiled graph that trains a whole stack of replicas of a Keras model.

The weights of all replicas are stacked along a new first axis. A training step is
written for one replica, without side effects: the model, its loss, its metrics and its
optimizer run inside a `keras.StatelessScope`, in which reading a variable gives the
replica's own value. TensorFlow's `pfor` makes of it a step for the whole stack, so
whatever Keras computes (norms for clipping, schedules, moving statistics) comes out
for each replica by itself.

`replicas` is the way in; nothing here is meant to be called by a reader.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree
from keras.src.backend.tensorflow.optimizer import TFOptimizer
from keras.src.optimizers.base_optimizer import BaseOptimizer
from tensorflow.python.ops.parallel_for.control_flow_ops import pfor

from nnperf_utils import instruments, vectorize  # noqa: F401  (registers converters)
from nnperf_utils.starts import State, preserved_random_state

# --------------------------------------------------------------------------------------
# Numbers that may differ from replica to replica within one graph
# --------------------------------------------------------------------------------------

_DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)
_NOISES = (*_DROPOUTS, keras.layers.GaussianNoise)
_NUMBERS: dict[type, tuple[str, ...]] = {
    **{layer: ("rate",) for layer in _DROPOUTS},
    keras.layers.GaussianNoise: ("stddev",),
    keras.layers.BatchNormalization: ("momentum",),
    keras.regularizers.L1: ("l1",),
    keras.regularizers.L2: ("l2",),
    keras.regularizers.L1L2: ("l1", "l2"),
    **{
        schedule: ("initial_learning_rate",)
        for schedule in (
            keras.optimizers.schedules.CosineDecay,
            keras.optimizers.schedules.CosineDecayRestarts,
            keras.optimizers.schedules.ExponentialDecay,
            keras.optimizers.schedules.InverseTimeDecay,
            keras.optimizers.schedules.PolynomialDecay,
        )
    },
}
# Those for which Keras takes the same path at zero, or can be made to.
_ZERO_IS_NOTHING_SPECIAL = (*_NOISES, keras.regularizers.Regularizer)
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


def find_numbers(model: keras.Model) -> list[Number]:
    """List the numbers of a model that one graph can hold for each replica."""
    owners: list[Any] = []
    for layer in model._flatten_layers():
        owners.append(layer)
        owners += [v for k, v in vars(layer).items() if k.endswith("_regularizer")]
    schedule = getattr(model.optimizer, "_learning_rate", None)
    owners.append(schedule)
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
def _assigned(numbers: Sequence[Number], values: Sequence[Any]) -> Iterator[None]:
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
def _per_replica(
    numbers: Sequence[Number], tensors: Sequence[tf.Tensor]
) -> Iterator[None]:
    """Give the attributes this replica's values while its step is traced."""
    dropouts = [n.owner for n in numbers if isinstance(n.owner, _DROPOUTS)]
    with _assigned(numbers, [_PerReplica(t) for t in tensors]):
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


# --------------------------------------------------------------------------------------
# What tells graphs apart
# --------------------------------------------------------------------------------------


def complete(model: keras.Model, batch: tuple) -> None:
    """Create the variables that Keras leaves to the first call of `fit`."""
    for layer in model._flatten_layers():
        # At rate zero Keras makes no generator, which would set the model apart from
        # its likes at another rate.
        if type(layer) in _NOISES and not hasattr(layer, "seed_generator"):
            layer._tracker.unlock()
            layer.seed_generator = keras.random.SeedGenerator(0)
            layer._tracker.lock()
    if not all(layer.built for layer in model._flatten_layers()):
        model._symbolic_build(data_batch=batch)


def shapes(model: keras.Model) -> list[tuple]:
    """Shape, type and role of each variable of a model."""
    return [
        (tuple(v.shape), str(v.dtype), trainable)
        for trainable, variables in (
            (True, model.trainable_variables),
            (False, model.non_trainable_variables),
        )
        for v in variables
    ]


def signature(model: keras.Model) -> str | None:
    """Describe all of a model that its graph depends on, but for `find_numbers`.

    None where the model has parts that are not Keras's own: their configuration need
    not tell what they do.
    """
    numbers = find_numbers(model)
    owners = [id(n.owner) for n in numbers]
    try:
        with _assigned(numbers, [0.5] * len(numbers)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing is going to be saved
            config = keras.saving.serialize_keras_object(model)
    except Exception:  # whatever a layer without get_config raises
        return None
    optimizer = model.optimizer
    if not isinstance(
        optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule
    ):
        _drop(config, "learning_rate")
    if not _is_pure_keras(config):
        return None
    config = _without_start(config)
    sharing = [owners.index(o) for o in owners]
    names = [(type(n.owner).__name__, n.attribute) for n in numbers]
    return json.dumps([config, names, sharing, shapes(model)], default=str)


def _drop(config: dict, key: str) -> None:
    optimizer = (config.get("compile_config") or {}).get("optimizer")
    if isinstance(optimizer, dict):
        optimizer.get("config", {}).pop(key, None)


def _is_pure_keras(config: Any) -> bool:
    if isinstance(config, dict):
        # Keras registers some classes of its own, Functional among them.
        module = str(config.get("module"))
        if config.get("registered_name") and not module.startswith("keras."):
            return False
        if config.get("class_name") in ("function", "__lambda__"):
            return False
        return all(map(_is_pure_keras, config.values()))
    if isinstance(config, list | tuple):
        return all(map(_is_pure_keras, config))
    return True


def _without_start(config: Any) -> Any:
    """Drop what decides only where the weights start and what the noise draws."""
    if isinstance(config, dict):
        if config.get("module") == "keras.initializers":
            return None
        return {k: _without_start(v) for k, v in config.items() if k != "seed"}
    if isinstance(config, list | tuple):
        return [_without_start(v) for v in config]
    return config


# --------------------------------------------------------------------------------------
# An optimizer that works on values
# --------------------------------------------------------------------------------------

# Keras's TensorFlow optimizers write through tf.distribute, which a stateless scope
# cannot follow; the methods of the base class do the same by way of keras.Variable.
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


# --------------------------------------------------------------------------------------
# The program
# --------------------------------------------------------------------------------------

# Recurrent layers vectorize without XLA only; XLA's convolutions and the gradients of
# its pooling are slow on a CPU.
_NOT_FOR_XLA = (
    keras.layers.RNN,
    keras.layers.Bidirectional,
    *(
        getattr(keras.layers, f"{kind}{dimensions}D{suffix}")
        for kind, dimensions, suffix in (
            *(("Conv", d, s) for d in (1, 2, 3) for s in ("", "Transpose")),
            *(("MaxPooling", d, "") for d in (1, 2, 3)),
            *((k, d, "") for k in ("DepthwiseConv", "SeparableConv") for d in (1, 2)),
        )
    ),
)
_READ = ("gradients", "activations")
_CHUNK_BYTES = 2**28


@dataclass(frozen=True)
class Plan:
    """What a program is compiled for, beside the model."""

    replicas: int
    examples: int
    batch_size: int
    chunk: int  # epochs in one call
    record: tuple[str, ...] = ()
    jit_compile: bool = True
    split: bool = False  # XLA for the full batches alone; one epoch in a call
    mode: str = "vectorized"  # or "loops" for what cannot be, or "single" replicas


class CannotTrace(Exception):
    """The graph could not be made; the cause is the exception that says why."""


class Program:
    """The compiled graph of one model for one plan.

    Parameters
    ----------
    model : keras.Model
        Compiled. It lends its layers and its optimizer, and is used up.
    numbers : sequence of Number
        Of `model`, those that differ from replica to replica.
    batch : tuple
        ``(x, y, sample_weight or None)``, a few examples of the data.
    plan : Plan
    """

    def __init__(
        self, model: keras.Model, numbers: Sequence[Number], batch: tuple, plan: Plan
    ):
        self.model, self.numbers, self.plan = model, list(numbers), plan
        make_stateless(model)
        with preserved_random_state():
            model._symbolic_build(data_batch=batch)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._variables = {
            "trainable": model.trainable_variables,
            "non_trainable": model.non_trainable_variables,
            "optimizer": model.optimizer.variables,
            "metrics": model.metrics_variables,
        }
        self.directions = {
            metric.name: metric._direction
            for group in (model._compile_metrics, model)
            if group is not None
            for metric in group.metrics
            if getattr(metric, "_direction", None)
        }
        self.fresh_optimizer = [v.numpy() for v in model.optimizer.variables]
        self._fresh_metrics = [v.numpy() for v in model.metrics_variables]
        self._own_metrics = (
            type(model).compute_metrics is not keras.Model.compute_metrics
        )
        self._compiling: threading.Thread | None = None
        if plan.split:
            self._start = self._function(self._full_batches, jit_compile=True)
            self._end = self._function(self._finish)
        else:
            self._start = self._function(self._run, jit_compile=plan.jit_compile)
        # Called too seldom for XLA to pay.
        self.read, self.evaluate, self.predict = (
            self._traced(self._function(function))
            for function in (self._read, self._evaluate, self._predict)
        )

    # ------------------------------------------------------------ compiled functions

    def _function(self, function: Callable, jit_compile: bool = False) -> Callable:
        return tf.function(
            function, jit_compile=jit_compile, autograph=False, reduce_retracing=False
        )

    def _traced(self, function: Callable) -> Callable:
        def call(*arguments):
            with _tracing(self.plan):
                return function(*arguments)

        return call

    def begin(self, state: State, data: tuple, watched: dict[str, tuple]) -> None:
        """Trace, and have XLA compile in the background.

        XLA runs beside Python, which has other models to build and the rest to trace.
        """
        plan = self.plan
        none = tf.constant(0)
        orders = tf.zeros((plan.chunk, plan.replicas, plan.examples), tf.int32)
        if plan.split:
            arguments = (state, orders[0], none, data)
        else:
            arguments = (state, orders, none, data, watched)
        with _tracing(plan):
            self._start.get_concrete_function(*arguments)
        if plan.jit_compile:

            def compile_it():
                # An error comes back, in the right place, when it is called again.
                with contextlib.suppress(Exception):
                    self._start(*arguments)

            self._compiling = threading.Thread(target=compile_it, daemon=True)
            self._compiling.start()

    def run(self, state: State, orders, count: int, data, watched) -> tuple:
        """Train for `count` epochs; see `_run`."""
        plan = self.plan
        with _tracing(plan):
            if not plan.split:
                self._wait()
                return self._start(state, orders, tf.constant(count), data, watched)
            if self._compiling is not None:
                # Trace while XLA is still at work.
                shown = {**state, "metrics": self._new_metrics()}
                before = state["trainable"] if "updates" in plan.record else []
                self._end.get_concrete_function(shown, before, orders[0], data, watched)
                self._wait()
            steps = tf.constant(plan.examples // plan.batch_size)
            state, before = self._start(state, orders[0], steps, data)
            state, before, logs, finite = self._end(
                state, before, orders[0], data, watched
            )
        return state, before, {k: v[None] for k, v in logs.items()}, finite[None]

    def _wait(self) -> None:
        if self._compiling is not None:
            self._compiling.join()
            self._compiling = None

    # ---------------------------------------------------------------- for one replica

    @contextmanager
    def _scope(self, replica: State) -> Iterator[keras.StatelessScope]:
        mapping = [
            pair
            for role, variables in self._variables.items()
            if role in replica
            for pair in zip(variables, replica[role], strict=True)
        ]
        with (
            _per_replica(self.numbers, replica["numbers"]),
            keras.StatelessScope(mapping, collect_losses=True) as scope,
        ):
            yield scope

    def _values(self, scope: keras.StatelessScope, role: str) -> list[tf.Tensor]:
        return [scope.get_current_value(v) for v in self._variables[role]]

    def averaged(self, state: State) -> State:
        """Put the moving averages in the weights' place, as `fit` does at its end."""
        optimizer = self.model.optimizer
        if not optimizer.use_ema:
            return state
        values = {
            id(v): value
            for v, value in zip(optimizer.variables, state["optimizer"], strict=True)
        }
        averages = [values[id(v)] for v in optimizer._model_variables_moving_average]
        return {**state, "trainable": averages}

    def _forward(self, x: Any, training: bool) -> Any:
        if self.model._call_has_training_arg:
            return self.model(x, training=training)
        return self.model(x)

    def _measure(self, loss, x, y, y_pred, weight) -> None:
        model = self.model
        model._loss_tracker.update_state(
            loss, sample_weight=float(tree.flatten(x)[0].shape[0])
        )
        if self._own_metrics:
            model.compute_metrics(x, y, y_pred, weight)
        elif model._compile_metrics is not None:
            model._compile_metrics.update_state(y, y_pred, weight)

    def _train_step(self, replica: State, x, y, weight) -> State:
        model = self.model
        with self._scope(replica) as scope:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(replica["trainable"])
                y_pred = self._forward(x, training=True)
                loss = model._compute_loss(x, y, y_pred, weight, training=True)
                scaled = model.optimizer.scale_loss(loss)
            self._measure(loss, x, y, y_pred, weight)
            gradients = tape.gradient(scaled, replica["trainable"])
            model.optimizer.apply(gradients, model.trainable_variables)
        return {role: self._values(scope, role) for role in self._variables}

    def _test_step(self, replica: State, x, y, weight) -> list[tf.Tensor]:
        with self._scope(replica) as scope:
            y_pred = self._forward(x, training=False)
            loss = self.model._compute_loss(x, y, y_pred, weight, training=False)
            self._measure(loss, x, y, y_pred, weight)
        return self._values(scope, "metrics")

    def _results(self, replica: State) -> dict[str, tf.Tensor]:
        with self._scope(replica):
            return {
                name: tf.cast(value, tf.float32)
                for name, value in self.model.get_metrics_result().items()
            }

    # -------------------------------------------------------------------- for the stack

    def _map(self, function: Callable, *stacked: Any) -> Any:
        # None cannot pass through a map.
        given = [a for a in stacked if a is not None]

        @tf.autograph.experimental.do_not_convert  # pfor would, for XLA
        def of_replica(i):
            own = tree.map_structure(lambda a: tf.gather(a, i), given)
            values = iter(own)
            return function(*(None if a is None else next(values) for a in stacked))

        if self.plan.mode == "single":
            return tree.map_structure(lambda a: a[None], of_replica(0))
        # What `tf.vectorized_map` does, but for its way with a stack of one, which
        # leaves random draws to XLA: it draws other numbers.
        return pfor(
            of_replica,
            self.plan.replicas,
            fallback_to_while_loop=self.plan.mode == "loops",
        )

    def _new_metrics(self) -> list[tf.Tensor]:
        return [
            tf.tile(tf.constant(v)[None], [self.plan.replicas] + [1] * v.ndim)
            for v in self._fresh_metrics
        ]

    def _step(self, index: tf.Tensor | None, state: State, data: tuple) -> State:
        """Take one step with every replica, on its own rows of the data or on all."""
        numbers = state["numbers"]
        others = {role: state[role] for role in self._variables}

        def train(replica: State, own: list, *batch: Any) -> State:
            x, y, weight = batch or data
            return self._train_step({**replica, "numbers": own}, x, y, weight)

        if index is None:
            return {**self._map(train, others, numbers), "numbers": numbers}
        batch = tree.map_structure(
            lambda a: None if a is None else tf.gather(a, index), data
        )
        return {**self._map(train, others, numbers, *batch), "numbers": numbers}

    def _full_batches(self, state: State, order, steps, data: tuple) -> tuple:
        """Train on the first `steps` batches of an epoch, all of the full size.

        Returns the state, now with metrics, and the weights before the last step (none
        if updates are not recorded).
        """
        plan = self.plan
        state = {**state, "metrics": self._new_metrics()}
        before = state["trainable"] if "updates" in plan.record else []
        if plan.batch_size == plan.examples:
            # One batch holds them all, whatever their order.
            return self._step(None, state, data), before

        def body(i, state, before):
            index = tf.slice(
                order, [0, i * plan.batch_size], [plan.replicas, plan.batch_size]
            )
            before = state["trainable"] if before else []
            return i + 1, self._step(index, state, data), before

        _, state, before = tf.while_loop(
            lambda i, *_: i < steps,
            body,
            (tf.constant(0), state, before),
            maximum_iterations=plan.examples // plan.batch_size,
        )
        return state, before

    def _finish(self, state: State, before: list, order, data, watched) -> tuple:
        """Train on what the full batches left over, evaluate, and look back.

        Returns the state without metrics, the weights before the last step, the logs
        by name and whether each replica is finite, both of shape ``(replicas,)``.
        """
        rest = self.plan.examples % self.plan.batch_size
        if rest:
            before = state["trainable"] if before else []
            state = self._step(order[:, -rest:], state, data)
        state = dict(state)
        measured = {"metrics": state.pop("metrics"), "numbers": state["numbers"]}
        logs = self._map(self._results, measured)
        for prefix, part in watched.items():
            tested = self._tested(state, part)
            logs |= {f"{prefix}_{name}": value for name, value in tested.items()}
        finite = tf.math.is_finite(logs["loss"])
        for stack in state["trainable"]:
            axes = list(range(1, len(stack.shape)))
            finite &= tf.reduce_all(tf.math.is_finite(stack), axes)
        return state, before, logs, finite

    def _tested(self, state: State, data: tuple) -> dict[str, tf.Tensor]:
        """Evaluate all replicas on the same examples, in pieces that fit in memory."""
        examples = tree.flatten(data[0])[0].shape[0]
        size = max(1, min(examples, self._evaluation_batch()))
        pieces, rest = divmod(examples, size)
        values = {k: v for k, v in state.items() if k != "optimizer"}

        def test(metrics, part):
            x, y, weight = part
            return self._map(
                lambda replica: self._test_step(replica, x, y, weight),
                {**values, "metrics": metrics},
            )

        def piece(start, size):
            return tree.map_structure(
                lambda a: None if a is None else _rows(a, start, size), data
            )

        metrics = self._new_metrics()
        if pieces == 1:
            metrics = test(metrics, piece(0, size))
        else:

            def body(i, metrics):
                return i + 1, test(metrics, piece(i * size, size))

            _, metrics = tf.while_loop(
                lambda i, _: i < pieces,
                body,
                (tf.constant(0), metrics),
                maximum_iterations=pieces,
            )
        if rest:
            metrics = test(metrics, piece(pieces * size, rest))
        return self._map(
            self._results, {"metrics": metrics, "numbers": state["numbers"]}
        )

    def _evaluation_batch(self) -> int:
        widths = [
            int(np.prod([d or 1 for d in tensor.shape[1:]]))
            for layer in self.model._flatten_layers(include_self=False)
            if layer._inbound_nodes
            for node in layer._inbound_nodes
            for tensor in node.output_tensors
        ]
        return max(
            self.plan.batch_size,
            _CHUNK_BYTES // (4 * self.plan.replicas * (sum(widths) or 1000)),
        )

    def _run(self, state: State, orders, count, data, watched) -> tuple:
        """Train for `count` of the epochs whose orders are given.

        Returns the state, the weights before the last step (none if updates are not
        recorded), the logs by name, ``(chunk, replicas)``, and whether each replica is
        finite after each epoch.
        """
        plan = self.plan
        names = list(self.model.get_metrics_result())
        names += [f"{prefix}_{name}" for prefix in watched for name in names]
        logs = {name: tf.zeros((plan.chunk, plan.replicas)) for name in names}
        finite = tf.ones((plan.chunk, plan.replicas), tf.bool)
        before = state["trainable"] if "updates" in plan.record else []

        def body(e, state, _, logs, finite):
            steps = plan.examples // plan.batch_size
            state, before = self._full_batches(state, orders[e], steps, data)
            state, before, log, is_finite = self._finish(
                state, before, orders[e], data, watched
            )
            at = [[e]]
            logs = {
                k: tf.tensor_scatter_nd_update(logs[k], at, v[None])
                for k, v in log.items()
            }
            finite = tf.tensor_scatter_nd_update(finite, at, is_finite[None])
            return e + 1, state, before, logs, finite

        _, state, before, logs, finite = tf.while_loop(
            lambda e, *_: e < count,
            body,
            (tf.constant(0), state, before, logs, finite),
            maximum_iterations=plan.chunk,
        )
        return state, before, logs, finite

    def _evaluate(self, state: State, data: tuple) -> dict[str, tf.Tensor]:
        return self._tested(state, data)

    def _predict(self, state: State, x: Any) -> Any:
        def predict(replica):
            with self._scope(replica):
                return self._forward(x, training=False)

        return self._map(predict, {k: v for k, v in state.items() if k != "optimizer"})

    def _read(self, state: State, before: list, probe: tuple) -> dict:
        x, y, weight = probe
        what = [w for w in self.plan.record if w in _READ]

        def read(replica, before):
            with _per_replica(self.numbers, replica["numbers"]):
                readings = {}
                if what:
                    readings |= instruments.record(
                        self.model,
                        replica["trainable"],
                        replica["non_trainable"],
                        x,
                        y,
                        what,
                        weight,
                    )
                if before is not None:
                    readings |= instruments.update_ratios_tensors(
                        self.model, before, replica["trainable"]
                    )
            # pfor sorts the keys of a dict: keep the layers' order.
            self._reading_names = list(readings)
            return [tf.cast(v, tf.float32) for v in readings.values()]

        values = {k: v for k, v in state.items() if k != "optimizer"}
        return self._map(read, values, before or None)


def _rows(a: tf.Tensor, start: Any, size: int) -> tf.Tensor:
    rank = len(a.shape)
    return tf.slice(a, [start] + [0] * (rank - 1), [size, *a.shape[1:]])


@contextmanager
def _tracing(plan: Plan) -> Iterator[None]:
    """Tell what cannot be vectorized from what cannot be done."""
    if plan.mode == "single" and not plan.jit_compile:
        yield
        return
    logger = tf.get_logger()  # it would log the stack of every such operation
    level = logger.level
    logger.setLevel(logging.FATAL)
    try:
        yield
    except Exception as error:
        raise CannotTrace from error
    finally:
        logger.setLevel(level)

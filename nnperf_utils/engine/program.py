"""One compiled graph that trains a whole stack of replicas of a Keras model.

The weights of all replicas are stacked along a new first axis. A training step is
written for one replica, without side effects: the model, its loss, its metrics and its
optimizer run inside a `keras.StatelessScope`, in which reading a variable gives the
replica's own value. TensorFlow's `pfor` makes of it a step for the whole stack, so
whatever Keras computes (norms for clipping, schedules, moving statistics) comes out
for each replica by itself.

Where the replicas are trained on several data sets, these lie one below the other in
one array, once, and each replica takes its own rows of it. Targets of its own, which
it learns in the place of the labels, come with the state of each replica.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from nnperf_utils import instruments
from nnperf_utils.engine import (
    private,
    stateless,
    vectorize,  # noqa: F401  (registers converters)
)
from nnperf_utils.engine.numbers import Number, per_replica
from nnperf_utils.engine.plan import Plan
from nnperf_utils.engine.starts import State, preserved_random_state

_READ = ("gradients", "activations", "units")
_CHUNK_BYTES = 2**28


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
        stateless.make_stateless(model)
        with preserved_random_state():
            private.symbolic_build(model, batch)
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
        self.read, self.evaluate, self.evaluate_own, self.predict = (
            self._traced(self._function(function))
            for function in (
                self._read,
                self._evaluate,
                self._evaluate_own,
                self._predict,
            )
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
            per_replica(self.numbers, replica["numbers"]),
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
        averages = stateless.averages(optimizer, state["optimizer"])
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
        return private.pfor(
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
        constant = ("numbers", "data", "targets")
        kept = {key: state[key] for key in constant if key in state}

        def train(replica: State, own: list, *batch: Any) -> State:
            x, y, weight = batch or data
            return self._train_step({**replica, "numbers": own}, x, y, weight)

        if index is None:
            return self._map(train, others, numbers) | kept
        batch = tree.map_structure(
            lambda a: None if a is None else tf.gather(a, index), data
        )
        if "targets" in state:
            x, _, weight = batch
            rows = index % self.plan.examples  # of its own data set
            batch = x, tf.gather(state["targets"][0], rows, batch_dims=1), weight
        return self._map(train, others, numbers, *batch) | kept

    def _full_batches(self, state: State, order, steps, data: tuple) -> tuple:
        """Train on the first `steps` batches of an epoch, all of the full size.

        Returns the state, now with metrics, and the weights before the last step (none
        if updates are not recorded).
        """
        plan = self.plan
        state = {**state, "metrics": self._new_metrics()}
        before = state["trainable"] if "updates" in plan.record else []
        if plan.batch_size == plan.examples and not {"data", "targets"} & set(state):
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
            tested = self._tested(state, part, own="data" in state)
            logs |= {f"{prefix}_{name}": value for name, value in tested.items()}
        finite = tf.math.is_finite(logs["loss"])
        for stack in state["trainable"]:
            axes = list(range(1, len(stack.shape)))
            finite &= tf.reduce_all(tf.math.is_finite(stack), axes)
        return state, before, logs, finite

    def _tested(self, state: State, data: tuple, own: bool) -> dict[str, tf.Tensor]:
        """Evaluate all replicas, on the same examples or each on its own.

        It is done in pieces that fit in memory.
        """
        examples = tree.flatten(data[0])[0].shape[0] // (self.plan.tasks if own else 1)
        inputs = tree.flatten(data[0]) if own else []
        size = max(1, min(examples, self._evaluation_batch(inputs)))
        pieces, rest = divmod(examples, size)
        values = {k: v for k, v in state.items() if k != "optimizer"}

        def test(metrics, start, size):
            replicas = {**values, "metrics": metrics}
            if own:
                batch = self._own_rows(state, data, examples, start, size)
                return self._map(self._test_step, replicas, *batch)
            x, y, weight = tree.map_structure(
                lambda a: None if a is None else _rows(a, start, size), data
            )
            return self._map(
                lambda replica: self._test_step(replica, x, y, weight), replicas
            )

        metrics = self._new_metrics()
        if pieces == 1:
            metrics = test(metrics, 0, size)
        else:

            def body(i, metrics):
                return i + 1, test(metrics, i * size, size)

            _, metrics = tf.while_loop(
                lambda i, _: i < pieces,
                body,
                (tf.constant(0), metrics),
                maximum_iterations=pieces,
            )
        if rest:
            metrics = test(metrics, pieces * size, rest)
        return self._map(
            self._results, {"metrics": metrics, "numbers": state["numbers"]}
        )

    @staticmethod
    def _own_rows(state: State, data: tuple, examples: int, start, size: int) -> tuple:
        """Take some of each replica's own rows out of the data of all.

        Parameters
        ----------
        data : tuple of nested tensors
            The parts of all data sets, one below the other.
        examples : int
            Rows of one of them.
        start, size : int
            Which of these rows.

        Returns
        -------
        tuple of nested tensors, shape (replicas, size, ...)
        """
        first = state["data"][0] * examples + start
        index = first[:, None] + tf.range(size)
        return tree.map_structure(
            lambda a: None if a is None else tf.gather(a, index), data
        )

    def _evaluation_batch(self, inputs: Sequence[tf.Tensor]) -> int:
        """Return how many examples to evaluate at once.

        `inputs` are those of which each replica holds a copy of its own.
        """
        widths = [int(np.prod(a.shape[1:])) for a in inputs]
        widths += [
            int(np.prod([d or 1 for d in tensor.shape[1:]]))
            for layer in private.flatten_layers(self.model, include_self=False)
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
        return self._tested(state, data, own=False)

    def _evaluate_own(self, state: State, data: tuple) -> dict[str, tf.Tensor]:
        return self._tested(state, data, own="data" in state)

    def _predict(self, state: State, x: Any) -> Any:
        def predict(replica):
            with self._scope(replica):
                return self._forward(x, training=False)

        return self._map(predict, {k: v for k, v in state.items() if k != "optimizer"})

    def _read(self, state: State, before: list, probe: tuple) -> dict:
        what = [w for w in self.plan.record if w in _READ]
        own: tuple = ()
        if "data" in state:
            examples = tree.flatten(probe[0])[0].shape[0] // self.plan.tasks
            own = self._own_rows(state, probe, examples, 0, examples)

        def read(replica, before, *own):
            x, y, weight = own or probe
            if "targets" in replica:
                y = replica["targets"][0][: tree.flatten(x)[0].shape[0]]
            with per_replica(self.numbers, replica["numbers"]):
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
            self.reading_names, parts = instruments.one_by_one(readings)
            return [tf.cast(v, tf.float32) for v in parts]

        values = {k: v for k, v in state.items() if k != "optimizer"}
        return self._map(read, values, before or None, *own)


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

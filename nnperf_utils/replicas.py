"""Train the same network from many seeds at once.

`replicate` takes the function that builds your network, trains one replica for each
seed, all of them in one compiled graph, and returns `Runs`: histories, readings, and
each replica as an ordinary Keras model.

>>> runs = replicate(build, data, seeds=20, epochs=30)  # doctest: +SKIP
>>> runs.history.query("metric == 'val_loss'")  # doctest: +SKIP
>>> runs.model(seed=3).summary()  # doctest: +SKIP

What a replica's result depends on
    Its seed gives it its starting weights, its dropout masks, and the order in which
    it sees the examples (`example_order`). None of these depends on which other
    replicas train beside it, nor on how many. The arithmetic is the same too, though a
    different number of replicas may sum in a different order: the same call gives the
    same numbers bit for bit, other seeds beside it the same to rounding.

What is the same as in ``fit``
    Everything but the order of the examples, which ``fit`` draws in a way of its own.
    With full batches, where order is no matter, losses, metrics and weights agree with
    ``fit`` from the same seed to rounding, dropout included.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import cloudpickle
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import tree
from keras.src.trainers.data_adapters.data_adapter_utils import (
    class_weight_to_sample_weights,
)
from tqdm import TqdmWarning

from nnperf_utils import program, starts
from nnperf_utils.program import Plan, Program

with warnings.catch_warnings():
    # Where there are no widgets it draws its bars with letters, which is as good.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

__all__ = ["Cell", "Runs", "example_order", "replicate", "train"]

RECORDS = ("gradients", "activations", "updates")
_UPDATE = "update_ratio"  # what the instruments call the reading of an update
_PROBE_EXAMPLES = 256
_XLA_PAYS_AFTER_STEPS = 300
_SPLIT_UP_TO_EPOCHS = 300  # beyond, compiling all in one graph costs less than calls
# Examples, times replicas, after which a training comes back to Python: small networks
# take a fraction of a second for so many, large ones a second or two.
_SOON = 200_000
_ORDER_BYTES = 2**25
_PROGRAMS_KEPT = 4  # a hundred megabytes each, or more
_COMPARISONS = {
    keras.ops.less: lambda a, b: np.float32(a) < np.float32(b),
    keras.ops.greater: lambda a, b: np.float32(a) > np.float32(b),
}
_LOCK = threading.RLock()  # building and tracing share Keras's global state


class Cell(NamedTuple):
    """One replica to train: which variant, from which seed, built how."""

    variant: str | None
    seed: int
    build: Callable[[], keras.Model]


def example_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """Order in which the replica of a seed sees the examples in one epoch.

    Parameters
    ----------
    seed : int
    epoch : int
        Counted from 1.
    n : int
        Number of training examples.

    Returns
    -------
    numpy.ndarray of int32, shape (n,)
        A permutation of 0 … n - 1; batch *i* holds the positions from
        ``i * batch_size`` on. Where one batch holds all examples, they stay in the
        order of the data.
    """
    return np.random.default_rng([seed, epoch]).permutation(n).astype(np.int32)


# --------------------------------------------------------------------------------------
# Training
# --------------------------------------------------------------------------------------


def replicate(
    build: Callable[[], keras.Model],
    data: Any,
    *,
    seeds: int | Sequence[int],
    epochs: int,
    batch_size: int = 32,
    record: str | Sequence[str] = (),
    follow_test: bool = False,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    progress: bool = True,
    executor: Executor | None = None,
    jit_compile: bool | str = "auto",
) -> Runs:
    """Train one network from many seeds at once.

    Parameters
    ----------
    build : callable
        Returns a compiled Keras model. A replica starts exactly as your own network
        does after ``keras.utils.set_random_seed(seed)``. It is called like that for
        each seed; or, where its first two networks show that only what Keras draws
        depends on the seed, for these two alone. Optimizer, loss, metrics,
        regularizers, schedule and clipping are read from the model.
    data : datasets.Dataset or similar
        Has ``train`` and possibly ``validation``, each an ``(x, y)`` pair of arrays.
    seeds : int or sequence of int
        A number means 0, 1, … seeds - 1.
    epochs, batch_size : int
        As in ``fit``; the last batch of an epoch may be smaller.
    record : str or sequence of str
        Of ``"gradients"``, ``"activations"``, ``"updates"``: have `instruments` read
        each replica before training (epoch 0) and after each epoch, on the first 256
        examples of the training part. Updates are those of the epoch's last step.
    follow_test : bool
        Score the test part after each epoch, too: the history then has ``test_loss``
        and so on. It is there to be read off at an epoch that the validation part has
        chosen, as `Runs.stopped` does; choose nothing by it.
    class_weight : dict, optional
        Class to weight, as in ``fit``.
    sample_weight : array, optional
        One weight for each training example, as in ``fit``.
    progress : bool
        Show a progress bar.
    executor : concurrent.futures.Executor, optional
        Train in its workers, a block of seeds in each. A process pool needs the
        ``spawn`` start method, ``ProcessPoolExecutor(mp_context=
        multiprocessing.get_context("spawn"))``: TensorFlow does not survive a fork.
    jit_compile : bool or "auto"
        Compile with XLA. ``"auto"`` leaves it out where it would cost more than it
        gains: recurrent and convolutional layers, short trainings.

    Returns
    -------
    Runs

    Raises
    ------
    TypeError, ValueError
        Before anything trains, if an argument does not fit.
    """
    cells = [Cell(None, seed, build) for seed in _check_seeds(seeds)]
    return train(
        cells,
        data,
        epochs=epochs,
        batch_size=batch_size,
        record=record,
        follow_test=follow_test,
        class_weight=class_weight,
        sample_weight=sample_weight,
        progress=progress,
        executor=executor,
        jit_compile=jit_compile,
    )


def train(
    cells: Iterable[Cell],
    data: Any,
    *,
    epochs: int,
    batch_size: int = 32,
    record: str | Sequence[str] = (),
    follow_test: bool = False,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    progress: bool = True,
    executor: Executor | None = None,
    jit_compile: bool | str = "auto",
) -> Runs:
    """Train many replicas, of one variant or several, at once.

    Cells whose networks differ only in their starting weights and in numbers such as
    the learning rate, a dropout rate, a penalty or a clipping threshold share one
    graph.

    Parameters
    ----------
    cells : iterable of Cell
        Each pair of variant and seed once.
    data, epochs, batch_size, record, follow_test, class_weight, sample_weight
        See `replicate`.
    progress, executor, jit_compile
        See `replicate`.

    Returns
    -------
    Runs
    """
    cells = list(cells)
    if not callable(getattr(executor, "submit", None)) and executor is not None:
        raise TypeError(
            "executor must be a concurrent.futures.Executor, with a method submit, not "
            f"{executor!r}."
        )
    work = _Work.checked(
        data,
        epochs=epochs,
        batch_size=batch_size,
        record=record,
        follow_test=follow_test,
        weights=(class_weight, sample_weight),
        jit_compile=jit_compile,
    )
    if executor is not None:
        return _train_elsewhere(cells, work, progress, executor)
    with _no_garbage_collection():
        return _train_here(cells, work, progress)


@dataclass(frozen=True)
class _Work:
    """What is to be done with every cell, checked."""

    train: tuple  # x, y, sample_weight or None
    watched: dict[str, tuple]  # parts to score after each epoch: "val", "test"
    epochs: int
    batch_size: int
    record: tuple[str, ...]
    jit_compile: bool | str

    @property
    def examples(self) -> int:
        return _length(self.train[0])

    @classmethod
    def checked(
        cls, data, *, epochs, batch_size, record, follow_test, weights, jit_compile
    ) -> _Work:
        training = _part(data, "train")
        if training is None:
            raise TypeError("data must have a training part, data.train = (x, y).")
        watched = {"val": _part(data, "validation")}
        if follow_test:
            watched["test"] = _part(data, "test")
            if watched["test"] is None:
                raise ValueError("follow_test needs a test part; data.test is None.")
        examples = _length(training[0])
        _check_count("epochs", epochs)
        _check_count("batch_size", batch_size)
        if batch_size > examples:
            raise ValueError(
                f"batch_size is {batch_size}, but there are only {examples} training "
                "examples."
            )
        record = (record,) if isinstance(record, str) else tuple(record)
        unknown = [w for w in record if w not in RECORDS]
        if unknown:
            raise ValueError(
                f"record has {unknown[0]!r}; known are {', '.join(map(repr, RECORDS))}."
            )
        if jit_compile not in (True, False, "auto"):
            raise ValueError(
                f"jit_compile is {jit_compile!r}; it must be True, False or 'auto'."
            )
        weight = _check_weights(training, *weights)
        watched = {name: part for name, part in watched.items() if part is not None}
        return cls(
            (*training[:2], weight), watched, epochs, batch_size, record, jit_compile
        )


@dataclass
class _Group:
    """Cells that share a graph, and their state, stacked in the cells' order."""

    cells: list[Cell]
    key: Any
    state: dict[str, list[np.ndarray]]
    varying: list[int]  # positions of the numbers that differ between the cells
    layers_against_xla: bool
    draws_in_training: bool  # dropout and the like
    iterations: int  # where the optimizer's variables have the count of updates
    first_two: dict[str | None, list[list[np.ndarray]]]  # starts of each variant
    model: keras.Model | None = None  # of the first cell, until a program takes it

    def take(self, indices: Sequence[int]) -> dict[str, list[np.ndarray]]:
        return {k: [a[indices] for a in v] for k, v in self.state.items()}


def _train_here(cells: list[Cell], work: _Work, progress: bool) -> Runs:
    with _LOCK:
        groups = _grouped(cells, work)
    bar = tqdm(total=work.epochs * len(groups), unit="epoch", disable=not progress)
    results = []
    with bar:
        for position, group in enumerate(groups):
            for upcoming in groups[position : position + 2]:
                # XLA compiles the next graph while this one trains.
                with contextlib.suppress(program.CannotTrace):
                    _program(upcoming, _plan(upcoming, work), work)
            result = _train_group(group, work, bar)
            results.append(result)
            if result.epochs < work.epochs:
                break
    with _LOCK:
        _forget_opaque_programs()
    done = sum(result.epochs for result in results)
    if done < bar.total:
        if not done:
            raise KeyboardInterrupt("interrupted before an epoch was finished.")
        results = [result for result in results if result.epochs]
        warnings.warn(
            f"interrupted after {done} of {bar.total} epochs; the result holds what "
            "was finished.",
            UserWarning,
            stacklevel=4,
        )
    return Runs(cells, results, work)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spare Python its search for garbage among the many objects of a graph.

    Tracing leaves some; training, however long, leaves none.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _grouped(cells: list[Cell], work: _Work, begin: bool = True) -> list[_Group]:
    """Sort the cells by the graph that they need, each with its starting state.

    Two networks of a `build` are built; where the second differs from the first in
    Keras's draws alone, the others' states are drawn as Keras would.

    Where all cells are of one build, they will most likely share a graph: with `begin`,
    XLA starts on it as soon as the first model is there.
    """
    begin = begin and len({id(cell.build) for cell in cells}) == 1 < len(cells)
    batch = tuple(tree.map_structure(_head, part) for part in work.train)
    members: dict[Any, list[tuple[Cell, dict, list[float]]]] = {}
    models: dict[Any, keras.Model] = {}
    first_shapes: dict[Any, tuple] = {}
    recipes: dict[int, starts.Recipe | None] = {}
    with starts.preserved_random_state():
        for cell in cells:
            recipe = recipes.get(id(cell.build))
            if recipe and recipe.is_proven:
                key, numbers = recipe.facts
                members[key].append((cell, recipe.state(cell.seed), numbers))
                continue
            model, recording = starts.recorded_build(cell.build, cell.seed)
            _check_model(model, cell)
            program.complete(model, batch)
            shapes = program.shapes(model)
            seed, first = first_shapes.setdefault(cell.variant, (cell.seed, shapes))
            if shapes != first:
                raise ValueError(
                    f"build returned differently shaped networks for seeds {seed} and "
                    f"{cell.seed}; the seed may change where the weights start, not "
                    "the architecture."
                )
            signature = program.signature(model)
            key = signature or (id(cell.build), repr(shapes))
            if key not in models:
                models[key] = model
                _check_labels(model, work)
            state = {
                "trainable": [v.numpy() for v in model.trainable_variables],
                "non_trainable": [v.numpy() for v in model.non_trainable_variables],
                "optimizer": [v.numpy() for v in model.optimizer.variables],
            }
            numbers = [n.value for n in program.find_numbers(model)]
            members.setdefault(key, []).append((cell, state, numbers))
            if id(cell.build) not in recipes and signature:
                recipe = starts.Recipe.of(model, state, recording, (key, numbers))
            elif recipe and not recipe.prove(state, recording, (key, numbers)):
                recipe = None
            recipes[id(cell.build)] = recipe
            if begin:
                begin = False
                # The others' states will have the same shapes.
                alike = _group(key, model, [(c, state, numbers) for c in cells])
                with contextlib.suppress(program.CannotTrace):
                    _program(alike, _plan(alike, work), work)
    return [_group(key, models[key], found) for key, found in members.items()]


def _group(key: Any, model: keras.Model, members: list[tuple]) -> _Group:
    numbers = np.array([m[2] for m in members], np.float32)
    varying = [i for i in range(numbers.shape[1]) if np.unique(numbers[:, i]).size > 1]
    constant = tuple(np.delete(numbers[0], varying).tolist())
    state = {
        role: [
            np.stack(arrays)
            for arrays in zip(*(m[1][role] for m in members), strict=True)
        ]
        for role in members[0][1]
    }
    state["numbers"] = [numbers[:, i] for i in varying]
    first_two: dict[str | None, list] = {}
    for cell, start, _ in members:
        if len(found := first_two.setdefault(cell.variant, [])) < 2:
            found.append(start["trainable"])
    return _Group(
        cells=[m[0] for m in members],
        key=(key, constant, tuple(varying)),
        state=state,
        varying=varying,
        layers_against_xla=any(
            isinstance(layer, program._NOT_FOR_XLA) for layer in model._flatten_layers()
        ),
        draws_in_training=any(
            layer._seed_generators for layer in model._flatten_layers()
        ),
        iterations=next(
            i
            for i, variable in enumerate(model.optimizer.variables)
            if variable is model.optimizer.iterations
        ),
        first_two=first_two,
        model=model,
    )


_programs: dict[Any, Program] = {}


def _program(group: _Group, plan: Plan, work: _Work) -> Program:
    """Find or make the program of a group, and complete the group's state for it.

    The latest few are kept, for later calls.
    """
    batch = tuple(tree.map_structure(_head, part) for part in work.train)
    shapes = tree.map_structure(_spec, (work.train, work.watched))
    key = (group.key, plan, repr(shapes))
    with _LOCK:
        found = _programs.pop(key, None)
        is_new = found is None
        if is_new:
            model = group.model
            if model is None:
                with starts.preserved_random_state():
                    first = group.cells[0]
                    model = starts.build_model(first.build, first.seed)
                    program.complete(model, batch)
            numbers = program.find_numbers(model)
            found = Program(model, [numbers[i] for i in group.varying], batch, plan)
        group.model = None
        _programs[key] = found
        while len(_programs) > _PROGRAMS_KEPT:
            del _programs[next(iter(_programs))]
    own = group.state["optimizer"]
    for fresh in found.fresh_optimizer[len(own) :]:
        # A slot that the optimizer makes only when it sees the weights.
        own.append(np.repeat(fresh[None], len(group.cells), axis=0))
    if is_new:
        state = tree.map_structure(
            lambda a: tf.zeros((plan.replicas, *a.shape[1:]), a.dtype), group.state
        )
        found.begin(state, *tree.map_structure(_tensor, (work.train, work.watched)))
    return found


def _forget_opaque_programs() -> None:
    """Drop the programs of networks whose configuration does not tell all.

    The same function may build another one next time.
    """
    for key in [key for key in _programs if not isinstance(key[0][0], str)]:
        del _programs[key]


@dataclass
class _Result:
    """What training a group gave."""

    group: _Group
    plan: Plan
    epochs: int  # finished
    logs: dict[str, np.ndarray]  # (epochs, replicas)
    finite: np.ndarray  # (epochs, replicas)
    directions: dict[str, str]  # of the metrics: "up" or "down" is better
    readings: list[tuple[int, list, np.ndarray]] = field(default_factory=list)


def _plan(group: _Group, work: _Work) -> Plan:
    """Choose how to train a group."""
    steps = work.epochs * -(-work.examples // work.batch_size)
    # A replica alone need not be vectorized, which takes a while. But XLA left to
    # itself draws other numbers than TensorFlow, and with it `fit`.
    is_alone, draws = len(group.cells) == 1, group.draws_in_training
    jit_compile = work.jit_compile
    if jit_compile == "auto":
        against = group.layers_against_xla or (is_alone and draws)
        jit_compile = not against and steps > _XLA_PAYS_AFTER_STEPS
    split = (
        jit_compile
        and work.examples % work.batch_size > 0
        and work.epochs <= _SPLIT_UP_TO_EPOCHS
    )
    chunk = 1
    if not work.record and not split:
        seen = len(group.cells) * work.examples  # by all replicas in an epoch
        wanted = max(work.epochs // 20, _SOON // seen)
        chunk = max(1, min(work.epochs, wanted, _ORDER_BYTES // (4 * seen)))
    return Plan(
        replicas=len(group.cells),
        examples=work.examples,
        batch_size=work.batch_size,
        chunk=chunk,
        record=work.record,
        jit_compile=jit_compile,
        split=split,
        mode="single" if is_alone and not (jit_compile and draws) else "vectorized",
    )


def _train_group(group: _Group, work: _Work, bar: tqdm) -> _Result:
    start, plan = bar.n, _plan(group, work)
    while True:
        size = plan.replicas
        stacks = [list(range(i, i + size)) for i in range(0, len(group.cells), size)]
        try:
            return _run_stacks(group, stacks, plan, work, bar)
        except program.CannotTrace as failure:
            bar.update(start - bar.n)
            plan = _next_best(plan, failure.__cause__, work)


def _next_best(plan: Plan, reason: Exception, work: _Work) -> Plan:
    """Choose how to train where TensorFlow could not follow a plan."""
    if plan.jit_compile:
        if work.jit_compile is True:
            raise reason from None
        return replace(plan, jit_compile=False, split=False)
    operation = _culprit(reason)
    if plan.mode == "vectorized":
        what = operation or f"the network ({type(reason).__name__})"
        warnings.warn(
            f"{what} cannot be vectorized, so training may be slow.",
            UserWarning,
            stacklevel=6,
        )
        if operation:
            return replace(plan, mode="loops")
    return replace(plan, mode="single", replicas=1)


def _run_stacks(
    group: _Group, stacks: list[list[int]], plan: Plan, work: _Work, bar: tqdm
) -> _Result:
    compiled = _program(group, plan, work)
    data = tree.map_structure(_tensor, work.train)
    watched = tree.map_structure(_tensor, work.watched)
    probe = tree.map_structure(
        lambda a: None if a is None else a[:_PROBE_EXAMPLES], data
    )
    states = [tree.map_structure(tf.constant, group.take(s)) for s in stacks]
    result = _Result(
        group, plan, 0, {}, np.ones((0, len(group.cells)), bool), compiled.directions
    )
    logs: list[dict[str, np.ndarray]] = []
    finite: list[np.ndarray] = []

    def read(epoch: int, befores: list) -> None:
        if work.record:
            parts = [
                np.stack([r.numpy() for r in compiled.read(s, b, probe)])
                for s, b in zip(states, befores, strict=True)
            ]
            names, values = compiled._reading_names, np.concatenate(parts, axis=1)
            if epoch == 0:  # no step yet, so no update
                kept = [i for i, (_, what) in enumerate(names) if what != _UPDATE]
                names, values = [names[i] for i in kept], values[kept]
            result.readings.append((epoch, names, values))

    try:
        if work.record != ("updates",):
            # Of the same form as later, so that one graph reads them all.
            updates = "updates" in work.record
            read(0, [state["trainable"] if updates else [] for state in states])
        while result.epochs < work.epochs:
            count = min(plan.chunk, work.epochs - result.epochs)
            after, befores, parts = [], [], []
            for stack, state in zip(stacks, states, strict=True):
                orders = np.zeros((plan.chunk, len(stack), work.examples), np.int32)
                seeds = [group.cells[member].seed for member in stack]
                # One batch that holds all examples takes them in any order.
                for e in range(count if work.batch_size < work.examples else 0):
                    own = {
                        seed: example_order(seed, result.epochs + e + 1, work.examples)
                        for seed in set(seeds)
                    }
                    orders[e] = [own[seed] for seed in seeds]
                state, before, log, is_finite = compiled.run(
                    state, tf.constant(orders), count, data, watched
                )
                after.append(state)
                befores.append(before)
                parts.append(
                    ({k: v.numpy() for k, v in log.items()}, is_finite.numpy())
                )
            states = after
            logs.append(
                {
                    k: np.concatenate([p[0][k] for p in parts], 1)[:count]
                    for k in parts[0][0]
                }
            )
            finite.append(np.concatenate([p[1] for p in parts], 1)[:count])
            result.epochs += count
            read(result.epochs, befores)
            bar.update(count)
    except KeyboardInterrupt:
        pass  # what was finished is returned; Runs says how far it got
    if logs:
        states = [compiled.averaged(state) for state in states]
        result.logs = {k: np.concatenate([log[k] for log in logs]) for k in logs[0]}
        result.finite = np.concatenate(finite)
    group.state = tree.map_structure(
        lambda *arrays: np.concatenate([a.numpy() for a in arrays]), *states
    )
    return result


def _culprit(reason: Exception) -> str | None:
    """Name the operation, and with it the layer, that has no vectorized form."""
    pattern = r'loop_body/(?P<path>[^"]+)"\s+op: "(?P<operation>\w+)"'
    found = re.search(pattern, str(reason))
    if not found:
        return None
    layer = found["path"].rsplit("/", 1)[0]
    return f"operation {found['operation']} in {layer!r}"


# --------------------------------------------------------------------------------------
# Elsewhere
# --------------------------------------------------------------------------------------


def _train_elsewhere(
    cells: list[Cell], work: _Work, progress: bool, executor: Executor
) -> Runs:
    # One network of each variant is built here, so that what is wrong with it shows
    # here and at once.
    first = {cell.variant: cell for cell in reversed(cells)}
    with _LOCK:
        _grouped(list(first.values()), work, begin=False)
    size = -(-len(cells) // min(len(cells), _workers(executor)))
    blocks = [cells[i : i + size] for i in range(0, len(cells), size)]
    futures = {
        executor.submit(_train_block, cloudpickle.dumps((block, work))): block
        for block in blocks
    }
    results: dict[int, list[_Result]] = {}
    lost: list[str] = []
    bar = tqdm(total=len(blocks), unit="block", disable=not progress)
    with bar:
        try:
            for future in as_completed(futures):
                block = futures[future]
                try:
                    found = future.result()
                except (TypeError, ValueError):
                    raise  # the worker is well; the input is not
                except Exception as error:
                    lost.append(
                        f"{_described(block)} ({type(error).__name__}: {error})"
                    )
                    continue
                # Found again by identity, which pickling does not keep.
                own = {(cell.variant, cell.seed): cell for cell in block}
                for result in found:
                    result.group.cells = [own[c] for c in result.group.cells]
                results[blocks.index(block)] = found
                bar.update()
        except KeyboardInterrupt:
            for future in futures:
                future.cancel()
            lost.append("interrupted")
    if not results:
        raise RuntimeError(
            f"no block of replicas was finished; lost: {'; '.join(lost)}"
        )
    if lost:
        warnings.warn(
            f"lost {'; '.join(lost)}. The result holds the other replicas.",
            UserWarning,
            stacklevel=3,
        )
    finished = [cell for i in sorted(results) for cell in blocks[i]]
    return Runs(finished, [r for i in sorted(results) for r in results[i]], work)


def _train_block(payload: bytes) -> list[_Result]:
    """Train a block of cells in a worker; the cells go back as variant and seed."""
    cells, work = cloudpickle.loads(payload)
    with _no_garbage_collection():
        runs = _train_here(cells, work, progress=False)
    for result in runs._results:
        result.group.model = None
        result.group.cells = [(c.variant, c.seed) for c in result.group.cells]
    return runs._results


def _workers(executor: Executor) -> int:
    """Count the workers of an executor, as far as it tells."""
    client = getattr(executor, "_client", None)
    if client is not None:  # dask.distributed
        return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    return max(1, getattr(executor, "_max_workers", None) or os.cpu_count() or 1)


def _described(block: list[Cell]) -> str:
    variants = list(dict.fromkeys(c.variant for c in block if c.variant is not None))
    seeds = list(dict.fromkeys(c.seed for c in block))
    names = f"variants {', '.join(variants)}, " if variants else ""
    return f"the block of {names}seeds {', '.join(map(str, seeds))}"


# --------------------------------------------------------------------------------------
# What comes out
# --------------------------------------------------------------------------------------


class Runs:
    """Replicas after training.

    Attributes
    ----------
    history : pandas.DataFrame
        Columns ``seed, epoch, metric, value`` (and ``variant`` first, if there are
        several): Keras's metrics under Keras's names. Epochs count from 1. From the
        epoch on in which a replica diverges its values are NaN.
    readings : pandas.DataFrame
        Columns ``seed, epoch, layer, metric, value``: what the instruments read, if
        `record` asked for it. Epoch 0 is before training.
    diverged : pandas.Series
        For each seed the first epoch in which loss or weights were not finite, or NA.
    seeds : list of int
    epochs : int
        How many were finished.
    """

    def __init__(self, cells: list[Cell], results: list[_Result], work: _Work):
        trained = {id(c): (r, i) for r in results for i, c in enumerate(r.group.cells)}
        self._places = {id(c): trained[id(c)] for c in cells if id(c) in trained}
        self._cells = [cell for cell in cells if id(cell) in self._places]
        self._results, self._work = results, work
        self._named = any(cell.variant is not None for cell in cells)
        self.seeds = list(dict.fromkeys(cell.seed for cell in self._cells))
        self.epochs = min(result.epochs for result in results)
        self.history = self._history()
        self.readings = self._readings()
        self.diverged = self._diverged()

    def _place(self, cell: Cell) -> tuple[_Result, int]:
        return self._places[id(cell)]

    def _labels(self, cell: Cell) -> dict[str, Any]:
        label = {"variant": cell.variant} if self._named else {}
        return {**label, "seed": cell.seed}

    def _history(self) -> pd.DataFrame:
        frames = []
        for cell in self._cells:
            result, i = self._place(cell)
            names = list(result.logs)
            epochs = np.arange(1, result.epochs + 1)
            values = np.stack([result.logs[n][:, i] for n in names], 1)
            values[~_ok(result, i)] = np.nan
            frames.append(
                pd.DataFrame(
                    {
                        **self._labels(cell),
                        "epoch": np.repeat(epochs, len(names)),
                        "metric": np.tile(names, len(epochs)),
                        "value": values.ravel().astype(float),
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)

    def _readings(self) -> pd.DataFrame:
        frames = []
        for cell in self._cells:
            result, i = self._place(cell)
            for epoch, names, values in result.readings:
                frames.append(
                    pd.DataFrame(
                        {
                            **self._labels(cell),
                            "epoch": epoch,
                            "layer": [layer for layer, _ in names],
                            "metric": [metric for _, metric in names],
                            "value": values[:, i].astype(float),
                        }
                    )
                )
        if frames:
            return pd.concat(frames, ignore_index=True)
        columns = [*self._labels(self._cells[0]), "epoch", "layer", "metric", "value"]
        return pd.DataFrame(columns=columns)

    def _diverged(self) -> pd.Series:
        first = []
        for cell in self._cells:
            result, i = self._place(cell)
            bad = np.flatnonzero(~result.finite[:, i])
            first.append(bad[0] + 1 if bad.size else pd.NA)
        if self._named:
            index = pd.MultiIndex.from_tuples(
                [(c.variant, c.seed) for c in self._cells], names=["variant", "seed"]
            )
        else:
            index = pd.Index([c.seed for c in self._cells], name="seed")
        return pd.Series(first, index, dtype="Int64", name="diverged")

    def __repr__(self) -> str:
        """Say how many replicas there are and how far they got."""
        diverged = int(self.diverged.notna().sum())
        return (
            f"<Runs: {len(self._cells)} replicas, {self.epochs} epochs"
            + (f", {diverged} diverged" if diverged else "")
            + ">"
        )

    def _cell(self, seed: int, variant: str | None) -> Cell:
        for cell in self._cells:
            if cell.seed == seed and variant in (None, cell.variant):
                return cell
        raise KeyError(f"there is no replica of seed {seed}; there are {self.seeds}.")

    def model(self, seed: int, variant: str | None = None) -> keras.Model:
        """Return a replica as an ordinary compiled Keras model.

        Parameters
        ----------
        seed : int
        variant : str, optional
            Where there are several.

        Returns
        -------
        keras.Model
            With the weights, moving statistics and optimizer state after training.
        """
        cell = self._cell(seed, variant)
        result, i = self._place(cell)
        state = result.group.take([i])
        batch = tuple(tree.map_structure(_head, part) for part in self._work.train)
        with _LOCK, starts.preserved_random_state():
            model = starts.build_model(cell.build, cell.seed)
            program.complete(model, batch)
        model.optimizer.build(model.trainable_variables)
        for role, variables in (
            ("trainable", model.trainable_variables),
            ("non_trainable", model.non_trainable_variables),
            ("optimizer", model.optimizer.variables),
        ):
            for variable, value in zip(variables, state[role], strict=True):
                variable.assign(value[0])
        return model

    def starting_weights(self, variant: str | None = None) -> list[list[np.ndarray]]:
        """Return the trainable weights from which the first two replicas began.

        Parameters
        ----------
        variant : str, optional
            Where there are several.

        Returns
        -------
        list of lists of numpy.ndarray
            One list for each of the two, or of the one that there is.
        """
        groups = (result.group for result in self._results)
        return [w for group in groups for w in group.first_two.get(variant, [])][:2]

    def updates(self, seed: int, variant: str | None = None) -> int:
        """Return how many updates a replica has taken.

        Parameters
        ----------
        seed : int
        variant : str, optional
            Where there are several.

        Returns
        -------
        int
        """
        result, i = self._place(self._cell(seed, variant))
        return int(result.group.state["optimizer"][result.group.iterations][i])

    def optimizer_variable(self, name: str) -> np.ndarray:
        """Return one of the optimizers' variables, of all replicas, after training.

        For what an optimizer keeps beside the weights: its count of updates, moments,
        or a log that it writes.

        Parameters
        ----------
        name : str
            The variable's name, ``"iteration"`` for one.

        Returns
        -------
        numpy.ndarray, shape (replicas, …)
            Replicas in the order of the history.

        Raises
        ------
        ValueError
            If an optimizer has no such variable, or several.
        """
        positions: dict[int, int] = {}
        values = []
        for cell in self._cells:
            result, i = self._place(cell)
            if id(result) not in positions:
                model = self.model(cell.seed, cell.variant)
                names = [variable.name for variable in model.optimizer.variables]
                if names.count(name) != 1:
                    raise ValueError(
                        f"name is {name!r}; the optimizer's variables are "
                        f"{', '.join(names)}."
                    )
                positions[id(result)] = names.index(name)
            values.append(result.group.state["optimizer"][positions[id(result)]][i])
        return np.stack(values)

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None) -> pd.DataFrame:
        """Score all replicas on the same examples.

        Parameters
        ----------
        x, y, sample_weight
            As in ``keras.Model.evaluate``.

        Returns
        -------
        pandas.DataFrame
            Columns ``seed, metric, value`` (and ``variant`` first, if there are
            several), the metrics under Keras's names.
        """
        data = _check_part("evaluate", (x, y, sample_weight))
        scores = self._apply(
            lambda compiled, state: compiled.evaluate(
                state, tree.map_structure(_tensor, data)
            )
        )
        rows = [
            {**self._labels(cell), "metric": name, "value": float(value)}
            for cell, logs in zip(self._cells, scores, strict=True)
            for name, value in logs.items()
        ]
        return pd.DataFrame(rows)

    def predict(self, x: Any) -> Any:
        """Predict with all replicas.

        Parameters
        ----------
        x : array or nest of arrays
            As in ``keras.Model.predict``.

        Returns
        -------
        numpy.ndarray, shape (replicas, examples, …)
            Replicas in the order of the history; for a model of several outputs, a
            nest of such arrays.
        """
        x = tree.map_structure(lambda a: tf.constant(_array(a)), x)
        outputs = self._apply(lambda compiled, state: compiled.predict(state, x))
        return tree.map_structure(lambda *replicas: np.stack(replicas), *outputs)

    def _apply(self, function: Callable[[Program, dict], Any]) -> list[Any]:
        """Call `function` on each stack and sort its outputs by replica."""
        outputs: dict[int, Any] = {}
        for result in self._results:
            compiled = _program(result.group, result.plan, self._work)
            count = len(result.group.cells)
            for start in range(0, count, result.plan.replicas):
                stack = list(range(start, start + result.plan.replicas))
                state = tree.map_structure(tf.constant, result.group.take(stack))
                output = tree.map_structure(np.asarray, function(compiled, state))
                for i, member in enumerate(stack):
                    outputs[id(result.group.cells[member])] = tree.map_structure(
                        lambda a, i=i: a[i], output
                    )
        return [outputs[id(cell)] for cell in self._cells]

    def stopped(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        *,
        mode: str = "auto",
        min_delta: float = 0.0,
        baseline: float | None = None,
        start_from_epoch: int = 0,
        restore_best_weights: bool = True,
    ) -> pd.DataFrame:
        """Read off where early stopping would have stopped each replica.

        The history holds every epoch, so nothing is trained again:
        `keras.callbacks.EarlyStopping` itself goes through it.

        Parameters
        ----------
        monitor, patience, mode, min_delta, baseline, start_from_epoch
            As of `keras.callbacks.EarlyStopping`.
        restore_best_weights : bool
            Whether the scores are those of the best epoch up to the stop, or of the
            last one.

        Returns
        -------
        pandas.DataFrame
            Columns ``seed, stopped_epoch, best_epoch, metric, value`` (and ``variant``
            first, if there are several). Epochs count from 1; `stopped_epoch` is NA
            where training went on to its end. `value` is the score kept.

        Raises
        ------
        ValueError
            If `monitor` is not a metric of the history.
        """
        rows = []
        for cell in self._cells:
            result, i = self._place(cell)
            if monitor not in result.logs:
                raise ValueError(
                    f"monitor is {monitor!r}; the history has "
                    f"{', '.join(map(repr, result.logs))}."
                )
            direction = result.directions.get(monitor.removeprefix("val_"))
            callback = keras.callbacks.EarlyStopping(
                monitor,
                min_delta=min_delta,
                patience=patience,
                mode={"up": "max", "down": "min"}.get(direction, mode)
                if mode == "auto"
                else mode,
                baseline=baseline,
                start_from_epoch=start_from_epoch,
            )
            trainee = SimpleNamespace(stop_training=False)
            callback.set_model(trainee)
            callback.on_train_begin()
            values = np.where(_ok(result, i), result.logs[monitor][:, i], np.nan)
            for epoch, value in enumerate(values):
                callback.on_epoch_end(epoch, {monitor: float(value)})
                # the same comparison at a tenth of the time, without TensorFlow
                callback.monitor_op = _COMPARISONS.get(
                    callback.monitor_op, callback.monitor_op
                )
                if trainee.stop_training:
                    break
            kept = callback.best_epoch if restore_best_weights else epoch
            stop = callback.stopped_epoch + 1 if trainee.stop_training else pd.NA
            rows += [
                {
                    **self._labels(cell),
                    "stopped_epoch": stop,
                    "best_epoch": callback.best_epoch + 1,
                    "metric": name,
                    "value": float(log[kept, i]) if _ok(result, i)[kept] else np.nan,
                }
                for name, log in result.logs.items()
            ]
        return pd.DataFrame(rows).astype({"stopped_epoch": "Int64"})


def _ok(result: _Result, i: int) -> np.ndarray:
    """Tell for each epoch whether a replica had not diverged yet."""
    return np.logical_and.accumulate(result.finite[:, i])


# --------------------------------------------------------------------------------------
# Checks of what comes in
# --------------------------------------------------------------------------------------


def _check_seeds(seeds: int | Sequence[int]) -> list[int]:
    if _is_count(seeds):
        if seeds < 1:
            raise ValueError(f"seeds is {seeds}; at least one seed is needed.")
        return list(range(seeds))
    try:
        seeds = list(seeds)
    except TypeError:
        raise TypeError(
            f"seeds must be a number of seeds or a sequence of them, not {seeds!r}."
        ) from None
    if not seeds:
        raise ValueError("seeds is empty; at least one seed is needed.")
    for seed in seeds:
        if not _is_count(seed):
            raise TypeError(f"seeds has {seed!r}; a seed is a whole number.")
        if not 0 <= seed < 2**32:
            raise ValueError(f"seeds has {seed}; a seed is at least 0 and below 2**32.")
        if seeds.count(seed) > 1:
            raise ValueError(f"seeds has {seed} more than once.")
    return [int(seed) for seed in seeds]


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _check_count(name: str, value: Any) -> None:
    if not _is_count(value):
        raise TypeError(f"{name} must be a whole number, not {value!r}.")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1.")


def _check_model(model: Any, cell: Cell) -> None:
    of = "" if cell.variant is None else f" of variant {cell.variant!r}"
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"build{of} must return a compiled Keras model, not "
            f"{'None' if model is None else f'a {type(model).__name__}'}."
        )
    if not model.compiled or model.optimizer is None:
        raise ValueError(
            f"build{of} returned a model that is not compiled; call its compile() "
            "before returning it."
        )
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            f"build{of} returned a {type(model).__name__}, which has a train_step of "
            "its own; only Keras's own training step can be replicated."
        )
    for option in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        if getattr(model.optimizer, option, None):
            raise ValueError(
                f"build{of} returned a model whose optimizer has {option}, which "
                "cannot be replicated."
            )
    if not model.trainable_variables and model.built:
        raise ValueError(f"build{of} returned a model without trainable weights.")


def _check_labels(model: keras.Model, work: _Work) -> None:
    """Check the labels against the loss, where a model has one loss and one output."""
    loss = getattr(model.loss, "name", None) or getattr(
        model.loss, "__name__", model.loss
    )
    try:
        outputs = model.output_shape[-1]
        assert isinstance(outputs, int)
    except (AttributeError, AssertionError, TypeError, ValueError):
        return  # a subclassed model or several outputs: Keras's own checks must do
    names = {"val": "validation"}
    parts = {names.get(name, name): part for name, part in work.watched.items()}
    for name, part in {"training": work.train, **parts}.items():
        labels = part[1]
        if not isinstance(labels, np.ndarray):
            continue
        low, high = labels.min(), labels.max()
        if loss == "sparse_categorical_crossentropy":
            if low < 0 or high >= outputs or np.any(labels != np.round(labels)):
                raise ValueError(
                    f"the {name} labels run from {low} to {high}, but {loss} with "
                    f"{outputs} outputs takes whole numbers from 0 to {outputs - 1}."
                )
        elif loss in ("categorical_crossentropy", "kl_divergence"):
            if labels.shape[-1] != outputs or labels.ndim < 2:
                raise ValueError(
                    f"the {name} labels have shape {labels.shape}, but {loss} takes a "
                    f"column for each of the {outputs} outputs."
                )
        elif loss == "binary_crossentropy" and (low < 0 or high > 1):
            raise ValueError(
                f"the {name} labels run from {low} to {high}, but {loss} takes labels "
                "from 0 to 1."
            )
        if loss != "sparse_categorical_crossentropy":
            columns = labels.shape[-1] if labels.ndim > 1 else 1
            if columns != outputs:
                raise ValueError(
                    f"the {name} labels have shape {labels.shape}, but the network has "
                    f"{outputs} outputs."
                )


def _check_part(name: str, part: Any) -> tuple:
    """Turn ``(x, y)`` or ``(x, y, sample_weight)`` into arrays that fit together."""
    if not isinstance(part, (tuple, list)) or len(part) not in (2, 3):
        raise TypeError(f"data.{name} must be a pair (x, y) of arrays.")
    x, y = (tree.map_structure(_array, p) for p in part[:2])
    weight = part[2] if len(part) == 3 else None
    weight = None if weight is None else _array(weight)
    name = {"train": "training"}.get(name, name)
    lengths = {a.shape[0] if a.ndim else 0 for a in tree.flatten((x, y))}
    if len(lengths) > 1:
        raise ValueError(
            f"the {name} inputs and labels have different lengths: "
            f"{_length(x)} and {_length(y)}."
        )
    if lengths == {0}:
        raise ValueError(f"the {name} part has no examples.")
    for what, arrays in (("inputs", x), ("labels", y)):
        for array in tree.flatten(arrays):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"the {name} {what} have NaN or infinite values.")
    return x, y, weight


def _check_weights(training: tuple, class_weight: Any, sample_weight: Any) -> Any:
    x, y, own = training
    if sum(w is not None for w in (own, class_weight, sample_weight)) > 1:
        raise ValueError("give class_weight or sample_weight, not both.")
    if class_weight is not None:
        if not isinstance(class_weight, dict):
            raise TypeError(
                f"class_weight must be a dict of class to weight, not {class_weight!r}."
            )
        if len(tree.flatten(y)) > 1:
            raise ValueError("class_weight is for models of one output.")
        return class_weight_to_sample_weights(tree.flatten(y)[0], class_weight)
    if sample_weight is None:
        return own
    weight = _array(sample_weight)
    if weight.shape[:1] != (_length(x),) or not np.isfinite(weight).all():
        raise ValueError(
            f"sample_weight must hold one finite weight for each of the {_length(x)} "
            f"training examples; it has shape {weight.shape}."
        )
    return weight.astype(keras.config.floatx())


def _part(data: Any, name: str) -> tuple | None:
    part = getattr(data, name, None)
    return None if part is None else _check_part(name, part)


def _array(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"inputs and labels must be numbers, not {array.dtype}.")
    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def _length(x: Any) -> int:
    return tree.flatten(x)[0].shape[0]


def _head(a: Any) -> Any:
    return None if a is None else a[:2]


def _tensor(a: Any) -> Any:
    return None if a is None else tf.constant(a)


def _spec(a: Any) -> Any:
    return None if a is None else (a.shape, str(a.dtype))

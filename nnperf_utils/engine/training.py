"""The loop: each group's replicas trained epoch by epoch, as far as they get."""

from __future__ import annotations

import contextlib
import gc
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree
from tqdm import TqdmWarning

from nnperf_utils.engine import groups, numbers, program, starts
from nnperf_utils.engine import plan as plans
from nnperf_utils.engine.groups import Group
from nnperf_utils.engine.plan import Plan
from nnperf_utils.engine.program import Program
from nnperf_utils.engine.rates import Rates
from nnperf_utils.engine.work import Cell, Task, Work, example_order, head

with warnings.catch_warnings():
    # Where there are no widgets it draws its bars with letters, which is as good.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

_UPDATE = "update_ratio"  # what the instruments call the reading of an update
_PROBE_EXAMPLES = 256
_PROGRAMS_KEPT = 4  # a hundred megabytes each, or more
# Building and tracing share Keras's global state.
LOCK = threading.RLock()


@dataclass
class Result:
    """What training a group gave."""

    group: Group
    plan: Plan
    epochs: int  # finished
    logs: dict[str, np.ndarray]  # (epochs, replicas)
    finite: np.ndarray  # (epochs, replicas)
    directions: dict[str, str]  # of the metrics: "up" or "down" is better
    readings: list[tuple[int, list, np.ndarray]] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """Whether it was not interrupted."""
        return self.epochs == self.group.task.epochs

    def not_diverged(self, i: int) -> np.ndarray:
        """Tell for each epoch whether replica `i` had not diverged yet."""
        return np.logical_and.accumulate(self.finite[:, i])


def train_all(cells: list[Cell], work: Work, progress: bool) -> list[Result]:
    """Train all cells in this process.

    Interrupted, it returns what was finished, and warns; the groups that were not
    begun are not among the results.
    """
    with _no_garbage_collection():
        return _train_all(cells, work, progress)


def _train_all(cells: list[Cell], work: Work, progress: bool) -> list[Result]:
    def begin(group: Group) -> None:
        """Have XLA start on a graph while networks are built or trained."""
        with contextlib.suppress(program.CannotTrace):
            program_of(group, plans.choose(group, work.record, work.jit_compile))

    with LOCK:
        found = groups.grouped(cells, work, begin)
    total = sum(group.task.epochs for group in found)
    bar = tqdm(total=total, unit="epoch", disable=not progress)
    results: list[Result] = []
    with bar:
        for position, group in enumerate(found):
            for upcoming in found[position : position + 2]:
                begin(upcoming)
            result = _train_group(group, work, bar)
            results.append(result)
            if not result.is_finished:
                break
    with LOCK:
        _forget_opaque_programs()
    done = sum(result.epochs for result in results)
    if done < total:
        results = [result for result in results if result.epochs]
        if not results:
            raise KeyboardInterrupt("interrupted before an epoch was finished.")
        warnings.warn(
            f"interrupted after {done} of {total} epochs; the result holds what "
            "was finished.",
            UserWarning,
            stacklevel=6,
        )
    return results


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


# --------------------------------------------------------------------------------------
# Data and programs
# --------------------------------------------------------------------------------------


def stacked(tasks: Sequence[Task], part: Callable[[Task], Any]) -> Any:
    """Put a part of all data sets one below the other, as tensors.

    Parameters
    ----------
    tasks : sequence of Task
        Of one form.
    part : callable
        Takes a task and returns nested arrays, None among them.
    """
    parts = [part(task) for task in tasks]
    if len(parts) == 1:
        return tree.map_structure(_tensor, parts[0])
    return tree.map_structure(
        lambda *arrays: (
            None if arrays[0] is None else tf.constant(np.concatenate(arrays))
        ),
        *parts,
    )


def _data(tasks: Sequence[Task]) -> tuple:
    """Return what a program is trained on, and what it is scored on."""
    return stacked(tasks, lambda t: t.train), stacked(tasks, lambda t: dict(t.watched))


def _probe(task: Task, record: Sequence[str]) -> tuple:
    """Return what is read: a few examples, or all, if it is about single units.

    Only a unit that is off for all of them gets no gradient from any batch.
    """
    most = None if "units" in record else _PROBE_EXAMPLES
    return tree.map_structure(lambda a: None if a is None else a[:most], task.train)


def _tensor(a: Any) -> Any:
    return None if a is None else tf.constant(a)


_programs: dict[Any, Program] = {}


def program_of(group: Group, plan: Plan, *, train: bool = True) -> Program:
    """Find or make the program of a group, and complete the group's state for it.

    The latest few are kept, for later calls. One that is to score trained networks
    alone need not be ready to `train`.
    """
    key = (group.key, plan, group.task.form)
    with LOCK:
        found = _programs.pop(key, None)
        is_new = found is None
        if is_new:
            batch = head(group.task.train)
            model = group.model
            if model is None:
                with starts.preserved_random_state():
                    first = group.cells[0]
                    model = starts.build_model(first.build, first.seed)
                    groups.complete(model, batch)
            all_numbers = numbers.find_numbers(model)
            varying = [all_numbers[i] for i in group.varying]
            found = Program(model, varying, batch, plan)
        group.model = None
        _programs[key] = found
        while len(_programs) > _PROGRAMS_KEPT:
            del _programs[next(iter(_programs))]
    own = group.state["optimizer"]
    for fresh in found.fresh_optimizer[len(own) :]:
        # A slot that the optimizer makes only when it sees the weights.
        own.append(np.repeat(fresh[None], len(group.cells), axis=0))
    if is_new and train:
        state = tree.map_structure(
            lambda a: tf.zeros((plan.replicas, *a.shape[1:]), a.dtype), group.state
        )
        found.begin(state, *_data(group.tasks))
    return found


def _forget_opaque_programs() -> None:
    """Drop the programs of networks whose configuration does not tell all.

    The same function may build another one next time.
    """
    for key in [key for key in _programs if not isinstance(key[0][0], str)]:
        del _programs[key]


# --------------------------------------------------------------------------------------
# One group
# --------------------------------------------------------------------------------------


def _train_group(group: Group, work: Work, bar: tqdm) -> Result:
    start = bar.n
    chosen = plans.choose(group, work.record, work.jit_compile)
    while True:
        size = chosen.replicas
        stacks = [list(range(i, i + size)) for i in range(0, len(group.cells), size)]
        try:
            return _run_stacks(group, stacks, chosen, bar)
        except program.CannotTrace as failure:
            bar.update(start - bar.n)
            reason = failure.__cause__ or failure
            chosen = plans.next_best(chosen, reason, work.jit_compile is True)


def _run_stacks(group: Group, stacks: list[list[int]], plan: Plan, bar: tqdm) -> Result:
    compiled = program_of(group, plan)
    data, watched = _data(group.tasks)
    probe = None
    if plan.record:
        probe = stacked(group.tasks, lambda task: _probe(task, plan.record))
    states = [tree.map_structure(tf.constant, group.take(s)) for s in stacks]
    result = Result(
        group, plan, 0, {}, np.ones((0, len(group.cells)), bool), compiled.directions
    )
    logs: list[dict[str, np.ndarray]] = []
    finite: list[np.ndarray] = []
    rates = Rates(group.cells, compiled.directions)

    def read(epoch: int, befores: list) -> None:
        if plan.record:
            parts = [
                np.stack([r.numpy() for r in compiled.read(s, b, probe)])
                for s, b in zip(states, befores, strict=True)
            ]
            names, values = compiled.reading_names, np.concatenate(parts, axis=1)
            if epoch == 0:  # no step yet, so no update
                kept = [i for i, name in enumerate(names) if name[1] != _UPDATE]
                names, values = [names[i] for i in kept], values[kept]
            result.readings.append((epoch, names, values))

    try:
        if plan.record != ("updates",):
            # Of the same form as later, so that one graph reads them all.
            updates = "updates" in plan.record
            read(0, [state["trainable"] if updates else [] for state in states])
        while not result.is_finished:
            count = min(plan.chunk, group.task.epochs - result.epochs)
            if rates:
                trained_at = rates.before_epoch(result.epochs, _rates(group, states))
                states = _with_rates(group, states, stacks, trained_at)
            after, befores, parts = [], [], []
            for stack, state in zip(stacks, states, strict=True):
                orders = _orders(group, stack, plan, result.epochs + 1, count)
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
            if rates:
                scores = {k: v[0] for k, v in logs[-1].items()}
                reduced = rates.after_epoch(result.epochs, trained_at, scores)
                states = _with_rates(group, states, stacks, reduced)
                logs[-1]["learning_rate"] = trained_at[None]
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
    group.state.pop("targets", None)
    return result


def _rates(group: Group, states: list[dict]) -> np.ndarray:
    """Return the learning rate of each replica."""
    place = group.learning_rate
    return np.concatenate([state["optimizer"][place].numpy() for state in states])


def _with_rates(
    group: Group, states: list[dict], stacks: list[list[int]], rates: np.ndarray
) -> list[dict]:
    """Return the states with other learning rates."""
    found = []
    for state, stack in zip(states, stacks, strict=True):
        optimizer = list(state["optimizer"])
        optimizer[group.learning_rate] = tf.constant(rates[stack])
        found.append({**state, "optimizer": optimizer})
    return found


def _orders(
    group: Group, stack: list[int], plan: Plan, epoch: int, count: int
) -> np.ndarray:
    """Return the rows that each replica sees, in their order, for some epochs.

    Where there are several data sets, they are the rows of all of them together.

    Returns
    -------
    numpy.ndarray of int32, shape (chunk, replicas, examples)
    """
    n = plan.examples
    orders = np.zeros((plan.chunk, len(stack), n), np.int32)
    cells = [group.cells[member] for member in stack]
    if plan.batch_size < n:
        for e in range(count):
            own = {
                seed: example_order(seed, epoch + e, n)
                for seed in {cell.seed for cell in cells}
            }
            orders[e] = [own[cell.seed] for cell in cells]
    if plan.batch_size == n:  # one batch that holds them all, in any order
        orders[:] = np.arange(n, dtype=np.int32)
    if plan.tasks > 1:
        orders += n * group.state["data"][0][stack][None, :, None]
    return orders

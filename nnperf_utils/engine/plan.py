"""How to train a group: with XLA or without, how much in one call of the graph."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace

from nnperf_utils.engine.groups import Group

_XLA_PAYS_AFTER_STEPS = 300
_SPLIT_UP_TO_EPOCHS = 300  # beyond, compiling all in one graph costs less than calls
# Examples, times replicas, after which a training comes back to Python: small networks
# take a fraction of a second for so many, large ones a second or two.
_SOON = 200_000
_ORDER_BYTES = 2**25


@dataclass(frozen=True)
class Plan:
    """What a program is compiled for, beside the model."""

    replicas: int
    examples: int  # of one data set
    tasks: int  # data sets
    batch_size: int
    chunk: int  # epochs in one call
    record: tuple[str, ...] = ()
    jit_compile: bool = True
    split: bool = False  # XLA for the full batches alone; one epoch in a call
    mode: str = "vectorized"  # or "loops" for what cannot be, or "single" replicas


def choose(group: Group, record: tuple[str, ...], jit_compile: bool | str) -> Plan:
    """Choose how to train a group."""
    task = group.task
    steps = task.epochs * -(-task.examples // task.batch_size)
    # A replica alone need not be vectorized, which takes a while. But XLA left to
    # itself draws other numbers than TensorFlow, and with it `fit`.
    is_alone, draws = len(group.cells) == 1, group.draws_in_training
    if jit_compile == "auto":
        against = group.layers_against_xla or (is_alone and draws)
        jit_compile = not against and steps > _XLA_PAYS_AFTER_STEPS
    split = (
        bool(jit_compile)
        and task.examples % task.batch_size > 0
        and task.epochs <= _SPLIT_UP_TO_EPOCHS
    )
    # what is read or set between epochs needs a call for each of them
    each_epoch = bool(record) or split or any(cell.callback for cell in group.cells)
    chunk = 1
    if not each_epoch:
        seen = len(group.cells) * task.examples  # by all replicas in an epoch
        wanted = max(task.epochs // 20, _SOON // seen)
        chunk = max(1, min(task.epochs, wanted, _ORDER_BYTES // (4 * seen)))
    return Plan(
        replicas=len(group.cells),
        examples=task.examples,
        tasks=len(group.tasks),
        batch_size=task.batch_size,
        chunk=chunk,
        record=record,
        jit_compile=bool(jit_compile),
        split=split,
        mode="single" if is_alone and not (jit_compile and draws) else "vectorized",
    )


def next_best(plan: Plan, reason: BaseException, xla_is_asked_for: bool) -> Plan:
    """Choose how to train where TensorFlow could not follow a plan.

    Parameters
    ----------
    plan : Plan
        What failed.
    reason : Exception
        Why; raised where there is nothing else to try.
    xla_is_asked_for : bool
        Whether the caller insists on XLA.
    """
    if plan.jit_compile:
        if xla_is_asked_for:
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


def _culprit(reason: BaseException) -> str | None:
    """Name the operation, and with it the layer, that has no vectorized form."""
    pattern = r'loop_body/(?P<path>[^"]+)"\s+op: "(?P<operation>\w+)"'
    found = re.search(pattern, str(reason))
    if not found:
        return None
    layer = found["path"].rsplit("/", 1)[0]
    return f"operation {found['operation']} in {layer!r}"

"""The same training in other processes, or on other machines."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import cloudpickle

from nnperf_utils.engine import groups
from nnperf_utils.engine.training import LOCK, Result, tqdm, train_all
from nnperf_utils.engine.work import Cell, Work

RETRIES = 2  # of a block whose worker was lost


@dataclass(frozen=True)
class _Failure:
    """What went wrong in a worker that is well."""

    error: str


def check_executor(executor: Any) -> None:
    """Refuse what is no executor; None is allowed."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(
            "executor must be a concurrent.futures.Executor, with a method submit, not "
            f"{executor!r}."
        )


def train_elsewhere(
    cells: list[Cell], work: Work, progress: bool, executor: Executor
) -> list[Result]:
    """Train a block of cells in each of an executor's workers.

    A block whose worker was lost is given to the executor again, at most twice, and a
    warning says so: at least once in all, and counted once. Blocks that were lost for
    good are named in a warning; the results hold the others.
    """
    # One network of each kind is built here, so that what is wrong with it shows
    # here and at once.
    first = {(c.variant, c.point, work.tasks[c.task].form): c for c in reversed(cells)}
    with LOCK:
        groups.grouped(list(first.values()), work)
    size = -(-len(cells) // min(len(cells), _workers(executor)))
    blocks = [cells[i : i + size] for i in range(0, len(cells), size)]
    attempts = [0] * len(blocks)

    def submit(position: int) -> Future:
        payload = cloudpickle.dumps((blocks[position], work))
        # No two calls are equal: dask remembers how an equal one has ended.
        return executor.submit(_train_block, payload, uuid4().hex)

    pending = {submit(position): position for position in range(len(blocks))}
    results: dict[int, list[Result]] = {}
    lost: list[str] = []
    bar = tqdm(total=len(blocks), unit="block", disable=not progress)
    with bar:
        try:
            while pending:
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    position = pending.pop(future)
                    block = blocks[position]
                    try:
                        outcome = future.result()
                    except (TypeError, ValueError):
                        raise  # the worker is well; the input is not
                    except Exception as error:
                        reason = f"{type(error).__name__}: {error}"
                        if attempts[position] < RETRIES:
                            attempts[position] += 1
                            with contextlib.suppress(RuntimeError):  # no worker left
                                pending[submit(position)] = position
                                _say_again(block, error, attempts[position])
                                continue
                    else:
                        if not isinstance(outcome, _Failure):
                            results[position] = _at_home(outcome, block, work)
                            bar.update()
                            continue
                        reason = outcome.error
                    lost.append(f"{_described(block)} ({reason})")
        except KeyboardInterrupt:
            lost.append("interrupted")
        finally:  # where all went well nothing is pending
            for future in pending:
                future.cancel()
    if not results:
        raise RuntimeError(
            f"no block of replicas was finished; lost: {'; '.join(lost)}"
        )
    if lost:
        warnings.warn(
            f"lost {'; '.join(lost)}. The result holds the other replicas.",
            UserWarning,
            stacklevel=4,
        )
    return [result for position in sorted(results) for result in results[position]]


def _train_block(
    payload: bytes, call: str
) -> tuple[list[Result], list[list[int]]] | _Failure:
    """Train a block of cells in a worker.

    Parameters
    ----------
    payload : bytes
        Cells and work, pickled.
    call : str
        Another one for each call.

    Returns
    -------
    results : list of Result
        Without cells, data and models, which need not travel.
    members : list of list of int
        For each result the places of its cells in the block.
    """
    try:
        cells, work = cloudpickle.loads(payload)
        results = train_all(cells, work, progress=False)
    except (TypeError, ValueError):
        raise
    except Exception as error:
        # As a value: what is raised is a worker that was lost.
        return _Failure(f"{type(error).__name__}: {error}")
    place = {id(cell): position for position, cell in enumerate(cells)}
    members = [[place[id(c)] for c in result.group.cells] for result in results]
    for result in results:
        result.group.model = None
        result.group.cells, result.group.tasks = [], []
    return results, members


def _at_home(
    outcome: tuple[list[Result], list[list[int]]], block: list[Cell], work: Work
) -> list[Result]:
    """Give results from a worker this process's own cells and data.

    Cells are told apart by identity, which pickling does not keep.
    """
    found, members = outcome
    for result, places in zip(found, members, strict=True):
        own = result.group.cells = [block[place] for place in places]
        used = dict.fromkeys(cell.task for cell in own)
        result.group.tasks = [work.tasks[task] for task in used]
    return found


def _say_again(block: Sequence[Cell], error: Exception, attempt: int) -> None:
    warnings.warn(
        f"lost {_described(block)} with its worker ({type(error).__name__}). It is "
        f"trained again: attempt {attempt + 1} of {RETRIES + 1}.",
        UserWarning,
        stacklevel=5,
    )


def _workers(executor: Executor) -> int:
    """Count the workers of an executor, as far as it tells."""
    client = getattr(executor, "_client", None)
    if client is not None:  # dask.distributed
        return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    return max(1, getattr(executor, "_max_workers", None) or os.cpu_count() or 1)


def _described(block: Sequence[Cell]) -> str:
    variants = list(dict.fromkeys(c.variant for c in block if c.variant is not None))
    seeds = list(dict.fromkeys(c.seed for c in block))
    names = f"variants {', '.join(variants)}, " if variants else ""
    return f"the block of {names}seeds {', '.join(map(str, seeds))}"

"""The same training in other processes, or on other machines."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor, as_completed
from typing import Any

import cloudpickle

from nnperf_utils.engine import groups
from nnperf_utils.engine.training import LOCK, Result, tqdm, train_all
from nnperf_utils.engine.work import Cell, Work


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

    Blocks that were lost are named in a warning; the results hold the others.
    """
    # One network of each kind is built here, so that what is wrong with it shows
    # here and at once.
    first = {(c.variant, c.point, work.tasks[c.task].form): c for c in reversed(cells)}
    with LOCK:
        groups.grouped(list(first.values()), work)
    size = -(-len(cells) // min(len(cells), _workers(executor)))
    blocks = [cells[i : i + size] for i in range(0, len(cells), size)]
    futures = {
        executor.submit(_train_block, cloudpickle.dumps((block, work))): position
        for position, block in enumerate(blocks)
    }
    results: dict[int, list[Result]] = {}
    lost: list[str] = []
    bar = tqdm(total=len(blocks), unit="block", disable=not progress)
    with bar:
        try:
            for future in as_completed(futures):
                position = futures[future]
                block = blocks[position]
                try:
                    found, members = future.result()
                except (TypeError, ValueError):
                    raise  # the worker is well; the input is not
                except Exception as error:
                    lost.append(
                        f"{_described(block)} ({type(error).__name__}: {error})"
                    )
                    continue
                # Cells are told apart by identity, which pickling does not keep.
                for result, places in zip(found, members, strict=True):
                    own = result.group.cells = [block[place] for place in places]
                    used = dict.fromkeys(cell.task for cell in own)
                    result.group.tasks = [work.tasks[task] for task in used]
                results[position] = found
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
            stacklevel=4,
        )
    return [result for position in sorted(results) for result in results[position]]


def _train_block(payload: bytes) -> tuple[list[Result], list[list[int]]]:
    """Train a block of cells in a worker.

    Returns
    -------
    results : list of Result
        Without cells, data and models, which need not travel.
    members : list of list of int
        For each result the places of its cells in the block.
    """
    cells, work = cloudpickle.loads(payload)
    results = train_all(cells, work, progress=False)
    place = {id(cell): position for position, cell in enumerate(cells)}
    members = [[place[id(c)] for c in result.group.cells] for result in results]
    for result in results:
        result.group.model = None
        result.group.cells, result.group.tasks = [], []
    return results, members


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

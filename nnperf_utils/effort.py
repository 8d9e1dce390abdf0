"""What a piece of work takes: processor time and seconds in turns, and memory.

Unlike :mod:`~nnperf_utils.costs`, which times compiled functions of tensors, this
times whatever can be called, ``fit`` for instance. Processor time counts what the
threads of this process have worked, and not what it had to wait for others: on a busy
machine it is the steadier clock.
"""

from __future__ import annotations

import ctypes
import gc
import math
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["in_turns", "peak_memory", "processor", "step_bytes", "step_memory"]

_CLOCKS: dict[str, Callable[[], float]] = {
    "processor": process_time,
    "wall": perf_counter,
}


def in_turns(
    works: Mapping[str, Callable[[], Any]], *, repetitions: int = 20, calls: int = 1
) -> pd.DataFrame:
    """Time works in turns, so that whatever else the machine does slows them all.

    Each is called once before, which compiles what there is to compile. From one
    repetition to the next the work that begins moves on by one.

    Parameters
    ----------
    works : mapping of str to callable
        Without arguments. What they return is dropped; it must be there when they
        return, not only promised.
    repetitions : int
        How often all of them are timed.
    calls : int
        Calls in each repetition, of which the shortest counts.

    Returns
    -------
    pandas.DataFrame
        Seconds a call, a row for each repetition (``seed``), and columns by clock,
        ``"processor"`` or ``"wall"``, and work: ``times["wall"]["fit"]``. What the
        calls before took is in ``times.attrs["first"]``, by clock and work.

    Raises
    ------
    ValueError
        Without works, or with less than one repetition or call.
    """
    if not works:
        raise ValueError("works is empty; expected at least one to time.")
    for name, value in {"repetitions": repetitions, "calls": calls}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}.")
    names, rows = [*works], []
    first = {clock: {} for clock in _CLOCKS}
    for name, work in works.items():
        begin = [clock() for clock in _CLOCKS.values()]
        work()
        end = [clock() for clock in _CLOCKS.values()]
        for clock, one, other in zip(_CLOCKS, begin, end, strict=True):
            first[clock][name] = other - one
    was_enabled = gc.isenabled()
    gc.disable()  # a collection would be charged to whoever is running
    try:
        for repetition in range(repetitions):
            at = repetition % len(names)
            row = dict.fromkeys(((c, n) for c in _CLOCKS for n in names), float("inf"))
            for name in (names[at:] + names[:at]) * calls:
                begin = [clock() for clock in _CLOCKS.values()]
                works[name]()
                end = [clock() for clock in _CLOCKS.values()]
                for clock, one, other in zip(_CLOCKS, begin, end, strict=True):
                    row[clock, name] = min(row[clock, name], other - one)
            rows.append(row)
    finally:
        if was_enabled:
            gc.enable()
    times = pd.DataFrame(rows, index=pd.RangeIndex(repetitions, name="seed"))
    times.columns = pd.MultiIndex.from_tuples(times.columns, names=["clock", "work"])
    times.attrs["first"] = first
    return times


def peak_memory(work: Callable[[], Any], folder: Path = Path("/proc/self")) -> float:
    """Return how many bytes a work holds at its peak beyond what there was before.

    Parameters
    ----------
    work : callable
        Without arguments.
    folder : pathlib.Path
        Where the system tells of this process.

    Returns
    -------
    float
        Of the process's resident memory, as Linux counts it; NaN on other systems.
    """
    clear, status = folder / "clear_refs", folder / "status"
    try:
        _trim()
        clear.write_text("5")  # the peak is what there is now
        before = _status_bytes(status, "VmRSS")
        work()
        return float(_status_bytes(status, "VmHWM") - before)
    except OSError:
        return float("nan")


def step_memory(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    batch_sizes: Sequence[int],
    repetitions: int = 20,
    folder: Path = Path("/proc/self"),
) -> pd.DataFrame:
    """Return the peak memory of training steps at several batch sizes, in turns.

    Parameters
    ----------
    model : keras.Model
        Compiled. Its weights change.
    x, y : numpy.ndarray
        At least as many examples as the largest batch.
    batch_sizes : sequence of int
    repetitions : int
    folder : pathlib.Path
        As in :func:`peak_memory`. Where the system does not tell, a line says so, and
        all rows have :func:`step_bytes` instead.

    Returns
    -------
    pandas.DataFrame
        Bytes, a row for each repetition (``seed``) and a column for each size.
    """
    index = pd.RangeIndex(repetitions, name="seed")
    if math.isnan(peak_memory(lambda: None, folder)):
        print("This system does not tell a peak of memory: it is computed instead.")
        computed = {size: step_bytes(model, size) for size in batch_sizes}
        return pd.DataFrame(computed, index=index)

    def step(size: int) -> None:
        model.train_on_batch(x[:size], y[:size])

    for size in batch_sizes:
        step(size)  # compiles
    rows = [
        {
            size: peak_memory(lambda size=size: step(size), folder)
            for size in batch_sizes
        }
        for _ in index
    ]
    return pd.DataFrame(rows, index=index)


def step_bytes(model: Any, batch_size: int) -> float:
    """Return how many bytes a step must hold at least, in float32.

    The outputs of all layers, which the way back needs, and a gradient for each weight.

    Parameters
    ----------
    model : keras.Model
    batch_size : int
    """
    outputs = sum(math.prod(layer.output.shape[1:]) for layer in model.layers)
    weights = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return 4.0 * (batch_size * outputs + weights)


def processor(cpu_info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the processor, and how it computes 16-bit numbers.

    Parameters
    ----------
    cpu_info : pathlib.Path
        Where Linux describes it.

    Returns
    -------
    str
        Such as ``"AMD EPYC (family 25, model 17), with avx512_bf16"``; less on other
        systems.
    """
    try:
        text = cpu_info.read_text()
    except OSError:
        return platform.processor() or platform.machine()

    def first(key: str) -> str:
        found = re.search(rf"^{key}\s*: (.*)$", text, re.MULTILINE)
        return found[1].strip() if found else ""

    flags = set(first("flags").split())
    extra = [one for one in ("avx512_bf16", "amx_bf16", "avx512_fp16") if one in flags]
    name = first("model name") or platform.machine()
    if first("cpu family"):
        name += f" (family {first('cpu family')}, model {first('model')})"
    return f"{name}, with {' and '.join(extra) or 'no instructions for bfloat16'}"


def _trim() -> None:
    """Give freed memory back to the system, where its library can."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def _status_bytes(status: Path, key: str) -> int:
    found = re.search(rf"^{key}:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
    if not found:
        raise OSError(f"{status} does not tell {key}.")
    return 1024 * int(found[1])

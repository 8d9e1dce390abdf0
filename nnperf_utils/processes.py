"""Several processes on this machine that work as one, and average arrays.

Each is a Python of its own, started anew: TensorFlow does not survive a fork. They
share a piece of memory and no port. They end with :meth:`Processes.stop`, with the
first failure in one of them, and with the process that has started them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing import connection, shared_memory
from typing import Any

import cloudpickle
import numpy as np

__all__ = ["ONE_THREAD", "Group", "Processes", "alone", "free_ports"]

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
"""Settings with which TensorFlow computes on one core a process."""

_PATIENCE = 60  # seconds to wait for the others in one exchange


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback device that are free at the moment."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            found.append(one.getsockname()[1])
    return found


class Group:
    """What a process knows of the others.

    Attributes
    ----------
    rank : int
        Its place among them, from 0.
    count : int
        How many there are.
    """

    def __init__(self, rank: int, count: int, memory: np.ndarray, barrier: Any):
        self.rank, self.count = rank, count
        self._memory, self._barrier = memory, barrier

    def wait(self) -> None:
        """Wait until all are here."""
        self._barrier.wait(_PATIENCE)

    def average(self, array: np.ndarray) -> np.ndarray:
        """Return the average of all processes' arrays, the same in each, bit for bit.

        Parameters
        ----------
        array : numpy.ndarray of float32
            As large in each of them, and no larger than `Processes` was told.

        Returns
        -------
        numpy.ndarray, of the same shape
        """
        if array.size > self._memory.shape[1]:
            raise ValueError(
                f"array has {array.size:,} numbers; Processes was told of "
                f"{self._memory.shape[1]:,} at most."
            )
        rows = self._memory[:, : array.size]
        rows[self.rank] = array.ravel()
        self.wait()
        mean = rows.mean(axis=0)
        self.wait()  # nobody writes before all have read
        return mean.reshape(array.shape)


def alone() -> Group:
    """Return the group of a process that has no others: it averages with nobody."""
    group = Group(0, 1, np.empty((1, 0), np.float32), None)
    group.average = lambda array: array  # type: ignore[method-assign]
    group.wait = lambda: None  # type: ignore[method-assign]
    return group


class Processes:
    """Processes that wait for work.

    Parameters
    ----------
    count : int
        How many.
    numbers : int
        The largest array that they average.
    environment : mapping of str to str
        What is set in their environment.

    Raises
    ------
    ValueError
        For less than one process.

    Examples
    --------
    >>> with Processes(2) as two:  # doctest: +SKIP
    ...     two.run(lambda group: group.rank)
    [0, 1]
    """

    def __init__(
        self,
        count: int = 2,
        *,
        numbers: int = 1_000_000,
        environment: Mapping[str, str] = ONE_THREAD,
    ):
        if count < 1:
            raise ValueError(f"count must be at least 1; got {count}.")
        context = multiprocessing.get_context("spawn")
        # kept, for without the object the others could not open it
        self._barrier = context.Barrier(count)
        shape = (count, max(numbers, 1))
        memory = shared_memory.SharedMemory(create=True, size=4 * count * shape[1])
        self._members: list[tuple[Any, connection.Connection]] = []
        # also where nobody calls stop: with the object, or at the end of the program
        self.stop = weakref.finalize(self, _stop, self._members, memory)
        try:
            for rank in range(count):
                end, other = context.Pipe()
                arguments = (rank, shape, memory.name, self._barrier, other)
                process = context.Process(target=_serve, args=arguments, daemon=True)
                with _environment(environment):
                    process.start()
                other.close()  # so that it ends with the process
                self._members.append((process, end))
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Processes:
        """Return them."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop them."""
        self.stop()

    def run(
        self, function: Callable[..., Any], *arguments: Any, timeout: float = 300
    ) -> list[Any]:
        """Call a function in all processes at once and return what each returned.

        Parameters
        ----------
        function : callable
            Gets a `Group` and the arguments. It may be one of a notebook's own; what
            it uses is sent along.
        *arguments
            The same for all.
        timeout : float
            Seconds after which all are stopped. In an exchange none waits for the
            others for more than 60 seconds.

        Returns
        -------
        list
            By rank.

        Raises
        ------
        RuntimeError
            If the function raised in one of them, if one has died, or if they are
            stopped already.
        TimeoutError
            If they are not done in time.
        """
        if not self.stop.alive:
            raise RuntimeError("these processes are stopped; start others.")
        work = cloudpickle.dumps((function, arguments))
        try:
            for rank, (_, end) in enumerate(self._members):
                try:
                    end.send_bytes(work)
                except OSError:
                    raise _died(self._members, rank) from None
            return _results(self._members, timeout)
        except BaseException:
            self.stop()
            raise


def _stop(
    members: list[tuple[Any, connection.Connection]],
    memory: shared_memory.SharedMemory,
) -> None:
    """End all processes and give the memory back."""
    for process, end in members:
        process.kill()
        process.join()
        process.close()
        end.close()
    memory.close()
    memory.unlink()


def _serve(
    rank: int,
    shape: tuple[int, int],
    name: str,
    barrier: Any,
    end: connection.Connection,
) -> None:
    """Do a process's part of each work, and send what comes of it."""
    # an interrupt of a notebook reaches all processes that it has started
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the parent owns the memory and takes it away; spawned children share its tracker
    memory = shared_memory.SharedMemory(name=name)
    rows = np.ndarray(shape, np.float32, buffer=memory.buf)
    group = Group(rank, shape[0], rows, barrier)
    while True:
        try:
            work = end.recv_bytes()
        except EOFError:  # the parent is gone
            return
        try:
            function, arguments = cloudpickle.loads(work)
            answer = cloudpickle.dumps((True, function(group, *arguments)))
        except BaseException:
            answer = cloudpickle.dumps((False, traceback.format_exc()))
            barrier.abort()  # nobody waits for it
        end.send_bytes(answer)


def _died(members: list[tuple[Any, connection.Connection]], rank: int) -> RuntimeError:
    """Return an error that says with which code a process has died."""
    process = members[rank][0]
    process.join()
    return RuntimeError(
        f"process {rank} of {len(members)} has died with code {process.exitcode}; "
        "all are stopped."
    )


def _results(
    members: list[tuple[Any, connection.Connection]], timeout: float
) -> list[Any]:
    """Return the results by rank, as soon as all are there."""
    ranks = {end: rank for rank, (_, end) in enumerate(members)}
    results: dict[int, Any] = {}
    failed: list[str] = []
    deadline = time.monotonic() + timeout
    while len(results) < len(members):
        waiting = [end for end, rank in ranks.items() if rank not in results]
        ready = connection.wait(waiting, max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError(
                f"{len(waiting)} of {len(members)} processes were not done after "
                f"{timeout:g} seconds; all are stopped."
            )
        for end in ready:
            rank = ranks[end]
            try:
                is_well, results[rank] = cloudpickle.loads(end.recv_bytes())
            except (EOFError, ConnectionError):
                raise _died(members, rank) from None
            if not is_well:
                failed.append(results[rank])
        # one that only waited for another says less than that one
        told = [one for one in failed if "BrokenBarrierError" not in one]
        if told or (failed and len(results) == len(members)):
            raise RuntimeError(f"in a process: {(told or failed)[0].strip()}")
    return [results[rank] for rank in range(len(members))]


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables as long as the context lasts."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

"""Processes that work for a notebook, and end with it, whatever happens.

A worker runs a function of the notebook in a process of its own. It can be killed and
frozen, as an accident would. None outlives the notebook: they are stopped by
:meth:`Crew.stop`, at the end of a ``with`` block, or when the notebook's process ends,
even if that was killed. An interrupt (SIGINT) reaches the notebook alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import connection
from pathlib import Path
from typing import Any, TypeVar

import cloudpickle

__all__ = ["Crew", "cluster", "killing", "lacks", "prepare", "wait_for"]

_Found = TypeVar("_Found")
# On Linux a server imports Keras once and forks a worker in no time; TensorFlow has
# computed nothing by then, and survives that. Elsewhere each worker starts afresh.
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
_PRELOADED = ["keras_tuner", "optuna.storages", "sqlalchemy"]
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}


def prepare() -> None:
    """Have Keras imported for workers to come, while the notebook goes on."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if _METHOD == "forkserver":
        from multiprocessing import forkserver

        forkserver.set_forkserver_preload(_PRELOADED)
        forkserver.ensure_running()


def wait_for(
    condition: Callable[[], _Found],
    what: str,
    limit: float = 300.0,
    pause: float = 0.05,
) -> _Found:
    """Wait until a condition is true.

    Parameters
    ----------
    condition : callable
        Its result is returned as soon as it is true.
    what : str
        What is waited for, for the message.
    limit : float
        Seconds. It is for a machine that hangs, and has nothing to do with how fast a
        healthy one is.
    pause : float
        Seconds between two looks.

    Raises
    ------
    TimeoutError
        After `limit` seconds.
    """
    end = time.monotonic() + limit
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"waited {limit:g} s for {what}, in vain.")
        time.sleep(pause)


def lacks(library: str, what: str) -> bool:
    """Tell whether a library is missing, and say in a line what is left out then."""
    if importlib.util.find_spec(library) is not None:
        return False
    print(f"{library} is not installed: {what} is left out.")
    return True


@contextmanager
def cluster(workers: int = 2) -> Iterator[Any]:
    """Run a ``dask.distributed`` cluster on this machine, and end it with the block.

    Parameters
    ----------
    workers : int
        Processes, with one thread each.

    Yields
    ------
    distributed.Client
        What ``Client("tcp://host:8786")`` is for a cluster of several machines. A task
        whose worker dies is given back at once (``allowed-failures`` is 0), so that
        whoever has asked for it knows; by itself dask would try it three times more.
    """
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.multiprocessing-method": _METHOD,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.CRITICAL + 1,
        ) as made,
        Client(made) as client,
    ):
        yield client


@contextmanager
def killing(folder: Path, limit: float = 300.0) -> Iterator[list[int]]:
    """Kill the first process that leaves its number in a folder, meanwhile.

    Parameters
    ----------
    folder : path
        A process says ``(folder / str(os.getpid())).touch()``.
    limit : float
        Seconds to wait for it.

    Yields
    ------
    list of int
        Holds the number of the process once it is killed.
    """
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        end = time.monotonic() + limit
        while not over.is_set() and time.monotonic() < end:
            found = [int(path.name) for path in folder.iterdir()]
            if found and found[0] != os.getpid():
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


class Crew:
    """Workers by name, each a process that runs a function.

    Examples
    --------
    >>> with Crew() as crew:  # doctest: +SKIP
    ...     crew.start("a", work, url)
    ...     crew.kill("a")
    """

    def __init__(self) -> None:
        self._processes: dict[str, Any] = {}
        self._watchers: dict[str, subprocess.Popen] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="crew-")
        self.stop = weakref.finalize(
            self, _stop, self._processes, self._watchers, self._folder
        )

    def __enter__(self) -> Crew:
        """Begin a block at whose end all are stopped."""
        return self

    def __exit__(self, *_: Any) -> None:
        """Stop all."""
        self.stop()

    @property
    def names(self) -> list[str]:
        """The workers in the order of their starts."""
        return list(self._processes)

    def start(
        self,
        name: str,
        function: Callable[..., Any],
        *arguments: Any,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a function in a new process.

        Parameters
        ----------
        name : str
        function : callable
            May be one of the notebook's: it travels with what it uses.
        *arguments
            For the function.
        environment : mapping of str to str, optional
            Environment variables of the process.
        """
        if self.is_alive(name):
            raise ValueError(f"worker {name!r} is still running.")
        process = multiprocessing.get_context(_METHOD).Process(
            target=_begin,
            args=(
                cloudpickle.dumps((function, arguments)),
                _QUIET | dict(environment or {}),
                self._log(name),
            ),
            name=name,
            daemon=True,
        )
        process.start()
        self._processes[name] = process

    def is_alive(self, name: str) -> bool:
        """Tell whether a worker's process runs or is frozen."""
        process = self._processes.get(name)
        return process is not None and process.is_alive()

    @property
    def alive(self) -> list[str]:
        """The names of those whose process has not ended."""
        return [name for name in self._processes if self.is_alive(name)]

    def exit_code(self, name: str) -> int | None:
        """Return 0 after a good end, minus a signal's number after that signal."""
        return self._process(name).exitcode

    def kill(self, name: str) -> None:
        """Kill a worker: it has no time to say or write anything."""
        process = self._process(name)
        process.kill()
        process.join()
        if name in self._watchers:  # it would thaw whoever gets the number next
            _end_of(self._watchers.pop(name))

    def freeze(self, name: str) -> None:
        """Stop a worker's time: it does nothing until it is thawed."""
        pid = self._process(name).pid
        if name in self._watchers:
            raise ValueError(f"worker {name!r} is frozen already.")
        # Thaws it when its input ends, which the notebook's death brings about, too:
        # a frozen process cannot end by itself.
        self._watchers[name] = subprocess.Popen(
            ["/bin/sh", "-c", f"read _; kill -CONT {pid}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.kill(pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen worker go on."""
        self._process(name)
        if name not in self._watchers:
            raise ValueError(f"worker {name!r} is not frozen.")
        _end_of(self._watchers.pop(name))

    def said(self, name: str) -> str:
        """Return what a worker has printed."""
        log = self._log(name)
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def wait(self, *names: str, limit: float = 300.0) -> None:
        """Wait until workers have ended by themselves; all, if none is named.

        Raises
        ------
        TimeoutError
            If one has not ended after `limit` seconds.
        """
        for name in names or self.names:
            wait_for(lambda name=name: not self.is_alive(name), f"{name} to end", limit)

    def until(
        self,
        name: str,
        condition: Callable[[], _Found],
        what: str,
        limit: float = 300.0,
    ) -> _Found:
        """Wait until a condition is true that a worker is to bring about.

        Parameters
        ----------
        name : str
            The worker.
        condition, what, limit
            As in `wait_for`.

        Raises
        ------
        TimeoutError
            After `limit` seconds.
        RuntimeError
            If the worker has ended before; its last line is in the message.
        """

        def found() -> _Found | None:
            alive = self.is_alive(name)  # asked first, so that its last act counts
            result = condition()
            if not result and not alive:
                last = [*self.said(name).splitlines(), "nothing"][-2:][0]
                raise RuntimeError(
                    f"worker {name!r} has ended, code {self.exit_code(name)}, before "
                    f"{what}; its last line: {last}"
                )
            return result

        return wait_for(found, what, limit)

    def _process(self, name: str) -> Any:
        if name not in self._processes:
            raise ValueError(f"there is no worker {name!r}; there are {self.names}.")
        return self._processes[name]

    def _log(self, name: str) -> Path:
        return Path(self._folder.name, f"{name}.log")


def _stop(
    processes: dict[str, Any],
    watchers: dict[str, subprocess.Popen],
    folder: tempfile.TemporaryDirectory,
) -> None:
    for process in processes.values():
        process.kill()  # reaches a frozen one, too
    for process in processes.values():
        process.join()
    for watcher in watchers.values():
        _end_of(watcher)
    folder.cleanup()


def _end_of(watcher: subprocess.Popen) -> None:
    watcher.stdin.close()
    watcher.wait()


def _begin(payload: bytes, environment: Mapping[str, str], log: Path) -> None:
    """Run a function in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _leave_with_parent()
    os.environ.update(environment)
    with (
        log.open("a", buffering=1, encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        try:
            _one_thread()
            function, arguments = cloudpickle.loads(payload)
            function(*arguments)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}")
            sys.exit(1)


def _leave_with_parent() -> None:
    """End this process as soon as the one that it works for has ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _one_thread() -> None:
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)

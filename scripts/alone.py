"""Only one build at a time in one clone: whoever comes second waits, and says so.

``python scripts/alone.py NAME COMMAND ...`` waits for its turn and then becomes the
command. What the command starts in turn does not wait for it. The system gives the
turn back when the process ends, however it ends. This file needs nothing but Python,
since it also runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The folder itself is locked: it is there before all else, and `make clean` stays out.
RUNNING = ROOT / ".executed" / "running"  # says who has the turn
HELD = "NNPERF_ALONE"  # names the folder, to what is started by who has the turn


def take_turn(name: str) -> int:
    """Wait for this clone's lock; return its descriptor, which gives it back closed."""
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            other = f" ({RUNNING.read_text('utf-8')})"
        except FileNotFoundError:
            other = ""
        print(f"another build is running here{other}; waiting for it", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    RUNNING.parent.mkdir(exist_ok=True)
    since = time.strftime("%H:%M")
    RUNNING.write_text(f"process {os.getpid()}: {name} since {since}", "utf-8")
    os.environ[HELD] = str(ROOT)
    return lock


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Do something that no other process does in this clone at the same time."""
    if os.environ.get(HELD) == str(ROOT):
        yield
        return
    before = os.environ.get(HELD)
    lock = take_turn(name)
    try:
        yield
    finally:
        os.environ.pop(HELD)
        if before is not None:
            os.environ[HELD] = before
        os.close(lock)


def main(name: str, *command: str) -> None:
    """Wait for the turn, then become the command."""
    if os.environ.get(HELD) != str(ROOT):
        os.set_inheritable(take_turn(name), True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Searches by several processes that keep their trials in one place.

`storage_of`, `work` and `count` make an Optuna study survive its workers: none of its
settings is lost, none counted twice. `tuner_trials` reads what keras-tuner's chief has
written.
"""

from __future__ import annotations

import json
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import optuna
import pandas as pd
import sqlalchemy
from matplotlib.axes import Axes
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine

from nnperf_utils.crew import Crew, wait_for
from nnperf_utils.plots import PALETTE, text_color

__all__ = [
    "Count",
    "Pace",
    "close",
    "count",
    "freeze",
    "life_of_a_trial",
    "running",
    "storage_of",
    "timeline",
    "trial_bars",
    "tuner_trials",
    "work",
]

_FAILURES = 100  # of a storage, one after the other, half a second apart

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def storage_of(url: str, heartbeat: int = 1, grace: int = 4) -> RDBStorage:
    """Open a storage in which a worker that is dead or frozen is noticed.

    Parameters
    ----------
    url : str
        ``sqlite:///study.db``, or ``postgresql+psycopg://user:password@host/name`` for
        workers on several machines.
    heartbeat : int
        Seconds between two signs of life of a trial.
    grace : int
        A trial without one for more seconds counts as dead, and its setting is tried
        again.

    Returns
    -------
    optuna.storages.RDBStorage
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    settings: dict[str, Any] = {}
    if url.startswith("sqlite"):
        # one process writes at a time; the others wait so many seconds
        settings = {"connect_args": {"timeout": 60}}
    elif url.startswith("postgresql"):
        # who is frozen in the midst of a transaction keeps rows locked, and nobody
        # could give its trial up: the server is to end the transaction
        limit = f"-c idle_in_transaction_session_timeout={1000 * grace}"
        settings = {"connect_args": {"options": limit}, "pool_pre_ping": True}
    with _experimental():
        storage = RDBStorage(
            url,
            engine_kwargs=settings,
            heartbeat_interval=heartbeat,
            grace_period=grace,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        )
    if url.startswith("sqlite"):
        _lock_before_reading(storage.engine)
    return storage


def _lock_before_reading(engine: Engine) -> None:
    """Have each transaction take SQLite's lock for writing at its very beginning.

    Optuna reads whether a trial is still running and then gives it up. It has its row
    locked meanwhile, but SQLite locks no rows: two workers that found the same trial
    dead at the same moment would both give it up, and have it tried again twice.
    """
    engine.dispose()  # of connections that were opened without

    @sqlalchemy.event.listens_for(engine, "connect")
    def leave_begin_to_us(connection: sqlite3.Connection, _) -> None:
        connection.isolation_level = None

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def close(study: optuna.Study) -> None:
    """Let go of a study's storage, so that its file can be removed everywhere."""
    storage = study._storage
    backend = getattr(storage, "_backend", storage)  # a study has a cache around it
    backend.engine.dispose()


def work(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    trials: int,
    name: str = "",
) -> None:
    """Run trials until the study has as many settings and none is left unfinished.

    Each worker calls this. At the end they may have begun as many settings too many as
    there are other workers.

    Parameters
    ----------
    study : optuna.Study
        Of a storage of `storage_of`.
    objective : callable
    trials : int
        Settings wanted; trials that are run again do not count.
    name : str
        Of the worker; kept with its trials.
    """
    storage, seen, failures = study._storage, set(), 0

    def named(trial: optuna.Trial) -> float:
        trial.set_user_attr("worker", name)
        return objective(trial)

    while True:
        try:
            if count(study).begun < trials or _in_state(study, TrialState.WAITING):
                study.optimize(named, n_trials=1)
                failures = 0
                continue
            at_work = _in_state(study, TrialState.RUNNING)
            if not at_work:
                return
            # Somebody may have died, or be frozen: nobody else would notice.
            for trial in at_work:
                if trial.number not in seen:
                    # A worker killed at once leaves a trial without any sign of life,
                    # for which Optuna would wait for ever. This is its first.
                    storage.record_heartbeat(trial._trial_id)
                    seen.add(trial.number)
            with _experimental():
                optuna.storages.fail_stale_trials(study)
            failures = 0
            time.sleep(0.2)
        except ValueError as error:
            if "Cannot tell" not in str(error):
                raise
            print("given up for dead meanwhile; its trial is run by another worker")
        except optuna.exceptions.StorageInternalError as error:
            print(f"the storage did not answer: {error}")
            failures += 1
            if failures > _FAILURES:
                raise
            time.sleep(0.5)


class Pace(keras.callbacks.Callback):
    """Keep with a trial how many seconds an epoch takes, once the first one is over."""

    def __init__(self, trial: optuna.Trial):
        super().__init__()
        self.trial, self.since = trial, 0.0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the clock."""
        if epoch == 0:
            self.since = time.perf_counter()
        if epoch == 2:
            self.trial.set_user_attr("pace", (time.perf_counter() - self.since) / 2)


def freeze(crew: Crew, name: str, url: str, limit: float = 120.0) -> None:
    """Freeze a worker while it neither reads nor writes SQLite's file.

    One that is frozen at it holds the file's lock, and with it all the others.

    Parameters
    ----------
    crew : Crew
    name : str
        The worker.
    url : str
        The storage's.
    limit : float
        Seconds, for a machine that hangs.
    """
    path = url.removeprefix("sqlite:///")

    def is_frozen_unlocked() -> bool:
        crew.freeze(name)
        connection = sqlite3.connect(path, timeout=1, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            crew.thaw(name)
            return False
        finally:
            connection.close()
        return True

    wait_for(is_frozen_unlocked, f"{name} to leave the storage alone", limit)


@dataclass(frozen=True)
class Count:
    """How often each setting of a study has a result.

    Attributes
    ----------
    begun : int
        Settings, each counted once however often it was tried.
    finished : int
        Settings with a result, of a whole training or a stopped one.
    lost : int
        Settings without a result.
    twice : int
        Settings with more than one.
    repeated : int
        Trials that took the place of one that was given up.
    """

    begun: int
    finished: int
    lost: int
    twice: int
    repeated: int


def count(study: optuna.Study) -> Count:
    """Count the settings of a study and their results."""
    results: dict[int, int] = {}
    repeated = 0
    for trial in study.get_trials(deepcopy=False):
        history = _given_up(trial)
        setting = history[0] if history else trial.number
        repeated += bool(history)
        results[setting] = results.get(setting, 0) + (trial.state in _FINISHED)
    numbers = list(results.values())
    return Count(
        begun=len(numbers),
        finished=sum(number > 0 for number in numbers),
        lost=sum(number == 0 for number in numbers),
        twice=sum(number > 1 for number in numbers),
        repeated=repeated,
    )


def running(study: optuna.Study, worker: str, epochs: int = 0) -> list[FrozenTrial]:
    """Return the running trials of a worker that have reported so many epochs."""
    return [
        trial
        for trial in _in_state(study, TrialState.RUNNING)
        if trial.user_attrs.get("worker") == worker
        and len(trial.intermediate_values) >= epochs
    ]


def timeline(study: optuna.Study) -> pd.DataFrame:
    """Return the trials of a study with their times.

    Returns
    -------
    pandas.DataFrame
        ``trial, setting, worker, begin, end, state, epochs, pace``; times in seconds
        since the first began. A trial of a worker that was killed or frozen ends when
        it was given up. Its pace is what the objective has kept under this name.
    """
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if trial.datetime_start is None:
            continue
        history = _given_up(trial)
        rows.append(
            {
                "trial": trial.number,
                "setting": history[0] if history else trial.number,
                "worker": trial.user_attrs.get("worker", ""),
                "begin": trial.datetime_start,
                "end": trial.datetime_complete,
                "state": trial.state.name,
                "epochs": len(trial.intermediate_values),
                "pace": trial.user_attrs.get("pace", np.nan),
            }
        )
    frame = pd.DataFrame(rows).sort_values("begin", ignore_index=True)
    first: datetime = frame["begin"].min()
    for name in ("begin", "end"):
        frame[name] = (pd.to_datetime(frame[name]) - first).dt.total_seconds()
    return frame


def trial_bars(times: pd.DataFrame) -> Axes:
    """Draw the trials of a study as bars over time, a row for each worker.

    Parameters
    ----------
    times : pandas.DataFrame
        What `timeline` returns.
    """
    looks = {
        "COMPLETE": ("trained to the end", PALETTE[0], ""),
        "PRUNED": ("stopped early", "#A9C9E8", ""),
        "FAIL": ("given up for dead", "#E8A9B8", "///"),
    }
    workers = list(dict.fromkeys(times["worker"]))
    _, ax = plt.subplots(figsize=(6.4, 0.5 * len(workers) + 1.3))
    for state, (label, color, hatch) in looks.items():
        of_state = times[times["state"] == state]
        rows = [workers.index(worker) for worker in of_state["worker"]]
        lengths = of_state["end"] - of_state["begin"]
        ax.barh(
            rows,
            lengths,
            left=of_state["begin"],
            color=color,
            hatch=hatch,
            edgecolor="white",
            height=0.62,
            label=label,
        )
        for row, (_, trial) in zip(rows, of_state.iterrows(), strict=True):
            if trial["end"] - trial["begin"] > 0.03 * times["end"].max():
                ax.text(
                    (trial["begin"] + trial["end"]) / 2,
                    row,
                    str(trial["setting"]),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if state == "COMPLETE" else "black",
                )
    ax.set_yticks(range(len(workers)), [f"worker {name}" for name in workers])
    ax.set_ylim(len(workers) - 0.5, -0.5)
    ax.set_xlabel("seconds since the first trial")
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8
    )
    return ax


def life_of_a_trial() -> Axes:
    """Draw the states of a trial, and how a new one takes the place of a dead one."""
    _, ax = plt.subplots(figsize=(6.2, 3.0))
    live, dead = PALETTE[0], PALETTE[1]
    boxes = (
        (0.9, 2.4, "WAITING", live),
        (3.6, 2.4, "RUNNING", live),
        (6.9, 3.3, "COMPLETE", live),
        (6.9, 1.9, "PRUNED", live),
        (3.6, 0.5, "FAIL", dead),
    )
    for x, y, text, color in boxes:
        ax.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            fontsize="small",
            color=text_color(color),
            bbox={"boxstyle": "round,pad=0.45", "fc": "white", "ec": color, "lw": 1.4},
        )
    arrows = (
        ((1.75, 2.4), (2.75, 2.4), live, "arc3"),
        ((4.5, 2.6), (5.95, 3.2), live, "arc3"),
        ((4.5, 2.25), (6.1, 1.95), live, "arc3"),
        ((3.6, 2.0), (3.6, 0.9), dead, "arc3"),
        ((3.0, 0.5), (0.9, 2.0), dead, "arc3,rad=-0.3"),
    )
    for start, end, color, bent in arrows:
        look = {"arrowstyle": "-|>", "color": color, "lw": 1.4, "connectionstyle": bent}
        ax.annotate("", end, start, arrowprops=look)
    words = (
        (2.25, 2.62, "a worker\ntakes it", live, "center"),
        (4.95, 3.35, "trained to\nthe end", live, "center"),
        (5.35, 2.3, "stopped early", live, "left"),
        (3.75, 1.45, "no sign of life for longer\nthan the grace period", dead, "left"),
        (0.5, 0.55, "the same setting\nwaits again", dead, "center"),
    )
    for x, y, text, color, side in words:
        ax.text(
            x,
            y,
            text,
            ha=side,
            va="bottom" if y > 2.5 else "center",
            fontsize="x-small",
            color=text_color(color),
        )
    ax.set(xlim=(-0.6, 7.9), ylim=(0, 4.1))
    ax.axis("off")
    return ax


def tuner_trials(folder: str | Path) -> pd.DataFrame:
    """Read the trials that keras-tuner's chief has written into its folder.

    Returns
    -------
    pandas.DataFrame
        A row for each trial, ``status``, ``score`` and the ``worker`` that the chief
        believes to be at it.
    """
    folder = Path(folder)
    ongoing = _read(folder / "oracle.json").get("ongoing_trials", {})
    worker_of = {trial: worker for worker, trial in ongoing.items()}
    rows = {}
    for path in sorted(folder.glob("trial_*/trial.json")):
        trial = _read(path)
        if trial:
            rows[trial["trial_id"]] = {
                "status": trial["status"],
                "score": trial["score"],
                "worker": worker_of.get(trial["trial_id"], ""),
            }
    frame = pd.DataFrame.from_dict(
        rows, orient="index", columns=["status", "score", "worker"]
    )
    return frame.rename_axis("trial")


def _read(path: Path) -> dict[str, Any]:
    """Read a file that another process may be about to write."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _given_up(trial: FrozenTrial) -> list[int]:
    """Return the numbers of the trials in whose place this one was run."""
    return trial.system_attrs.get("retry_history", [])


@contextmanager
def _experimental() -> Iterator[None]:
    """Use what Optuna calls experimental, as all about heartbeats is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _in_state(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=states)

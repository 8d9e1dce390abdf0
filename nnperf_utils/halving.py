"""Searches whose bad trials stop early: the rules, and many workers on a clock.

The rules are those of Optuna's pruners, applied to recorded curves. The two schedules,
synchronous and asynchronous halving, are simulated job by job: a job trains one trial
from one rung to the next, on one of several workers, as long as its epochs take.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnperf_utils.plots import PALETTE, text_color

__all__ = [
    "Crash",
    "Job",
    "Schedule",
    "asynchronous",
    "bars",
    "halving_rule",
    "makespan",
    "median_rule",
    "rungs_to",
    "speed_lines",
    "speed_up",
    "stopped",
    "stopped_curves",
    "synchronous",
]


def rungs_to(epochs: int, least: int = 1, factor: int = 3) -> list[int]:
    """Return after how many epochs halving looks: 1, 3, 9, 27.

    Raises
    ------
    ValueError
        If `epochs` is not `least` times a power of `factor`.
    """
    rungs = [least]
    while rungs[-1] < epochs:
        rungs.append(rungs[-1] * factor)
    if rungs[-1] != epochs:
        raise ValueError(
            f"epochs is {epochs}; expected {least} times a power of {factor}."
        )
    return rungs


# --------------------------------------------------------------------------------------
# Rules, one trial after the other
# --------------------------------------------------------------------------------------


def halving_rule(curves: np.ndarray, factor: int = 3) -> np.ndarray:
    """Stop trials as Optuna's ``SuccessiveHalvingPruner(1, 3)`` does.

    A trial that comes to a rung goes on if it is among the best third of those that
    have come there so far, itself included; of fewer than three, if it is the best.

    Parameters
    ----------
    curves : numpy.ndarray, shape (trials, epochs)
        Scores, the higher the better, of trials in the order in which they ran.
    factor : int

    Returns
    -------
    numpy.ndarray of int, shape (trials,)
        After how many epochs each was stopped; all of them if it was not.

    References
    ----------
    Li et al. (2020), A system for massively parallel hyperparameter tuning. Theirs can
    take up a stopped trial later; Optuna's cannot.
    """
    epochs = curves.shape[1]
    rungs = rungs_to(epochs, factor=factor)[:-1]
    came: list[list[float]] = [[] for _ in rungs]
    lengths = np.full(len(curves), epochs)
    for trial, curve in enumerate(curves):
        for rung, scores in zip(rungs, came, strict=True):
            score = curve[rung - 1]
            scores.append(score)
            allowed = max(1, len(scores) // factor)
            if score < sorted(scores)[-allowed]:
                lengths[trial] = rung
                break
    return lengths


def median_rule(curves: np.ndarray, first: int = 5) -> np.ndarray:
    """Stop trials as Optuna's ``MedianPruner()`` does.

    After each epoch a trial is stopped if its best score so far is below the median, at
    this epoch, of the trials that were trained to the end. As long as there are fewer
    than `first` of these, none is stopped.

    Parameters, returned
        As in `halving_rule`.
    """
    lengths = np.full(len(curves), curves.shape[1])
    whole: list[np.ndarray] = []
    for trial, curve in enumerate(curves):
        if len(whole) >= first:
            below = np.maximum.accumulate(curve) < np.median(whole, axis=0)
            if below.any():
                lengths[trial] = below.argmax() + 1
        if lengths[trial] == len(curve):
            whole.append(curve)
    return lengths


def stopped(
    curves: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]
) -> tuple[int, int]:
    """Search with a rule.

    Returns
    -------
    winner : int
        The trial with the best last score among those trained to the end; of equals the
        first.
    epochs : int
        Trained in all.
    """
    lengths = rule(curves)
    last = np.where(lengths == curves.shape[1], curves[:, -1], -np.inf)
    return int(last.argmax()), int(lengths.sum())


# --------------------------------------------------------------------------------------
# Many workers on a clock
# --------------------------------------------------------------------------------------


def makespan(lengths: Sequence[float], workers: int | Sequence[float]) -> float:
    """Return when the last of several trials ends.

    Each worker takes the next trial as soon as it is free.

    Parameters
    ----------
    lengths : sequence of float
        How long each trial takes, in the order in which they are begun.
    workers : int or sequence of float
        How many, all free at 0; or when each is free for the first time.
    """
    free = [0.0] * workers if isinstance(workers, int) else sorted(workers)
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def speed_up(
    seconds: np.ndarray, workers: Sequence[int], trials: int = 64, draws: int = 20
) -> pd.DataFrame:
    """Return how many times as fast several workers are as one.

    Parameters
    ----------
    seconds : numpy.ndarray
        How long some trials have taken; each takes as long as one of them, drawn at
        random.
    workers : sequence of int
    trials, draws : int
        Trials of a search; how often it is drawn.

    Returns
    -------
    pandas.DataFrame
        A row for each draw, with the index ``seed``, a column for each number of
        workers.
    """
    rows = []
    for seed in range(draws):
        lengths = np.random.default_rng(seed).choice(seconds, trials)
        rows.append([lengths.sum() / makespan(lengths, n) for n in workers])
    speeds = pd.DataFrame(rows, pd.RangeIndex(draws, name="seed"), list(workers))
    speeds.attrs["trials"] = trials
    return speeds


def speed_lines(speeds: pd.DataFrame) -> Axes:
    """Draw what `speed_up` returns, beside what the number of workers promises."""
    workers = list(speeds)
    _, ax = plt.subplots(figsize=(5.6, 3.4))
    ax.plot(workers, workers, ":", color="gray")
    ax.plot(workers, speeds.mean(), "o-", color=PALETTE[0])
    ax.fill_between(workers, speeds.min(), speeds.max(), alpha=0.2, color=PALETTE[0])
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_xticks(workers, [str(n) for n in workers])
    ax.set_yticks(workers, [str(n) for n in workers])
    ax.minorticks_off()
    ax.set(xlabel="workers", ylabel="times as fast as one")
    look = {"fontsize": "small", "va": "center"}
    ax.text(workers[-2], workers[-2] * 1.5, "n times", ha="right", color="gray", **look)
    ax.text(
        workers[-1],
        speeds.iloc[:, -1].mean() * 0.55,
        f"{speeds.attrs['trials']} trials",
        ha="right",
        color=text_color(PALETTE[0]),
        **look,
    )
    return ax


def bars(schedules: Mapping[str, Schedule]) -> np.ndarray:
    """Draw schedules below each other: a bar for each job, a row for each worker."""
    count = len(schedules)
    _, axes = plt.subplots(count, 1, figsize=(6.4, 2.2 * count), sharex=True)
    axes = np.atleast_1d(axes)
    shades = ["#CFE3F3", "#8FBFE0", "#3E8EC4", "#0B4A78"]
    for ax, (name, schedule) in zip(
        np.atleast_1d(axes), schedules.items(), strict=True
    ):
        for rung, epochs in enumerate(schedule.rungs):
            here = [j for j in schedule.jobs if j.rung == rung and not j.lost]
            ax.barh(
                [job.worker + 1 for job in here],
                [min(job.end, schedule.end) - job.begin for job in here],
                left=[job.begin for job in here],
                color=shades[-len(schedule.rungs) :][rung],
                edgecolor="white",
                linewidth=0.4,
                height=0.8,
                label=f"to epoch {epochs}",
            )
        ax.set_yticks([1, schedule.workers])
        ax.set_ylim(schedule.workers + 0.6, 0.4)
        ax.set_ylabel("worker")
        ax.set_title(f"{name}: idle {schedule.idle:.0%}", loc="left", fontsize="medium")
        ax.grid(visible=False)
    axes[-1].set_xlabel("time")
    axes[-1].set_xlim(0, max(schedule.end for schedule in schedules.values()))
    axes[-1].legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=4, frameon=False
    )
    return axes


def stopped_curves(curves: np.ndarray, lengths: np.ndarray) -> Axes:
    """Draw the curves of a search as far as each was trained.

    Parameters
    ----------
    curves : numpy.ndarray, shape (trials, epochs)
    lengths : numpy.ndarray of int, shape (trials,)
        What a rule returns.
    """
    _, ax = plt.subplots(figsize=(5.6, 3.4))
    epochs = np.arange(1, curves.shape[1] + 1)
    for curve, length in zip(curves, lengths, strict=True):
        whole = length == len(curve)
        ax.plot(epochs, curve, color="gray", linewidth=0.8, alpha=0.6)
        ax.plot(
            epochs[:length],
            curve[:length],
            color=PALETTE[0] if whole else PALETTE[1],
            linewidth=2 if whole else 1,
        )
        if not whole:
            ax.plot(length, curve[length - 1], "x", color=PALETTE[1], markersize=5)
    for text, color, place in (
        ("trained to the end", PALETTE[0], 0.12),
        ("stopped", PALETTE[1], 0.04),
    ):
        ax.text(
            0.03,
            place,
            text,
            transform=ax.transAxes,
            ha="left",
            color=text_color(color),
            fontsize="small",
        )
    ax.set_ylim(bottom=max(curves.min(), 2 * np.median(curves) - curves.max() - 0.05))
    ax.set_xscale("log", base=3)
    ax.set_xticks([1, 3, 9, 27], ["1", "3", "9", "27"])
    ax.minorticks_off()
    ax.set(xlabel="epoch", ylabel="validation accuracy")
    return ax


@dataclass(frozen=True)
class Job:
    """One trial's training from one rung to the next, on one worker."""

    worker: int
    trial: int
    rung: int
    begin: float
    end: float
    lost: bool = False


@dataclass(frozen=True)
class Crash:
    """A worker that dies in its first job.

    Attributes
    ----------
    worker : int
    share : float
        Of the job that is done when it dies.
    noticed : float
        So much later its job is given to another worker.
    """

    worker: int = 0
    share: float = 0.5
    noticed: float = 0.0


@dataclass
class Schedule:
    """What the workers have done.

    Attributes
    ----------
    workers : int
    rungs : list of int
        Epochs at which trials are compared.
    jobs : list of Job
        In the order in which they began.
    end : float
        When the search was over, or was looked at.
    """

    workers: int
    rungs: list[int]
    jobs: list[Job] = field(default_factory=list)
    end: float = 0.0

    @property
    def idle(self) -> float:
        """Share of the workers' time until the end in which they train nothing.

        What a worker trains and loses counts as idle, and a dead worker is idle.
        """
        busy = sum(min(j.end, self.end) - j.begin for j in self.jobs if not j.lost)
        return 1 - busy / (self.workers * self.end)

    @property
    def first_whole(self) -> float:
        """When the first trial was trained to the end; infinite if none was."""
        last = len(self.rungs) - 1
        ends = [j.end for j in self.jobs if j.rung == last and not j.lost]
        return min(ends, default=np.inf)

    def chosen(self, curves: np.ndarray) -> int:
        """Return the trial that is the best, at the highest rung reached by the end."""
        done = [j for j in self.jobs if j.end <= self.end and not j.lost]
        top = max(job.rung for job in done)
        there = [job.trial for job in done if job.rung == top]
        return max(there, key=lambda trial: curves[trial, self.rungs[top] - 1])


def synchronous(
    curves: np.ndarray,
    seconds: np.ndarray,
    workers: int,
    *,
    factor: int = 3,
    crash: Crash | None = None,
) -> Schedule:
    """Simulate synchronous successive halving.

    All trials are trained to the first rung; when the last one is there, the best third
    goes on to the next, and so on.

    Parameters
    ----------
    curves : numpy.ndarray, shape (trials, epochs)
        Scores, the higher the better.
    seconds : numpy.ndarray, shape (trials,)
        How long an epoch of each takes.
    workers : int
    factor : int
    crash : Crash, optional

    References
    ----------
    Jamieson and Talwalkar (2016), Non-stochastic best arm identification and
    hyperparameter optimization.
    """
    clock = _Clock(workers, rungs_to(curves.shape[1], factor=factor), seconds, crash)
    left = list(range(len(curves)))
    for rung, epochs in enumerate(clock.schedule.rungs):
        waiting = iter(left)
        clock.run(lambda waiting=waiting, rung=rung: _next(waiting, rung))
        if rung + 1 < len(clock.schedule.rungs):
            order = sorted(left, key=lambda trial: -curves[trial, epochs - 1])
            left = order[: max(1, len(left) // factor)]
    clock.schedule.end = max(job.end for job in clock.schedule.jobs if not job.lost)
    return clock.schedule


def asynchronous(
    curves: np.ndarray,
    seconds: np.ndarray,
    workers: int,
    until: float,
    *,
    factor: int = 3,
    crash: Crash | None = None,
) -> Schedule:
    """Simulate asynchronous successive halving (ASHA).

    A worker that is free takes, from the highest rung that has one, a trial among the
    best third of those that are there, and trains it to the next; if there is none, a
    new trial. It never waits.

    Parameters
    ----------
    curves, seconds, workers, factor, crash
        As in `synchronous`. The trials must be enough.
    until : float
        When the search is looked at. Jobs that run then are not finished.

    Raises
    ------
    ValueError
        If the trials are used up before.

    References
    ----------
    Li et al. (2020), A system for massively parallel hyperparameter tuning.
    """
    clock = _Clock(workers, rungs_to(curves.shape[1], factor=factor), seconds, crash)
    rungs = clock.schedule.rungs
    new = iter(range(len(curves)))
    there: list[list[int]] = [[] for _ in rungs]  # trials that have come to a rung
    gone: list[set[int]] = [set() for _ in rungs]  # and were sent on

    def next_job() -> tuple[int, int]:
        for rung in range(len(rungs) - 2, -1, -1):
            scores = curves[:, rungs[rung] - 1]
            order = sorted(there[rung], key=lambda trial: -scores[trial])
            best = order[: len(order) // factor]
            for trial in best:
                if trial not in gone[rung]:
                    gone[rung].add(trial)
                    return trial, rung + 1
        found = _next(new, 0)
        if found is None:
            raise ValueError(
                f"the {len(curves)} trials are used up before {until:g}; give more."
            )
        return found

    clock.run(next_job, lambda job: there[job.rung].append(job.trial), until)
    clock.schedule.end = until
    return clock.schedule


def _next(trials: Iterator[int], rung: int) -> tuple[int, int] | None:
    trial = next(trials, None)
    return None if trial is None else (trial, rung)


class _Clock:
    """Workers that take one job after the other."""

    def __init__(
        self,
        workers: int,
        rungs: list[int],
        seconds: np.ndarray,
        crash: Crash | None,
    ):
        self.schedule = Schedule(workers, rungs)
        self.seconds, self.crash = seconds, crash
        self.now, self.alive = 0.0, set(range(workers))

    def run(
        self,
        next_job: Callable[[], tuple[int, int] | None],
        finished: Callable[[Job], None] = lambda job: None,
        until: float = np.inf,
    ) -> None:
        """Give jobs to free workers until there are none, and all have ended."""
        idle = sorted(self.alive)
        lost: list[tuple[int, int]] = []
        events: list[tuple[float, int, str, Job]] = []  # when, order, what
        order = 0
        while True:
            while idle:
                found = lost.pop(0) if lost else next_job()
                if found is None:
                    break
                job, what, when = self._begun(idle.pop(0), *found)
                self.schedule.jobs.append(job)
                order += 1
                heapq.heappush(events, (when, order, what, job))
            if not events or events[0][0] > until:
                return
            self.now, _, what, job = heapq.heappop(events)
            if what == "noticed":
                lost.append((job.trial, job.rung))
                continue
            finished(job)
            idle = sorted([*idle, job.worker])

    def _begun(self, worker: int, trial: int, rung: int) -> tuple[Job, str, float]:
        rungs = self.schedule.rungs
        epochs = rungs[rung] - (rungs[rung - 1] if rung else 0)
        length = epochs * self.seconds[trial]
        crash = self.crash
        if crash and worker == crash.worker and worker in self.alive:
            self.alive.discard(worker)
            end = self.now + crash.share * length
            job = Job(worker, trial, rung, self.now, end, lost=True)
            return job, "noticed", end + crash.noticed
        job = Job(worker, trial, rung, self.now, self.now + length)
        return job, "finished", job.end

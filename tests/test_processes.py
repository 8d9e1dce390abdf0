import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from nnperf_utils.processes import Processes, alone, free_ports


def pids(processes):
    return [process.pid for process, _ in processes._members]


def are_gone(numbers):
    def lives(number):
        try:
            return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    deadline = time.monotonic() + 5
    while any(map(lives, numbers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(lives, numbers))


def test_all_get_the_same_average_bit_for_bit():
    own = np.float32(0.1)

    def work(group):
        found = [group.average(np.full((2, 3), own * group.rank, np.float32))]
        found.append(group.average(np.arange(4, dtype=np.float32) + group.rank))
        return group.rank, group.count, found

    with Processes(3, numbers=6) as three:
        results = three.run(work)
        again = three.run(lambda group, more: group.rank + more, 10)
    assert [one[:2] for one in results] == [(0, 3), (1, 3), (2, 3)]
    assert again == [10, 11, 12]
    for _, _, (first, second) in results:
        np.testing.assert_allclose(first, np.full((2, 3), 0.1), rtol=1e-6)
        np.testing.assert_array_equal(second, np.arange(4) + 1)
        np.testing.assert_array_equal(first, results[0][2][0])


def test_their_environment_is_theirs_alone():
    with Processes(1, environment={"NNPERF_THEIRS": "1"}) as one:
        assert one.run(lambda group: os.environ["NNPERF_THEIRS"]) == ["1"]
    assert "NNPERF_THEIRS" not in os.environ


def test_failure_in_one_stops_all_and_names_its_reason():
    def fail(group):
        if group.rank:
            raise ArithmeticError("no such number")
        group.wait()  # for one that never comes

    two = Processes(2)
    members = pids(two)
    with pytest.raises(RuntimeError, match="ArithmeticError: no such number"):
        two.run(fail)
    assert are_gone(members)
    with pytest.raises(RuntimeError, match="are stopped; start others"):
        two.run(fail)


def test_death_of_one_stops_all():
    def die(group):
        if group.rank:
            os.kill(os.getpid(), signal.SIGKILL)
        group.wait()

    two = Processes(2)
    members = pids(two)
    with pytest.raises(RuntimeError, match="process 1 of 2 has died with code -9"):
        two.run(die)
    assert are_gone(members)


def test_death_between_two_runs_is_told_as_well():
    two = Processes(2)
    members = pids(two)
    for member in members:
        os.kill(member, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="of 2 has died with code -9"):
        two.run(lambda group: group.rank)
    assert are_gone(members)


def test_an_interrupt_of_the_notebook_leaves_them_at_work():
    with Processes(2) as two:
        two.run(lambda group: group.rank)  # both listen
        for member in pids(two):
            os.kill(member, signal.SIGINT)
        assert two.run(lambda group: group.rank) == [0, 1]


def test_too_long_stops_all():
    two = Processes(2)
    members = pids(two)
    with pytest.raises(TimeoutError, match="2 of 2 processes were not done"):
        two.run(lambda group: time.sleep(60), timeout=0.5)
    assert are_gone(members)


def test_they_end_with_the_object():
    two = Processes(2)
    members = pids(two)
    two.run(lambda group: group.rank)
    del two
    assert are_gone(members)


PROGRAM = """
import os, signal
from nnperf_utils.processes import Processes

if __name__ == "__main__":
    two = Processes(2)
    two.run(lambda group: group.rank)
    print(*(process.pid for process, _ in two._members), flush=True)
    {end}
"""


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), signal.SIGKILL)", "raise ValueError", "pass"]
)
def test_they_end_with_the_program_that_started_them(end, tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM.format(end=end))
    told = subprocess.run([sys.executable, file], capture_output=True, text=True)
    members = [int(number) for number in told.stdout.split()]
    assert len(members) == 2 and are_gone(members)


def test_larger_array_than_was_told():
    with (
        Processes(1, numbers=3) as one,
        pytest.raises(RuntimeError, match="array has 4 numbers; Processes was told"),
    ):
        one.run(lambda group: group.average(np.zeros(4, np.float32)))


def test_no_process_at_all():
    with pytest.raises(ValueError, match="count must be at least 1; got 0"):
        Processes(0)


def test_alone_there_is_nobody_to_average_with():
    group = alone()
    group.wait()
    array = np.ones(3, np.float32)
    assert (group.rank, group.count) == (0, 1)
    assert group.average(array) is array


def test_ports_are_free():
    ports = free_ports(3)
    assert len(set(ports)) == 3
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(socket.socket()).bind(("127.0.0.1", port))

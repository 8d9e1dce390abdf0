import gc
import math
import time
from types import SimpleNamespace

import numpy as np
import pytest

from nnperf_utils import effort


def spin(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_clocks_tell_work_from_waiting():
    works = {"works": lambda: spin(0.01), "waits": lambda: time.sleep(0.01)}
    times = effort.in_turns(works, repetitions=5)
    middle = times.median()
    assert middle["processor", "works"] >= 0.01
    assert middle["processor", "waits"] < 0.005
    assert middle["wall", "waits"] >= 0.01
    assert list(times["processor"]) == ["works", "waits"]
    assert times.index.name == "seed" and len(times) == 5


def test_turns_move_on_and_the_shortest_call_counts():
    called = []
    works = {name: lambda name=name: called.append(name) for name in "abc"}
    effort.in_turns(works, repetitions=2, calls=2)
    assert "".join(called) == "abc" + "abcabc" + "bcabca"
    lengths = iter([0, 0.02, 0.001, 0.02])
    times = effort.in_turns({"a": lambda: spin(next(lengths))}, repetitions=1, calls=3)
    assert times["processor", "a"][0] < 0.01


def test_first_calls_are_told_apart():
    lengths = iter([0.03, 0, 0])
    times = effort.in_turns({"a": lambda: spin(next(lengths))}, repetitions=2)
    assert times.attrs["first"]["processor"]["a"] >= 0.03
    assert times["processor"]["a"].max() < 0.01


def test_garbage_is_collected_again_after_a_failure():
    calls = iter([None])
    with pytest.raises(StopIteration):
        effort.in_turns({"a": lambda: next(calls)})
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"works": {}}, "works is empty"),
        ({"works": {"a": int}, "repetitions": 0}, "repetitions must be at least 1"),
        ({"works": {"a": int}, "calls": 0}, "calls must be at least 1; got 0"),
    ],
)
def test_turns_refuse_what_they_cannot_time(arguments, message):
    with pytest.raises(ValueError, match=message):
        effort.in_turns(**arguments)


def test_peak_memory_is_what_is_held_on_the_way():
    def hold(mebibytes):
        return lambda: float(np.ones(mebibytes * 2**17).sum())

    if math.isnan(effort.peak_memory(hold(1))):
        pytest.skip("this system does not tell a peak")
    much = [effort.peak_memory(hold(64)) for _ in range(3)]
    assert np.median(much) == pytest.approx(64 * 2**20, rel=0.1)
    assert np.median([effort.peak_memory(hold(1)) for _ in range(3)]) < 8 * 2**20


class Network:
    """Has what a step's memory is told from, and holds eight bytes a number."""

    layers = tuple(
        SimpleNamespace(output=SimpleNamespace(shape=(None, width)))
        for width in (50, 200)
    )
    trainable_weights = (SimpleNamespace(shape=(50, 200)),)

    def train_on_batch(self, x, y):
        return float(np.ones((len(x), 2000)).sum())


def test_steps_hold_more_with_larger_batches(tmp_path, capsys):
    x, y = np.zeros((4000, 50)), np.zeros(4000)
    seen = effort.step_memory(Network(), x, y, [4, 4000], repetitions=3)
    assert list(seen) == [4, 4000] and list(seen.index) == [0, 1, 2]
    assert (seen[4000] > 5 * seen[4]).all()
    nowhere = tmp_path / "nowhere"
    seen = effort.step_memory(Network(), x, y, [4], repetitions=2, folder=nowhere)
    assert seen[4].tolist() == [4 * (4 * 250 + 10_000)] * 2
    assert "computed instead" in capsys.readouterr().out


def test_peak_memory_says_where_it_cannot_know(tmp_path):
    assert math.isnan(effort.peak_memory(int, tmp_path / "nowhere"))


def test_processor_is_named_with_what_it_computes(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(
        "model name\t: Some Chip\ncpu family\t: 25\nmodel\t\t: 17\n"
        "flags\t\t: sse avx512_bf16 amx_bf16\n"
    )
    told = effort.processor(file)
    assert told == "Some Chip (family 25, model 17), with avx512_bf16 and amx_bf16"
    file.write_text("model name\t: Old Chip\nflags\t\t: sse\n")
    assert effort.processor(file) == "Old Chip, with no instructions for bfloat16"
    assert isinstance(effort.processor(tmp_path / "nowhere"), str)

"""Training in other processes gives the same numbers, and survives losing one."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from nnperf_utils import datasets, models
from nnperf_utils.comparison import compare
from nnperf_utils.replicas import replicate

DATA = datasets.load_diabetes()
OPTIONS = {"epochs": 2, "batch_size": 230, "progress": False}


def plain():
    return models.mlp(DATA, units=8, learning_rate=0.01)


def dropped():
    return models.mlp(DATA, units=8, dropout=0.3, learning_rate=0.01)


class Watched:
    """An executor that leaves a mark as soon as one of its tasks is finished."""

    def __init__(self, pool, mark):
        self.pool, self.mark = pool, mark

    def __getattr__(self, name):
        return getattr(self.pool, name)

    def submit(self, *task):
        future = self.pool.submit(*task)
        future.add_done_callback(lambda _: self.mark.touch())
        return future


def deadly_at_once():
    """Build a network here; end the process in a worker."""
    if multiprocessing.parent_process() is not None:
        os._exit(1)
    return plain()


class Dying(Executor):
    """An executor whose first workers die, each with the task that it has."""

    _max_workers = 1

    def __init__(self, deaths):
        self.deaths, self.tasks = deaths, []

    def submit(self, *task):
        self.tasks.append(task)
        future = Future()
        if len(self.tasks) <= self.deaths:
            future.set_exception(OSError("the worker is gone"))
        else:
            future.set_result(task[0](*task[1:]))
        return future


@pytest.fixture(scope="module")
def process_pool():
    # TensorFlow does not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        yield pool


@pytest.fixture(scope="module")
def dask_pool():
    distributed = pytest.importorskip("distributed")
    import dask

    # The engine tries a task again, and says so; dask would in silence.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.fixture(params=["process_pool", "dask_pool"])
def pool(request):
    return request.getfixturevalue(request.param)


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Assert that two tidy frames agree, in the order of their rows as well."""
    labels = [column for column in one if column != "value"]
    pd.testing.assert_frame_equal(one[labels], other[labels])
    # Fewer replicas side by side may sum in another order: equal to rounding only.
    np.testing.assert_allclose(one["value"], other["value"], rtol=1e-5, atol=1e-6)


def test_workers_give_the_same_comparison(pool):
    variants = {"plain": plain, "dropped": dropped}
    options = OPTIONS | {"seeds": 3, "record": "gradients"}
    here = compare(variants, DATA, **options)
    elsewhere = compare(variants, DATA, **options, executor=pool)
    same(elsewhere.history, here.history)
    same(elsewhere.readings, here.readings)
    same(elsewhere.test_scores(), here.test_scores())
    weights = zip(
        elsewhere.model("dropped", 2).get_weights(),
        here.model("dropped", 2).get_weights(),
        strict=True,
    )
    for one, other in weights:
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_tuning_goes_to_the_workers_too(process_pool):
    variants = {"plain": plain, "dropped": dropped}
    options = OPTIONS | {
        "epochs": 1,
        "seeds": 1,
        "learning_rates": [0.001, 0.1],
        "tuning_seeds": 1,
    }
    with pytest.warns(UserWarning, match="widen the grid"):
        here = compare(variants, DATA, **options)
    with pytest.warns(UserWarning, match="widen the grid"):
        elsewhere = compare(variants, DATA, **options, executor=process_pool)
    assert elsewhere.chosen == here.chosen
    same(elsewhere.tuning, here.tuning)


def test_functions_of_a_notebook_cell_work(tmp_path):
    # As in a notebook, nothing here can be imported from a file.
    code = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import keras
import numpy as np

from nnperf_utils import datasets
from nnperf_utils.replicas import replicate

data = datasets.load_moons(samples=100)


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x


units = 5


def build():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units, activation="tanh"),
            Doubled(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("sgd", "binary_crossentropy")
    return model


options = dict(seeds=2, epochs=1, batch_size=60, progress=False)
here = replicate(build, data, **options)
with ProcessPoolExecutor(
    1, mp_context=multiprocessing.get_context("spawn")
) as pool:
    there = replicate(build, data, **options, executor=pool)
np.testing.assert_allclose(there.history["value"], here.history["value"], rtol=1e-5)
print("the same")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == "the same", done.stderr[-2000:]


def test_designs_go_to_workers(process_pool):
    splits = [datasets.load_diabetes(seed=seed) for seed in range(2)]
    options = OPTIONS | {"seeds": 2, "grid": {"rate": [0.1, 0.4]}, "choose": False}

    def with_rate(data, rate):
        return models.mlp(data, units=8, dropout=rate)

    variants = {"plain": plain, "dropout": with_rate}
    here = compare(variants, splits, **options)
    there = compare(variants, splits, **options, executor=process_pool)
    same(there.history, here.history)
    assert there.estimate("plain").design == "2 splits × 2 seeds each"
    scores = there.scores("test_accuracy")
    same(scores, here.scores("test_accuracy"))


@pytest.mark.parametrize("bad", ["threads", 4])
def test_what_is_no_executor_is_named(bad):
    with pytest.raises(TypeError, match="executor") as raised:
        replicate(plain, DATA, seeds=2, **OPTIONS, executor=bad)
    assert "\n" not in str(raised.value)


def test_bad_input_is_named_here_and_not_by_a_worker(process_pool):
    with pytest.raises(ValueError, match="batch_size is 9999"):
        replicate(
            plain,
            DATA,
            seeds=2,
            epochs=1,
            batch_size=9999,
            progress=False,
            executor=process_pool,
        )


@pytest.mark.parametrize("deaths", [1, 2])
def test_what_a_worker_lost_is_trained_again_and_said(deaths):
    here = replicate(plain, DATA, seeds=2, **OPTIONS).history
    with pytest.warns(UserWarning, match="trained again") as said:
        there = replicate(plain, DATA, seeds=2, **OPTIONS, executor=Dying(deaths))
    pd.testing.assert_frame_equal(there.history, here)
    texts = [str(warning.message) for warning in said]
    assert len(texts) == deaths
    assert "seeds 0, 1 with its worker (OSError)" in texts[0]
    assert f"attempt {deaths + 1} of 3" in texts[-1]


def test_a_block_is_tried_three_times_and_each_is_another_call():
    pool = Dying(99)
    with (
        pytest.warns(UserWarning, match="trained again"),
        pytest.raises(RuntimeError, match=r"seeds 0, 1 \(OSError: the worker is gone"),
    ):
        replicate(plain, DATA, seeds=2, **OPTIONS, executor=pool)
    assert len(set(pool.tasks)) == len(pool.tasks) == 3


def test_a_failure_in_a_worker_that_is_well_is_not_tried_again(tmp_path):
    calls = tmp_path / "calls"

    def failing():
        if threading.current_thread() is not threading.main_thread():
            with calls.open("a") as file:
                file.write("called\n")
            raise RuntimeError("no memory on this device")
        return plain()

    with (
        ThreadPoolExecutor(1) as pool,
        warnings.catch_warnings(action="error"),
        pytest.raises(RuntimeError, match="no memory on this device"),
    ):
        replicate(failing, DATA, seeds=1, **OPTIONS, executor=pool)
    assert calls.read_text() == "called\n"


@pytest.mark.filterwarnings("ignore:check failed")
def test_a_block_of_a_killed_worker_is_trained_elsewhere_bit_for_bit(
    dask_pool, tmp_path
):
    mark = tmp_path / "one has died"

    def deadly_once():
        if multiprocessing.parent_process() is not None and not mark.exists():
            mark.touch()
            os._exit(1)
        return plain()

    variants = {"sound": plain, "deadly": deadly_once}
    with pytest.warns(UserWarning, match=r"lost .*deadly.* trained again: attempt 2"):
        again = compare(variants, DATA, seeds=2, **OPTIONS, executor=dask_pool)
    with warnings.catch_warnings():
        # dask would answer an equal call from its memory
        warnings.filterwarnings("error", "lost")
        undisturbed = compare(variants, DATA, seeds=2, **OPTIONS, executor=dask_pool)
    pd.testing.assert_frame_equal(again.history, undisturbed.history)


# Last, since they end a process pool for good.


@pytest.mark.filterwarnings("ignore:check failed")
def test_losing_a_worker_names_the_block_and_keeps_the_rest(pool, tmp_path):
    mark = tmp_path / "one is done"

    def deadly():
        # Here a network; in a worker the end of the process, once the other is done.
        if multiprocessing.parent_process() is not None:
            while not mark.exists():
                time.sleep(0.1)
            os._exit(1)
        return plain()

    variants = {"sound": plain, "deadly": deadly}
    with pytest.warns(UserWarning, match=r"lost .*deadly.* seeds 0, 1"):
        comparison = compare(
            variants, DATA, seeds=2, **OPTIONS, executor=Watched(pool, mark)
        )
    assert comparison.variants == ["sound"]
    alone = replicate(plain, DATA, seeds=2, **OPTIONS).history
    same(comparison.history.drop(columns="variant"), alone)
    with pytest.raises(ValueError, match="scores has 1"):
        comparison.summary()


def test_losing_every_worker_is_an_error_that_names_the_blocks():
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as pool,
        pytest.raises(RuntimeError, match="seeds 0"),
    ):
        replicate(deadly_at_once, DATA, seeds=1, **OPTIONS, executor=pool)

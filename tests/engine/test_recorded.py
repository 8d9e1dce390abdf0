"""The engine gives the numbers that it gave before, bit for bit on the same machine.

``python tests/engine/test_recorded.py`` records them anew, for a change that means to
change them; say why in the commit.
"""

import hashlib
import json
import platform
import re
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from nnperf_utils import replicate
from nnperf_utils.datasets import load_diabetes, load_digits, load_sunspots
from nnperf_utils.models import cnn, mlp, rnn

RECORDED = Path(__file__).with_name("recorded.json")


def dense(data, **knobs):
    return partial(
        mlp, data, units=(16, 16), dropout=0.3, normalization="batch", **knobs
    )


def workloads() -> dict:
    """Return what is trained: together they take all ways through the engine."""
    table, digits, series = load_diabetes(), load_digits(), load_sunspots()
    images = load_digits(flatten=False)
    common = {"seeds": 3, "progress": False}
    return {
        "XLA, whole batches": (
            dense(table),
            table,
            {"epochs": 20, "batch_size": 23, "jit_compile": True},
        ),
        "XLA, a smaller last batch": (
            dense(digits, optimizer="sgd", learning_rate=0.1),
            digits,
            {"epochs": 3, "batch_size": 100, "jit_compile": True},
        ),
        "no XLA, readings": (
            partial(mlp, table, units=(8, 8)),
            table,
            {
                "epochs": 3,
                "record": ("gradients", "activations", "updates"),
                "class_weight": {0: 1.0, 1: 2.0},
            },
        ),
        "one replica": (dense(table), table, {"seeds": [7], "epochs": 3}),
        "one batch": (dense(table), table, {"epochs": 3, "batch_size": 460}),
        "recurrent": (partial(rnn, series), series, {"epochs": 2, "batch_size": 64}),
        "convolutions": (partial(cnn, images), images, {"epochs": 1}),
    } | {"common": common}


def trained(name: str) -> dict:
    """Train a workload; return its history and a digest of history and weights."""
    known = workloads()
    build, data, options = known[name]
    keras.utils.set_random_seed(0)
    runs = replicate(build, data, **(known["common"] | options))
    values = runs.history["value"].to_numpy()
    digest = hashlib.sha256(values.tobytes())
    digest.update(runs.readings["value"].to_numpy(float).tobytes())
    for seed in runs.seeds:
        for weight in runs.model(seed).get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
    return {"history": values.tolist(), "digest": digest.hexdigest()}


def machine() -> str:
    """Name what the last bits of a number depend on beside the engine."""
    import tensorflow as tf

    cpu = Path("/proc/cpuinfo")
    told = cpu.read_text() if cpu.is_file() else platform.processor()
    flags = re.search(r"^flags.*$", told, re.MULTILINE)
    of_processor = hashlib.sha256((flags[0] if flags else told).encode()).hexdigest()
    return f"tensorflow {tf.__version__}, processor {of_processor[:12]}"


@pytest.mark.parametrize("name", [n for n in workloads() if n != "common"])
def test_same_numbers_as_recorded(name):
    recorded = json.loads(RECORDED.read_text())
    before, now = recorded["results"][name], trained(name)
    if recorded["machine"] == machine():
        assert now["digest"] == before["digest"]
    else:  # other instructions sum in another order
        np.testing.assert_allclose(now["history"], before["history"], rtol=1e-3)


if __name__ == "__main__":
    results = {n: trained(n) for n in workloads() if n != "common"}
    RECORDED.write_text(
        json.dumps({"machine": machine(), "results": results}, indent=1) + "\n"
    )

"""What a design costs: twelve variants on four splits from five seeds each.

A row is a table (diabetes, MNIST-1D); every figure comes from the same machine in the
same run, each in a process of its own, imports not counted:

- *one call*: `compare` on all splits, its networks in one graph;
- *a call a split*: `compare` on one split after the other, in one process;
- ``fit``: one call after the other, scaled up from a few.

``python benchmarks/design.py`` prints the table as Markdown.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SPLITS, SEEDS = 4, 5
GRID = {"rate": [0.2, 0.4, 0.6], "l1": [1e-3, 3e-3, 0.01], "l2": [3e-3, 0.01, 0.03]}
EPOCHS = {"diabetes": 28, "MNIST-1D": 24}
BATCH_SIZE = {"diabetes": 23, "MNIST-1D": 32}
FIT_CALLS = 4


def network(data: Any, rate: float = 0.0, l1: float = 0.0, l2: float = 0.0) -> Any:
    """Build the network of the chapter on overfitting."""
    import keras

    h = inputs = keras.Input(data.input_shape)
    penalty = keras.regularizers.L1L2
    for _ in range(2):
        h = keras.layers.Dense(64, "relu", kernel_regularizer=penalty(l1, l2))(h)
        h = keras.layers.Dropout(rate)(h)
    binary = data.task == "binary"
    units, activation = (1, "sigmoid") if binary else (10, "softmax")
    outputs = keras.layers.Dense(units, activation)(h)
    model = keras.Model(inputs, outputs)
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    return model


# twelve: nothing, three doses of each remedy, and two of them together
VARIANTS = {
    "none": partial(network, rate=0.0, l1=0.0, l2=0.0),
    "dropout": partial(network, l1=0.0, l2=0.0),
    "L1": partial(network, rate=0.0, l2=0.0),
    "L2": partial(network, rate=0.0, l1=0.0),
    "mild both": partial(network, rate=0.2, l1=0.0, l2=3e-3),
    "strong both": partial(network, rate=0.4, l1=0.0, l2=0.01),
}


def splits_of(table: str) -> list:
    """Load the four splits of a table."""
    from nnperf_utils import datasets

    if table == "diabetes":
        return [datasets.load_diabetes(seed=seed) for seed in range(SPLITS)]
    return [
        datasets.load_mnist1d(
            samples=1280, flatten=True, validation=1 / 4, test=1 / 4, seed=seed
        )
        for seed in range(SPLITS)
    ]


def compared(table: str, data: Any, seeds: Any) -> None:
    """Compare all variants on some data."""
    from nnperf_utils import compare

    compare(
        VARIANTS,
        data,
        seeds=seeds,
        grid=GRID,
        choose=False,
        epochs=EPOCHS[table],
        batch_size=BATCH_SIZE[table],
        progress=False,
    )


def measure(table: str, how: str) -> float:
    """Return the seconds that one way of training takes."""
    import keras
    import tensorflow  # noqa: F401

    import nnperf_utils.comparison  # noqa: F401

    splits = splits_of(table)
    start = time.perf_counter()
    if how == "one call":
        compared(table, splits, SEEDS)
    elif how == "a call a split":
        for position, data in enumerate(splits):
            compared(table, data, range(SEEDS * position, SEEDS * (position + 1)))
    else:
        for seed in range(FIT_CALLS):
            keras.utils.set_random_seed(seed)
            network(splits[0], 0.2).fit(
                *splits[0].train,
                validation_data=splits[0].validation,
                epochs=EPOCHS[table],
                batch_size=BATCH_SIZE[table],
                verbose=0,
            )
        count = 12 * SPLITS * SEEDS
        return (time.perf_counter() - start) * count / FIT_CALLS
    return time.perf_counter() - start


def main() -> None:
    """Measure every table in every way, or one way for the process that asks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2, metavar=("TABLE", "HOW"), help="for itself")
    asked = parser.parse_args().one
    if asked:
        print(json.dumps(measure(*asked)))
        return
    print("12 variants × 4 splits × 5 seeds, seconds\n")
    print("| table | one call | a call a split | ~ fit | ratio to fit |")
    print("|---|---|---|---|---|")
    for table in EPOCHS:
        seconds = {}
        for how in ("one call", "a call a split", "fit"):
            command = [sys.executable, __file__, "--one", table, how]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            seconds[how] = json.loads(done.stdout.splitlines()[-1])
        one, apart, fit = seconds.values()
        print(f"| {table} | {one:.1f} | {apart:.1f} | {fit:.0f} | {fit / one:.0f} |")


if __name__ == "__main__":
    main()

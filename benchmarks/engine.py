"""Speed and memory of the engine, against what else one would use.

Each row of the table is one workload with so many seeds; every figure comes from the
same machine in the same run, each measurement in a process of its own. Imports are not
counted, everything else is: building the networks, tracing, compiling, training,
validation after each epoch.

- ``replicate``: *cold* is the first call in a fresh process, *again* the second one,
  which finds its program compiled, *steady* the part of the second that trains;
- ``fit``: one call after the other, each with a new network, as in a loop over seeds.
  ``~`` marks figures scaled up from fewer calls;
- *2 processes*: the same calls of ``fit`` in two processes of joblib, their start and
  imports included, since a user waits for them as well;
- ``JAX``: ``vmap`` over seeds of a hand-written training loop within ``jit``, first
  call and second. Dense networks only.

Memory is the peak of the process in megabytes, imports included (of joblib, the sum
over its processes).

Run it by ``make bench``, or ``python benchmarks/engine.py --help``.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@dataclass(frozen=True)
class Workload:
    """What is trained: a builder of `models`, a loader of `datasets`, their knobs."""

    builder: str
    loader: str
    epochs: int
    knobs: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (1, 20)
    fit_calls: int = 5  # the rest is scaled up
    jax: bool = False


FLAT = {"flatten": True}
WORKLOADS = {
    "diabetes 10-10": Workload(
        "mlp",
        "load_diabetes",
        50,
        {"units": 10},
        seeds=(1, 5, 20, 100),
        fit_calls=20,
        jax=True,
    ),
    "digits 5x64": Workload(
        "mlp",
        "load_digits",
        20,
        {"hidden_layers": 5},
        FLAT,
        seeds=(1, 5, 20, 100),
        fit_calls=20,
        jax=True,
    ),
    "digits 5x64 normalization dropout": Workload(
        "mlp",
        "load_digits",
        20,
        {"hidden_layers": 5, "normalization": "batch", "dropout": 0.2},
        FLAT,
    ),
    "digits residual 20 layers": Workload(
        "mlp",
        "load_digits",
        20,
        {"hidden_layers": 20, "residual": True},
        FLAT,
        jax=True,
    ),
    "sunspots LSTM": Workload("rnn", "load_sunspots", 30, {"units": 16}),
    "Fashion-MNIST CNN": Workload(
        "cnn", "load_fashion_mnist", 3, {"filters": (8, 16)}, fit_calls=3
    ),
}
BATCH_SIZE = 32
MONITORED = "digits 5x64"


def prepared(workload: Workload) -> tuple[Any, Callable]:
    """Load the data and return them with the function that builds the network."""
    from nnperf_utils import datasets, models

    data = getattr(datasets, workload.loader)(**workload.data)
    return data, partial(getattr(models, workload.builder), data, **workload.knobs)


# ------------------------------------------------------------------------ measurements


def measure_replicate(workload: Workload, seeds: int) -> dict[str, float]:
    from nnperf_utils import replicas
    from nnperf_utils.engine import training

    data, build = prepared(workload)
    steady = 0.0
    run_stacks = training._run_stacks

    def timed(*arguments):
        nonlocal steady
        start = time.perf_counter()
        result = run_stacks(*arguments)
        steady += time.perf_counter() - start
        return result

    training._run_stacks = timed
    found = {}
    for name in ("cold", "again"):
        steady, start = 0.0, time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            replicas.replicate(
                build,
                data,
                seeds=seeds,
                epochs=workload.epochs,
                batch_size=BATCH_SIZE,
                progress=False,
            )
        found[name] = time.perf_counter() - start
    # Such as that the network had to be trained one replica after the other.
    said = [str(warning.message) for warning in caught]
    return found | {"steady": steady, "warnings": said}


def fit_once(workload: Workload, seed: int, prepare: tuple | None = None) -> None:
    import keras

    data, build = prepare or prepared(workload)
    keras.utils.set_random_seed(seed)
    build().fit(
        *data.train,
        validation_data=data.validation,
        epochs=workload.epochs,
        batch_size=BATCH_SIZE,
        verbose=0,
    )


def measure_fit(workload: Workload, seeds: int) -> dict[str, float]:
    calls = min(seeds, workload.fit_calls)
    prepare = prepared(workload)
    start = time.perf_counter()
    for seed in range(calls):
        fit_once(workload, seed, prepare)
    seconds = time.perf_counter() - start
    return {"cold": seconds * seeds / calls, "scaled": calls < seeds}


def measure_processes(workload: Workload, seeds: int) -> dict[str, float]:
    import joblib

    calls = min(seeds, workload.fit_calls)
    start = time.perf_counter()
    joblib.Parallel(n_jobs=2)(
        joblib.delayed(fit_once)(workload, seed) for seed in range(calls)
    )
    seconds = time.perf_counter() - start
    return {"cold": seconds * seeds / calls, "scaled": calls < seeds, "processes": 2}


def measure_jax(workload: Workload, seeds: int) -> dict[str, float]:
    """Train as `models.mlp` and Adam do, hidden layers with ReLU."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    data, build = prepared(workload)
    sizes = [
        layer.kernel.shape
        for layer in build().layers
        if layer.__class__.__name__ == "Dense"
    ]
    residual = workload.knobs.get("residual", False)
    x, y, x_val, y_val = map(jnp.asarray, (*data.train, *data.validation))
    optimizer = optax.adam(1e-3, eps=1e-7)
    n, (steps, rest) = len(x), divmod(len(x), BATCH_SIZE)

    def start(key):
        draw = jax.nn.initializers.glorot_uniform()
        keys = jax.random.split(key, len(sizes))
        return [(draw(k, s), jnp.zeros(s[1])) for k, s in zip(keys, sizes, strict=True)]

    def outputs(weights, x):
        for number, (kernel, bias) in enumerate(weights[:-1]):
            out = jax.nn.relu(x @ kernel + bias)
            x = x + out if residual and number else out
        return x @ weights[-1][0] + weights[-1][1]

    def scores(weights, x, y):
        logits = outputs(weights, x)
        if data.task == "binary":
            logits = logits[:, 0]
            loss = optax.sigmoid_binary_cross_entropy(logits, y)
            right = (logits > 0) == (y > 0)
        else:
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            right = logits.argmax(-1) == y
        return loss.mean(), right.mean()

    def update(carry, rows):
        weights, state = carry
        (loss, accuracy), gradient = jax.value_and_grad(scores, has_aux=True)(
            weights, x[rows], y[rows]
        )
        step, state = optimizer.update(gradient, state, weights)
        return (optax.apply_updates(weights, step), state), (loss, accuracy)

    def epoch(carry, key):
        order = jax.random.permutation(key, n)
        whole = order[: steps * BATCH_SIZE].reshape(steps, BATCH_SIZE)
        carry, logs = jax.lax.scan(update, carry, whole)
        if rest:
            carry, _ = update(carry, order[steps * BATCH_SIZE :])
        return carry, (logs, scores(carry[0], x_val, y_val))

    def run(key):
        weights = start(key)
        keys = jax.random.split(key, workload.epochs)
        return jax.lax.scan(epoch, (weights, optimizer.init(weights)), keys)

    train = jax.jit(jax.vmap(run))
    found = {}
    for number, name in enumerate(("cold", "steady")):
        begin = time.perf_counter()
        _, (_, (_, accuracy)) = train(jax.random.split(jax.random.key(number), seeds))
        final = np.asarray(accuracy)[:, -1]  # waits for the result
        found[name] = time.perf_counter() - begin
    return found | {"accuracy": float(final.mean())}


def measure_monitor(workload: Workload, seeds: int) -> dict[str, float]:
    """Median epoch of `fit` without and with the callback, taken in turns."""
    import keras
    import numpy as np

    from nnperf_utils.instruments import Monitor

    data, build = prepared(workload)

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.begins = []

        def on_epoch_begin(self, epoch, logs=None):
            self.begins.append(time.perf_counter())

    # From one beginning to the next, so that what a callback does at the end counts.
    epochs: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(seeds):
        for monitored in (False, True):
            keras.utils.set_random_seed(seed)
            clock = Clock()
            monitor = [Monitor(*data.train)] if monitored else []
            build().fit(
                *data.train,
                epochs=workload.epochs,
                batch_size=BATCH_SIZE,
                verbose=0,
                callbacks=[clock, *monitor],
            )
            # The first epochs trace and compile.
            epochs[monitored] += list(np.diff(clock.begins)[2:])
    without, within = (float(np.median(epochs[m])) for m in (False, True))
    return {"without": without, "with": within, "overhead": within / without - 1}


MEASUREMENTS = {
    "replicate": measure_replicate,
    "fit": measure_fit,
    "2 processes": measure_processes,
    "JAX": measure_jax,
    "Monitor": measure_monitor,
}


def peak_memory(processes: int = 0) -> float:
    """Return the peak memory of this process and its children, in megabytes."""
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + processes * largest_child) / unit


# --------------------------------------------------------------------------- reporting


def measured(method: str, name: str, seeds: int, options: argparse.Namespace) -> dict:
    """Take one measurement in a process of its own, and say so."""
    command = [sys.executable, __file__, "--measure", method, name, str(seeds)]
    command += ["--quick"] * options.quick
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise SystemExit(f"{method} of {name!r} with {seeds} seeds failed, see above.")
    found = json.loads(done.stdout.splitlines()[-1])
    shown = ", ".join(
        f"{k} {v:.2f}" for k, v in found.items() if k in ("cold", "again", "steady")
    )
    many = "seed" if seeds == 1 else "seeds"
    print(f"  {name}, {seeds} {many}, {method}: {shown or found}", flush=True)
    for warning in found.get("warnings", ()):
        print(f"    {warning}")
    return found


def chosen(name: str, quick: bool) -> Workload:
    """Return a workload, cut down if it is to be quick."""
    workload = WORKLOADS[name]
    if not quick:
        return workload
    return Workload(
        **{
            **vars(workload),
            "epochs": max(2, workload.epochs // 5),
            "seeds": (1, 20),
            "fit_calls": 2,
        }
    )


def row(name: str, seeds: int, options: argparse.Namespace) -> dict[str, str]:
    """Measure one row of the table."""
    workload = chosen(name, options.quick)
    found = {"replicate": measured("replicate", name, seeds, options)}
    # Against other numbers of seeds, fit can be told from these.
    if seeds in (1, 20):
        found["fit"] = measured("fit", name, seeds, options)
    if seeds == 20 and not options.quick:
        found["2 processes"] = measured("2 processes", name, seeds, options)
    if workload.jax and options.jax:
        found["JAX"] = measured("JAX", name, seeds, options)

    def seconds(method: str, key: str) -> str:
        if method not in found:
            return ""
        mark = "~" if found[method].get("scaled") else ""
        return f"{mark}{found[method][key]:.2f}"

    def memory(method: str) -> str:
        return f"{found[method]['memory']:.0f}" if method in found else ""

    def ratio(method: str, key: str, ours: str) -> str:
        if method not in found:
            return ""
        return f"{found[method][key] / found['replicate'][ours]:.1f}"

    return {
        "workload": name,
        "seeds": str(seeds),
        "replicate cold s": seconds("replicate", "cold"),
        "again s": seconds("replicate", "again"),
        "steady s": seconds("replicate", "steady"),
        "MB": memory("replicate"),
        "fit s": seconds("fit", "cold"),
        "fit MB": memory("fit"),
        "fit / cold": ratio("fit", "cold", "cold"),
        "fit / steady": ratio("fit", "cold", "steady"),
        "2 processes s": seconds("2 processes", "cold"),
        "2 processes MB": memory("2 processes"),
        "JAX cold s": seconds("JAX", "cold"),
        "JAX steady s": seconds("JAX", "steady"),
        "JAX MB": memory("JAX"),
        "JAX / steady": ratio("JAX", "steady", "steady"),
    }


def table(rows: list[dict[str, str]]) -> str:
    """Lay rows out as a Markdown table whose columns line up."""
    lines = [list(rows[0]), *(list(r.values()) for r in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        metavar="NAME",
        help=f"those whose name holds one of these; of {', '.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, help="instead of each one's own"
    )
    parser.add_argument("--no-jax", dest="jax", action="store_false")
    parser.add_argument("--no-monitor", dest="monitor", action="store_false")
    parser.add_argument(
        "--quick", action="store_true", help="a fifth of the epochs, two calls of fit"
    )
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()

    if options.measure:
        method, name, seeds = options.measure
        found = MEASUREMENTS[method](chosen(name, options.quick), int(seeds))
        found["memory"] = peak_memory(found.get("processes", 0))
        print(json.dumps(found))
        return

    names = [
        name
        for name in WORKLOADS
        if not options.workloads or any(part in name for part in options.workloads)
    ]
    if not names:
        parser.error(f"no workload is named so; there are {', '.join(WORKLOADS)}")
    if options.jax and importlib.util.find_spec("jax") is None:
        print("JAX is not installed: left out (uv sync --group bench brings it).")
        options.jax = False
    start = time.perf_counter()
    rows = [
        row(name, seeds, options)
        for name in names
        for seeds in options.seeds or chosen(name, options.quick).seeds
    ]
    print(f"\n{os.cpu_count()} cores, batch size {BATCH_SIZE}\n\n{table(rows)}\n")
    if options.monitor:
        found = measured("Monitor", MONITORED, 1 if options.quick else 3, options)
        print(
            f"\nMonitor on {MONITORED}: median epoch {1000 * found['without']:.1f} ms "
            f"without, {1000 * found['with']:.1f} ms with it, {found['overhead']:+.1%}"
        )
    print(f"\n{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()

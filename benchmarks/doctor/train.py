"""Train a case with the doctor at its side, and keep what was recorded.

What a training left (weights now and then, curves) is kept as arrays, so that what the
doctor makes of it can be computed again in a second when the doctor has changed.
"""

import ast
import contextlib
import copy
import functools
import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from cases import Case
from networks import build, data_of
from tasks import TASKS

from nnperf_utils.doctor import Doctor
from nnperf_utils.doctor.recording import FitArguments, Recording, Snapshot
from nnperf_utils.doctor.reference import skill

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / "_build" / "doctor"
LOOKING = [
    ROOT / "nnperf_utils" / "doctor" / f"{name}.py"
    for name in (
        "data",
        "network",
        "structure",
        "readings",
        "reference",
        "evidence",
    )
]
"""The modules that evidence depends on."""


class Clock(keras.callbacks.Callback):
    """Time each epoch."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begin."""
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self._start)


def feed(spec: dict, x: np.ndarray, y: np.ndarray) -> tuple[tuple, dict]:
    """Return what ``fit`` is given: arrays, a ``tf.data`` set, or a generator."""
    fit = spec["fit"]
    size = fit["batch_size"]
    weights = {}
    if fit.get("class_weight"):
        labels = y.argmax(axis=1) if y.ndim > 1 else np.ravel(y).astype(int)
        counts = np.bincount(labels)
        weights["class_weight"] = {
            c: len(labels) / (len(counts) * n) for c, n in enumerate(counts) if n
        }
    if fit["feed"] == "tf.data":
        rows = tf.data.Dataset.from_tensor_slices((x, y))
        rows = rows.shuffle(len(x), seed=spec["seed"]).batch(size)
        return (rows,), weights
    if fit["feed"] == "generator":
        steps = -(-len(x) // size)

        def batches() -> Any:
            rng = np.random.default_rng(spec["seed"])
            while True:
                along = rng.permutation(len(x))
                for start in range(0, len(x), size):
                    chosen = along[start : start + size]
                    yield x[chosen], y[chosen]

        return (batches(),), {"steps_per_epoch": steps, **weights}
    return (x, y), {"batch_size": size, "shuffle": fit["shuffle"], **weights}


def train(spec: dict, doctor: bool = True) -> tuple[keras.Model, Doctor, Clock, str]:
    """Train a specification; return the network, doctor, clock, and how it failed."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(spec["seed"])
    x, y, xv, yv = data_of(spec)
    watching = Doctor(x, y, validation_data=(xv, yv))
    model = build(spec, x.shape[1:])
    given, more = feed(spec, x, y)
    clock, failure = Clock(), ""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            model.fit(
                *given,
                validation_data=(xv, yv),
                validation_batch_size=500,
                epochs=spec["fit"]["epochs"],
                verbose=0,
                callbacks=[clock, *([watching] if doctor else [])],
                **more,
            )
    except Exception as error:  # some faults make fit fail: that is what they are
        failure = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    return model, watching, clock, failure


def score(spec: dict, model: keras.Model, failure: str) -> float:
    """Return how well a network does on new rows whose labels are right."""
    if failure:
        return -1.0
    clean = copy.deepcopy(spec)
    clean["data"] = [
        op for op in spec["data"] if op[0] not in ("flip", "shuffle_labels")
    ]
    parts = data_of(clean)
    xv, yv = parts[2], parts[3]
    finite = np.isfinite(xv.reshape(len(xv), -1)).all(axis=1)
    xv, yv = xv[finite], yv[finite]
    out = model.predict(xv, verbose=0, batch_size=256)
    kind = TASKS[spec["task"]].kind
    if not np.isfinite(out).all():
        return -1.0
    if kind == "regression":
        return max(-1.0, skill(yv, out, kind))
    labels = yv.argmax(axis=1) if yv.ndim > 1 else np.ravel(yv)
    if out.shape[1] == 1:
        middle = 0.5 if out.min() >= 0 and out.max() <= 1 else 0.0
        values = np.unique(labels)
        answers = np.where(out.ravel() > middle, values.max(), values.min())
    else:
        answers = out.argmax(axis=1)
    if any(op[0] == "imbalance" for op in spec["data"]):
        classes = np.unique(labels)
        recall = np.mean([np.mean(answers[labels == c] == c) for c in classes])
        return float((recall - 1 / len(classes)) / (1 - 1 / len(classes)))
    low = min(labels.min(), answers.min())  # labels may be -1 and 1
    return skill((labels - low).astype(int), (answers - low).astype(int), kind)


@functools.cache
def _program(path: Path) -> str:
    """Return what a program does, whatever its form, comments and docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            node.body = [
                one
                for one in node.body
                if not (
                    isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
                )
            ]
    return ast.dump(tree)


def digest(*of: Any) -> str:
    """Return a short name for anything that JSON can hold, or what programs do.

    A program's form and comments do not count.
    """
    found = hashlib.sha256()
    for one in of:
        if isinstance(one, Path):
            found.update(_program(one).encode())
        else:
            found.update(json.dumps(one).encode())
    return found.hexdigest()[:16]


def recorded(spec: dict) -> dict[str, Any]:
    """Return what a training left; it is trained where that is not kept yet."""
    path = CACHE / "trainings" / f"{digest(spec)}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            return _unpacked(dict(kept))
    start = time.perf_counter()
    model, doctor, clock, failure = train(spec)
    recording = doctor._recording
    kept: dict[str, Any] = {}
    about: dict[str, Any] = {
        "failure": failure,
        "score": score(spec, model, failure),
        "seconds": time.perf_counter() - start,
        "epoch_seconds": clock.seconds if hasattr(clock, "seconds") else [],
        "doctor_seconds": doctor.seconds,
        "begun": recording is not None,
    }
    if recording is not None:
        about |= {
            "planned": recording.planned,
            "steps": recording.steps,
            "logs": recording.logs,
            "rates": recording.rates,
            "updates": recording.updates,
            "snapshots": [],
        }
        for number, snapshot in enumerate(recording.snapshots):
            parts = [snapshot.trainable, snapshot.non_trainable]
            about["snapshots"].append(
                [snapshot.epoch, snapshot.update, *map(len, parts)]
            )
            for i, part in enumerate(parts):
                for j, array in enumerate(part):
                    kept[f"{number}_{i}_{j}"] = array
    kept["about"] = np.array(json.dumps(about))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **kept)
    part.rename(path)
    return _unpacked(kept)


def _unpacked(kept: dict[str, Any]) -> dict[str, Any]:
    about = json.loads(str(kept["about"]))
    about["copies"] = [
        Snapshot(
            epoch,
            update,
            [kept[f"{number}_0_{j}"] for j in range(trainable)],
            [kept[f"{number}_1_{j}"] for j in range(others)],
        )
        for number, (epoch, update, trainable, others) in enumerate(
            about.pop("snapshots", [])
        )
    ]
    return about


def looked_at(case: Case) -> dict[str, Any]:
    """Return the doctor's evidence of a case, trained and looked at where necessary."""
    path = CACHE / "evidence" / f"{digest(case.spec, *LOOKING)}.json"
    return cached(path, lambda: _looked_at(case))


def cached(path: Path, made: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a file keeps; it is made and kept where there is none."""
    if path.is_file():
        return json.loads(path.read_text("utf-8"))
    found = made()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found), "utf-8")
    part.rename(path)
    return found


def _looked_at(case: Case) -> dict[str, Any]:
    about = recorded(case.spec)
    start = time.perf_counter()
    doctor = revived(case.spec, about)
    evidence = doctor.evidence
    return {
        "facts": plain(evidence.facts),
        "signs": [list(sign) for sign in evidence.signs],
        "notes": evidence.notes,
        "look_seconds": time.perf_counter() - start,
        **{k: v for k, v in about.items() if k != "copies"},
    }


def revived(spec: dict, about: dict[str, Any]) -> Doctor:
    """Return a doctor that has seen the training that was recorded."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(spec["seed"])
    x, y, xv, yv = data_of(spec)
    doctor = Doctor(x, y, validation_data=(xv, yv))
    model = build(spec, x.shape[1:])
    if about["begun"]:
        recording = Recording(model)
        given, more = feed(spec, x, y)
        arrays = len(given) == 2
        recording.arguments = FitArguments(
            x=given[0] if spec["fit"]["feed"] != "generator" else None,
            y=y if arrays else None,
            validation=(xv, yv),
            batch_size=more.get("batch_size"),
            shuffle=more.get("shuffle", True),
            class_weight=more.get("class_weight"),
            known=True,
        )
        recording.fits = 1
        recording.planned, recording.steps = about["planned"], about["steps"]
        recording.logs, recording.rates = about["logs"], about["rates"]
        recording.updates, recording.snapshots = about["updates"], about["copies"]
        doctor._recording = recording
        doctor.set_model(model)
    else:
        kept = [model]  # looked for among all networks of the process
        doctor._kept = kept
    return doctor


def plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts as JSON takes them."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in facts.items()}

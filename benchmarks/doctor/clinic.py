"""Record the clinic: what its patients and their twins show, and what the doctor says.

``python benchmarks/doctor/clinic.py`` trains all of them from two seeds with the
doctor at their side and writes ``nnperf_utils/clinic.json``. No threshold was fitted
on them.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import keras  # noqa: E402
import numpy as np  # noqa: E402
from looks import one_batch  # noqa: E402
from run import named  # noqa: E402

from nnperf_utils import clinic  # noqa: E402
from nnperf_utils.doctor import Doctor  # noqa: E402

SEEDS = range(2)
KEPT = HERE.parents[1] / "_build" / "doctor" / "clinic.jsonl"
RECORD = HERE.parents[1] / "nnperf_utils" / "clinic.json"
OF_CURVE = "first|last|min|max|min_at|rise|end|ups|roughness|swing|jitter|jitter_max"
OF_CURVE += "|gain|gain_share|slope|nan|nan_epoch"
CURVES = re.compile(
    f"(loss|val)_({OF_CURVE})|accuracy_.*|val_accuracy_.*|baseline|start_loss|"
    "train_skill|val_skill|val_skill_best|(train|val)_loss_inference|epochs|updates|"
    "task|classes"
)


def short(values: Any, digits: int = 3) -> list:
    """Return numbers of a few digits."""
    return [float(f"{value:.{digits}g}") for value in np.ravel(values)]


def settings(model: keras.Model) -> list[str]:
    """Return the layers and how the network was compiled, a line each."""
    lines = []
    for layer in model.layers:
        told = layer.get_config()
        kind = type(layer).__name__
        said = [str(told[k]) for k in ("units", "filters", "input_dim") if k in told]
        if kind in ("Dense", "Conv2D", "Activation"):
            said += [told["activation"]] if told["activation"] != "linear" else []
        if kind == "Dense" and told["kernel_initializer"]["class_name"] not in (
            "GlorotUniform",
        ):
            start = told["kernel_initializer"]
            deviation = start["config"].get("stddev")
            said += [start["class_name"] + (f"({deviation})" if deviation else "")]
        if told.get("kernel_regularizer"):
            said += [f"L2({told['kernel_regularizer']['config']['l2']:.2g})"]
        if kind in ("Dropout", "RandomFlip", "BatchNormalization"):
            key = {"Dropout": "rate", "RandomFlip": "mode"}.get(kind, "momentum")
            said += [f"{key}={told[key]}"]
        if kind == "Embedding":
            said += [f"mask_zero={told['mask_zero']}"]
        lines.append(f"{kind}({', '.join(said)})")
    told = model.optimizer.get_config()
    more = [f"rate {told['learning_rate']:.3g}"]
    more += [f"{k} {told[k]}" for k in ("momentum", "global_clipnorm") if told.get(k)]
    return [*lines, f"{type(model.optimizer).__name__}: {', '.join(more)}", model.loss]


def pictures(part: tuple) -> list[list]:
    """Return three pictures as rows of digits, each with its label; of others none."""
    x, y = part
    if x.ndim != 4:
        return []
    found = []
    for row in np.unique(y, return_index=True)[1][:3]:
        gray = x[row, ..., 0]
        gray = (gray - gray.min()) / max(np.ptp(gray), 1e-9)
        lines = ["".join(str(int(v)) for v in np.round(9 * line)) for line in gray]
        found.append([int(y[row]), lines])
    return found


def about(part: tuple) -> dict[str, Any]:
    """Describe rows in a few numbers."""
    x, y = part
    told = {"rows": len(x), "least": x.min(), "mean": x.mean(), "most": x.max()}
    told |= {"spread": x.std()}
    told = {k: float(f"{v:.3g}") for k, v in told.items()}
    if y.dtype.kind == "f":
        told["targets"] = short([y.min(), y.mean(), y.max(), y.std()])
        lined = [abs(np.corrcoef(column, y)[0, 1]) for column in x.T]
        told["likest"] = short([np.argmax(lined), max(lined)])
    else:
        told["classes"] = np.bincount(y).tolist()
    return told


def answers(model: keras.Model, part: tuple) -> dict[str, list]:
    """Return how often each answer is given, and how often it is right to."""
    x, y = part
    out = np.array(model(x, training=False))
    if y.dtype.kind == "f":
        edges = np.linspace(min(out.min(), y.min()), max(out.max(), y.max()), 11)
        told, true = (np.histogram(v, edges)[0] for v in (out, y))
        return {"edges": short(edges), "told": told.tolist(), "true": true.tolist()}
    said = out.argmax(axis=1) if out.shape[1] > 1 else (out.ravel() > 0.5).astype(int)
    count = max(out.shape[1], 2)
    told, true = (np.bincount(v, minlength=count).tolist() for v in (said, y))
    return {"told": told, "true": true}


def layers(doctor: Doctor) -> list[list]:
    """Return of each layer its gradient at start and end, and its dead units."""
    frame = doctor.evidence.frames["layers"]
    first, last = frame["epoch"].min(), frame["epoch"].max()
    rows = []
    for layer, part in frame.groupby("layer", sort=False):
        wide = part.pivot_table(
            index=["epoch", "update"], columns="metric", values="value"
        )
        if "gradient" not in wide and "dead" not in wide:
            continue
        row: list[Any] = [str(layer)]
        for metric in ("gradient", "dead"):
            for epoch in (first, last):
                value = wide[metric].xs(epoch).iloc[0] if metric in wide else np.nan
                row.append(float(f"{value:.3g}") if np.isfinite(value) else None)
        rows.append(row)
    return rows


def readings(one: clinic.Patient, doctor: Doctor, model: keras.Model) -> dict:
    """Return what a reader may look at."""
    logs = doctor._recording.logs
    rows = np.random.default_rng(one.seed).permutation(len(one.train[0]))[:32]
    keras.utils.set_random_seed(one.seed)
    fresh = one.build()
    facts = doctor.evidence.facts
    return {
        "complaint": one.complaint,
        "rows": {"training": about(one.train), "validation": about(one.validation)},
        "pictures": {
            "training": pictures(one.train),
            "validation": pictures(one.validation),
        },
        "settings": settings(fresh),
        "batch": one_batch(fresh, one.train[0][rows], one.train[1][rows]),
        "curves": {key: short([log[key] for log in logs]) for key in logs[0]},
        "layers": layers(doctor),
        "answers": answers(model, one.validation),
        "learner": short([facts["reference"], facts["val_skill"]]),
    }


def recorded(number: int, healthy: bool, seed: int) -> dict[str, Any]:
    """Train a patient or twin, and return what is kept of it."""
    keras.backend.clear_session()
    one = clinic.patient(number, healthy=healthy, seed=seed)
    doctor = Doctor(*one.train, validation_data=one.validation)
    start = time.process_time()
    model = one.fit(doctor)
    trained = time.process_time()
    facts = doctor.evidence.facts
    curves = {k: v for k, v in facts.items() if CURVES.fullmatch(k)}
    kept = {
        "number": number,
        "healthy": healthy,
        "seed": seed,
        "score": float(f"{one.score(model):.4f}"),
        "said": [[f.cause, round(f.confidence, 2)] for f in doctor.findings],
        "curves_alone": named({"facts": curves, "signs": []}),
        "fit_seconds": round(trained - start, 2),
        "look_seconds": round(time.process_time() - trained, 2),
    }
    if seed == 0 and not healthy:
        reasons = [[f.cause, f.confidence, f.reason] for f in doctor.findings[:2]]
        kept["doctor"] = reasons
        kept["readings"] = readings(one, doctor, model)
    return kept


def main() -> None:
    """Record whatever has not been recorded."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    lines = KEPT.read_text("utf-8").splitlines() if KEPT.is_file() else []
    done = {
        (one["number"], one["healthy"], one["seed"]): one
        for one in map(json.loads, lines)
    }
    for seed in SEEDS:
        for number in clinic.PATIENTS:
            for healthy in (False, True):
                if (number, healthy, seed) in done:
                    continue
                one = recorded(number, healthy, seed)
                done[number, healthy, seed] = one
                with KEPT.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(one) + "\n")
                print({k: v for k, v in one.items() if k != "readings"}, flush=True)
    kept = [one for key, one in done.items() if key[2] in SEEDS]
    RECORD.write_text(json.dumps(kept) + "\n", "utf-8")


if __name__ == "__main__":
    main()

"""What two looks before the training find: at rows and settings, and at one batch.

``python benchmarks/doctor/looks.py`` takes the cases that count in ``results.json``, of
the part set aside and the fresh one, lets the doctor look at each untrained, and trains
it for 300 updates on one batch of 32 rows with its own loss and optimizer; after the
name of a part, that part alone. ``nnperf_utils/doctor/figures.json`` keeps what came
out, and the benchmark's figures, for chapter 19; what is done stays in
``_build/doctor``.
"""

import contextlib
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from cases import Case, cases  # noqa: E402
from networks import build, data_of  # noqa: E402
from run import named  # noqa: E402

from nnperf_utils.doctor import network  # noqa: E402
from nnperf_utils.doctor.data import describe_target, part_of  # noqa: E402
from nnperf_utils.doctor.evidence import baseline, gather  # noqa: E402

PARTS = ("set aside", "fresh")
UPDATES = 300
ROWS = 32
KEPT = HERE.parents[1] / "_build" / "doctor" / "looks.jsonl"
FIGURES = HERE.parents[1] / "nnperf_utils" / "doctor" / "figures.json"


def one_batch(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float | None:
    """Return the loss after training on one batch, over that of a constant answer.

    None where the training fails or the loss is no number. Where the best constant
    answer is not known, the loss is compared with that of the start; where it has
    hardly any loss, with 0.1.
    """
    part = part_of(x, y)

    def loss() -> float:
        out = model(x, training=False)
        penalty = sum(float(np.array(value)) for value in model.losses)
        return float(model.compute_loss(x=x, y=y, y_pred=out)) - penalty

    rows = tf.data.Dataset.from_tensors((x, y)).repeat()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            least = -1.0 if network.loss_name(model.loss) == "cosine_similarity" else 0
            start = loss()
            model.fit(rows, steps_per_epoch=UPDATES, epochs=1, verbose=0)
            end = loss()
        name = network.outputs(model)[0].loss
        constant = baseline(name, part, [describe_target(t) for t in part.targets])
    except Exception:  # a fault that makes fit fail: what it cannot learn it cannot
        return None
    if not np.isfinite(constant):
        constant = start - least
    ratio = (end - least) / max(constant, 0.1)
    return float(ratio) if np.isfinite(ratio) else None


def looked_at(case: Case) -> dict[str, Any]:
    """Return what both looks say of a case, and how long they take."""
    spec = case.spec
    keras.backend.clear_session()
    keras.utils.set_random_seed(spec["seed"])
    x, y, xv, yv = data_of(spec)
    model = build(spec, x.shape[1:])
    start = time.process_time()
    evidence = gather(model, None, part_of(x, y), part_of(xv, yv))
    before = named({"facts": evidence.facts, "signs": evidence.signs})
    between = time.process_time()
    rows = np.random.default_rng(spec["seed"]).permutation(len(x))[:ROWS]
    ratio = one_batch(model, x[rows], y[rows])
    return {
        "name": case.name,
        "part": case.part,
        "cause": case.cause,
        "accepted": list(case.accepted),
        "before": before,
        "before_seconds": round(between - start, 2),
        "batch": None if ratio is None else round(ratio, 4),
        "batch_seconds": round(time.process_time() - between, 2),
    }


def figures(looks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all that the chapter shows of the benchmark."""
    results = json.loads((HERE / "results.json").read_text("utf-8"))
    first = json.loads((HERE / "first_scoring.json").read_text("utf-8"))
    blind = json.loads((HERE / "first_scoring_of_others.json").read_text("utf-8"))
    counted = ("faulty", "healthy", "doctor")
    parts = results["parts"] | {
        "fresh": json.loads((HERE / "first_scoring_of_fresh.json").read_text("utf-8"))
    }
    wanted = ("faulty", "healthy", "doctor", "rivals", "missed", "remedies")
    wanted += ("overhead",)
    return {
        "date": results["date"],
        "first scoring": first,
        "parts": {name: {key: parts[name][key] for key in wanted} for name in PARTS},
        "others": {
            f"{name} set, first scoring": {key: of[key] for key in counted}
            for name, of in blind["sets"].items()
        },
        "looks": looks,
    }


def done() -> dict[tuple[str, str], dict[str, Any]]:
    """Return what has been looked at, by part and name."""
    lines = KEPT.read_text("utf-8").splitlines() if KEPT.is_file() else []
    return {(one["part"], one["name"]): one for one in map(json.loads, lines)}


def main() -> None:
    """Look at all cases that have not been looked at."""
    results = json.loads((HERE / "results.json").read_text("utf-8"))["parts"]
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    wanted = [
        case
        for part in PARTS
        for case in cases(part)
        if case.name not in results[part]["dropped"]
    ]
    for number, case in enumerate(wanted, 1):
        asked = sys.argv[1:] in ([], [case.part])
        if asked and (case.part, case.name) not in done():
            one = looked_at(case)
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(one) + "\n")
            print(f"{number}/{len(wanted)}", one, flush=True)
    kept = done()
    missing = [case for case in wanted if (case.part, case.name) not in kept]
    if missing:
        sys.exit(f"{len(missing)} cases have not been looked at yet")
    found = [kept[case.part, case.name] for case in wanted]
    FIGURES.write_text(json.dumps(figures(found), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

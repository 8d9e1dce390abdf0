"""Tell how often the doctor is right about networks that others wrote.

``python benchmarks/doctor/others.py`` trains what is in ``by_others``, whose authors
knew the names of the causes and nothing of the doctor, prints its figures and keeps
them in ``others.json``. What was trained is kept in ``_build/doctor``, until it or what
the doctor looks at changes.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "by_others"), str(HERE.parents[1])]

SETS = {
    "first": ("tables", "pictures", "sequences", "unusual", "questions"),
    "second": ("contests", "laboratory", "homework"),
}
"""The second was scored after the rules had been mended on the first."""
RESULTS = HERE / "others.json"
MOST_ROWS = 2000


def trainings(chosen: str) -> list:
    """Return a set's trainings."""
    from registry import TRAININGS

    for module in SETS[chosen]:
        importlib.import_module(module)
    return [t for t in TRAININGS.values() if t.make.__module__ in SETS[chosen]]


def drawn(source: Any) -> tuple | None:
    """Return the first rows of a ``tf.data`` set or ``PyDataset``, as they are fed."""
    import keras
    import numpy as np

    if isinstance(source, keras.utils.PyDataset):
        batches = (source[number] for number in range(source.num_batches))
    elif hasattr(source, "element_spec"):
        batches = source.as_numpy_iterator()
    else:
        return None
    kept: list[tuple] = []
    for batch in batches:
        kept.append(batch[:2])
        if sum(len(keras.tree.flatten(y)[0]) for _, y in kept) >= MOST_ROWS:
            break
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *kept)


def rows(given: dict[str, Any]) -> tuple[tuple, tuple | None]:
    """Return the rows that `fit` is given, as a reader would give them."""
    train = (given["x"], given.get("y"))
    if train[1] is None:
        train = drawn(given["x"]) or (None, None)
    validation = given.get("validation_data")
    if validation is not None and not isinstance(validation, (tuple, list)):
        validation = drawn(validation)
    return train, validation


def watched(training: Any) -> dict[str, Any]:
    """Return the doctor's evidence of a training, trained where it is not kept yet."""
    from train import CACHE, LOOKING, cached, digest

    source = Path(sys.modules[training.make.__module__].__file__)
    name = f"{training.name}_{digest(training.name, source, *LOOKING)}.json"
    return cached(CACHE / "others" / name, lambda: looked_at(training))


def looked_at(training: Any) -> dict[str, Any]:
    """Train with the doctor at the side, and return its evidence."""
    import keras
    from train import plain

    from nnperf_utils.doctor import Doctor

    keras.backend.clear_session()
    train, validation = rows(training.make()[1])  # not those that the training reads
    doctor = Doctor(*train, validation_data=validation)
    keras.utils.set_random_seed(0)
    model, given = training.make()
    failure, logs = "", {}
    given = dict(given)
    callbacks = [*given.pop("callbacks", []), doctor]
    start = time.perf_counter()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            logs = model.fit(**given, callbacks=callbacks, verbose=0).history
    except Exception as error:  # some faults make fit fail: that is what they are
        failure = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    seconds = time.perf_counter() - start
    evidence = doctor.evidence
    return {
        "facts": plain(evidence.facts),
        "signs": [list(sign) for sign in evidence.signs],
        "notes": evidence.notes,
        "failure": failure,
        "logs": {k: [float(v) for v in values] for k, values in logs.items()},
        "seconds": seconds,
    }


def work(chosen: str, share: str) -> None:
    """Watch every n-th training from the k-th on, and say what the doctor says."""
    from run import named

    first, step = map(int, share.split("/"))
    mine = trainings(chosen)[first::step]
    for number, training in enumerate(mine, 1):
        found = watched(training)
        said = ", ".join(named(found)) or "nothing"
        print(
            f"{chosen} {share}: {number}/{len(mine)} {training.name} "
            f"[{training.cause}]: {said} ({found['seconds']:.0f} s)",
            flush=True,
        )


def gathered(chosen: str) -> dict[str, Any]:
    """Return a set's figures."""
    from run import named
    from scoring import Said, confusions, tally

    said = [Said(one, named(watched(one))) for one in trainings(chosen)]
    return {
        "faulty": sum(bool(s.case.cause) for s in said),
        "healthy": sum(not s.case.cause for s in said),
        "doctor": tally(said),
        "confusions": confusions(said),
        "missed": [s.case.name for s in said if s.case.cause and not s.causes],
        "other name first": [
            f"{s.case.name}: {s.case.cause}, said {', '.join(s.causes)}"
            for s in said
            if s.case.cause
            and s.causes
            and s.causes[0] not in {s.case.cause, *s.case.accepted}
        ],
        "false": [
            f"{s.case.name}: {', '.join(s.causes)}"
            for s in said
            if not s.case.cause and s.causes
        ],
    }


def show(chosen: str, figures: dict[str, Any]) -> None:
    """Print a set's figures."""
    print(
        f"\n## {chosen} set: {figures['faulty']} faulty, {figures['healthy']} healthy"
    )
    for key in ("found", "false alarms", "first", "first or second"):
        row = figures["doctor"][key]
        low, high = row["interval"]
        print(f"{key}: {row['hits']} of {row['of']} ({low:.0%} to {high:.0%})")
    for key in ("missed", "other name first", "false"):
        print(f"\n{key}:", *figures[key] or ["none"], sep="\n- ")


def main() -> None:
    """Run what was asked for."""
    from run import in_workers

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=(*SETS, "all"), default="all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", nargs=2, metavar=("SET", "K/N"), help="for itself")
    asked = parser.parse_args()
    if asked.work:
        work(*asked.work)
        return
    results = {}
    for chosen in SETS if asked.set == "all" else (asked.set,):
        in_workers(__file__, chosen, asked.workers)
        results[chosen] = gathered(chosen)
        show(chosen, results[chosen])
    if asked.set == "all":
        about = {"date": date.today().isoformat(), "sets": results}
        RESULTS.write_text(json.dumps(about, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

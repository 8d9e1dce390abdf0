"""How often is the doctor right? The table of `make doctor`.

``python benchmarks/doctor/run.py`` trains every case once, lets the doctor look at it,
applies the remedy of what it named first, and prints the table of the part that was
set aside; ``--part development`` that of the other. Whatever was trained and looked at
is kept in ``_build/doctor``: a run that is broken off goes on where it stopped.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent))

PARTS = ("development", "set aside", "fresh")
TITLES = {
    "development": "the development part, on which the rules were fitted",
    "set aside": "the part set aside, scored again after what its first scoring showed "
    "was mended (the first is kept in first_scoring.json)",
    "fresh": "the fresh part, drawn after that and scored once; scored again after the "
    "networks of others (its first score is kept in first_scoring_of_fresh.json)",
}
RESULTS = Path(__file__).parent / "results.json"
LIKE_TWIN = 0.9  # of the twin's score is as good as the twin


def named(found: dict[str, Any]) -> list[str]:
    """Return the causes that the doctor reports, the likeliest first."""
    from nnperf_utils.doctor.rules import REPORTED, suspicions
    from nnperf_utils.doctor.structure import Sign

    suspected = suspicions(found["facts"], [Sign(*sign) for sign in found["signs"]])
    return [one.cause for one in suspected if one.strength >= REPORTED]


def work(part: str, share: str) -> None:
    """Train, look at and treat every n-th case from the k-th on, and say so."""
    from cases import cases
    from remedies import applied
    from train import looked_at, recorded

    first, step = map(int, share.split("/"))
    chosen = cases(part)[first::step]
    for number, case in enumerate(chosen, 1):
        start = time.perf_counter()
        found = looked_at(case)
        causes = named(found)
        said = ", ".join(causes) or "nothing"
        if case.cause and causes and part != "development":
            recorded(applied(causes[0], case.spec))
        print(
            f"{part} {share}: {number}/{len(chosen)} {case.name}: {said} "
            f"({time.perf_counter() - start:.0f} s)",
            flush=True,
        )


def gathered(part: str) -> dict[str, Any]:
    """Return the figures of a part, whose cases have all been worked through."""
    import numpy as np
    from cases import FAULTS, cases
    from remedies import applied
    from rivals import RIVALS
    from scoring import Said, by_cause, confusions, sound, tally, wilson
    from train import looked_at, recorded

    seen = {case.name: (case, looked_at(case)) for case in cases(part)}
    said: list[Said] = []
    dropped: list[str] = []
    rivals: dict[str, list[Said]] = {name: [] for name in RIVALS}
    restored = treated = by_name = of_name = 0
    overhead = []
    for case, found in seen.values():
        twin = seen[case.twin][1]["score"] if case.twin else None
        if not sound(case, found["score"], twin, found["facts"]):
            dropped.append(case.name)
            continue
        causes = named(found)
        said.append(Said(case, causes))
        for name, rival in RIVALS.items():
            logs = found.get("logs", [])
            rivals[name].append(Said(case, rival(found["facts"], logs)))
        if found["epoch_seconds"]:
            each = found["doctor_seconds"] / len(found["epoch_seconds"])
            overhead.append(each / np.median(found["epoch_seconds"]))
        if case.cause and causes and part != "development":
            after = recorded(applied(causes[0], case.spec))["score"]
            treated += 1
            restored += after >= LIKE_TWIN * twin
            if causes[0] in {case.cause, *case.accepted}:
                of_name += 1
                by_name += after >= LIKE_TWIN * twin
    return {
        "faulty": sum(bool(s.case.cause) for s in said),
        "healthy": sum(not s.case.cause for s in said),
        "dropped": dropped,
        "doctor": tally(said),
        "rivals": {name: tally(of_rival) for name, of_rival in rivals.items()},
        "by cause": {cause: by_cause(said).get(cause) for cause in FAULTS},
        "confusions": confusions(said),
        "missed": [s.case.name for s in said if s.case.cause and not s.causes],
        "false": [
            f"{s.case.name}: {', '.join(s.causes)}"
            for s in said
            if not s.case.cause and s.causes
        ],
        "remedies": {
            "of all found": {
                "hits": restored,
                "of": treated,
                "share": restored / max(treated, 1),
                "interval": wilson(restored, treated),
            },
            "where the first cause was right": {
                "hits": by_name,
                "of": of_name,
                "share": by_name / max(of_name, 1),
                "interval": wilson(by_name, of_name),
            },
        },
        "overhead": {
            "median": float(np.median(overhead)),
            "nine in ten below": float(np.quantile(overhead, 0.9)),
        },
    }


def show(part: str, figures: dict[str, Any]) -> None:
    """Print a part's figures as Markdown."""
    counts = f"{figures['faulty']} faulty, {figures['healthy']} healthy"
    print(f"\n## {counts}: {TITLES[part]}\n")
    print("| | recall | false alarms | first cause | first or second |")
    print("|---|---|---|---|---|")
    for name, table in {"the doctor": figures["doctor"], **figures["rivals"]}.items():
        cells = []
        for key in ("found", "false alarms", "first", "first or second"):
            low, high = table[key]["interval"]
            cells.append(f"{table[key]['share']:.0%} ({low:.0%} to {high:.0%})")
        print(f"| {name} | {' | '.join(cells)} |")
    for name, row in figures["remedies"].items() if part != "development" else ():
        low, high = row["interval"]
        print(
            f"\nThe remedy, {name}, does as well as the twin in {row['hits']} of "
            f"{row['of']} ({row['share']:.0%}, {low:.0%} to {high:.0%})."
        )
    print(
        f"\nOverhead: {figures['overhead']['median']:.1%} of an epoch, the median; "
        f"nine in ten below {figures['overhead']['nine in ten below']:.1%}."
    )
    print("\n| cause | planted | found | first | first or second | first named |")
    print("|---|---|---|---|---|---|")
    for cause, row in figures["by cause"].items():
        if row:
            others = ", ".join(
                f"{name} {n}"
                for name, n in figures["confusions"].get(cause, {}).items()
            )
            print(
                f"| {cause} | {row['planted']} | {row['found']} | {row['first']} | "
                f"{row['second']} | {others} |"
            )
    for name in ("false", "dropped"):
        print(f"\n{name}: {'; '.join(figures[name]) or 'none'}")


def in_workers(program: str, part: str, count: int) -> None:
    """Let a program work through a part in so many processes, and wait for them."""
    command = [sys.executable, program, "--work", part]
    workers = [subprocess.Popen([*command, f"{k}/{count}"]) for k in range(count)]
    if any([worker.wait() for worker in workers]):  # of all, before it is told
        sys.exit("a worker failed; run again to go on where it stopped")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", nargs=2, metavar=("PART", "K/N"), help="for itself")
    asked = parser.parse_args()
    if asked.work:
        work(*asked.work)
        return
    parts = PARTS if asked.part == "all" else (asked.part,)
    start = time.perf_counter()
    results = {}
    for part in parts:
        in_workers(__file__, part, asked.workers)
        results[part] = gathered(part)
    for part, figures in results.items():
        show(part, figures)
    if asked.part == "all":
        import keras
        import sklearn
        import tensorflow

        versions = {m.__name__: m.__version__ for m in (keras, tensorflow, sklearn)}
        about = {
            "date": date.today().isoformat(),
            "versions": versions,
            "minutes": round((time.perf_counter() - start) / 60, 1),
        }
        RESULTS.write_text(
            json.dumps(about | {"parts": results}, indent=1) + "\n", "utf-8"
        )


if __name__ == "__main__":
    main()

"""Execute all chapters with everything drawn anew, and record what comes out.

``python scripts/replicate.py 1000`` adds 1000 to every seed of the course, compares
verdicts and estimates with those of the published run, and writes
``claims/replications/1000.json``.  ``--data diabetes`` takes the reader's own table
from ``NNPERF_DIABETES_CSV`` besides.  Chapters that were finished before an
interruption are not executed again.  ``--chapter 07`` executes that chapter alone and
puts what comes out in its place in the record that there is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import execute
from alone import alone

from nnperf_utils import catalog, replications, seeds
from nnperf_utils.catalog import Claim
from nnperf_utils.claims import read_evidence

Evidence = dict[str, dict]
TABLES = {"diabetes": execute.OWN_TABLE}
PACKAGES = ("keras", "tensorflow", "numpy", "scikit-learn")


def evidence(folder: Path, chapters: Iterable[Path]) -> Evidence:
    """Return what the executed chapters in a folder say about the claims."""
    return {
        one["id"]: one
        for chapter in chapters
        if (folder / chapter.name).is_file()
        for one in read_evidence(execute.read_json(folder / chapter.name))
    }


def outside(fresh: dict, published: dict) -> list[str]:
    """Return the effects whose fresh estimate is outside the published interval."""
    found = []
    for name, ends in fresh["effects"].items():
        before = published["effects"].get(name)
        exact = before is None or before["low"] == before["high"]
        if not exact and not before["low"] <= ends["value"] <= before["high"]:
            found.append(name)
    return found


def versions() -> dict[str, str]:
    """Return with what a record is made."""
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python} | {name: version(name) for name in PACKAGES}


def commit() -> str:
    """Return the commit that is checked out."""
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=execute.ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit("a record names the commit, and git knows none here: clone the course")
    return done.stdout.strip()


def record(
    fresh: Evidence,
    published: Evidence,
    claims: dict[str, Claim],
    offset: int,
    tables: dict[str, str],
    made_at: str,
) -> dict:
    """Put together a record in the form that `nnperf_utils.replications` reads."""
    return {
        "seeds": offset,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": versions(),
        "tables": tables,
        "claims": {
            name: {
                "digest": claims[name].digest,
                "commit": made_at,
                "verdict": one["verdict"],
                "effects": {
                    effect: {end: ends[end] for end in ("value", "low", "high")}
                    for effect, ends in one["effects"].items()
                },
                "outside": outside(one, published[name]),
            }
            for name, one in fresh.items()
            if name in claims and name in published
        },
    }


def check_alike(before: dict, tables: dict[str, str]) -> None:
    """Refuse to put chapters into a record that was made otherwise.

    Raises
    ------
    ValueError
        If the record was made with other packages or another table.
    """
    for key, now in {"versions": versions(), "tables": tables}.items():
        if before[key] != now:
            raise ValueError(
                f"the record was made with the {key} {before[key]}, this run with "
                f"{now}: run all chapters, not some."
            )


def merged(before: dict, made: dict, known: Collection[str]) -> dict:
    """Put the claims of some chapters in their place in a record."""
    kept = {name: one for name, one in before["claims"].items() if name in known}
    return made | {"claims": kept | made["claims"]}


def told(made: dict, published: Evidence) -> str:
    """Say how the fresh run compares with the published one."""
    turned = [
        f"{name}: {published[name]['verdict']} → {one['verdict']}"
        for name, one in made["claims"].items()
        if one["verdict"] != published[name]["verdict"]
    ]
    estimates = sum(len(one["effects"]) for one in made["claims"].values())
    out = sum(len(one["outside"]) for one in made["claims"].values())
    total = len(made["claims"])
    lines = [
        f"{total - len(turned)} of {total} verdicts came out the same; "
        f"{out} of {estimates} estimates lie outside the published interval"
    ]
    return "\n".join(lines + [f"  {line}" for line in turned])


def main() -> int:
    """Make a fresh run and its record; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make replicate", description="run all chapters with fresh seeds"
    )
    parser.add_argument("seeds", type=int, nargs="?", help="added to every seed")
    parser.add_argument("--data", choices=TABLES, help="a table of your own")
    parser.add_argument("--chapter", nargs="*", default=[], help="only these")
    arguments = parser.parse_args()
    if not arguments.seeds or arguments.seeds < 1:
        sys.exit("say by how much to shift all seeds: make replicate SEEDS=1000")
    name, tables = str(arguments.seeds), {}
    if arguments.data:
        variable = TABLES[arguments.data]
        own = os.environ.get(variable)
        if not own or not Path(own).is_file():
            sys.exit(f"DATA={arguments.data} takes the table's path from {variable}")
        name += f"-{arguments.data}"
        tables[arguments.data] = f"sha256 {execute.file_digest(Path(own))}"
    elif os.environ.get(execute.OWN_TABLE):
        sys.exit(f"{execute.OWN_TABLE} is set; say DATA=diabetes to make use of it")
    try:
        chapters = [*map(execute.find_chapter, arguments.chapter)] or execute.chapters()
    except ValueError as error:
        sys.exit(str(error))
    target = catalog.claims_folder() / "replications" / f"{name}.json"
    before, made_at = None, commit()
    if arguments.chapter and target.is_file():
        before = execute.read_json(target)
        try:
            check_alike(before, tables)
        except ValueError as error:
            sys.exit(str(error))
    published = evidence(execute.EXECUTED, chapters)
    folder = execute.EXECUTED / f"replicate-{name}"
    environment = os.environ | {
        seeds.VARIABLE: str(arguments.seeds),
        "NNPERF_EXECUTED": str(folder),
    }
    with alone("replicate.py"):
        script = Path(__file__).with_name("execute.py")
        names = [chapter.stem for chapter in chapters]
        command = [sys.executable, str(script), *names]
        status = subprocess.run(command, env=environment).returncode
        if status:
            return status
        claims = catalog.load_claims().claims
        fresh = evidence(folder, chapters)
        made = record(fresh, published, claims, arguments.seeds, tables, made_at)
        missing = sorted(set(published) - set(made["claims"]))
        if missing:
            sys.exit(f"the fresh run judges {missing[0]} nowhere")
        whole = made if before is None else merged(before, made, claims)
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as place:
            written = Path(place, target.name)
            written.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
            replications.load_replications(place)  # it must be readable
            written.replace(target)
    print(told(made, published))
    print(f"recorded in {target.relative_to(execute.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Execute the chapters: each notebook once for each state of what it depends on.

``python scripts/execute.py`` brings every notebook up to date and ends non-zero
if one fails; ``--list`` only says which are out of date, and why.  Results stay
in ``.executed/``, where the book and the tests find them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
EXECUTED = ROOT / ".executed"


def read_json(path: Path) -> dict:
    """Return the content of a JSON file, notebooks included."""
    return json.loads(path.read_text(encoding="utf-8"))


def chapters() -> list[Path]:
    """Return the chapters' notebooks in the order of the book."""
    return sorted(CHAPTERS.glob("*.ipynb"))


def code_cells(notebook: dict) -> list[dict]:
    """Return the code cells of a notebook.

    The set-up cell of an adopted notebook is not among them: here it does nothing.
    """
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in cells if cell.get("id") != "set-up"]


def _shared_files() -> Iterator[Path]:
    """Yield the files that every notebook depends on."""
    yield from sorted((ROOT / "nnperf_utils").rglob("*.py"))
    for path in sorted((ROOT / "data").glob("*")):
        if path.is_file() and path.suffix != ".md":
            yield path
    yield from sorted((ROOT / "claims").glob("*.yml"))
    yield ROOT / "uv.lock"


def shared_state() -> str:
    """Return a digest of all that every notebook depends on."""
    digest = hashlib.sha256(".".join(map(str, sys.version_info[:3])).encode())
    # a reader's own table is an input like the one that the course ships
    own_table = os.environ.get("NNPERF_DIABETES_CSV")
    for path in [*_shared_files(), *([Path(own_table)] if own_table else [])]:
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.name}:{content}\n".encode())
    return digest.hexdigest()


def notebook_state(notebook: dict, shared: str) -> str:
    """Return a digest of a notebook's code and of what it depends on.

    Prose, captions and alternative texts are left out: changing them must not
    make a notebook run again.
    """
    digest = hashlib.sha256(shared.encode())
    for cell in code_cells(notebook):
        may_raise = "raises-exception" in cell["metadata"].get("tags", [])
        digest.update(json.dumps(["".join(cell["source"]), may_raise]).encode())
    return digest.hexdigest()


def executed_path(chapter: Path) -> Path:
    """Return where the executed notebook of a chapter is kept."""
    return EXECUTED / chapter.name


def record_path(chapter: Path) -> Path:
    """Return where a chapter's state, seconds and peak memory are kept."""
    return EXECUTED / f"{chapter.stem}.json"


def is_current(chapter: Path, shared: str) -> bool:
    """Tell whether a chapter's executed notebook belongs to its present state."""
    record = record_path(chapter)
    if not (record.is_file() and executed_path(chapter).is_file()):
        return False
    return read_json(record)["state"] == notebook_state(read_json(chapter), shared)


def with_outputs(chapter: Path) -> dict:
    """Return a chapter as it stands, prose included, with its run's outputs.

    Raises
    ------
    RuntimeError
        If the chapter has not been executed in its present state.
    """
    if not is_current(chapter, shared_state()):
        raise RuntimeError(
            f"{chapter.name} has not been executed in its present state; "
            "run `make book` instead of building the book by hand."
        )
    notebook = read_json(chapter)
    executed = read_json(executed_path(chapter))
    pairs = zip(code_cells(notebook), code_cells(executed), strict=True)
    for cell, ran in pairs:
        cell["outputs"] = ran["outputs"]
        cell["execution_count"] = ran["execution_count"]
    return notebook


def _run_one(notebook: Path) -> int:
    """Run a notebook through nbmake, in a process of its own; return its status."""
    command = [sys.executable, "-m", "pytest", "--nbmake", "--overwrite"]
    command += [
        "--nbmake-timeout=600",
        "-p",
        "nbmake_progress",
        "-p",
        "no:cacheprovider",
    ]
    command += ["-c", os.devnull, "--rootdir", str(notebook.parent), str(notebook)]
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent),
        # a reader's own start-up files must not change what a chapter does
        "IPYTHONDIR": str(EXECUTED / "ipython"),
        "NNPERF_EXECUTED": str(EXECUTED),
    }
    return subprocess.run(command, env=environment, cwd=notebook.parent).returncode


def _run(stale: list[Path], shared: str) -> int:
    """Run notebooks, one for each core at a time; return 0 if all of them passed."""
    work = EXECUTED / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    states = {}
    for chapter in stale:
        shutil.copy(chapter, work)
        states[chapter.stem] = notebook_state(read_json(chapter), shared)
    (work / "states.json").write_text(json.dumps(states), encoding="utf-8")
    # The last chapters take longest; begun first, none of them ends up running alone.
    copies = [work / chapter.name for chapter in reversed(stale)]
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        return int(any([*pool.map(_run_one, copies)]))
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(work, ignore_errors=True)


def main() -> int:
    """Execute what is out of date; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="say what is out of date")
    arguments = parser.parse_args()
    shared = shared_state()
    stale = [chapter for chapter in chapters() if not is_current(chapter, shared)]
    if arguments.list:
        print("\n".join(chapter.stem for chapter in stale))
        return 0
    kept = len(chapters()) - len(stale)
    print(f"notebooks: {len(stale)} to execute, {kept} up to date", flush=True)
    try:
        return _run(stale, shared) if stale else 0
    except KeyboardInterrupt:
        print("interrupted: the next run executes what was not finished")
        return 130


if __name__ == "__main__":
    sys.exit(main())

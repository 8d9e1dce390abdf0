"""Execute the chapters: each notebook once for each state of what it depends on.

``python scripts/execute.py`` brings every notebook up to date and ends non-zero
if one fails, with numbers or names of chapters those alone; ``--list`` only says
which are out of date, and why.  Results stay in ``.executed/``, where the book and
the tests find them, each with a record of the files that the kernel used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alone import alone

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
# a fresh run for a replication has a folder of its own
EXECUTED = Path(os.environ.get("NNPERF_EXECUTED", ROOT / ".executed"))
OWN_TABLE = "NNPERF_DIABETES_CSV"
SEEDS = "NNPERF_SEEDS"  # shifts all seeds


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


def notebook_state(notebook: dict) -> str:
    """Return a digest of a notebook's code.

    Prose, captions and alternative texts are left out: changing them must not
    make a notebook run again.
    """
    digest = hashlib.sha256()
    for cell in code_cells(notebook):
        may_raise = "raises-exception" in cell["metadata"].get("tags", [])
        digest.update(json.dumps(["".join(cell["source"]), may_raise]).encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str | None:
    """Return a digest of a file's content, or nothing where there is no file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def surroundings() -> dict[str, str | None]:
    """Return what every notebook depends on besides the files that it uses."""
    # a reader's own table is an input like the one that the course ships
    own_table = os.environ.get(OWN_TABLE)
    return {
        "Python": ".".join(map(str, sys.version_info[:3])),
        OWN_TABLE: file_digest(Path(own_table)) if own_table else None,
        SEEDS: os.environ.get(SEEDS),
    }


def course_files() -> dict[str, str]:
    """Return the digest of every file that a notebook may use."""
    folders = (ROOT / name for name in ("nnperf_utils", "data", "claims", "labs"))
    found = [path for folder in folders for path in folder.rglob("*")]
    return {
        path.relative_to(ROOT).as_posix(): digest
        for path in [*found, ROOT / "uv.lock"]
        if "__pycache__" not in path.parts and (digest := file_digest(path))
    }


def depends_on(chapter: str, used: list[str]) -> list[str]:
    """Return the files that decide what a chapter puts out.

    Parameters
    ----------
    chapter : str
    used : list of str
        The files that its kernel used, as it recorded them.

    Returns
    -------
    list of str
        The same without prose and without other chapters' claims, which are read but
        not judged, and with the lock.
    """
    own = {f"claims/{chapter}.yml", "claims/scales.yml"}
    judges = any(name.startswith("claims/") for name in used)
    rest = {name for name in used if not name.startswith("claims/")}
    rest = {name for name in rest if not name.endswith(".md")}
    return sorted(rest | (own if judges else set()) | {"uv.lock"})


def executed_path(chapter: Path) -> Path:
    """Return where the executed notebook of a chapter is kept."""
    return EXECUTED / chapter.name


def record_path(chapter: Path) -> Path:
    """Return where a chapter's state, seconds and peak memory are kept."""
    return EXECUTED / f"{chapter.stem}.json"


def why_stale(chapter: Path) -> list[str]:
    """Return why a chapter must be executed, a reason each; none if it need not be."""
    record = read_json(record_path(chapter)) if record_path(chapter).is_file() else {}
    # a record of another form is none
    if not (executed_path(chapter).is_file() and "files" in record):
        return ["never executed"]
    reasons = []
    if record["code"] != notebook_state(read_json(chapter)):
        reasons.append("its code changed")
    for name, digest in record["files"].items():
        now = file_digest(ROOT / name)
        if now != digest:
            change = "is gone" if now is None else "changed" if digest else "is new"
            reasons.append(f"{name} {change}")
    now = surroundings()
    reasons += [f"{k} changed" for k in now if now[k] != record["surroundings"].get(k)]
    return reasons


def is_current(chapter: Path) -> bool:
    """Tell whether a chapter's executed notebook belongs to its present state."""
    return not why_stale(chapter)


def find_chapter(name: str) -> Path:
    """Return the chapter of a number or a name, ``07``, ``7`` or ``07_topic``.

    Raises
    ------
    ValueError
        If there is none, with one sentence that lists those that there are.
    """
    number = name.zfill(2) if name.isdecimal() else None
    for chapter in chapters():
        if chapter.stem == name or chapter.stem.partition("_")[0] == number:
            return chapter
    known = ", ".join(chapter.stem for chapter in chapters())
    raise ValueError(
        f"there is no chapter {name!r}: expected a number or name, {known}."
    )


def with_outputs(chapter: Path) -> dict:
    """Return a chapter as it stands, prose included, with its run's outputs.

    Raises
    ------
    RuntimeError
        If the chapter has not been executed in its present state.
    """
    if reasons := why_stale(chapter):
        raise RuntimeError(
            f"{chapter.name} has not been executed in its present state "
            f"({', '.join(reasons)}); run `make book` instead of building the book by "
            "hand."
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
        # the package that lies here, wherever another is installed
        "PYTHONPATH": os.pathsep.join(map(str, (Path(__file__).parent, ROOT))),
        # a reader's own start-up files must not change what a chapter does
        "IPYTHONDIR": str(EXECUTED / "ipython"),
        "NNPERF_EXECUTED": str(EXECUTED),
        "NNPERF_USED": str(notebook.with_suffix(".used")),
    }
    return subprocess.run(command, env=environment, cwd=notebook.parent).returncode


def _run(stale: list[Path]) -> int:
    """Run notebooks, one for each core at a time; return 0 if all of them passed."""
    work = EXECUTED / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    profile = EXECUTED / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    extensions = ["kernel_record"]
    if os.environ.get(SEEDS):
        extensions.append("nnperf_utils.seeds")
    extension = {"InteractiveShellApp": {"extensions": extensions}}
    (profile / "ipython_config.json").write_text(json.dumps(extension), "utf-8")
    # as it is now: what changes while a notebook runs makes it run again
    state = {"files": course_files(), "surroundings": surroundings(), "code": {}}
    for chapter in stale:
        shutil.copy(chapter, work)
        state["code"][chapter.stem] = notebook_state(read_json(work / chapter.name))
    (work / "state.json").write_text(json.dumps(state), encoding="utf-8")
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
    parser.add_argument("chapter", nargs="*", help="only these, by number or name")
    arguments = parser.parse_args()
    try:
        asked = [*map(find_chapter, arguments.chapter)] or chapters()
    except ValueError as error:
        sys.exit(str(error))
    if arguments.list:
        for chapter in asked:
            if reasons := why_stale(chapter):
                print(f"{chapter.stem}  {', '.join(reasons)}")
        return 0
    with alone("execute.py"):
        stale = [chapter for chapter in asked if not is_current(chapter)]
        kept = len(asked) - len(stale)
        print(f"notebooks: {len(stale)} to execute, {kept} up to date", flush=True)
        try:
            return _run(stale) if stale else 0
        except KeyboardInterrupt:
            print("interrupted: the next run executes what was not finished")
            return 130


if __name__ == "__main__":
    sys.exit(main())

"""The notebooks run once for each state, and a failure is told in full."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
CELL = nbformat.v4.new_code_cell
PROSE = nbformat.v4.new_markdown_cell


def write(path: Path, *cells) -> None:
    """Write a notebook whose cells' ids do not change from call to call."""
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(notebook, path)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Make a course of two quick chapters, in a path that holds a space."""
    root = tmp_path / "a course"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    for folder in ("chapters", "nnperf_utils", "data"):
        (root / folder).mkdir()
    (root / "nnperf_utils" / "module.py").write_text("x = 1\n")
    (root / "data" / "table.csv").write_text("a,b\n")
    (root / "claims").mkdir()
    (root / "claims" / "scales.yml").write_text("{}\n")
    write(root / "chapters" / "01_one.ipynb", PROSE("One."), CELL("print(1)"))
    write(root / "chapters" / "02_two.ipynb", PROSE("Two."), CELL("print(2)"))
    return root


def execute(root: Path, *options: str) -> subprocess.CompletedProcess:
    """Run the script from another working directory."""
    command = [sys.executable, str(root / "scripts" / "execute.py"), *options]
    return subprocess.run(command, cwd="/", capture_output=True, text=True)


def stale(root: Path) -> list[str]:
    """Return the chapters that the next run would execute."""
    return execute(root, "--list").stdout.split()


def test_each_notebook_runs_once_per_state(book):
    chapters = ["01_one", "02_two"]
    assert stale(book) == chapters
    first = execute(book)
    assert first.returncode == 0, first.stdout + first.stderr
    for chapter in chapters:
        (line,) = [row for row in first.stdout.splitlines() if chapter in row]
        assert "passed" in line and " s " in line and " MB" in line
        record = json.loads((book / ".executed" / f"{chapter}.json").read_text())
        assert record["seconds"] > 0 and record["peak_memory_mb"] > 10
    assert stale(book) == []
    assert "0 to execute, 2 up to date" in execute(book).stdout

    # prose, captions and alternative texts: nothing runs
    one = book / "chapters" / "01_one.ipynb"
    cell = CELL("print(1)", metadata={"mystnb": {"figure": {"caption": "A figure"}}})
    write(one, PROSE("Other prose."), cell, PROSE("More."))
    assert stale(book) == []
    # the code of one chapter: that chapter alone
    write(one, PROSE("One."), CELL("print(11)"))
    assert stale(book) == ["01_one"]
    write(one, PROSE("One."), CELL("print(1)"))
    assert stale(book) == []

    # what all depend on: all
    for name in (
        "nnperf_utils/module.py",
        "data/table.csv",
        "claims/scales.yml",
        "uv.lock",
    ):
        path = book / name
        before = path.read_text() if path.exists() else None
        path.write_text("something else")
        assert stale(book) == chapters, name
        path.write_text(before) if before is not None else path.unlink()
    assert stale(book) == []
    (book / "data" / "README.md").write_text("Prose.")
    assert stale(book) == []


def test_failure_names_notebook_and_cell_and_shows_what_was_printed(book):
    write(
        book / "chapters" / "02_two.ipynb",
        PROSE("Two."),
        CELL("x = 0"),
        CELL("print('shown before the fault')\n1 / x"),
    )
    failed = execute(book)
    assert failed.returncode != 0
    assert "chapters/02_two.ipynb, cell 3 (id cell-2) failed" in failed.stdout
    assert "ZeroDivisionError: division by zero" in failed.stdout
    assert (
        "shown before the fault" in failed.stdout.split("what the cell had printed")[1]
    )
    # the other chapter's result is kept, the failed one leaves none
    assert stale(book) == ["02_two"]
    assert not (book / ".executed" / "02_two.ipynb").exists()


def test_interrupted_run_keeps_what_was_finished(book):
    write(book / "chapters" / "02_two.ipynb", CELL("import time; time.sleep(120)"))
    command = [sys.executable, str(book / "scripts" / "execute.py")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not (book / ".executed" / "01_one.json").exists():
        assert time.monotonic() < deadline, "the first chapter never finished"
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does in a terminal
    process.wait(timeout=30)
    assert process.returncode != 0
    assert stale(book) == ["02_two"]
    assert not (book / ".executed" / "work").exists()
    write(book / "chapters" / "02_two.ipynb", CELL("print(2)"))
    assert execute(book).returncode == 0
    assert stale(book) == []


def test_own_start_up_files_do_not_reach_a_chapter(book, monkeypatch, tmp_path):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("leaked = True")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    write(book / "chapters" / "02_two.ipynb", CELL("assert 'leaked' not in globals()"))
    assert execute(book).returncode == 0


@pytest.fixture
def site(book: Path) -> Path:
    """Make the two chapters a site that can be built."""
    for name in ("_ext", "_static", "_templates", "_config.yml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, book / name)
    (book / "appendix").mkdir()
    shutil.copy(ROOT / "appendix" / "references.bib", book / "appendix")
    (book / "intro.md").write_text("# Start\n\nSee {doc}`chapters/01_one`.\n")
    toc = "format: jb-book\nroot: intro\nchapters:\n"
    toc += "- file: chapters/01_one\n- file: chapters/02_two\n"
    (book / "_toc.yml").write_text(toc)
    for name in ("01_one", "02_two"):
        title = PROSE(f"# Chapter {name}")
        write(book / "chapters" / f"{name}.ipynb", title, CELL("print(6 * 7)"))
    return book


def build(root: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / "scripts" / "build.py")]
    return subprocess.run(command, cwd="/", capture_output=True, text=True)


def test_site_shows_the_outputs_and_a_warning_fails_it(site):
    assert execute(site).returncode == 0
    built = build(site)
    assert built.returncode == 0, built.stdout + built.stderr
    page = site / "_build" / "html" / "chapters" / "01_one.html"
    assert "42" in page.read_text()
    # the download is the notebook as it is written, without outputs
    (download,) = (site / "_build" / "html" / "_sources").rglob("01_one.ipynb")
    assert all(not c.get("outputs") for c in nbformat.read(download, 4).cells)

    # a dead reference fails the build and leaves the site that was there
    (site / "intro.md").write_text("# Start\n\nSee {doc}`chapters/99_none`.\n")
    broken = build(site)
    assert broken.returncode != 0
    assert "99_none" in broken.stdout
    assert "42" in page.read_text()


def test_no_page_is_built_from_a_chapter_that_was_not_executed(site):
    assert execute(site).returncode == 0
    write(site / "chapters" / "02_two.ipynb", PROSE("# Two"), CELL("1 / 0"))
    assert execute(site).returncode != 0
    built = build(site)
    assert built.returncode != 0
    assert "02_two.ipynb has not been executed" in built.stdout + built.stderr
    assert not (site / "_build" / "html").exists()

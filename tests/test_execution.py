"""The notebooks run once for each state, and a failure is told in full."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import lay_chapter

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


PACKAGE = {
    "__init__.py": "",
    "plots.py": "x = 1\n",
    "unused.py": "x = 1\n",
    # imports another module only when it is called
    "claims.py": """
from pathlib import Path

ROOT = Path(__file__).parents[1]


def judge():
    from nnperf_utils import lazy

    return [path.read_text() for path in (ROOT / "claims").glob("*.yml")]


def load():
    return open(f"{ROOT}/data/table.csv").read(), (ROOT / "data/README.md").read_text()
""",
    "lazy.py": "x = 1\n",
    "exercises/__init__.py": "",
    "exercises/one.py": "x = 1\n",
    "exercises/two.py": "x = 1\n",
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Make a course of two quick chapters, in a path that holds a space."""
    root = tmp_path / "a course"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    for folder in ("chapters", "nnperf_utils/exercises", "data", "claims"):
        (root / folder).mkdir(parents=True)
    for name, code in PACKAGE.items():
        (root / "nnperf_utils" / name).write_text(code)
    for name in ("data/table.csv", "data/other.csv", "data/README.md", "uv.lock"):
        (root / name).write_text("a\n")
    for name in ("01_one", "02_two", "scales"):
        (root / "claims" / f"{name}.yml").write_text("[]\n")
    write(root / "chapters" / "01_one.ipynb", PROSE("One."), CELL("print(1)"))
    write(root / "chapters" / "02_two.ipynb", PROSE("Two."), CELL("print(2)"))
    return root


def execute(root: Path, *options: str, **more: str) -> subprocess.CompletedProcess:
    """Run the script from another working directory."""
    command = [sys.executable, str(root / "scripts" / "execute.py"), *options]
    environment = os.environ | more
    return subprocess.run(
        command, cwd="/", capture_output=True, text=True, env=environment
    )


def why(root: Path, **environment: str) -> dict[str, str]:
    """Return the chapters that the next run would execute, each with the reason."""
    lines = execute(root, "--list", **environment).stdout.splitlines()
    return dict(line.split("  ", 1) for line in lines)


def stale(root: Path) -> list[str]:
    """Return the chapters that the next run would execute."""
    return list(why(root))


def test_each_notebook_runs_once_per_state(book):
    chapters = ["01_one", "02_two"]
    assert why(book) == dict.fromkeys(chapters, "never executed")
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
    assert why(book) == {"01_one": "its code changed"}
    write(one, PROSE("One."), CELL("print(1)"))
    assert stale(book) == []


def test_notebook_depends_on_what_it_used(book):
    imports = "from nnperf_utils.exercises import {}\n"
    one = CELL(imports.format("one") + "import nnperf_utils.plots")
    two = CELL(imports.format("two") + "from nnperf_utils import claims")
    judges = CELL("claims.judge(); claims.load();")
    write(book / "chapters" / "01_one.ipynb", one, CELL("'used' in globals()"))
    write(book / "chapters" / "02_two.ipynb", two, judges)
    done = execute(book)
    assert done.returncode == 0, done.stdout + done.stderr
    assert stale(book) == []

    for name, chapters in {
        "nnperf_utils/__init__.py": ["01_one", "02_two"],
        "nnperf_utils/plots.py": ["01_one"],
        "nnperf_utils/lazy.py": ["02_two"],
        "nnperf_utils/unused.py": [],
        "nnperf_utils/exercises/one.py": ["01_one"],
        "nnperf_utils/exercises/two.py": ["02_two"],
        # all claims are read where a chapter judges, and only its own count
        "claims/02_two.yml": ["02_two"],
        "claims/scales.yml": ["02_two"],
        "claims/01_one.yml": [],
        "data/table.csv": ["02_two"],
        "data/other.csv": [],
        "data/README.md": [],
        "uv.lock": ["01_one", "02_two"],
    }.items():
        before = (book / name).read_text()
        (book / name).write_text("something else")
        assert why(book) == dict.fromkeys(chapters, f"{name} changed")
        (book / name).unlink()
        assert why(book) == dict.fromkeys(chapters, f"{name} is gone")
        (book / name).write_text(before)
        assert stale(book) == []

    (book / "nnperf_utils" / "new.py").write_text("x = 1\n")
    (book / "claims" / "03_new.yml").write_text("[]\n")
    assert stale(book) == []
    # a reader's own table
    assert why(book, NNPERF_DIABETES_CSV=str(book / "uv.lock")) == dict.fromkeys(
        ["01_one", "02_two"], "NNPERF_DIABETES_CSV changed"
    )


def test_what_changes_while_a_notebook_runs_makes_it_run_again(book):
    changes = "import nnperf_utils.plots as p\nopen(p.__file__, 'a').write('y = 2')"
    write(book / "chapters" / "01_one.ipynb", CELL(changes))
    assert execute(book).returncode == 0
    assert why(book) == {"01_one": "nnperf_utils/plots.py changed"}


def test_one_chapter_can_be_executed_alone(book):
    for name in ("02", "2", "02_two"):
        done = execute(book, name)
        assert done.returncode == 0, done.stdout + done.stderr
        assert stale(book) == ["01_one"]
    for name in ("3", "two", ""):
        refused = execute(book, name)
        assert refused.returncode == 1
        known = "expected a number or name, 01_one, 02_two."
        assert refused.stderr == f"there is no chapter {name!r}: {known}\n"


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
    deadline = time.monotonic() + 300
    while not (book / ".executed" / "01_one.json").exists():
        assert time.monotonic() < deadline, "the first chapter never finished"
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does in a terminal
    process.wait(timeout=120)
    assert process.returncode != 0
    assert stale(book) == ["02_two"]
    assert not (book / ".executed" / "work").exists()
    write(book / "chapters" / "02_two.ipynb", CELL("print(2)"))
    assert execute(book).returncode == 0
    assert stale(book) == []


def start(command: list, root: Path) -> subprocess.Popen:
    """Start a command whose lines can be read as they come."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    environment.pop("NNPERF_ALONE", None)
    return subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    )


def until(process: subprocess.Popen, words: str) -> str:
    """Read a process's lines until one holds these words; return it."""
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"{process.args} ended without a word of {words!r}")


def test_second_build_waits_for_the_first_and_says_so(site):
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, site)
    (site / "tests" / "exercises").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "conftest.py", site / "tests")
    (site / "tests" / "exercises" / "test_two.py").write_text("def test_it(): pass")
    (site / "tests" / "exercises" / "test_one.py").write_text("1 / 0")
    # an installation that is complete, without another 3 GB
    (site / ".venv" / "bin").mkdir(parents=True)
    python = site / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (site / "scripts" / "uv.txt").touch()
    (site / ".venv" / ".done").touch()
    subprocess.run(["git", "init", "--quiet"], cwd=site, check=True)
    go = site / "go"
    waits = f"""
import pathlib, time

while not pathlib.Path({str(go)!r}).exists():
    time.sleep(0.1)
"""
    write(site / "chapters" / "02_two.ipynb", PROSE("# Chapter 02_two"), CELL(waits))

    first = start(["make", "book"], site)
    until(first, "2 to execute")
    second = start(["make", "test", "CHAPTER=02"], site)
    told = until(second, "another build")
    process = re.fullmatch(
        r"another build is running here \(process (\d+): make book since \d\d:\d\d\); "
        r"waiting for it\n",
        told,
    )[1]
    assert first.pid in [one.pid for one in psutil.Process(int(process)).parents()]
    go.touch()
    assert "site: _build/html/index.html" in first.communicate(timeout=400)[0]
    assert first.returncode == 0
    rest = second.communicate(timeout=400)[0]
    assert "0 to execute, 1 up to date" in rest
    assert second.returncode == 0, rest
    assert "1 passed" in rest


def test_killed_build_gives_its_turn_back(book):
    script = [sys.executable, str(book / "scripts" / "alone.py")]
    killed = start([*script, "a build", "sleep", "600"], book)
    running = book / ".executed" / "running"
    while not running.is_file() or str(killed.pid) not in running.read_text():
        assert killed.poll() is None, "it ended before it had its turn"
        time.sleep(0.1)
    waiting = start([*script, "another", "echo", "my turn"], book)
    until(waiting, f"process {killed.pid}: a build since")
    killed.kill()
    assert waiting.communicate(timeout=120)[0] == "my turn\n"
    killed.communicate()


def test_own_start_up_files_do_not_reach_a_chapter(book, monkeypatch, tmp_path):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("leaked = True")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    write(book / "chapters" / "02_two.ipynb", CELL("assert 'leaked' not in globals()"))
    assert execute(book).returncode == 0


@pytest.fixture
def site(book: Path) -> Path:
    """Make the two chapters a site that can be built, with the real package."""
    shutil.rmtree(book / "nnperf_utils")
    for name in ("_ext", "_static", "_templates", "labs", "_config.yml"):
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


@pytest.fixture
def course(site: Path) -> Path:
    """Make of the site a course whose chapters use the package and are tested."""
    own = shutil.ignore_patterns("__pycache__", "test_[a-z]*")
    for name in ("nnperf_utils", "data", "tests"):
        shutil.rmtree(site / name, ignore_errors=True)
        shutil.copytree(ROOT / name, site / name, ignore=own)
    for name in ("chapters", "exercises", "evidence", "form", "package"):
        shutil.copy(ROOT / "tests" / f"test_{name}.py", site / "tests")
    for name in (
        "pyproject.toml",
        "chapters/ruff.toml",
        "appendix/glossary.md",
        "appendix/self_test.yml",
        "claims/scales.yml",
    ):
        shutil.copy(ROOT / name, site / name)
    with (site / "_toc.yml").open("a") as toc:
        toc.write("- file: appendix/glossary\n")
    return site


def lay(root: Path, name: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / "scripts" / "lay_chapter.py"), name]
    return subprocess.run(command, cwd="/", capture_output=True, text=True)


def test_laid_chapter_builds_and_passes(course):
    name = "21_example_of_a_long_name"
    laid = lay(course, name)
    assert laid.returncode == 0, laid.stderr
    # in its form, whatever the length of the name
    files = [line.removeprefix("laid ") for line in laid.stdout.splitlines()[:-1]]
    assert len(files) == 8
    code = [file for file in files if file.endswith((".py", ".ipynb"))]
    for step in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *step, *code]
        assert subprocess.run(command, cwd=course).returncode == 0

    done = execute(course)
    assert done.returncode == 0, done.stdout + done.stderr
    # the site and the tests of this course, not those of the checkout
    environment = os.environ | {"PYTHONPATH": str(course)}
    built = build(course)
    assert built.returncode == 0, built.stdout + built.stderr
    page = (course / "_build" / "html" / "chapters" / f"{name}.html").read_text()
    assert 'id="claim-example-of-a-long-name-hidden-layer"' in page
    assert page.count('class="glossary-term') >= 3
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tested = subprocess.run(
        [*command, f"--chapter={name}"],
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert tested.returncode == 0, tested.stdout
    assert int(re.search(r"(\d+) passed", tested.stdout)[1]) > 20


def test_laying_refuses_what_it_would_spoil(course):
    assert lay(course, "21_example").returncode == 0
    before = {path: path.read_bytes() for path in course.rglob("*.*") if path.is_file()}
    for name, reason in {
        "21_example": "chapters/21_example.ipynb exists, and nothing is overwritten.",
        "21_other": "chapters/21_example.ipynb exists, and nothing is overwritten.",
        "22_example": "nnperf_utils/exercises/example.py exists, and nothing is "
        "overwritten.",
        **{
            name: f"{name!r} is no chapter's name: expected two digits and a topic in "
            "lower case, such as make chapter NAME=21_label_smoothing."
            for name in ("", "example", "7_example", "23_Example", "23_a-b", "23_class")
        },
    }.items():
        refused = lay(course, name)
        assert (refused.returncode, refused.stderr) == (1, f"{reason}\n")
    after = {path: path.read_bytes() for path in course.rglob("*.*") if path.is_file()}
    assert after == before


TOC = "root: intro\nparts:\n- chapters:\n{}  - file: appendix/a\n"
ENTRY = "  - file: chapters/{}\n"


@pytest.mark.parametrize("place", range(3))
def test_chapter_is_listed_in_its_order(place):
    old = ["02_a", "12_b"]
    new = ["01_new", "05_new", "21_new"][place]
    listed = TOC.format("".join(map(ENTRY.format, old)))
    expected = TOC.format("".join(map(ENTRY.format, sorted([*old, new]))))
    assert lay_chapter.with_entry(listed, new) == expected


@pytest.mark.parametrize("template", lay_chapter.LISTS)
def test_a_list_gets_a_chapters_part_in_its_place_and_only_once(template):
    path, begin = lay_chapter.LISTS[template]
    text = (ROOT / path).read_text("utf-8")
    part = (lay_chapter.TEMPLATES / template).read_text("utf-8")
    known = re.findall(begin, text, re.MULTILINE)
    for name in ("00_new", "04_new", "99_new"):
        filled = lay_chapter.filled(part, name)
        longer = lay_chapter.with_part(text, filled, begin, name)
        found = re.findall(begin, longer, re.MULTILINE)
        assert found == sorted([*known, name])
        assert longer.replace(filled, "") == text
        assert name in str(yaml.safe_load(longer))
        assert lay_chapter.with_part(longer, filled, begin, name) == longer


def test_term_stands_in_its_place_and_only_once():
    glossary = "# G\n\n```{glossary}\nalpha\n  One.\n\nGamma\ngammas\n  Two.\n```\n"
    for term in ("beta", "Beta"):
        longer = lay_chapter.with_term(glossary, f"{term}\n  New.\n")
        assert longer == glossary.replace("Gamma", f"{term}\n  New.\n\nGamma")
    assert lay_chapter.with_term(glossary, "zeta\n  New.\n").endswith(
        "  Two.\n\nzeta\n  New.\n```\n"
    )
    assert lay_chapter.with_term(glossary, "gammas\n  New.\n") == glossary

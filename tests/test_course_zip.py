"""`course.zip`: with the site, the course; unzipped in an empty folder, it runs."""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import course_zip
import execute

ROOT = execute.ROOT
SITE = ROOT / "_build" / "html"
NO_INDEX = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|"
    "Network is unreachable"
)


@pytest.fixture(scope="module")
def course() -> zipfile.ZipFile:
    return zipfile.ZipFile(SITE / "course.zip")


@pytest.mark.site
def test_it_holds_the_notebooks_and_a_package_with_its_data(course, tmp_path):
    for path in execute.chapters():
        assert course.read(f"course/chapters/{path.name}") == path.read_bytes()
    (wheel,) = [name for name in course.namelist() if name.endswith(".whl")]
    with course.open(wheel) as file, zipfile.ZipFile(file) as package:
        inside = set(package.namelist())
    for folder, place in (("data", ""), ("claims", "claims/"), ("labs", "labs/")):
        for path in (ROOT / folder).glob("*.*"):
            assert f"nnperf_utils/data/{place}{path.name}" in inside
    digest = hashlib.sha256(course.read(wheel)).hexdigest()
    first = course.read("course/requirements.txt").decode().splitlines()[0]
    assert first == f"./{Path(wheel).name} --hash=sha256:{digest}"


@pytest.mark.site
def test_the_same_files_make_the_same_bytes(tmp_path):
    course_zip.write(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (SITE / "course.zip").read_bytes()


def test_all_is_locked_as_the_course_is_and_nothing_is_left_over():
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    needed = course_zip.by_name(course_zip.locked())
    for name, entries in needed.items():
        versions = set(re.findall(r"^[^\s=]+==([^ ;]+)", entries, re.MULTILINE))
        assert entries.count("--hash=sha256:") >= len(versions) > 0, name
        also = {one["version"] for one in lock if one["name"] == name}
        assert versions == (also or versions), f"{name}: run `make upgrade`"
    assert {"tensorflow", "keras-tuner", "jupyterlab", "nbclient", "ipykernel"} <= set(
        needed
    )
    # what only builds or tests the site stays out
    assert not {"sphinx", "jupyter-book", "playwright", "jax", "pytest"} & set(needed)


def test_readme_is_short():
    readme = course_zip.readme()
    lines = [line for line in readme.splitlines() if line.strip()]
    assert len(lines) == 10
    assert len(commands(readme, "Windows")) == len(commands(readme, "Linux")) - 1


def commands(readme: str, system: str) -> list[str]:
    """Return the README's commands for a system, as they stand there."""
    linux, windows = readme.split("On Windows:")
    part = windows if system == "Windows" else linux
    return re.findall("^    (.+)$", part, re.MULTILINE)


def fastest() -> Path:
    """Return the chapter that took least time to run."""
    seconds = {
        path: execute.read_json(execute.record_path(path))["seconds"]
        for path in execute.chapters()
    }
    return min(seconds, key=seconds.get)


# whoever opens a file of the checkout fails
GUARD = """
import sys

def refuse(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments:
        if str(arguments[0]).startswith({root!r} + "/"):
            raise PermissionError(f"reads the checkout: {{arguments[0]}}")

sys.addaudithook(refuse)
"""


@pytest.mark.site
def test_unzipped_it_runs_by_its_own_commands(
    course, tmp_path, record_property, capsys
):
    """Minutes: it installs TensorFlow from the index or the cache that pip knows."""
    course.extractall(tmp_path)
    folder = tmp_path / "course"
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD.format(root=str(ROOT)))
    chapter = fastest()
    make, install, lab, run = commands((folder / "README.md").read_text(), "Linux")
    # the same Python as here, and a JupyterLab that need not be looked at
    make = make.replace("python3", shlex.quote(getattr(sys, "_base_executable", "")))
    lab = f"{lab} --version"
    run = re.sub(r"chapters/\S+", f"chapters/{chapter.name}", run)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "NNPERF", "VIRTUAL_ENV", "JUPYTER"))
    }
    environment |= {"PYTHONPATH": str(guard), "IPYTHONDIR": str(tmp_path / "ipython")}

    def told(command: str) -> str:
        begin = time.monotonic()
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        seconds = time.monotonic() - begin
        record_property("course.zip", (command, seconds))
        with capsys.disabled():
            print(f"\ncourse.zip: {seconds:.0f} s  {command}", flush=True)
        unreachable = done.returncode and NO_INDEX.search(done.stdout)
        if unreachable and not os.environ.get("NNPERF_REQUIRE_INDEX"):
            pytest.skip("no index of packages is reachable")
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    told(make)
    told(install)
    told(lab)
    told(run)
    ran = json.loads((folder / "chapters" / chapter.name).read_text("utf-8"))
    cells = execute.code_cells(ran)
    assert all(cell["execution_count"] for cell in cells)
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "display_data" in kinds and "error" not in kinds
    # the claims came along
    judged = "nnperf-claim" in json.dumps(ran)
    assert judged == ("judge(" in chapter.read_text("utf-8"))

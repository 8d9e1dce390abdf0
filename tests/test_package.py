"""What `pip install` brings, and what importing costs."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

from nnperf_utils.claims import load_claims

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


def run(code: str, **options) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, **options
    ).stdout


@pytest.mark.parametrize("module", ["nnperf_utils", "nnperf_utils.datasets"])
def test_import_alone_leaves_tensorflow_out(module):
    code = f"import sys, {module}; print('tensorflow' in sys.modules)"
    assert run(code).strip() == "False"


def test_wheel_brings_the_data_and_nothing_of_the_book(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(
        [*command, "-d", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("diabetes.csv", "fashion_mnist.npz", "README.md"):
        assert f"nnperf_utils/data/{name}" in names
    assert "nnperf_utils/data/claims/scales.yml" in names
    # a folder of a module's name would hide the module, or be hidden by it
    modules = {name.removesuffix(".py") for name in names if name.endswith(".py")}
    assert not modules & {str(parent) for n in names for parent in Path(n).parents}
    top = {name.split("/")[0] for name in names}
    assert top == {"nnperf_utils", "nnperf_utils-0.1.0.dist-info"}

    # an installed package finds its data with no clone beside it
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from nnperf_utils import datasets\n"
        f"assert datasets.__file__.startswith({str(tmp_path)!r}), datasets.__file__\n"
        "from nnperf_utils.claims import load_claims\n"
        "print(datasets.load_diabetes().name, len(load_claims().claims))"
    )
    claims = len(load_claims(ROOT / "claims").claims)
    assert run(code, cwd=tmp_path).split() == ["diabetes", str(claims)]


def test_running_a_chapter_needs_no_sphinx():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = " ".join(project["dependencies"])
    for name in ("sphinx", "jupyter-book", "pytest", "nbmake", "playwright"):
        assert name not in needed


def test_lock_holds_every_dependency_with_its_hash():
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    for package in lock["package"]:
        if "editable" in package["source"]:
            continue
        files = [*package.get("wheels", []), package.get("sdist")]
        assert all(f["hash"].startswith("sha256:") for f in files if f), package["name"]
    (course,) = (p for p in lock["package"] if p["name"] == "nnperf-utils")
    locked = {d["name"] for d in course["metadata"]["requires-dist"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert locked == {d.split(">")[0] for d in project["dependencies"]}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_is_clean(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        # an id of one's own choosing stays when the cell's content changes
        assert cell["id"].replace("-", "").isalnum()
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            longest = max(len(line) for line in cell.source.splitlines())
            assert longest <= 80, (cell["id"], longest)

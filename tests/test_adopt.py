"""The repository's address: set, followed, taken out again."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import adopt
import execute

ROOT = execute.ROOT

ADDRESS = "https://github.com/some-owner/some.course"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


def git(root: Path, *command: str) -> str:
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.invalid"]
    result = subprocess.run(
        ["git", *who, *command], cwd=root, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


@pytest.fixture
def course(tmp_path):
    """Copy what adopting touches into a repository of its own."""
    root = tmp_path / "course"
    for name in ("chapters", "nnperf_utils", "data", "claims", "labs"):
        hidden = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, root / name, ignore=hidden)
    for name in ("_config.yml", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(ROOT / "LICENSE", root / "LICENSE")
    shutil.copy(ROOT / "LICENSE-text", root / "LICENSE-text")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=Begin")
    adopt.adopt(root, "")  # the checkout itself may be adopted
    if git(root, "status", "--porcelain"):
        git(root, "commit", "--quiet", "--all", "--message=Take the address out")
    return root


def test_adopting_twice_changes_nothing_more_and_can_be_undone(course):
    first = adopt.adopt(course, ADDRESS)
    chapters = [f"chapters/{path.name}" for path in CHAPTERS]
    assert first == sorted(["README.md", "_config.yml", *chapters])
    assert adopt.adopt(course, ADDRESS + ".git/") == []
    assert adopt.adopt(course, None) == []
    assert adopt.adopt(course, "") == first
    assert git(course, "status", "--porcelain") == ""
    assert adopt.adopt(course, "") == []


def test_all_that_names_the_repository_names_this_one(course):
    adopt.adopt(course, ADDRESS)
    assert adopt.address_in((course / "_config.yml").read_text("utf-8")) == ADDRESS
    badges = (course / "README.md").read_text("utf-8").split(adopt.BADGES[1])[0]
    assert set(re.findall(r"some-owner/[^/)?]+", badges)) == {"some-owner/some.course"}
    version = git(course, "rev-parse", "HEAD")
    for path in (course / "chapters").glob("*.ipynb"):
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert code[0].id == adopt.CELL_ID
        assert f"git+{ADDRESS}" in code[0].source and version in code[0].source
        assert max(map(len, code[0].source.splitlines())) <= 80
        assert sum(cell.id == adopt.CELL_ID for cell in code) == 1


def test_another_address_replaces_the_first(course):
    adopt.adopt(course, ADDRESS)
    adopt.adopt(course, "https://github.com/other/course")
    texts = [
        p.read_text("utf-8")
        for p in course.rglob("*.*")
        if p.is_file() and p.suffix != ".npz" and ".git" not in p.parts
    ]
    assert not any("some-owner" in text for text in texts)


def test_version_follows_the_package_and_not_the_notebooks(course):
    begin = git(course, "rev-parse", "HEAD")
    adopt.adopt(course, ADDRESS)
    git(course, "commit", "--quiet", "--all", "--message=Adopt")
    assert adopt.adopt(course, None) == []
    assert adopt.package_version(course) == begin

    module = course / "nnperf_utils" / "claims.py"
    module.write_text(module.read_text("utf-8") + "\n# changed\n", "utf-8")
    with pytest.raises(SystemExit, match="Commit the package's changes first"):
        adopt.adopt(course, None)
    git(course, "commit", "--quiet", "--all", "--message=Change the package")
    assert len(adopt.adopt(course, None)) == len(CHAPTERS)

    git(course, "tag", "v0.1.0")
    assert adopt.package_version(course) == "v0.1.0"


@pytest.mark.parametrize(
    "address",
    [
        "github.com/owner/course",
        "https://github.com/owner",
        "https://github.com/owner/course/tree/main",
        "https://example.com/owner/course",
        "git@github.com:owner/course.git",
        "https://github.com/own er/course",
        'https://github.com/owner/course"',
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(course, address):
    with pytest.raises(SystemExit, match=r"^'.*' is no address of a repository: exp"):
        adopt.adopt(course, address)
    assert git(course, "status", "--porcelain") == ""


def test_chapter_need_not_run_again(course):
    before = execute.read_json(course / "chapters" / CHAPTERS[0].name)
    adopt.adopt(course, ADDRESS)
    after = execute.read_json(course / "chapters" / CHAPTERS[0].name)
    assert before != after
    assert execute.notebook_state(before) == execute.notebook_state(after)


def test_checkout_is_adopted_in_all_places_or_in_none():
    address = adopt.address_in((ROOT / "_config.yml").read_text("utf-8"))
    readme = (ROOT / "README.md").read_text("utf-8")
    assert adopt.with_badges(readme, address) == readme
    for path in CHAPTERS:
        assert (f"git+{address}" in path.read_text("utf-8")) == bool(address), path.name


@pytest.mark.skipif(
    "NNPERF_COLAB" not in os.environ, reason="takes minutes: `make colab` runs it"
)
def test_chapters_run_alone_where_the_package_is_not_installed(course, tmp_path):
    """As in Colab: the run-time dependencies, one notebook, an empty folder."""
    adopt.adopt(course, ADDRESS)
    version = adopt.package_version(course)
    home = tmp_path / "colab"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")

    def locked(name: str, *groups: str) -> Path:
        options = ["--frozen", "--quiet", "--no-emit-project", "--no-hashes", *groups]
        path = tmp_path / name
        subprocess.run([uv, "export", *options, "-o", path], cwd=ROOT, check=True)
        return path

    install = [uv, "pip", "install", "--quiet", "--python", python]
    needed = locked("needed.txt", "--no-default-groups")
    subprocess.run([*install, "-r", needed], check=True)
    # what executes a notebook is no part of the package
    every = locked("every.txt", "--all-groups")
    subprocess.run([*install, "-c", every, "ipykernel", "nbconvert"], check=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    own = ("tensorflow", "keras", "numpy", "pandas")

    def versions() -> str:
        frozen = subprocess.run([*pip, "freeze"], capture_output=True, text=True)
        lines = frozen.stdout.splitlines()
        return "\n".join(line for line in lines if line.split("==")[0] in own)

    before = versions()
    assert len(before.splitlines()) == len(own)
    asked = os.environ["NNPERF_COLAB"]
    names = CHAPTERS if asked == "all" else [execute.find_chapter(asked)]
    for name in names:
        path = course / "chapters" / name.name
        folder = tmp_path / path.stem
        folder.mkdir()
        # the same repository, reached through the disk
        local = f"git+file://{course}"
        text = path.read_text("utf-8").replace(f"git+{ADDRESS}", local)
        assert local in text and version in text
        (folder / path.name).write_text(text, "utf-8")
        subprocess.run([*pip, "uninstall", "--yes", "nnperf-utils"], check=True)
        subprocess.run(
            [python, "-m", "nbconvert", "--to", "notebook", "--execute", path.name],
            cwd=folder,
            check=True,
            env=os.environ | {"PYTHONPATH": ""},
        )
        outputs = json.loads((folder / f"{path.stem}.nbconvert.ipynb").read_text())
        assert not [
            output
            for cell in outputs["cells"]
            for output in cell.get("outputs", [])
            if output["output_type"] == "error"
        ]
        # the labs' cells put out labs that bring their scripts along
        for cell in execute.code_cells(outputs):
            if re.search(r"\blabs\.\w+\(", "".join(cell["source"])):
                put_out = json.dumps(cell["outputs"])
                assert "nnperf-lab" in put_out and "nnperf-inline" in put_out, cell[
                    "id"
                ]
        assert versions() == before

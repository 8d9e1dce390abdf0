"""A command runs once for each state of the files, and again where its work is gone."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import once


@pytest.fixture
def root(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.delenv("AGAIN", raising=False)
    monkeypatch.setattr(once, "ROOT", tmp_path)
    page = tmp_path / "_build" / "html" / "index.html"
    monkeypatch.setattr(once, "MADE", {"site": page})
    (tmp_path / ".gitignore").write_text("_build\nruns\n")
    (tmp_path / "build.py").write_text(
        "from pathlib import Path\n"
        "runs = Path('runs')\n"
        "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
        "Path('_build/html').mkdir(parents=True, exist_ok=True)\n"
        "Path('_build/html/index.html').touch()\n"
    )
    return tmp_path


def runs(root):
    """Ask for the site, and return how often it was built in all."""
    assert once.main("site", sys.executable, "build.py") == 0
    return len((root / "runs").read_text())


def test_a_state_is_built_once(root):
    assert [runs(root), runs(root)] == [1, 1]
    (root / "page.md").write_text("changed")
    assert [runs(root), runs(root)] == [2, 2]


def test_what_only_the_tests_read_builds_no_site_and_figures_do(root):
    runs(root)
    for folder, built in (("tests", 1), ("benchmarks", 2)):
        (root / folder).mkdir()
        (root / folder / "results.json").write_text("{}")
        assert runs(root) == built


def test_a_site_that_is_gone_is_built_again(root):
    runs(root)
    (root / "_build" / "html" / "index.html").unlink()
    assert [runs(root), runs(root)] == [2, 2]


def test_a_failure_is_not_kept(root):
    runs(root)
    (root / "build.py").write_text("raise SystemExit(3)")
    assert once.main("site", sys.executable, "build.py") == 3
    assert not (root / "_build" / ".site").exists()

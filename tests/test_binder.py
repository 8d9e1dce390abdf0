"""What Binder would make of the repository; nothing is built here."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Return the steps by which repo2docker would build the image."""
    root = tmp_path_factory.mktemp("binder") / "course"
    shutil.copytree(ROOT / ".binder", root / ".binder")
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, root / name)
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(root)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_binder_takes_a_python_that_the_package_supports(recipe):
    told = (ROOT / ".binder" / "runtime.txt").read_text().strip()
    version = told.removeprefix("python-")
    assert f"Building conda environment for python={version}" in recipe
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    low, high = re.findall(r"3\.(\d+)", project["requires-python"])
    assert int(low) <= int(version.split(".")[1]) < int(high)


def test_binder_installs_what_is_locked_after_the_files_are_there(recipe):
    assert recipe.index("COPY --chown=0:0 src/") < recipe.index("./.binder/postBuild")
    script = (ROOT / ".binder" / "postBuild").read_text()
    subprocess.run(["bash", "-n", ROOT / ".binder" / "postBuild"], check=True)
    # what the script reads is there, and all that it installs is pinned by its hash
    assert (ROOT / "scripts" / "uv.txt").is_file()
    installs = [line for line in script.splitlines() if "pip install" in line]
    assert all("--require-hashes" in i or "--no-deps ." in i for i in installs)

"""Put the course into one file, with which a reader runs it: ``course.zip``.

It holds the notebooks, the package as a wheel with its data, claims and labs, the
versions that the course was built with, each by its hash, and a README with the
commands. The same files make the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "course"
# the notebooks, what their links lead to, the licenses
FILES = ("chapters/*.ipynb", "appendix/*.md", "intro.md", "LICENSE", "LICENSE-text")
README = """\
# {title}

You need Python 3.11, 3.12 or 3.13 and 3 GB of disk. In this folder, on Linux and macOS:

    python3 -m venv .venv
    .venv/bin/python -m pip install --require-hashes -r requirements.txt
    .venv/bin/jupyter lab chapters
    .venv/bin/jupyter execute --inplace chapters/{first}  # one, without a browser

On Windows:

    py -m venv .venv
    .venv\\Scripts\\python -m pip install --require-hashes -r requirements.txt
    .venv\\Scripts\\jupyter lab chapters
"""


def locked() -> str:
    """Return what the package needs, as it is locked, with JupyterLab."""
    command = [Path(sys.executable).with_name("uv"), "export", "--quiet", "--frozen"]
    command += ["--no-default-groups", "--no-emit-project", "--no-header"]
    exported = subprocess.run(
        [*command, "--no-annotate"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    beside = (ROOT / "scripts" / "jupyterlab.txt").read_text("utf-8")
    return "".join((by_name(beside) | by_name(exported)).values())


def by_name(requirements: str) -> dict[str, str]:
    """Return each package's lines of a file of requirements, by its name.

    A package may have several versions, each for other releases of Python.
    """
    found: dict[str, str] = {}
    for entry in re.findall(r"^\S.*\n(?:[ \t].*\n)*", requirements, re.MULTILINE):
        name = re.split("[=; ]", entry)[0]
        found[name] = found.get(name, "") + entry
    return dict(sorted(found.items()))


def make_wheel(folder: Path) -> Path:
    """Build the package into a folder, without a network; return the wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*command, "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def readme() -> str:
    """Return the README, with the course's title and its first chapter."""
    title = re.search("^title: (.*)$", (ROOT / "_config.yml").read_text("utf-8"), re.M)
    first = min((ROOT / "chapters").glob("*.ipynb"))
    return README.format(title=title[1] if title else "", first=first.name)


def contents() -> dict[str, bytes]:
    """Return the course's files by their names in it."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = make_wheel(Path(folder))
        name, package = wheel.name, wheel.read_bytes()
    own = f"./{name} --hash=sha256:{hashlib.sha256(package).hexdigest()}\n"
    files = [path for pattern in FILES for path in sorted(ROOT.glob(pattern))]
    return {
        "README.md": readme().encode(),
        "requirements.txt": (own + locked()).encode(),
        name: package,
        **{path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files},
    }


def write(target: Path) -> None:
    """Write the file."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in contents().items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}")  # of one date, the earliest
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def is_possible() -> bool:
    """Tell whether this is a whole course, and not some chapters of one."""
    return all((ROOT / name).is_file() for name in ("uv.lock", "LICENSE", "README.md"))

"""Set the repository's address, and everything in the files that follows from it.

``make adopt REPO=https://github.com/OWNER/REPOSITORY`` puts the address into
``_config.yml``, its one place, which the site reads. What cannot read it there
follows: the README's badges and each notebook's set-up cell, with which it fetches the
package in Colab. ``make adopt`` brings the notebooks up to the package's present
version, ``make adopt REPO=`` takes the address out again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.compile(r"https://github\.com/[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
# what `pip install` takes from the repository
PACKAGE = ("nnperf_utils", "data", "claims", "labs", "pyproject.toml")
CELL_ID = "set-up"
BADGES = ("<!-- badges -->\n", "<!-- end of badges -->\n\n")
# `%pip` keeps what is named with its version, or says why it cannot
SET_UP = """\
# In Colab: fetch the course's package, unless it is here already
from importlib.metadata import distributions
from importlib.util import find_spec

if find_spec("nnperf_utils") is None:
    own = {{"tensorflow", "keras", "numpy", "pandas"}}
    keep = {{f"{{d.name}}=={{d.version}}" for d in distributions() if d.name in own}}
    source = "git+{address}"
    version = "{version}"
    %pip install --quiet {{" ".join(keep)}} {{source}}@{{version}}"""


def checked(address: str) -> str:
    """Return an address in its plain form, or end with a sentence on what it lacks."""
    plain = address.strip().rstrip("/").removesuffix(".git")
    if plain and not ADDRESS.fullmatch(plain):
        sys.exit(
            f"{address!r} is no address of a repository: expected "
            "https://github.com/OWNER/REPOSITORY."
        )
    return plain


def address_in(config: str) -> str:
    """Return the address that stands in ``_config.yml``."""
    return re.search(r'^repository:\n  url: "(.*)"$', config, re.MULTILINE)[1]


def with_address(config: str, address: str) -> str:
    """Return ``_config.yml`` with another address."""
    old, new = (
        f'repository:\n  url: "{one}"\n' for one in (address_in(config), address)
    )
    return config.replace(old, new)


def with_badges(readme: str, address: str) -> str:
    """Return the README with badges under its title, or without."""
    begin, end = BADGES
    plain = re.sub(f"{begin}.*?{end}", "", readme, flags=re.DOTALL)
    if not address:
        return plain
    name = address.removeprefix("https://github.com/")
    badges = (
        f"[![tests]({address}/actions/workflows/test.yml/badge.svg)]"
        f"({address}/actions/workflows/test.yml)\n"
        "[![open in Binder](https://mybinder.org/badge_logo.svg)]"
        f"(https://mybinder.org/v2/gh/{name}/main?urlpath=lab/tree/chapters)\n"
        "[![open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"(https://colab.research.google.com/github/{name}/)\n"
    )
    title, rest = plain.split("\n\n", 1)
    return f"{title}\n\n{begin}{badges}{end}{rest}"


def with_set_up(notebook: str, address: str, version: str) -> str:
    """Return a notebook with the set-up cell before its first code, or without."""
    content = json.loads(notebook)
    if _written(content) != notebook:
        raise ValueError("the notebook is not in its form; run `make format` first.")
    cells = [cell for cell in content["cells"] if cell.get("id") != CELL_ID]
    if address:
        source = SET_UP.format(address=address, version=version)
        first = next(i for i, cell in enumerate(cells) if cell["cell_type"] == "code")
        cell = {
            "cell_type": "code",
            "execution_count": None,
            "id": CELL_ID,
            # a page needs no set-up
            "metadata": {"tags": ["remove-cell"]},
            "outputs": [],
            "source": source.splitlines(keepends=True),
        }
        cells.insert(first, cell)
    return _written(content | {"cells": cells})


def _written(notebook: dict) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def package_version(root: Path) -> str:
    """Return the tag of this release, if it holds this package, or the last commit.

    The commit is the last one that changed the package, so that the notebooks follow
    the package and not each other.
    """

    def git(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["git", *command], cwd=root, capture_output=True, text=True
        )

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    tag = f"v{project['version']}"
    if git("diff", "--quiet", tag, "--", *PACKAGE).returncode == 0:
        return tag
    if git("status", "--porcelain", "--", *PACKAGE).stdout:
        sys.exit("Commit the package's changes first: the notebooks name its version.")
    commit = git("log", "-1", "--format=%H", "--", *PACKAGE).stdout.strip()
    return commit or sys.exit("This is no git repository: its version is not known.")


def adopt(root: Path, address: str | None) -> list[str]:
    """Set an address, or keep the present one; return what was changed."""
    config = root / "_config.yml"
    if address is None:
        address = address_in(config.read_text("utf-8"))
    address = checked(address)
    version = package_version(root) if address else ""
    old = {
        path: path.read_text("utf-8")
        for path in (config, root / "README.md", *root.glob("chapters/*.ipynb"))
    }
    new = {}
    for path, text in old.items():
        if path == config:
            new[path] = with_address(text, address)
        elif path.suffix == ".md":
            new[path] = with_badges(text, address)
        else:
            try:
                new[path] = with_set_up(text, address, version)
            except ValueError as reason:
                sys.exit(f"{path.name}: {reason}")
    # nothing is written before all has been worked out
    changed = [path for path in old if new[path] != old[path]]
    for path in changed:
        path.write_text(new[path], encoding="utf-8")
    return sorted(path.relative_to(root).as_posix() for path in changed)


def main() -> None:
    """Adopt the address that the command names."""
    changed = adopt(ROOT, sys.argv[1] if len(sys.argv) > 1 else None)
    print("\n".join(f"changed {path}" for path in changed) or "nothing to change")


if __name__ == "__main__":
    main()

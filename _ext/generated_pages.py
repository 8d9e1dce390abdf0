"""Two pages that are written by what they describe: the package, and the last run.

Each goes on from what stands in its file in ``appendix/``.
"""

from __future__ import annotations

import ast
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute


def api() -> Iterator[str]:
    """Yield a section for each public module of the package.

    The engine's rooms are for who changes the engine. What a module only passes on is
    told where it is at home.
    """
    for path in sorted((execute.ROOT / "nnperf_utils").rglob("*.py")):
        text = path.read_text("utf-8")
        is_engine = path.parent.name == "engine" and path.stem != "__init__"
        if path.stem == "__init__" or is_engine or "\n__all__ = " not in text:
            continue
        name = ".".join(path.relative_to(execute.ROOT).with_suffix("").parts)
        own = ", ".join(own_members(text))
        yield f"## {name}\n"
        yield f"```{{eval-rst}}\n.. automodule:: {name}\n   :members: {own}\n```\n"


def own_members(text: str) -> list[str]:
    """Return the public names that a module's text defines itself, in order."""
    names: list[str] = []
    public: list[str] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Name) and target.id == "__all__":
                public = ast.literal_eval(node.value)
            elif isinstance(target, ast.Name):
                names.append(target.id)
    return [name for name in names if name in public]


def plain_references(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Make text of a docstring's numbered references.

    As footnotes they would all be numbered 1 on one page.
    """
    text = re.sub(r"\[(\d+)\]_", r"[\1]", "\n".join(lines))
    text = re.sub(
        r"^\.\. (\[\d+\].*(?:\n   .*)*)",
        lambda note: re.sub(r"\n +", "\n", note[1]) + "\n",
        text,
        flags=re.MULTILINE,
    )
    lines[:] = text.split("\n")


def status() -> Iterator[str]:
    """Yield when and with what the chapters ran, and what they took."""
    yield f"Built on {datetime.now(UTC):%B %-d, %Y}, from {_commit()}.\n"
    yield "| chapter | executed on | seconds | peak memory |\n|---|---|---:|---:|"
    total = 0.0
    for chapter in execute.chapters():
        path = execute.record_path(chapter)
        record = execute.read_json(path)
        day = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        total += record["seconds"]
        yield (
            f"| {{doc}}`/chapters/{chapter.stem}` | {day:%B %-d, %Y} "
            f"| {record['seconds']:.0f} | {record['peak_memory_mb'] / 1024:.1f} GB |"
        )
    yield f"| all | | {total:.0f} | |\n"
    yield f"| package | version |\n|---|---|\n| Python | {platform.python_version()} |"
    project = tomllib.loads((execute.ROOT / "pyproject.toml").read_text("utf-8"))
    for needed in project["project"]["dependencies"]:
        name = Requirement(needed).name
        yield f"| {name} | {version(name)} |"


def _commit() -> str:
    """Return the commit in words."""

    def git(*command: str) -> str:
        result = subprocess.run(
            ["git", *command], cwd=execute.ROOT, capture_output=True, text=True
        )
        return result.stdout.strip()

    name = git("rev-parse", "--short=10", "HEAD")
    if not name:
        return "a copy without its history"
    changed = git("status", "--porcelain", "--untracked-files=no")
    return f"commit `{name}`" + (" with changes" if changed else "")


def skip_generated(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave out a tuple's fields and what scikit-learn adds to a class by itself."""
    is_field = "Alias for field" in (getattr(obj, "__doc__", "") or "")
    return True if is_field or re.fullmatch(r"set_\w+_request", name) else None


PAGES = {"appendix/api": api, "appendix/status": status}


def go_on(app: Sphinx, docname: str, content: list[str]) -> None:
    """Append what is generated to what is written."""
    if docname in PAGES:
        content[0] += "\n" + "\n".join(PAGES[docname]()) + "\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", go_on)
    app.connect("autodoc-skip-member", skip_generated)
    # before napoleon, which takes 500
    app.connect("autodoc-process-docstring", plain_references, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""In a chapter's head: how to run it, in Colab, in Binder, and here.

The first two need the repository's address; `course.zip` comes with the site.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from urllib.parse import quote

from findable import LAUNCHERS
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import course_zip

NAME = "course.zip"


def launch_lines(repository: str, branch: str, page: str) -> list[str]:
    """Return where a chapter runs without an installation."""
    if not repository:
        return []
    name = repository.removeprefix("https://github.com/")
    path = quote(f"{page}.ipynb")
    colab = f"{LAUNCHERS['colab_url']}/github/{name}/blob/{branch}/{path}"
    binder = f"{LAUNCHERS['binderhub_url']}/v2/gh/{name}/{branch}"
    return [
        f'<a href="{escape(colab)}">In Colab</a>: nothing to install, with an account.',
        f'<a href="{escape(binder)}?urlpath=lab/tree/{path}">In Binder</a>: nothing to '
        "install; starts slowly.",
    ]


def box(lines: list[str]) -> str:
    """Return the box as HTML."""
    items = "".join(f"<li>{line}</li>" for line in lines)
    return (
        '<div class="run-it" role="group" aria-label="Run it"><strong>Run it</strong>'
        f"<ul>{items}</ul></div>"
    )


def write_course(app: Sphinx) -> None:
    """Put the file into the site, before its pages tell its size."""
    if app.builder.name == "html" and course_zip.is_possible():
        Path(app.outdir).mkdir(parents=True, exist_ok=True)
        course_zip.write(Path(app.outdir) / NAME)


def add_box(app: Sphinx, page: str, _: str, context: dict, doctree: object) -> None:
    """Put the box under the title of a chapter's page."""
    file = Path(app.outdir) / NAME
    if doctree is None or not page.startswith("chapters/") or not file.is_file():
        return
    options = app.config.html_theme_options
    lines = launch_lines(
        options.get("repository_url") or "",
        options.get("repository_branch") or "main",
        page,
    )
    size = file.stat().st_size / 1024**2
    lines.append(
        f'Here: <a href="{context["pathto"](NAME, 1)}" download>{NAME}</a> '
        f"({size:.0f} MB): all notebooks, package, data, and a README with three "
        "commands."
    )
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{box(lines)}", 1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", write_course)
    # before chapter_facts, which takes 500 and puts its list above the box
    app.connect("html-page-context", add_box, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

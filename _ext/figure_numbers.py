"""Figures are numbered within their chapter, and chapters by their file: Fig. 3.1."""

from __future__ import annotations

import re

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

FIGURE = "figure"


def within(page: str, count: int) -> tuple[int, ...]:
    """Return the number of a page's n-th figure: after its chapter's, if it is one."""
    chapter = re.match(r"chapters/(\d+)_", page)
    return (int(chapter[1]), count) if chapter else (count,)


def number(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Replace the numbers that run through the course; return no page to read again."""
    for page, kinds in env.toc_fignumbers.items():
        figures = kinds.get(FIGURE, {})
        for count, anchor in enumerate(sorted(figures, key=figures.get), 1):
            figures[anchor] = within(page, count)
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    # after Sphinx's own count, which takes 500
    app.connect("env-get-updated", number, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

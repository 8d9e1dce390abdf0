"""Mends what the theme and the extensions leave for a screen reader or a keyboard.

Each entry of `MENDED` is a fault that axe-core finds in their markup.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

MENDED = (
    # the sidebar's logo and search stand outside of any landmark
    (
        r'<div id="pst-primary-sidebar" class',
        '<div id="pst-primary-sidebar" role="region" aria-label="Course" class',
    ),
    # a deprecated role, and one that a list's entry must not have
    (r'role="doc-biblioentry"', 'role="listitem"'),
    # the corner of a pandas table heads nothing
    (r"<th\b[^>]*>(?:\s|&nbsp;)*</th>", "<td></td>"),
    # a name that differs from what is to be read
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"', r"\1"),
    # what is wider than the page scrolls by keyboard, as the theme sees to elsewhere
    (r'(<div class="math[^"]*")', r'\1 tabindex="0"'),
)


def mend(html: str) -> str:
    """Return a page's markup without those faults."""
    for fault, remedy in MENDED:
        html = re.sub(fault, remedy, html, flags=re.DOTALL)
    return html


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Mend every page."""
    if exception or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        path.write_text(mend(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Under a chapter's title: what it takes, verdicts, the notebook."""

from __future__ import annotations

import sys
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import chapter_times
from claims_ledger import WORDS
from docutils import nodes
from sphinx.application import Sphinx

from nnperf_utils import claims

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute


def duration(seconds: float) -> str:
    """Return a running time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes"


def facts(chapter: Path, ledger: str, source: str) -> str:
    """Return the list as HTML."""
    record = execute.read_json(execute.record_path(chapter))
    found = claims.read_evidence(execute.read_json(execute.executed_path(chapter)))
    counts = Counter(one["verdict"] for one in found)
    items = [
        chapter_times.in_words(chapter_times.times_of(execute.read_json(chapter))),
        f"{duration(record['seconds'])} to run",
    ]
    if found:
        marks = " ".join(
            f'<span class="verdict {verdict.replace(" ", "-")}">'
            f"{symbol} {counts[verdict]} {WORDS[verdict][counts[verdict] != 1]}</span>"
            for verdict, symbol in claims.VERDICTS.items()
            if counts[verdict]
        )
        claim = f"{len(found)} claim{'s' if len(found) != 1 else ''}"
        items.append(f'<a href="{escape(ledger)}">{claim}</a>: {marks}')
    items.append(
        f'<a class="download-notebook" href="{escape(source)}" '
        f'download="{chapter.name}">Notebook</a>'
    )
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<ul class="chapter-facts">{listed}</ul>'


def add_facts(
    app: Sphinx, page: str, _: str, context: dict, doctree: nodes.document | None
) -> None:
    """Put the list under the title of a chapter's page."""
    chapter = Path(app.srcdir) / f"{page}.ipynb"
    if doctree is None or not execute.record_path(chapter).is_file():
        return
    pathto: Any = context["pathto"]
    told = facts(
        chapter, pathto("appendix/claims"), pathto(f"_sources/{page}.ipynb", 1)
    )
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{told}", 1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", add_facts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

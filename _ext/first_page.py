"""What a newcomer does first: a lab on a page of its own, and a test where to begin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import course_items
import outside_chapters
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nnperf_utils import labs


class Lab(SphinxDirective):
    """A lab that needs no data of a run, outside the chapters."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the lab."""
        return [nodes.raw("", labs.lab(self.arguments[0]).section(), format="html")]


class SelfTest(SphinxDirective):
    """The questions, folded, and the place for what the answers propose."""

    def run(self) -> list[nodes.Node]:
        """Return the test."""
        self.env.note_dependency(str(outside_chapters.QUESTIONS))
        uri = self.env.app.builder.get_relative_uri
        told, sections = [], ""
        for entry in outside_chapters.questions():
            name = entry["chapter"]
            title = course_items.sections(name)[""]
            told.append(
                {
                    "id": entry["piece"].name,
                    "right": entry["piece"].payload["right"],
                    "page": uri(self.env.docname, f"chapters/{name}"),
                    "title": course_items.with_number(name, title),
                }
            )
            # its folds would be there for a moment only, and go as one opens them
            folds = f"<noscript>{entry['piece'].fallback}</noscript>"
            sections += replace(entry["piece"], fallback=folds).section()
        data = {"questions": told, "ledger": uri(self.env.docname, "appendix/claims")}
        html = (
            '<details class="self-test"><summary>'
            f"{len(told)} questions, one for each chapter: the first that "
            "you miss is where to begin</summary>"
            f'<div class="self-test-questions">{sections}</div>'
            '<p class="self-test-proposal" role="status">Answer them all, and the '
            "proposal stands here.</p>"
            f"{course_items.json_script(data, 'self-test-data')}</details>"
        )
        return [nodes.raw("", html, format="html")]


def add_scripts(app: Sphinx, page: str, _: str, context: dict, *__: Any) -> None:
    """Add the script to the page that has marks or the test."""
    body = context.get("body", "")
    if 'class="self-test"' in body or 'class="at-a-glance"' in body:
        app.add_js_file("pages/first_page.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("lab", Lab)
    app.add_directive("self-test", SelfTest)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

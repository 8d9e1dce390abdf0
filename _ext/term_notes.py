"""What a linked term means, told in the page: beside the text or over it.

Each link of `glossary_links` is followed by its definition. On a wide screen that
stands in the margin; elsewhere `pages/term_notes.js` shows it on hover, focus and tap.
Without a script the link leads to the glossary as before.
"""

from __future__ import annotations

import re
from html import escape

from docutils import nodes
from glossary_links import GLOSSARY
from sphinx.application import Sphinx

LINK = re.compile(r'<a class="(glossary-term[^"]*)" href="([^"]*#(term-[^"]+))">')


def definitions(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Return each term, as the glossary writes it, and its definition, by anchor."""
    if GLOSSARY not in app.env.found_docs:
        return {}
    found = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        terms = [node for node in item.children if isinstance(node, nodes.term)]
        text = " ".join(item.children[-1].astext().split())
        for term in terms:
            name = next(iter(term.findall(nodes.Text))).astext().strip()
            found |= {anchor: (name, text) for anchor in term["ids"]}
    return found


def with_notes(body: str, told: dict[str, tuple[str, str]]) -> str:
    """Return a page's content with a note after each term's link."""
    parts, begin = [], 0
    for link in LINK.finditer(body):
        end = body.index("</a>", link.end()) + len("</a>")
        if link[3] not in told:
            continue
        name, text = told[link[3]]
        note = f"note-{link[3]}"
        parts += [
            body[begin : link.start()],
            f'<a class="{link[1]}" href="{link[2]}" aria-describedby="{note}">',
            body[link.end() : end],
            # described by it, the link reads it out; alone it would interrupt the text
            f'<span class="term-note" id="{note}" aria-hidden="true">'
            f"<b>{escape(name)}</b> {escape(text)}</span>",
        ]
        begin = end
    return "".join([*parts, body[begin:]])


def add_notes(app: Sphinx, page: str, _: str, context: dict, doctree: object) -> None:
    """Put the notes into a page that links terms."""
    if doctree is None or "glossary-term" not in context.get("body", ""):
        return
    if not hasattr(app, "course_terms"):
        app.course_terms = definitions(app)  # type: ignore[attr-defined]
    context["body"] = with_notes(context["body"], app.course_terms)
    app.add_js_file("pages/term_notes.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", add_notes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Each term of the glossary leads there from its first use in a chapter.

The notebooks need no markup for it. Headings, code, formulas, links, outputs and the
quiz, where a link would give an answer away, are left alone.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

GLOSSARY = "appendix/glossary"
UNTOUCHED = (
    nodes.title,
    nodes.literal,
    nodes.literal_block,
    nodes.reference,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.table,
    nodes.caption,
)


def glossary_terms(app: Sphinx) -> dict[str, str]:
    """Return each term's place in the glossary, the longest terms first."""
    found = {
        name: anchor
        for name, _, kind, docname, anchor, _ in app.env.domains["std"].get_objects()
        if kind == "term" and docname == GLOSSARY
    }
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def term_pattern(term: str) -> re.Pattern:
    """Return what a use of a term looks like: any case, plural, spaces or hyphens.

    A term in capitals is an abbreviation and must be written so.
    """
    words = re.split(r"[\s-]+", term)
    text = r"[\s-]+".join(map(re.escape, words))
    flags = 0 if term.isupper() else re.IGNORECASE
    return re.compile(rf"(?<![\w-])(?:{text})(?:s|es)?(?![\w-])", flags)


def _is_prose(text: nodes.Text) -> bool:
    node = text.parent
    while node is not None:
        if isinstance(node, UNTOUCHED) or "cell" in node.get("classes", ()):
            return False
        if isinstance(node, nodes.section) and "quiz" in node["ids"]:
            return False
        node = node.parent
    return True


def join_lines(doctree: nodes.document) -> None:
    """Make one text of the lines of a paragraph, so that no term is cut in two."""
    for node in list(doctree.findall(nodes.TextElement)):
        joined: list[nodes.Node] = []
        for child in node.children:
            if (
                joined
                and isinstance(child, nodes.Text)
                and type(joined[-1]) is nodes.Text
            ):
                joined[-1] = nodes.Text(joined[-1].astext() + child.astext())
            else:
                joined.append(child)
        if len(joined) < len(node.children):
            node.children = []
            node.extend(joined)


def link_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link the terms of one chapter."""
    if not docname.startswith("chapters/"):
        return
    uri = app.builder.get_relative_uri(docname, GLOSSARY)
    terms = {
        anchor: (term_pattern(term), f"{uri}#{anchor}")
        for term, anchor in glossary_terms(app).items()
    }
    linked: set[str] = set()
    join_lines(doctree)
    for text in [t for t in doctree.findall(nodes.Text) if _is_prose(t)]:
        piece, start = text, 0
        while True:
            hits = [
                (match, anchor)
                for anchor, (pattern, _) in terms.items()
                if (match := pattern.search(piece.astext(), start))
            ]
            if not hits:
                break
            # the first in the text; of two at one place, the longer
            match, anchor = min(hits, key=lambda hit: (hit[0].start(), -hit[0].end()))
            if anchor in linked:  # and no shorter term within it is meant
                start = match.end()
                continue
            linked.add(anchor)
            before, after = (
                nodes.Text(match.string[: match.start()]),
                nodes.Text(match.string[match.end() :]),
            )
            link = nodes.reference(
                "",
                match[0],
                refuri=terms[anchor][1],
                internal=True,
                classes=["glossary-term"],
            )
            piece.parent.replace(piece, [before, link, after])
            piece, start = after, 0


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("doctree-resolved", link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

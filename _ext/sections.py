"""Search by section: what the search page looks through, and its scripts.

Sphinx's own index knows pages and wants every word of a query in one of them. Here each
section is found by its prose, without code, and by what readers type, which
``search/words.yml`` lists. All of it is one script, so that it works from a disk.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

HERE = Path(__file__).with_name("search")
SCRIPTS = ("minisearch.js", "index.js", "LICENSE")
# a page's weight against a chapter's, by the beginning of its name
WEIGHTS = {
    "chapters/": 1.0,
    "intro": 0.7,
    "appendix/cheat_sheet": 0.6,
    "appendix/glossary": 0.5,
    "appendix/claims": 0.4,
    "appendix/": 0.3,
}
NO_PROSE = (
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
    nodes.title,
)
PARTS = (nodes.section, addnodes.desc, nodes.definition_list_item)


def is_part(node: nodes.Node) -> bool:
    """Tell whether a node has a place of its own in the index."""
    if isinstance(node, nodes.definition_list_item):
        return any(term["ids"] for term in node.findall(nodes.term))
    return isinstance(node, PARTS)


def prose(node: nodes.Node) -> Iterator[str]:
    """Yield a part's own text, without code and without the parts in it."""
    for child in node.children:
        if isinstance(child, nodes.Text):
            yield child.astext()
        elif not isinstance(child, NO_PROSE) and not is_part(child):
            yield from prose(child)
            if not isinstance(child, nodes.Inline):
                yield " "


def sections(doctree: nodes.document) -> Iterator[tuple[str, str, str]]:
    """Yield anchor, title and prose of each part of a page."""
    for node in doctree.findall(is_part):
        if isinstance(node, nodes.section):
            title: Any = next(iter(node.findall(nodes.title)), None)
            anchor = node["ids"][0]
        else:
            kind = addnodes.desc_signature if isinstance(node, addnodes.desc) else None
            title = next(iter(node.findall(kind or nodes.term)))
            anchor = next(iter(title["ids"]), "")
        if isinstance(node, addnodes.desc):
            name = anchor.rpartition(".")[2]
        else:
            name = title.astext() if title is not None else ""
        if anchor:
            yield anchor, name, " ".join("".join(prose(node)).split())


def weight(page: str) -> float:
    """Return how much a page's sections count against a chapter's."""
    return next((w for name, w in WEIGHTS.items() if page.startswith(name)), 0.3)


@cache
def read_words() -> dict[str, Any]:
    """Return what readers type, and the words that are alike."""
    return yaml.safe_load((HERE / "words.yml").read_text("utf-8"))


def collect(
    app: Sphinx, page: str, _: str, context: dict, doctree: nodes.document | None
) -> None:
    """Keep a page's sections until all pages are written."""
    if doctree is None or page not in app.env.found_docs:
        return
    index: dict = app.course_sections  # type: ignore[attr-defined]
    number = len(index["pages"])
    index["pages"].append(
        {
            "address": app.builder.get_target_uri(page),
            "title": app.env.titles[page].astext(),
            "weight": weight(page),
        }
    )
    asked = read_words()["asked"]
    found = list(sections(doctree))
    for place, (anchor, title, text) in enumerate(found):
        # a page's title often has no text but that of its first section
        first = place == 0
        shown = text or (found[1][2] if first and len(found) > 1 else "")
        phrases = asked.get(f"{page}#{anchor}", [])
        index["sections"].append(
            {
                "page": number,
                "anchor": "" if first else f"#{anchor}",
                "title": title,
                "text": shown,
                "asked": [*asked.get(page, []), *phrases] if first else phrases,
            }
        )


def prepare(app: Sphinx) -> None:
    """Begin an empty index."""
    index = {"pages": [], "sections": [], "alike": read_words()["alike"]}
    app.course_sections = index  # type: ignore[attr-defined]


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write the index and its scripts, in place of Sphinx's."""
    if exception or app.builder.format != "html":
        return
    root = Path(app.outdir)
    target = root / "_static" / "search"
    target.mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        shutil.copyfile(HERE / name, target / name)
    told = json.dumps(
        app.course_sections,  # type: ignore[attr-defined]
        ensure_ascii=False,
        separators=(",", ":"),
    )
    (target / "sections.js").write_text(f"window.courseSections = {told};\n", "utf-8")
    for unused in (root / "searchindex.js", root / "_static" / "searchtools.js"):
        unused.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", prepare)
    app.connect("html-page-context", collect)
    app.connect("build-finished", finish)
    # pages that are written by other processes would not be collected
    return {"parallel_read_safe": True, "parallel_write_safe": False}

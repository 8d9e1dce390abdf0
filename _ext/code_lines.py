"""Each line of code is an element, so that it wraps on a phone under its own indent.

A name in a table may end its line between two of its words. And what is folded is
called by one word, which fits beside a sentence.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

MARK = "line"
PROMPTS = {
    f"{verb} code cell {what}": short
    for verb, short in (("Show", "Code"), ("Hide", "Hide code"))
    for what in ("source", "content")
}
PROMPTS |= {"Show code cell output": "Result", "Hide code cell output": "Hide result"}
CELL = re.compile(r"<t[dh]\b.*?</t[dh]>", re.DOTALL)
NAME = re.compile(r'(?<=<span class="pre">)[^<]+')
# sparse_|categorical, Binary|Crossentropy|(|from_|logits=|True)
SEAM = re.compile(r"(?<=[_(=])(?=\w)|(?<=[a-z])(?=[A-Z(])")
LINE = re.compile(rf'<span id="{MARK}-\d+">((?:<span class="w">)?( *))')


def split(app: Sphinx) -> None:
    """Have Pygments put each line into an element."""
    if highlighter := getattr(app.builder, "highlighter", None):
        highlighter.formatter_args["linespans"] = MARK


def indent(body: str) -> str:
    """Return a page whose lines know their indent, without an id each."""

    def element(found: re.Match) -> str:
        depth = len(found[2])
        style = f' style="--indent:{depth}"' if depth else ""
        return f'<span class="code-line"{style}>{found[1]}'

    return LINE.sub(element, body)


def with_seams(body: str) -> str:
    """Return a page whose tables may break a name between its words."""

    def cell(found: re.Match) -> str:
        return NAME.sub(lambda name: SEAM.sub("<wbr>", name[0]), found[0])

    return CELL.sub(cell, body)


def mark_lines(app: Sphinx, page: str, _: str, context: dict, *__: object) -> None:
    """Mark a page's lines and names."""
    body = with_seams(indent(context.get("body", "")))
    for long, short in PROMPTS.items():
        body = body.replace(f">{long}<", f">{short}<")
    context["body"] = body


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", split)
    app.connect("html-page-context", mark_lines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

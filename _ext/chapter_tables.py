"""Tables whose rows lead into chapters: what their directives have in common."""

from __future__ import annotations

import course_items
from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class ChapterTable(SphinxDirective):
    """A directive that makes a table of chapters."""

    def has(self, name: str) -> bool:
        """Tell whether the book has a chapter."""
        return f"chapters/{name}" in self.env.found_docs

    def link(self, name: str, anchor: str, words: str) -> nodes.reference:
        """Return a link into a chapter."""
        page = f"chapters/{name}"
        uri = self.env.app.builder.get_relative_uri(self.env.docname, page)
        uri += f"#{anchor}" if anchor else ""
        return nodes.reference("", words, refuri=uri, internal=True)

    def title(self, name: str) -> nodes.reference:
        """Return a link to a chapter by its number and title."""
        words = course_items.with_number(name, course_items.sections(name)[""])
        return self.link(name, "", words)

    def table(
        self, heads: dict[str, int], rows: list[nodes.row], style: str
    ) -> nodes.table:
        """Return a table of columns with their widths."""
        group = nodes.tgroup(cols=len(heads))
        group += [nodes.colspec(colwidth=width) for width in heads.values()]
        head = nodes.row()
        head += [nodes.entry("", nodes.paragraph(text=text)) for text in heads]
        group += nodes.thead("", head)
        group += nodes.tbody("", *rows)
        return nodes.table("", group, classes=[style, "colwidths-given"])

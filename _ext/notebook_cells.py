"""How a chapter's cells are read: by heading, in words, in lines, folded or seen."""

from __future__ import annotations

import re
from collections.abc import Iterator

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_HEADING = re.compile(r"^(#{1,6}) +(.*?)\s*$", re.MULTILINE)
_FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
# what a text has between its words: code, formulas, roles, tags, links' goals
_NO_WORDS = (
    FENCED,
    re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL),
    re.compile(r"\{[a-z:]+\}`[^`]*`|<[^>]+>|\]\([^)]*\)"),
)
_WORD = re.compile(r"[^\W_][\w'’/-]*")


def text_of(cell: dict) -> str:
    """Return a cell's source."""
    return "".join(cell["source"])


def tags_of(cell: dict) -> set[str]:
    """Return a cell's tags."""
    return set(cell["metadata"].get("tags", ()))


def is_folded(cell: dict) -> bool:
    """Tell whether a cell's code is not seen at first."""
    return bool(tags_of(cell) & _FOLDED)


def headings(cell: dict) -> list[tuple[int, str]]:
    """Return the level and text of each heading of a cell."""
    if cell["cell_type"] != "markdown":
        return []
    found = _HEADING.findall(FENCED.sub("", text_of(cell)))
    return [(len(marks), text) for marks, text in found]


def parts_begun(cell: dict) -> list[str]:
    """Return the names of the parts, ``## Name``, that begin in a cell."""
    return [text for level, text in headings(cell) if level == 2]


def in_parts(notebook: dict) -> Iterator[tuple[str, dict]]:
    """Yield each cell with the name of the part in which it stands."""
    part = ""
    for cell in notebook["cells"]:
        part = [part, *parts_begun(cell)][-1]
        yield part, cell


def count_lines(code: str) -> int:
    """Return how many lines of code are not empty."""
    return sum(bool(line.strip()) for line in code.splitlines())


def count_words(text: str) -> int:
    """Return how many words of prose a text has."""
    for other in _NO_WORDS:
        text = other.sub(" ", text)
    return len(_WORD.findall(text))

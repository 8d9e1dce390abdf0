"""The times that a chapter takes: to read it, to follow its code, to do its exercises.

Computed from the notebook alone, so that no number has to be typed or kept.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

WORDS_A_MINUTE = 150  # of technical prose
MINUTES_A_FIGURE = 0.5
LINES_A_MINUTE = 12  # of code, with a look at what it puts out
MINUTES_AN_EXERCISE = 12
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


@dataclass(frozen=True)
class Times:
    """Minutes, apart: to read, to follow the code besides, to do the exercises."""

    read: float = 0
    code: float = 0
    exercises: float = 0

    def __add__(self, other: Times) -> Times:
        """Return both together."""
        return Times(
            self.read + other.read,
            self.code + other.code,
            self.exercises + other.exercises,
        )

    @property
    def total(self) -> float:
        """All three."""
        return self.read + self.code + self.exercises


def in_parts(notebook: dict) -> Iterator[tuple[str, dict]]:
    """Yield each cell with the heading of the part in which it stands."""
    part = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for heading in re.findall("^## (.+)$", "".join(cell["source"]), re.M):
                part = heading.strip()
        yield part, cell


def times_of(notebook: dict) -> Times:
    """Return a chapter's times.

    Parameters
    ----------
    notebook : dict
        The notebook's content.

    Returns
    -------
    Times
    """
    words = figures = lines = exercises = 0
    for part, cell in in_parts(notebook):
        source = "".join(cell["source"])
        inside = part.lower() == "exercises"
        if cell["cell_type"] == "markdown":
            exercises += inside * len(re.findall("^### ", source, re.MULTILINE))
            words += (not inside) * len(re.findall(r"\w[\w’'-]*", source))
        elif not inside:
            figures += "figure" in cell["metadata"].get("mystnb", {})
            shown = not FOLDED & set(cell["metadata"].get("tags", ()))
            lines += shown * sum(bool(line.strip()) for line in source.splitlines())
    return Times(
        words / WORDS_A_MINUTE + figures * MINUTES_A_FIGURE,
        lines / LINES_A_MINUTE,
        exercises * MINUTES_AN_EXERCISE,
    )


def course_times() -> Times:
    """Return the times of all chapters together."""
    return sum(map(times_of, map(execute.read_json, execute.chapters())), Times())


def five_minutes(minutes: float) -> int:
    """Return minutes to the nearest five, at least five."""
    return max(5, 5 * round(minutes / 5))


def in_words(times: Times) -> str:
    """Return the times as a chapter's head tells them."""
    told = [f"{five_minutes(times.read)} minutes to read"]
    if times.code:
        told.append(f"{five_minutes(times.code)} for the code")
    if times.exercises:
        told.append(f"{five_minutes(times.exercises)} for the exercises")
    return ", ".join(told)

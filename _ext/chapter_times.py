"""The times that a chapter takes: to read it, to follow its code, to do its exercises.

Computed from the notebook alone, so that no number has to be typed or kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import notebook_cells as cells

WORDS_A_MINUTE = 150  # of technical prose
MINUTES_A_FIGURE = 0.5
LINES_A_MINUTE = 12  # of code, with a look at what it puts out
MINUTES_AN_EXERCISE = 12


@dataclass(frozen=True)
class Times:
    """Minutes, apart: to read, to follow the code besides, to do the exercises."""

    read: float = 0
    code: float = 0
    exercises: float = 0


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
    for part, cell in cells.in_parts(notebook):
        inside = part == "Exercises"
        if cell["cell_type"] == "markdown":
            levels = [level for level, _ in cells.headings(cell)]
            exercises += inside * levels.count(3)
            words += (not inside) * cells.count_words(cells.text_of(cell))
        elif not inside:
            figures += "figure" in cell["metadata"].get("mystnb", {})
            seen = not cells.is_folded(cell)
            lines += seen * cells.count_lines(cells.text_of(cell))
    return Times(
        words / WORDS_A_MINUTE + figures * MINUTES_A_FIGURE,
        lines / LINES_A_MINUTE,
        exercises * MINUTES_AN_EXERCISE,
    )


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

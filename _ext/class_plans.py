"""What teachers ask for: plans of a class, and what each chapter takes.

``{class-plan} 6`` makes a table of ``appendix/class_plans.yml``; titles, labs,
exercises and minutes are the chapters' own. ``{chapter-costs}`` lists what each chapter
takes of a learner and of a machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import unescape
from typing import Any

import chapter_times
import course_items
import execute
import yaml
from chapter_facts import duration
from chapter_tables import ChapterTable
from docutils import nodes
from sphinx.application import Sphinx

PLANS = execute.ROOT / "appendix" / "class_plans.yml"


def read_plans() -> dict[int, list[dict[str, Any]]]:
    """Return the sessions of each plan, by their number."""
    return yaml.safe_load(PLANS.read_text("utf-8"))


@cache
def exercises(name: str) -> dict[int, tuple[str, str]]:
    """Return anchor and title of a chapter's exercises, by their numbers."""
    found = {}
    for anchor, title in course_items.sections(name).items():
        if match := re.match(r"(\d+)\. (.+)", title):
            found[int(match[1])] = (anchor, match[2])
    return found


@cache
def lab(name: str) -> tuple[str, str]:
    """Return anchor and name of a chapter's first lab."""
    notebook = execute.with_outputs(execute.CHAPTERS / f"{name}.ipynb")
    for piece in course_items.pieces(notebook):
        if piece["kind"] == "lab":
            words = unescape(re.sub(r"<[^>]+>", "", piece["head"]))
            return f"lab-{piece['key']}", " ".join(words.split())
    return "", ""


@cache
def times(name: str) -> chapter_times.Times:
    """Return what a chapter takes of a learner."""
    path = execute.CHAPTERS / f"{name}.ipynb"
    return chapter_times.times_of(execute.read_json(path))


class _OfChapters(ChapterTable):
    """A table that is made of what the chapters say of themselves."""

    def note_chapters(self) -> None:
        """Have the page made anew when a chapter is."""
        for path in execute.chapters():
            self.env.note_dependency(str(path))
            self.env.note_dependency(str(execute.record_path(path)))

    def known(self, names: Iterable[str]) -> list[str]:
        """Return those of some chapters that the book has."""
        return [name for name in names if self.has(name)]


def cell(*lines: nodes.Node) -> nodes.entry:
    """Return a cell of lines, each a paragraph."""
    return nodes.entry("", *(nodes.paragraph("", "", line) for line in lines))


def minutes(number: float) -> str:
    """Return minutes in words, to the nearest five."""
    return f"{chapter_times.five_minutes(number)} minutes"


class ClassPlan(_OfChapters):
    """The sessions of one plan."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        self.env.note_dependency(str(PLANS))
        self.note_chapters()
        sessions = read_plans()[int(self.arguments[0])]
        rows = [
            self._row(number, session)
            for number, session in enumerate(sessions, 1)
            if self.known(session["chapters"])
        ]
        heads = {"Session": 22, "Read before": 28, "Show": 20, "Assign": 30}
        return [self.table(heads, rows, "class-plan")]

    def _row(self, number: int, session: dict[str, Any]) -> nodes.row:
        read = self.known(session["chapters"])
        took = [times(name) for name in read]
        alone = minutes(sum(one.read + one.code for one in took))
        shown = [(name, *lab(name)) for name in self.known(session["show"])]
        given = [
            (name, *exercises(name)[one])
            for name in self.known(session["assign"])
            for one in session["assign"][name]
        ]
        practice = len(given) * chapter_times.MINUTES_AN_EXERCISE
        return nodes.row(
            "",
            cell(nodes.strong(text=f"{number}. {session['title']}")),
            cell(*map(self.title, read), nodes.emphasis(text=alone)),
            cell(*(self.link(*one) for one in shown)),
            cell(
                *(
                    self.link(name, anchor, course_items.with_number(name, title))
                    for name, anchor, title in given
                ),
                nodes.emphasis(text=minutes(practice)),
            ),
        )


class ChapterCosts(_OfChapters):
    """What each chapter takes."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        self.note_chapters()
        heads = {
            "Chapter": 38,
            "Read, with code": 16,
            "Exercises": 20,
            "Run": 14,
            "Memory": 12,
        }
        rows = []
        for name in self.known(path.stem for path in execute.chapters()):
            took = times(name)
            record = execute.read_json(
                execute.record_path(execute.CHAPTERS / f"{name}.ipynb")
            )
            memory = f"{record['peak_memory_mb'] / 1024:.1f} GB"
            told = (
                minutes(took.read + took.code),
                f"{len(exercises(name))}, {minutes(took.exercises)}",
                duration(record["seconds"]),
                memory,
            )
            row = nodes.row("", cell(self.title(name)))
            row += [cell(nodes.Text(text)) for text in told]
            rows.append(row)
        return [self.table(heads, rows, "chapter-costs")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("class-plan", ClassPlan)
    app.add_directive("chapter-costs", ChapterCosts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

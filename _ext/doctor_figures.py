"""What the doctor's benchmark says, in two sentences for the first page.

``{doctor-figures}`` reads the record in ``benchmarks/doctor`` of the first scorings of
networks that others wrote: two sets, the rules mended on the first between them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

RECORDS = execute.ROOT / "benchmarks" / "doctor"
RECORD = RECORDS / "first_scoring_of_others.json"
HOME = "chapters/19_monitoring"

Counts = dict[str, dict[str, Any]]


def counts(record: dict[str, Any]) -> tuple[Counts, Counts]:
    """Return the doctor's counts on the second set, and on the first."""
    return record["sets"]["second"]["doctor"], record["sets"]["first"]["doctor"]


def share(count: dict[str, Any]) -> str:
    """Return a count with its interval: 25 of 27 (77% to 98%)."""
    low, high = (f"{abs(end):.0%}" for end in count["interval"])
    return f"{count['hits']} of {count['of']} ({low} to {high})"


def told(second: Counts, first: Counts) -> str:
    """Return what follows the doctor's name."""
    return (
        f" finds {share(second['found'])} of the faults that others, who had not seen "
        "its rules, planted in networks of their own, names the right cause first "
        f"in {share(second['first'])}, and finds fault with "
        f"{share(second['false alarms'])} of their healthy ones. On a first such set, "
        "before what it showed was mended, these were "
        f"{share(first['found'])}, {share(first['first'])} and "
        f"{share(first['false alarms'])}."
    )


class DoctorFigures(SphinxDirective):
    """The paragraph."""

    def run(self) -> list[nodes.Node]:
        """Return it, with a link to where the doctor is at home."""
        self.env.note_dependency(str(RECORD))
        record = json.loads(RECORD.read_text("utf-8"))
        name: nodes.Node = nodes.Text("doctor for your own trainings")
        if HOME in self.env.found_docs:
            uri = self.env.app.builder.get_relative_uri(self.env.docname, HOME)
            name = nodes.reference("", name.astext(), refuri=uri, internal=True)
        paragraph = nodes.paragraph("", "The course's ", classes=["doctor-figures"])
        paragraph += [name, nodes.Text(told(*counts(record)))]
        return [paragraph]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("doctor-figures", DoctorFigures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""What the doctor's benchmark says, in two sentences for the first page.

``{doctor-figures}`` reads the records in ``benchmarks/doctor`` of networks that others
wrote: that of the second set, and that of the first, which was scored before what it
showed was mended.
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
LAST, FIRST = RECORDS / "others.json", RECORDS / "first_scoring_of_others.json"
HOME = "chapters/19_monitoring"

Counts = dict[str, dict[str, Any]]


def counts(last: dict[str, Any], first: dict[str, Any]) -> tuple[Counts, Counts]:
    """Return the doctor's counts on the second set, and at the first one's scoring."""
    return last["sets"]["second"]["doctor"], first["doctor"]


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
        for path in (LAST, FIRST):
            self.env.note_dependency(str(path))
        records = (json.loads(path.read_text("utf-8")) for path in (LAST, FIRST))
        name: nodes.Node = nodes.Text("doctor for your own trainings")
        if HOME in self.env.found_docs:
            uri = self.env.app.builder.get_relative_uri(self.env.docname, HOME)
            name = nodes.reference("", name.astext(), refuri=uri, internal=True)
        paragraph = nodes.paragraph("", "The course's ", classes=["doctor-figures"])
        paragraph += [name, nodes.Text(told(*counts(*records)))]
        return [paragraph]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("doctor-figures", DoctorFigures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

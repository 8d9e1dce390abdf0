"""Every technique of the sources, with its chapter and what the run says about it.

``{techniques} A`` makes a table of what source A advises or asserts, out of
``appendix/techniques.yml``; ``{techniques} other`` of what comes from elsewhere. A
claim knows its sources and its verdict itself. What has no claim is shown, not
measured. A chapter that the book does not have yet is left out with all its lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import claims_ledger
import course_items
import execute
import verdicts
import yaml
from chapter_tables import ChapterTable
from docutils import nodes
from sphinx.application import Sphinx

from nnperf_utils import claims
from nnperf_utils.catalog import SOURCES, Catalog, Claim

LINES = execute.ROOT / "appendix" / "techniques.yml"
OTHER = "other"


@dataclass(frozen=True)
class Line:
    """A technique: in a chapter either claims, or a section that shows it."""

    technique: str
    chapter: str
    claims: tuple[str, ...] = ()
    section: str = ""
    sources: tuple[str, ...] = ()


def read_lines() -> list[Line]:
    """Return all lines, in the order of the chapters."""
    return [
        Line(
            entry["technique"],
            entry["chapter"],
            tuple(entry.get("claims", ())),
            entry.get("section", ""),
            tuple(entry.get("sources", ())),
        )
        for entry in yaml.safe_load(LINES.read_text("utf-8"))
    ]


def belongs(claim: Claim, source: str) -> bool:
    """Tell whether a claim is a source's, or for ``other`` none of the three's."""
    if source == OTHER:
        return not set(claim.source) & set(SOURCES)
    return source in claim.source


def lines_of(
    source: str, lines: list[Line], catalog: Catalog
) -> Iterator[tuple[Line, list[Claim]]]:
    """Yield the lines that a source has, each with the source's own claims in it."""
    for line in lines:
        named = [catalog.claims[name] for name in line.claims if name in catalog.claims]
        own = [claim for claim in named if belongs(claim, source)]
        if own or source in line.sources:
            yield line, own


class Techniques(ChapterTable):
    """The table of one source."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return how many lines there are, and the table."""
        source = self.arguments[0]
        if source not in (*SOURCES, OTHER):
            message = f"there is no source {source!r}"
            return [self.state.document.reporter.error(message)]
        for path in (LINES, *claims_ledger.CLAIMS.glob("*.yml")):
            self.env.note_dependency(str(path))
        for chapter in execute.chapters():
            self.env.note_dependency(str(execute.record_path(chapter)))
        catalog = claims.load_claims(claims_ledger.CLAIMS)
        evidence = claims_ledger.collect_evidence()
        found = [
            (line, own)
            for line, own in lines_of(source, read_lines(), catalog)
            if self.has(line.chapter)
        ]
        if not found:
            return []
        told = [
            evidence[claim.id]["verdict"]
            if claim.id in evidence
            else claims_ledger.NOT_JUDGED
            for _, own in found
            for claim in own
        ]
        words = sentence(len(found), Counter(told))
        return [nodes.paragraph(text=words), self._table(found, evidence)]

    def _table(
        self, found: list[tuple[Line, list[Claim]]], evidence: dict[str, Any]
    ) -> nodes.table:
        body = []
        for chapter, rows in groupby(found, key=lambda pair: pair[0].chapter):
            title = nodes.paragraph("", "", self.title(chapter))
            cell = nodes.entry("", title, morecols=1)
            body.append(nodes.row("", cell, classes=["of-chapter"]))
            body += [self._row(line, own, evidence) for line, own in rows]
        heads = {"Technique": 45, "What the run says": 55}
        return self.table(heads, body, "techniques")

    def _row(self, line: Line, own: list[Claim], evidence: dict[str, Any]) -> nodes.row:
        name, messages = self.parse_inline(line.technique)
        said = [self._claim(claim, evidence) for claim in own]
        if not said:
            title = course_items.sections(line.chapter)[line.section]
            place = self.link(line.chapter, line.section, title)
            before, after = nodes.Text("shown under “"), nodes.Text("”, not measured")
            said = [nodes.paragraph("", "", before, place, after)]
        told = nodes.entry("", nodes.paragraph("", "", *name), *messages)
        return nodes.row("", told, nodes.entry("", *said))

    def _claim(self, claim: Claim, evidence: dict[str, Any]) -> nodes.paragraph:
        found = evidence.get(claim.id)
        verdict = found["verdict"] if found else claims_ledger.NOT_JUDGED
        return nodes.paragraph("", "", verdicts.quoted(self.env, claim, verdict))


def sentence(lines: int, counts: Counter[str]) -> str:
    """Say how many lines a table has, and what became of their claims."""
    told = f"{lines} line{'s' if lines != 1 else ''}."
    if counts:
        told += f" Of their {claims_ledger.counts_sentence(counts)}"
    return told


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("techniques", Techniques)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The ledger: every claim with what its chapter's run says about it.

The directives ``claims-ledger`` and ``claims-pictures`` put it together from
``claims/`` and the evidence that the executed chapters hold, so that no number in it
is written by hand.
"""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from docutils import nodes
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nnperf_utils import claims
from nnperf_utils.cards import source_words
from nnperf_utils.catalog import Claim
from nnperf_utils.replications import Replication, Tally, load_replications, tally

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

CLAIMS = execute.ROOT / "claims"

Evidence = dict[str, dict[str, Any]]

NOT_JUDGED = "not judged yet"
# for one claim, and for several
WORDS = {
    "holds": ("holds", "hold"),
    "holds in part": ("holds in part", "hold in part"),
    "fails": ("fails", "fail"),
    NOT_JUDGED: ("is not judged yet", "are not judged yet"),
}
# replaced by the page's own color of text, so that the figure suits light and dark
_INK = "#010203"
_MARKERS = {"holds": "full", "holds in part": "left", "fails": "none"}
_COLUMNS = {
    "Claim": 29,
    "Verdict": 21,
    "Measured": 23,
    "Criterion": 11,
    "Fresh runs": 8,
    "Flips": 8,
}
_ALL = "all"


# how a criterion came to be, in short
TOGETHER = {
    "before": "before the first result",
    "together": "with the first result",
    "after": "after the first result",
}
# what rows can be chosen by, besides the verdict
FACETS = {
    "chapter": "Chapter",
    "source": "Source",
    "order": "Criterion",
    "fresh": "Fresh runs",
}


@dataclass(frozen=True)
class Row:
    """A claim and what its chapter's run and fresh runs say about it."""

    claim: Claim
    found: dict[str, Any] | None
    fresh: Tally

    @property
    def verdict(self) -> str:
        """What the run says."""
        return self.found["verdict"] if self.found else NOT_JUDGED

    def facets(self) -> list[tuple[str, str]]:
        """Return by what the row can be chosen."""
        claim = self.claim
        return [
            ("verdict", self.verdict.replace(" ", "-")),
            ("chapter", claim.chapter.replace("_", "-")),
            *(("source", source) for source in claim.source),
            ("order", claim.order or "none"),
            ("fresh", "yes" if self.fresh.runs else "no"),
        ]


def rows_of(
    catalog: claims.Catalog, evidence: Evidence, replications: list[Replication]
) -> list[Row]:
    """Return a row for each claim, in the order of the chapters."""
    return [
        Row(claim, evidence.get(claim.id), tally(claim, replications))
        for claim in catalog.claims.values()
    ]


def collect_evidence() -> Evidence:
    """Return the evidence in all executed chapters, by claim."""
    return {
        found["id"]: found
        for chapter in execute.chapters()
        if execute.executed_path(chapter).is_file()
        for found in claims.read_evidence(
            execute.read_json(execute.executed_path(chapter))
        )
    }


class _FromEvidence(SphinxDirective):
    """What is made of the claims and of what the chapters' runs say about them."""

    def read(self) -> tuple[claims.Catalog, Evidence]:
        """Return claims and evidence; when either changes, the page is made anew."""
        for path in (*CLAIMS.glob("*.yml"), *CLAIMS.glob("replications/*.json")):
            self.env.note_dependency(str(path))
        for chapter in execute.chapters():
            self.env.note_dependency(str(execute.record_path(chapter)))
        return claims.load_claims(CLAIMS), collect_evidence()


class ClaimsPictures(_FromEvidence):
    """A picture for each scale, of all effects that share it."""

    def run(self) -> list[nodes.Node]:
        """Return the pictures."""
        catalog, evidence = self.read()
        drawn = (draw_effects(catalog, evidence, s) for s in catalog.scales.values())
        return [nodes.raw("", picture, format="html") for picture in drawn if picture]


class ClaimsLedger(_FromEvidence):
    """Counts, and the table of all claims with its filter."""

    def run(self) -> list[nodes.Node]:
        """Return the ledger."""
        catalog, evidence = self.read()
        rows = rows_of(catalog, evidence, load_replications(CLAIMS / "replications"))
        counts = Counter(row.verdict for row in rows)
        ledger = nodes.container(classes=["claims-ledger"])
        ledger += nodes.paragraph(text=counts_sentence(counts))
        ledger += nodes.paragraph(text=orders_sentence(rows))
        ledger += nodes.raw("", filter_form(rows), format="html")
        ledger += self._table(rows)
        return [ledger]

    def _table(self, rows: list[Row]) -> nodes.table:
        """Return the table of all claims."""
        group = nodes.tgroup(cols=len(_COLUMNS))
        group += [nodes.colspec(colwidth=width) for width in _COLUMNS.values()]
        heads = nodes.row()
        heads += [nodes.entry("", nodes.paragraph(text=name)) for name in _COLUMNS]
        group += nodes.thead("", heads)
        body = nodes.tbody()
        for one in rows:
            classes = [f"{facet}-{value}" for facet, value in one.facets()]
            row = nodes.row(classes=classes)
            row += self._claim_cell(one.claim)
            row += _verdict_cell(one.claim, one.verdict)
            row += nodes.entry(
                "", nodes.raw("", _measured(one.claim, one.found), format="html")
            )
            for text in (_criterion_text(one.claim), _fresh_text(one.fresh)):
                row += nodes.entry("", nodes.paragraph(text=text))
            row += nodes.entry("", nodes.paragraph(text=_flips_text(one.found)))
            body += row
        group += body
        return nodes.table("", group, classes=["claims-table", "colwidths-given"])

    def _claim_cell(self, claim: claims.Claim) -> nodes.entry:
        """Return the statement, the link to its place, and where it comes from."""
        chapter = f"chapters/{claim.chapter}"
        place: nodes.Node = nodes.literal(text=claim.id)
        if chapter in self.env.found_docs:
            uri = self.env.app.builder.get_relative_uri(self.env.docname, chapter)
            place = nodes.reference(
                "", claim.id, refuri=f"{uri}#claim-{claim.id}", internal=True
            )
        origin = nodes.paragraph("", "", place, nodes.Text(" · "))
        for number, source in enumerate(claim.source):
            origin += nodes.Text(", " if number else "")
            if source in claims.SOURCES:
                origin += nodes.Text(source)
            else:
                cited, messages = self.parse_inline(f"{{cite:p}}`{source}`")
                origin += cited + messages
        return nodes.entry("", nodes.paragraph(text=claim.statement), origin)


def _verdict_cell(claim: claims.Claim, verdict: str) -> nodes.entry:
    """Return the verdict with its condition, in words and by symbol."""
    symbol = claims.VERDICTS.get(verdict, "")
    cell = nodes.entry("", nodes.paragraph("", "", nodes.strong(text=verdict)))
    cell[0].insert(0, nodes.Text(f"{symbol} " if symbol else ""))
    if verdict == "holds in part" and claim.condition:
        cell += nodes.paragraph(text=claim.condition)
    if verdict not in (claim.verdict, NOT_JUDGED):
        cell += nodes.paragraph(text=f"The text argues from “{claim.verdict}”.")
    return cell


def _measured(claim: Claim, found: dict[str, Any] | None) -> str:
    """Return every effect with its interval, folded, as HTML."""
    if found is None:
        return "<p>–</p>"
    items = "".join(
        f"<li>{escape(effect.label)}: "
        f"{claims.format_interval(claims.Estimate(**found['effects'][name]))}</li>"
        for name, effect in claim.effects.items()
    )
    number = len(claim.effects)
    told = f"{number} effect{'s' if number != 1 else ''}, "
    told += f"{found['seeds']} seeds" if found["seeds"] else "exact"
    return f"<details><summary>{told}</summary><ul>{items}</ul></details>"


def _criterion_text(claim: Claim) -> str:
    """Say how the criterion came to be, and how often the claim was revised."""
    text = TOGETHER.get(claim.order, "not registered")
    count = len(claim.revisions)
    return f"{text}; revised {count} time{'s' if count != 1 else ''}" if count else text


def _fresh_text(fresh: Tally) -> str:
    """Say how often a claim came out the same in fresh runs."""
    if not fresh.runs:
        return "–"
    edge = " (on the edge)" if fresh.on_edge else ""
    return f"same in {fresh.same} of {fresh.runs}{edge}"


def _flips_text(found: dict[str, Any] | None) -> str:
    """Say how often another verdict comes out."""
    if found is None or found["flips"] is None:
        return "–"
    flips = found["flips"]
    text = f"{flips:.1%}" if flips else "0%"
    return f"{text} (on the edge)" if flips > claims.EDGE else text


def counts_sentence(counts: Counter[str]) -> str:
    """Return how many claims got which verdict."""
    total = counts.total()
    parts = ", ".join(
        f"{counts[verdict]} {words[counts[verdict] != 1]}"
        for verdict, words in WORDS.items()
        if counts[verdict] or verdict != NOT_JUDGED
    )
    return f"{total} claim{'s' if total != 1 else ''}: {parts}."


def orders_sentence(rows: list[Row]) -> str:
    """Return how many criteria were written when, and how many were revised."""
    counts = Counter(row.claim.order for row in rows)
    parts = ", ".join(
        f"{counts[order]} {text}" for order, text in TOGETHER.items() if counts[order]
    )
    revised = sum(bool(row.claim.revisions) for row in rows)
    return (
        f"When their criteria were written: {parts or 'not registered'}. Revised "
        f"since: {revised} of the claims."
    )


def filter_form(rows: list[Row]) -> str:
    """Return the choices, and the style that hides what is not chosen.

    It needs no script.
    """
    hidden = []
    fields = [_verdict_field(rows)]
    found: dict[str, dict[str, int]] = {}
    for facet, value in (pair for row in rows for pair in row.facets()):
        values = found.setdefault(facet, {})
        values[value] = values.get(value, 0) + 1
    for facet, label in FACETS.items():
        values = found.get(facet, {})
        options = "".join(
            f'<option value="{facet}-{value}">{escape(_facet_words(facet, value))} '
            f"({number})</option>"
            for value, number in sorted(values.items())
        )
        fields.append(
            f'<label>{label} <select><option value="{_ALL}">all</option>{options}'
            "</select></label>"
        )
        hidden += [
            f'.claims-ledger:has(option[value="{facet}-{value}"]:checked) '
            f"tbody tr:not(.{facet}-{value})"
            for value in values
        ]
    style = f"{','.join(hidden)}{{display:none}}" if hidden else ""
    # a form forgets nothing on reload that it does not show
    return (
        f'<form class="claims-filter" autocomplete="off">{"".join(fields)}'
        f"<style>{style}</style></form>"
    )


def _verdict_field(rows: list[Row]) -> str:
    """Return the choice of verdicts; the style sheet hides the other rows."""
    counts = Counter(row.verdict for row in rows)
    choices = {_ALL: counts.total()} | {
        verdict: counts[verdict]
        for verdict in [*claims.VERDICTS, NOT_JUDGED]
        if counts[verdict]
    }
    labels = "".join(
        f'<label><input type="radio" name="claims-verdict" '
        f'value="{verdict.replace(" ", "-")}"{" checked" if verdict == _ALL else ""}> '
        f"{claims.VERDICTS.get(verdict, '')} {verdict} ({number})</label>"
        for verdict, number in choices.items()
    )
    return f"<fieldset><legend>Show</legend>{labels}</fieldset>"


def _facet_words(facet: str, value: str) -> str:
    """Return what to call a value that rows are chosen by."""
    if facet == "chapter":
        return value.replace("_", " ").replace("-", " ")
    if facet == "order":
        return TOGETHER.get(value, value)
    if facet == "source":
        return source_words(value)
    return {"yes": "on record", "no": "none yet"}[value]


def draw_effects(
    catalog: claims.Catalog, evidence: Evidence, scale: claims.Scale
) -> str:
    """Return a picture of all effects on one scale, as an inline SVG.

    Nothing is drawn, and an empty string returned, where fewer than two share it.
    """
    rows = [
        (claim, effect, claims.Estimate(**evidence[claim.id]["effects"][effect.name]))
        for claim in catalog.claims.values()
        if claim.id in evidence
        for effect in claim.effects.values()
        if effect.scale == scale
    ]
    if scale.axis == "log":
        rows = [row for row in rows if row[2].low > 0]
    if len(rows) < 2:
        return ""
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": scale.name,
        "font.size": 10,
        **dict.fromkeys(
            ("text.color", "axes.labelcolor", "xtick.color", "axes.edgecolor"), _INK
        ),
    }
    with mpl.rc_context(settings):
        # narrow, with the names above their intervals, to be read on a phone, too
        figure = Figure(figsize=(5, 0.7 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.set(xscale=scale.axis, xlabel=scale.label)
        axes.set(ylim=(len(rows) - 0.5, -0.8), yticks=[])
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.grid(axis="x", color=_INK, alpha=0.12)
        for height, (claim, effect, estimate) in enumerate(rows):
            verdict = evidence[claim.id]["verdict"]
            axes.plot(
                [estimate.low, estimate.high],
                [height, height],
                color=_INK,
                linewidth=2,
                solid_capstyle="butt",
            )
            axes.plot(
                estimate.value,
                height,
                marker="o",
                markersize=6,
                fillstyle=_MARKERS[verdict],
                markeredgecolor=_INK,
                markerfacecolor=_INK,
                markerfacecoloralt="none",
            )
            for border in _borders(claim, effect):
                if scale.axis == "linear" or border > 0:
                    axes.vlines(
                        border, height - 0.17, height + 0.17, color=_INK, linestyle=":"
                    )
            axes.text(
                0,
                height - 0.36,
                f"{claim.id}: {effect.label}",
                transform=axes.get_yaxis_transform(),
                verticalalignment="center",
                fontsize=9,
            )
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace(_INK, "currentColor")
    # several pictures share a page, on which an id may stand only once
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{scale.name}-", svg)
    name = escape(
        f"Estimates with 95% intervals of {len(rows)} effects; the axis shows the "
        f"{scale.label}. The table below holds the same numbers.",
        quote=True,
    )
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
    return f'<figure class="claims-effects">{svg}</figure>'


def _borders(claim: claims.Claim, effect: claims.Effect) -> set[float]:
    """Return the numbers with which a claim's criterion compares an effect."""
    return {
        border
        for condition in (claim.holds, claim.fails)
        for border, _ in condition.borders().get(effect.name, ())
    }


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("claims-ledger", ClaimsLedger)
    app.add_directive("claims-pictures", ClaimsPictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

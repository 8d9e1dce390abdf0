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
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from docutils import nodes
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nnperf_utils import claims

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
_COLUMNS = {"Claim": 31, "Verdict": 23, "Measured": 30, "Seeds": 8, "Flips": 8}


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
        for path in CLAIMS.glob("*.yml"):
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
        verdicts = {
            claim_id: evidence.get(claim_id, {}).get("verdict", NOT_JUDGED)
            for claim_id in catalog.claims
        }
        counts = Counter(verdicts.values())
        ledger = nodes.container(classes=["claims-ledger"])
        ledger += nodes.paragraph(text=counts_sentence(counts))
        ledger += nodes.raw("", filter_form(counts), format="html")
        ledger += self._table(catalog, evidence, verdicts)
        return [ledger]

    def _table(
        self, catalog: claims.Catalog, evidence: Evidence, verdicts: dict[str, str]
    ) -> nodes.table:
        """Return the table of all claims."""
        group = nodes.tgroup(cols=len(_COLUMNS))
        group += [nodes.colspec(colwidth=width) for width in _COLUMNS.values()]
        heads = nodes.row()
        heads += [nodes.entry("", nodes.paragraph(text=name)) for name in _COLUMNS]
        group += nodes.thead("", heads)
        body = nodes.tbody()
        for claim in catalog.claims.values():
            verdict = verdicts[claim.id]
            row = nodes.row(classes=[f"verdict-{verdict.replace(' ', '-')}"])
            found = evidence.get(claim.id)
            row += self._claim_cell(claim)
            row += _verdict_cell(claim, verdict)
            row += _effects_cell(claim, found)
            seeds = (found["seeds"] or "exact") if found else "–"
            row += nodes.entry("", nodes.paragraph(text=str(seeds)))
            row += nodes.entry("", nodes.paragraph(text=_flips_text(found)))
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


def _effects_cell(claim: claims.Claim, found: dict[str, Any] | None) -> nodes.entry:
    """Return every effect with its interval."""
    if found is None:
        return nodes.entry("", nodes.paragraph(text="–"))
    items = nodes.bullet_list()
    for name in claim.effects:
        interval = claims.format_interval(claims.Estimate(**found["effects"][name]))
        text = f"{name.replace('_', ' ')}: {interval}"
        items += nodes.list_item("", nodes.paragraph(text=text))
    return nodes.entry("", items)


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


def filter_form(counts: Counter[str]) -> str:
    """Return the choice of verdicts; the style sheet hides the other rows."""
    choices = {"all": counts.total()} | {
        verdict: counts[verdict]
        for verdict in [*claims.VERDICTS, NOT_JUDGED]
        if counts[verdict]
    }
    labels = "".join(
        f'<label><input type="radio" name="claims-verdict" '
        f'value="{verdict.replace(" ", "-")}"{" checked" if verdict == "all" else ""}> '
        f"{claims.VERDICTS.get(verdict, '')} {verdict} ({number})</label>"
        for verdict, number in choices.items()
    )
    return f'<fieldset class="claims-filter"><legend>Show</legend>{labels}</fieldset>'


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
        if effect.scale == scale.name
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
                f"{claim.id}: {effect.name.replace('_', ' ')}",
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
        for border in condition.borders().get(effect.name, ())
    }


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("claims-ledger", ClaimsLedger)
    app.add_directive("claims-pictures", ClaimsPictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

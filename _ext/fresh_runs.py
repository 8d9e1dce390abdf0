"""What fresh runs say, put into the pages when the site is built.

A record of a fresh run comes after the chapters were executed, so a card's own line is
as old as its run. It is written anew here; so is the sentence that ``fresh-runs`` puts
on the first page and into the ledger. A new record executes no chapter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

import claims_ledger
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from nnperf_utils import claims
from nnperf_utils.cards import day_words
from nnperf_utils.catalog import Claim
from nnperf_utils.replications import Replication, Tally, load_replications, tally

RECORDS = claims_ledger.CLAIMS / "replications"

_CARD = re.compile(
    r'<div class="nnperf-claim [^>]* id="claim-(?P<id>[\w-]+)".*?</small></div>'
    r"(?=\s*</div>|\s*$)",
    re.DOTALL,
)
_FOLDED = re.compile(r"(<b>Fresh runs\.</b> ).*?(</div>)", re.DOTALL)
_LINE = re.compile(r"( · )[^<·]*(</small></div>)\Z")
NONE = (
    "No fresh run is on record yet: how many verdicts come out the same when "
    "everything is drawn anew is not known."
)


def when(record: Replication) -> str:
    """Return a record's day and by how much its seeds differ from the course's."""
    return f"{day_words(record.date)}, seeds + {record.seeds:,}"


def others(
    claim: Claim, records: Iterable[Replication]
) -> list[tuple[Replication, str]]:
    """Return the runs in which a claim did not come out the same, and as what."""
    return [
        (record, record.claims[claim.id].verdict)
        for record in records
        if (one := tally(claim, [record])).runs and not one.same
    ]


def counts(
    known: Iterable[Claim], records: Iterable[Replication]
) -> list[tuple[Replication, int, int]]:
    """Return each record with how many verdicts came out the same, and of how many.

    A run on a reader's own tables is left out, and so are claims that were revised
    since.
    """
    known = list(known)
    found = []
    for record in records:
        told = [tally(claim, [record]) for claim in known]
        if runs := sum(one.runs for one in told):
            found.append((record, sum(one.same for one in told), runs))
    return found


def sentence(found: list[tuple[Replication, int, int]]) -> str:
    """Return in a sentence how many verdicts came out the same in fresh runs."""
    if not found:
        return NONE
    shares = [f"{same} of {of}" for _, same, of in found]
    told = (
        shares[0]
        if len(shares) == 1
        else f"{', '.join(shares[:-1])} and {shares[-1]}"
        if len(set(shares)) > 1
        else f"each time {shares[0]}"
    )
    runs = "a fresh run" if len(found) == 1 else f"{len(found)} fresh runs"
    return (
        f"In {runs}, with every start, order, mask and split drawn anew, {told} "
        "verdicts came out as published; claims that are new or were changed since are "
        "not counted."
    )


class FreshRuns(SphinxDirective):
    """The share of verdicts that came out the same; with ``:list:`` by record."""

    option_spec = {"list": directives.flag}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Return the sentence, and the list."""
        known = claims.load_claims(claims_ledger.CLAIMS).claims.values()
        records = load_replications(RECORDS)
        for path in RECORDS.glob("*.json"):
            self.env.note_dependency(str(path))
        found = counts(known, records)
        told: list[nodes.Node] = [
            nodes.paragraph(text=sentence(found), classes=["fresh-runs"])
        ]
        if found and "list" in self.options:
            listed = nodes.bullet_list()
            for record, same, of in found:
                differ = [one.id for one in known if others(one, [record])]
                words = f"{when(record)}: {same} of {of}"
                words += f"; not {', '.join(differ)}." if differ else "."
                listed += nodes.list_item("", nodes.paragraph(text=words))
            told.append(listed)
        return told


# --- the cards ------------------------------------------------------------------------


def folded_words(claim: Claim, fresh: Tally, records: list[Replication]) -> str:
    """Say what fresh runs of a claim have shown, each that differs by itself."""
    if not fresh.runs:
        return "No fresh run of this version of the claim is on record."
    differ = [
        f"{when(record)}: {verdict}." for record, verdict in others(claim, records)
    ]
    words = (
        f"It {fresh.words()}; {fresh.outside} of {fresh.estimates} fresh estimates lie "
        "outside the interval published at the time."
    )
    words += " It is on the edge." if fresh.on_edge else ""
    return " ".join([words, *(["Not so:", *differ] if differ else [])])


def note(claim: Claim, records: list[Replication]) -> str:
    """Return as HTML what stands in the open where a run came out otherwise."""
    verdicts = [verdict for _, verdict in others(claim, records)]
    if not verdicts:
        return ""
    told = ", ".join(
        f"{claims.VERDICTS[one]} {one} ({verdicts.count(one)})"
        for one in dict.fromkeys(verdicts)
    )
    runs = tally(claim, records).runs
    words = (
        f"Not the same in every fresh run: {len(verdicts)} of {runs} said otherwise: "
        f"{told}."
    )
    return f'<div class="fresh-note" style="margin-top:.3em">{escape(words)}</div>'


def filled(card: str, claim: Claim, records: list[Replication]) -> str:
    """Return a card with what fresh runs say by now.

    Raises
    ------
    ExtensionError
        If the card has no place for it: `nnperf_utils.cards` makes it otherwise now.
    """
    fresh = tally(claim, records)
    words = escape(folded_words(claim, fresh, records))
    card, folds = _FOLDED.subn(rf"\g<1>{words}\g<2>", card)
    card, lines = _LINE.subn(rf"\g<1>{escape(fresh.words())}\g<2>", card)
    if (folds, lines) != (1, 1):
        raise ExtensionError(
            f"the card of {claim.id} has no place for what fresh runs say; it must "
            "hold “Fresh runs.” once and end with its line of facts."
        )
    return card.replace("<details ", f"{note(claim, records)}<details ", 1)


def fill(body: str, known: dict[str, Claim], records: list[Replication]) -> str:
    """Return a page's content with all its cards filled.

    Raises
    ------
    ExtensionError
        If a card's end is not found.
    """
    body, count = _CARD.subn(
        lambda match: filled(match[0], known[match["id"]], records), body
    )
    if count != body.count('<div class="nnperf-claim '):
        raise ExtensionError("a card does not end as nnperf_utils.cards ends it.")
    return body


def fill_cards(app: Sphinx, page: str, _: str, context: dict, *__: Any) -> None:
    """Fill the cards of a page."""
    body = context.get("body", "")
    if '<div class="nnperf-claim ' in body:
        known = dict(claims.load_claims(claims_ledger.CLAIMS).claims)
        context["body"] = fill(body, known, load_replications(RECORDS))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("fresh-runs", FreshRuns)
    app.connect("html-page-context", fill_cards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

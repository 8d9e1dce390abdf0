"""The run's verdicts outside the chapters: beside a sentence, and all at a glance.

``{claim}`its-id` `` quotes a claim in short beside its verdict's mark, and leads to the
place that measured it.
``{claims-at-a-glance}`` shows a mark for every claim.
``{figure-from} chapter cell-id`` shows a figure of a chapter's run; its alternative
text is the one in the chapter.
"""

from __future__ import annotations

import base64
import sys
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

import claims_ledger
from docutils import nodes
from executed_notebooks import pack
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from nnperf_utils import claims

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute


def verdict_of(claim_id: str) -> str:
    """Return what the run says about a claim."""
    found = claims_ledger.collect_evidence().get(claim_id)
    return found["verdict"] if found else claims_ledger.NOT_JUDGED


def _style(verdict: str) -> str:
    return verdict.replace(" ", "-")


def quoted(env: BuildEnvironment, claim: claims.Claim, verdict: str) -> nodes.Element:
    """Return a claim in short beside its mark, a link where its chapter is."""
    chapter = f"chapters/{claim.chapter}"
    # no-break, so that no line ends between a claim and its mark
    mark = claims.VERDICTS.get(verdict, verdict)
    words = f"“{claim.short or claim.statement}”\N{NO-BREAK SPACE}{mark}"
    if chapter not in env.found_docs:
        return nodes.inline("", words, classes=["verdict"])
    uri = env.app.builder.get_relative_uri(env.docname, chapter)
    return nodes.reference(
        "",
        words,
        refuri=f"{uri}#claim-{claim.id}",
        internal=True,
        reftitle=f"{verdict}: {claim.statement}",
        classes=["verdict", _style(verdict)],
    )


class ClaimRole(SphinxRole):
    """A claim in short beside its verdict's mark, as a link to its card."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link."""
        known = claims.load_claims(claims_ledger.CLAIMS).claims
        if self.text not in known:
            message = self.inliner.reporter.error(f"there is no claim {self.text!r}")
            return [], [message]
        verdict = verdict_of(self.text)
        return [quoted(self.env, known[self.text], verdict)], []


class ClaimsAtAGlance(SphinxDirective):
    """How many claims got which verdict, and a mark for each, by chapter."""

    def run(self) -> list[nodes.Node]:
        """Return the counts and the marks."""
        catalog = claims.load_claims(claims_ledger.CLAIMS).claims
        evidence = claims_ledger.collect_evidence()
        verdicts = {
            name: evidence[name]["verdict"] for name in catalog if name in evidence
        }
        counts = Counter(verdicts.values())
        total = "".join(
            f'<div class="{_style(verdict)} verdict"><b>{counts[verdict]}</b> '
            f"{symbol} {claims_ledger.WORDS[verdict][counts[verdict] != 1]}</div>"
            for verdict, symbol in claims.VERDICTS.items()
        )
        marks = "".join(self._marks(catalog, verdicts))
        return [
            nodes.raw(
                "",
                f'<div class="at-a-glance"><p><b>{len(verdicts)} claims</b>, put to '
                f"the test, as a rule over {_seeds(evidence)} seeds:</p>"
                '<div class="counts">'
                f'{total}</div><ol class="marks">{marks}</ol></div>',
                format="html",
            )
        ]

    def _marks(self, catalog: dict, verdicts: dict[str, str]) -> Iterator[str]:
        for name, verdict in verdicts.items():
            claim = catalog[name]
            uri = self.env.app.builder.get_relative_uri(
                self.env.docname, f"chapters/{claim.chapter}"
            )
            told = escape(f"{verdict}: {claim.statement}", quote=True)
            yield (
                f'<li><a class="verdict {_style(verdict)}" href="{uri}#claim-{name}" '
                f'title="{told}" aria-label="{told}">{claims.VERDICTS[verdict]}'
                "</a></li>"
            )


def _seeds(evidence: claims_ledger.Evidence) -> int:
    """Return how many seeds a claim usually has."""
    seeds = [one["seeds"] for one in evidence.values() if one["seeds"]]
    return Counter(seeds).most_common(1)[0][0] if seeds else 0


class FigureFrom(SphinxDirective):
    """A figure of a chapter's run; the content is its caption."""

    required_arguments = 2
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the figure."""
        name, cell_id = self.arguments
        path = execute.CHAPTERS / f"{name}.ipynb"
        self.env.note_dependency(str(execute.record_path(path)))
        if not path.is_file():
            return [self.state.document.reporter.error(f"there is no chapter {name}")]
        cells = {cell.get("id"): cell for cell in execute.with_outputs(path)["cells"]}
        cell = cells.get(cell_id, {})
        pictures = [
            "".join(output["data"]["image/png"])
            for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        if not pictures:
            return [self.state.document.reporter.error(f"no figure in {cell_id}")]
        folder = Path(self.env.app.outdir) / self.env.app.builder.imagedir
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}-{cell_id}.png"
        file.write_bytes(base64.b64decode(pack(pictures[0])))
        up = "../" * self.env.docname.count("/")
        alt = escape(cell["metadata"]["mystnb"]["image"]["alt"], quote=True)
        figure = nodes.container(classes=["figure-from"])
        figure += nodes.raw(
            "",
            f'<img src="{up}{folder.name}/{file.name}" alt="{alt}"/>',
            format="html",
        )
        self.state.nested_parse(self.content, self.content_offset, figure)
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_role("claim", ClaimRole())
    app.add_directive("claims-at-a-glance", ClaimsAtAGlance)
    app.add_directive("figure-from", FigureFrom)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

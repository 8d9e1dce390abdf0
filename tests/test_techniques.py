"""The lines on every technique: complete, right, and as a page shows them."""

import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from test_cards import CLAIMS as ALL
from test_cards import judgment

from nnperf_utils.catalog import SOURCES, load_claims

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import claims_ledger
import course_items
import execute
import techniques
import verdicts

LINES = techniques.read_lines()
CHAPTERS = {path.stem for path in execute.chapters()}
# their lines wait for them
PLANNED = {"19_monitoring", "20_capstone"}
LAST = 20  # a chapter that is laid later gets its lines by hand
CLAIMS = {name: one for name, one in ALL.items() if int(one.chapter[:2]) <= LAST}


def test_every_claim_has_one_line():
    named = [claim for line in LINES for claim in line.claims]
    assert len(named) == len(set(named))
    assert set(CLAIMS) <= set(named)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.technique)
def test_a_line_names_what_there_is(line):
    assert line.chapter in CHAPTERS | PLANNED
    assert bool(line.claims) != bool(line.section and line.sources)
    assert set(line.sources) <= set(SOURCES)
    if line.chapter not in CHAPTERS:
        return
    for name in line.claims:
        assert CLAIMS[name].chapter == line.chapter
    if line.section:
        assert line.section in course_items.sections(line.chapter)


def test_lines_follow_the_chapters():
    order = [line.chapter for line in LINES]
    assert order == sorted(order)


def test_no_claim_of_a_source_is_left_out_of_its_table():
    catalog = load_claims()
    tables = {
        source: {
            claim.id
            for _, own in techniques.lines_of(source, LINES, catalog)
            for claim in own
        }
        for source in (*SOURCES, techniques.OTHER)
    }
    for claim in CLAIMS.values():
        letters = set(claim.source) & set(SOURCES) or {techniques.OTHER}
        assert {source for source, ids in tables.items() if claim.id in ids} == letters


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page with the tables of B and of the others; one chapter is missing."""
    source = tmp_path_factory.mktemp("source")
    (source / "index.rst").write_text(
        "Lines\n=====\n\n.. techniques:: B\n\n.. techniques:: other\n", "utf-8"
    )
    (source / "chapters").mkdir()
    for chapter in CHAPTERS - {"07_residual_connections"}:
        text = f":orphan:\n\n{chapter}\n{'=' * len(chapter)}\n"
        (source / "chapters" / f"{chapter}.rst").write_text(text, "utf-8")
    evidence = {name: judgment(claim).evidence() for name, claim in CLAIMS.items()}
    del evidence["momentum"]
    out = tmp_path_factory.mktemp("out")
    settings = {"extensions": ["techniques"], "html_theme": "basic"}
    with pytest.MonkeyPatch.context() as patch, docutils_namespace():
        patch.setattr(claims_ledger, "collect_evidence", lambda: evidence)
        app = Sphinx(source, None, out, out / "doctrees", "html", settings, status=None)
        app.build()
    text = (out / "index.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser").select("table.techniques")


def test_a_table_has_its_sources_claims_with_their_marks(site):
    table, others = site
    links = {a["href"].partition("#claim-")[2]: a for a in table.select("a.verdict")}
    expected = {
        claim.id: claim
        for claim in CLAIMS.values()
        if "B" in claim.source and claim.chapter != "07_residual_connections"
    }
    assert set(links) == set(expected)
    for name, claim in expected.items():
        mark = verdicts.claims.VERDICTS[claim.verdict]
        mark = claims_ledger.NOT_JUDGED if name == "momentum" else mark
        told = links[name].text.replace("’", "'")  # as Sphinx prints it
        assert told == f"“{claim.short}”\N{NO-BREAK SPACE}{mark}"
    ids = {a["href"].partition("#claim-")[2] for a in others.select("a.verdict")}
    assert "rate-scaling" in ids
    assert not ids & set(expected)


def test_what_has_no_claim_says_so_and_missing_chapters_are_left_out(site):
    rows = [" ".join(row.text.split()) for row in site[0].select("tbody tr")]
    shown = [row for row in rows if "not measured" in row]
    assert len(shown) == sum("B" in line.sources for line in LINES)
    assert not any(row.startswith("07 ·") for row in rows)
    assert rows[0].startswith("01 · ")


@pytest.mark.parametrize(
    ("lines", "counts", "words"),
    [
        (1, {}, "1 line."),
        (
            2,
            {"holds": 1, "fails": 2},
            "2 lines. Of their 3 claims: 1 holds, 0 hold in part, 2 fail.",
        ),
    ],
)
def test_lines_and_verdicts_are_counted(lines, counts, words):
    assert techniques.sentence(lines, techniques.Counter(counts)) == words

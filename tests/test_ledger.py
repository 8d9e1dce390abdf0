"""The ledger of claims and the quotes of the cheat sheet, on a small site of their own.

The evidence is made up; `test_evidence.py` looks at that of the real runs.
"""

import re
import sys
from pathlib import Path

import pytest
import site_checks as checks
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from test_cards import CLAIMS, judgment

from nnperf_utils.replications import Outcome, Replication

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import claims_ledger
import verdicts

ROOT = Path(__file__).resolve().parents[1]
GONE = "tune-on-test"  # has no evidence
FRESH = "adam-default"  # has fresh runs


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of two pages: the ledger, and a line of advice."""
    source = tmp_path_factory.mktemp("source")
    (source / "index.rst").write_text(
        "Ledger\n======\n\n.. claims-ledger::\n\n.. claims-pictures::\n", "utf-8"
    )
    (source / "advice.rst").write_text(
        ":orphan:\n\nAdvice\n======\n\nRepeat it. :claim:`one-run-ranks`\n", "utf-8"
    )
    (source / "chapters").mkdir()
    for chapter in {claim.chapter for claim in CLAIMS.values()}:
        text = f":orphan:\n\n{chapter}\n{'=' * len(chapter)}\n"
        (source / "chapters" / f"{chapter}.rst").write_text(text, "utf-8")
    evidence = {
        name: judgment(claim).evidence()
        for name, claim in CLAIMS.items()
        if name != GONE
    }
    claim = CLAIMS[FRESH]
    outcomes = [
        {FRESH: Outcome(claim.digest, "", verdict, {}, ())}
        for verdict in (claim.verdict, "holds")
    ]
    fresh = [Replication(1, None, {}, {}, one) for one in outcomes]
    out = tmp_path_factory.mktemp("out")
    settings = {
        "extensions": ["claims_ledger", "verdicts"],
        "html_theme": "basic",
        "html_css_files": ["claims.css"],
        "html_js_files": ["claims.js"],
        "html_static_path": [str(ROOT / "_static")],
    }
    with pytest.MonkeyPatch.context() as patch, docutils_namespace():
        patch.setattr(claims_ledger, "collect_evidence", lambda: evidence)
        patch.setattr(claims_ledger, "load_replications", lambda folder: fresh)
        app = Sphinx(source, None, out, out / "doctrees", "html", settings, status=None)
        app.build()
    return out


@pytest.fixture(scope="module")
def ledger(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser").select_one("table.claims-table")


@pytest.fixture
def page(browser, site):
    visit = checks.open_page(browser, (site / "index.html").as_uri())
    yield visit.page
    assert not visit.faults
    visit.page.context.close()


def shown(page):
    """The ids of the claims in the rows that are to be seen, from top to bottom."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.claims-table tbody tr')]
          .filter(row => row.getClientRects().length)
          .map(row => row.querySelector('a.internal').innerText)"""
    )


def test_every_claim_has_a_row_that_leads_to_its_card(ledger):
    rows = ledger.select("tbody tr")
    assert len(rows) == len(CLAIMS)
    for row, claim in zip(rows, CLAIMS.values(), strict=True):
        link = f"chapters/{claim.chapter}.html#claim-{claim.id}"
        assert row.select_one(f'a[href="{link}"]')
        text = " ".join(row.text.split())
        for effect in claim.effects.values():
            assert (effect.label in text) == (claim.id != GONE)
        assert claims_ledger._criterion_text(claim) in text


def test_fresh_runs_and_missing_ones_are_told(ledger):
    cells = {
        row.select_one("a.internal").text: [
            cell.text.strip() for cell in row.select("td")
        ]
        for row in ledger.select("tbody tr")
    }
    assert cells[FRESH][4] == "same in 1 of 2 (on the edge)"
    assert cells["one-run-ranks"][4] == "–"
    assert cells[GONE][1] == "not judged yet"
    assert cells[GONE][2] == "–"


def test_orders_are_told_in_a_sentence(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    [told] = re.findall(r"When their criteria were written: (.*?)\.", text)
    numbers = [
        int(number) for number in re.findall(r"(\d+) (?:before|with|after)", told)
    ]
    assert sum(numbers) == len(CLAIMS)


@pytest.mark.parametrize(
    ("facet", "value", "belongs"),
    [
        ("chapter", "06-normalization", lambda c: c.chapter == "06_normalization"),
        ("source", "C", lambda c: "C" in c.source),
        ("order", "together", lambda c: c.order == "together"),
        ("fresh", "yes", lambda c: c.id == FRESH),
        ("fresh", "no", lambda c: c.id != FRESH),
    ],
)
def test_rows_can_be_chosen_without_script(browser, site, facet, value, belongs):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    choice = page.locator("select", has=page.locator(f'[value="{facet}-{value}"]'))
    choice.select_option(f"{facet}-{value}")
    expected = {claim.id for claim in CLAIMS.values() if belongs(claim)}
    visible = page.locator(
        ".claims-table tbody tr:visible a.internal"
    ).all_inner_texts()
    assert set(visible) == expected
    # together with a verdict
    page.locator('input[value="fails"]').check()
    visible = page.locator(
        ".claims-table tbody tr:visible a.internal"
    ).all_inner_texts()
    assert set(visible) == {
        name for name in expected - {GONE} if CLAIMS[name].verdict == "fails"
    }
    context.close()


def test_columns_sort_and_come_back(page):
    written = shown(page)
    assert written == list(CLAIMS)
    head = page.locator(".claims-table th", has_text="Verdict")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    rank = {"holds": 0, "holds in part": 1, "fails": 2}
    ranks = [rank.get(CLAIMS[name].verdict) for name in shown(page) if name != GONE]
    assert ranks == sorted(ranks)
    head.locator("button").click()
    ranks = [rank.get(CLAIMS[name].verdict) for name in shown(page) if name != GONE]
    assert ranks == sorted(ranks, reverse=True)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") is None
    assert shown(page) == written
    # what has a number comes before what has none
    page.locator(".claims-table th", has_text="Fresh runs").locator("button").click()
    assert shown(page)[0] == FRESH


def test_the_ledger_is_accessible_and_fits_a_phone(page):
    page.evaluate("document.querySelectorAll('details').forEach(f => f.open = true)")
    ours = [
        fault
        for fault in checks.axe_faults(page)
        if "claims" in fault and "color-contrast" not in fault
    ]
    assert not ours, "\n".join(ours)
    page.set_viewport_size(checks.PHONE)
    # as in the course's own theme
    page.add_style_tag(content="* { box-sizing: border-box }")
    assert page.evaluate(
        """() => {
          const right = e => e.getBoundingClientRect().right;
          const ledger = document.querySelector('.claims-ledger');
          return [...ledger.querySelectorAll('*')].every(
            e => right(e) <= right(ledger) + 1);
        }"""
    )


def test_a_claim_is_quoted_beside_its_mark(site):
    text = (site / "advice.html").read_text(encoding="utf-8")
    [link] = BeautifulSoup(text, "html.parser").select("a.verdict")
    claim = CLAIMS["one-run-ranks"]
    mark = verdicts.claims.VERDICTS[claim.verdict]
    assert link.text == f"“{claim.short}”\N{NO-BREAK SPACE}{mark}"
    assert link["href"].endswith(f"{claim.chapter}.html#claim-one-run-ranks")
    assert link["title"] == f"{claim.verdict}: {claim.statement}"

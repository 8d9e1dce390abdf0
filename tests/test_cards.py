"""The cards that show the verdicts: what they say, and how they look."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest
import site_checks as checks

from nnperf_utils import cards
from nnperf_utils.claims import Estimate, Judgment, load_claims
from nnperf_utils.replications import Tally

CLAIMS = load_claims().claims
NEVER = Tally(0, 0, 0, 0)
# a page as bare as a notebook's, in the browser's own colors
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Cards</title>
<style>:root {{ color-scheme: light dark }}
body {{ font: 16px sans-serif; margin: 12px }}</style>
<main><h1>Cards</h1>{}</main></html>"""


def judgment(claim, **changes):
    """A judgment on a claim with made-up numbers around its criterion's borders."""
    estimates = {}
    for number, effect in enumerate(claim.effects.values()):
        borders = [
            border
            for condition in (claim.holds, claim.fails)
            for border, _ in condition.borders().get(effect.name, ())
        ]
        value = (max(borders) if borders else 0.3) * (1 + number / 7) or 0.1
        near = 0 if effect.statistic == "exact" else abs(value) / 3
        estimates[effect.name] = Estimate(value, value - near, value + near)
    verdict = claim.verdict or "holds"
    given = {"seeds": claim.seeds, "verdict": verdict, "flips": None}
    given |= {"design": f"{claim.seeds} seeds" if claim.seeds else "exact"} | changes
    return Judgment(claim, given.pop("estimates", estimates), **given)


def words(html):
    """The text of HTML."""

    class Reader(HTMLParser):
        text = ""

        def handle_data(self, data):
            self.text += f"{data} "

    reader = Reader()
    reader.feed(html)
    return re.sub(r"\s+", " ", reader.text)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """All cards of the course on a page."""
    path = tmp_path_factory.mktemp("cards") / "cards.html"
    html = "".join(cards.card(judgment(claim), NEVER) for claim in CLAIMS.values())
    path.write_text(PAGE.format(html), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("theme", checks.THEMES)
def test_cards_are_accessible_in_either_theme(browser, page, theme):
    visit = checks.open_page(browser, page, theme)
    visit.page.evaluate(
        "document.querySelectorAll('details').forEach(fold => fold.open = true)"
    )
    faults = checks.axe_faults(visit.page) + visit.faults
    visit.page.context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("width", [320, 375, 1366])
def test_cards_fit_the_width(browser, page, width):
    visit = checks.open_page(browser, page)
    visit.page.set_viewport_size({"width": width, "height": 700})
    wide = visit.page.evaluate(
        """() => {
          document.querySelectorAll('details').forEach(fold => fold.open = true);
          const out = [...document.querySelectorAll('.nnperf-claim *')].filter(
            e => e.getBoundingClientRect().right >
              e.closest('.nnperf-claim').getBoundingClientRect().right + 1);
          return out.map(e => e.closest('.nnperf-claim').id + ' ' + e.tagName);
        }"""
    )
    visit.page.context.close()
    assert wide == []


@pytest.mark.parametrize("width", [375, 1366])
def test_marks_stand_above_their_numbers(browser, page, width):
    visit = checks.open_page(browser, page)
    visit.page.set_viewport_size({"width": width, "height": 700})
    apart = visit.page.evaluate(
        """() => [...document.querySelectorAll('.nnperf-claim')].flatMap(card => {
          const drawn = [...card.querySelectorAll('svg[width="100%"]')];
          const ends = drawn.map(e => e.getBoundingClientRect());
          return ends.map(e => [e.left - ends[0].left, e.right - ends[0].right]);
        }).flat()"""
    )
    visit.page.context.close()
    assert len(apart) > 100
    assert max(map(abs, apart)) < 1


@pytest.mark.parametrize("claim_id", CLAIMS)
def test_a_card_says_all_that_there_is_to_know(claim_id):
    claim = CLAIMS[claim_id]
    html = cards.card(judgment(claim), NEVER)
    text = words(html)
    opened, _, folded = html.partition("<details")
    for effect in claim.effects.values():
        assert " ".join(effect.measures.split()) in text
        # the strip shows what decides, and nothing else
        shown = opened.count(f'aria-label="{cards.escape(effect.label)}: ')
        assert shown == (effect.role == "criterion")
    assert ("Also measured" in folded) == any(
        effect.role == "also" for effect in claim.effects.values()
    )
    assert claim.statement in words(opened)
    assert cards.history_words(claim) in text
    assert text.count("Verdict before") == sum(
        one.verdict_before is not None for one in claim.revisions
    )
    if claim.condition:
        assert claim.condition.rstrip(".")[1:] in text
    if claim.data and "synthetic" in claim.data:
        assert "describe no person" in text
    # in words, not by the names of variables; in the page's own color
    for name in claim.effects:
        if "_" in name:
            assert name not in text
    assert not re.search(r'(stroke|fill|color)="?:?#', html)
    assert "<script" not in html
    assert "<style" not in html


def test_borders_stand_where_the_criterion_has_them():
    claim = CLAIMS["single-split-large-data"]
    html = cards.strip(judgment(claim))
    assert html.count("stroke-dasharray") == 2 + 2  # −0.65, −0.35; 0.05 twice


def test_arrowheads_lead_to_where_the_claim_holds_and_fails():
    claim = CLAIMS["tune-on-test"]
    html = cards.strip(judgment(claim))
    found = re.findall(r'<path d="M(-?)3 .*? fill="(\w+)"', html)
    # holds below 0.01, fails above 0; twice
    # it fails above 0, holds below 0.01 and fails above that; for two effects
    assert found == [("", "none"), ("-", "currentColor"), ("", "none")] * 2
    assert "▶ points to where the claim holds, ▷ to where it fails" in html


def test_no_borders_are_told_of_where_there_are_none():
    claim = CLAIMS["ideal-properties"]  # compares a sum of its effects
    assert "Dotted" not in cards.strip(judgment(claim))


@pytest.mark.parametrize(
    ("flips", "told"),
    [(0.0, "in 100% of"), (0.001, "in 99% of"), (0.27, "in 73% of"), (None, "exact,")],
)
def test_a_card_says_how_sure_it_is(flips, told):
    html = cards.card(judgment(CLAIMS["adam-default"], flips=flips), NEVER)
    sure = html.partition("<b>How sure:</b>")[2]
    assert told in sure
    assert sure.endswith(f" · {NEVER.words()}</small></div>")


def test_exact_numbers_alone_need_no_axis():
    exact, drawn = CLAIMS["ideal-properties"], CLAIMS["adam-default"]
    assert 'aria-hidden="true"' not in cards.strip(judgment(exact))
    assert 'aria-hidden="true"' in cards.strip(judgment(drawn))


def test_places_on_an_axis():
    linear, log = cards._Axis(0, 2, False), cards._Axis(0.1, 10, True)
    assert [linear.place(x) for x in (0, 1, 2)] == [4, 50, 96]
    assert [log.place(x) for x in (0.1, 1, 10)] == pytest.approx([4, 50, 96])
    # what an axis cannot show lies at its end
    assert [log.place(x) for x in (-1, 0, 1e9)] == pytest.approx([4, 4, 96])
    assert {0, 1, 2} <= set(linear.ticks())
    assert cards._Axis(1e-12, 1e9, True).ticks()[0] >= 1e-12
    assert 2 <= len(cards._Axis(1e-12, 1e9, True).ticks()) <= 6
    assert len(cards._Axis(0.9, 1.1, True).ticks()) >= 2


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-12, 1e12])
def test_any_number_can_be_drawn(value):
    claim = CLAIMS["relu-cures"]
    same = dict.fromkeys(claim.effects, Estimate(value, value, value))
    html = cards.card(judgment(claim, estimates=same), NEVER)
    assert "nan%" not in html


def test_an_estimate_without_an_interval_is_a_point():
    claim = CLAIMS["tune-on-test"]
    nan = float("nan")
    points = dict.fromkeys(claim.effects, Estimate(0.02, nan, nan))
    one = judgment(claim, estimates=points)
    html = cards.card(one, NEVER)
    assert 'stroke-width="3"' not in html
    assert "too few for an interval" in html
    assert "0.02 (no interval)" in html
    assert "nan" not in html


def test_an_estimate_says_itself_what_its_interval_covers():
    estimate = Estimate(
        0.02,
        0.01,
        0.03,
        comparisons=8,
        design="4 splits × 5 seeds",
        covers="covers both",
    )
    claim = CLAIMS["tune-on-test"]
    same = dict.fromkeys(claim.effects, estimate)
    text = words(cards.card(judgment(claim, estimates=same), NEVER))
    assert "99.4% interval 0.01 to 0.03" in text
    assert "4 splits × 5 seeds; covers both." in text


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ("before", "written before the first result"),
        ("together", "together with the first look"),
        ("after", "written after the first look"),
    ],
)
def test_a_card_says_how_the_criterion_came_to_be(order, told):
    claim = dataclasses.replace(CLAIMS["tune-on-test"], order=order)
    text = words(cards.card(judgment(claim), NEVER))
    assert told in text
    assert ("before the first" in text) == (order == "before")


def test_fresh_runs_are_counted():
    claim = CLAIMS["tune-on-test"]
    text = words(cards.card(judgment(claim), Tally(18, 20, 3, 20)))
    assert "came out the same in 18 of 20 fresh runs" in text
    assert "3 of 20 fresh estimates lie outside" in text
    assert "It is on the edge." in text
    assert "on the edge" not in words(cards.card(judgment(claim), Tally(19, 20, 3, 20)))


def test_what_numbers_leave_that_cancel_is_zero():
    dust = Estimate(2.2e-20, -0.002, 0.002, "mean")
    assert cards.format_interval(dust) == "0 [−0.002, 0.002]"
    assert cards.format_interval(dataclasses.replace(dust, value=2e-5)).startswith("2.")

"""What fresh runs say, in the cards and in a sentence, as a site's build writes it."""

import json
import re
import sys
from datetime import date
from pathlib import Path

import pytest
import site_checks as checks
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace
from test_cards import CLAIMS, judgment, words

from nnperf_utils import cards
from nnperf_utils.replications import Outcome, Replication, Tally

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import fresh_runs

CLAIM = CLAIMS["adam-default"]
OTHER = CLAIMS["tune-on-test"]
OTHERWISE = "holds"
NEVER = Tally(0, 0, 0, 0)


def record(day, verdict=CLAIM.verdict, outside=(), **changes):
    """A fresh run that judged one claim, and another as its text does."""
    effects = {"mpg_tuned": {"value": 1.0, "low": 0.9, "high": 1.1}}
    told = {
        CLAIM.id: Outcome(
            changes.pop("digest", CLAIM.digest), "", verdict, effects, outside
        ),
        OTHER.id: Outcome(OTHER.digest, "", OTHER.verdict, {}, ()),
    }
    return Replication(
        1000 * day, date(2026, 12, day), {}, changes.pop("tables", {}), told
    )


def page(*claims):
    """A chapter's page with the cards that its run has left."""
    outputs = (cards.card(judgment(claim), NEVER) for claim in claims)
    return "".join(
        f'<div class="output text_html">\n{one}</div><p>Text.</p>' for one in outputs
    )


def test_without_a_record_the_cards_stay_as_they_are():
    body = page(*CLAIMS.values())
    assert fresh_runs.fill(body, dict(CLAIMS), []) == body


def test_a_record_reaches_every_card_as_if_the_chapter_had_run_after_it():
    claim = OTHER
    records = [record(1), record(2)]
    filled = fresh_runs.fill(page(claim), dict(CLAIMS), records)
    tally = fresh_runs.tally(claim, records)
    assert filled.count("came out the same in 2 of 2 fresh runs") == 2
    assert "no fresh run yet" not in filled
    executed = page(claim).replace(
        cards.card(judgment(claim), NEVER), cards.card(judgment(claim), tally)
    )
    assert words(filled) == words(executed)


def test_a_claim_that_came_out_otherwise_is_named_in_its_card():
    records = [record(1), record(2, OTHERWISE, ("mpg_tuned",)), record(3)]
    filled = fresh_runs.fill(page(CLAIM, OTHER), dict(CLAIMS), records)
    first, second = filled.split("<p>Text.</p>")[:2]
    told = words(first)
    assert "1 of 3 said otherwise: ✓ holds (1)." in told
    assert "came out the same in 2 of 3 fresh runs" in told
    assert "1 of 3 fresh estimates lie outside" in told
    assert "2 December 2026, seeds + 2,000: holds." in told
    assert "on the edge" in told
    # in the open, above what is folded
    assert first.index("said otherwise") < first.index("<details")
    assert "otherwise" not in second.replace("Otherwise", "")


@pytest.mark.parametrize("changes", [{"digest": "old"}, {"tables": {"diabetes": "x"}}])
def test_runs_of_another_claim_or_table_do_not_count(changes):
    records = [record(1, OTHERWISE, **changes)]
    assert fresh_runs.fill(page(CLAIM), dict(CLAIMS), records) == page(CLAIM)


@pytest.mark.parametrize(
    ("what", "instead"), [("Fresh runs.", "Runs."), ("</small></div>", "</div>")]
)
def test_a_card_of_another_form_is_told(what, instead):
    body = page(CLAIM).replace(what, instead)
    with pytest.raises(ExtensionError, match=r"card"):
        fresh_runs.fill(body, dict(CLAIMS), [])


def sentence(*records):
    return fresh_runs.sentence(fresh_runs.counts([CLAIM, OTHER], records))


def test_the_sentence_counts_what_is_on_record():
    assert sentence() == fresh_runs.NONE
    assert "In a fresh run, with" in sentence(record(1))
    assert "anew, 2 of 2 verdicts came out as published" in sentence(record(1))
    assert "anew, each time 2 of 2 verdicts" in sentence(record(1), record(2))
    told = sentence(record(1), record(2), record(3, OTHERWISE))
    assert told.startswith("In 3 fresh runs")
    assert "anew, 2 of 2, 2 of 2 and 1 of 2 verdicts" in told
    # a revised claim is left out of its record, a reader's own table altogether
    assert "anew, 1 of 1 verdicts" in sentence(record(1, digest="old"))
    assert sentence(record(1, tables={"diabetes": "x"})) == fresh_runs.NONE
    assert not re.search(r"\b1 fresh runs", told)


def test_a_file_on_record_reaches_sentence_list_and_cards(tmp_path, monkeypatch):
    records = tmp_path / "replications"
    records.mkdir()
    outcome = {"verdict": OTHERWISE, "effects": {}, "outside": []}
    told = {
        "seeds": 1000,
        "date": "2026-12-05",
        "versions": {},
        "tables": {},
        "claims": {CLAIM.id: outcome | {"digest": CLAIM.digest, "commit": "448e2a5"}},
    }
    (records / "1.json").write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setattr(fresh_runs, "RECORDS", records)
    (tmp_path / "index.rst").write_text(
        "Runs\n====\n\n.. fresh-runs::\n   :list:\n\n.. raw:: html\n\n"
        f"   <div>{cards.card(judgment(CLAIM), NEVER)}</div>\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    settings = {"extensions": ["fresh_runs"], "html_theme": "basic"}
    arguments = (str(tmp_path), None, str(out), str(out / "trees"), "html", settings)
    with docutils_namespace():
        Sphinx(*arguments, status=None).build()
    page = checks.soup(out / "index.html")
    assert page.select_one("p.fresh-runs").get_text() == (
        "In a fresh run, with every start, order, mask and split drawn anew, 0 of 1 "
        "verdicts came out as published; claims that are new or were changed since are "
        "not counted."
    )
    (line,) = page.select(".body li p")[:1]
    assert line.get_text() == (
        f"5 December 2026, seeds + 1,000: 0 of 1; not {CLAIM.id}."
    )
    card = page.select_one(f"#claim-{CLAIM.id}").get_text()
    assert "1 of 1 said otherwise: ✓ holds (1)." in card
    assert "came out the same in 0 of 1 fresh run" in card

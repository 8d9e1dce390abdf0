"""What the chapters' runs say about the claims, against what the text argues from.

Reads the notebooks that ``make test`` has executed before; nothing runs here.
"""

import dataclasses
import json
import re
import sys
from pathlib import Path

import pytest

from nnperf_utils.claims import load_claims, read_evidence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

ROOT = execute.ROOT
CLAIMS = load_claims(ROOT / "claims").claims
CHAPTERS = {chapter.stem: chapter for chapter in execute.chapters()}
LEDGER = ROOT / "_build" / "html" / "appendix" / "claims.html"


def evidence_of(chapter: str) -> list[dict]:
    """Return the evidence in an executed chapter, or fail for want of it."""
    source = CHAPTERS[chapter]
    if not execute.is_current(source):
        pytest.fail(
            f"{source.name} has not been executed in its present state; run "
            "`make test`, which does that first.",
            pytrace=False,
        )
    return read_evidence(execute.read_json(execute.executed_path(source)))


def faults(claim, found: list[dict]) -> list[str]:
    """Return what is wrong with the evidence for a claim, a sentence each."""
    own = [one for one in found if one["id"] == claim.id]
    if claim.verdict is None:  # registered before its result
        return [
            f"claim {claim.id}: the run says “{one['verdict']}”, and its entry has no "
            "verdict yet; write the text, and the verdict into claims/."
            for one in own
        ]
    if len(own) != 1:
        times = f"{len(own)} times" if own else "nowhere"
        return [
            f"claim {claim.id} must be judged once in {claim.chapter}, by a judge(...) "
            f"that is displayed; it is judged {times}."
        ]
    [one] = own
    wrong = []
    if one["verdict"] != claim.verdict:
        effects = ", ".join(
            f"{name} {ends['value']:.3g} [{ends['low']:.3g}, {ends['high']:.3g}]"
            for name, ends in one["effects"].items()
        )
        wrong.append(
            f"claim {claim.id}: the run says “{one['verdict']}”, the text argues from "
            f"“{claim.verdict}” ({effects}). Doubt the code first; if it is right, "
            "change the text, and the verdict in claims/."
        )
    if one["seeds"] < claim.seeds:
        wrong.append(
            f"claim {claim.id} rests on {claim.seeds} seeds; the run has "
            f"{one['seeds']}."
        )
    if set(one["effects"]) != set(claim.effects):
        wrong.append(f"claim {claim.id}: the run measured other effects.")
    return wrong


@pytest.mark.parametrize("claim_id", CLAIMS)
def test_run_says_what_the_text_says(claim_id):
    claim = CLAIMS[claim_id]
    if claim.chapter not in CHAPTERS:
        pytest.fail(
            f"claim {claim_id} belongs to chapters/{claim.chapter}.ipynb, which does "
            "not exist.",
            pytrace=False,
        )
    wrong = faults(claim, evidence_of(claim.chapter))
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_judges_its_own_claims_only(chapter):
    for one in evidence_of(chapter):
        assert one["id"] in CLAIMS, f"{chapter} judges the unknown claim {one['id']}"
        assert CLAIMS[one["id"]].chapter == chapter, (
            f"{chapter} judges {one['id']}, a claim of {CLAIMS[one['id']].chapter}"
        )


@pytest.mark.site
@pytest.mark.parametrize("claim_id", CLAIMS)
def test_ledger_leads_to_the_card(claim_id):
    if CLAIMS[claim_id].verdict is None:
        return
    if not LEDGER.is_file():
        pytest.fail("the site has no ledger; run `make book`.", pytrace=False)
    page = LEDGER.read_text(encoding="utf-8")
    [link] = re.findall(rf'href="([^"]+)#claim-{re.escape(claim_id)}"', page)
    chapter = (LEDGER.parent / link).read_text(encoding="utf-8")
    assert chapter.count(f'id="claim-{claim_id}"') == 1


# The checks above must be able to fail: here is evidence that they turn down.


@pytest.fixture
def claim():
    return CLAIMS["relu-cures"]


@pytest.fixture
def good(claim):
    ends = {"value": 1.0, "low": 0.5, "high": 2.0}
    return {
        "id": claim.id,
        "verdict": claim.verdict,
        "seeds": claim.seeds,
        "flips": 0.0,
        "effects": dict.fromkeys(claim.effects, ends),
    }


def test_good_evidence_passes(claim, good):
    assert faults(claim, [good, good | {"id": "another"}]) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "fails"}, "the run says “fails”"),
        ({"seeds": 3}, "rests on 20 seeds; the run has 3"),
        ({"effects": {}}, "other effects"),
        ({"id": "another"}, "judged nowhere"),
    ],
)
def test_bad_evidence_names_the_claim(claim, good, change, message):
    [fault] = faults(claim, [good | change])
    assert fault.startswith("claim relu-cures")
    assert message in fault


def test_a_claim_without_a_verdict_waits_for_its_result(claim, good):
    claim = dataclasses.replace(claim, verdict=None)
    assert faults(claim, []) == []
    [fault] = faults(claim, [good])
    assert "claim relu-cures: the run says" in fault
    assert "no verdict yet" in fault


def test_a_claim_judged_twice_is_a_fault(claim, good):
    assert "judged 2 times" in faults(claim, [good, good])[0]


def test_want_of_a_run_is_told(tmp_path, monkeypatch):
    notebook = {"cells": [{"cell_type": "code", "source": ["1"], "metadata": {}}]}
    path = tmp_path / "99_none.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    monkeypatch.setitem(CHAPTERS, "99_none", path)
    with pytest.raises(pytest.fail.Exception, match="run `make test`"):
        evidence_of("99_none")

"""Records of fresh runs, as they are read."""

import json
import sys
from pathlib import Path

import pytest

from nnperf_utils.catalog import load_claims
from nnperf_utils.replications import Tally, load_replications, tally

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import replicate

CLAIM = load_claims().claims["adam-default"]
OUTCOME = {
    "digest": CLAIM.digest,
    "commit": "448e2a5",
    "verdict": CLAIM.verdict,
    "effects": {"mpg_tuned": {"value": 1.1, "low": 1.0, "high": 1.2}},
    "outside": [],
}
RECORD = {
    "seeds": 1000,
    "date": "2026-11-28",
    "versions": {"python": "3.12.3"},
    "tables": {},
    "claims": {CLAIM.id: OUTCOME},
}


def outcome(**changes):
    return {"claims": {CLAIM.id: OUTCOME | changes}}


@pytest.fixture
def folder(tmp_path):
    """Write records that differ in these keys, and return where."""

    def write(*changes):
        for number, change in enumerate(changes):
            path = tmp_path / f"{number}.json"
            path.write_text(json.dumps(RECORD | change), encoding="utf-8")
        return tmp_path

    return write


def test_the_courses_own_records_are_valid():
    for record in load_replications():
        assert record.claims


def test_runs_are_counted_that_judge_the_claim_of_today(folder):
    assert tally(CLAIM, load_replications(folder())) == Tally(0, 0, 0, 0)
    records = load_replications(
        folder(
            {"date": "2026-12-05"},
            {"seeds": 2000} | outcome(verdict="holds", outside=["mpg_tuned"]),
            outcome(digest="of another version"),
            {"tables": {"diabetes": "the reader's own"}},
            {"claims": {}},
        )
    )
    assert [str(one.date) for one in records][-1] == "2026-12-05"
    found = tally(CLAIM, records)
    assert found == Tally(same=1, runs=2, outside=1, estimates=2)
    assert found.words() == "came out the same in 1 of 2 fresh runs"
    assert found.on_edge


@pytest.mark.parametrize(
    ("same", "edge"), [(20, False), (19, False), (18, True), (0, True)]
)
def test_fewer_than_19_of_20_is_on_the_edge(same, edge):
    assert Tally(same, 20, 0, 80).on_edge is edge
    assert not Tally(0, 0, 0, 0).on_edge
    assert Tally(0, 0, 0, 0).words() == "no fresh run yet"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": 1}, r"0\.json must have the keys"),
        (outcome(verdict="perhaps"), "verdict of claim adam-default in .* 'perhaps'"),
        (outcome(outside=["x"]), "outside of claim adam-default .* names x"),
        (outcome(effects={"x": {"value": 1}}), "effect x of claim adam-default"),
        ({"date": "yesterday"}, "Invalid isoformat"),
        ({"claims": 3}, "no record of a fresh run"),
    ],
)
def test_what_is_no_record_is_told(folder, change, message):
    with pytest.raises(ValueError, match=message):
        load_replications(folder(change))


def test_a_broken_file_is_told(tmp_path):
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json is not valid JSON"):
        load_replications(tmp_path)


def test_some_chapters_take_their_place_in_the_record_of_all():
    versions = {"python": "3.12.3"}
    before = {
        "seeds": 1000,
        "date": "2026-11-28",
        "versions": versions,
        "tables": {},
        "claims": {"a": {"verdict": "holds"}, "b": {}, "gone": {}},
    }
    made = before | {"date": "2026-12-05", "claims": {"a": {"verdict": "fails"}}}
    whole = replicate.merged(before, made, {"a", "b"})
    assert whole["date"] == "2026-12-05"
    assert whole["claims"] == {"a": {"verdict": "fails"}, "b": {}}
    assert replicate.merged(whole, made, {"a", "b"}) == whole
    with pytest.raises(ValueError, match=r"the versions .* run all chapters"):
        replicate.check_alike(before | {"versions": {"python": "3.10.0"}}, {})
    with pytest.raises(ValueError, match=r"the tables .* run all chapters"):
        now = before | {"versions": replicate.versions()}
        replicate.check_alike(now, {"diabetes": "sha256 1"})

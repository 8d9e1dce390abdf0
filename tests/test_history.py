"""What the entries say of their own history, against lock and commits."""

import dataclasses
import datetime
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nnperf_utils import cards, history
from nnperf_utils.catalog import load_claims, load_entries

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import register

ROOT = register.ROOT
CLAIMS = load_claims(ROOT / "claims").claims
TODAY = datetime.date.today()


# --- the course's own claims ---------------------------------------------------------


@pytest.mark.parametrize("claim_id", CLAIMS)
def test_every_claim_tells_its_history(claim_id):
    claim = CLAIMS[claim_id]
    # of a new entry that is not committed the test of the lock asks for no more
    if claim_id in history.read_lock(ROOT / "claims" / history.LOCK):
        assert claim.registered, f"run `make register CLAIM={claim_id}`"
        assert claim.order in history.ORDERS
    assert claim.short, f"{claim_id} has no short form"
    assert all(effect.label for effect in claim.effects.values())


def test_entries_are_as_the_lock_holds_them():
    if faults := register.lock_faults(ROOT / "claims"):
        pytest.fail("\n".join(faults), pytrace=False)


def test_entries_say_no_more_than_the_commits_show():
    if not register.has_history(ROOT):
        pytest.skip("this copy of the course has no commits to look at")
    if faults := register.order_faults(CLAIMS, register.read_past(ROOT)):
        pytest.fail("\n".join(faults), pytrace=False)


def test_no_revision_is_dated_outside_the_history():
    if not register.has_history(ROOT):
        pytest.skip("this copy of the course has no commits to look at")
    log = register.git(ROOT, "log", "--format=%ad", "--date=format:%Y-%m-%d")
    first = datetime.date.fromisoformat(min(log.split()))
    last = TODAY + datetime.timedelta(days=1)  # it may be tomorrow already elsewhere
    for claim in CLAIMS.values():
        for revision in claim.revisions:
            assert first <= revision.date <= last, claim.id


# --- the lock ------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A copy of the course's claims."""
    return shutil.copytree(ROOT / "claims", tmp_path / "claims")


def tamper(folder, chapter, old, new):
    path = folder / f"{chapter}.yml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def ours(faults, claim_id):
    """Only what concerns one claim, so that others may be at work meanwhile."""
    return [fault for fault in faults if fault.startswith(f"claim {claim_id} ")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tanh on the same grid", "tanh on the same grit"),
        ("sigmoid_slope > 0.250001", "sigmoid_slope > 0.250002"),
        ("at most 0.25, that", "at most 0.26, that"),
        ("source: [A, B]", "source: [A]"),
        ("statistic: exact", "statistic: mean"),
    ],
)
def test_one_character_without_a_revision_names_the_claim(folder, old, new):
    tamper(folder, "03_vanishing_gradients", old, new)
    [fault] = ours(register.lock_faults(folder), "sigmoid-slope")
    assert "differs from what was registered; add a revision" in fault
    # and nothing else has changed
    before = ours(register.lock_faults(ROOT / "claims"), "quarter-power")
    assert ours(register.lock_faults(folder), "quarter-power") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("verdict: holds\n", "verdict: fails\n"),
        ("label: largest slope of the sigmoid", "label: slope"),
        ("The slope of the sigmoid is", "The  slope of the sigmoid\n    is"),
    ],
)
def test_what_only_presents_a_claim_is_free(folder, old, new):
    tamper(folder, "03_vanishing_gradients", old, new)
    assert ours(register.lock_faults(folder), "sigmoid-slope") == []


def test_a_claim_that_is_new_or_gone_is_named(folder):
    lock = folder / history.LOCK
    lines = lock.read_text("utf-8").splitlines(keepends=True)
    lock.write_text("".join(x for x in lines if "tune-on-test" not in x), "utf-8")
    [fault] = ours(register.lock_faults(folder), "tune-on-test")
    assert "make register CLAIM=tune-on-test" in fault
    lock.write_text("".join([*lines, "no-such 2026-11-21 0 00\n"]), "utf-8")
    [fault] = ours(register.lock_faults(folder), "no-such")
    assert "has no entry any more" in fault


@pytest.mark.parametrize(
    "line", ["one 2026-11-21 0", "one yesterday 0 00", "a 2026-11-21 0 0\n" * 2]
)
def test_a_broken_lock_is_told(tmp_path, line):
    (tmp_path / "lock").write_text(line, "utf-8")
    with pytest.raises(ValueError, match="lock"):
        history.read_lock(tmp_path / "lock")


# --- registering ---------------------------------------------------------------------

ENTRY = """\
- id: one-claim
  statement: Some thing is above one half.
  source: [A]
  seeds: 20
  effects:
    x:
      measures: a thing
  criterion:
    holds: x.low > 0.5
    fails: x.high < 0.5
"""
SECOND = ENTRY.replace("one-claim", "two-claim")
REVISION = f"""\
  revisions:
    - date: {TODAY}
      what: The border moves.
      why: It was too low.
      result_known: true
      verdict_before: null
"""


class Course:
    """A repository with claims and one chapter."""

    def __init__(self, root):
        self.root, self.path = root, root / "claims" / "01_topic.yml"
        for name in ("claims", "chapters"):
            (root / name).mkdir()
        self.git("init", "--quiet")

    def git(self, *arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True)

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=change")
        register._entries_at.cache_clear()

    def write(self, text):
        self.path.write_text(text, encoding="utf-8")

    def judge(self):
        text = '{"source": ["judge(\\n", "    \\"one-claim\\",\\n"]}'
        (self.root / "chapters" / "01_topic.ipynb").write_text(text, "utf-8")

    def text(self):
        return self.path.read_text(encoding="utf-8")

    def register(self, **options):
        return register.register(self.root, "one-claim", **options)

    def faults(self):
        return register.lock_faults(self.root / "claims")

    def claims(self):
        return load_claims(self.root / "claims").claims

    def shown(self):
        return register.read_past(self.root).order(self.claims()["one-claim"])


@pytest.fixture
def course(tmp_path):
    (tmp_path / "course").mkdir()
    return Course(tmp_path / "course")


def test_a_new_claim_gets_day_and_digest(course):
    course.write(f"{ENTRY}\n# the next\n{SECOND}")
    assert "registered on" in course.register()
    [claim, other] = course.claims().values()
    assert (claim.registered, claim.order) == (TODAY, "before")
    assert other.registered is None
    assert course.faults() == []  # it may wait until it is committed
    course.commit()
    [fault] = course.faults()
    assert fault.startswith("claim two-claim is not registered")
    assert "unchanged since" in course.register()


def test_a_changed_claim_needs_a_revision(course):
    course.write(ENTRY)
    course.register()
    registered = course.text()
    course.commit()
    course.write(registered.replace("> 0.5", "> 0.4"))
    [fault] = course.faults()
    assert "add a revision" in fault
    with pytest.raises(SystemExit, match=r"not overwritten\. Changed: criterion\."):
        course.register()
    with pytest.raises(SystemExit, match="not only words have changed"):
        course.register(wording=True)
    # with a revision it is renewed, once
    course.write(registered.replace("> 0.5", "> 0.4") + REVISION)
    [fault] = course.faults()
    assert "run `make register CLAIM=one-claim`" in fault
    assert "digest renewed. Changed: criterion." in course.register()
    assert course.faults() == []
    course.commit()
    course.write(course.text().replace("> 0.4", "> 0.3"))
    with pytest.raises(SystemExit, match="add a revision"):
        course.register()


def test_a_revision_of_an_earlier_day_does_not_account_for_a_change(course):
    course.write(ENTRY)
    course.register()
    course.write(
        re.sub("registered: .*", "registered: 2000-01-01", course.text())
        + REVISION.replace(str(TODAY), "2000-01-02")
    )
    course.write(course.text().replace("> 0.5", "> 0.4"))
    with pytest.raises(SystemExit, match="dated before"):
        course.register()


def test_a_revision_stays(course):
    course.write(ENTRY)
    course.register()
    alone = course.text()
    course.write(alone + REVISION)
    assert "counted anew" in course.register()
    course.write(alone)
    [fault] = course.faults()
    assert "a revision stays" in fault
    with pytest.raises(SystemExit, match="a revision stays"):
        course.register()


def test_other_words_for_what_is_measured_need_none(course):
    course.write(ENTRY)
    course.register()
    course.commit()
    course.write(course.text().replace("a thing", "one thing"))
    with pytest.raises(SystemExit, match="WORDING=1"):
        course.register()
    assert "reworded" in course.register(wording=True)
    assert course.faults() == []


def test_an_unknown_claim_is_told(course):
    with pytest.raises(SystemExit, match="no claim 'one-claim'"):
        course.register()


# --- what the commits show -----------------------------------------------------------


def test_an_entry_before_its_result_is_shown_as_before(course):
    course.write(ENTRY)
    course.commit()
    assert course.shown() == "before"
    course.judge()
    course.write(ENTRY + "  verdict: holds\n")
    course.commit()
    assert course.shown() == "before"


@pytest.mark.parametrize("verdict", ["", "  verdict: holds\n"])
def test_an_entry_with_its_result_is_shown_as_together(course, verdict):
    course.write(ENTRY + verdict)
    if not verdict:
        course.judge()
    assert course.shown() == "together"  # already before the commit
    course.commit()
    assert course.shown() == "together"


def test_an_entry_after_its_result_is_shown_as_after(course):
    course.judge()
    course.commit()
    course.write(ENTRY)
    assert course.shown() == "after"
    course.commit()
    assert course.shown() == "after"


def test_to_say_more_than_the_commits_show_is_a_fault(course):
    course.write(ENTRY + "  verdict: holds\n")
    course.register()
    course.commit()

    def faults():
        return register.order_faults(course.claims(), register.read_past(course.root))

    assert faults() == []
    as_it_is = course.text()
    course.write(as_it_is.replace("order: together", "order: before"))
    [fault] = faults()
    assert "one-claim says of its criterion “before”" in fault
    assert "show “together”" in fault
    course.write(as_it_is.replace("order: together", "order: after"))
    assert faults() == []
    course.write(re.sub("registered: .*", "registered: 2000-01-01", as_it_is))
    [fault] = faults()
    assert "first stands in a commit of" in fault
    later = TODAY + datetime.timedelta(days=2)
    course.write(re.sub("registered: .*", f"registered: {later}", as_it_is))
    [fault] = faults()
    assert "and does not say so" in fault
    course.write(ENTRY)
    [fault] = faults()
    assert "is not registered" in fault
    course.write(as_it_is + SECOND)
    assert faults() == []  # in no commit yet


def test_labels_fit_a_phone():
    for claim in CLAIMS.values():
        for effect in claim.effects.values():
            assert len(effect.label) <= 48, f"{claim.id}: {effect.label!r}"


def test_entries_round_trip_as_yaml():
    # a key that YAML reads as something else would go unseen otherwise
    for entries in load_entries(ROOT / "claims").values():
        for entry in entries:
            assert entry == yaml.safe_load(yaml.safe_dump(entry))


# --- what the pages say --------------------------------------------------------------

# whoever says so speaks of the criteria of all claims
_FIRST = (
    r"before\s+(?:the|any|every|each|its|a)\s+(?:\w+\s+)?"
    r"(?:run|result|experiment|look|measurement)"
)
BOAST = re.compile(
    rf"(?:written|set|fixed|stated|chosen|registered|laid)\s+(?:\w+\s+){{0,3}}?{_FIRST}"
    rf"|criteri\w+[^.]{{0,60}}?(?:{_FIRST}|beforehand|in\s+advance)"
    r"|pre-?regist\w+",
    re.IGNORECASE,
)
PAGES = [
    *(ROOT / "chapters").glob("*.ipynb"),
    *(ROOT / "appendix").glob("*.md"),
    ROOT / "intro.md",
    ROOT / "README.md",
]


def prose(path):
    """A page's text without line breaks; of a notebook the text of its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(c["source"]) for c in json.loads(text)["cells"])
    return " ".join(text.replace('"', " ").split())


def boasts(text):
    return [match[0] for match in BOAST.finditer(text)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_claims_more_than_the_history_shows(path):
    chapter = [claim for claim in CLAIMS.values() if claim.chapter == path.stem]
    concerned = chapter or CLAIMS.values()
    if all(claim.order == "before" for claim in concerned):
        return
    text = prose(path)
    # the ledger's page explains what its column may say
    text = text.replace("written before the first result, with it, or after it", "")
    assert boasts(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "by a criterion that was written down before the run: ✓ it holds",
        "A claim has a criterion that was written before the run, a verdict",
        "as claims, each with a criterion, before the first run.",
        "Each was given a criterion before the run",
        "its criterion was fixed in advance",
        "all claims were preregistered",
    ],
)
def test_a_boast_is_found(text):
    assert boasts(text)


def test_cards_boast_only_of_what_is_so():
    for claim in CLAIMS.values():
        words = cards.history_words(claim)
        assert bool(boasts(words)) == (claim.order == "before"), claim.id
    claim = dataclasses.replace(CLAIMS["adam-default"], order="before")
    assert boasts(cards.history_words(claim))

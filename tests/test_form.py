"""Every chapter has the form that the course promises: hands first, little code."""

import copy
import sys
from pathlib import Path

import form_checks as checks
import pytest
import site_checks

from nnperf_utils.doctor import CAUSES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

SITE = execute.ROOT / "_build" / "html"
ALL = {chapter.stem: chapter for chapter in execute.chapters()}
CHAPTERS = list(ALL)


def notebook(chapter: str) -> dict:
    return execute.with_outputs(ALL[chapter])


@pytest.fixture
def visit(browser):
    """Return a function that opens a page; it is closed after the test."""
    opened = []

    def open_page(address):
        opened.append(site_checks.open_page(browser, address))
        return opened[-1].page

    yield open_page
    for page in opened:
        page.page.context.close()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_form(chapter):
    assert checks.all_faults(notebook(chapter)) == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_own_network_tells_of_the_doctor(chapter):
    explained = {name: cause.chapter for name, cause in CAUSES.items()}
    cells = execute.read_json(ALL[chapter])["cells"]
    assert list(checks.doctor_faults(cells, chapter, explained)) == []


def test_no_place_holds_most_right_answers():
    assert list(checks.place_faults(map(notebook, CHAPTERS))) == []


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_most_of_the_page_is_no_code(chapter, visit):
    page = visit((SITE / "chapters" / f"{chapter}.html").as_uri())
    assert 0.01 < checks.code_share(page) <= checks.MOST_SHARE


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_lab_stands_within_the_first_screens(chapter, visit):
    page = visit((SITE / "chapters" / f"{chapter}.html").as_uri())
    assert 1 < checks.screens_above_lab(page) <= checks.MOST_SCREENS


# --- the checks themselves: each fault is told -------------------------------------


def prose(text: str) -> dict:
    return {"cell_type": "markdown", "id": "text", "metadata": {}, "source": [text]}


def code(lines: int, html: str = "", tags: tuple[str, ...] = ()) -> dict:
    return {
        "cell_type": "code",
        "id": "code",
        "metadata": {"tags": list(tags)},
        "source": ["step()\n"] * lines,
        "outputs": [{"data": {"text/html": [html]}}] if html else [],
    }


def piece(kind: str, name: str = "one", data: str = "{}", picture=True) -> str:
    shown = '<img alt="A lab">' if kind == "lab" and picture else ""
    return (
        f'<section class="nnperf-lab" data-kind="{kind}" data-name="{name}">'
        f'<div class="nnp-stage">{shown}</div>'
        f'<script type="application/json" class="nnp-data">{data}</script></section>'
    )


CARD = '<div class="nnperf-claim">Holds.</div>'


def good() -> list[dict]:
    """Return the cells of a chapter that just passes, a part at a time."""
    parts = {name: [prose(f"## {name}\n\nSome words.")] for name in checks.PARTS}
    parts["The question"] += [prose("You need nothing else.")]
    parts["See it fail"] += [code(15), code(10, piece("lab")), prose("Look.")]
    parts["Predict"] += [code(1, piece("predict", n)) for n in ("one", "two")]
    parts["Why"] += [code(15, tags=("hide-input",)) for _ in range(8)]
    parts["Measure it"] += [code(1, piece("answer", n)) for n in ("one", "two")]
    parts["Fix it"] += [cell for _ in range(14) for cell in (code(15), prose("So."))]
    parts["When it does not help"] += [
        code(1, CARD * 6),
        code(1, CARD, ("hide-output",)),
    ]
    parts["Exercises"] += [code(40, piece("quiz"))]
    parts["Quiz"] += [code(5, piece("quiz", data='{"right": 0}'), ("hide-input",))]
    return [cell for cells in parts.values() for cell in cells]


def put(part: str, *cells: dict):
    """Return what puts cells at the end of a part."""

    def change(chapter: list[dict]) -> list[dict]:
        heads = [checks.parts_begun(cell) for cell in chapter]
        place = heads.index([part]) + 1
        while place < len(chapter) and not heads[place]:
            place += 1
        return [*chapter[:place], *cells, *chapter[place:]]

    return change


def without(kind: str, part: str | None = None, name: str = ""):
    """Return what takes pieces of a kind out of a chapter, or of one part."""

    def change(chapter: list[dict]) -> list[dict]:
        inside = part is None
        for cell in chapter:
            if heads := checks.parts_begun(cell):
                inside = part is None or heads == [part]
            if inside and piece(kind, name or "one")[:60] in str(cell.get("outputs")):
                cell["outputs"] = []
        return chapter

    return change


BROKEN = {
    "parts swapped": (lambda chapter: chapter[::-1], "has the parts What to keep"),
    "part missing": (lambda chapter: chapter[1:], "has the parts See it fail"),
    "no word of what it needs": (
        lambda chapter: [one for one in chapter if "You need" not in str(one)],
        "does not say under “The question” what you need",
    ),
    "long cell": (put("Why", code(16)), "code shows 16 lines of code, over 15"),
    "much code": (
        put("Why", *[cell for _ in range(3) for cell in (code(12), prose("So."))]),
        "lines of code before the exercises, over 250",
    ),
    "code in the text": (
        put("Why", prose("So:\n\n```python\n" + "step()\n" * 30 + "```")),
        "lines of code before the exercises, over 250",
    ),
    "long run": (
        put("Why", code(14), prose("```python\nstep()\n```"), code(13)),
        "shows 27 lines of code without a sentence, over 25",
    ),
    "much folded": (
        put("Fix it", code(1, tags=("hide-input",))),
        "folds 121 lines of code, over 120",
    ),
    "many words": (put("Why", prose("word " * 2800)), "words of prose, over 2,800"),
    "seventh card": (put("Fix it", code(1, CARD)), "shows 7 open cards, over 6"),
    "no lab": (without("lab"), "has no lab"),
    "no picture": (
        put("Exercises", code(1, piece("lab", "two", picture=False))),
        "has no picture for the lab two",
    ),
    "one prediction": (without("predict"), "asks for 1 predictions, fewer than 2"),
    "no answer": (without("answer", name="two"), "does not answer the prediction two"),
    "answer first": (
        lambda chapter: put("See it fail", code(1, piece("answer", "two")))(
            without("answer", name="two")(chapter)
        ),
        "does not answer the prediction two",
    ),
    "nothing to do in the page": (without("quiz", "Exercises"), "no exercise that can"),
    "no quiz": (without("quiz", "Quiz"), "has no question under Quiz"),
}


def test_a_good_chapter_passes():
    assert checks.all_faults({"cells": good()}) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_chapter_is_told(kind):
    change, fault = BROKEN[kind]
    faults = checks.all_faults({"cells": change(copy.deepcopy(good()))})
    assert fault in "\n".join(faults)


DOCTOR = "The doctor looks at the start (`cold_start`), after `fit`."


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (DOCTOR, ""),
        ("Look at the start (`cold_start`).", "what the doctor looks at"),
        (f"{DOCTOR} And at the end (`warm_end`).", "names warm_end, which is no cause"),
        (f"Mind `set_weights`.\n\n{DOCTOR}", ""),
        ("The doctor looks at nothing here.", "does not name cold_start"),
    ],
)
def test_what_a_chapter_says_of_the_doctor_is_checked(said, fault):
    cells = put("In your own network", prose(said))(good())
    causes = {"cold_start": "03_topic", "late_start": "04_other"}
    faults = list(checks.doctor_faults(cells, "03_topic", causes))
    assert fault in "\n".join(faults) if fault else faults == []


@pytest.mark.parametrize(("places", "faulty"), [("0123456780", 0), ("1123411561", 1)])
def test_too_many_right_answers_at_one_place_are_told(places, faulty):
    cells = [code(1, piece("quiz", data=f'{{"right": {at}}}')) for at in places]
    assert len(list(checks.place_faults([{"cells": cells}]))) == faulty


@pytest.mark.site
@pytest.mark.parametrize("height", [1600, 2800])
def test_screens_above_a_lab_are_measured(height, visit, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><title>Page</title><body style="margin: 0">'
        f'<article>{piece("quiz")}<div style="height: {height}px"></div>'
        f"{piece('lab')}</article></body></html>",
        encoding="utf-8",
    )
    assert checks.screens_above_lab(visit(path.as_uri())) == height / 800


@pytest.mark.site
@pytest.mark.parametrize(("height", "share"), [(200, 0.2), (300, 0.3)])
def test_share_of_code_is_measured(height, share, visit, tmp_path):
    block = '<div class="highlight" style="height: {}px"></div>'
    text = f'<div style="height: {1000 - height}px"></div>'
    path = tmp_path / "page.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><title>Page</title><article>'
        f"{block.format(height)}<details><summary hidden></summary>"
        f'{block.format(500)}</details>{text}<div id="exercises">{block.format(900)}'
        "</div></article></html>",
        encoding="utf-8",
    )
    assert checks.code_share(visit(path.as_uri())) == pytest.approx(share)

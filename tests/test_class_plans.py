"""The plans for a class and the notebooks without solutions."""

import json
import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import class_plans
import course_items
import execute
import without_solutions

PLANS = class_plans.read_plans()
CHAPTERS = {path.stem for path in execute.chapters()}
LAST = 20  # a chapter that is laid later comes into the plans by hand


@pytest.mark.parametrize("number", PLANS)
def test_a_plan_has_its_sessions_and_names_what_there_is(number):
    sessions = PLANS[number]
    assert len(sessions) == number
    for session in sessions:
        assert set(session["chapters"]) <= CHAPTERS
        assert set(session["show"]) <= set(session["chapters"])
        assert list(session["assign"]) == session["chapters"]
        for name, numbers in session["assign"].items():
            assert set(numbers) <= set(class_plans.exercises(name))
    read = [name for session in sessions for name in session["chapters"]]
    assert len(read) == len(set(read))


def test_the_long_plan_leaves_no_chapter_out():
    read = {name for session in PLANS[max(PLANS)] for name in session["chapters"]}
    assert read >= {name for name in CHAPTERS if int(name[:2]) <= LAST}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a plan and the costs, on a site with three of the chapters."""
    source = tmp_path_factory.mktemp("source")
    (source / "index.rst").write_text(
        "Plans\n=====\n\n.. class-plan:: 12\n\n.. chapter-costs::\n", "utf-8"
    )
    (source / "chapters").mkdir()
    for chapter in sorted(CHAPTERS)[:3]:
        text = f":orphan:\n\n{chapter}\n{'=' * len(chapter)}\n"
        (source / "chapters" / f"{chapter}.rst").write_text(text, "utf-8")
    out = tmp_path_factory.mktemp("out")
    settings = {"extensions": ["class_plans"], "html_theme": "basic"}
    with docutils_namespace():
        app = Sphinx(source, None, out, out / "doctrees", "html", settings, status=None)
        app.build()
    text = (out / "index.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def test_a_session_tells_what_to_read_show_and_assign(page):
    rows = page.select("table.class-plan tbody tr")
    assert len(rows) == 3
    cells = [" ".join(cell.text.split()) for cell in rows[0].select("td")]
    title = course_items.sections("01_first_network")[""]
    assert cells[0] == f"1. {PLANS[12][0]['title']}"
    assert re.fullmatch(rf"01 · {title} \d+ minutes", cells[1])
    assert cells[2] == class_plans.lab("01_first_network")[1] != ""
    assert cells[3].endswith(" 50 minutes")  # four exercises
    links = [link["href"] for link in rows[0].select("td:last-child a")]
    for link, (anchor, _) in zip(
        links, class_plans.exercises("01_first_network").values(), strict=True
    ):
        assert link.endswith(f"01_first_network.html#{anchor}")


def test_costs_come_from_the_runs(page):
    rows = page.select("table.chapter-costs tbody tr")
    assert len(rows) == 3
    for row, name in zip(rows, sorted(CHAPTERS), strict=False):
        path = execute.record_path(execute.CHAPTERS / f"{name}.ipynb")
        memory = execute.read_json(path)["peak_memory_mb"] / 1024
        assert row.select("td")[-1].text.strip() == f"{memory:.1f} GB"


def test_notebooks_for_a_class_have_all_but_the_solutions(tmp_path):
    assert without_solutions.write(tmp_path / "class") == len(CHAPTERS)
    for path in execute.chapters():
        whole = execute.read_json(path)["cells"]
        left = json.loads((tmp_path / "class" / path.name).read_text("utf-8"))["cells"]
        text = ["".join(cell["source"]) for cell in left]
        assert not any(".solution()" in source for source in text)
        gone = [cell for cell in whole if cell not in left]
        assert gone
        assert all(".solution()" in "".join(cell["source"]) for cell in gone)


def test_no_notebook_of_a_class_is_overwritten(tmp_path):
    last = execute.chapters()[-1].name
    (tmp_path / last).write_text("mine", "utf-8")
    with pytest.raises(FileExistsError, match=f"folder has {last} already"):
        without_solutions.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [last]
    assert (tmp_path / last).read_text("utf-8") == "mine"

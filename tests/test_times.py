"""The times that a chapter states are computed from it."""

import json
import sys
from pathlib import Path

import pytest
import site_checks as checks

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import chapter_times as times

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


def prose(text: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": [text]}


def code(text: str, **metadata) -> dict:
    return {"cell_type": "code", "metadata": metadata, "source": [text]}


def test_each_part_counts_once():
    words = "word " * times.WORDS_A_MINUTE
    lines = "x = 1\n\n" * times.LINES_A_MINUTE
    cells = [
        prose(words),
        code(lines),
        code(lines, tags=["hide-input"], mystnb={"figure": {"name": "a"}}),
        prose("## Exercises"),
        prose("### 1. One\n" + words),
        code(lines),
        prose("### 2. Two"),
        prose("## Quiz\n" + words),
    ]
    found = times.times_of({"cells": cells})
    assert found.code == 1
    assert found.exercises == 2 * times.MINUTES_AN_EXERCISE
    assert found.read == pytest.approx(2 + times.MINUTES_A_FIGURE, abs=0.02)


def test_times_are_told_in_steps_of_five():
    told = times.in_words(times.Times(read=27.6, code=1, exercises=36))
    assert told == "30 minutes to read, 5 for the code, 35 for the exercises"
    assert times.in_words(times.Times(read=12)) == "10 minutes to read"


@pytest.mark.site
def test_the_first_page_tells_the_sum():
    each = [times.times_of(json.loads(path.read_text("utf-8"))) for path in CHAPTERS]
    hours = sum(one.read + one.code for one in each) / 60
    page = checks.soup(ROOT / "_build" / "html" / "intro.html")
    told = page.select_one(".course-time").get_text()
    assert f"{len(CHAPTERS)} chapters take about {hours:.0f} hours to read" in told


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_has_prose_code_and_exercises_and_takes_no_day(chapter):
    found = times.times_of(json.loads(chapter.read_text("utf-8")))
    assert 10 < found.read < 60 and found.code > 0 and found.exercises > 0

"""The times that a chapter states are computed from it."""

import json
import sys
from pathlib import Path

import pytest

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
    assert found.total == found.read + found.code + found.exercises


def test_times_are_told_in_steps_of_five():
    told = times.in_words(times.Times(read=27.6, code=1, exercises=36))
    assert told == "30 minutes to read, 5 for the code, 35 for the exercises"
    assert times.in_words(times.Times(read=12)) == "10 minutes to read"


def test_the_course_is_the_sum_of_its_chapters():
    each = [times.times_of(json.loads(path.read_text("utf-8"))) for path in CHAPTERS]
    whole = times.course_times()
    assert whole.total == pytest.approx(sum(one.total for one in each))
    # every chapter has prose, code and exercises, and none takes a day
    for path, one in zip(CHAPTERS, each, strict=True):
        assert 10 < one.read < 60 and one.code > 0 and one.exercises > 0, path.name

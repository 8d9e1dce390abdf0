"""What the build collects from the chapters, and that the first page leads to it."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from nnperf_utils import labs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import course_items
import outside_chapters

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
NUMBER = labs.predict("t-left", "What is left of `g`?", between=(0.01, 100), log=True)
CHOICE = labs.predict("t-train", "Does it?", options=["Yes.", "No."])
CURVE = labs.predict("t-curve", "Draw.", between=(0, 1), x=[1, 2], x_label="epoch")
QUIZ = labs.quiz("t-quiz", "Which?", {"This.": "No.", "That.": "Yes."}, right=2)


def notebook(*cells):
    """A chapter: text, and cells that show pieces."""
    return {
        "cells": [
            {"cell_type": "markdown", "source": [cell], "metadata": {}}
            if isinstance(cell, str)
            else {
                "cell_type": "code",
                "source": ["x = 1\n", "\n", "x"],
                "metadata": {},
                "outputs": [
                    {"data": {"text/html": cell.html().splitlines(keepends=True)}}
                ],
            }
            for cell in cells
        ]
    }


CHAPTER = notebook(
    "# A `topic`\n\n## Predict",
    NUMBER,
    CHOICE,
    CURVE,
    "## Measure it\n\n```\n## no heading\n```",
    labs.answer(NUMBER, 1.5, interval=(1, 2)),
    labs.answer(CHOICE, "No."),
    labs.lab("cliff"),
    "## Exercises\n\n### 1. One",
    labs.lab("bowl", key="own"),
    "## Quiz",
    QUIZ,
)


def test_every_piece_is_found_with_what_its_question_was_worth():
    found = {one["id"]: one for one in course_items.items(CHAPTER)}
    assert [*found] == ["t-left", "t-train", "t-curve", "cliff", "own", "t-quiz"]
    assert found["t-left"]["measured"] == 1.5
    assert found["t-left"]["words"] == "1.5 [1, 2]"
    assert found["t-left"]["text"] == "What is left of <code>g</code>?"
    assert found["t-train"]["measured"] == 1
    assert found["t-train"]["options"] == ["Yes.", "No."]
    assert "measured" not in found["t-curve"], "nothing answers it"
    assert found["t-quiz"]["answers"] == 2 and found["t-quiz"]["right"] == 1
    assert [name for name, one in found.items() if one["exercise"]] == ["own"]
    assert course_items.ids({"items": [*found.values()]}) == {
        "predictions": ["t-left", "t-train", "t-curve"],
        "quizzes": ["t-quiz"],
        "labs": ["cliff", "own"],
    }


def test_title_and_sections():
    assert course_items.title_of(CHAPTER) == "A topic"
    second = [text for level, text in course_items.headings(CHAPTER) if level == 2]
    assert second == ["Predict", "Measure it", "Exercises", "Quiz"]


def test_each_piece_of_a_page_has_a_place_of_its_own():
    body = QUIZ.section() + labs.lab("cliff").section() + QUIZ.section()
    anchors = re.findall(r'id="([\w-]+)"', course_items.with_anchors(body))
    assert anchors == ["quiz-t-quiz", "lab-cliff"]


def test_data_cannot_end_their_element():
    text = course_items.json_script(["</script>"], "x")
    assert text.count("</script>") == 1
    inside = text.removeprefix('<script type="application/json" class="x">')
    assert json.loads(inside.removesuffix("</script>")) == ["</script>"]


@pytest.mark.parametrize("kind", ["predictions", "quizzes", "labs"])
def test_no_two_questions_of_the_course_share_an_id(kind):
    chapters = course_items.course()
    found = [name for one in chapters for name in course_items.ids(one)[kind]]
    if kind == "quizzes":  # a lab may stand in a chapter and outside as well
        outside = outside_chapters.items()
        found += [one["id"] for one in outside if one["kind"] == "quiz"]
    assert [name for name, times in Counter(found).items() if times > 1] == []


# --- the first page -------------------------------------------------------------------

SYMPTOMS = re.findall(r"\{section\}`([^`]+)`", (ROOT / "intro.md").read_text("utf-8"))


@pytest.mark.parametrize("goal", SYMPTOMS)
def test_a_symptom_leads_to_a_section(goal):
    name, _, anchor = goal.partition("#")
    assert anchor in course_items.sections(name)


def test_the_self_test_asks_of_each_chapter_once_in_their_order():
    questions = outside_chapters.questions()
    asked = [one["chapter"] for one in questions]
    assert asked == [path.stem for path in CHAPTERS]
    places = Counter(one["right"] for one in questions)
    assert max(places.values()) <= 0.4 * len(questions), places

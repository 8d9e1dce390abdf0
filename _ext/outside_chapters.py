"""What a reader can answer or reach on pages that are no chapters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nnperf_utils import labs

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = ROOT / "appendix" / "self_test.yml"
LAB_PAGE = ROOT / "two_minutes.md"


def questions() -> list[dict[str, Any]]:
    """Return the first page's questions, each with its quiz as ``piece``."""
    entries = yaml.safe_load(QUESTIONS.read_text("utf-8"))
    for entry in entries:
        name = f"start-{entry['chapter'].partition('_')[0]}"
        entry["piece"] = labs.quiz(
            name, entry["question"], entry["answers"], right=entry["right"]
        )
    return entries


def items() -> Iterator[dict[str, Any]]:
    """Yield them as `course_items.items` does for a chapter, without their text."""
    for entry in questions():
        quiz = entry["piece"].payload
        told = {"answers": len(quiz["answers"]), "right": quiz["right"]}
        yield {"kind": "quiz", "id": quiz["id"]} | told
    for name in re.findall(r"^```\{lab\} (\w+)", LAB_PAGE.read_text("utf-8"), re.M):
        yield {"kind": "lab", "id": name}

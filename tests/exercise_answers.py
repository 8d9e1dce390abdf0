"""What the tests of all exercises need."""

from typing import Any

from nnperf_utils.exercises.base import Exercise, Outcome


def says(outcome: Outcome, status: str, *parts: str) -> bool:
    """Whether an outcome has a status and holds each part."""
    assert outcome.status == status, outcome
    for part in parts:
        assert part in outcome.message, outcome
    return True


def solution_answers(exercise: Exercise) -> list[Any]:
    """Return the answers that an exercise's own solution defines."""
    namespace = {}
    exec(exercise.source, namespace)
    return [namespace[answer] for answer in exercise.answers]

"""What a chapter's form owes its reader; each fault is a sentence.

`test_form.py` holds the chapters to it, and chapters broken on purpose. A notebook
comes with the outputs of its run.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bs4 import BeautifulSoup
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

from notebook_cells import (
    FENCED,
    count_lines,
    count_words,
    is_folded,
    parts_begun,
    tags_of,
    text_of,
)

PARTS = [
    "The question",
    "See it fail",
    "Predict",
    "Why",
    "Measure it",
    "Fix it",
    "When it does not help",
    "In your own network",
    "Exercises",
    "Quiz",
    "What to keep",
]
MOST_LINES = 250  # of code that is seen, before the exercises
MOST_IN_A_RUN = 25  # without a sentence between
MOST_IN_A_CELL = 15
MOST_FOLDED = 120
MOST_WORDS = 2800
MOST_OPEN_CARDS = 6
MOST_SHARE = 0.25  # of the height before the exercises, on a desk's screen
MOST_AT_ONE_PLACE = 0.4  # of the right answers of all quizzes
FEWEST_PREDICTIONS = 2
MOST_SCREENS = 3  # above the first lab
WIDTH, SCREEN = 1280, 800


def all_faults(notebook: dict) -> list[str]:
    """Return what the notebook's form lacks."""
    cells = notebook["cells"]
    return [
        *part_faults(cells),
        *need_faults(cells),
        *code_faults(cells),
        *word_faults(cells),
        *card_faults(cells),
        *hand_faults(cells),
    ]


def part_faults(cells: list[dict]) -> Iterator[str]:
    """Yield what is wrong with the parts and their order."""
    found = [name for cell in cells for name in parts_begun(cell)]
    if found != PARTS:
        yield f"has the parts {', '.join(found)}; expected {', '.join(PARTS)}"


def need_faults(cells: list[dict]) -> Iterator[str]:
    """Yield whether the question leaves open what a reader needs beforehand."""
    begin = _between(cells, "The question", "See it fail")
    if not any("You need" in text_of(cell) for cell in begin):
        yield "does not say under “The question” what you need beforehand"


def code_faults(cells: list[dict]) -> Iterator[str]:
    """Yield where there is too much code, seen or folded."""
    seen = run = folded = longest = 0
    for cell in _between(cells, None, "Exercises"):
        source = text_of(cell)
        if cell["cell_type"] == "markdown":
            # code in the text is read as other code is
            seen += sum(count_lines(code) for code in FENCED.findall(source))
            run = 0 if count_words(source) else run
        elif is_folded(cell):
            folded += count_lines(source)
        else:
            lines = count_lines(source)
            seen, run = seen + lines, run + lines
            longest = max(longest, run)
            if lines > MOST_IN_A_CELL:
                yield f"{cell['id']} shows {lines} lines of code, over {MOST_IN_A_CELL}"
    if seen > MOST_LINES:
        yield f"shows {seen} lines of code before the exercises, over {MOST_LINES}"
    if longest > MOST_IN_A_RUN:
        yield f"shows {longest} lines of code without a sentence, over {MOST_IN_A_RUN}"
    if folded > MOST_FOLDED:
        yield f"folds {folded} lines of code, over {MOST_FOLDED}"


def word_faults(cells: list[dict]) -> Iterator[str]:
    """Yield whether there is too much to read."""
    words = sum(count_words(text_of(c)) for c in cells if c["cell_type"] == "markdown")
    if words > MOST_WORDS:
        yield f"has {words:,} words of prose, over {MOST_WORDS:,}"


def card_faults(cells: list[dict]) -> Iterator[str]:
    """Yield whether too many cards stand open."""
    opened = sum(
        len(page.select(".nnperf-claim"))
        for cell in cells
        if not tags_of(cell) & {"hide-output", "remove-output", "hide-cell"}
        for page in _pages(cell)
    )
    if opened > MOST_OPEN_CARDS:
        yield f"shows {opened} open cards, over {MOST_OPEN_CARDS}"


def hand_faults(cells: list[dict]) -> Iterator[str]:
    """Yield what is missing for the reader's hands."""
    pieces = list(_pieces(cells))
    if "lab" not in [kind for kind, _ in pieces]:
        yield "has no lab"
    for name in _without_picture(cells):
        yield f"has no picture for the lab {name} where there is no script"
    asked = [name for kind, name in pieces if kind == "predict"]
    if len(asked) < FEWEST_PREDICTIONS:
        yield f"asks for {len(asked)} predictions, fewer than {FEWEST_PREDICTIONS}"
    for name in asked:
        after = pieces[pieces.index(("predict", name)) :]
        if ("answer", name) not in after:
            yield f"does not answer the prediction {name} after it has asked"
    of_exercises = _pieces(_between(cells, "Exercises", "Quiz"))
    if not {kind for kind, _ in of_exercises} & {"lab", "predict", "quiz"}:
        yield "has no exercise that can be done in the page"
    if "quiz" not in [kind for kind, _ in _pieces(_between(cells, "Quiz", None))]:
        yield "has no question under Quiz"


def doctor_faults(
    cells: list[dict], chapter: str, causes: Mapping[str, str]
) -> Iterator[str]:
    """Yield what a chapter does not say, or says wrongly, of the doctor.

    Parameters
    ----------
    cells : list of dict
    chapter : str
        Its name.
    causes : mapping
        The doctor's causes, each with the name of the chapter that explains it.
    """
    part = _between(cells, "In your own network", "Exercises")
    if not any("doctor" in text_of(cell).lower() for cell in part):
        yield "does not say under “In your own network” what the doctor looks at"
    told = [
        paragraph
        for cell in part
        if cell["cell_type"] == "markdown"
        for paragraph in text_of(cell).split("\n\n")
        if "doctor" in paragraph.lower()
    ]
    for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", "\n".join(told)):
        if name not in causes:
            yield f"names {name}, which is no cause of the doctor's"
    whole = "\n".join(text_of(cell) for cell in cells)
    for name, explained in causes.items():
        if explained == chapter and not re.search(rf"\b{name}\b", whole):
            yield f"does not name {name}, a cause that leads to it"


def place_faults(notebooks: Iterable[dict]) -> Iterator[str]:
    """Yield the places that hold too many right answers of all quizzes together."""
    places = Counter(
        json.loads(piece.select_one("script.nnp-data").string)["right"] + 1
        for notebook in notebooks
        for cell in notebook["cells"]
        for page in _pages(cell)
        for piece in page.select('section.nnperf-lab[data-kind="quiz"]')
    )
    for place, number in places.items():
        if number > MOST_AT_ONE_PLACE * places.total():
            yield (
                f"{number} of {places.total()} right answers are at place {place}, "
                f"over {MOST_AT_ONE_PLACE:.0%}"
            )


def code_share(page: Page) -> float:
    """Return the share of code that is seen in the height before the exercises."""
    page.set_viewport_size({"width": WIDTH, "height": SCREEN})
    return page.evaluate(
        """() => {
          const end = document.querySelector("#exercises").getBoundingClientRect().top;
          const article = document.querySelector("article").getBoundingClientRect();
          const code = [...document.querySelectorAll("article div.highlight")].filter(
            e => !e.closest("details:not([open]), .cell_output"));
          const boxes = code.map(e => e.getBoundingClientRect());
          const above = boxes.filter(box => box.top < end);
          return above.reduce((sum, box) => sum + box.height, 0) / (end - article.top);
        }"""
    )


def screens_above_lab(page: Page) -> float:
    """Return how many screens stand above the first lab, on a desk's screen."""
    page.set_viewport_size({"width": WIDTH, "height": SCREEN})
    top = page.evaluate(
        """() => scrollY + document.querySelector(
          'article .nnperf-lab[data-kind="lab"]').getBoundingClientRect().top"""
    )
    return top / SCREEN


def _without_picture(cells: list[dict]) -> Iterator[str]:
    """Yield the labs that show neither a picture nor SVG where no script runs."""
    for cell in cells:
        for page in _pages(cell):
            for lab in page.select('section.nnperf-lab[data-kind="lab"]'):
                if not lab.select(".nnp-stage > :is(img[alt], svg)"):
                    yield lab["data-name"]


def _between(cells: list[dict], begin: str | None, end: str | None) -> list[dict]:
    """Return the cells from one part on and before another."""
    heads = [parts_begun(cell) for cell in cells]
    at = {name: place for place, names in enumerate(heads) for name in names}
    first = at.get(begin, len(cells)) if begin else 0
    return cells[first : at.get(end, len(cells)) if end else None]


def _pieces(cells: list[dict]) -> Iterator[tuple[str, str]]:
    """Yield kind and name of the labs, predictions, answers and quizzes."""
    for cell in cells:
        for page in _pages(cell):
            for piece in page.select("section.nnperf-lab"):
                yield piece["data-kind"], piece["data-name"]


def _pages(cell: dict) -> list[BeautifulSoup]:
    """Return the HTML that a cell has put out."""
    shown = [output.get("data", {}) for output in cell.get("outputs", ())]
    pages = ("".join(data["text/html"]) for data in shown if "text/html" in data)
    return [BeautifulSoup(page, "html.parser") for page in pages]

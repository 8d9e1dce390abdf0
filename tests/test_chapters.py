"""What every executed chapter owes its reader, whatever it is about."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

CHAPTERS = {chapter.stem: chapter for chapter in execute.chapters()}


@pytest.fixture(params=CHAPTERS)
def cells(request) -> list[dict]:
    """Return the code cells of a chapter, with the outputs of its run."""
    return execute.code_cells(execute.with_outputs(CHAPTERS[request.param]))


def test_nothing_is_written_to_the_error_stream(cells):
    noise = [
        (cell["id"], "".join(output["text"]))
        for cell in cells
        for output in cell["outputs"]
        if output.get("name") == "stderr"
    ]
    assert not noise


def test_every_figure_says_what_it_shows(cells):
    for cell in cells:
        pictures = [o for o in cell["outputs"] if "image/png" in o.get("data", {})]
        about = cell["metadata"].get("mystnb", {})
        if pictures:
            assert len(pictures) == 1, f"{cell['id']} draws {len(pictures)} figures"
            assert len(about.get("image", {}).get("alt", "")) > 40, cell["id"]
            assert about.get("figure", {}).get("caption"), cell["id"]


def test_cells_fit_a_page(cells):
    for cell in cells:
        lines = "".join(cell["source"]).splitlines()
        assert max(map(len, lines), default=0) <= 80, cell["id"]
        assert len(lines) <= 50, f"{cell['id']} has {len(lines)} lines"


def test_every_solution_passes_its_own_check(cells):
    for cell in cells:
        assert "a fault of the course" not in str(cell["outputs"]), cell["id"]

"""Sphinx reads each chapter together with the outputs of its run.

The run itself is `scripts/execute.py`'s: the book never executes anything, so a
notebook runs once for tests and site together. Its pictures are packed for the site.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path

from PIL import Image
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

MOST_COLORS = 20_000


def pack(picture: str) -> str:
    """Return a PNG, in base64, with 256 colors, which takes a quarter of the bytes.

    A figure has few colors and their shades, so that nobody sees a difference; one
    that has more, a photograph, stays as it is.
    """
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    if image.getcolors(MOST_COLORS) is None:
        return picture
    packed = io.BytesIO()
    # light_pictures presses it further once all pages are written
    image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        packed, "PNG"
    )
    smaller = base64.b64encode(packed.getvalue()).decode()
    return min(picture, smaller, key=len)


def add_outputs(app: Sphinx, docname: str, content: list[str]) -> None:
    """Replace a chapter's source by the same notebook with outputs."""
    source = Path(app.env.doc2path(docname))
    if source.suffix == ".ipynb":
        app.env.note_dependency(str(execute.record_path(source)))
        notebook = execute.with_outputs(source)
        for cell in execute.code_cells(notebook):
            for output in cell["outputs"]:
                data = output.get("data", {})
                if "image/png" in data:
                    data["image/png"] = pack("".join(data["image/png"]))
        content[0] = json.dumps(notebook)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", add_outputs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Sphinx reads each chapter together with the outputs of its run.

The run itself is `scripts/execute.py`'s: the book never executes anything, so a
notebook runs once for tests and site together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute


def add_outputs(app: Sphinx, docname: str, content: list[str]) -> None:
    """Replace a chapter's source by the same notebook with outputs."""
    source = Path(app.env.doc2path(docname))
    if source.suffix == ".ipynb":
        app.env.note_dependency(str(execute.record_path(source)))
        content[0] = json.dumps(execute.with_outputs(source))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", add_outputs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

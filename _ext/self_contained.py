"""No page asks another host for anything: MathJax is local, and thebe is gone."""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

MATHJAX = "sphinx-mathjax-offline/static/mathjax"
SCRIPT = "tex-chtml.js"
FONTS = "output/chtml/fonts/woff-v2"


def _is_wanted(asset: Any) -> bool:
    told = f"{getattr(asset, 'filename', asset)} {getattr(asset, 'attributes', '')}"
    return "thebe" not in told.lower()


def drop_thebe(
    app: Sphinx, pagename: str, template: str, context: dict, _: Any
) -> None:
    """Drop the scripts and styles of thebe, which the theme loads even unused."""
    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context[kind] if _is_wanted(asset)]


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put MathJax and its fonts into the site."""
    if exception or app.builder.format != "html":
        return
    source = Path(distribution("sphinx-mathjax-offline").locate_file(MATHJAX))
    target = Path(app.outdir) / "_static" / "mathjax"
    shutil.copytree(source / FONTS, target / FONTS, dirs_exist_ok=True)
    shutil.copy(source / SCRIPT, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

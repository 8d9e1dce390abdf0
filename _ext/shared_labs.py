"""One shared script for the labs of a page, in place of the ones inlined in each.

A lab's output holds all that it needs, for notebooks. The site keeps the files of
``labs/`` once, and `boot.js` loads them when a lab comes into view.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LABS = ROOT / "labs"
FOLDER = "labs"
INLINE = re.compile(
    r'\s*<(script|style) class="nnperf-inline">.*?</\1>', flags=re.DOTALL
)


def share(body: str) -> str:
    """Return a page's content without the scripts and styles of its labs."""
    return INLINE.sub("", body)


def copy_labs(target: Path) -> None:
    """Put what the labs load into a folder of the site."""
    for path in sorted(LABS.rglob("*.[jc]s*")):
        if path.suffix in (".js", ".css") and path.name != "entry.js":
            (target / path.relative_to(LABS)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path.relative_to(LABS))
    shutil.copyfile(LABS / "vendor" / "LICENSE", target / "vendor" / "LICENSE")


def use_shared(app: Sphinx, page: str, _: str, context: dict, *__: Any) -> None:
    """Take the scripts out of a page that has labs, and add the shared one."""
    body = context.get("body", "")
    if 'class="nnperf-lab"' in body:
        context["body"] = share(body)
        app.add_css_file(f"{FOLDER}/labs.css")
        app.add_js_file(f"{FOLDER}/boot.js", loading_method="defer")


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Copy the files."""
    if exception is None and app.builder.format == "html":
        copy_labs(Path(app.outdir) / "_static" / FOLDER)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", use_shared)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

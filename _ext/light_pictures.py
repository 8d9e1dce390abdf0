"""The site's pictures weigh as little as they can without a loss."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image
from sphinx.application import Sphinx


def repack(picture: Path) -> bool:
    """Put a PNG into WebP, without a loss, if that is smaller; tell whether it was."""
    packed = picture.with_suffix(".webp")
    with Image.open(picture) as image:
        image.convert("RGBA" if image.has_transparency_data else "RGB").save(
            packed, lossless=True, exact=True, quality=80, method=4
        )
    smaller = packed.stat().st_size < picture.stat().st_size
    (picture if smaller else packed).unlink()
    return smaller


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Repack all pictures of the pages."""
    if exception or app.builder.name != "html":
        return
    root = Path(app.outdir)
    folder = root / app.builder.imagedir
    names = {one.stem for one in sorted(folder.glob("*.png")) if repack(one)}

    def name(found: re.Match) -> str:
        return f"{found[1]}.webp" if found[2] in names else found[0]

    pattern = re.compile(rf"({folder.name}/([\w.-]+?))\.png")
    for path in root.rglob("*.html"):
        path.write_text(pattern.sub(name, path.read_text("utf-8")), "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

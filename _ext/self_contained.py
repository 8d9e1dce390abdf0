"""No page asks another host for anything, or loads what it does not use."""

from __future__ import annotations

import base64
import io
import re
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

MATHJAX = "sphinx-mathjax-offline/static/mathjax"
# without its menu, which is a third of the whole
COMPONENTS = (
    "startup",
    "core",
    "input/tex",
    "output/chtml",
    "output/chtml/fonts/tex",
    "a11y/assistive-mml",
)
FONTS = "output/chtml/fonts/woff-v2"
# of extensions that no page of the course uses
UNUSED = ("thebe", "sphinx-design", "design-tabs")
ICONS = "_static/vendor/fontawesome/webfonts"
THEME_STYLE = "_static/styles/pydata-sphinx-theme.css"


def drop_unused(app: Sphinx, page: str, _: str, context: dict, *__: Any) -> None:
    """Drop scripts and styles that a page does not use."""
    unused = (
        UNUSED if 'class="math' in context.get("body", "") else (*UNUSED, "mathjax")
    )
    for kind in ("script_files", "css_files"):
        context[kind] = [
            asset for asset in context[kind] if not _names_one(asset, unused)
        ]


def _names_one(asset: Any, names: tuple[str, ...]) -> bool:
    told = f"{getattr(asset, 'filename', asset)} {getattr(asset, 'attributes', '')}"
    return any(name in told.lower() for name in names)


def copy_mathjax(app: Sphinx) -> None:
    """Put MathJax and its fonts into the site."""
    source = Path(distribution("sphinx-mathjax-offline").locate_file(MATHJAX))
    target = Path(app.outdir) / "_static" / "mathjax"
    shutil.copytree(source / FONTS, target / FONTS, dirs_exist_ok=True)
    for name in COMPONENTS:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{name}.js", target / f"{name}.js")


def drop_scripts(html: str, page: str) -> str:
    """Drop the scripts that the theme writes into every page by itself.

    The icons come from a font; a second copy of them, as a script, is 1.5 MB. The
    course has an index of its own, and the words of its language are read with it.
    """
    unused = ["fontawesome", "searchtools", "searchindex"]
    if page != "search.html":
        unused += ["language_data"]
    pattern = rf"\s*<(?:script|link)[^>]*(?:{'|'.join(unused)})\.js[^>]*>(?:</script>)?"
    thebe = r'<script type="text/x-thebe-config">.*?</script>'
    html = re.sub(thebe, "", html, flags=re.DOTALL)
    html = re.sub(r"<script>kernelName = [^<]*</script>", "", html)
    return re.sub(pattern, "", html)


def reduced_font(path: Path, codes: set[int]) -> str:
    """Return a font of these characters alone, packed, in base64."""
    font = TTFont(path)
    reduction = subset.Subsetter()
    reduction.populate(unicodes=codes)
    reduction.subset(font)
    font.flavor = "woff"
    packed = io.BytesIO()
    font.save(packed)
    return base64.b64encode(packed.getvalue()).decode()


def keep_used_styles(app: Sphinx, pages: list[str]) -> None:
    """Reduce the theme's style sheet to rules, and its icons to those, in use."""
    static = Path(app.outdir)
    style = static / THEME_STYLE
    css = style.read_text(encoding="utf-8")
    scripts = [path.read_text("utf-8") for path in static.rglob("_static/**/*.js")]
    # a word anywhere in a page or a script may be the name of a class
    used = {word for text in [*pages, *scripts] for word in re.findall(r"[\w-]+", text)}

    def keep(rule: re.Match) -> str:
        if rule[1].lstrip().startswith("@"):
            return rule[0]
        # what does not apply is looked for in the names alone
        alternatives = re.sub(r":not\([^)]*\)", "", rule[1]).split(",")
        applies = any(
            used.issuperset(re.findall(r"\.(-?[A-Za-z_][\w-]*)", one))
            for one in alternatives
        )
        return rule[0] if applies else ""

    css = re.sub(r"([^{}]+)\{[^{}]*\}", keep, css)
    # those that the theme's own rules name by their code are among them
    codes = {int(code, 16) for code in re.findall(r'"\\(f[0-9a-f]{3})"', css)}
    for name in ("fa-solid-900", "fa-brands-400"):
        data = reduced_font(static / ICONS / f"{name}.ttf", codes)
        source = f"url(data:font/woff;base64,{data})"
        css = re.sub(rf"url\([^)]*{name}\.woff2[^)]*\)", source, css)
    style.write_text(css, encoding="utf-8")


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Make the built site stand by itself."""
    if exception or app.builder.format != "html":
        return
    copy_mathjax(app)
    root = Path(app.outdir)
    texts = []
    for path in root.rglob("*.html"):
        page = path.relative_to(root).as_posix()
        texts.append(drop_scripts(path.read_text(encoding="utf-8"), page))
        path.write_text(texts[-1], encoding="utf-8")
    keep_used_styles(app, texts)
    for pattern in ("**/*.map", f"{ICONS}/*", "_static/scripts/fontawesome*"):
        for path in root.glob(pattern):
            path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", drop_unused, priority=900)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

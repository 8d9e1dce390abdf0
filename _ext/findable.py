"""What a search engine, a preview of a link and a lost reader need.

The repository's address stands in ``_config.yml`` alone; from it follow the site's own
address, the launch buttons and the links to the source. Until it is set there are none.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

LENGTH = 200  # of a description, which search engines cut at about that
LOST = Path(__file__).with_name("404.html")
LAUNCHERS = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}


def site_address(repository: str) -> str:
    """Return where GitHub publishes the pages of a repository."""
    owner, name = urlsplit(repository).path.strip("/").split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def follow_address(app: Sphinx, config: Config) -> None:
    """Set what follows from the repository's address."""
    options = config.html_theme_options
    if not (repository := options.get("repository_url")):
        return
    options["launch_buttons"] = LAUNCHERS
    for button in ("repository", "issues", "edit_page"):
        options[f"use_{button}_button"] = True
    config.html_baseurl = config.html_baseurl or site_address(repository)


def description(doctree: nodes.document) -> str:
    """Return the beginning of a page's text, whole sentences where they fit."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) >= 40:
            break
    else:
        return ""
    if len(text) <= LENGTH:
        return text
    whole = re.match(rf"(.{{60,{LENGTH}}}[.?!])\s", text)
    return whole[1] if whole else text[: text.rindex(" ", 0, LENGTH)] + " …"


def add_tags(
    app: Sphinx, page: str, _: str, context: dict, doctree: nodes.document | None
) -> None:
    """Put description and preview into a page's head."""
    if doctree is None:
        return
    course = app.config.html_title
    if page == app.config.root_doc:
        context["title"] = "Start here"
    about = description(doctree)
    tags = {"description": about}
    graph = {
        "og:title": re.sub(r"<[^>]+>", "", context["title"]),
        "og:type": "article",
        "og:site_name": course,
        "og:description": about,
    }
    if base := app.config.html_baseurl:  # these must be absolute
        graph["og:url"] = base + app.builder.get_target_uri(page)
        graph["og:image"] = f"{base}_static/page.png"
    context["metatags"] += "".join(
        f'<meta {kind}="{name}" content="{escape(content, quote=True)}"/>\n'
        for kind, entries in (("name", tags), ("property", graph))
        for name, content in entries.items()
        if content
    )


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write the page for lost readers and, where the address is known, the sitemap."""
    if exception or app.builder.name != "html":
        return
    root = Path(app.outdir)
    base = app.config.html_baseurl or ""
    home = urlsplit(base).path
    page = LOST.read_text(encoding="utf-8").replace("HOME", home)
    (root / "404.html").write_text(page, encoding="utf-8")
    if base:
        pages = sorted(app.builder.get_target_uri(name) for name in app.env.found_docs)
        listed = "".join(
            f"<url><loc>{escape(base + page)}</loc></url>" for page in pages
        )
        (root / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}'
            "</urlset>\n",
            encoding="utf-8",
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("config-inited", follow_address)
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

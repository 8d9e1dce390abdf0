"""What a course holds for a reader to answer, by chapter, out of the executed ones.

No script but this one knows which questions there are: the page “Your course”, the
ticks in the menu, the mark at a chapter's end and the first page's sums all read what
is collected here. Chapters carry the number of their file in their titles.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import chapter_times
import notebook_cells
import outside_chapters
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from nnperf_utils import labs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

PAGE = "your_course"
# scripts of single pages: what lies in _static is loaded by all of them
SCRIPTS = Path(__file__).with_name("pages")
# what of a question the page needs to know
KEYS = ("options", "between", "log", "unit", "x", "x_label")

_BEGIN = (
    r'<section class="nnperf-lab" data-kind="(?P<kind>\w+)" '
    r'data-name="(?P<name>[\w-]+)" data-key="(?P<key>[\w-]+)"'
)
_PIECE = re.compile(
    _BEGIN + r'[^>]*>.*?<span class="nnp-kind">[^<]*</span>'
    r'(?P<head>.*?)</p>.*?<script type="application/json" class="nnp-data">'
    r"(?P<data>.*?)</script>",
    re.DOTALL,
)


# --- what a chapter holds -------------------------------------------------------------


def number_of(name: str) -> str:
    """Return a chapter's number as its file has it: 03."""
    return name.partition("_")[0]


def with_number(name: str, title: str) -> str:
    """Return a chapter's title after its number."""
    return f"{number_of(name)} · {title}"


def headings(notebook: dict) -> list[tuple[int, str]]:
    """Return the level and text of each of a notebook's headings, without markup."""
    return [
        (level, re.sub(r"[`*]", "", text))
        for cell in notebook["cells"]
        for level, text in notebook_cells.headings(cell)
    ]


def title_of(notebook: dict) -> str:
    """Return a chapter's title, without its number."""
    return next(text for level, text in headings(notebook) if level == 1)


def pieces(notebook: dict) -> Iterator[dict[str, Any]]:
    """Yield each piece of a chapter's outputs with the part that it stands in."""
    for part, cell in notebook_cells.in_parts(notebook):
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", ""))
            for match in _PIECE.finditer(html):
                data = json.loads(match["data"])
                yield {**match.groupdict(), "data": data, "part": part}


def items(notebook: dict) -> list[dict[str, Any]]:
    """Return what a reader can answer or reach in a chapter, in its order.

    Parameters
    ----------
    notebook : dict
        With the outputs of its run.

    Returns
    -------
    list of dict
        Each with ``kind``, ``id``, ``text`` (HTML), ``exercise`` (whether it stands
        among the exercises) and, of a question, what it takes to tell how good an
        answer is.
    """
    found: list[dict[str, Any]] = []
    measured: dict[str, dict[str, Any]] = {}
    for piece in pieces(notebook):
        kind, data = piece["kind"], piece["data"]
        item = {
            "kind": kind,
            "id": piece["key"] if kind == "lab" else piece["name"],
            "text": piece["head"].strip(),
            "exercise": piece["part"] == "Exercises",
        }
        if kind == "answer":
            measured[item["id"]] = {key: data[key] for key in ("measured", "words")}
        elif kind == "predict":
            found.append(item | {"type": data["kind"]})
            found[-1] |= {key: data[key] for key in KEYS if key in data}
        elif kind == "quiz":
            right = {"answers": len(data["answers"]), "right": data["right"]}
            found.append(item | right)
        elif kind == "lab":
            found.append(item)
    return [one | measured.get(one["id"], {}) for one in found]


@cache
def course() -> tuple[dict[str, Any], ...]:
    """Return every chapter with what it holds, in the order of the book."""
    found = []
    for path in execute.chapters():
        notebook = execute.with_outputs(path)
        times = chapter_times.times_of(notebook)
        found.append(
            {
                "name": path.stem,
                "number": number_of(path.stem),
                "title": title_of(notebook),
                "minutes": round(times.read + times.code, 1),
                "items": items(notebook),
            }
        )
    return tuple(found)


def ids(chapter: dict[str, Any]) -> dict[str, list[str]]:
    """Return a chapter's ids by the part of the storage that keeps them."""
    parts = {"predict": "predictions", "quiz": "quizzes", "lab": "labs"}
    found: dict[str, list[str]] = {part: [] for part in parts.values()}
    for item in chapter["items"]:
        found[parts[item["kind"]]].append(item["id"])
    return found


def json_script(data: Any, name: str) -> str:
    """Return data as an element that a script reads."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return (
        f'<script type="application/json" class="{name}">'
        + text.replace("</", "<\\/")
        + "</script>"
    )


# --- the page -------------------------------------------------------------------------


class YourCourse(SphinxDirective):
    """A part of the page “Your course”; without a script, what it would tell of."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the part's place, and the first time all that it tells of."""
        part = directives.choice(
            self.arguments[0], ("summary", "repeat", "calibration", "chapters", "keep")
        )
        inside = '<p class="course-waits">Where scripts run, this fills itself.</p>'
        if part == "chapters":
            inside = self._listed()
        html = f'<section class="nnperf-lab course-part" data-part="{part}">{inside}'
        if part == "summary":
            for path in execute.chapters():
                self.env.note_dependency(str(execute.record_path(path)))
            uri = self.env.app.builder.get_relative_uri
            told = [
                one | {"page": uri(self.env.docname, f"chapters/{one['name']}")}
                for one in course()
            ]
            data = {"chapters": told, "others": [*outside_chapters.items()]}
            html += json_script(data, "course-data")
        return [nodes.raw("", f"{html}</section>", format="html")]

    def _listed(self) -> str:
        """Return the chapters and their questions as a plain list."""
        told = ""
        for chapter in course():
            lines = "".join(f"<li>{item['text']}</li>" for item in chapter["items"])
            title = escape(with_number(chapter["name"], chapter["title"]))
            told += f"<p><strong>{title}</strong></p>"
            told += f"<ul>{lines}</ul>" if lines else ""
        return told


class CourseTime(SphinxDirective):
    """How many chapters there are, and how long they take."""

    def run(self) -> list[nodes.Node]:
        """Return the sentence."""
        chapters = course()
        hours = sum(one["minutes"] for one in chapters) / 60
        least = min(one["minutes"] for one in chapters)
        most = max(one["minutes"] for one in chapters)
        words = (
            f"{len(chapters)} chapters take about {hours:.0f} hours to read, with "
            f"their code: {least:.0f} to {most:.0f} minutes each. The exercises come "
            "on top."
        )
        return [nodes.paragraph(text=words, classes=["course-time"])]


class SectionRole(SphinxRole):
    """A link to a section of a chapter: ``03_vanishing_gradients#see-it-fail``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link, or an error where there is no such section."""
        name, _, anchor = self.text.partition("#")
        found = sections(name)
        if anchor not in found:
            message = self.inliner.reporter.error(f"there is no section {self.text!r}")
            return [], [message]
        chapter = f"chapters/{name}"
        uri = self.env.app.builder.get_relative_uri(self.env.docname, chapter)
        words = f"{with_number(name, found[''])}: {found[anchor]}"
        link = nodes.reference("", words, refuri=f"{uri}#{anchor}", internal=True)
        return [link], []


def sections(name: str) -> dict[str, str]:
    """Return a chapter's sections by their anchors; its title has the empty one."""
    path = execute.CHAPTERS / f"{name}.ipynb"
    if not path.is_file():
        return {}
    notebook = execute.read_json(path)
    below = [text for level, text in headings(notebook) if level in (2, 3)]
    return {"": title_of(notebook)} | {nodes.make_id(text): text for text in below}


# --- the pages of the chapters --------------------------------------------------------


def number_title(app: Sphinx, doctree: nodes.document) -> None:
    """Put a chapter's number before its title, before Sphinx notes the title down."""
    name = Path(app.env.docname)
    if name.parent.name == "chapters" and (found := re.match(r"\d\d", name.name)):
        title = next(doctree.findall(nodes.title))
        title.insert(0, nodes.Text(f"{found[0]} · "))


def end_mark(chapter: dict[str, Any], link: str) -> str:
    """Return the place at a chapter's end where its reader marks it as read."""
    data = {
        "id": chapter["name"],
        "quizzes": ids(chapter)["quizzes"],
        "course": link,
    }
    blank = {"head": "", "fallback": "", "text": ""}
    return labs.Piece("end", "end", "end", data, ("kit.js",), **blank).section()


def with_anchors(body: str) -> str:
    """Return a page's content with an id for each piece, so that links lead to it."""
    seen: set[str] = set()

    def named(match: re.Match) -> str:
        kind, name, key = match.group("kind", "name", "key")
        anchor = f"{kind}-{key if kind == 'lab' else name}"
        if anchor in seen:
            return match[0]
        seen.add(anchor)
        return match[0].replace("<section ", f'<section id="{anchor}" ', 1)

    return re.sub(_BEGIN, named, body)


def add_marks(app: Sphinx, page: str, _: str, context: dict, *__: Any) -> None:
    """Give a chapter its mark, and every page the scripts that it needs."""
    if "body" not in context:
        return
    known = {f"chapters/{one['name']}": one for one in course()}
    if page in known:
        link = app.builder.get_relative_uri(page, PAGE)
        context["body"] += end_mark(known[page], link)
    context["body"] = with_anchors(context["body"])
    app.add_js_file("course_ids.js", loading_method="defer")
    if page == PAGE:
        app.add_css_file("labs/labs.css")
        for name in ("labs/vendor/d3.js", "labs/kit.js", "pages/your_course.js"):
            app.add_js_file(name, loading_method="defer")


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write what the menu's script must know, and the scripts of single pages."""
    if exception or app.builder.format != "html":
        return
    known = {one["name"]: ids(one) for one in course()}
    text = json.dumps(known, separators=(",", ":"))
    static = Path(app.outdir) / "_static"
    (static / "course_ids.js").write_text(
        f"(window.nnperf = window.nnperf || {{}}).course = {text};\n", encoding="utf-8"
    )
    shutil.copytree(SCRIPTS, static / SCRIPTS.name, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("your-course", YourCourse)
    app.add_directive("course-time", CourseTime)
    app.add_role("section", SectionRole())
    # before Sphinx collects titles, and before the labs' shared script looks for labs
    app.connect("doctree-read", number_title, priority=400)
    app.connect("html-page-context", add_marks, priority=400)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

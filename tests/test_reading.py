"""How a chapter reads: its head, terms, figures, code; in a real browser."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import site_checks as checks
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import code_lines
import figure_numbers
import light_pictures
import run_it
import term_notes

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
WIDE = {"width": 1920, "height": 1080}
OPEN_ALL = "() => document.querySelectorAll('details').forEach(d => d.open = true)"


def page_of(chapter: Path) -> Path:
    return SITE / "chapters" / f"{chapter.stem}.html"


@pytest.fixture
def visit(browser):
    opened = []

    def open_page(path, theme="light", size=checks.DESK):
        seen = checks.open_page(browser, path.as_uri(), theme)
        seen.page.set_viewport_size(size)
        opened.append(seen)
        return seen.page

    yield open_page
    for one in opened:
        one.page.context.close()
        assert not one.faults


# --- run it --------------------------------------------------------------------------


def test_launching_needs_an_address():
    page = "chapters/03_vanishing_gradients"
    assert run_it.launch_lines("", "main", page) == []
    colab, binder = run_it.launch_lines("https://github.com/a/b.c", "main", page)
    assert (
        'href="https://colab.research.google.com/github/a/b.c/blob/main/'
        'chapters/03_vanishing_gradients.ipynb"' in colab
    )
    assert (
        'href="https://mybinder.org/v2/gh/a/b.c/main?urlpath=lab/tree/'
        'chapters/03_vanishing_gradients.ipynb"' in binder
    )
    assert run_it.box([colab, binder, "Here"]).count("<li>") == 3


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_head_says_how_to_run_it_and_how_long_it_takes(chapter):
    article = checks.soup(page_of(chapter)).article
    (here,) = article.select(".run-it a[download]")
    assert (page_of(chapter).parent / here["href"]).resolve() == SITE / "course.zip"
    facts = article.select_one(".chapter-facts").get_text(" ")
    assert re.search(r"\d+ minutes to read, \d+ for the code, \d+ for the exer", facts)


# --- terms ---------------------------------------------------------------------------


def test_terms_of_the_glossary_stand_in_order_each_once():
    text = (ROOT / "appendix" / "glossary.md").read_text("utf-8")
    listed = re.search(r"^```\{glossary\}\n(.*?)\n```", text, re.M | re.S)[1]
    entries = [one.split("\n  ")[0].splitlines() for one in listed.split("\n\n")]
    heads = [terms[0].casefold() for terms in entries]
    assert heads == sorted(heads)
    terms = [term for entry in entries for term in entry]
    assert len(terms) == len(set(terms))


LINKED = (
    '<p>A <a class="glossary-term reference internal" href="../g.html#term-loss">'
    '<em>loss</em></a> and <a class="glossary-term" href="g.html#term-x">x</a>.</p>'
)


def test_only_what_is_used_and_known_gets_its_note():
    told = {"term-loss": ("loss", "1 < 2"), "term-unused": ("unused", "none")}
    body = term_notes.with_notes(LINKED, told)
    assert body.count("term-note") == 1 and "unused" not in body
    assert 'aria-describedby="note-term-loss"><em>loss</em></a><span' in body
    assert "<b>loss</b> 1 &lt; 2</span> and <a" in body


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_linked_term_is_told_in_the_page(chapter):
    article = checks.soup(page_of(chapter)).article
    links = article.select("a.glossary-term")
    notes = {note["id"]: note for note in article.select(".term-note")}
    assert [link["aria-describedby"] for link in links] == list(notes)
    glossary = checks.soup(SITE / "appendix" / "glossary.html")
    for link in links:
        term = glossary.find(id=link["href"].partition("#")[2])
        definition = term.find_next("dd").get_text(" ")
        told = notes[link["aria-describedby"]].get_text(" ")
        assert "".join(definition.split()) in "".join(told.split())


@pytest.mark.site
def test_a_term_is_told_on_hover_and_focus(visit):
    page = visit(page_of(CHAPTERS[0]))
    link = page.locator("a.glossary-term").first
    note = page.locator(".term-note").first
    assert not note.is_visible()
    link.hover()
    assert note.is_visible()
    note.hover()  # it can be pointed at
    page.wait_for_timeout(400)
    assert note.is_visible()
    page.mouse.move(1, 1)
    note.wait_for(state="hidden")
    link.focus()
    assert note.is_visible()
    page.keyboard.press("Escape")
    assert not note.is_visible()
    assert link.evaluate("e => e === document.activeElement")


@pytest.mark.site
def test_a_tap_tells_a_term_and_a_second_one_leads_to_it(browser):
    context = browser.new_context(viewport=checks.PHONE, has_touch=True)
    page = context.new_page()
    page.goto(page_of(CHAPTERS[0]).as_uri())
    for number in range(min(8, page.locator("a.glossary-term").count())):
        link = page.locator("a.glossary-term").nth(number)
        note = page.locator(".term-note").nth(number)
        link.scroll_into_view_if_needed()
        link.tap()
        assert page.url.endswith(f"{CHAPTERS[0].stem}.html"), "the first tap tells"
        box = note.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= checks.PHONE["width"]
        assert box["y"] >= 0 and box["y"] + box["height"] <= checks.PHONE["height"]
    link.tap()
    page.wait_for_url("**/glossary.html#*")
    context.close()


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_on_a_wide_screen_terms_stand_in_the_margin(chapter, visit):
    page = visit(page_of(chapter), size=WIDE)
    faults = page.evaluate(
        """() => {
          const box = e => e.getBoundingClientRect(), faults = [];
          const aside = document.querySelector(".bd-sidebar-secondary");
          const edge = Math.max(...[...document.querySelectorAll(
            "article section > p, article figure, article .nnperf-claim, article pre"
          )].map(e => box(e).right));
          let above = -Infinity;
          for (const note of document.querySelectorAll(".term-note")) {
            if (note.closest("details:not([open])")) continue;
            const at = box(note);
            if (!at.height) faults.push(`${note.id} is not shown`);
            if (at.left < edge) faults.push(`${note.id} lies on the text`);
            if (at.right > box(aside).left) faults.push(`${note.id} lies on the menu`);
            if (at.top < above) faults.push(`${note.id} lies on the one before`);
            above = at.bottom;
          }
          const column = box(document.querySelector("article section > p")).width;
          if (column < 640) faults.push(`the column is ${column} px wide`);
          return faults;
        }"""
    )
    assert not faults


# --- figures -------------------------------------------------------------------------


def test_a_figure_has_its_chapter_s_number():
    assert figure_numbers.within("chapters/03_vanishing_gradients", 1) == (3, 1)
    assert figure_numbers.within("chapters/16_tuning", 12) == (16, 12)
    assert figure_numbers.within("appendix/claims", 2) == (2,)


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_figures_are_counted_in_their_chapter(chapter):
    article = checks.soup(page_of(chapter)).article
    told = [one.get_text(strip=True) for one in article.select(".caption-number")]
    number = int(chapter.stem[:2])
    assert told == [f"Fig. {number}.{n}" for n in range(1, len(told) + 1)]
    # what the text calls a figure is what stands under it
    names = {figure["id"]: figure for figure in article.select("figure[id]")}
    for link in article.select("a:has(.std-numref)"):
        figure = names[link["href"].removeprefix("#")]
        assert link.get_text(strip=True) == told[list(names).index(figure["id"])]


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_plots_are_dark_on_a_dark_page(chapter, visit):
    page = visit(page_of(chapter), "dark")
    for number in page.locator("article .caption-number").all()[:1]:
        assert number.is_visible()
    plots = page.locator("article figure img:not(.as-it-is)")
    for plot in (plots.nth(0), plots.nth(plots.count() - 1)):
        plot.scroll_into_view_if_needed()
        picture = Image.open(io.BytesIO(plot.screenshot())).convert("RGB")
        values = np.asarray(picture, float)
        ground = np.median(values.reshape(-1, 3), axis=0)
        # on the page's own color, #12181d, what is drawn stands out
        assert np.abs(ground - (0x12, 0x18, 0x1D)).max() < 8 or values.mean() < 128
        assert values.max() > 180


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "P"])
def test_a_picture_is_packed_without_a_loss(kind, tmp_path):
    image = Image.linear_gradient("L").convert("RGB").convert(kind)
    if kind == "RGBA":
        image.putalpha(Image.linear_gradient("L").rotate(90))
    if kind == "P":
        image.info["transparency"] = 3
    before = np.asarray(image.convert("RGBA"))
    image.save(tmp_path / "one.png")
    assert light_pictures.repack(tmp_path / "one.png")
    (packed,) = tmp_path.iterdir()
    assert packed.suffix == ".webp"
    np.testing.assert_array_equal(
        np.asarray(Image.open(packed).convert("RGBA")), before
    )


@pytest.mark.site
def test_nearly_all_pictures_of_the_site_are_packed():
    pictures = list((SITE / "_images").iterdir())
    assert {one.suffix for one in pictures} <= {".webp", ".png"}
    assert sum(one.suffix == ".webp" for one in pictures) > 0.8 * len(pictures)


# --- code ----------------------------------------------------------------------------


def test_lines_know_their_indent_and_have_no_ids():
    line = '<span id="line-3"><span class="w">    </span><span class="k">if</span>'
    assert code_lines.indent(line) == (
        '<span class="code-line" style="--indent:4"><span class="w">    </span>'
        '<span class="k">if</span>'
    )
    assert code_lines.indent('<span id="line-1">a') == '<span class="code-line">a'


def test_a_name_in_a_table_has_seams():
    name = '<span class="pre">BinaryCrossentropy(from_logits=True)</span>'
    table = f"<td>a_b <code>{name}</code></td>"
    assert code_lines.with_seams(table + name) == (
        '<td>a_b <code><span class="pre">Binary<wbr>Crossentropy<wbr>(<wbr>from_<wbr>'
        f"logits=<wbr>True)</span></code></td>{name}"
    )


BROKEN_WORDS = """() => {
  const broken = [];
  for (const cell of document.querySelectorAll("article table.table :is(th, td)")) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode, range = document.createRange();
      if (text.parentElement.closest("mjx-container")) continue;
      for (const word of text.data.matchAll(/[^\\s/–-]+/g)) {
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        const lines = [...range.getClientRects()].map(at => Math.round(at.top));
        if (new Set(lines).size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}"""


@pytest.mark.site
def test_on_a_phone_tables_break_no_word(visit):
    broken = []
    for chapter in CHAPTERS:
        page = visit(page_of(chapter), size=checks.PHONE)
        page.evaluate(OPEN_ALL)
        broken += [f"{chapter.stem}: {one}" for one in page.evaluate(BROKEN_WORDS)]
    assert not broken


SIDEWAYS = """() => {
  const blocks = [], others = [];
  for (const element of document.querySelectorAll("article :not(pre *)")) {
    if (!element.getClientRects().length) continue;
    const way = getComputedStyle(element).overflowX;
    const over = element.scrollWidth > element.clientWidth + 1
      && (way === "auto" || way === "scroll");
    if (element.matches("pre")) blocks.push(over);
    else if (over) others.push(`${element.className}: ${element.scrollWidth} px, `
      + element.innerText.trim().slice(0, 60));
  }
  return {blocks: blocks.length, wide: blocks.filter(Boolean).length, others};
}"""


@pytest.mark.site
def test_on_a_phone_next_to_nothing_scrolls_sideways(visit):
    blocks = wide = 0
    others = []
    for chapter in CHAPTERS:
        page = visit(page_of(chapter), size=checks.PHONE)
        page.evaluate(OPEN_ALL)
        found = page.evaluate(SIDEWAYS)
        blocks, wide = blocks + found["blocks"], wide + found["wide"]
        others += [f"{chapter.stem}: {one}" for one in found["others"]]
    assert not others, "\n".join(others)
    assert blocks > 50 and wide <= blocks / 10


@pytest.mark.site
def test_a_line_that_wraps_is_copied_as_it_is(visit):
    page = visit(page_of(CHAPTERS[0]), size=checks.PHONE)
    block = page.locator("div.cell_input pre").first
    source = block.evaluate("e => e.textContent")
    assert "\n\n\n" not in source and source.count("\n") > 3
    # what the copy button takes
    assert block.evaluate("e => e.cloneNode(true).innerText").strip() == source.strip()


@pytest.mark.site
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_folded_code_is_a_small_word(chapter, visit):
    page = visit(page_of(chapter))
    faults = page.evaluate(
        """() => [...document.querySelectorAll("details.above-input > summary")]
          .filter(e => e.getClientRects().length && !e.parentElement.open)
          .map(e => e.getBoundingClientRect())
          .filter(at => at.width > 120 || at.height > 32)
          .map(at => `${at.width} by ${at.height} px`)"""
    )
    assert not faults

"""What is looked for in a page of the site; each fault is a sentence.

`test_site.py` holds the real pages to it, and pages broken on purpose.
"""

from __future__ import annotations

import functools
import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, expect

THEMES = ("light", "dark")
# these are compressed already
PACKED = {".png", ".jpg", ".webp", ".woff", ".woff2", ".gz", ".ipynb"}
PHONE = {"width": 375, "height": 700}
DESK = {"width": 1366, "height": 900}
# what a page may ask for besides its own files
LOCAL = ("file:", "data:", "blob:", "about:", "http://127.0.0.1:")


@dataclass
class Visit:
    """An open page and what it asked for and complained of meanwhile."""

    page: Page
    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def open_page(browser: Browser, address: str, theme: str = "light") -> Visit:
    """Open a page as a reader would who has no network."""
    context = browser.new_context(viewport=DESK, color_scheme=theme)
    context.set_default_timeout(20_000)
    visit = Visit(context.new_page())

    def answer(route):
        url = route.request.url
        visit.requests.append(url)
        if url.startswith(LOCAL):
            route.continue_()
        else:
            visit.faults.append(f"asks another host: {url}")
            route.abort()

    def hear(message):
        # the browser's own echo of a request that was blocked above
        if "ERR_FAILED" not in message.text and message.type in ("error", "warning"):
            visit.faults.append(f"console {message.type}: {message.text}")

    def miss(request):
        if request.url.startswith(LOCAL) and "ABORTED" not in (request.failure or ""):
            visit.faults.append(f"cannot load {request.url}: {request.failure}")

    context.route("**/*", answer)
    visit.page.on("console", hear)
    visit.page.on("pageerror", lambda error: visit.faults.append(f"error: {error}"))
    visit.page.on("requestfailed", miss)
    visit.page.goto(address, wait_until="load")
    # the theme comes by script, and colors take a moment to change to it
    visit.page.evaluate(
        "() => Promise.allSettled(document.getAnimations().map(a => a.finished))"
    )
    # formulas are set after the page has loaded
    unset = visit.page.evaluate(
        """() => window.MathJax && Promise.race([
          MathJax.startup?.promise.then(() => ""),
          new Promise(done => setTimeout(done, 15000, "formulas are not set")),
        ])"""
    )
    visit.faults += [unset] if unset else []
    return visit


# Text of the same color, size and weight on the same ground has the same contrast: one
# of each stays a piece of its own, since code has thousands.
DROP_ALIKE = """() => {
  const seen = new Set(), alike = [];
  for (const element of document.querySelectorAll("pre span, span.pre")) {
    if (element.children.length || !element.getClientRects().length) continue;
    const own = getComputedStyle(element);
    const key = [own.color, own.fontSize, own.fontWeight, own.visibility];
    for (let up = element; up; up = up.parentElement) {
      const at = getComputedStyle(up);
      key.push(at.backgroundColor, at.backgroundImage, at.opacity, at.filter);
    }
    const told = key.filter(k => !/^(rgba\\(0, 0, 0, 0\\)|none|1)$/.test(k)).join();
    if (seen.has(told)) alike.push(element);
    seen.add(told);
  }
  for (const element of alike) element.replaceWith(...element.childNodes);
}"""


def axe_faults(page: Page) -> list[str]:
    """Return what axe-core finds."""
    page.evaluate(DROP_ALIKE)
    # preloading would read the style sheets once more, which a page from a disk may not
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"axe, {rule['id']}: {node['target']} {node['failureSummary']} "
        f"in {node['html'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]


def width_faults(page: Page) -> list[str]:
    """Return what is too wide for a phone, or is squeezed to its width."""
    page.set_viewport_size(PHONE)
    faults = page.evaluate(
        """() => {
          const root = document.scrollingElement, wide = root.clientWidth;
          const is = image => image.width / image.height;
          const was = image => image.naturalWidth / image.naturalHeight;
          const shown = [...document.images].filter(i => was(i) && i.width > 50);
          const squeezed = shown.filter(i => Math.abs(is(i) / was(i) - 1) > 0.05)
            .map(i => `squeezed image on a phone: ${i.src.slice(-60)}`);
          if (root.scrollWidth <= wide) return squeezed;
          const all = [...document.querySelectorAll("body *")];
          const out = all.filter(e => e.getBoundingClientRect().right > wide + 1
            && getComputedStyle(e).position !== "fixed");
          return [`is ${root.scrollWidth} px wide on a screen of ${wide}: ` +
            out.slice(0, 4).map(e => e.outerHTML.slice(0, 90)).join(" | ")];
        }"""
    )
    page.set_viewport_size(DESK)
    return faults


def picture_faults(page: Page) -> list[str]:
    """Return the pictures that are missing or that are not told in words."""
    return page.evaluate(
        """async () => {
          const faults = [];
          for (const image of document.images) {
            image.loading = "eager";
            try { await image.decode(); } catch { /* told below */ }
            const source = image.getAttribute("src").slice(-60);
            if (!image.naturalWidth) faults.push(`missing image ${source}`);
            const alt = image.getAttribute("alt");
            if (alt === null) faults.push(`image without alternative text: ${source}`);
            else if (image.closest("article") && !/\\w+ \\w+/.test(alt))
              faults.push(`alternative text “${alt}” says nothing: ${source}`);
          }
          return faults;
        }"""
    )


COVERED = """() => {
    const faults = [];
    for (const fold of document.querySelectorAll("details.above-input:not([open])")) {
        const a = fold.querySelector("summary").getBoundingClientRect();
        for (const words of fold.parentElement.querySelectorAll(".cell_output p")) {
            const range = document.createRange();
            range.selectNodeContents(words);
            for (const b of range.getClientRects())
                if (a.left < b.right - 1 && b.left < a.right - 1
                    && a.top < b.bottom - 1 && b.top < a.bottom - 1)
                    faults.push(`a cell's word lies on: ${words.innerText}`);
        }
    }
    return [...new Set(faults)];
}"""


def covered_faults(page: Page) -> list[str]:
    """Return the words on which the word of a folded cell lies."""
    return page.evaluate(COVERED)


def keyboard_faults(page: Page) -> list[str]:
    """Return what is folded and does not open by the keyboard."""
    # a lab that comes into view takes the place of what it shows without script
    for section in page.locator("main .nnperf-lab:not(.course-part)").all():
        if section.is_visible():
            section.scroll_into_view_if_needed()
            expect(section).to_have_attribute("data-mounted", "true")
    faults = []
    for number, summary in enumerate(page.query_selector_all("main summary")):
        if not summary.is_visible():  # inside another that is closed again
            continue
        was = summary.evaluate("e => e.parentElement.open")
        summary.focus()
        page.keyboard.press("Enter")
        if summary.evaluate("e => e.parentElement.open") == was:
            text = summary.inner_text()[:60]
            faults.append(f"fold {number} does not open by the keyboard: {text}")
    return faults


def weight(visit: Visit) -> int:
    """Return how many bytes a visit costs as a web server would send them."""
    paths = {local_path(url) for url in visit.requests if url.startswith("file:")}
    return sum(map(_compressed, paths))


@functools.cache
def _compressed(path: Path) -> int:
    if not path.is_file():
        return 0
    content = path.read_bytes()
    return len(content if path.suffix in PACKED else gzip.compress(content, 6))


def local_path(url: str) -> Path:
    """Return the file that a file: address names."""
    return Path(unquote(urlsplit(url).path))


@functools.cache
def soup(path: Path) -> BeautifulSoup:
    """Return a page's parsed source."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    """Return the places in a page that a link can lead to."""
    return frozenset(tag["id"] for tag in soup(path).find_all(id=True)) | {"", "top"}


def link_faults(path: Path) -> Iterator[str]:
    """Yield the links of a page that lead nowhere; other hosts are not asked."""
    for tag in soup(path).find_all(["a", "link", "area"], href=True):
        url = urlsplit(tag["href"])
        if url.scheme or url.netloc:
            continue
        goal = Path(os.path.normpath(path.parent / unquote(url.path)))
        goal = goal if url.path else path
        if not goal.is_file():
            yield f"dead link: {tag['href']}"
        elif goal.suffix == ".html" and unquote(url.fragment) not in anchors(goal):
            yield f"dead anchor: {tag['href']}"
    twice = [tag["id"] for tag in soup(path).find_all(id=True)]
    for name in sorted({one for one in twice if twice.count(one) > 1}):
        yield f"id used twice: {name}"


def describe(path: Path) -> Iterator[str]:
    """Yield what a search engine would miss in a page's head."""
    title = soup(path).title
    if title is None or not title.get_text(strip=True):
        yield "page without a title"
    about = soup(path).find("meta", attrs={"name": "description"})
    if about is None or len(about.get("content", "")) < 40:
        yield "page without a description"

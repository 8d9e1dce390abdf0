"""The built site in a real browser, with every other host out of reach."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import site_checks as checks

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
# Sphinx's own pages say what they are by their titles alone
GENERATED = {"genindex.html", "search.html", "py-modindex.html", "404.html"}
KILOBYTE = 1024
FIRST_PAGE, CHAPTER = 350 * KILOBYTE, 700 * KILOBYTE

pytestmark = pytest.mark.site


def pages() -> list[str]:
    """Return every page of the site."""
    found = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    return sorted(str(path) for path in found if not path.parts[0].startswith("_"))


def told(page: str, faults) -> None:
    """Fail with each fault beside the page's name."""
    lines = [f"{page}: {fault}" for fault in faults]
    if lines:
        pytest.fail("\n".join(dict.fromkeys(lines)), pytrace=False)


@pytest.fixture
def visit(browser):
    """Return a function that opens a page; it is closed after the test."""
    opened = []

    def open_page(address, theme="light"):
        opened.append(checks.open_page(browser, address, theme))
        return opened[-1]

    yield open_page
    for one in opened:
        one.page.context.close()


def test_the_site_is_built():
    assert "intro.html" in pages(), "run `make book` first"


@pytest.mark.parametrize("page", pages())
@pytest.mark.parametrize("theme", checks.THEMES)
def test_page(page, theme, visit, record_property):
    seen = visit((SITE / page).as_uri(), theme)
    size = checks.weight(seen)
    faults = [*seen.faults]
    if theme == "light":
        record_property("page weight", (page, size))
        limit = CHAPTER if page.startswith("chapters/") else FIRST_PAGE
        if size > limit and (page == "intro.html" or limit == CHAPTER):
            faults.append(f"weighs {size} bytes compressed, more than {limit}")
        faults += checks.width_faults(seen.page)
        faults += checks.picture_faults(seen.page)
        faults += checks.covered_faults(seen.page)
    before = len(seen.faults)
    faults += checks.axe_faults(seen.page)
    if theme == "light":
        faults += checks.keyboard_faults(seen.page)
    told(page, faults + seen.faults[before:])


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page):
    told(page, checks.link_faults(SITE / page))


@pytest.mark.parametrize("page", [p for p in pages() if p not in GENERATED])
def test_page_says_what_it_is(page):
    told(page, checks.describe(SITE / page))


def test_titles_differ():
    titles = [checks.soup(SITE / page).title.get_text(strip=True) for page in pages()]
    same = {
        title
        for page, title in zip(pages(), titles, strict=True)
        if titles.count(title) > 1 and page not in ("index.html", "intro.html")
    }
    assert not same


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_terms_lead_to_the_glossary_from_their_first_use(chapter):
    page = checks.soup(SITE / "chapters" / f"{chapter.stem}.html").article
    links = page.select("a.glossary-term")
    assert len(links) >= 3
    goals = [link["href"] for link in links]
    assert len(goals) == len(set(goals)), "a term is linked twice"
    barred = "h1, h2, h3, pre, code, figcaption, .cell, .math, a a, #quiz"
    inside = {link for place in page.select(barred) for link in place.select("a")}
    assert not [link["href"] for link in links if link in inside]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_search_finds_a_chapter_by_its_title(chapter, visit):
    page = f"chapters/{chapter.stem}.html"
    heading = checks.soup(SITE / page).h1
    title = heading.get_text().split("#")[0].strip()
    seen = visit(f"{(SITE / 'search.html').as_uri()}?q={title.replace(' ', '+')}")
    hit = seen.page.locator(f'#search-results a[href*="{chapter.stem}.html"]')
    hit.first.wait_for()
    told("search.html", seen.faults)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_notebook_can_be_downloaded(chapter, visit, host):
    seen = visit(f"{host}chapters/{chapter.stem}.html")
    with seen.page.expect_download() as download:
        seen.page.locator("a.download-notebook").click()
    assert Path(download.value.path()).read_bytes() == chapter.read_bytes()
    assert download.value.suggested_filename == chapter.name


class _Host(SimpleHTTPRequestHandler):
    """Serves the site in a folder of its host, as GitHub Pages does."""

    def send_error(self, code, message=None, explain=None):
        body = (SITE / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def translate_path(self, path):
        inside = path.startswith("/course/")
        return super().translate_path(path.removeprefix("/course") if inside else "/-")

    def log_message(self, *_):
        pass


@pytest.fixture
def host():
    handler = functools.partial(_Host, directory=str(SITE))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/course/"
    server.shutdown()


@pytest.mark.parametrize("lost", ["none.html", "chapters/99.html", "chapters/a/b/c"])
def test_lost_reader_finds_home_from_any_depth(lost, visit, host):
    seen = visit(host + lost)
    assert "not here" in seen.page.title().lower()
    # the status of the page itself is what the browser complains of
    told(lost, [fault for fault in seen.faults if "404" not in fault])
    seen.page.get_by_role("link", name="first page").click()
    seen.page.wait_for_url(f"{host}intro.html")
    seen.page.locator("article h1").wait_for()


# The checks must be able to fail: pages broken on purpose, a fault each.

GOOD = """<!doctype html><html lang="en"><head><title>Broken on purpose</title>
<link rel="icon" href="data:,"></head>
<body><main><article><h1>A page</h1>{}</article></main></body></html>"""
BROKEN = {
    "foreign script": (
        '<script src="https://scripts.invalid/a.js"></script>',
        "asks another host: https://scripts.invalid/a.js",
    ),
    "no alternative text": (
        '<img src="data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22 '
        'width=%229%22 height=%229%22/>">',
        "image without alternative text",
    ),
    "path as alternative text": (
        '<img alt="../_images/a.png" src="data:image/svg+xml,<svg xmlns='
        '%22http://www.w3.org/2000/svg%22 width=%229%22 height=%229%22/>">',
        "says nothing",
    ),
    "missing image": ('<img alt="Loss by epoch" src="none.png">', "missing image"),
    "dead anchor": ('<p><a href="#nowhere">There</a></p>', "dead anchor: #nowhere"),
    "dead link": ('<p><a href="none.html">There</a></p>', "dead link: none.html"),
    "contrast": ('<p style="color: #bbb; background: #fff">Pale</p>', "color-contrast"),
    "console error": ("<script>console.error('oh')</script>", "console error: oh"),
    "squeezed image": (
        '<img alt="Loss by epoch" style="width: 300px; height: 60px" src="'
        "data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22 "
        'width=%2290%22 height=%2290%22/>">',
        "squeezed image",
    ),
    "uncaught error": ("<script>nothing()</script>", "nothing is not defined"),
    "too wide": ('<div style="width: 800px">Wide</div>', "px wide on a screen of 375"),
    "heading skipped": ("<h4>Too deep</h4>", "heading-order"),
    "fold without keyboard": (
        "<details><summary onkeydown='event.preventDefault()' "
        "onkeyup='event.preventDefault()'>Hint</summary>One</details>",
        "does not open by the keyboard: Hint",
    ),
}


def all_faults(visit, path: Path) -> list[str]:
    seen = visit(path.as_uri())
    return [
        *checks.width_faults(seen.page),
        *checks.picture_faults(seen.page),
        *checks.axe_faults(seen.page),
        *checks.keyboard_faults(seen.page),
        *checks.link_faults(path),
        *seen.faults,
    ]


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_page_is_told(kind, visit, tmp_path):
    markup, fault = BROKEN[kind]
    path = tmp_path / "broken.html"
    path.write_text(GOOD.format(markup), encoding="utf-8")
    faults = all_faults(visit, path)
    with pytest.raises(pytest.fail.Exception, match=r"^broken\.html: ") as told_so:
        told("broken.html", faults)
    assert fault in str(told_so.value)


def test_good_page_passes(visit, tmp_path):
    path = tmp_path / "good.html"
    path.write_text(GOOD.format("<p>Well.</p>"), encoding="utf-8")
    assert all_faults(visit, path) == []

"""Print the whole course, solutions open, as one PDF: ``_build/course.pdf``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "_build" / "print"
PDF = ROOT / "_build" / "course.pdf"
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# On the one page everything is open, and a link leads to its place in it.
PREPARE = """() => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  for (const link of document.querySelectorAll("a[href]")) {
    if (link.protocol !== "file:") continue;
    const place = decodeURIComponent(link.hash.slice(1));
    if (document.getElementById(place)) link.setAttribute("href", "#" + place);
    else link.removeAttribute("href");
  }
}"""
FOOTER = (
    '<div style="font: 8pt sans-serif; width: 100%; text-align: center">'
    '<span class="pageNumber"></span></div>'
)


def find_browser() -> str | None:
    """Return the path of a browser of this machine."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def build() -> Path:
    """Build the course as a single page, and return it."""
    shutil.rmtree(WORK, ignore_errors=True)
    # a console script does not start where the folder's path holds a space
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(ROOT), "--quiet"]
    command += ["--path-output", str(WORK), "--builder", "singlehtml"]
    built = subprocess.run(
        [*command, "-W", "-n", "--keep-going"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    if built.returncode:
        sys.exit(built.stdout)
    return WORK / "_build" / "singlehtml" / "intro.html"


def print_page(page: Path, pdf: Path, browser: str) -> None:
    """Print a page with everything open that can be opened."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser)
        shown = started.new_page()
        shown.goto(page.as_uri(), wait_until="load")
        shown.evaluate("() => window.MathJax?.startup?.promise")
        shown.evaluate(PREPARE)
        shown.pdf(
            path=pdf,
            format="A4",
            margin={"top": "18mm", "bottom": "18mm", "left": "17mm", "right": "17mm"},
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
        started.close()


def main() -> None:
    """Build and print."""
    browser = find_browser()
    if browser is None:
        sys.exit("`make pdf` prints with Chromium or Chrome, and finds neither.")
    print_page(build(), PDF, browser)
    shutil.rmtree(WORK)
    print(f"{PDF.relative_to(ROOT)}: {PDF.stat().st_size / 2**20:.1f} MB")


if __name__ == "__main__":
    main()

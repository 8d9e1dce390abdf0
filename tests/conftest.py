"""What all tests share."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

# as in the Makefile, for a test that is run by hand
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_make_parametrize_id(val: Any) -> str | None:
    """Name a function by its name: its address differs from worker to worker."""
    return getattr(val, "__name__", None) if callable(val) else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the site's pages weigh, compressed."""
    told = {
        tuple(value)  # a list, where another process sent it
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "page weight"
    }
    if told:
        terminalreporter.section("weight of the pages, with all that they load")
        for page, size in sorted(told):
            terminalreporter.write_line(f"{size / 1024:5.0f} KB  {page}")


@pytest.fixture(scope="session")
def browser():
    """Yield a running browser that reaches no other host."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
    from pdf import find_browser
    from playwright.sync_api import sync_playwright

    program = find_browser()
    if program is None:
        say = pytest.fail if os.environ.get("NNPERF_REQUIRE_BROWSER") else pytest.skip
        say("no Chromium or Chrome found: the site is not looked at")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program,
            # the browser itself must not reach out either
            args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield started
        started.close()

"""What all tests share."""

import os
from typing import Any

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

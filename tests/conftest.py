"""What all tests share."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import execute

# as in the Makefile, for a test that is run by hand
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CHAPTER = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the tests of one chapter."""
    parser.addoption(
        "--chapter",
        help="run only what belongs to this chapter, a number or a name, and needs no "
        "built site",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker, and look the chapter up before anything is collected."""
    config.addinivalue_line("markers", "site: looks at the built site")
    if asked := config.getoption("--chapter"):
        try:
            config.stash[CHAPTER] = execute.find_chapter(asked).stem
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave other chapters' own tests alone: they need not even import."""
    chapter = config.stash.get(CHAPTER, None)
    others = [one.stem for one in execute.chapters() if one.stem != chapter]
    if chapter and any(_is_own(collection_path, other) for other in others):
        return True
    return None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Keep what belongs to the chapter that was asked for."""
    chapter = config.stash.get(CHAPTER, None)
    if chapter is None:
        return
    kept, others = [], []
    for item in items:
        (kept if belongs(item, chapter) else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = kept


def belongs(item: pytest.Item, chapter: str) -> bool:
    """Tell whether a test belongs to a chapter: its file does, or a parameter."""
    if item.get_closest_marker("site"):
        return False
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return _is_own(item.path, chapter) or any(_names(p, chapter) for p in parameters)


def _is_own(path: Path, chapter: str) -> bool:
    """Tell whether a file of tests is a chapter's own: exercises/test_topic.py."""
    is_above = path.parent == Path(__file__).parent
    return path.name == f"test_{_topic(chapter)}.py" and not is_above


def _topic(chapter: str) -> str:
    return chapter.partition("_")[2]


def _names(value: Any, chapter: str) -> bool:
    """Tell whether a parameter is a chapter, one of its claims or of its exercises."""
    if isinstance(value, Path):
        return value.stem == chapter
    if isinstance(value, str):
        return value == chapter or value in _claims(chapter)
    return str(getattr(value, "id", "")).startswith(f"{_topic(chapter)}.")


@functools.cache
def _claims(chapter: str) -> set[str]:
    """Return the ids of a chapter's claims."""
    path = execute.ROOT / "claims" / f"{chapter}.yml"
    entries = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    return {entry["id"] for entry in entries or ()}


def pytest_make_parametrize_id(val: Any) -> str | None:
    """Name a function by its name: its address differs from worker to worker."""
    return getattr(val, "__name__", None) if callable(val) else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the pages weigh, compressed, and how long `course.zip` takes."""
    if told := _recorded(terminalreporter, "page weight"):
        terminalreporter.section("weight of the pages, with all that they load")
        for page, size in sorted(told):
            terminalreporter.write_line(f"{size / 1024:5.0f} KB  {page}")
    if told := _recorded(terminalreporter, "course.zip"):
        terminalreporter.section("course.zip, by the commands of its README")
        for command, seconds in told:
            terminalreporter.write_line(f"{seconds:5.0f} s  {command}")


def _recorded(terminalreporter: Any, what: str) -> list[tuple]:
    """Return what tests recorded under a name, each once."""
    found = (
        tuple(value)  # a list, where another process sent it
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == what
    )
    return list(dict.fromkeys(found))


@pytest.fixture(scope="session")
def browser():
    """Yield a running browser that reaches no other host."""
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

"""A pytest plugin beside nbmake: a line for each notebook, and failures in full.

nbmake alone says neither how much memory a notebook took nor what the failing
cell had printed.  A notebook that passed is put in its place at once, so that an
interruption loses only what was still running.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import execute
import psutil
import pytest

EXECUTED = Path(os.environ["NNPERF_EXECUTED"])
MEGABYTE = 2**20


class PeakMemory(threading.Thread):
    """Sample the memory of this process's children, in bytes.

    Where the system tells, a page that several of them share counts once.
    """

    def __init__(self, interval: float = 0.5) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._interval = interval
        self._finished = threading.Event()

    def run(self) -> None:
        """Sample until told to stop."""
        while not self._finished.wait(self._interval):
            total = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    info = process.memory_full_info()
                except psutil.Error:  # it ended between the listing and the look
                    continue
                total += getattr(info, "pss", info.rss)
            self.peak = max(self.peak, total)

    def stop(self) -> int:
        """Stop sampling and return the peak."""
        self._finished.set()
        self.join()
        return self.peak


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure the memory of the notebook's kernel."""
    memory = PeakMemory()
    memory.start()
    try:
        return (yield)
    finally:
        item.user_properties.append(("peak_memory", memory.stop()))


def _printed(cell: dict) -> str:
    outputs = [out for out in cell["outputs"] if out["output_type"] == "stream"]
    return "".join("".join(out["text"]) for out in outputs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo
) -> Iterator[None]:
    """Say which cell failed, and what it had printed."""
    report = yield
    result = (
        call.excinfo.value.args[0] if call.excinfo and call.excinfo.value.args else 0
    )
    error = getattr(result, "error", None)
    if error is not None:
        cell = result.nb.cells[error.failing_cell_index]
        printed = _printed(cell).rstrip()
        lines = [
            f"chapters/{item.path.name}, cell {error.failing_cell_index + 1} "
            f"(id {cell.get('id', 'none')}) failed:",
            error.trace,
            *(["what the cell had printed:", printed] if printed else []),
        ]
        report.user_properties.append(("failure", "\n".join(lines)))
    return report


def _say(text: str) -> None:
    plain = text if sys.stdout.isatty() else re.sub(r"\x1b\[[0-9;]*m", "", text)
    print(plain, flush=True)


def _keep(notebook: Path, seconds: float, peak_memory: int) -> None:
    """Put an executed notebook and its record in place; the record comes last."""
    state = execute.read_json(notebook.parent / "state.json")
    used = json.loads(Path(os.environ["NNPERF_USED"]).read_text("utf-8"))
    record = {
        "code": state["code"][notebook.stem],
        "files": {
            name: state["files"].get(name)
            for name in execute.depends_on(notebook.stem, used)
        },
        "surroundings": state["surroundings"],
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(peak_memory / MEGABYTE),
    }
    record_path = EXECUTED / f"{notebook.stem}.json"
    record_path.unlink(missing_ok=True)
    shutil.move(notebook, EXECUTED / notebook.name)
    unfinished = record_path.with_suffix(".part")
    unfinished.write_text(json.dumps(record), encoding="utf-8")
    unfinished.replace(record_path)


class Progress:
    """Prints what pytest reports, and keeps what passed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print a notebook's line, or its failure."""
        if report.when != "call" and not report.failed:
            return
        notebook = self.folder / Path(report.location[0]).name
        properties = dict(report.user_properties)
        peak = properties.get("peak_memory", 0)
        figures = f"{report.duration:6.1f} s {peak / MEGABYTE:6.0f} MB"
        _say(f"  {notebook.stem:32}{figures}  {report.outcome}")
        if report.passed:
            _keep(notebook, report.duration, peak)
        else:
            _say(properties.get("failure", report.longreprtext))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Print what kept a notebook from being read."""
        if report.failed:
            _say(report.longreprtext)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Report in place of pytest's own lines."""
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(Progress(config.rootpath))

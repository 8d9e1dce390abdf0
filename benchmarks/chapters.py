"""Where a chapter's time goes: imports, tracing, XLA, training, reading, drawing.

    .venv/bin/python benchmarks/chapters.py 03 10

Each chapter runs in a process of its own, from its first code cell to its last, and is
billed in seconds of processor time, all threads together. XLA compiles beside Python:
its column is what was used while waiting for it. *Reading* is what looks at trained
networks: scores, predictions, instruments, with the tracing of their graphs. *Rest* is
what no column names: networks that are trained by `fit`, statistics, text. What other
processes do that a chapter starts is not counted. Without an argument: all chapters,
and their sum.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("imports", "tracing", "XLA", "training", "reading", "drawing", "rest")


class Bill:
    """Seconds by what they were spent on; each second counts once, innermost first."""

    def __init__(self):
        self.seconds = dict.fromkeys(COLUMNS, 0.0)
        self.graphs = 0
        self._open: list[str] = ["rest"]
        self._since = time.process_time()

    def charge(self) -> None:
        """Bill the time since the last call to the innermost open column."""
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    @contextmanager
    def on(self, column: str):
        """Bill what is done in here to a column."""
        self.charge()
        self._open.append(column)
        try:
            yield
        finally:
            self.charge()
            self._open.pop()

    def watch(self, owner: type, name: str, column: str) -> None:
        """Bill every call of a method to a column."""
        method: Callable = getattr(owner, name)

        def billed(*arguments, **named):
            self.graphs += column == "tracing"
            with self.on(column):
                return method(*arguments, **named)

        setattr(owner, name, billed)

    def watch_made(self, owner: type, name: str, column: str) -> None:
        """Bill every call of the functions that a method makes to a column."""
        make: Callable = getattr(owner, name)

        def made(*arguments):
            function = make(*arguments)

            def billed(*given):
                with self.on(column):
                    return function(*given)

            return billed

        setattr(owner, name, made)


def bill_of(notebook: Path) -> dict:
    """Run a chapter's code in this process and return what it took, in seconds."""
    os.chdir(notebook.parent)
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    bill = Bill()
    with bill.on("imports"):
        import matplotlib

        matplotlib.use("module://matplotlib_inline.backend_inline")
        from IPython.core.interactiveshell import InteractiveShell
        from IPython.core.pylabtools import select_figure_formats
        from matplotlib.backend_bases import FigureCanvasBase
        from matplotlib_inline.backend_inline import flush_figures

        from nnperf_utils.engine import program
    bill.watch(program.Program, "begin", "tracing")
    bill.watch(program.Program, "_wait", "XLA")
    bill.watch(program.Program, "run", "training")
    bill.watch_made(program.Program, "_traced", "reading")
    bill.watch(FigureCanvasBase, "print_figure", "drawing")
    shell = InteractiveShell.instance()
    select_figure_formats(shell, {"png"})
    first = True
    for cell in cells:
        if cell["cell_type"] == "code":
            with bill.on("imports" if first else "rest"):
                result = shell.run_cell("".join(cell["source"]))
            first = False
            with bill.on("drawing"):
                flush_figures()
            tags = cell["metadata"].get("tags", [])
            if not result.success and "raises-exception" not in tags:
                raise RuntimeError(f"{notebook.name}, cell {cell['id']}: failed")
    bill.charge()
    return {**bill.seconds, "graphs": bill.graphs}


def main() -> None:
    """Print a row for each chapter, as it ends, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("chapter", nargs="*", help="only these, by number")
    parser.add_argument("--in-this-process", action="store_true")
    given = parser.parse_args()
    notebooks = sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))
    if given.chapter:
        notebooks = [n for n in notebooks if n.name.startswith(tuple(given.chapter))]
    if given.in_this_process:
        print("\n" + json.dumps(bill_of(notebooks[0])))
        return
    rows = {}
    for notebook in notebooks:
        command = [sys.executable, __file__, notebook.name, "--in-this-process"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{notebook.stem}:\n{done.stderr}")
        rows[notebook.stem] = json.loads(done.stdout.splitlines()[-1])
        row = rows[notebook.stem]
        spent = sum(row[column] for column in COLUMNS)
        print(f"{notebook.stem:32} {spent:6.1f} s", file=sys.stderr, flush=True)
    table = pd.DataFrame(rows).T
    table["all"] = table[list(COLUMNS)].sum(axis=1)
    if len(table) > 1:
        table.loc["sum"] = table.sum()
    print(table.round(1).to_markdown())


if __name__ == "__main__":
    main()

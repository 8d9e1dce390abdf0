"""An IPython extension: records which files of the course a notebook's kernel uses.

`execute.py` loads it into each kernel. After each cell it writes a list to the file
that NNPERF_USED names: the modules of the package that are loaded, however that came
about, and the data and claims that were opened.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "nnperf_utils"
FOLDERS = tuple(
    f"{ROOT / name}{os.sep}" for name in (PACKAGE, "data", "claims", "labs")
)

opened: set[str] = set()


def note(event: str, arguments: tuple) -> None:
    """Note a file that is opened, if it lies in one of the course's folders."""
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100
        # what is loaded of the code stands in sys.modules
        is_code = path.endswith(".py") or "__pycache__" in path
        if path.startswith(FOLDERS) and not is_code:
            opened.add(path)


def modules() -> set[str]:
    """Return the files of the package's modules that are loaded."""
    found = {
        getattr(module, "__file__", None)
        # a copy: another thread may import meanwhile
        for name, module in sys.modules.copy().items()
        if name.partition(".")[0] == PACKAGE
    }
    return found - {None}


def write(*_: object) -> None:
    """Write down what has been used so far."""
    paths = {Path(path).resolve() for path in opened | modules()}
    used = {p.relative_to(ROOT).as_posix() for p in paths if p.is_relative_to(ROOT)}
    Path(os.environ["NNPERF_USED"]).write_text(json.dumps(sorted(used)), "utf-8")


def load_ipython_extension(shell: object) -> None:
    """Begin to record."""
    sys.addaudithook(note)
    shell.events.register("post_run_cell", write)
    write()

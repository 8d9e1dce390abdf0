"""Write the notebooks for a class: without the cells that show solutions.

``python scripts/without_solutions.py FOLDER`` writes all chapters into a folder, their
solutions left out, hints and checks left in. The package still knows the solutions:
whoever looks into ``nnperf_utils/exercises/`` finds them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import execute


def without_solutions(notebook: dict) -> dict:
    """Return a notebook without the cells whose id ends with ``-solution``."""
    kept = [one for one in notebook["cells"] if not one["id"].endswith("-solution")]
    return notebook | {"cells": kept}


def write(folder: Path) -> int:
    """Write all chapters into a folder, and return how many there are.

    Raises
    ------
    FileExistsError
        If the folder has one of them already; nothing is written then.
    """
    chapters = execute.chapters()
    for path in chapters:
        if (folder / path.name).exists():
            raise FileExistsError(
                f"folder has {path.name} already, in {folder}; expected one without."
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path in chapters:
        notebook = without_solutions(execute.read_json(path))
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        (folder / path.name).write_text(text, encoding="utf-8")
    return len(chapters)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args().folder
    try:
        print(f"{write(given)} notebooks without solutions in {given}")
    except FileExistsError as error:
        parser.error(str(error))

"""Write `auto_mpg.csv` from the package `bokeh_sampledata`.

    python data/make_auto_mpg.py

The rows and values are the package's; the columns get their full names, and the
origin its name in place of a code.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bokeh_sampledata.autompg import autompg

OUTPUT = Path(__file__).with_name("auto_mpg.csv")
COLUMNS = {
    "mpg": "mpg",
    "cyl": "cylinders",
    "displ": "displacement",
    "hp": "horsepower",
    "weight": "weight",
    "accel": "acceleration",
    "yr": "model_year",
    "origin": "origin",
    "name": "name",
}
ORIGINS = {1: "usa", 2: "europe", 3: "japan"}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    table = autompg[list(COLUMNS)].rename(columns=COLUMNS)
    table["origin"] = table["origin"].map(ORIGINS)
    text = table.to_csv(index=False, lineterminator="\n")
    parser.parse_args().output.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

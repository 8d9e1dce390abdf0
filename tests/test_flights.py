"""The capstone's table is what its description says."""

import pandas as pd
import pytest

from nnperf_utils.flights import AFTERWARDS, LATE, load_flights


@pytest.fixture(scope="module")
def flights():
    return load_flights()


def test_flights_are_in_the_order_of_their_departure(flights):
    hours = pd.to_timedelta(flights["hour"], "h")
    departures = flights["date"] + hours + pd.to_timedelta(flights["minute"], "min")
    assert departures.is_monotonic_increasing
    assert departures.dt.year.unique().tolist() == [2013]
    assert set(flights["origin"]) == {"EWR", "JFK", "LGA"}


def test_a_flight_without_an_arrival_has_no_time_in_the_air(flights):
    arrived = flights["arrival_delay"].notna()
    assert flights["air_time"].notna().equals(arrived)
    # some left, and came down elsewhere
    assert flights["departure_delay"].notna()[arrived].all()
    assert (flights["departure_delay"].notna() & ~arrived).any()


def test_about_a_quarter_is_late_and_what_is_known_afterwards_tells_it(flights):
    arrived = flights.dropna(subset=[*AFTERWARDS])
    late = arrived["arrival_delay"] >= LATE
    assert 0.2 < late.mean() < 0.3
    left_late = arrived["departure_delay"] >= LATE
    assert (left_late == late).mean() > 0.85


def test_missing_weather_is_missing_together(flights):
    gone = flights[["temperature", "humidity", "visibility"]].isna()
    assert gone.nunique(axis=1).eq(1).mean() > 0.999
    assert flights["wind_gust"].isna().mean() > 0.7

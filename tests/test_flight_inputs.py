"""What a model gets of the flights, on small tables whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from nnperf_utils import flight_inputs as made
from nnperf_utils.flights import AFTERWARDS, load_flights


@pytest.fixture(scope="module")
def flights():
    table = load_flights()
    table[[*made.FEATURE]] = made.day_so_far(table)
    return table.dropna(subset=["arrival_delay"], ignore_index=True)


@pytest.fixture(scope="module")
def cut(flights):
    return made.cut_at(flights["date"], 4000)


def a_day(**changed):
    """Four flights of one day, of two airports, and one of the next day."""
    table = pd.DataFrame(
        {
            "date": pd.to_datetime(["2013-01-01"] * 4 + ["2013-01-02"]),
            "hour": [6, 7, 8, 12, 12],
            "minute": [0, 0, 0, 0, 0],
            "origin": ["JFK", "LGA", "JFK", "JFK", "JFK"],
            "departure_delay": [10.0, 300.0, np.nan, 0.0, 0.0],
        }
    )
    return table.assign(**changed)


def test_the_day_so_far_counts_those_that_have_left():
    found = made.day_so_far(a_day())
    # the first has left by then, 10 minutes late; the second leaves at 12:00 itself
    third = 10 / (1 + 2)
    assert found["day_so_far"].tolist() == pytest.approx([0, third, third, third, 0])
    assert found["airport_so_far"].tolist() == pytest.approx([0, 0, 10 / 3, 10 / 3, 0])


def test_a_flight_that_leaves_late_is_known_late():
    # the second one leaves at 9:00, so that the fourth, at 12:00, knows it
    found = made.day_so_far(a_day(departure_delay=[10.0, 120.0, np.nan, 0.0, 0.0]))
    assert found["day_so_far"].tolist() == pytest.approx(
        [0, 10 / 3, 10 / 3, 130 / 4, 0]
    )


def test_no_flight_knows_its_own_delay():
    before = made.day_so_far(a_day())
    after = made.day_so_far(a_day(departure_delay=[10.0, 300.0, np.nan, 90.0, 5.0]))
    pd.testing.assert_frame_equal(before, after)


def test_planes_are_mended(flights):
    whole = made.mended(flights)
    assert whole["seats"].min() >= 20
    assert "AIRBUS INDUSTRIE" not in set(whole["manufacturer"])
    assert (flights["seats"] < 20).any()  # the table itself is left as it is
    gone = flights["seats"] < 20
    assert whole.loc[gone, ["plane_year", "manufacturer"]].isna().all(axis=None)


def test_labels_need_an_arrival():
    with pytest.raises(ValueError, match="without an arrival_delay"):
        made.is_late(pd.DataFrame({"arrival_delay": [1.0, np.nan]}))
    late = made.is_late(pd.DataFrame({"arrival_delay": [14.0, 15.0, -3.0]}))
    assert late.tolist() == [False, True, False]


def test_what_is_known_before_holds_nothing_of_afterwards(flights):
    assert not set(made.columns_known(flights)) & set(AFTERWARDS)


def test_no_day_is_in_two_parts(flights):
    dates = flights["date"]
    for one in made.cuts(dates[dates < "2013-10-01"]):
        parts = [set(dates.iloc[r]) for r in (one.train, one.validation, one.later)]
        assert max(parts[0]) < min(parts[1]) == one.day
        assert max(parts[1]) < min(parts[2])
        assert [len(r) for r in (one.train, one.validation, one.later)] == [
            3000,
            600,
            450,
        ]


def test_no_two_cuts_share_a_row_of_use(flights):
    past = flights["date"][flights["date"] < "2013-10-01"]
    for seed in range(5):
        used = np.concatenate([one.later for one in made.cuts(past, seed=seed)])
        assert len(np.unique(used)) == len(used)


def test_fresh_cuts_lie_elsewhere(flights):
    past = flights["date"][flights["date"] < "2013-10-01"]
    first = {made.cuts(past, seed=seed)[0].train[0] for seed in range(5)}
    assert len(first) > 1


def test_use_from_a_day_on(flights):
    dates = flights["date"]
    one = made.cut_before(dates, "2013-10-01")
    assert dates.iloc[one.later].min() == pd.Timestamp("2013-10-01")
    assert one.later[-1] == len(flights) - 1
    assert dates.iloc[one.validation].max() == pd.Timestamp("2013-09-30")
    assert dates.iloc[one.train].max() < dates.iloc[one.validation].min()
    assert len(one.train) == 3000


def test_random_rows_are_those_before_use(flights, cut):
    mixed = made.at_random(cut)
    before = np.concatenate([cut.train, cut.validation])
    again = np.concatenate([mixed.train, mixed.validation])
    assert sorted(before) == sorted(again)
    assert set(flights["date"].iloc[mixed.train]) & set(
        flights["date"].iloc[mixed.validation]
    )
    assert (mixed.later == cut.later).all()


@pytest.mark.parametrize("row", [10, 11_600])
def test_too_few_rows_are_told(flights, row):
    with pytest.raises(ValueError, match="too few to cut"):
        made.cut_at(flights["date"], row)
    with pytest.raises(ValueError, match="in order"):
        made.cut_at(flights["date"][::-1], 4000)
    with pytest.raises(ValueError, match="rows before"):
        made.cut_before(flights["date"], "2013-01-10")
    with pytest.raises(ValueError, match="cuts take"):
        made.cuts(flights["date"][:4000])


@pytest.mark.parametrize(
    ("steps", "names", "absent"),
    [
        ((), {"month", "minute", "carrier", "seats"}, {"day_so_far"}),
        (("inputs",), {"hour", "wind_gust missing", "carrier"}, {"month", "minute"}),
        (("categories",), {"carrier UA", "weekday 0", "month"}, {"carrier"}),
        (("feature",), {"day_so_far", "airport_so_far"}, set()),
    ],
)
def test_columns_by_step(flights, cut, steps, names, absent):
    data = made.prepared(flights, cut, steps)
    assert names <= set(data.feature_names)
    assert not absent & set(data.feature_names)
    assert np.isfinite(data.train[0]).all()
    assert len(data.test[1]) == 450


def test_scales_are_those_of_the_training_rows(flights, cut):
    data = made.prepared(flights, cut, ["inputs"])
    hour = data.feature_names.index("hour")
    assert data.train[0][:, hour].mean() == pytest.approx(0, abs=1e-5)
    assert data.train[0][:, hour].std() == pytest.approx(1, abs=1e-5)
    assert data.validation[0][:, hour].mean() != pytest.approx(0, abs=1e-5)


def test_an_unknown_step_is_told(flights, cut):
    with pytest.raises(ValueError, match="'input'"):
        made.prepared(flights, cut, ["input"])


def test_padding_adds_zeros(flights, cut):
    data = made.prepared(flights, cut, [])
    (wide,) = made.padded([data], 30)
    assert wide.input_shape == (30,)
    assert not wide.train[0][:, 21:].any()
    assert (wide.test[0][:, :21] == data.test[0]).all()
    assert wide.feature_names == data.feature_names
    with pytest.raises(ValueError, match="width is 5"):
        made.padded([data], 5)


def test_tables_of_all_sets(flights):
    one = made.cut_at(flights["date"], 4000)
    found = made.tables(flights, [one])
    assert len(found) == 10
    assert {"later", "random", "later+inputs+categories+feature"} <= set(found)
    assert len({splits[0].input_shape for splits in found.values()}) == 1
    ends = made.tables(flights, [one], ends_only=True)
    assert list(ends) == ["random", "later+inputs+categories+feature"]
    bare = made.training_rows(ends)["random"][0]
    assert bare.validation is None
    assert bare.test is None


def test_first_weights_are_those_of_the_columns_that_there_are(flights, cut):
    data = made.prepared(flights, cut, [])
    (wide,) = made.padded([data], 60)
    drawn = made.as_without_padding(wide, 16)((60, 16)).numpy()
    assert np.abs(drawn).max() == pytest.approx((6 / (21 + 16)) ** 0.5, rel=0.02)


def test_the_leak_is_the_last_column_and_unknown_in_use(flights, cut):
    data = made.prepared(flights, cut, ["inputs"])
    leaky, in_use = made.with_delay(data, cut, flights)
    delay = flights["departure_delay"].to_numpy()[cut.train]
    assert leaky.train[0][:, -1] == pytest.approx(delay / 40, abs=1e-5)
    assert not in_use[:, -1].any()
    assert (in_use[:, :-1] == data.test[0]).all()

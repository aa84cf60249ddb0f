"""Tables of tracks: their order, what is refused, and how they are put together."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import check, each, join, make, to_frame

DAY = np.datetime64("2020-01-01", "ns")


def hours(*values):
    return DAY + np.asarray(values) * np.timedelta64(1, "h").astype("timedelta64[ns]")


def columns(**changed):
    """Two storms, their rows mixed up, one across the meridian of Greenwich."""
    return {
        "track_id": [7, 3, 7, 3, 3],
        "time": hours(6, 12, 0, 0, 6),
        "latitude": [-20.0, 51, -19, 50, 50.5],
        "longitude": [200.0, 1, 201, -1, 0],
        "mean_sea_level_pressure": [9.9e4, 9.7e4, 9.95e4, 9.8e4, 9.75e4],
        "basin": ["SP", "NA", "SP", "NA", "NA"],
    } | changed


def test_rows_rise_by_track_and_time_and_longitudes_lie_on_the_circle():
    table = make(columns())
    assert table["track_id"].values.tolist() == [3, 3, 3, 7, 7]
    assert table["longitude"].values.tolist() == [359, 0, 1, 201, 200]
    assert table["basin"].values.tolist() == ["NA"] * 3 + ["SP"] * 2
    assert (table["time"].values == hours(0, 6, 12, 0, 6)).all()


def test_columns_have_the_units_of_the_variables_they_are():
    table = make(columns(maximum_wind_speed=np.ones(5), vorticity_850=np.ones(5), depth=np.ones(5)), {"depth": "Pa"})
    names = ("mean_sea_level_pressure", "maximum_wind_speed", "vorticity_850", "latitude", "depth")
    assert [table[name].attrs["units"] for name in names] == ["Pa", "m s-1", "s-1", "degrees_north", "Pa"]
    assert "units" not in table["basin"].attrs


def test_each_track_comes_once_with_its_records():
    lengths = {track_id: own.sizes["record"] for track_id, own in each(make(columns()))}
    assert lengths == {3: 3, 7: 2}


def test_members_come_before_tracks_in_the_order():
    table = make(columns(number=[0, 1, 0, 1, 1], init_time=np.full(5, DAY)))
    assert table["number"].values.tolist() == [0, 0, 1, 1, 1]
    assert [track_id for track_id, _ in each(table)] == [7, 3]


def test_joined_tracks_are_numbered_anew_and_none_is_lost():
    first = make(columns(number=np.full(5, 1)))
    second = make(columns(number=np.full(5, 0)))
    table = join([first, second])
    assert table["track_id"].values.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert table["number"].values.tolist() == [0] * 5 + [1] * 5
    assert table["mean_sea_level_pressure"].attrs["units"] == "Pa"


def test_no_tracks_are_a_table_too():
    empty = make({name: np.asarray(own)[:0] for name, own in columns().items()})
    assert list(each(empty)) == []
    assert join([empty, make(columns())]).sizes["record"] == 5
    assert len(to_frame(empty)) == 0


def test_a_frame_has_a_row_for_each_record():
    frame = to_frame(make(columns()))
    assert list(frame.columns) == list(columns())
    assert len(frame) == 5


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"time": np.where(np.arange(5) == 1, np.datetime64("NaT"), hours(6, 12, 0, 0, 6))}, "NaT"),
        ({"time": np.arange(5)}, "datetime64"),
        ({"latitude": [91.0, 0, 0, 0, 0]}, "latitude 91"),
        ({"latitude": [0.0, 0]}, "differ in length"),
        ({"time": hours(0, 0, 0, 6, 12)}, "two records"),
        ({"track_id": [0.6, 1, 0.6, 1, 1]}, "track_id of tracks has 0.6, no whole number; number names by"),
        ({"track_id": [np.nan, 1, 2, 3, 4]}, "track_id of tracks has nan, no whole number"),
        ({"track_id": ["AL01"] * 5}, "track_id of tracks has what is no number: .*'AL01'.*pandas.factorize"),
        ({"number": ["a", "b", "a", "b", "b"]}, "number of tracks has what is no number"),
        ({"latitude": ["20N", "0", "0", "0", "0"]}, "latitude of tracks has what is no number: .*'20N'.*such as -30.5"),
        ({"number": [0, 1, 0, 0, 0]}, "several init times or members"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(changed, told):
    with pytest.raises(UserError, match=told) as refusal:
        make(columns(**changed))
    assert "\n" not in str(refusal.value)


def test_tracks_without_times_are_refused():
    with pytest.raises(UserError, match="without time"):
        make({name: own for name, own in columns().items() if name != "time"})
    with pytest.raises(UserError, match="without time"):
        check(make(columns()).drop_vars("time"))


def test_ids_that_are_no_whole_numbers_are_no_table():
    table = make(columns())
    with pytest.raises(UserError, match="track_id of tracks is float64, not int64"):
        check(table.assign(track_id=table["track_id"] * 1.0))


def test_units_that_differ_do_not_mix():
    tables = [make(columns(depth=np.ones(5)), {"depth": unit}) for unit in ("hPa", "Pa", "")]
    with pytest.raises(UserError, match="depth of tracks is in hPa in one table and in Pa in another"):
        join(tables[:2])
    with pytest.raises(UserError, match="depth of tracks is in Pa in one table and in no units in another"):
        join(tables[1:])


def test_what_all_tables_tell_is_told_of_them_together():
    first = make(columns()).assign_attrs(agency="usa", left_out="1 record", bounds=np.arange(2))
    second = make(columns()).assign_attrs(agency="usa", left_out="2 records", bounds=np.arange(2))
    attributes = join([first, make(columns()).isel(record=slice(0)), second]).attrs
    assert sorted(attributes) == ["agency", "bounds", "featureType"]
    assert attributes["agency"] == "usa"


def test_an_unsorted_table_is_refused():
    with pytest.raises(UserError, match="not sorted"):
        check(make(columns()).isel(record=slice(None, None, -1)))


def test_tables_with_and_without_members_do_not_mix():
    with pytest.raises(UserError, match="number"):
        join([make(columns()), make(columns(number=np.zeros(5)))])


def test_fields_are_not_taken_for_tracks():
    with pytest.raises(UserError, match="tracks without"):
        check(xr.Dataset({"msl": ("time", [1.0])}))


def test_columns_by_names_of_others_are_hinted_at(caplog):
    columns = {"track_id": [0, 0], "time": pd.to_datetime(["2020-01-01", "2020-01-02"]), "mslp": [99000.0, 98000.0]}
    with pytest.raises(UserError, match=r"tracks without latitude and longitude; .*\(lat is latitude: rename\)"):
        make({**columns, "lat": [1.0, 2.0]})
    with caplog.at_level("WARNING"):
        table = make({**columns, "latitude": [1.0, 2.0], "longitude": [3.0, 4.0]})
    assert "column mslp of tracks is kept and not known as mean_sea_level_pressure; rename it, in Pa" in caplog.text
    assert table["mslp"].values.tolist() == [99000, 98000]

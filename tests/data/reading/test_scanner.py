"""Files that differ in their times alone: the third is told by the first two, and as opening it would tell it."""

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr

from weatherml.data.reading.file_index.entry import FileEntry, FileToRead
from weatherml.data.reading.file_index.scanner import Scanner
from weatherml.data.reading.formats.headers import read_headers, read_headers_by_eccodes
from weatherml.data.reading.formats.messages import MessageTable

RAW = layouts.raw(layouts.truth(n_times=2, n_lat=4, n_lon=6))
N_FILES = 4


def on_day(number, dataset=RAW):
    """The truth, some days later, with other values."""
    later = dataset.assign_coords(time=dataset["time"] + np.timedelta64(13 * number, "D"))
    changed = later.assign({name: field + 0.01 * number for name, field in later.data_vars.items()})
    return later.assign({name: field.assign_attrs(later[name].attrs) for name, field in changed.data_vars.items()})


def preliminary(dataset):
    return dataset.assign_coords(expver=("time", ["0005"] * 2))


def with_bounds(dataset):
    bounds = np.stack([dataset["time"].values, dataset["time"].values + np.timedelta64(1, "h")], axis=1)
    return dataset.assign(time_bnds=(("time", "nv"), bounds))


def with_static(dataset):
    number = int(dataset["time"].values[0].astype("datetime64[D]").astype(int))
    mask = np.full((4, 6), number % 2, np.float32)
    return dataset.assign(lsm=(("latitude", "longitude"), mask, {"units": "1"}))


def with_greenwich_twice(dataset):
    east = dataset.isel(longitude=[0]).assign_coords(longitude=[360.0])
    return xr.concat([dataset, east], "longitude", data_vars="minimal")


def in_own_hours(dataset, path):
    units = f"hours since {str(dataset['time'].values[0])[:10]}"
    dataset.to_netcdf(path, encoding={"time": {"units": units, "dtype": "int32"}})


def in_float_days(dataset, path):
    dataset.to_netcdf(path, encoding={"time": {"units": "days since 1900-01-01", "dtype": "float32"}})


def grib_1(dataset, path):
    layouts.write_grib(dataset, path, edition=1)


def grib_2(dataset, path):
    layouts.write_grib(dataset, path, edition=2)


def as_netcdf(change):
    return lambda dataset, path: change(dataset).to_netcdf(path)


ALIKE = {
    "plain": as_netcdf(lambda dataset: dataset),
    "new CDS": as_netcdf(layouts.new_cds),
    "old CDS, packed apart": layouts.write_old_cds,
    "south first": as_netcdf(layouts.south_first),
    "hours of its own": in_own_hours,
    "GRIB 1": grib_1,
    "GRIB 2": grib_2,
}
OPENED = {
    "preliminary": as_netcdf(lambda dataset: preliminary(dataset)),
    "bounds": as_netcdf(with_bounds),
    "without time": as_netcdf(with_static),
    "Greenwich twice": as_netcdf(with_greenwich_twice),
    "days as float32": in_float_days,
}


def written(folder, write):
    for number in range(N_FILES):
        write(on_day(number), folder / f"{number}.data")
    return [FileToRead(folder / f"{number}.data", {}) for number in range(N_FILES)]


@pytest.mark.parametrize("kind", [*ALIKE, *OPENED])
def test_a_file_is_told_as_opening_it_tells_it(kind, tmp_path, monkeypatch):
    files = written(tmp_path, (ALIKE | OPENED)[kind])
    expected = [FileEntry.scan(file) for file in files]
    opened, really = [], FileEntry.scan
    monkeypatch.setattr(FileEntry, "scan", lambda file, wanted=None: opened.append(file) or really(file, wanted))
    scanner = Scanner()
    assert [scanner.scan(file) for file in files] == expected
    assert opened == (files[:2] if kind in ALIKE else files)


@pytest.mark.parametrize("change", ["units", "grid", "name", "hour"])
def test_a_file_that_differs_in_more_is_opened(change, tmp_path):
    files = written(tmp_path, ALIKE["plain"])
    other = on_day(3)
    if change == "units":
        other["msl"] = (other["msl"] / 100).assign_attrs(units="hPa")
    elif change == "grid":
        other = layouts.south_first(other)
    elif change == "name":
        other = other.rename(msl="sp")
    else:
        other = other.assign_coords(time=other["time"] + [np.timedelta64(0, "h"), np.timedelta64(1, "h")])
    other.to_netcdf(files[3].path)
    scanner = Scanner()
    assert [scanner.scan(file) for file in files][3] == FileEntry.scan(files[3])


@pytest.mark.parametrize("edition", [1, 2])
def test_headers_are_as_eccodes_tells_them(edition, tmp_path):
    """Across the end of a month, a year and a century, and of sums, whose headers tell the end of their period."""
    keys = ("dataDate", "dataTime", "endStep", "level:float", "marsClass", "paramId", "stepRange", "valid_time")
    period = {"stepType": "accum", "shortName": "tp"}
    messages = [
        (RAW["t2m"].isel(time=[0]).assign_coords(time=[np.datetime64(time, "ns")])[0], told)
        for time in ("1999-12-31T18", "2000-01-01T06", "2024-02-29", "1948-03-01")
        for told in ({"shortName": "2t"}, {**period, "stepRange": "0-1"}, {**period, "stepRange": "6-30"})
    ]
    layouts.write_messages(tmp_path / "fields.grib", messages, edition)
    told = list(read_headers(tmp_path / "fields.grib", keys))
    assert told == list(read_headers_by_eccodes(tmp_path / "fields.grib", keys))
    assert len({header for _, header in told}) == len(messages)


def test_headers_alike_are_not_read_by_eccodes_again(tmp_path, monkeypatch):
    grib_2(RAW, tmp_path / "one.grib")
    grib_2(on_day(1), tmp_path / "two.grib")
    MessageTable.scan(tmp_path / "one.grib", ("valid_time",))
    import eccodes

    monkeypatch.setattr(eccodes, "codes_grib_new_from_file", lambda *_, **__: pytest.fail("a header was read again"))
    table = MessageTable.scan(tmp_path / "two.grib", ("valid_time",))
    days = {header[table.keys.index("dataDate")] for header in table.headers}
    assert days == {20170216}

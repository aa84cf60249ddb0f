"""What a check must find, by values and not by labels, and what it must not cry about."""

import re

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr
from fake_data import analyses
from red_weather import red_weather

from weatherml.data.notes import LAYOUT, PRELIMINARY
from weatherml.data.quality.check import Finding, check_dataset
from weatherml.data.quality.rules.fields import by_variable
from weatherml.data.quality.subjects import called_alike
from weatherml.data.reading.opening import open_files
from weatherml.grid import LatLonGrid
from weatherml.state import Channel

TRUTH = layouts.truth()
SINGLE = TRUTH.isel(time=[0])


def findings(dataset):
    """Return what is found; what cannot be told of so few fields is asked for elsewhere."""
    return check_dataset(dataset, ignore=["undecidable"])


def texts(dataset, severity=None):
    return [f"{f.severity}: {f.subject}: {f.message}" for f in findings(dataset) if severity in (None, f.severity)]


def flipped(dataset):
    """Fields from south to north under labels from north to south."""
    return dataset.isel(latitude=slice(None, None, -1)).assign_coords(latitude=dataset["latitude"])


def shifted(dataset):
    """Fields from 180 west under labels from 0."""
    return dataset.roll(longitude=dataset.sizes["longitude"] // 2)


def test_sound_data_have_no_findings():
    assert texts(TRUTH) == []


def test_findings_come_errors_first():
    dataset = (TRUTH - 273.15).assign_attrs({LAYOUT: ["reversed"], PRELIMINARY: ["expver 5"]})
    ranks = [("error", "warning", "note").index(f.severity) for f in check_dataset(dataset)]
    assert ranks == sorted(ranks) and set(ranks) == {0, 1, 2}


def test_what_was_put_right_on_opening_is_a_note():
    dataset = TRUTH.assign_attrs({LAYOUT: ["latitudes ran south to north: reversed"]})
    assert findings(dataset) == [Finding("note", "layout", "latitudes ran south to north: reversed", "put-right")]


def test_preliminary_data_are_a_warning():
    dataset = TRUTH.assign_attrs({PRELIMINARY: ["preliminary ERA5T"]})
    assert texts(dataset) == ["warning: time: preliminary ERA5T"]


# ---- Units


@pytest.mark.parametrize(
    ("name", "wrong", "hint"),
    [
        ("2m_temperature", lambda x: x - 273.15, "it looks like degrees Celsius"),
        ("mean_sea_level_pressure", lambda x: x / 100, "it looks like hPa"),
        ("temperature", lambda x: x - 273.15, "it looks like degrees Celsius"),
        ("geopotential", lambda x: x / 9.80665, "it looks like height in m"),
    ],
)
def test_wrong_units_are_found_by_values_and_named(name, wrong, hint):
    found = texts(TRUTH.assign({name: wrong(TRUTH[name])}), "error")
    assert found and all(f.startswith(f"error: {name}") for f in found)
    assert hint in found[0]


def test_a_single_absurd_value_is_found():
    field = TRUTH["2m_temperature"].copy(deep=True)
    field[2, 3, 4] = 9.0e9
    assert any("9e+09" in t for t in texts(TRUTH.assign({"2m_temperature": field}), "error"))


# ---- Orientation and order


@pytest.mark.parametrize("name", ["mean_sea_level_pressure", "geopotential"])
def test_flipped_latitudes_are_found_by_values(name):
    assert any("latitudes look flipped" in t for t in texts(flipped(TRUTH[[name]]), "error"))


def test_latitudes_rolled_by_half_are_found_by_values():
    rolled = TRUTH[["2m_temperature"]].roll(latitude=TRUTH.sizes["latitude"] // 2)
    assert any("rows are not where the labels say" in t for t in texts(rolled, "error"))


def test_an_inversion_over_a_region_is_weather():
    region = TRUTH[["temperature"]].sel(latitude=slice(70, 50), longitude=slice(90, 140))
    inverted = region.isel(level=[2, 1, 0]).assign_coords(level=TRUTH["level"])
    assert texts(inverted, "error") == []


@pytest.mark.parametrize("name", ["temperature", "geopotential"])
def test_levels_labelled_in_reverse_are_found_by_values(name):
    field = TRUTH[[name]].isel(level=[2, 1, 0]).assign_coords(level=TRUTH["level"])
    assert any("labelled in reverse" in t for t in texts(field, "error"))


def test_two_swapped_levels_are_found_by_values():
    field = TRUTH[["geopotential"]].isel(level=[0, 2, 1]).assign_coords(level=TRUTH["level"])
    assert any("levels are labelled wrongly: it must fall from 500 to 850 hPa" in t for t in texts(field, "error"))


def test_labels_out_of_order_are_errors():
    assert any("north to south" in t for t in texts(layouts.south_first(TRUTH), "error"))
    assert any("must ascend in hPa" in t for t in texts(layouts.ground_first(TRUTH), "error"))
    assert any("not in the order" in t for t in texts(TRUTH.transpose("longitude", ...), "error"))


# ---- Times


def test_gaps_are_counted():
    text = "warning: time: 1 gap in the 6 h step, 2 times missing, the first after 2017-02-03T12"
    assert texts(layouts.truth(8).isel(time=[0, 1, 2, 5, 6, 7])) == [text]


def test_irregular_times_are_told_from_gaps():
    dataset = TRUTH.assign_coords(time=TRUTH["time"] + np.array([0, 0, 0, 1], "timedelta64[h]"))
    assert "irregular: 1 of 3 steps are not the usual 6 h" in texts(dataset)[0]


def test_repeated_times_are_an_error():
    assert "2017-02-03T06 comes out of turn" in texts(TRUTH.isel(time=[0, 1, 1, 2]), "error")[0]


def test_no_time_is_a_warning_but_not_for_static_fields():
    assert texts(TRUTH[["2m_temperature"]].isel(time=0, drop=True))[0].startswith("warning: time: there is none")
    mask = ((TRUTH["latitude"] < -60) | (TRUTH["longitude"] < 100)).astype(np.float32).rename("land_sea_mask")
    assert texts(mask.to_dataset()) == []


# ---- Missing values


def missing(where):
    return TRUTH.assign({"2m_temperature": TRUTH["2m_temperature"].where(~where)})


def test_a_constant_mask_is_a_note():
    land = TRUTH["longitude"] < 100
    assert texts(missing(land)) == ["note: 2m_temperature: mask: 27.8% of the cells never have a value"]


def test_cells_missing_at_some_times_are_an_error():
    hole = (TRUTH["longitude"] < 20) & (TRUTH["time"] == TRUTH["time"][1])
    assert texts(missing(hole)) == [
        "error: 2m_temperature: 38 of 684 cells are finite at some times only, the first missing at 2017-02-03T06;"
        " fill or mask them"
    ]


def test_a_time_without_values_is_an_error_beside_a_mask():
    land = TRUTH["longitude"] < 100
    empty = TRUTH["time"] == TRUTH["time"][2]
    assert texts(missing(land | empty)) == [
        "error: 2m_temperature: no finite value at 1 of 4 times, the first 2017-02-03T12; leave these times out,"
        " or read their files again",
        "note: 2m_temperature: mask: 27.8% of the cells never have a value",
    ]


def test_infinite_values_count_as_missing():
    field = TRUTH["2m_temperature"].copy(deep=True)
    field[1, 5, 7] = np.inf
    assert "1 of 684 cells" in texts(TRUTH.assign({"2m_temperature": field}), "error")[0]


def test_a_variable_without_any_value_is_an_error():
    assert "no finite value at all" in texts(missing(TRUTH["longitude"] >= 0), "error")[0]


def test_a_level_that_only_others_have_is_a_note():
    ragged = TRUTH.assign(temperature=TRUTH["temperature"].where(TRUTH["level"] != 300))
    assert texts(ragged) == ["note: temperature_300: this level has no values; other variables or levels have"]


# ---- Grid


def test_a_region_is_a_note():
    text = "note: grid: regional: latitude 20 .. 50, longitude 30 .. 80"
    assert texts(TRUTH.sel(latitude=slice(50, 20), longitude=slice(30, 80))) == [text]


def test_a_region_across_the_meridian_is_in_one_piece():
    region = TRUTH.sel(latitude=slice(50, 20)).isel(longitude=[0, 1, 2, 34, 35])
    assert texts(region, "note") == ["note: grid: regional: latitude 20 .. 50, longitude -20 .. 20"]


def test_a_column_that_is_missing_is_noted():
    region = TRUTH.sel(latitude=slice(50, 20)).isel(longitude=[0, 1, 3, 4, 35])
    assert any("not contiguous: some are missing after longitude 10" in t for t in texts(region, "note"))


# ---- Real files: nothing false, and what can be found is found


def real(shared, name):
    return open_files(shared(f"reanalysis/{name}")).load()


SOUND = {
    "era5_msl_0p25deg_20251201.nc": (True, True),
    "era5_t2m_0p25deg_20170101T12_south_first_lon180.nc": (True, True),
    "era5_t2m_0p25deg_20221001.grib": (True, True),
    "era_tz_850_500_1deg_20070101.nc": (True, False),
    "era5_eda_zt_850_500_3deg_20170101.grib": (True, False),
    "erainterim_sst_daily_2p5deg_2012.nc": (True, True),
    "erainterim_t2m_dailymax_2p5deg_2015.nc": (True, True),
    "erainterim_t_37levels_1p5deg_20050123_old_cds_layout.nc": (True, False),
    "erainterim_u_37levels_1p5deg_20050123_old_cds_layout.nc": (True, False),
    "erainterim_v_37levels_1p5deg_20050123_old_cds_layout.nc": (False, False),
}
"""Whether a flip and a shift show in the values: what the check can see, and what it honestly cannot."""


@pytest.mark.parametrize("name", SOUND)
def test_real_files_are_sound_and_their_mistakes_show_where_they_can(shared, name):
    dataset = real(shared, name)
    can_flip, can_shift = SOUND[name]
    assert texts(dataset, "error") == []
    assert any("latitudes look flipped" in t for t in texts(flipped(dataset), "error")) == can_flip
    assert any("longitudes look shifted" in t for t in texts(shifted(dataset), "error")) == can_shift


def test_37_levels_labelled_in_reverse_are_found(shared):
    name = "erainterim_t_37levels_1p5deg_20050123_old_cds_layout.nc"
    dataset = real(shared, name)
    reverse = dataset.isel(level=slice(None, None, -1)).assign_coords(level=dataset["level"])
    assert any("level" in t for t in texts(reverse, "error"))


def test_static_fields_give_a_flip_and_a_shift_away(shared):
    orography = np.load(shared("reference/statics/era5_surface_geopotential_0p25deg_721x1440.npy"))
    grid = LatLonGrid.regular(721, 1440)
    coords = {"latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
    static = xr.Dataset({"geopotential_at_surface": (("latitude", "longitude"), orography)}, coords)
    static = static.merge(open_files(shared("reference/statics/era5_land_sea_mask_0p25deg.nc")).load())
    assert texts(static, "error") == []
    for mistake, words in ((flipped, "flipped"), (shifted, "shifted")):
        assert {t.split(": ")[1] for t in texts(mistake(static), "error") if words in t} == set(static.data_vars)


def test_the_daily_mask_of_the_sea_is_no_error(shared):
    dataset = real(shared, "erainterim_sst_daily_2p5deg_2012.nc")
    assert any("mask: 34.0%" in t for t in texts(dataset, "note"))


def test_regional_preliminary_data_are_told_so(shared):
    found = texts(real(shared, "era5t_u10v10_regional_20251104_new_cds_layout.nc"))
    assert any(t.startswith("warning: time: preliminary") for t in found)
    assert any("regional" in t for t in found)


@pytest.mark.parametrize(("days", "is_found"), [(1, False), (20, True)])
def test_northern_westerlies_may_be_the_stronger_ones_for_a_day(days, is_found):
    """By 6 m s-1, as on a planet without seasons."""
    wind = analyses({"u_component_of_wind": (850,)}, days, "24h", grid=LatLonGrid.regular(37, 72))
    wind["u_component_of_wind"].values[:] += 6 * (wind["latitude"].values > 40)[:, None]
    assert any("latitudes look flipped" in t for t in texts(wind, "error")) == is_found


# ---- What findings are about


def test_subjects_are_channels_or_a_variable_for_all_of_its_levels():
    """Whichever rule speaks: of labels, of units, of lost fields."""
    warm = red_weather({"temperature": (300, 500)}, times=30)
    warm["temperature"].values[3, 1] = 0
    warm["temperature"].values[:, 0] += 1e3
    found = {(f.rule, f.subject) for f in check_dataset(warm)}
    assert {("constant", "temperature_500"), ("level-order", "temperature")} <= found
    warm["temperature"].attrs["units"] = "m"
    for levels, subject in (([300, 500], "temperature"), ([300], "temperature_300")):
        (units,) = [f for f in check_dataset(warm.sel(level=levels)) if f.rule == "units"]
        assert units.subject == subject


@pytest.mark.parametrize(
    ("subject", "called"),
    [
        ("temperature_300, temperature_500", "temperature"),
        ("geopotential", "geopotential_500"),
        ("geopotential, temperature_500", "geopotential_500, temperature_500"),
        ("time", "time"),
        ("total_precipitation_24hr", "total_precipitation_24hr"),
    ],
)
def test_a_subject_has_one_form(subject, called):
    channels = [Channel("temperature", 300), Channel("temperature", 500), Channel("geopotential", 500)]
    (finding,) = called_alike([Finding("note", subject, "")], [*channels, Channel("total_precipitation_24hr")])
    assert finding.subject == called


def test_names_that_hold_digits_stay_whole_where_levels_are_said_at_once():
    text = {"severity": "error", "message": "the same", "rule": "row-seam"}
    subjects = ["10m_u_component_of_wind", "temperature_300", "temperature_500", "total_precipitation_24hr"]
    findings = (Finding(subject=name, **text) for name in subjects)
    channels = [Channel.parse(name) for name in (*subjects, "temperature_850")]
    told = [finding.subject for finding in by_variable(findings, channels)]
    assert told == ["10m_u_component_of_wind", "temperature_300, temperature_500", "total_precipitation_24hr"]


def test_units_that_are_told_are_found_by_their_label_with_the_remedy():
    warm = TRUTH.copy(deep=True)
    warm["2m_temperature"] = (warm["2m_temperature"] * 9 / 5 - 459.67).assign_attrs(units="degF")
    (finding,) = [f for f in findings(warm) if f.severity == "error"]
    assert (finding.subject, finding.rule) == ("2m_temperature", "units")
    factor, offset = (float(word) for word in re.search(r"\* (\S+) \+ (\S+) does", finding.message).groups())
    mended = (factor * warm["2m_temperature"] + offset).assign_attrs(units="K")
    assert texts(warm.assign({"2m_temperature": mended})) == []

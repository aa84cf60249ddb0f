"""Wind that is exchanged, of the wrong sign or elsewhere than pressure and temperature."""

import numpy as np
import pytest
import xarray as xr

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.place import flow
from weatherml.data.quality.rules.place.untold import untold_places
from weatherml.data.quality.rules.registry import RULES
from weatherml.data.reading.opening import open_files
from weatherml.grid import LatLonGrid

U, V, Z, T = "u_component_of_wind", "v_component_of_wind", "geopotential", "temperature"
RULE_IDS = ("wind-swapped", "wind-sign", "vorticity-sign", "unbalanced")
GRID = LatLonGrid.regular(46, 90, poles=False)


def moved(names, **roll):
    return lambda ds: ds.assign({name: ds[name].roll(roll) for name in names})


def upside_down(*names):
    return lambda ds: ds.assign({name: ds[name].copy(data=ds[name].values[..., ::-1, :]) for name in names or ds})


def mirrored(*names):
    return lambda ds: ds.assign({name: ds[name].copy(data=ds[name].values[..., ::-1]) for name in names or ds})


def with_sign(*names):
    return lambda ds: ds.assign({name: -ds[name] for name in names})


def swapped(ds):
    return ds.assign({U: ds[V], V: ds[U]})


PLANTED = {
    "swapped": (swapped, {"wind-swapped"}),
    "sign of u": (with_sign(U), {"wind-sign"}),
    "sign of v": (with_sign(V), {"wind-sign"}),
    "sign of both": (with_sign(U, V), {"wind-sign"}),
    "wind upside down": (upside_down(U, V), {"wind-sign"}),
    "wind mirrored": (mirrored(U, V), {"wind-sign"}),
    "v upside down": (upside_down(V), {"unbalanced"}),
    "u upside down": (upside_down(U), {"unbalanced"}),
    "u mirrored": (mirrored(U), {"unbalanced"}),
    "u moved": (moved([U], longitude=3), {"unbalanced"}),
}
WITH_MASS = {
    "mass upside down": (upside_down(Z, T), {"unbalanced"}),
    "mass mirrored": (mirrored(Z, T), {"unbalanced"}),
    "mass moved": (moved([Z, T], longitude=3), {"unbalanced"}),
    "mass moved by half": (moved([Z, T], longitude=45), {"unbalanced"}),
}


def findings(dataset):
    evidence = gather(dataset)
    return [finding for rule in RULE_IDS for finding in RULES[rule](evidence)]


def rules_found(dataset):
    return {finding.rule or "?" for finding in findings(dataset)}


def balanced(grid=GRID, seed=0, levels=(300, 500)):
    """Westerlies and waves whose lows are sharper than highs: geopotential, wind and temperature in balance."""
    rng = np.random.default_rng(seed)
    lat, lon = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    waves = np.zeros((2, *grid.shape))
    for wave in range(1, 9):
        phase = rng.uniform(0, 2 * np.pi, (2, 3, 1, 1))
        tilt = np.array([1, 2, 3])[:, None, None] * lat
        waves += np.cos(wave * lon + phase + tilt * rng.choice([-3, -2, 2, 3], (3, 1, 1))).sum(1) / 3
    waves *= np.sin(2 * lat) ** 2
    height = -9000 * np.sin(lat) ** 2 - 900 * np.exp(0.5 * waves)
    scale = np.array([1.6, 1.0])[:, None, None]
    geopotential = np.stack([height * factor + base for factor, base in ((1.6, 9e4), (1.0, 5.4e4))], axis=1)
    u, v = (np.nan_to_num(part) for part in flow.geostrophic(height, grid))
    calm = np.abs(np.sin(lat)) / (np.abs(np.sin(lat)) + 0.05)
    thickness = (geopotential[:, 0] - geopotential[:, 1]) / (287.05 * np.log(500 / 300))
    fields = {
        Z: geopotential,
        T: np.stack([thickness - 12, thickness + 12], axis=1),
        U: np.stack([u, u], axis=1) * scale * calm,
        V: np.stack([v, v], axis=1) * scale * calm,
    }
    coords = {
        "time": np.array(["2001-01-01", "2001-01-02"], "datetime64[ns]"),
        "level": np.array(levels, np.int32),
        "latitude": np.asarray(grid.latitude),
        "longitude": np.asarray(grid.longitude),
    }
    return xr.Dataset({name: (tuple(coords), field.astype(np.float32)) for name, field in fields.items()}, coords)


@pytest.fixture(scope="module")
def reanalysis(shared):
    names = [f"erainterim_{name}_37levels_1p5deg_20050123_old_cds_layout.nc" for name in "tuv"]
    dataset = xr.merge([open_files(shared(f"reanalysis/{name}")) for name in names])
    return dataset.sel(level=[250, 500, 850, 1000]).load()


def test_sound_wind_has_no_findings():
    assert findings(balanced()) == []
    assert findings(balanced()[[U, V]]) == []


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_wrong_with_wind_alone_is_found(planted):
    plant, expected = PLANTED[planted]
    assert rules_found(plant(balanced()[[U, V]])) == expected


@pytest.mark.parametrize("planted", WITH_MASS)
def test_wind_that_is_elsewhere_than_geopotential_and_temperature_is_found(planted):
    plant, expected = WITH_MASS[planted]
    for others in ([Z], [T]):
        names = [U, V, *others]
        assert rules_found(plant(balanced())[names]) == expected, others


def test_wind_on_real_levels_has_no_findings(reanalysis):
    assert findings(reanalysis) == []
    assert findings(reanalysis[[U]]) == findings(reanalysis[[V]]) == []


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_wrong_with_real_wind_is_found(reanalysis, planted):
    plant, expected = PLANTED[planted]
    assert rules_found(plant(reanalysis[[U, V]])) == expected


@pytest.mark.parametrize("plant", [upside_down(T), moved([T], longitude=7), mirrored(T)])
def test_real_temperature_that_is_elsewhere_than_the_shear_is_found(reanalysis, plant):
    (finding,) = findings(plant(reanalysis))
    assert (finding.subject, finding.rule) == ("temperature", "unbalanced")


def test_the_sign_of_eastward_wind_tells_alone_aloft(reanalysis):
    (finding,) = findings(-reanalysis[[U]])
    assert finding.subject == U and "westerlies" in finding.message and f"-ds['{U}']" in finding.message


def test_a_wrong_component_is_named_by_westerlies(reanalysis):
    assert [f.subject for f in findings(with_sign(U)(reanalysis))] == [U]
    assert [f.subject for f in findings(with_sign(V)(reanalysis))] == [f"{U}, {V}"]


def test_pressure_and_vorticity_of_one_winter_belong_together(shared):
    names = ("era5_msl_2025-2026_djf_2.5x2.5.zarr", "era5_vo850_2025-2026_djf_2.5x2.5.zarr")
    winter = xr.merge([open_files(shared(f"reanalysis/{name}")) for name in names]).sel(time="2026-02-11").load()
    assert findings(winter) == []
    assert rules_found(upside_down()(winter)) == {"vorticity-sign", "unbalanced"}
    assert rules_found(upside_down("mean_sea_level_pressure")(winter)) == {"unbalanced"}
    (finding,) = findings(moved(["vorticity"], longitude=4)(winter))
    assert finding.subject == "mean_sea_level_pressure" and "moved 10 degrees east" in finding.message


def test_the_ground_tells_a_wrong_sign_of_vorticity_from_reversed_rows(shared):
    """A short mean of weather, in which nothing stands still, leaves both open."""
    winter = open_files(shared("reanalysis/era5_vo850_2025-2026_djf_2.5x2.5.zarr")).isel(time=slice(0, 180, 4)).load()
    evidence = gather(with_sign("vorticity")(winter))
    (finding,) = RULES["vorticity-sign"](evidence)
    assert (
        "has the wrong sign" in finding.message
        and "change it: -ds['vorticity'] ('vorticity' is 'vo' in" in finding.message
    )
    assert not any("vorticity" in note.message for note in untold_places(evidence))
    assert "reverse the rows" in findings(upside_down("vorticity")(winter.isel(time=[0])))[0].message


def test_a_reference_file_whose_wind_lies_upside_down_is_found(shared):
    """As it is spread, under labels from north to south; turned over, its vorticity is that of the analysis."""
    file = xr.open_dataset(shared("reference/sphere/era5_uv850_2025120100_2.5x2.5.nc")).load()
    wind = file.rename(u=U, v=V).expand_dims(level=np.array([850], np.int32))[[U, V]]
    assert rules_found(wind) == {"wind-sign"}
    assert findings(upside_down()(wind)) == []


def test_wind_over_a_small_region_may_blow_from_anywhere(shared):
    region = open_files(shared("reanalysis/era5t_u10v10_regional_20251104_new_cds_layout.nc")).load()
    assert findings(region) == findings(-region) == []


@pytest.mark.parametrize(("wrong", "names"), [(swapped, (U, V)), (with_sign(U), (U,))])
def test_what_the_file_calls_the_wind_is_said_beside_a_remedy(wrong, names):
    """The remedy names what `open_files` returns, which the user of a file has not seen."""
    called = {U: "ua", V: "va"}
    dataset = wrong(balanced()[[U, V]])
    for name in (U, V):
        dataset[name].attrs["weatherml_source_name"] = called[name]
    (finding,) = findings(dataset)
    told = ", ".join(f"{name!r} is {called[name]!r} in the file" for name in names)
    assert finding.message.endswith(f" ({told})")

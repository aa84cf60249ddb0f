"""The pages on rivers, convection, freezes and calibration: their code runs, and says what they say."""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from docs_page import python_of
from fake_data import analyses, as_forecast, forecasts

sys.path.append(str(Path(__file__).parent / "hazards" / "rivers"))
from planted_rivers import band, fields

from weatherml.extremes import local_quantile
from weatherml.grid import LatLonGrid

T2M = "2m_temperature"


def run(page, **names):
    exec(python_of(page), names)
    return names


def as_member(rivers):
    leads = (rivers["time"] - rivers["time"][0]).values + np.timedelta64(6, "h")
    return rivers.assign_coords(time=leads).rename(time="lead_time").expand_dims(
        init_time=[rivers["time"].values[0]], number=[0]
    )  # fmt: skip


def test_rivers():
    grid = LatLonGrid.regular(37, 72)
    bands = [band(grid, (40, east), 60, 4000, 900) for east in (150, 170, 180, 185)]
    truth, member = fields(grid, *bands), fields(grid, bands[0], *bands[:3])
    weak = fields(grid, *[band(grid, (40, 150), 60, 4000, 900, 50.0 + i) for i in range(40)], start="2001-01-01")
    land = xr.DataArray(
        np.broadcast_to(np.asarray(grid.longitude) >= 200.0, grid.shape).astype(float),
        {"latitude": list(grid.latitude), "longitude": list(grid.longitude)},
    )
    today = truth.isel(time=[2]).assign_coords(time=np.array(["2002-01-03"], "datetime64[ns]"))
    given = {"analyses": weak, "today": today, "truth": truth, "member": member, "land": land}
    made = run("atmospheric_rivers.md", **given, forecast=as_member(truth))
    assert made["table"].sizes["record"] == 1
    assert made["counts"] == {"hits": 1, "misses": 0, "false_alarms": 0} and made["errors"]["timing"].item() == 6
    assert float(made["share"].max()) == 1


def column():
    level = np.array([150, 200, 300, 400, 500, 700, 850, 925, 1000])
    height = 8000 * np.log(1000 / level)
    temperature = np.maximum(302 - 0.0075 * height, 205)
    wind = np.linspace(40, 5, 9)
    profiles = {
        "temperature": temperature,
        "specific_humidity": 0.017 * np.exp(-height / 2200),
        "geopotential": 9.80665 * height,
        "u_component_of_wind": wind,
        "v_component_of_wind": 0 * wind,
    }
    coords = {"level": level, "latitude": [40.0], "longitude": [10.0]}
    wide = {name: (tuple(coords), own[:, None, None].astype(np.float32)) for name, own in profiles.items()}
    return xr.Dataset(wide, coords)


def test_convection_and_freezes():
    place = LatLonGrid((52.5, 48.0), (2.5, 12.5))
    noise = 3 * analyses({T2M: ()}, times=240, start="2001-01-01", grid=place) + np.float32(274)
    cold = noise.isel(time=slice(40, 80)) - np.float32(15)
    cold = cold.assign_coords(time=cold["time"].values)
    forecast = as_forecast(noise, forecasts({T2M: ()}, n_init=2, n_lead=12, grid=place))
    made = run("convection_and_freezes.md", fields=column(), temperatures=noise, cold=cold, forecast=forecast)
    assert (made["energies"]["convective_available_potential_energy"] > 500).all() and made["likely"].all()
    assert made["unusual"].mean() > 0.9 and (made["towns"]["duration"] > 1).all()
    np.testing.assert_allclose(made["errors"]["minimum_error"], 0)


def test_calibrated_probabilities(tmp_path):
    truth = analyses({T2M: ()}, times=400)
    noise = forecasts({T2M: ()}, n_members=5, n_init=60, n_lead=2)
    error = forecasts({T2M: ()}, n_init=60, n_lead=2, seed=9)
    forecast = 0.3 * noise.drop_vars("valid_time") + 0.5 * error + as_forecast(truth, noise)
    threshold = local_quantile(truth, 0.8, ("2001-03", "2001-04"))
    from weatherml.verification import accumulate

    later = forecast.isel(init_time=slice(50, None))
    rng = np.random.default_rng(0)

    def errors(year):
        start = np.datetime64(f"{year}-01-01", "ns") + np.arange(30) * np.timedelta64(10, "D")
        columns = {
            "track_error": 100 * rng.rayleigh(size=60),
            "lead_time": np.tile([24, 48], 30) * np.timedelta64(1, "h").astype("timedelta64[ns]"),
            "init_time": np.repeat(start, 2),
            "storm": np.repeat(np.arange(30), 2),
        }
        return xr.Dataset({name: ("record", own) for name, own in columns.items()})

    made = run(
        "calibrated_probabilities.md",
        forecast=forecast,
        truth=truth,
        threshold=threshold,
        share=(later[T2M] > threshold[T2M]).mean("number"),
        folder=tmp_path,
        later=accumulate(later, truth, "brier", references={"threshold": threshold}),
        errors=errors(2001),
        errors_of_2002=errors(2002),
    )
    brier = made["verdict"]["brier"].sel(channel=T2M)
    assert (brier.sel(issued="isotonic") < brier.sel(issued="raw")).all()
    assert (tmp_path / "calibration.nc").exists()
    assert (made["whole"].dataset["radius"] > made["cone"].dataset["radius"]).all()
    assert (made["covered"] > 0.4).all()

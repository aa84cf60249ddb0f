"""Laws of `info`, `plot` and tables: whatever `convert` writes can be looked at, and nothing is cut or ignored."""

import json
import re

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses
from made_forecasts import made
from test_reduction import draw, reduce
from tiny_experiment import done, refused

from weatherml.cli.printing import fields, tables
from weatherml.cli.printing.scores import _evenly, print_scores
from weatherml.products.convert import convert
from weatherml.products.reading import read_forecast

FORMATS = {"f.nc": "canonical", "f.grib2": "canonical", "f.zarr": "weatherbench2"}


@pytest.fixture(scope="module")
def converted(tiny_run, tmp_path_factory):
    """Return a folder with the tiny run's forecast in every format."""
    folder = tmp_path_factory.mktemp("converted")
    for name, layout in FORMATS.items():
        done("convert", tiny_run.forecast, "--layout", layout, "-o", folder / name)
    return folder


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    """Return a forecast of statistics as NetCDF."""
    path = tmp_path_factory.mktemp("statistics") / "f.nc"
    convert(reduce(draw()), path)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_info_and_plot_read_what_convert_writes(tiny_run, converted, tmp_path, name):
    described = json.loads(done("info", converted / name, "--json"))
    original = json.loads(done("info", tiny_run.forecast, "--json"))
    for key in ("kind", "init times", "lead times", "members", "grid", "failed"):
        assert described[key] == original[key]
    assert name.endswith("grib2") or described["models"] == original["models"]
    picture = tmp_path / "map.png"
    done("plot", converted / name, "--channel", "z500", "--lead", "12h", "--time", "2000-01-12", "-o", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "there is no lead_time 30h" in refused("plot", converted / name, "--channel", "z500", "--lead", "30h")


def test_info_names_the_models_of_a_forecast(tiny_run):
    (model,) = json.loads(done("info", tiny_run.forecast, "--json"))["models"]
    assert model.startswith("fourcastnet, of 'A tiny planet', 6 optimiser steps, data ")
    assert model.split(",")[0] in done("info", tiny_run.forecast)


@pytest.mark.parametrize("options", [(), ("--statistic", "spread"), ("--statistic", "quantile=0.5")])
def test_plot_draws_statistics(statistics, tmp_path, options):
    done("plot", statistics, "--channel", "z500", *options, "-o", tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_plot_refuses_statistics_that_are_not_kept(statistics, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "choose one of quantile=" in refused("plot", statistics, "--channel", "z500", "--statistic", "quantile=0.33")
    assert "no statistic 'mode'; --statistic is one of mean, " in refused(
        "plot", statistics, "--channel", "z500", "--statistic", "mode"
    )
    assert "there are no statistics of mean_sea_level_pressure" in refused("plot", statistics, "--channel", "msl")


@pytest.mark.parametrize("options", [("--lead", "1d"), ("--statistic", "mean"), ("--drop-stopped",)])
def test_plot_of_analyses_refuses_options_of_forecasts(tiny_run, options):
    shown = refused("plot", tiny_run.store, "--channel", "z500", *options)
    assert f"holds analyses, {options[0]} is for forecasts" in shown


def test_plot_of_members_refuses_a_statistic(tiny_run):
    assert "holds members, not statistics" in refused(
        "plot", tiny_run.forecast, "--channel", "z500", "--statistic", "mean"
    )


def test_what_is_at_stations_is_not_scored(tiny_run, tmp_path):
    (tmp_path / "s.csv").write_text("name,latitude,longitude\nOslo,59.9,10.75\nBern,46.9,7.4\n")
    done("convert", tiny_run.forecast, "--stations", tmp_path / "s.csv", "-o", tmp_path / "s.nc")
    message = refused("evaluate", tmp_path / "s.nc", tiny_run.store)
    assert "values at places (dimension 'station'); pass the fields they were taken from" in message


@pytest.fixture(scope="module")
def members_of_analyses(tmp_path_factory):
    """Return analyses of an ensemble, as of ERA5's ten members, as NetCDF."""
    path = tmp_path_factory.mktemp("members") / "eda.nc"
    parts = [analyses({"geopotential": (500,)}, 2, seed=n).expand_dims(number=[n]) for n in range(3)]
    (xr.concat(parts, "number") * 100 + 5e4).to_netcdf(path)
    return path


def test_plot_draws_the_members_of_analyses_or_one_that_is_chosen(members_of_analyses):
    drawn = fields.draw(str(members_of_analyses), fields.Choice("z500"), coastlines=False)
    assert "3 members" in drawn.axes[0].texts[0].get_text() + drawn.axes[0].texts[-1].get_text()
    one = fields.draw(str(members_of_analyses), fields.Choice("z500", member=2), coastlines=False)
    assert "member 2" in one.axes[0].texts[0].get_text()


def test_plot_draws_one_member_of_a_forecast(tiny_run):
    one = fields.draw(str(tiny_run.forecast), fields.Choice("z500", member=1), coastlines=False)
    assert "member 1" in one.axes[0].texts[0].get_text()


def test_plot_refuses_members_that_are_not_there(tiny_run, members_of_analyses, statistics):
    shown = refused("plot", members_of_analyses, "--channel", "z500", "--member", "12")
    assert "there is no number 12; the data have 3 from 0 to 2" in shown
    shown = refused("plot", tiny_run.store, "--channel", "z500", "--member", "1")
    assert "has no members, got --member 1; leave it out" in shown
    shown = refused("plot", statistics, "--channel", "z500", "--member", "1")
    assert "holds statistics, --member is for members; leave it out, --statistic chooses" in shown


def test_plot_writes_probabilities_with_the_threshold_as_people_write_it(statistics):
    drawn = fields.draw(str(statistics), fields.Choice("t850", statistic="exceedance=260"), coastlines=False)
    assert drawn.axes[0].get_title("left") == "Probability of 850 hPa temperature above -13.15\N{NO-BREAK SPACE}°C"
    assert "Probability (%)" in (drawn.axes[1].get_xlabel(), drawn.axes[1].get_ylabel())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "is the folder of a run; plot .*data.zarr or .*forecast.zarr"),
        ("statistics.nc", "holds the statistics of channels, which are no maps; plot data.zarr or forecast.zarr"),
        ("scores.nc", "holds scores, which are no maps"),
        ("training/checkpoints/best", "is a model, which has no fields; plot a forecast of it, or see weatherml info"),
    ],
)
def test_plot_says_what_there_is_instead_of_fields(tiny_run, name, words):
    shown = refused("plot", tiny_run.forecast.parent / name, "--channel", "z500")
    assert re.search(words, " ".join(shown.split()))


def test_plot_refuses_stations(tmp_path):
    (tmp_path / "s.csv").write_text("name,latitude,longitude\nOslo,59.9,10.75\n")
    convert(made(("z500",)), tmp_path / "f.zarr")
    done("convert", tmp_path / "f.zarr", "--stations", tmp_path / "s.csv", "-o", tmp_path / "f.nc")
    assert "holds values at stations" in refused("plot", tmp_path / "f.nc", "--channel", "z500")
    assert json.loads(done("info", tmp_path / "f.nc", "--json"))["stations"] == ["Oslo"]


@pytest.mark.parametrize("width", [30, 60, 80, 140])
def test_scores_are_whole_at_any_width_and_say_which_leads_they_leave_out(capsys, monkeypatch, width):
    leads = np.arange(1, 19) * np.timedelta64(6, "h")
    coords = {
        "bound": ["estimate", "lower", "upper"],
        "channel": ["10m_u_component_of_wind", "z500"],
        "lead_time": leads.astype("timedelta64[ns]"),
    }
    values = 1234.5 + np.arange(108.0).reshape(3, 2, 18)
    scores = xr.Dataset({name: (tuple(coords), values) for name in ("rmse", "crps_fair")}, coords)
    monkeypatch.setattr(tables.out, "width", width)
    print_scores(scores.expand_dims(system=["forecast"]).assign_coords(n_members=("system", [20])), {}, as_json=False)
    shown = capsys.readouterr().out
    assert "8 of 18 lead times are shown; --json has them all" in shown
    assert "rmse of the mean of 20 members\n" in shown and "crps_fair of 20 members\n" in shown
    for lead in (0, 2, 5, 7, 10, 12, 15, 17):
        assert f"{0.25 * (lead + 1):g} d" in shown
        for channel in range(2):
            estimate, lower, upper = (f"{values[bound, channel, lead]:.4g}" for bound in range(3))
            assert shown.count(f"{estimate} ({lower} .. {upper})") >= 2
    n_blocks = shown.count("channel")
    assert shown.count("10m_u_component_of_wind [m s-1]  ") == n_blocks
    assert width < 60 or all(len(line) <= width for line in shown.splitlines())


@pytest.mark.parametrize(
    ("n_leads", "shown"),
    [(1, [0]), (8, list(range(8))), (9, [0, 1, 2, 3, 5, 6, 7, 8]), (40, [0, 6, 11, 17, 22, 28, 33, 39])],
)
def test_the_first_and_the_last_lead_are_among_those_that_are_shown(n_leads, shown):
    assert _evenly(n_leads, 8) == shown


def test_a_score_says_what_it_judges(tiny_run, tmp_path):
    done("convert", tiny_run.forecast, "-o", tmp_path / "f.zarr", "--channels", "t850")
    words = ("evaluate", tmp_path / "f.zarr", tiny_run.store, "--metric", "rmse", "--metric", "crps_fair")
    assert done(*words).splitlines()[0] == "rmse of the mean of 3 members"
    convert(read_forecast(tmp_path / "f.zarr").isel(number=[1]), tmp_path / "one.nc")
    shown = done(words[0], tmp_path / "one.nc", *words[2:])
    assert "rmse\n" in shown and "crps_fair of one member, whose mae it is\n" in shown
    told = json.loads(done(*words, "--json"))
    assert told["members"] == 3 and told["judged"]["rmse"] == "of the mean of 3 members"

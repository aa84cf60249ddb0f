"""The verb that judges several systems: what they are called, what they must beat, and what is written."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts
from tiny_experiment import done, refused

from weatherml.cli.systems import named
from weatherml.verification import evaluate_systems
from weatherml.verification.aggregation.regions import Region
from weatherml.verification.cards import cards_in

SURFACE = {"2m_temperature": ()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of a truth and of forecasts: one deterministic, one of members, one of other times."""
    folder = tmp_path_factory.mktemp("systems")
    analyses(SURFACE, times=60).to_netcdf(folder / "truth.nc")
    forecasts(SURFACE, n_init=12, init_step="6h", seed=1).to_netcdf(folder / "new.nc")
    forecasts(SURFACE, n_init=12, init_step="6h", n_members=5, seed=2).to_netcdf(folder / "old.nc")
    forecasts(SURFACE, start="2001-02-01").to_netcdf(folder / "late.nc")
    return folder


def words(folder, *others):
    return ("evaluate", folder / "new.nc", folder / "old.nc", folder / "truth.nc", *others)


@pytest.mark.parametrize("first", [("--metric", "rmse"), ("--metric=rmse",)])
def test_an_option_takes_all_words_up_to_the_next(folder, first):
    told = json.loads(done(*words(folder, *first, "mae", "--against", "persistence", "old", "--scorecard", "--json")))
    assert told["system"] == ["new", "old", "persistence"]
    assert list(told["scores"]) == ["rmse", "mae"]


def test_words_before_the_truth_are_forecasts(folder):
    told = json.loads(done("evaluate", "--metric", "mae", folder / "new.nc", "--json", folder / "truth.nc"))
    assert list(told["scores"]) == ["mae"] and "system" not in told


def test_numbers_printed_and_written_are_those_of_the_function(folder, tmp_path):
    page, scores, table = (tmp_path / f"out.{ending}" for ending in ("html", "nc", "csv"))
    asked = ("--metric", "rmse", "--region", "tropics", "--name", "a", "b", "-o", page, scores, table)
    printed = done(*words(folder, *asked, "--against", "b", "--scorecard"))
    truth = xr.load_dataset(folder / "truth.nc")
    systems = {"a": xr.open_dataset(folder / "new.nc"), "b": xr.open_dataset(folder / "old.nc")}
    expected = evaluate_systems(systems, truth, "rmse", regions=["tropics"])["rmse"]
    written = xr.load_dataset(scores, decode_timedelta=True)
    np.testing.assert_array_equal(written["rmse"].transpose(*expected.dims), expected)
    assert written["card_difference"].sizes["compared"] == 1
    assert (written.attrs["interval"], cards_in(written)["a", "b"].attrs["interval"]) == ("circular", "ar2")
    rows = list(csv.DictReader(table.open()))
    first = expected.sel(system="a", bound="estimate").isel(lead_time=0).item()
    assert next(float(r["value"]) for r in rows if r["system"] == "a" and r["lead_hours"] == "6.0") == first
    assert f"2m_temperature [K] / a / tropics   {first:.4g}" in printed and "a against b" in printed
    assert "a against b" in page.read_text()


def test_how_many_chance_finds_are_allowed_is_asked(folder):
    asked = ("--metric", "mae", "--against", "old", "--scorecard", "--json", "--false-discovery")
    (card,) = json.loads(done(*words(folder, *asked, "0")))["scorecards"]
    assert not np.any(card["significant"]) and np.any(np.array(card["p_value"], float) < 0.05)


def test_sums_are_kept_for_each_system(folder, tmp_path):
    first = done(*words(folder, "--sums", tmp_path / "sums"))
    assert {path.name for path in (tmp_path / "sums").iterdir()} == {"new", "old"}
    assert done(*words(folder, "--sums", tmp_path / "sums")) == first


def test_shares_are_judged_apart_and_scored_together(folder, tmp_path):
    sums = ("--sums", tmp_path / "sums")
    for share in ("1/2", "0/2"):
        told = done(*words(folder, *sums, "--against", "old", "--share", share))  # compared once all are there
        assert f"share {share} is judged; once all are, leave --share out to score what" in told
    assert len(list((tmp_path / "sums" / "new").glob("*T*.nc"))) == 12
    assert done(*words(folder, *sums)) == done(*words(folder))
    assert "shares meet in a folder; add --sums FOLDER to --share 0/2" in refused(*words(folder, "--share", "0/2"))


def test_groups_of_times_have_rows_of_their_own(folder):
    assert "channel / init_hour" in done("evaluate", folder / "new.nc", folder / "truth.nc", "--by", "init_hour")


def test_what_there_is_to_ask_for_is_listed():
    listed = done("evaluate", "--list")
    assert "fss(radius, threshold=None, unit='km')\n" in listed and "rmse\n" in listed
    assert "35 .. 75 N, -12.5 .. 42.5 E" in listed


def test_which_initial_times_were_judged_is_said(folder, tmp_path):
    xr.load_dataset(folder / "old.nc").isel(init_time=slice(0, 8)).to_netcdf(tmp_path / "short.nc")
    asked = ("evaluate", folder / "new.nc", tmp_path / "short.nc", folder / "truth.nc", "--metric", "mae")
    told = done(*asked, "--interval", "circular(length=2)")
    assert "8 initial times that all have, 2001-01-01T00:00 .. 2001-01-02T18:00; intervals: circular(length=2)" in told
    assert "left out: 4 initial times of new that not all have" in told
    assert "no intervals: too few initial times for circular(length=7)" in done(
        *asked, "--interval", "circular(length=7)"
    )
    own = json.loads(done(*asked, "--against", "persistence", "--scorecard", "--interval", "ar2", "--json"))
    assert (own["n_init_times"], own["interval"]) == (8, "ar2") and "4 initial times of new" in own["left_out"]
    assert own["scorecards"][0]["false_discovery"] == 0.05


def test_what_a_system_does_not_have_is_a_dash_and_what_has_no_value_is_said(folder, tmp_path):
    xr.load_dataset(folder / "old.nc").isel(lead_time=[0]).to_netcdf(tmp_path / "short.nc")
    asked = ("evaluate", folder / "new.nc", tmp_path / "short.nc", folder / "truth.nc")
    assert "\N{EN DASH}" in done(*asked, "--metric", "mae") and "nan" not in done(*asked, "--metric", "mae")
    alone = ("evaluate", folder / "new.nc", folder / "truth.nc", "--region", "europe")
    assert "has no value here" in done(*alone, "--metric", "effective_resolution")


def test_scores_say_their_units(folder, tmp_path):
    scores, table = tmp_path / "out.nc", tmp_path / "out.csv"
    asked = ("--metric", "rmse", "mse", "csi(threshold=0)", "-o", scores, table, tmp_path / "page.html", "--json")
    told = json.loads(done(*words(folder, *asked)))
    assert told["units"] == {"rmse": ["K"], "mse": ["K2"], "csi(threshold=0)": ["1"]}
    assert {name: own.attrs["units"] for name, own in xr.load_dataset(scores).data_vars.items()} == {
        "rmse": "K",
        "mse": "K2",
        "csi(threshold=0)": "1",
    }
    assert {(row["metric"], row["units"]) for row in csv.DictReader(table.open())} >= {("mse", "K2"), ("rmse", "K")}
    assert "(threshold 0 K)" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("paths", "called"),
    [
        (["runs/a.zarr", "b.nc"], ["a", "b"]),
        (["runs/a/forecast.zarr", "runs/b/forecast.zarr"], ["a", "b"]),
        (["gs://bucket/hres.zarr"], ["hres"]),
    ],
)
def test_systems_are_called_by_what_differs_in_their_paths(paths, called):
    assert named(paths, []) == called


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--scorecard"], "--scorecard compares; name a baseline or another forecast with --against"),
        (["--against", "persistance"], "nor is it a forecast (new, old) or baseline ("),
        (["--against", "climatology"], "needs a climatology, got none; pass --climatology RUN/climatology.nc"),
        (["--name", "one"], "2 forecasts have 1 name; name each with --name"),
        (["--name", "one", "one"], "two systems would be called 'one'"),
        (["--by", "year"], "'year' is not one of 'season', 'month'"),
        (["--region", "atlantis"], "unknown region 'atlantis'"),
        (["-o", "scores.txt"], "output scores.txt is neither a page (.html), nor scores (.nc), nor a table (.csv)"),
        (["--reference", "none.csv"], "none.csv is no CSV file of scores"),
        (["--against", "late.nc"], "no init time in common: new has 2001-01-01T00:00"),
        (["--interval", "bayes"], "unknown"),
        (["--against", ""], "a path is empty; name a file or a folder"),
        (["--against", "."], ". is a directory without a zarr store"),
        (["--against", "old"], "--against old names a forecast that is judged anyway; add --scorecard"),
        (
            ["--name", "new", "persistence", "--against", "persistence"],
            "be called 'persistence', as the baseline of",
        ),
        (["--name", "", "old"], "--name '' cannot be the name of a folder"),
        (["--name", "a/b", "old"], "--name 'a/b' cannot be the name of a folder"),
        (
            ["--scorecard", "--interval", "none"],
            "--interval none leaves a scorecard nothing to tell; leave it out, or name",
        ),
        (["--share", "0/2", "--sums", "s", "--json"], "a share has no scores; leave --json to the run without --share"),
        (
            ["--share", "0/2", "--sums", "s", "--by", "season", "--interval", "ar2", "--scorecard"],
            "a share has no scores; leave --by, --interval, --scorecard to the run without --share",
        ),
        (["--share", "0/2", "--sums", "s", "-o", "p.html"], "leave -o p.html to the run without --share"),
        (["--interval", "circular(width=3)"], "takes n_resamples, seed, length"),
        (["--interval", "circular(length=-3)"], "a length is a number of forecasts"),
        (["--interval", "cluster(groups='decade')"], "groups must be 'week' or 'month' or 'season'"),
        (
            ["--against", "persistence_ensemble"],
            "baseline 'persistence_ensemble' cannot be made: the truth has no time",
        ),
        (["--region", "atlantis"], "australia_new_zealand, east_asia, europe"),
        (["--metric", "seeps"], "pass --field dry_probability=FILE"),
        (["--field", "threshold"], "--field threshold must read NAME=FILE, such as threshold=q95.nc"),
        (["--field", "threshold=scores.txt"], "scores.txt cannot be read"),
        (["--region", "alps=43,48,5"], "region 'alps=43,48,5' must read NAME=NORTH,WEST,SOUTH,EAST in degrees"),
        (["--init-times", "2005..2006"], "new.nc has no init time from 2005 to 2006, its own are 2001-01-01T00:00 to"),
        (["--init-times", "June"], "--init-times"),
        (["--metric", "rmes"], "did you mean 'rmse'? See weatherml evaluate --list"),
        (["--metric", "hitrate"], "see weatherml evaluate --list"),
        (["--against", "damped_persistence"], "needs a climatology, got none; pass --climatology RUN/climatology.nc"),
    ],
)
def test_what_cannot_be_judged_is_refused(folder, monkeypatch, options, reason):
    monkeypatch.chdir(folder)
    assert reason in refused(*words(folder, *options))


def test_init_times_regions_and_fields_are_chosen_by_options(folder, tmp_path):
    truth, new = (xr.load_dataset(folder / name, decode_timedelta=True) for name in ("truth.nc", "new.nc"))
    threshold = truth.mean("time")
    threshold.to_netcdf(tmp_path / "mean.nc")
    options = ("--init-times", "2001-01-01T06..2001-01-02", "--region", "box=40,20,-40,200", "--metric", "csi", "rmse")
    words = ("evaluate", folder / "new.nc", folder / "truth.nc", *options, "--field", f"threshold={tmp_path}/mean.nc")
    done(*words, "-o", tmp_path / "scores.nc")
    chosen = new.sel(init_time=slice("2001-01-01T06", "2001-01-02"))
    how = {"regions": {"box": Region(-40, 40, 20, 200)}, "references": {"threshold": threshold}}
    expected = evaluate_systems({"new": chosen}, truth, ["csi", "rmse"], **how)
    written = xr.load_dataset(tmp_path / "scores.nc", decode_timedelta=True)
    for metric in ("csi", "rmse"):
        np.testing.assert_array_equal(written[metric].transpose(*expected[metric].dims), expected[metric])
    assert written.attrs["n_init_times"] == 7


def test_an_output_that_is_there_is_not_replaced(folder, tmp_path):
    (tmp_path / "page.html").write_text("mine")
    assert "pass --overwrite to replace it" in refused(*words(folder, "-o", tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text() == "mine"


@pytest.mark.parametrize("others", [(), ("-o", "scores.csv"), ("-o", "page.html"), ("--sums", "sums")])
def test_times_of_which_none_has_a_truth_are_told(folder, tmp_path, monkeypatch, others):
    monkeypatch.chdir(tmp_path)
    told = refused("evaluate", folder / "late.nc", folder / "truth.nc", "--missing", "count", *others)
    assert "no valid time of the forecast, 2001-02-01T06:00 to" in told and not list(tmp_path.glob("*.*"))


def test_what_is_read_is_never_an_output(folder, tmp_path, monkeypatch):
    """However it is called, and though what is at the output may be replaced."""
    monkeypatch.chdir(tmp_path)
    for name in ("new.nc", "truth.nc", "old.nc"):
        shutil.copy(folder / name, name)
    Path("link.nc").symlink_to("new.nc")
    Path("scores.csv").write_text("system,channel\n")
    xr.load_dataset("truth.nc").to_zarr("truth.zarr")
    verb = ("evaluate", "new.nc")
    for words_of_verb in (
        (*verb, "truth.nc", "--overwrite", "-o", "truth.nc"),
        (*verb, "truth.nc", "--overwrite", "-o", tmp_path / "new.nc"),
        (*verb, "truth.nc", "--overwrite", "-o", "link.nc"),
        ("evaluate", "n*.nc", "truth.nc", "--overwrite", "-o", "new.nc"),
        (*verb, "truth.nc", "--overwrite", "--against", "old.nc", "-o", "old.nc"),
        (*verb, "truth.nc", "--overwrite", "--climatology", "old.nc", "-o", "old.nc"),
        (*verb, "truth.nc", "--overwrite", "--reference", "scores.csv", "-o", "scores.csv"),
        (*verb, "truth.zarr", "--overwrite", "-o", "truth.zarr/page.html"),
        ("plot", "new.nc", "--channel", "t2m", "-o", "new.nc"),
        ("convert", "new.nc", "--overwrite", "-o", "new.nc"),
    ):
        assert "which is read; choose another path" in refused(*words_of_verb)
    assert Path("new.nc").read_bytes() == (folder / "new.nc").read_bytes()


def test_a_baseline_is_judged_on_the_levels_that_forecasts_have(folder, tmp_path):
    levels = {"geopotential": (500, 850), "temperature": (850,)}  # where there is no temperature at 500 hPa
    ragged = forecasts(levels, n_init=3)
    ragged["temperature"] = ragged["temperature"].where(ragged["level"] != 500)
    ragged.to_netcdf(tmp_path / "ragged.nc")
    analyses({"geopotential": (500, 850), "temperature": (500, 850)}, times=40).to_netcdf(tmp_path / "truth.nc")
    told = json.loads(
        done("evaluate", tmp_path / "ragged.nc", tmp_path / "truth.nc", "--against", "persistence", "--json")
    )
    assert sorted(told["channel"]) == ["geopotential_500", "geopotential_850", "temperature_850"]


def test_a_system_is_not_compared_with_itself(folder):
    words = ("evaluate", folder / "new.nc", folder / "truth.nc", "--against", "new", "--scorecard")
    assert "new cannot be compared with itself; name another forecast with --against" in refused(*words)


def test_what_judges_nothing_is_not_counted(folder):
    copy = folder / "old2.nc"
    xr.load_dataset(folder / "old.nc").to_netcdf(copy)
    asked = ("evaluate", copy, *words(folder, "--metric", "mae", "spread", "--against", "old", "--scorecard")[1:])
    told = done(*asked).partition("old2 against old")[2]
    assert "mae" in told and "spread" not in told


def test_an_ensemble_without_a_control_is_told_the_option_of_the_verb(folder, tmp_path):
    xr.load_dataset(folder / "old.nc").isel(number=[1, 2]).to_netcdf(tmp_path / "perturbed.nc")
    message = refused("evaluate", tmp_path / "perturbed.nc", folder / "truth.nc", "--control", "out")
    assert "has no number 0" in message and "pass --control in" in message


def test_one_path_is_no_forecast_with_its_truth(folder):
    assert "needs forecasts and, after them, their truth" in refused("evaluate", folder / "new.nc")


@pytest.mark.parametrize(
    ("twice", "told"),
    [
        (("--init-times", "2001-01-01", "--by", "month", "--init-times=2001-01-02"), "--init-times is given 2 times"),
        (("--field", "threshold=new.nc", "threshold=old.nc"), "--field gives threshold twice"),
        (("--region", "a=10,0,-10,90", "a=20,0,-10,90"), "two regions are called 'a'"),
    ],
)
def test_what_is_told_twice_is_refused(folder, monkeypatch, twice, told):
    monkeypatch.chdir(folder)
    assert told in refused(*words(folder, *twice))


def test_what_there_is_is_listed_for_programs():
    listed = json.loads(done("evaluate", "--list", "--json"))
    assert json.loads(done("evaluate", "--json", "--list")) == listed
    assert listed["metrics"]["csi"] == "threshold=None" and listed["regions"]["tropics"] == "-20 .. 20 N"


def test_names_on_a_page_are_text(folder, tmp_path):
    asked = ("--metric", "rmse", "--name", "<i>a", "<i>b", "--region", "<i>c=50,0,-50,90", "-o", tmp_path / "page.html")
    done(*words(folder, *asked, "--against", "<i>b", "--scorecard"))
    page = (tmp_path / "page.html").read_text()
    assert "&lt;i&gt;c" in page and "<i>a" not in page and "<i>b" not in page and "<i>c" not in page


def test_forecasts_of_other_points_are_compared_where_they_share_a_region(folder, tmp_path):
    new = xr.load_dataset(folder / "new.nc")
    new.where(new["latitude"] > 0).to_netcdf(tmp_path / "north.nc")
    new.where(new["latitude"] > -50).to_netcdf(tmp_path / "most.nc")
    asked = ("evaluate", tmp_path / "north.nc", tmp_path / "most.nc", folder / "truth.nc", "--missing", "count")
    asked = (*asked, "--metric", "rmse", "--against", "most", "--scorecard")
    told = refused(*asked)
    assert "--region part=NORTH,WEST,SOUTH,EAST" in told and "first.where" not in told
    assert "north against most" in done(*asked, "--region", "part=90,0,20,360")

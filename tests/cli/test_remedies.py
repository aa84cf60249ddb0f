"""The law of remedies: what a refusal offers, the verb that refuses has, and Python is offered what Python has."""

import inspect
import re

import pytest
import typer
import xarray as xr
from tiny_experiment import done, refused

from weatherml.cli.app import app
from weatherml.cli.program import spelling_of
from weatherml.errors import REPLACE, Option, UserError
from weatherml.forecast import ForecastConfig
from weatherml.verification import evaluate

VERBS = typer.main.get_command(app).commands


def options_of(verb):
    return {word for parameter in VERBS[verb].params for word in (*parameter.opts, *parameter.secondary_opts)}


def mistakes(run, folder):
    """Yield words that are refused and what must be among the remedies; None where there is no option for it."""
    made, there = ("--init", "2000-01-12", "--lead", "12h"), ("--analysis", run.store)
    forecast = ("forecast", run.checkpoint, *there, *made, "-o")
    calibrate = ("calibrate", run.checkpoint, *there, "--init", "2000-01-09", "-o", folder / "a.yaml")
    tiny = ("demo", run.config, "-o", folder / "run")
    yield (*forecast, folder / "old.zarr"), "--overwrite"
    yield (*forecast, folder / "old.zarr"), "--resume"
    yield (*forecast, run.store), None
    yield (*forecast, folder / "new.zarr", "--members", "3"), "--perturbation spherical"
    yield (*calibrate, "--set", "members=1"), "--set members=10"
    yield (*calibrate, "--set", "perturbation.scale=0"), "--set perturbation.scale=0.1"
    yield ("convert", run.forecast, "-o", folder / "old.nc"), "--overwrite"
    yield ("convert", run.forecast, "-o", run.store), None
    yield ("evaluate", run.forecast, run.store, "--metric", "acc"), "--climatology RUN/climatology.nc"
    yield ("evaluate", run.forecast, folder / "t850.nc"), "--channels temperature_850"
    yield (*tiny, "forecast.perturbation=null"), "forecast.perturbation=spherical"
    yield (*tiny, "training.batch_size=8"), "training.batch_size=7"
    yield (*tiny, "periods.test=[2030-01-01, 2030-02-01]"), None


@pytest.fixture(scope="module")
def folder(tiny_run, tmp_path_factory):
    """Return a folder of what is in the way."""
    folder = tmp_path_factory.mktemp("remedies")
    done("convert", tiny_run.forecast, "-o", folder / "old.nc")
    done("convert", tiny_run.forecast, "-o", folder / "old.zarr")
    xr.open_zarr(tiny_run.store)[["temperature"]].sel(level=[850]).to_netcdf(folder / "t850.nc")
    return folder


@pytest.mark.parametrize("case", range(13))
def test_a_verb_offers_what_it_has_and_what_helps(tiny_run, folder, case):
    words, remedy = list(mistakes(tiny_run, folder))[case]
    message = refused(*words)
    assert set(re.findall(r"--[a-z-]+", message)) <= options_of(words[0])
    assert not re.search(r"\w=['T]|isel|\.sel\(|expand_dims|smaller", message)  # Python's, or no help
    offered = message.split("pass ")[1:]
    assert any(text.startswith(remedy) for text in offered) if remedy else not offered


def test_a_remedy_that_is_followed_helps(tiny_run, folder):
    printed = done("evaluate", tiny_run.forecast, folder / "t850.nc", "--channels", "temperature_850")
    assert "temperature_850" in printed and "geopotential" not in printed


def test_python_is_offered_arguments():
    with pytest.raises(UserError, match=r"would all be the same; pass perturbation='spherical'$"):
        ForecastConfig(members=3).member_numbers()
    assert "climatology" in inspect.signature(evaluate).parameters
    assert str(UserError("it exists", REPLACE)) == "it exists; pass overwrite=True to replace it"


@pytest.mark.parametrize(
    ("verb", "key", "spelt"),
    [
        ("forecast", "overwrite", "--overwrite"),
        ("forecast", "forecast.members", "--members 4"),
        ("forecast", "forecast.lead_time", "--lead 4"),
        ("forecast", "forecast.batch", "--set batch=4"),
        ("forecast", "forecast.perturbation.scale", "--set perturbation.scale=4"),
        ("forecast", "training.batch_size", ""),
        ("calibrate", "forecast.members", "--set members=4"),
        ("demo", "forecast.members", "forecast.members=4"),
        ("demo", "overwrite", ""),
        ("ingest", "grow", "--grow"),
        ("ingest", "refresh", "--refresh 4"),
        ("demo", "grow", ""),
        ("plot", "forecast.batch", ""),
    ],
)
def test_an_option_is_written_as_the_verb_has_it(verb, key, spelt):
    assert spelling_of(VERBS[verb])(Option(key, 4)) == spelt


def test_a_mistake_within_a_configuration_keeps_its_remedies():
    told = UserError("it is none", Option("forecast.members", 2)).within("here: ").told(spelling_of(VERBS["demo"]))
    assert told == "here: it is none; pass forecast.members=2"

"""What may be written where: only forecasts and empty folders give way, and only when told to."""

import os

import pytest
from tiny_forecast import TIMES

from weatherml.errors import UserError
from weatherml.products.store import attributes_of, require_free


def refusal(path, overwrite):
    with pytest.raises(UserError) as caught:
        require_free(path, overwrite)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_exists_stays_unless_it_may_be_replaced(forecaster, analysis, tmp_path):
    path = tmp_path / "forecast.zarr"
    forecaster.forecast(analysis, TIMES[0], "6h", output=path)
    message = refusal(path, overwrite=False)
    assert "overwrite=True" in message and "resume=True" in message
    require_free(path, overwrite=True)
    assert attributes_of(path)["complete"] is True


@pytest.mark.parametrize("what", ["file", "store", "folder"])
def test_what_is_no_forecast_is_never_replaced(analysis, tmp_path, what):
    path = tmp_path / what
    if what == "store":
        analysis.to_zarr(path, consolidated=False)
    elif what == "folder":
        (path / "a life's work").mkdir(parents=True)
    else:
        path.write_text("notes")
    assert "is no forecast, so it is not replaced" in refusal(path, overwrite=True)


def test_an_empty_folder_gives_way_when_told_to(tmp_path):
    (tmp_path / "empty").mkdir()
    refusal(tmp_path / "empty", overwrite=False)
    require_free(tmp_path / "empty", overwrite=True)


def test_folders_that_are_not_there_yet_are_no_obstacle(tmp_path):
    require_free(tmp_path / "new" / "er" / "forecast.zarr", overwrite=False)
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_for_a_forecast(tmp_path):
    (tmp_path / "notes").write_text("")
    assert f"{tmp_path / 'notes'} is a file; choose another path" in refusal(tmp_path / "notes" / "f.zarr", False)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write anywhere
    assert f"{tmp_path} is not writable; choose another path" in refusal(tmp_path / "new" / "f.zarr", False)

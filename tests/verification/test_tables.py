"""Scores as tables: what is written is read again, and what others have published is read."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.verification import evaluate_systems
from weatherml.verification.tables.published import read_published
from weatherml.verification.tables.tidy import tidy, tidy_csv

LIST = """## RMSE (cell 56)
Persistence              z         t        tp       t2m
lead_time
72          936.0  4.25  0.003  3.5
120        1033.5  4.5   0.003  3.25
Weekly clim. <xarray.Dataset>
Dimensions:  ()
Coordinates:
    level    int32 500
Data variables:
    z        float64 815.8
    t2m      float64 3.19
Operational            surface  heightAboveGround  number         t           z  \\
lead_time
72               0                  2       0  1.355  153.0
120              0                  2       0  2.031  334.1

                t2m        tp
lead_time
72         1.352    0.002358
120        1.765    0.002590

## ACC (cell 57)
IFS T42                z     t   t2m
lead_time
72         0.90  0.86  0.87
"""


HEAD = "system,metric,channel,lead_hours,value\n"


@pytest.fixture(scope="module")
def scores():
    systems = {"one": forecasts(n_init=12, seed=1), "two": forecasts({"2m_temperature": ()}, n_init=12, seed=2)}
    return evaluate_systems(systems, analyses(times=60), ["rmse", "bias"], by="valid_hour")


def test_a_tidy_table_has_a_row_for_every_number(scores):
    table = tidy(scores)
    assert len(table) == sum(int(np.isfinite(scores[name]).sum()) for name in ("rmse", "bias"))
    row = table[(table.system == "two") & (table.metric == "bias") & (table.bound == "lower")].iloc[0]
    at = scores["bias"].sel(system="two", bound="lower", channel=row.channel, valid_hour=row.valid_hour)
    assert row.value == at.sel(lead_time=np.timedelta64(int(row.lead_hours), "h"))
    assert list(table.columns[:4]) == ["system", "metric", "channel", "region"] and set(table.region) == {"global"}


def test_a_table_that_was_written_is_read_as_published(scores, tmp_path):
    alone = scores.isel(valid_hour=0, drop=True)
    (tmp_path / "scores.csv").write_bytes(tidy_csv(alone))
    read = read_published(tmp_path / "scores.csv")
    expected = alone["rmse"].sel(bound="estimate", drop=True).drop_vars("n_members")
    xr.testing.assert_allclose(read["rmse"].reindex_like(expected), expected)


def test_the_list_of_weatherbench_is_read(tmp_path):
    (tmp_path / "list.txt").write_text(LIST)
    read = read_published(tmp_path / "list.txt")
    days = read["lead_time"] / np.timedelta64(1, "D")
    assert days.values.tolist() == [3, 5]
    rmse = read["rmse"].sel(channel="geopotential_500")
    assert rmse.sel(system="Persistence").values.tolist() == [936.0, 1033.5]
    assert rmse.sel(system="Weekly clim.").values.tolist() == [815.8, 815.8]  # at every lead
    operational = read["rmse"].sel(system="Operational")
    assert operational.sel(channel="geopotential_500").values.tolist() == [153.0, 334.1]
    assert operational.sel(channel="2m_temperature").values.tolist() == [1.352, 1.765]  # of the lines that go on below
    assert read["acc"].sel(system="IFS T42", channel="temperature_850").values[0] == 0.86
    assert set(read["channel"].values) == {"geopotential_500", "temperature_850", "2m_temperature"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "system,value\nx,1\n", "has no column metric, channel, lead_hours, only system, value"),
        ("a.csv", f"{HEAD}x,rmse,zz500,6,1\n", "unknown variable 'zz'"),
        (
            "a.csv",
            f"{HEAD}x,rmse,t2m,6,1\nx,rmse,t2m,6,2\n",
            "has two values of rmse x",
        ),
        ("a.csv", "", "is no CSV file of scores"),
        ("a.txt", "nothing\n", "holds no scores"),
        ("none.txt", None, "cannot be read"),
    ],
)
def test_what_holds_no_scores_is_refused(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=reason):
        read_published(tmp_path / name)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("", "holds no scores of the globe, only names of columns; give rows of"),
        ("A,rmse,2m_temperature,24,\nA,rmse,2m_temperature,48,nan\n", "holds no scores: all values are NaN or empty"),
        ("A,rmse,2m_temperature,x,1\n", "lead_hours 'x' is no finite number; give rows of"),
        ("A,rmse,2m_temperature,,1\n", "lead_hours 'nan' is no finite number; give rows of"),
        ("A,rmse,2m_temperature,24,1e999\n", "value 'inf' is no finite number; give rows of"),
    ],
)
def test_a_table_without_scores_is_refused_with_what_a_row_is(rows, told, tmp_path):
    path = tmp_path / "others.csv"
    path.write_text("system,metric,channel,lead_hours,value\n" + rows)
    with pytest.raises(UserError) as caught:
        read_published(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)

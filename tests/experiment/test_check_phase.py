"""Laws of the phase `check`: wrong data stop the road, unless what is wrong is known and passed over."""

import pytest
import source_layouts as layouts
from tiny_experiment import CONFIG

from weatherml.config import from_mapping
from weatherml.data.quality.finding import Finding
from weatherml.errors import UserError
from weatherml.experiment import Experiment, ExperimentConfig


@pytest.fixture(scope="module")
def celsius(tmp_path_factory):
    """Returns a folder with a file of 2 m temperature in degrees Celsius that says it is in K."""
    folder = tmp_path_factory.mktemp("celsius")
    field = layouts.truth(44)["2m_temperature"]
    (field - 273.15).assign_attrs(field.attrs).to_netcdf(folder / "t2m.nc")
    return folder


def experiment(folder, **changes):
    periods = {"training": ["2017-02-03", "2017-02-06"], "validation": ["2017-02-07", "2017-02-08"]}
    config = {key: value for key, value in CONFIG.items() if key != "extremes"} | {
        "source": {"name": "files", "paths": [str(folder / "t2m.nc")]},
        "channels": ["t2m"],
        "model": CONFIG["model"] | {"patch": [1, 4]},
        "forecast": {"lead_time": "1d"},
        "periods": periods | {"test": ["2017-02-09", "2017-02-13"]},
        **changes,
    }
    return Experiment(from_mapping(ExperimentConfig, config, "test"), folder / "run")


def test_errors_stop_the_road_and_name_the_rule(celsius):
    with pytest.raises(UserError, match=r"looks like degrees Celsius; .*check.ignore=\[range\]"):
        experiment(celsius).run("check")
    lines = (celsius / "run" / "findings.txt").read_text().splitlines()
    assert any(finding.rule == "range" and finding.severity == "error" for finding in map(Finding.parse, lines))


def test_what_is_ignored_does_not_stop_it_and_the_check_is_done_again(celsius):
    found = {Finding.parse(line).rule for line in (celsius / "run" / "findings.txt").read_text().splitlines()}
    errors = sorted(found - {"undecidable", "region", "mask"})
    own = experiment(celsius, check={"ignore": errors})
    own.run("check")
    assert "range" not in (celsius / "run" / "findings.txt").read_text()


def test_a_rule_that_is_none_is_refused_before_anything_is_done(celsius):
    with pytest.raises(UserError, match="check: no rule is called 'rnge'; did you mean 'range'"):
        experiment(celsius, check={"ignore": ["rnge"]})

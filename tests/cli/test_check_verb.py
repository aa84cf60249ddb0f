"""Laws of `weatherml check`: what it prints, what can be ignored, and its exit codes."""

import json

import pytest
import source_layouts as layouts
from tiny_experiment import done, refused, weatherml

from weatherml.cli.printing.findings import described_rules

KEYS = ["severity", "subject", "message", "rule", "confidence"]


@pytest.fixture(scope="module")
def celsius(tmp_path_factory):
    """Returns a file of 2 m temperature in degrees Celsius that says it is in K."""
    path = tmp_path_factory.mktemp("celsius") / "t2m.nc"
    field = layouts.truth()["2m_temperature"]
    (field - 273.15).assign_attrs(field.attrs).to_netcdf(path)
    return path


def test_errors_end_with_1_and_are_told_with_their_rule(celsius):
    result = weatherml("check", celsius)
    assert result.exit_code == 1
    assert "it looks like degrees Celsius [range]" in result.stdout


def test_json_has_keys_that_stay(celsius):
    findings = json.loads(weatherml("check", celsius, "--json").stdout)
    assert [list(finding) for finding in findings] == [KEYS] * len(findings) and findings
    assert findings[0]["severity"] == "error" and findings[0]["rule"] == "range"


def test_what_is_ignored_is_no_error(celsius):
    assert json.loads(done("check", celsius, "--ignore", "range", "--ignore", "undecidable", "--json")) == []


def test_rules_are_listed():
    assert json.loads(done("check", "--rules", "--json")) == described_rules()
    assert all(f"{name} " in done("check", "--rules") for name in described_rules())


def test_mistakes_are_one_line(celsius):
    assert "no rule is called 'rnge'; did you mean 'range'?" in refused("check", celsius, "--ignore", "rnge")
    assert "check needs paths, or --rules alone" in refused("check")
    assert "check needs paths, or --rules alone" in refused("check", celsius, "--rules")

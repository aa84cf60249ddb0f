"""One error is one finding: a rule that sees only what follows from it is silent where another names the cause."""

import pytest
import source_layouts as layouts
from test_orientation import flipped, real, turned

from weatherml.data.quality.check import check_dataset
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.registry import surest


def found(dataset, ignore=()):
    return [finding.rule for finding in check_dataset(dataset, ignore=ignore) if finding.severity == "error"]


def finding(rule, subject, severity="error"):
    return Finding(severity, subject, "something", rule)


@pytest.mark.parametrize(
    ("name", "plant", "rule"),
    [
        ("mean_sea_level_pressure", flipped, "latitude-flipped"),
        ("sea_surface_temperature", flipped, "latitude-flipped"),
        ("sea_surface_temperature", lambda ds: turned(ds, 180), "longitude-shifted"),
    ],
)
def test_what_the_ground_shows_is_told_once(shared, name, plant, rule):
    assert found(plant(real(shared, name))) == [rule]


def test_what_is_accepted_is_not_told_by_another_rule(shared):
    upside_down = flipped(real(shared, "mean_sea_level_pressure"))
    assert found(upside_down, ["contrast-latitude"]) == ["latitude-flipped"]
    assert found(upside_down, ["latitude-flipped"]) == []


def test_what_contrasts_alone_tell_is_told_and_once_for_all_levels():
    truth = layouts.truth()
    assert found(flipped(truth[["mean_sea_level_pressure"]])) == ["contrast-latitude"]
    scrambled = truth[["temperature"]].roll(latitude=truth.sizes["latitude"] // 2)
    found_so = [finding for finding in check_dataset(scrambled) if finding.rule == "contrast-rows"]
    assert len({finding.subject for finding in found_so}) == len(found_so) > 0
    assert [finding.subject for finding in found_so] == ["temperature_500, temperature_850"]


@pytest.mark.parametrize(
    ("sure", "weak"),
    [
        (finding("latitude-flipped", "temperature_850"), finding("contrast-latitude", "temperature_850")),
        (finding("winter-elsewhere", "temperature"), finding("contrast-latitude", "temperature_850")),
        (finding("level-order", "temperature"), finding("contrast-rows", "temperature")),
        (
            finding("wind-sign", "u_component_of_wind, v_component_of_wind"),
            finding("contrast-latitude", "u_component_of_wind_850"),
        ),
    ],
)
def test_a_cause_explains_what_is_about_the_same_fields(sure, weak):
    assert surest([weak, sure]) == [sure]


@pytest.mark.parametrize(
    ("sure", "weak"),
    [
        (finding("latitude-flipped", "temperature_500"), finding("contrast-latitude", "temperature_850")),
        (finding("latitude-flipped", "2m_temperature"), finding("contrast-latitude", "mean_sea_level_pressure")),
        (finding("latitude-flipped", "2m_temperature"), finding("contrast-longitude", "2m_temperature")),
        (finding("constant", "land_sea_mask", "warning"), finding("contrast-rows", "land_sea_mask")),
        (finding("rows-off", "temperature"), finding("row-seam", "temperature_dewpoint")),
    ],
)
def test_what_a_cause_does_not_explain_is_told(sure, weak):
    assert surest([weak, sure]) == [weak, sure]

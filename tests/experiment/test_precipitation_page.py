"""What the page on precipitation shows is what is read."""

import re

import pytest
import yaml
from docs_page import DOCS

from weatherml.config import from_mapping, load_yaml
from weatherml.experiment import ExperimentConfig
from weatherml.models import PrecipitationConfig

PAGE = (DOCS / "precipitation.md").read_text()


def test_the_configuration_of_the_page_is_one():
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    config = from_mapping(ExperimentConfig, yaml.safe_load(block))
    assert config.prediction == "diagnostic"
    assert [str(channel) for channel in config.kept_channels] == ["total_precipitation_6hr"]
    assert not config.has_forecasts


def test_the_table_has_every_key_of_the_network_but_its_backbone():
    told = set(re.findall(r"^\| `model\.(\w+)` \| ", PAGE, re.MULTILINE))
    assert told == set(PrecipitationConfig.model_fields) - {"name", "backbone"}
    assert {"stepper", "start", "forecast"} <= set(re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE))


@pytest.mark.parametrize(("hours", "name"), [("1h", ""), ("6h", "_6hr"), ("12h", "_12hr"), ("24h", "_24hr")])
def test_the_accumulation_says_what_is_learned(hours, name):
    path = DOCS.parent / "configs" / "planet_precipitation.yaml"
    config = load_yaml(ExperimentConfig, path, [f"model.accumulation={hours}", "extremes=null"])
    assert [str(channel) for channel in config.outputs] == [f"total_precipitation{name}"]

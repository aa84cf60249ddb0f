"""What the page on curricula shows is what is read."""

import re

import pytest
import yaml
from docs_page import DOCS

from weatherml.config import from_mapping
from weatherml.models import FourCastNetConfig
from weatherml.training import Stage, TrainingConfig
from weatherml.training.objective.physics import terms

PAGE = (DOCS / "fine_tuning.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


def rows(heading):
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \| ", section, re.MULTILINE))


@pytest.mark.parametrize("block", BLOCKS)
def test_a_curriculum_is_read_as_the_page_has_it(block):
    config = from_mapping(TrainingConfig, block["training"])
    assert [stage.rollout for stage in config.stages] == [stage["rollout"] for stage in block["training"]["stages"]]


def test_meshes_of_stages_divide_the_devices_of_which_the_page_speaks():
    (told,) = [block["training"] for block in BLOCKS if any("mesh" in stage for stage in block["training"]["stages"])]
    first, last = from_mapping(TrainingConfig, told).lay_out(FourCastNetConfig(), (720, 1440), 8)
    assert (first.mesh.shape["data"], last.mesh.shape["data"], last.mesh.shape["fsdp"]) == (8, 1, 2)


def test_the_table_has_every_key_of_a_stage():
    assert len(BLOCKS) == 4
    assert rows("Stages") == set(Stage.model_fields)


def test_the_table_has_every_term_of_physics():
    assert rows("Terms of physics") == set(terms)

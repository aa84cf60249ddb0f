"""Rules have ids, by which what is known can be passed over."""

import numpy as np
import pytest
import source_layouts as layouts

from weatherml.data.quality.check import check_dataset, judge
from weatherml.data.quality.config import CheckConfig
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.registry import LABEL_RULES, RULES, described_rules
from weatherml.errors import UserError

CELSIUS = (layouts.truth() - 273.15).isel(time=[0, 1, 3])


def rules(findings):
    return {finding.rule for finding in findings}


def test_every_finding_names_its_rule():
    found = rules(check_dataset(CELSIUS))
    assert {"range", "time-steps"} <= found <= set(described_rules())


def test_what_is_ignored_is_not_found_and_all_else_is():
    assert rules(check_dataset(CELSIUS, ignore=["range"])) == rules(check_dataset(CELSIUS)) - {"range"}
    assert rules(check_dataset(CELSIUS, ignore=["time-steps"])) == rules(check_dataset(CELSIUS)) - {"time-steps"}


def test_rules_of_values_need_no_data():
    assert rules(judge(gather(CELSIUS), ignore=["range"])) == rules(check_dataset(CELSIUS)) - {"range", "time-steps"}


@pytest.mark.parametrize(
    "mistake", [lambda: check_dataset(CELSIUS, ignore=["rnge"]), lambda: CheckConfig(ignore=("rnge",))]
)
def test_a_rule_that_is_none_is_refused_with_the_nearest(mistake):
    with pytest.raises(UserError, match="no rule is called 'rnge'; did you mean 'range'"):
        mistake()


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: check_dataset(CELSIUS.isel(latitude=slice(None, None, -1)), ignore=["grid"]),
        lambda: CheckConfig(ignore=("range", "grid")),
    ],
)
def test_a_wrong_grid_cannot_be_ignored_as_no_value_would_be_looked_at(mistake):
    with pytest.raises(UserError, match=r"the rule 'grid' cannot be ignored.*open_files"):
        mistake()


def test_every_rule_says_in_one_sentence_what_it_finds():
    told = described_rules()
    assert {*RULES, *LABEL_RULES} <= set(told)
    assert all(words.endswith(".") and words.count("\n") == 0 for words in told.values())


@pytest.mark.parametrize("rule", ["", "range"])
@pytest.mark.parametrize("confidence", ["certain", "likely"])
def test_findings_are_read_as_they_were_written(rule, confidence):
    finding = Finding("note", "time", "mask: 3 of 9 [or so]: see below", rule, confidence if rule else "certain")
    assert Finding.parse(str(finding)) == finding


def test_progress_reaches_its_end():
    told = []
    check_dataset(CELSIUS, lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] and np.all(np.diff([done for done, _ in told]) > 0)

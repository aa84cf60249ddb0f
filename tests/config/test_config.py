"""Laws of configuration files."""

from datetime import timedelta
from typing import Literal

import numpy as np
import pytest
from pydantic import Field

from weatherml.config import Config, apply_overrides, from_mapping, load_yaml
from weatherml.config.yaml_text import parse_yaml
from weatherml.errors import UserError


class Inner(Config):
    learning_rate: float = 1e-3
    stages: tuple[int, ...] = (1, 2)


class Apple(Config):
    name: Literal["apple"] = "apple"
    n_seeds: int = 5


class Pear(Config):
    name: Literal["pear"] = "pear"
    n_leaves: int = 2


class Outer(Config):
    seed: int = 0
    inner: Inner = Inner()
    fruit: Apple | Pear = Field(Apple(), discriminator="name")


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return path

    return to_file


def test_a_file_says_only_what_differs(write):
    config = load_yaml(Outer, write("inner: {stages: [3]}\nfruit: {name: pear}"))
    assert config == Outer(inner=Inner(stages=(3,)), fruit=Pear())


def test_an_empty_file_is_all_defaults(write):
    assert load_yaml(Outer, write("")) == Outer()


def test_keys_of_a_merged_group_are_not_there_twice():
    merged = apply_overrides({}, ["a={x: &x {p: 1, q: 2}, y: &y {<<: *x, p: 3}, z: {<<: [*x, *y]}}"])
    assert merged["a"]["y"] == {"p": 3, "q": 2}


def test_a_mistake_in_python_is_one_line_that_names_it():
    with pytest.raises(UserError, match=r"^inner.learning_rate: Input should be a valid number, got 'fast'$"):
        Outer(inner={"learning_rate": "fast"})
    with pytest.raises(UserError, match="unknown key 'sead'; did you mean 'seed'"):
        Outer(sead=1)


def test_numbers_of_numpy_and_durations_are_plain_values():
    values = {"seed": np.int64(3), "inner": {"learning_rate": np.float32(0.5)}}
    assert from_mapping(Outer, values) == Outer(seed=3, inner=Inner(learning_rate=0.5))
    assert apply_overrides({"lead": np.timedelta64(36, "h"), "every": timedelta(hours=6)}, []) == {
        "lead": "36h",
        "every": "6h",
    }


def test_overrides_win_over_the_file(write):
    config = load_yaml(Outer, write("inner: {learning_rate: 0.5}"), ["inner.learning_rate=0.25", "seed=7"])
    assert (config.inner.learning_rate, config.seed) == (0.25, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead: 1", "unknown key 'sead'; did you mean 'seed'"),
        ("inner: {learning_rat: 1}", "did you mean 'learning_rate'"),
        ("fruit: {name: pear, n_leafs: 1}", "did you mean 'n_leaves'"),
        ("fruit: {name: pear, n_leaves: two}", "experiment.yaml: fruit.n_leaves: .*integer.*got 'two'"),
        ("inner: {stages: 3}", r"inner.stages: Input should be a list, such as \[3\], got 3"),
        ("seed: 1\n\tseed: 2", "found character .*, line 2, column 1"),
        ("fruit: {name: plum}", "fruit.*apple.*pear"),
        ("seed: one", "seed: .*integer.*got 'one'"),
        ("- 1", "must hold keys and values, got list"),
        ("a: [", "is not YAML"),
        ("seed: 1\ninner: {}\nseed: 2", "the key 'seed' is there twice, again in line 3; put both in one"),
        ("inner: {stages: [1], stages: [2]}", "the key 'stages' is there twice"),
        ("inner: &a [*a]", "is not YAML: Circular reference"),
        ("seed: 1.5e0", "seed: .*integer"),
    ],
)
def test_a_mistake_in_a_file_is_one_line_that_names_it(write, text, message):
    with pytest.raises(UserError, match=message) as caught:
        load_yaml(Outer, write(text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("1.e-3", 1e-3),
        ("+.5e1", 5.0),
        ("5.", 5.0),
        ("2e4", 2e4),
        ("1_000", 1000),
        ("012", 12),
    ],
)
def test_a_number_may_be_written_as_people_do(write, written, value):
    from_file = load_yaml(Outer, write(f"inner: {{learning_rate: {written}}}"))
    overridden = load_yaml(Outer, write(""), [f"inner.learning_rate={written}"])
    assert from_file == overridden == Outer(inner=Inner(learning_rate=value))


@pytest.mark.parametrize(
    ("written", "value"), [("2e4", 20_000), ("0o17", 15), ("0x1F", 31), ("0123", 123), ("089", 89), ("-7", -7)]
)
def test_a_whole_number_may_be_written_as_people_do(write, written, value):
    assert load_yaml(Outer, write(f"seed: {written}")).seed == value


@pytest.mark.parametrize("written", ["12:30", "190:20:30", "2005-01-09", "2005-01-09 06:00", "0o8", "1e", "1__0", "-"])
def test_what_is_no_number_stays_text(written):
    assert apply_overrides({}, [f"title='{written}'"]) == {"title": written}
    assert written == "-" or apply_overrides({}, [f"title={written}"]) == {"title": written}


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_a_number_that_is_not_finite_is_refused(write, value):
    with pytest.raises(UserError, match=r"inner.learning_rate: Input should be a finite number, got (-?inf|nan)"):
        load_yaml(Outer, write(f"inner: {{learning_rate: {value}}}"))


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match=r"cannot read configuration nowhere\.yaml"):
        load_yaml(Outer, "nowhere.yaml")


@pytest.mark.parametrize("assignment", ["seed", "=1"])
def test_an_override_without_key_or_value_is_refused(assignment):
    with pytest.raises(UserError, match=r"must read key\.path=value"):
        apply_overrides({}, [assignment])


def test_members_of_lists_are_overridden_by_their_numbers_and_what_is_unset_becomes_a_group():
    told = {"stages": [{"mesh": None}, {"mesh": {"data": 2}}]}
    changed = apply_overrides(told, ["stages.0.mesh.fsdp=4", "stages.1.mesh.data=8", "deep.new.key=1", "x.y.x=3"])
    assert changed == {
        "stages": [{"mesh": {"fsdp": 4}}, {"mesh": {"data": 8}}],
        "deep": {"new": {"key": 1}},
        "x": {"y": {"x": 3}},
    }
    for member in ("2", "-1", "last", "²"):
        with pytest.raises(UserError, match=f"'{member}' is no member of a list; write a number from 0 to 1"):
            apply_overrides(told, [f"stages.{member}.mesh=1"])


def test_an_override_below_a_value_is_refused():
    with pytest.raises(UserError, match="is a value, not a group"):
        apply_overrides({"seed": 1}, ["seed.deep=1"])


@pytest.mark.parametrize("many", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_of_aliases_are_refused_before_they_fill_the_memory(many):
    """Each line names the one before ten times: a few are copied, a bomb is one line."""
    first = "- &a0 {of: one, and: another}"
    lines = [first, *(f"- &a{n + 1} {many.format(', '.join([f'*a{n}'] * 10))}" for n in range(7))]
    assert len(parse_yaml("\n".join(lines[:4]), "it")) == 4
    with pytest.raises(
        UserError, match=r"^it is not YAML: its aliases \(\*name\) would make it larger by more than 1,0"
    ):
        parse_yaml("\n".join(lines), "it")

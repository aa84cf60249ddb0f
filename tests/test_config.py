"""Laws of configuration files."""

from typing import Literal

import pytest
from pydantic import Field

from weatherml.config import Config, apply_overrides, load_yaml
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


def test_overrides_win_over_the_file(write):
    config = load_yaml(Outer, write("inner: {learning_rate: 0.5}"), ["inner.learning_rate=0.25", "seed=7"])
    assert (config.inner.learning_rate, config.seed) == (0.25, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead: 1", "unknown key 'sead'; did you mean 'seed'"),
        ("inner: {learning_rat: 1}", "did you mean 'learning_rate'"),
        ("fruit: {name: pear, n_leafs: 1}", "did you mean 'n_leaves'"),
        ("fruit: {name: plum}", "fruit.*apple.*pear"),
        ("seed: one", "seed: .*integer.*got 'one'"),
        ("- 1", "must hold keys and values, got list"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_mistake_in_a_file_is_one_line_that_names_it(write, text, message):
    with pytest.raises(UserError, match=message) as caught:
        load_yaml(Outer, write(text))
    assert "\n" not in str(caught.value)


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


def test_an_override_below_a_value_is_refused():
    with pytest.raises(UserError, match="is a value, not a group"):
        apply_overrides({"seed": 1}, ["seed.deep=1"])

"""Laws of registries."""

import pytest

from weatherml.errors import UserError
from weatherml.registry import Registry


def test_a_registered_entry_is_found_and_a_near_name_suggested():
    registry = Registry[type]("model")
    registry.register("fourcastnet")(int)
    assert registry["fourcastnet"] is int
    assert list(registry) == ["fourcastnet"]
    with pytest.raises(UserError, match="unknown model 'fourcasnet'; did you mean 'fourcastnet'"):
        registry["fourcasnet"]


def test_a_name_is_given_once():
    registry = Registry[type]("model")
    registry.register("pangu")(int)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("pangu")(float)

"""Laws of registries."""

import pytest

from weatherml.errors import UserError
from weatherml.registry import Registry, nearest


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


NAMES = sorted(
    f"{name}_{level}" for name in ("geopotential", "temperature", "humidity") for level in range(100, 900, 100)
)


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("sperical", ["gaussian", "spherical"], "; did you mean 'spherical'?"),
        ("RMSE", ["mae", "rmse"], "; did you mean 'rmse'?"),
        ("men", ["mean", "spread"], "; did you mean 'mean'?"),
        ("slp", ["sp", "msl"], "; known: msl, sp"),
        ("u10m", ["u", "v"], "; known: u, v"),
        ("sparsity", ["sparsity_threshold", "depth"], "; did you mean 'sparsity_threshold'?"),
        ("time", ["lead_time", "init_time"], "; known: init_time, lead_time"),
        ("hours", ["lead_time", "every"], "; known: every, lead_time"),
    ],
)
def test_only_what_is_near_is_suggested(word, known, hint):
    assert nearest(word, iter(known)) == hint


def test_a_long_list_is_eight_names_and_where_to_see_all():
    told = nearest("xyz", iter(NAMES), "weatherml info")
    assert told.endswith(", ... (24 in all), see weatherml info") and told.count("_") == 8
    assert told.startswith("; known: geopotential_100, geopotential_200, ")  # not in the order of chance
    assert nearest("humid", NAMES, "x").startswith("; known: humidity_100, humidity_200, ")
    assert nearest("xyz", NAMES[:8]) == f"; known: {', '.join(NAMES[:8])}"

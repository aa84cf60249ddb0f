"""Laws of installation: what `pip install weatherml` takes, and what only an extra does."""

import re
import tomllib
import warnings
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements):
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in requirements}


def test_the_base_takes_no_accelerator_build():
    assert not re.search(r"cuda|nvidia|rocm|tpu|torch|\[", " ".join(PROJECT["dependencies"]), re.IGNORECASE)


def test_only_the_extra_for_it_takes_cuda():
    assert [name for name, needs in EXTRAS.items() if "cuda" in " ".join(needs)] == ["cuda13"]
    assert EXTRAS["cuda13"] == ["jax[cuda13]"]


@pytest.mark.parametrize("extra", ["plot", "grib", "remote", "cuda13", "notebook", "benchmark", "dev"])
def test_every_extra_is_there(extra):
    assert EXTRAS[extra]


@pytest.mark.parametrize("package", ["matplotlib", "cartopy", "cfgrib", "eccodes", "torch", "pytest"])
def test_optional_packages_are_not_in_the_base(package):
    assert package not in names(PROJECT["dependencies"])


def test_dependencies_have_lower_bounds_only():
    assert [need for need in PROJECT["dependencies"] if not re.fullmatch(r"[\w.-]+>=[\d.]+", need)] == []


def test_nothing_that_tests_need_holds_jax_back():
    assert any("jax<" in need for need in EXTRAS["export"])
    assert not [need for need in EXTRAS["dev"] if "export" in need or "<" in need]


def test_the_program_is_installed():
    assert PROJECT["scripts"] == {"weatherml": "weatherml.cli:main"}


@pytest.mark.parametrize("category", [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
def test_what_the_package_is_told_to_leave_off_fails_its_tests(category):
    warn = compile("warn('leave this off', category)", "somewhere.py", "exec")
    with pytest.raises(category, match="leave this off"):
        exec(warn, {"__name__": "weatherml.somewhere", "warn": warnings.warn, "category": category})

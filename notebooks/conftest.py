"""Notebooks compute for so long that what they compile is worth optimising, as it is for those who run them."""

import os

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """Let kernels optimise machine code, which tests do not."""
    chosen = os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS")
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "0"
    try:
        return (yield)
    finally:
        if chosen is not None:
            os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = chosen

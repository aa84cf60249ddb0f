"""The command line: `weatherml VERB`; parsing and printing only."""

from weatherml.cli.app import main

__all__ = ["main"]

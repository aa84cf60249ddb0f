"""The page on comparing systems: its Python runs, and its commands have options that there are."""

import re
import shlex

import typer
from docs_page import DOCS, run_python

from weatherml.cli.app import app

PAGE = "verification.md"


def test_its_python_makes_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = run_python(PAGE, None)
    assert made["scores"]["rmse"].sizes["system"] == 2
    assert "new against persistence" in (tmp_path / "page.html").read_text()


def test_its_commands_have_options_that_there_are():
    known = {flag for own in typer.main.get_command(app).commands["evaluate"].params for flag in own.opts}
    commands = re.findall(r"^weatherml evaluate .*$", (DOCS / PAGE).read_text(), re.MULTILINE)
    used = {word for command in commands for word in shlex.split(command) if re.match(r"--?[a-z]", word)}
    assert len(commands) == 7 and used <= known

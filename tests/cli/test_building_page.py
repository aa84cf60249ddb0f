"""The page on building stores: its commands, as they stand there."""

import re
import shlex

import xarray as xr
from docs_page import DOCS
from tiny_experiment import weatherml, write_files

PAGE = (DOCS / "building_stores.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("weatherml ")
]


def test_commands_of_the_page_do_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path).rename("my.yaml")
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        words = shlex.split(command.replace("$SLURM_ARRAY_TASK_ID/64", "0/1"))[1:]
        result = weatherml(*words)
        assert result.exit_code == 0, (command, result.output)
    assert xr.open_zarr("runs/era5/data.zarr").sizes["time"] == 64


def test_every_option_that_the_page_names_is_one_of_the_verb():
    told = weatherml("ingest", "--help").output + weatherml("check", "--help").output
    named = set(re.findall(r"--[a-z]+", PAGE)) - {"--array", "--mem"}
    assert named <= set(re.findall(r"--[a-z]+", told))

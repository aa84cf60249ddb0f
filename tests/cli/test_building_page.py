"""The pages on building stores, here and on SLURM: their commands and scripts, as they stand there."""

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
    assert len(COMMANDS) == 5
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        result = weatherml(*words)
        assert result.exit_code == 0, (command, result.output)
    assert xr.open_zarr("runs/era5/data.zarr").sizes["time"] == 64


def test_the_script_of_a_job_array_makes_a_share_as_its_page_says(tmp_path, monkeypatch):
    config = write_files(tmp_path)
    script = (DOCS / "slurm/ingest_array.sbatch").read_text()
    (line,) = (line for line in script.splitlines() if line.startswith("exec "))
    assert line in (DOCS / "on_slurm.md").read_text()
    told = {"config": config, "run": tmp_path / "run", "shares": 1, "SLURM_ARRAY_TASK_ID": 0}
    for name, value in told.items():
        line = line.replace(f"${name}", str(value))
    result = weatherml(*shlex.split(line)[2:])
    assert result.exit_code == 0, result.output
    assert xr.open_zarr(tmp_path / "run/data.zarr").sizes["time"] == 64


def test_every_option_that_the_pages_and_scripts_name_is_one_of_the_verb():
    told = weatherml("ingest", "--help").output + weatherml("check", "--help").output
    scripts = "".join(path.read_text() for path in (DOCS / "slurm").glob("ingest_*.sbatch"))
    lines = [line for line in scripts.splitlines() if not line.startswith("#")]
    named = set(re.findall(r"--[a-z]+", "\n".join([PAGE, *lines])))
    assert named <= set(re.findall(r"--[a-z]+", told))

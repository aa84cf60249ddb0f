"""The page on stores in buckets: its commands, as they stand there, in a bucket of a server on this machine."""

import json
import re
import shlex
import textwrap

import pytest
from docs_page import DOCS
from fake_data import contents
from s3_server import contents_of
from tiny_experiment import done, refused, weatherml, write_config

import weatherml as wml
from weatherml.storage.places import place_at

PAGE = (DOCS / "stores_in_buckets.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(bucket, tiny_run, tmp_path, monkeypatch):
    """Return a working directory with `my.yaml`."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "my.yaml", source={"name": "archive", "url": str(tiny_run.store)})
    return tmp_path


def test_commands_of_the_page_do_what_it_says(bucket, folder, capsys):
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 9
    for command in commands:
        here = command.replace("$SLURM_ARRAY_TASK_ID/64", "0/1").replace("s3://weather", bucket)
        result = weatherml(*shlex.split(here)[1:])
        assert result.exit_code == 0, (command, result.output)
    assert (folder / "z500.png").exists()
    exec(textwrap.dedent(blocks("python")[0]).replace("s3://weather", bucket), {})
    assert wml.open_store(f"{bucket}/era5.zarr").attrs["digest"] in capsys.readouterr().out


def test_a_store_in_a_bucket_is_told_and_trained_from_as_one_on_a_disk(bucket, folder):
    url = f"{bucket}/era5.zarr"
    assert done("ingest", "my.yaml", "-o", url).strip().endswith(url)
    done("ingest", "my.yaml", "-o", "run")
    assert contents_of(url) == contents(folder / "run/data.zarr")
    there, here = (json.loads(done("info", place, "--json")) for place in (url, "run/data.zarr"))
    manifest = (folder / "run/data.zarr/manifest.json").stat().st_size
    assert there | {"size": there["size"] + manifest} == here
    write_config(folder / "train.yaml", source={"name": "archive", "url": url})
    done("statistics", "train.yaml", "-o", "trained")
    assert len(list((folder / "trained").glob("statistics*"))) == 1


def test_damage_is_found_and_mended_from_what_lies_beside_the_store(bucket, folder):
    url = f"{bucket}/deep/era5.zarr"
    done("ingest", "my.yaml", "source.variables=[geopotential]", "-o", url)
    before = contents_of(url)
    place_at(url).write("geopotential/c.0.0.0.0", b"?")
    for words in (("--files",), ()):
        found = weatherml("check", url, *words)
        assert (found.exit_code, found.stdout.count("geopotential/c.0.0.0.0")) == (1, 1), found.output
    assert f"{url}: 1 of " in done("check", url, "--files", "--repair")
    assert contents_of(url) == before
    place_at(f"{bucket}/deep").remove(["era5.config.json"])
    assert "deep has no era5.config.json, so what era5.zarr was made from" in refused("check", url, "--repair")


def test_what_makes_no_sense_for_a_bucket_is_one_line(bucket, folder):
    assert f"weatherml ingest CONFIG -o {bucket}/x.zarr" in refused("ingest", "-o", f"{bucket}/x.zarr")
    assert f"name a place in it, such as {bucket}/era5.zarr" in refused("ingest", "my.yaml", "-o", bucket)
    assert "is no store that ingest has completed" in refused("check", f"{bucket}/x.zarr", "--files")
    assert "x.nc ends in .nc as files do" in refused("ingest", "my.yaml", "-o", "x.nc")
    assert "is a URL of no bucket" in refused("ingest", "my.yaml", "-o", "https://host/x.zarr")
    assert contents_of(bucket) == {}

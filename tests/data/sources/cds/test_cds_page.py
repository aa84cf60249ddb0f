"""The verb that downloads, and the page that shows it."""

import re
import shlex

from cds_client import write_settings
from docs_page import DOCS
from tiny_experiment import done, refused

from weatherml.data.sources import CdsConfig, SourceConfig


def test_a_dry_run_refuses_what_ingest_would(tmp_path):
    said = refused("download", write_settings(tmp_path), "--dry-run", "source.derive=[relative_humidity]")
    assert "relative_humidity is derived from temperature, specific_humidity; the cds data lack specific_hum" in said


def test_a_dry_run_says_what_there_is_to_do_without_a_service(tmp_path, monkeypatch):
    monkeypatch.delenv("CDSAPI_KEY", raising=False)
    out = done("download", write_settings(tmp_path), "--dry-run", "source.grid=1.5")
    assert out.splitlines() == [
        "2020-01    233 kB       4 fields  temperature on 500 hPa",
        f"1 of 1 requests left: 4 fields, about 233 kB, into {tmp_path}/files",
    ]
    assert not (tmp_path / "files").exists()


def test_the_page_tells_every_key_and_its_default():
    page = (DOCS / "from_cds.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| .* \| ?(.*?) ?\|$", page, re.MULTILINE))
    fields = CdsConfig.model_fields
    assert set(told) == (set(fields) - set(SourceConfig.model_fields)) | {"periods", "exclude", "every"}
    for key in ("every", "at_once", "fields_per_request"):
        assert told[key].strip("`") == str(fields[key].default)


def test_the_page_is_what_happens(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "from_cds.md").read_text()
    (settings,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "era5.yaml").write_text(settings)
    commands = [line.split() for line in re.findall(r"^weatherml (download .*)$", page, re.MULTILINE)]
    told = done(*commands[0], "source.folder=files")
    assert told.splitlines()[-1].replace("into files", "into /data/era5") in page.splitlines()

    (trial,) = re.findall(r"`weatherml (download .* source.folder=try)`", page)
    assert "about 32.3 MB, into try" in done(*shlex.split(trial), "--dry-run")

    smaller = ["source.folder=files", "source.grid=30", "source.periods=[[2020-01-01, 2020-01-01]]", "source.every=24h"]
    for command in commands[1:]:
        assert done(*command, *smaller) == "files\n"
    (made,) = [line.split() for line in re.findall(r"^weatherml (ingest .*)$", page, re.MULTILINE)]
    assert done(*made, *smaller) == "runs/era5/data.zarr\n"
    assert store.count("submit") == 3 and sum(len(inputs["variable"]) for inputs in store.inputs) == 11

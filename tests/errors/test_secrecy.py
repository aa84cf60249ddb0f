"""Laws of secrets: what a user gives by mistake where it does not belong is told to nobody, nor kept."""

import pickle

import pytest
from tiny_experiment import refused

from weatherml.config import Config, apply_overrides, from_mapping, load_yaml
from weatherml.data.sources import ArchiveConfig
from weatherml.data.store.making.engine import Dask
from weatherml.errors import Option, UserError
from weatherml.errors.secrecy import suggests_secret, told, without_secrets
from weatherml.storage.cloud import Access
from weatherml.storage.locations import local_path, shown

SECRET = "hunter2"
WITH_USER, WITH_SLASH, WITH_QUERY = (
    f"https://me:{SECRET}@h.org/x",
    f"s3://AK:a/{SECRET}@b/x",
    f"https://h.org/x?{SECRET}",
)
PLACES = (WITH_USER, WITH_SLASH, WITH_QUERY, f"https://h.org/x?sig={SECRET}", f"https:/me:{SECRET}@h.org/x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{WITH_USER} is a URL", "https://h.org/x is a URL"),
        (f"got ['{WITH_SLASH}', '{WITH_USER}']", "got ['s3://b/x', 'https://h.org/x']"),
        (f"source.url={WITH_USER}", "source.url=https://h.org/x"),
        (f"is {WITH_QUERY} there?", "is https://h.org/x?*** there?"),
        (f"invalid address 'me:{SECRET}@h:8786'; see", "invalid address 'h:8786'; see"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer ***"),
        (f"{{'PRIVATE-TOKEN': '{SECRET}'}}", "{'PRIVATE-TOKEN': '***'}"),
    ],
)
def test_secrets_are_left_out_of_any_text(text, expected):
    assert without_secrets(text) == without_secrets(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "there is no zarr store at http://127.0.0.1:8000/a@b.zarr; check the address",
        "s3://bucket/a@b/c.zarr: nothing; did you mean 'arco'?",
        "header must read 'Name: ${VARIABLE}', such as 'Authorization: Bearer ${CDSAPI_KEY}'",
        "accept them once, at https://cds.org/datasets/x?tab=download#manage-licences, and run again",
        "C:\\data@home\\x.nc and /data/a:b/c and 2000-01-01T00:00..2000-01-02: no such file",
    ],
)
def test_what_holds_no_secret_is_told_as_it_is(text):
    assert without_secrets(text) == text


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_shown_without_its_secret(place):
    assert shown(place) in ("https://h.org/x", "s3://b/x")
    with pytest.raises(UserError) as caught:
        local_path(place)
    assert str(caught.value).startswith(f"{shown(place)} is a URL")
    assert SECRET not in repr(pickle.loads(pickle.dumps(caught.value)))


def test_remedies_are_told_without_secrets():
    error = UserError("no", f"read {WITH_USER}", Option("seed", 1)).within(f"{WITH_USER}: ")
    assert str(error) == "https://h.org/x: no; read https://h.org/x, or pass seed=1"


WORDS = [
    ("info", "{}"),
    ("check", "{}"),
    ("check", "{}", "--repair"),
    ("plot", "{}", "--channel", "z500"),
    ("plot", "x.nc", "{}", "--channel", "z500"),
    ("evaluate", "{}", "{}"),
    ("convert", "{}", "-o", "x.nc"),
    ("convert", "x.nc", "-o", "{}"),
    ("forecast", "x", "--analysis", "{}"),
    ("forecast", "{}", "--show-plan"),
    ("export", "{}", "-o", "x.onnx"),
    ("train", "{}"),
    ("train", "-o", "{}"),
    ("train", "seed={}"),
    ("train", "source.name={}"),
    ("train", "source={{name: archive, url: '{}'}}"),
    ("train", "source={{name: archive, url: a, '{}': 1}}"),
    ("train", "source={{name: files, paths: ['{}']}}"),
    ("train", "source=[{}: {}: {}"),
    ("download", "source={{name: cds, channels: [t2m], periods: [['2020', '2020']], folder: '{}'}}"),
    ("ingest", "source.name=archive", "source.url=x", "-o", "{}"),
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_no_verb_tells_the_secret_of_a_place(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for place in PLACES:
        assert SECRET not in refused(*(word.format(place, place, place) for word in words))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        f"header: {{Authorization: Bearer {SECRET}}}",
        f"header: [{SECRET}]",
        f"header: Authorization: Bearer {SECRET}",
        f"'header': 'Authorization: {SECRET}'",
        f"header: '{SECRET}'",
        f"credentials: {SECRET}",
        f"token: {SECRET}",
        f"parallel: {{token: {SECRET}}}",
        f"url: '{WITH_USER}'",
        f"url: ['{WITH_SLASH}']",
        f"channels: {{a: '{WITH_USER}'}}",
    ],
)
def test_no_configuration_tells_a_secret(tmp_path, text):
    begun = {"name": "archive"} if text.startswith("url") else {"name": "archive", "url": "arco"}
    (tmp_path / "c.yaml").write_text("".join(f"{key}: {value}\n" for key, value in begun.items()) + text)
    with pytest.raises(UserError) as caught:
        load_yaml(ArchiveConfig, tmp_path / "c.yaml")
    assert SECRET not in repr(caught.value) and "c.yaml" in str(caught.value)
    key, _, value = text.partition(": ")
    with pytest.raises(UserError) as caught:
        from_mapping(ArchiveConfig, apply_overrides(begun, [f"{key}={value}"]))
    assert SECRET not in repr(caught.value)


def test_values_whose_names_suggest_a_secret_are_not_shown():
    class Login(Config):
        api_key: int = 0
        seed: int = 0

    with pytest.raises(UserError, match="api_key: Input should be a valid integer, got a str that is not shown"):
        from_mapping(Login, {"api_key": SECRET})
    with pytest.raises(UserError, match="got a dict that is not shown"):
        Login(seed={"a": [{"password": SECRET}]})
    assert told({"latitude": [1]}, ("seed", "keyword")) == "{'latitude': [1]}"
    assert suggests_secret("AWS_SESSION_TOKEN") and not suggests_secret("channels")


def test_an_access_is_printed_without_its_header():
    assert SECRET not in repr(Access(header=f"Authorization: {SECRET}"))


def test_the_address_of_a_scheduler_is_told_without_its_secret():
    for password in (SECRET, "x" * 180 + SECRET):
        with pytest.raises(UserError, match=r"scheduler 'tcp://127\.0\.0\.1:9' is no address"):
            Dask(1, f"tcp://me:{password}@127.0.0.1:9")


def test_endless_messages_are_cut_at_a_word():
    text = "a word and " * 20_000 + "https://user:secret@host"
    assert without_secrets(text).endswith((" a ...", " word ...", " and ..."))
    assert len(without_secrets("https://u:" + "x:" * 100_000 + "pw@host")) < 10_000

"""Laws of archives in a bucket, tried on a real server of S3 on this machine."""

import numpy as np
import pytest
from fake_data import analyses
from http_store import serving
from zarr.storage import ObjectStore

from weatherml.data.sources import ArchiveConfig
from weatherml.errors import UserError

DATASET = analyses(times=5)


@pytest.fixture(scope="module")
def bucket(s3):
    """Return the address of a server whose bucket `weather` holds a store."""
    from obstore.store import S3Store

    s3.make("weather")
    keys = {"endpoint": s3.endpoint, "access_key_id": "me", "secret_access_key": "geheim", "region": "us-east-1"}
    store = S3Store("weather", prefix="era5.zarr", client_options={"allow_http": True}, **keys)
    DATASET.to_zarr(ObjectStore(store), zarr_format=2, consolidated=True)
    return s3.endpoint


@pytest.fixture(params=["nobody", "environment", "profile"])
def user(request, monkeypatch, tmp_path):
    """Let somebody read: without keys, with those of environment variables, or of a file in the home folder."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    if request.param == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    if request.param == "profile":
        monkeypatch.setenv("AWS_PROFILE", "work")
        (tmp_path / "credentials").write_text("[work]\naws_access_key_id = me\naws_secret_access_key = geheim\n")
    return request.param


def test_a_bucket_is_read_by_who_has_keys(bucket, user, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket)
    source = ArchiveConfig(url="s3://weather/era5.zarr").open(None)
    if user == "nobody":
        with pytest.raises(UserError, match=r"may not be read \(403\); it was asked without credentials"):
            source.times()
        return
    read = source.read(source.times()[1:3], ["geopotential"])
    np.testing.assert_array_equal(read["geopotential"], DATASET["geopotential"][1:3])
    with pytest.raises(UserError, match=r"there is no zarr store at s3://climate/era5.zarr; check the address"):
        ArchiveConfig(url="s3://climate/era5.zarr").open(None).times()


def test_requests_are_signed_with_the_keys_that_the_user_has(user, monkeypatch, tmp_path):
    with serving(tmp_path) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        server.fault = lambda path, n: 403
        with pytest.raises(UserError, match=r"s3://weather/era5.zarr/zarr.json may not be read \(403\); ") as refused:
            ArchiveConfig(url="s3://weather/era5.zarr").open(None).times()
    signature = server.headers.get("Authorization", "")
    assert ("Credential=me/" in signature) == (user != "nobody")
    assert ("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(refused.value)) == (user == "nobody")
    assert ("source.credentials=anonymous" in str(refused.value)) == (user != "nobody")
    assert "geheim" not in str(refused.value)

"""A data store on loopback, to which processes turn as they would to the service."""

import cds_server
import pytest


@pytest.fixture
def store(monkeypatch):
    """Return the service, to which this process and those it starts will turn."""
    store = cds_server.DataStore()
    with cds_server.serving(store) as url:
        monkeypatch.setenv("CDSAPI_URL", url)
        monkeypatch.setenv("CDSAPI_KEY", cds_server.KEY)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield store

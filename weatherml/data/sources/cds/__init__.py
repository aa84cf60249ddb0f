"""ERA5 from the Climate Data Store: requests that it likes, kept on disk, until every file is there and verified.

`config` says what, `units` cuts it into requests, `ledger` keeps what was asked for and came; `service` is the store
through its own client, `transfer` fetches, `arrival` verifies, and `download` has all of them done; `source` reads.
"""

from weatherml.data.sources.cds.config import CdsConfig
from weatherml.data.sources.cds.source import CdsSource

__all__ = ["CdsConfig", "CdsSource"]

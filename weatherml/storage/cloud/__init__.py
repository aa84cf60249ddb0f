"""What lies behind a URL: buckets and web servers, who may read them, and what goes wrong in one line."""

from weatherml.storage.cloud.access import Access, Credentials
from weatherml.storage.cloud.failures import RefusedError
from weatherml.storage.cloud.opening import open_url, read_key

__all__ = ["Access", "Credentials", "RefusedError", "open_url", "read_key"]

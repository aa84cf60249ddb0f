"""The Climate Data Store through its own client, with the patience that the client has not.

The client tries every 120 seconds whatever `Retry-After` says, deletes what a killed download had fetched, and takes
any bytes of the right number. So it is told to try once, and waiting and transfers are done here.
"""

import os
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from weatherml.data.sources.cds.units import Unit
from weatherml.errors import UserError
from weatherml.errors.secrecy import without_secrets

_HOME = "https://cds.climate.copernicus.eu"
_PASSING = (408, 429, 500, 502, 503, 504)
"""Statuses that may be others a while later."""
_TRIES, _TRIES_AT_FIRST = 20, 4
"""About half an hour for a service that has answered in this run, seven seconds for one that has not."""
_LONGEST_PAUSE = 120.0
_LONGEST_ASKED = 3600.0
_TIMEOUT = 60.0  # seconds without a byte
_SHOWN = 300  # characters of the service's words

T = TypeVar("T")


class StoppedError(Exception):
    """The download is being stopped."""


class JobGoneError(Exception):
    """The service knows the job no longer, or it did not succeed for a reason that may pass."""


class QueueFullError(JobGoneError):
    """The service takes no more requests for now."""


class RefusedError(UserError):
    """What the service will say to every other request, too."""


@dataclass(frozen=True)
class Asset:
    """A file that is ready at the service.

    Attributes:
        url: Where it is.
        n_bytes: Its size.
        checksum: Of a kind that is not told; empty where there is none.
    """

    url: str
    n_bytes: int
    checksum: str


class Service:
    """The service, for several threads.

    Args:
        at_once: Threads that use it.
        stop: Ends all waiting once it is set.

    Raises:
        UserError: There are no credentials, or those of the service that ended in 2024.
    """

    def __init__(self, at_once: int, stop: threading.Event) -> None:
        from requests import Session
        from requests.adapters import HTTPAdapter

        url, key, verify = _credentials()
        self.url, self._key, self._stop, self._has_answered = url, key, stop, False
        self._session = Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=at_once))
        self._client = _open_client(url, key, verify, self._session)
        self._remotes: dict[str, Any] = {}

    def submit(self, unit: Unit) -> str:
        """Ask for a unit; return the service's name of the job."""
        remote = self._patiently(lambda: self._client.submit(unit.dataset, unit.request()), unit.dataset)
        self._remotes[remote.request_id] = remote
        return str(remote.request_id)

    def status(self, job: str) -> str:
        """Return what the service says of a job: accepted, running, successful, failed, rejected, ...

        Raises:
            JobGoneError: It knows the job no longer.
        """

        def ask() -> str:
            if job not in self._remotes:  # of another process, or another day
                self._remotes[job] = self._client.get_remote(job)
            return str(self._remotes[job].status)

        return self._patiently(ask)

    def asset(self, job: str) -> Asset:
        """Return the file of a job that was successful."""

        def ask() -> Asset:
            results = self._client.get_results(job)
            return Asset(results.location, results.content_length, str(results.asset.get("file:checksum", "")))

        return self._patiently(ask)

    def reason(self, job: str) -> str:
        """Return in one line why a job did not succeed."""
        from ecmwf.datastores.processing import ProcessingFailedError
        from requests import HTTPError

        try:
            self._client.get_results(job)
        except HTTPError as error:
            return self._words(error)
        except (ProcessingFailedError, OSError) as error:
            return self._plain(str(error))
        return "the service says no reason"

    def open(self, url: str, first_byte: int, version: str | None) -> Any:
        """Return the answer with the bytes of a file, which need no key.

        Args:
            url: Of the file.
            first_byte: From which on, if it is still of that version; else, the whole file.
            version: Its ETag, where one is known.
        """
        # Compressed on their way, bytes could not be counted.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={first_byte}-"} if first_byte else {})
        if first_byte and version is not None:
            headers["If-Range"] = version

        def ask() -> Any:
            answer = self._session.get(url, headers=headers, stream=True, timeout=_TIMEOUT, verify=self._client.verify)
            if answer.status_code in _PASSING:
                answer.raise_for_status()
            return answer

        return self._patiently(ask)

    def require_going_on(self) -> None:
        """Require that the download is not being stopped.

        Raises:
            StoppedError: It is.
        """
        self.pause(0)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: The download is being stopped.
        """
        if self._stop.wait(seconds):
            raise StoppedError

    def _patiently(self, act: Callable[[], T], dataset: str = "") -> T:
        """Do something, and again after a while where the service is busy, or cannot be reached for a moment."""
        for trial in count(1):
            try:
                result = act()
            except Exception as error:
                failure, asked = self._passing(error, dataset)
            else:
                self._has_answered = True
                return result
            if trial >= (_TRIES if self._has_answered else _TRIES_AT_FIRST):
                kept = ": what was asked for is kept" if self._has_answered else ""
                raise RefusedError(
                    f"{self.url} does not answer ({failure}); see to the network and the address in"
                    f" {_place_of_address()}, or run again later{kept}"
                )
            self.pause(max(asked, min(2.0 ** (trial - 1), _LONGEST_PAUSE)))
        raise AssertionError  # count does not end

    def _passing(self, error: Exception, dataset: str) -> tuple[str, float]:
        """Return in words what may pass, and for how many seconds the service asks to wait.

        Raises:
            Exception: What will not pass.
        """
        from ecmwf.datastores.processing import LinkError, ProcessingFailedError
        from requests import ConnectionError, HTTPError, RequestException, Timeout
        from requests.exceptions import ChunkedEncodingError, InvalidJSONError, SSLError

        match error:
            case HTTPError(response=answer) if answer is not None and answer.status_code in _PASSING:
                self._has_answered, words = True, self._words(error)
                return words, _asked_pause(answer.headers.get("Retry-After"), words)
            case HTTPError():
                raise self._explain(error, dataset)
            case ProcessingFailedError():
                raise JobGoneError(self._plain(str(error)))
            case InvalidJSONError() | LinkError() | LookupError() | TypeError() | AttributeError() | AssertionError():
                return f"its answer is not that of a data store, {type(error).__name__}", 0.0
            case ConnectionError() | Timeout() | ChunkedEncodingError() if not isinstance(error, SSLError):
                return self._plain(_cause_of(error)), 0.0
            case RequestException():
                raise RefusedError(f"no connection to {self.url}: {self._plain(str(error))}; see to {_place_of_key()}")
        raise error

    def _explain(self, error: Any, dataset: str) -> Exception:
        """Return what to raise for an answer that will not change."""
        status = 0 if error.response is None else error.response.status_code
        words = self._words(error)
        home = self.url.removesuffix("/api")
        if status == 401:
            return RefusedError(
                f"{self.url} does not know the key ({words}); copy yours from {_HOME}/profile to {_place_of_key()}"
            )
        if status == 403 and "licence" in words:
            return RefusedError(
                f"{dataset}: {words}; accept them once, at {home}/datasets/{dataset}?tab=download#manage-licences,"
                " and run again"
            )
        if status == 404 and not dataset:
            return JobGoneError(words)
        if status in (401, 403, 404) and "too large" not in words:  # which comes as 403, too
            return RefusedError(f"{self.url} refuses {dataset or 'a request'}: {words}")
        return UserError(
            f"{self.url} refuses a request to {dataset}: {words}; if it is too large, lower source.fields_per_request"
        )

    def _words(self, error: Any) -> str:
        """Return what the service says in an answer, in one line."""
        try:
            content = error.response.json()
            said = [str(content[key]) for key in ("title", "detail", "traceback") if content.get(key)]
        except (ValueError, AttributeError, TypeError):
            said = []
        return self._plain(" ".join(said)) or self._plain(str(error))

    def _plain(self, text: str) -> str:
        line = without_secrets(" ".join(text.replace(self._key, "KEY").split()))  # before it is cut
        return line if len(line) <= _SHOWN else f"{line[: _SHOWN // 3]} ... {line[-2 * _SHOWN // 3 :]}"


def _credentials() -> tuple[str, str, bool]:
    """Return the address, the key and whether certificates are verified, from where the client looks for them."""
    from cdsapi.api import get_url_key_verify

    try:
        url, key, verify = get_url_key_verify(None, None, None)
    except Exception:  # the client has no class of its own for it, and its words may hold what the file does
        raise RefusedError(
            f"no credentials for the Climate Data Store in {_place_of_key()}; log in at {_HOME}/profile and write the"
            f" two lines 'url: {_HOME}/api' and 'key: ...' there, or set CDSAPI_URL and CDSAPI_KEY"
        ) from None
    if url.rstrip("/").endswith("/v2"):
        raise RefusedError(f"{url} is the service that ended in 2024; write 'url: {_HOME}/api' in {_place_of_key()}")
    if ":" in key:
        raise RefusedError(
            f"the key in {_place_of_key()} has a colon, as those of the service that ended in 2024; copy the new one"
            f" from {_HOME}/profile"
        )
    return url, key, verify


def _cause_of(error: Exception) -> str:
    """Return in words why there is no connection; libraries wrap that into each other's messages."""
    inner = getattr(error.args[0], "reason", None) if error.args else None
    return re.sub(r"^<?[\w.]*HTTPS?Connection[^:]*: ", "", str(error if inner is None else inner))


def _place_of_address() -> str:
    return "CDSAPI_URL" if os.environ.get("CDSAPI_URL") else _place_of_key()


def _place_of_key() -> str:
    if os.environ.get("CDSAPI_KEY"):
        return "CDSAPI_KEY"
    return os.environ.get("CDSAPI_RC") or str(Path.home() / ".cdsapirc")


def _open_client(url: str, key: str, verify: bool, session: Any) -> Any:
    """Return the client, which tries once, says nothing and logs nothing: it would log the key."""
    import cdsapi

    def ignore(*words: Any, **more: Any) -> None:
        """Neither print nor log."""

    callbacks = {f"{level}_callback": ignore for level in ("debug", "info", "warning", "error")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that news of the service cannot be read
        client = cdsapi.Client(
            url=url,
            key=key,
            verify=verify,
            quiet=True,
            progress=False,
            retry_max=1,
            timeout=_TIMEOUT,
            session=session,
            **callbacks,
        )
    return client.client


def _asked_pause(header: str | None, words: str) -> float:
    """Return for how many seconds the service asks to wait, in a header (seconds or a date) or in words."""
    said = re.search(r"wait (\d+(?:\.\d+)?) s", words)
    seconds = float(said[1]) if said else 0.0
    if header is not None:
        try:
            seconds = float(header)
        except ValueError:
            seconds = _until(header)
    return min(max(seconds, 0.0), _LONGEST_ASKED)


def _until(moment: str) -> float:
    try:
        return (parsedate_to_datetime(moment) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0

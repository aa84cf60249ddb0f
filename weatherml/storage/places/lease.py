"""One process at a time where there are no locks: an object that its holder renews, or others take over.

Only the server decides who has a lease: it makes an object only where none is, and replaces it only in the version that
is named. How long a holder has been silent is told by the server's clock, too.
"""

import json
import logging
import os
import platform
import random
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any
from uuid import uuid4

from weatherml.errors import UserError
from weatherml.storage.cloud.objects import Objects, Version

_logger = logging.getLogger(__name__)

EXPIRY = 60.0
"""Seconds of silence after which a holder is taken for dead."""
BEAT = 15.0
"""Seconds between two signs of life."""
POLL = 0.5
"""Seconds between two looks at what another process holds, on average: many that wait do not look all at once."""

_SECONDS_IN_SILENCE = 3.0
"""For which one waits without a word."""
_WAITING = "%s may be at work; waiting until it is done, gives a sign of life, or has been silent for %.0f s"


class Lease:
    """A lock on a key of a bucket; see `weatherml.storage.places.Lock`.

    Args:
        objects: The bucket.
        key: Of the object that stands for the lease.
        what: What is held, for messages.
        held: Leases of this process, among which this one is as long as it has it.
    """

    def __init__(self, objects: Objects, key: str, what: str, held: "list[Lease]") -> None:
        self.key, self._held = key, held
        self._objects, self._what = objects, what
        self._token, self._n_beats = uuid4().hex, 0
        self._tag: Mapping[str, Any] | None = None
        self._confirmed = 0.0
        self._turn, self._ended = threading.Lock(), threading.Event()

    @property
    def is_silent(self) -> bool:
        """Return whether nobody has it, or one who has given no sign of life for too long."""
        found = self._objects.version(self.key)
        return found is None or time.time() + self._skew - found.written > EXPIRY

    def acquire(self, busy: str, wait: float = 0.0) -> None:
        """Take the lease: at once where nobody has it, or once its holder has given it back or been silent too long.

        Args:
            busy: What to say where another process has it that is alive.
            wait: How long to wait for such a process, seconds.

        Raises:
            UserError: Another process has it that is alive, or the bucket refuses.
        """
        begun, seen, is_told = time.monotonic(), None, False
        while (found := self._taken_from()) is not None:
            waited = time.monotonic() - begun
            if seen is not None and found.tag != seen and waited >= wait:
                raise UserError(busy)
            if waited > _SECONDS_IN_SILENCE and not is_told:
                _logger.warning(_WAITING, self._what, EXPIRY)
                is_told = True
            if seen is None or waited < wait:
                seen = found.tag
            time.sleep(random.uniform(0.5, 1.5) * POLL)
        self._held.append(self)
        self._ended.clear()
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def is_free(self) -> bool:
        """Return whether no process that is alive has it; from one that is silent it is taken."""
        try:
            self.acquire("")
        except UserError:
            return False
        self.release()
        return True

    def release(self, remove: bool = False) -> None:
        """Give it back."""
        self._ended.set()
        if self in self._held:
            self._held.remove(self)
        with suppress(UserError):  # it is taken over then, or expires
            self.require_held()
            self._objects.remove([self.key])
        self._tag = None

    def require_held(self) -> None:
        """Require that no other process may have taken it over.

        Raises:
            UserError: One has, or that cannot be known.
        """
        if self._tag is not None and time.time() - self._confirmed > EXPIRY / 2:
            self._renew()
        if self._tag is None:
            raise UserError(
                f"{self._what} of this process was taken over by another, since the bucket had no sign of it for"
                f" {EXPIRY:.0f} s; run it again"
            )

    def _taken_from(self) -> Version | None:
        """Take the lease where nobody has it, or one who has been silent too long; else return what is in the way."""
        while (found := self._objects.version(self.key)) is None:
            if self._take(None):
                return None
        silent = time.time() + self._skew - found.written
        if silent <= EXPIRY or not self._take(found.tag):
            return found
        _logger.warning("%s gave no sign of life for %.0f s; its place is taken", self._what, silent)
        return None

    @cached_property
    def _skew(self) -> float:
        return self._objects.skew(self.key)

    def _take(self, tag: Mapping[str, Any] | None) -> bool:
        """Make the object, or replace the version that is named; return whether that is done."""
        begun, self._n_beats = time.time(), self._n_beats + 1
        told = {"token": self._token, "beat": self._n_beats, "host": platform.node(), "process": os.getpid()}
        content = json.dumps(told).encode()
        objects = self._objects
        made = objects.create(self.key, content) if tag is None else objects.replace(self.key, content, tag)
        if made is None and objects.read(self.key) == content:  # it had been done when the answer was lost
            version = objects.version(self.key)
            made = None if version is None else version.tag
        if made is not None:
            self._tag, self._confirmed = made, begun
        return made is not None

    def _renew(self) -> None:
        with self._turn:
            if self._tag is not None and not self._take(self._tag):
                self._tag = None

    def _keep_alive(self) -> None:
        while self._tag is not None and not self._ended.wait(BEAT):
            with suppress(UserError):  # again at the next beat; who needs the lease is told
                self._renew()

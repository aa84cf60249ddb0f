"""What a server refuses, said in one line without a word of the request, whose headers may be secret."""

import re
from typing import Literal

from weatherml.errors import UserError
from weatherml.storage.cloud.access import Access, remedy

Doing = Literal["read", "written"]
"""What was to be done with a key."""

_MOST_WORDS = 160
TRIES = 6
"""How often a key is asked for: obstore asks again for seconds, and not for transfers that were cut."""
SECONDS_BETWEEN = 1.0
"""After the first time; twice as long after each other."""
_STATUS = re.compile(r"status code: (\d{3})")
_CUT = ("kind: Interrupted", "kind: Body", "body error", "Cannot write to closing", "ContentLength", "payload")
_UNREACHABLE = ("kind: Connect", "error sending request", "Cannot connect", "Name or service", "dns error")
_STATUS_OF = {"PermissionDeniedError": 403, "UnauthenticatedError": 401, "PermissionError": 403}
_LATER = "run the same again later, what is done stays"
_SLOW = ("kind: Timeout", "timed out", "TimeoutError")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
_ELSEWHERE = ("redirect without LOCATION", "AuthorizationHeaderMalformed", "PermanentRedirect")


class RefusedError(UserError):
    """A key may not be read, or is not there in a bucket that may not be listed."""


def explained(url: str, key: str, error: Exception, access: Access, doing: Doing = "read") -> UserError:
    """Say in one line why a key below a URL cannot be read or written."""
    place, status = f"{url}/{key}".rstrip("/"), status_of(error)
    if says(error, _NO_BUCKET):
        return UserError(f"{url}: there is no such bucket; make it, or check the name")
    if says(error, _ELSEWHERE):
        return UserError(f"{url} lies in another region; set AWS_REGION to that of the bucket")
    if status in (401, 403):
        return RefusedError(f"{place} may not be {doing} ({status}); {remedy(url.partition(':')[0], access, doing)}")
    if status is not None:
        return UserError(f"{place} answers {status} again and again; {_LATER}")
    if says(error, _SLOW):
        return UserError(f"{place} does not answer; check the address and the network; {_LATER}")
    if says(error, _UNREACHABLE):
        return UserError(f"{url} cannot be reached; check the address and the network")
    if says(error, _CUT):
        return UserError(f"{place} was cut off again and again; check the network; {_LATER}")
    reason = " ".join(str(error).partition("Debug source")[0].split())[:_MOST_WORDS]
    return UserError(f"{place} cannot be {doing} ({reason or type(error).__name__}); check the address")


def may_pass(error: Exception, has_answered: bool) -> bool:
    """Return whether it may be otherwise in a while: what was cut, and failures of a server that has answered."""
    status = status_of(error)
    if status is not None:
        return has_answered and status not in (401, 403)
    return says(error, _CUT) or (has_answered and says(error, (*_SLOW, *_UNREACHABLE)))


def status_of(error: Exception) -> int | None:
    """Return what a server answered."""
    own = getattr(error, "status", None)  # of aiohttp
    found = _STATUS.search(str(error))
    if isinstance(own, int) or found is not None:
        return int(found[1]) if found is not None else own
    return _STATUS_OF.get(type(error).__name__)


def says(error: Exception, words: tuple[str, ...]) -> bool:
    """Return whether an error holds one of some words."""
    return any(word in f"{type(error).__name__} {error}" for word in words)

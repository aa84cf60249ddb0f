"""What no message shows: passwords in addresses, keys in queries, and values that are called by such a name."""

import re

_END = r"\s'\""
_USER = re.compile(  # up to the last @ of a password, which may hold slashes; digits alone are a port
    rf"([A-Za-z][\w+.-]+:/+)(?:[^{_END}/?@]*:(?!\d+(?:[/?#{_END}]|$))[^{_END}]*@|[^{_END}/?@]*@)"
)
_USER_ALONE = re.compile(rf"(?<![^{_END}(=,\[])(?![A-Za-z]:\\)[^{_END}/@:]+:(?!/)[^{_END}@]+@(?=[\w\[])")
_QUERY = re.compile(rf"([A-Za-z][\w+.-]+:/+[^{_END}?#]*)\?(?!tab=\w+#[\w-]+,)[^{_END}]+")  # a tab is of our own pages
_BEARER = re.compile(rf"(\bbearer\s+)(?!\$\{{)[^{_END}]+", re.IGNORECASE)
_NAMED = re.compile(
    r"((?:\b[\w-]*(?:authorization|token|password|passwd|secret|api[-_]?key)(?:=|['\"]\s*:)|\bauthorization:)\s*['\"]?)"
    rf"(?!\s*(?:bearer\b|\$\{{))[^{_END},;]+",
    re.IGNORECASE,
)
_HIDDEN = "***"
_LONGEST = 8_000
"""Characters of a message, which nobody reads to their end: to look through more takes its square."""

_SECRET_NAME = re.compile(
    r"header|auth|token|passw|pwd|secret|credential|signature|(^|[^a-z])(key|sig|sas)s?([^a-z]|$)|apikey", re.IGNORECASE
)


def without_secrets(text: str) -> str:
    """Return a message without users and passwords of addresses, without queries, and without keys in headers."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rpartition(" ")[0] + " ..."
    text = _USER_ALONE.sub("", _USER.sub(r"\1", text))
    for found in (_QUERY, _BEARER, _NAMED):
        text = found.sub(rf"\1{'?' if found is _QUERY else ''}{_HIDDEN}", text)
    return text


def suggests_secret(name: str) -> bool:
    """Return whether what is called so may be a secret, such as `api_key` or `header`."""
    return _SECRET_NAME.search(name) is not None


def told(value: object, names: tuple[str, ...] = ()) -> str:
    """Return a value as a message shows it, which shows none that may be a secret.

    Args:
        value: What somebody gave.
        names: The keys that lead to it.
    """
    keys = [*names, *(_keys_of(value))]
    return f"a {type(value).__name__} that is not shown" if any(map(suggests_secret, keys)) else repr(value)


def _keys_of(value: object) -> list[str]:
    if isinstance(value, dict):
        return [name for key, part in value.items() for name in (str(key), *_keys_of(part))]
    return [name for part in value for name in _keys_of(part)] if isinstance(value, list | tuple) else []

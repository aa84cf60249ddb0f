"""Strict configuration: the base class, reading YAML, and `key.path=value` overrides."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from weatherml.config.yaml_text import parse_yaml
from weatherml.durations import write_duration
from weatherml.errors import UserError
from weatherml.errors.secrecy import told
from weatherml.errors.wording import listed
from weatherml.registry import Registry, nearest
from weatherml.storage.locations import local_path

ConfigT = TypeVar("ConfigT", bound="Config")


class Config(BaseModel):
    """A frozen, strict record beside what it builds: defaults live here, once; files say only what differs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())

    def __init__(self, **values: Any) -> None:
        """Build in Python.

        Raises:
            UserError: A key is unknown or a value is wrong.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _mistake(type(self), error.errors()) from None

    # Groups within a configuration are built without it, so that an error tells the whole path of its key.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def load_yaml(kind: type[ConfigT], path: str | Path, overrides: Sequence[str] = ()) -> ConfigT:
    """Read a configuration file.

    Args:
        kind: The configuration class.
        path: A YAML file that says what differs from the defaults.
        overrides: `key.path=value` assignments that win over the file; values are YAML.

    Raises:
        UserError: The file is missing, is not YAML, or has an unknown key or a wrong value.
    """
    return from_mapping(kind, read_mapping(path, overrides), str(local_path(path)))


def read_mapping(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read the keys and values of a YAML file, with `key.path=value` assignments applied.

    Raises:
        UserError: The file cannot be read, or holds something else.
    """
    path = local_path(path)
    try:
        content = parse_yaml(path.read_bytes(), f"configuration {path}") or {}
    except OSError as error:
        raise UserError(f"cannot read configuration {path}: {error.strerror}; pass an existing YAML file") from None
    if not isinstance(content, dict):
        raise UserError(f"configuration {path} must hold keys and values, got {type(content).__name__}")
    return apply_overrides(content, overrides)


def from_mapping(kind: type[ConfigT], content: Mapping[str, Any], origin: str = "configuration") -> ConfigT:
    """Validate plain values (as YAML or JSON gives them) into a configuration.

    A group of keys says what differs from that group's default, unless it names another kind (`name: files`).

    Raises:
        UserError: A key is unknown (the near one is suggested) or a value is wrong.
    """
    try:
        # Strict validation of JSON still takes lists for tuples and strings for dates, as YAML writes them.
        return kind.model_validate_json(json.dumps(_over_defaults(kind, content), default=_plain))
    except ValidationError as error:
        raise _mistake(kind, error.errors()).within(f"{origin}: " if origin else "") from None


def from_registry(
    registry: Registry[type[ConfigT]], presets: Mapping[str, ConfigT] = MappingProxyType({})
) -> Callable[[Any], Any]:
    """Return a validator that turns a name, or the mapping a file holds, into the registered configuration.

    Args:
        registry: Classes by name.
        presets: Instances that have a name of their own.
    """

    def look_up(value: Any) -> Any:
        if isinstance(value, str) and value in presets:
            return presets[value]
        if isinstance(value, str) and value not in registry:
            raise UserError(f"unknown {registry.kind} {value!r}{nearest(value, {*registry, *presets})}")
        content = {"name": value} if isinstance(value, str) else value
        if not isinstance(content, Mapping):
            if isinstance(value, Config):
                return value
            known = listed(sorted({*registry, *presets}))
            raise UserError(f"{value!r} says no {registry.kind}; write one with its keys, its name one of {known}")
        if content.get("name") is None:
            known = listed(sorted({*registry, *presets}))
            raise UserError(f"'name' is missing; say which {registry.kind} it is: {known}")
        name = str(content["name"])
        return from_mapping(registry[name], content, name)

    return look_up


def apply_overrides(content: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of `content` with `key.path=value` assignments applied."""
    result: dict[str, Any] = json.loads(json.dumps(content, default=_plain))
    for assignment in overrides:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise UserError(f"override {assignment!r} must read key.path=value")
        _assign(result, path.split("."), parse_yaml(value, f"override {path!r}: the value"))
    return result


def _plain(value: Any) -> Any:
    """Return what stands for a value in JSON: durations, times and numbers as files write them."""
    if isinstance(value, timedelta | np.timedelta64):
        return write_duration(value)
    return value.item() if isinstance(value, np.number) else str(value)


def _assign(tree: dict[str, Any], keys: list[str], value: Any) -> None:
    """Set a value; members of a list are known by their numbers, from 0, and keys of what is unset begin a group."""
    place: Any = tree
    for depth, key in enumerate(keys):
        if not isinstance(place, dict | list):
            raise UserError(f"override {'.'.join(keys)!r}: {keys[depth - 1]!r} is a value, not a group of keys")
        where: Any = _index(place, key, keys) if isinstance(place, list) else key
        if depth == len(keys) - 1:
            place[where] = value
        elif isinstance(place, dict) and place.get(key) is None:
            place[key] = {}
        place = place[where]


def _index(members: list[Any], key: str, keys: list[str]) -> int:
    if not (key.isdecimal() and int(key) < len(members)):
        numbers = f"a number from 0 to {len(members) - 1}" if members else "nothing, for it is empty"
        raise UserError(f"override {'.'.join(keys)!r}: {key!r} is no member of a list; write {numbers}")
    return int(key)


def _over_defaults(kind: type[BaseModel], content: Mapping[str, Any]) -> dict[str, Any]:
    """Fill up groups of keys with the defaults that `kind` has for them."""
    fields = kind.model_fields
    return {key: _over(fields[key].default, value) if key in fields else value for key, value in content.items()}


def _over(default: Any, value: Any) -> Any:
    if not isinstance(default, Config) or not isinstance(value, Mapping):
        return value
    name = getattr(default, "name", None)
    if value.get("name", name) != name:
        return value
    changes = {key: _over(getattr(default, key, None), part) for key, part in value.items()}
    return default.model_dump(mode="json") | changes


def _mistake(kind: type[BaseModel], errors: Sequence[ErrorDetails]) -> UserError:
    """Return what is wrong with a configuration first; what it has raised itself keeps its remedies."""
    # An unknown key first: it may be a missing one that is misspelt.
    error = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    missing = [one for one in errors if one["type"] == "missing"]
    if error["type"] == "missing" and len(missing) > 1:
        names = [repr(".".join(_keys(kind, one["loc"]))) for one in missing]
        return UserError(f"{', '.join(names[:-1])} and {names[-1]} are missing; give them values")
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, UserError):
        where = ".".join(_keys(kind, error["loc"]))
        return raised.within(f"{where}: " if where else "")
    return UserError(_explain(kind, error))


def _explain(kind: type[BaseModel], error: ErrorDetails) -> str:
    where = ".".join(_keys(kind, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}{nearest(str(error['loc'][-1]), _fields_at(kind, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{where!r} is missing; give it a value"
    if error["type"] == "too_short" and not error["ctx"]["actual_length"]:
        return f"{where} is empty; name at least {error['ctx']['min_length']}"
    if error["type"] == "value_error":  # raised by a configuration itself, which names the value
        return f"{where}: {_one_line(error['ctx']['error'])}".removeprefix(": ")
    got = told(error["input"], tuple(map(str, error["loc"])))
    if error["type"] in ("tuple_type", "list_type"):
        return f"{where}: Input should be a list, such as [{got}], got {got}"
    return f"{where or 'value'}: {_one_line(error['msg'])}, got {got}"


def _keys(kind: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """Return the keys that lead to `location` as a file has them: without the tags of unions."""
    keys = []
    for part in map(str, location):
        field = kind.model_fields.get(part)
        tagged = None if field else _tagged(part)
        if tagged is None:
            keys.append(part)
        kind = _config_in(field.annotation, kind) if field else tagged or kind
    return keys


def _fields_at(kind: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """Return the known keys of the group at `location`; union tags and list positions are passed over."""
    for part in location:
        field = kind.model_fields.get(str(part))
        kind = _config_in(field.annotation, kind) if field else _tagged(str(part)) or kind
    return list(kind.model_fields)


def _config_in(annotation: Any, default: type[BaseModel]) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    nested = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
    return nested[0] if nested else default


def _tagged(tag: str) -> type[BaseModel] | None:
    """Return the configuration whose `name` literal is `tag`: a member of a discriminated union."""
    for candidate in _subclasses(Config):
        name = candidate.model_fields.get("name")
        if name is not None and name.default == tag:
            return candidate
    return None


def _subclasses(kind: type[BaseModel]) -> list[type[BaseModel]]:
    return [c for child in kind.__subclasses__() for c in (child, *_subclasses(child))]


def _one_line(message: object) -> str:
    return " ".join(str(message).split())

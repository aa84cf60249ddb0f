"""YAML as people write it: numbers as version 1.2 has them, dates as text, no key twice."""

import json
import re
from typing import Any

import yaml

from weatherml.errors import UserError

_TAG = "tag:yaml.org,2002:"
_NUMBERS = {
    "int": r"[-+]?[0-9]+(_[0-9]+)*|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
_LARGEST_WHOLE = 2**53  # beyond, a float does not tell whole numbers apart
_MOST_ADDED = 1_000_000  # characters and values that aliases may add: each `*name` is a copy of what it names


def parse_yaml(text: str | bytes, name: str) -> Any:
    """Read YAML into values that JSON has, too.

    PyYAML reads version 1.1, where `1e-3` is text, `012` is 10 and `12:30` is 750. Here the first is a number, the
    second is 12, the third is text, and so are dates. A whole number may be written `2e4`. As in 1.1, `1_000` is a
    number, and `yes`, `no`, `on`, `off` are true or false: no text of a configuration reads so.

    Args:
        text: What to read.
        name: What it is, for messages.

    Raises:
        UserError: It is not YAML, a key is there twice, or aliases would make it larger by a million characters.
    """
    try:
        return json.loads(json.dumps(yaml.load(text, _Loader), default=str))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        for mark in (getattr(error, "context_mark", None), getattr(error, "problem_mark", None)):
            if mark is not None:
                mark.buffer = None  # else the line is shown, which may hold a key
        problem = re.sub(r' in "<(byte|unicode) string>",', ",", " ".join(str(error).split()))
        raise UserError(f"{name} is not YAML: {problem}") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the numbers of YAML 1.2."""

    yaml_implicit_resolvers = {  # noqa: RUF012, of the parent
        first: [known for known in forms if known[0] not in {f"{_TAG}{kind}" for kind in ("int", "float", "timestamp")}]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def get_single_node(self) -> yaml.Node | None:
        """Refuse aliases of aliases before they are copied: a few lines would fill the memory."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _added(node) > _MOST_ADDED:
            raise yaml.YAMLError(
                f"its aliases (*name) would make it larger by more than {_MOST_ADDED:,} characters; write out what they"
                " name, or use fewer"
            )
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a key that is there twice, of which PyYAML drops the first."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        known = set()
        for key, _ in node.value:
            if key.value in known and isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key.value!r} is there twice, again in line {line}; put both in one")
            known.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return node

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Read a number; one with an exponent is whole where its value is."""
        text = str(node.value).lower()
        if node.tag.endswith("int"):
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        number = float(text.replace(".inf", "inf").replace(".nan", "nan"))
        is_whole = "e" in text and abs(number) < _LARGEST_WHOLE and number.is_integer()
        return int(number) if is_whole else number


def _added(node: yaml.Node) -> int:
    """Return by how many characters and values a document is larger when aliases are copies of what they name."""
    own: dict[int, int] = {}
    with_copies: dict[int, int] = {}

    def measured(part: yaml.Node) -> int:
        if id(part) not in own:
            is_text = isinstance(part, yaml.ScalarNode)
            own[id(part)] = 1 + (len(part.value) if is_text else 0)
            with_copies[id(part)] = 0  # of what holds itself, which is refused elsewhere
            with_copies[id(part)] = own[id(part)] + sum(map(measured, () if is_text else _parts(part)))
        return with_copies[id(part)]

    return measured(node) - sum(own.values())


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value)


for _kind, _form in _NUMBERS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(f"(?:{_form})$"), list("-+.0123456789"))
    _Loader.add_constructor(f"{_TAG}{_kind}", _Loader.construct_number)

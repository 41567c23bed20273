"""YAML and JSON that somebody else wrote: bounded before they are understood.

A few bytes of YAML stand for millions of values (aliases of aliases), and brackets in
brackets exhaust Python's stack. Here a document is small, flat and finite, or refused.
So is one that says a thing twice: the libraries keep the last, without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import yaml

from sa3dhp import errors

YAML_BYTES = 1 << 20  # a genuine file has some thousand
_DEPTH = 40  # levels of lists and mappings
_VALUES = 200_000  # of a YAML document, aliases written out
_JSON_DEPTH = 200
_DIGITS = 200  # of a whole number, in any base: floats end beyond 300


def parse_yaml(text: str, where: str) -> Any:
    """Returns what a YAML document says.

    Args:
        text: the document.
        where: it is from, for messages.

    Raises:
        InputError: if it is no YAML, or is too long, too deep or, with its aliases
            written out, too large for any genuine one.
    """
    try:
        if len(text) > YAML_BYTES:
            raise ValueError(f"{len(text)} characters, expected at most {YAML_BYTES}")
        _check_size(text)
        return yaml.load(text, _Loader)
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())
        raise errors.InputError(f"{where}: not YAML: {reason}") from None


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, without numbers of a million digits and keys said twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Refuses a key that comes twice; what `<<` brings may be said anew."""
        if isinstance(node, yaml.MappingNode):  # else: the library's own words
            _refuse_twice(
                (key.tag, key.value)
                for key, _ in node.value
                if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge")
            )
        return super().construct_mapping(node, deep)


def _refuse_twice(names: Iterable[tuple[str, str]]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{name[1]!r:.80} is given twice")
        seen.add(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON."""
    _refuse_twice(("", key) for key, _ in pairs)
    return dict(pairs)


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _yaml_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    if len(node.value) > _DIGITS:
        raise ValueError(f"a number of {len(node.value)} digits")
    return loader.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _yaml_int)


def _check_size(text: str) -> None:
    """Walks through the events, of which there are as many as the text is long."""
    sizes: dict[str, int] = {}  # anchor -> values it stands for
    open_ones: list[tuple[str | None, int]] = []  # anchor, values before it
    total = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor or "", _VALUES)  # unknown, or within itself
        elif isinstance(event, yaml.CollectionStartEvent):
            open_ones.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_ones.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if len(open_ones) > _DEPTH:
            raise ValueError(f"more than {_DEPTH} levels of brackets or indentation")
        if total > _VALUES:
            raise ValueError(f"more than {_VALUES} values, or an alias without end")


def parse_json(text: str | bytes, where: str) -> Any:
    """Returns what a JSON document says.

    Raises:
        InputError: if it is no JSON, or too deep.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        _check_depth(text)
        return json.loads(text, parse_int=_whole, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise errors.InputError(f"{where}: not JSON: {reason}") from None


def _check_depth(text: str) -> None:
    """Raises ValueError for brackets in brackets in brackets."""
    depth = 0
    for mark in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        if mark in ("[", "{"):
            depth += 1
            if depth > _JSON_DEPTH:
                raise ValueError(f"more than {_JSON_DEPTH} brackets in brackets")
        elif mark in ("]", "}"):
            depth -= 1

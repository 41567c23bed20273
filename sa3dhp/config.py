"""Reads a configuration: YAML into nested frozen dataclasses, checked key by key.

The dataclasses are a system's own, see `systems/<name>/config.py`. A field says its
range where it stands:

    steps: int = config.positive(300_000, may_change=True)
    card: str = config.changeable("procedural")
    rolled: float = config.share(0.0)
    angle_deg: float = config.signed(50.0)

Any other number is 0 or above. What ties fields to each other is the schema's own
method `check()`, which raises `InputError`. A YAML file holds what differs from the
defaults, or from another file that it names: `base: other.yaml`.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import pathlib
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import yaml

from sa3dhp import documents, errors, files

BASE = "base"  # the key that names the file which a file differs from
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class _Range:
    """What a number may be, in words and as a test."""

    expected: str
    holds: Callable[[float], bool]


_RANGE, _MAY_CHANGE = "range", "may_change"  # keys of a field's metadata
_FROM_0 = _Range("0 or above", lambda x: x >= 0)
_ABOVE_0 = _Range("above 0", lambda x: x > 0)
_SHARE = _Range("a share between 0 and 1", lambda x: 0 <= x <= 1)
_PART = _Range("a share between 0 and 1", lambda x: 0 < x < 1)
_LARGEST = 1 << 53  # beyond, floats leave out whole numbers
_SIGNED = _Range("a finite number", lambda x: True)


def positive(default: T, *, may_change: bool = False) -> T:
    """A field above 0, or a tuple of such numbers.

    Args:
        default: its value.
        may_change: a run that goes on may have another value, see `begin`.
    """
    return dataclasses.field(
        default=default, metadata={_RANGE: _ABOVE_0, _MAY_CHANGE: may_change}
    )


def changeable(default: T) -> T:
    """A field that a run that goes on may have another value of, see `begin`."""
    return dataclasses.field(default=default, metadata={_MAY_CHANGE: True})


def share(default: T, *, inside: bool = False) -> T:
    """A field from 0 to 1; with `inside` neither of them."""
    return dataclasses.field(
        default=default, metadata={_RANGE: _PART if inside else _SHARE}
    )


def signed(default: T) -> T:
    """A field that may be negative."""
    return dataclasses.field(default=default, metadata={_RANGE: _SIGNED})


def load(
    schema: type[T],
    path: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
) -> T:
    """Reads a YAML file of differences, then `section.key=value` overrides.

    Args:
        schema: a frozen dataclass of such and of values, each with a default.
        path: the file; None for the defaults.
        overrides: such as `"training.seed=3"`; the value is YAML.

    Raises:
        InputError: for a missing or malformed file, a base that is missing or leads
            back to its file, an unknown key (names the nearest one), a value of the
            wrong type or out of range.
    """
    config: Any = schema()
    known = _keys(schema)
    for file in [] if path is None else _chain(pathlib.Path(path)):
        config = _merge(config, file.values, "", str(file.path), known)
    for override in overrides:
        key, sign, text = override.partition("=")
        where = f"--set {override}"
        if not (sign and key):
            raise errors.InputError(f"{where}: expected section.key=value")
        tree = documents.parse_yaml(text, where)
        for part in reversed(key.strip().split(".")):
            tree = {part: tree}
        config = _merge(config, tree, "", where, known)
    _check_ranges(config)
    if hasattr(config, "check"):
        config.check()
    return config


def dump(config: Any, path: str | os.PathLike[str]) -> None:
    """Writes every value of `config`; `load(type(config), path)` gives it back."""
    files.write_text(path, to_yaml(config))


def of_run(schema: type[T], workdir: str | os.PathLike[str], system: str) -> T:
    """Returns the configuration that a system's run was begun with.

    Args:
        schema: as of `load`.
        workdir: of the run.
        system: that it belongs to, for the message.

    Raises:
        InputError: if there is no run.
    """
    path = pathlib.Path(workdir) / "config.yaml"
    if not path.is_file():
        raise errors.InputError(
            f"{path} is missing: give the --workdir of tools/pretrain.py "
            f"--system={system}"
        )
    return load(schema, path)


def begin(config: Any, workdir: str | os.PathLike[str]) -> None:
    """Writes `<workdir>/config.yaml`, or checks that the run there has the same.

    What is declared with `may_change`, or is `changeable`, may change when a run goes
    on: the steps to do, how often to report, and what it is measured on.

    Raises:
        InputError: if the folder holds a run of another configuration.
    """
    path = pathlib.Path(workdir) / "config.yaml"
    if path.is_file():
        changed = [
            text
            for field, text in _differences(load(type(config), path), config)
            if not field.metadata.get(_MAY_CHANGE)
        ]
        if changed:
            raise errors.InputError(
                f"{path}: a run of another configuration ({'; '.join(changed)}); "
                "use another --workdir"
            )
    files.preface(path)
    dump(config, path)


def to_yaml(config: Any) -> str:
    """Every value of `config` as YAML, sections and keys in their order."""
    plain = _plain(dataclasses.asdict(config))
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=None)


def differences(ours: T, theirs: T) -> list[str]:
    """The values that differ, each as `section.key: ours -> theirs`."""
    return [text for _, text in _differences(ours, theirs)]


def _differences(ours: Any, theirs: Any) -> Iterator[tuple[dataclasses.Field, str]]:
    for (path, field, a), (_, _, b) in zip(_leaves(ours), _leaves(theirs)):
        if a != b:
            yield field, f"{path}: {a} -> {b}"


def _leaves(
    node: Any, prefix: str = ""
) -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Full name, field and value of everything that is no section."""
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field, value


def _plain(value: Any) -> Any:
    """Tuples, which YAML does not know, as lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(map(_plain, value)) if isinstance(value, (list, tuple)) else value


class _File(typing.NamedTuple):
    """What one file says, its base apart."""

    path: pathlib.Path
    values: Any


def _chain(path: pathlib.Path, above: tuple[pathlib.Path, ...] = ()) -> list[_File]:
    """The file and all that it builds upon, the lowest first."""
    values = _read(path)
    if not (isinstance(values, Mapping) and BASE in values):
        return [_File(path, values)]
    name, asking = values[BASE], (*above, path)
    if not isinstance(name, str):
        raise _wrong(f"{path}: {BASE}", name, "the name of a YAML file")
    base = path.parent / name
    if not base.is_file():
        raise errors.InputError(f"{path}: {BASE}: {base}: no such configuration file")
    if base.resolve() in [file.resolve() for file in asking]:
        circle = " -> ".join(file.name for file in (*asking, base))
        raise errors.InputError(
            f"{path}: {BASE}: got {name!r}, which builds upon this file ({circle}); "
            "expected one that does not"
        )
    rest = {key: value for key, value in values.items() if key != BASE}
    return [*_chain(base, asking), _File(path, rest)]


def _read(path: pathlib.Path) -> Any:
    if not path.is_file():
        raise errors.InputError(
            f"{path}: no such configuration file; give one of your own, or one that "
            "comes with the program, such as configs/procedural.yaml"
        )
    text = files.read_bounded(path, documents.YAML_BYTES).decode("utf-8", "replace")
    return documents.parse_yaml(text, str(path)) or {}


def _merge(
    node: Any, values: Any, prefix: str, where: str, known: Sequence[str]
) -> Any:
    """Replaces the fields of the dataclass `node` that `values` names."""
    if not isinstance(values, Mapping):
        name = prefix.rstrip(".") or "the file"
        raise errors.InputError(
            f"{where}: {name}: got {values!r}, expected a mapping of keys to values"
        )
    types = typing.get_type_hints(type(node))
    changes = {}
    for key, value in values.items():
        full = f"{prefix}{key}"
        if key not in types:
            near = difflib.get_close_matches(full, known, n=1, cutoff=0.0)[0]
            raise errors.InputError(
                f"{where}: unknown key {full}; did you mean {near}?"
            )
        current = getattr(node, key)
        if dataclasses.is_dataclass(current):
            changes[key] = _merge(current, value, f"{full}.", where, known)
        else:
            changes[key] = _convert(value, types[key], f"{where}: {full}")
    return dataclasses.replace(node, **changes)


def _convert(value: Any, kind: Any, where: str) -> Any:
    """Checks `value` against a field's type; ints pass for floats, lists for tuples."""
    if typing.get_origin(kind) is Literal:
        if value not in (choices := typing.get_args(kind)):
            raise _wrong(where, value, " or ".join(map(repr, choices)))
        return value
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong(where, value, _list_words(value, where))
        return tuple(_convert(item, typing.get_args(kind)[0], where) for item in value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _merge(kind(), value, "", where, _keys(kind))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        names = {int: "a whole number", float: "a number", bool: "true or false"}
        raise _wrong(where, value, names.get(kind, "a text in quotes"))
    return value


def _list_words(value: Any, where: str) -> str:
    """What a list is, and what was meant in quotes, for shells read brackets too."""
    name, items = where.rpartition(" ")[2], str(value).split(",")
    meant = ", ".join(item.strip() for item in items if item.strip())
    return f"a list, such as [a, b]; on a command line --set='{name}=[{meant}]'"


def _wrong(where: str, value: Any, expected: str) -> errors.InputError:
    hint = ""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", value):
        hint = f"; YAML takes it for a text: write {_spelt(value)}"
    return errors.InputError(f"{where}: got {value!r:.200}, expected {expected}{hint}")


def _spelt(text: str) -> str:
    """`1e-4` as YAML's numbers are written: `1.0e-4`."""
    mantissa, exponent = re.split("[eE]", text)
    mantissa += "" if "." in mantissa else ".0"
    return f"{mantissa}e{'' if exponent[0] in '+-' else '+'}{exponent}"


def _keys(schema: Any, prefix: str = "") -> list[str]:
    """All names that a file may use: of the sections, then in them."""
    found, inner = [], []
    types = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        found.append(f"{prefix}{field.name}")
        if dataclasses.is_dataclass(types[field.name]):
            inner += _keys(types[field.name], f"{prefix}{field.name}.")
    return found + inner


def _check_ranges(node: Any, prefix: str = "") -> None:
    """Every number is finite and in the range that its field says."""
    for path, field, value in _leaves(node, prefix):
        allowed = field.metadata.get(_RANGE, _FROM_0)
        for item in value if isinstance(value, tuple) else (value,):
            if dataclasses.is_dataclass(item):
                _check_ranges(item, f"{path}.")
            elif isinstance(item, (int, float)) and not isinstance(item, bool):
                if not (abs(item) < _LARGEST and allowed.holds(item)):  # no NaN
                    expected = allowed.expected
                    if allowed.holds(item):
                        expected += f", up to {_LARGEST:.1g}"
                    raise errors.InputError(f"{path}: got {item}, expected {expected}")

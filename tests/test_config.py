"""The loader: what is written is read, and nothing else is accepted."""

from __future__ import annotations

import dataclasses
from typing import Literal

import pytest

from sa3dhp import config, errors


@dataclasses.dataclass(frozen=True)
class Piece:
    """Stands in a list."""

    name: str = ""
    angle: float = config.signed(0.0)


@dataclasses.dataclass(frozen=True)
class Inner:
    """A section in a section."""

    gain: float = 0.0


@dataclasses.dataclass(frozen=True)
class Part:
    """A section."""

    steps: int = config.positive(10, may_change=True)
    widths: tuple[int, ...] = config.positive((4, 8))
    rate: float = 1e-4
    mixed: float = config.share(0.0)
    held: float = config.share(0.5, inside=True)
    tilt: float = config.signed(0.0)
    on: bool = False
    mode: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ("x",)
    pieces: tuple[Piece, ...] = ()
    inner: Inner = Inner()


@dataclasses.dataclass(frozen=True)
class Schema:
    """A configuration that no system has."""

    part: Part = Part()
    title: str = "none"
    low: int = 1
    high: int = 2

    def check(self) -> None:
        """What ties two values to each other."""
        if self.low > self.high:
            raise errors.InputError(f"low: got {self.low}, expected at most high")


def _load(*overrides):
    return config.load(Schema, None, overrides)


def _file(folder, text, name="c.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_defaults_need_no_file():
    assert config.load(Schema) == Schema()


def test_file_then_overrides_replace_single_values_at_any_depth(tmp_path):
    path = _file(tmp_path, "part: {steps: 3, inner: {gain: 2}}\ntitle: t\n")
    loaded = config.load(Schema, path, ("part.steps=4", "part.inner.gain=3.5"))
    part = dataclasses.replace(Part(), steps=4, inner=Inner(3.5))
    assert loaded == Schema(part, title="t")


def test_dump_then_load_is_identity(tmp_path):
    ours = _load(
        "part.pieces=[{name: p, angle: -5}]",
        "part.rate=2.5e-05",
        "part.inner.gain=1",
        "title='7'",
    )
    config.dump(ours, tmp_path / "new" / "c.yaml")
    assert config.load(Schema, tmp_path / "new" / "c.yaml") == ours
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["c.yaml"]
    assert config.to_yaml(ours).splitlines()[:2] == ["part:", "  steps: 10"]


def test_whole_numbers_pass_for_floats_and_become_them():
    value = _load("part.tilt=25").part.tilt
    assert value == 25.0 and isinstance(value, float)


def test_differences_name_the_key_and_both_values():
    other = _load("part.inner.gain=3", "low=0")
    assert config.differences(Schema(), other) == [
        "part.inner.gain: 0.0 -> 3.0",
        "low: 1 -> 0",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("part.stes=3", "unknown key part.stes; did you mean part.steps?"),
        ("prt.steps=3", "unknown key prt; did you mean part?"),
        ("part.inner.gin=3", "unknown key part.inner.gin; did you mean part.inner.g"),
        ("part.pieces=[{nam: p}]", "unknown key nam; did you mean name?"),
        ("base=other.yaml", "unknown key base"),
        ("part.steps.x=3", "part.steps: got {'x': 3}, expected a whole number"),
        ("part=3", "part: got 3, expected a mapping of keys to values"),
        ("part.steps=3.5", "part.steps: got 3.5, expected a whole number"),
        ("part.steps=true", "part.steps: got True, expected a whole number"),
        ("part.on=1", "part.on: got 1, expected true or false"),
        ("part.rate=fast", "part.rate: got 'fast', expected a number"),
        ("title=3", "title: got 3, expected a text in quotes"),
        ("part.names=z1", "part.names: got 'z1', expected a list, such as [a, b]"),
        ("part.names=z1,z2", "on a command line --set='part.names=[z1, z2]'"),
        ("part.widths=[8, a]", "part.widths: got 'a', expected a whole number"),
        ("part.mode=c", "part.mode: got 'c', expected 'a' or 'b'"),
        ("low=-1", "low: got -1, expected 0 or above"),
        ("part.steps=0", "part.steps: got 0, expected above 0"),
        ("part.widths=[4, 0]", "part.widths: got 0, expected above 0"),
        ("part.rate=.nan", "part.rate: got nan, expected 0 or above"),
        ("part.tilt=-.inf", "part.tilt: got -inf, expected a finite number"),
        ("part.pieces=[{angle: .inf}]", "part.pieces.angle: got inf, expected a fin"),
        ("part.inner.gain=-1", "part.inner.gain: got -1.0, expected 0 or above"),
        ("part.mixed=1.5", "part.mixed: got 1.5, expected a share between 0 and 1"),
        ("part.mixed=-0.5", "part.mixed: got -0.5, expected a share between 0 and 1"),
        ("part.held=1.0", "part.held: got 1.0, expected a share between 0 and 1"),
        ("part.held=0", "part.held: got 0.0, expected a share between 0 and 1"),
        ("low=3", "low: got 3, expected at most high"),
        ("part.steps", "--set part.steps: expected section.key=value"),
        ("part.rate=[", "--set part.rate=[: not YAML"),
    ],
)
def test_bad_override_is_one_line_with_its_remedy(override, message):
    with pytest.raises(errors.InputError) as caught:
        _load(override)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("override", ["part.mixed=0", "part.mixed=1", "part.tilt=-3"])
def test_borders_of_a_range_belong_to_it(override):
    assert _load(override)


@pytest.mark.parametrize(
    ("text", "spelt"), [("1e-4", "1.0e-4"), ("2.5e5", "2.5e+5"), ("1E-4", "1.0e-4")]
)
def test_exponent_that_yaml_reads_as_text_says_how_to_write_it(tmp_path, text, spelt):
    path = _file(tmp_path, f"part:\n  rate: {text}\n")
    with pytest.raises(errors.InputError, match=f"write {spelt.replace('+', '[+]')}$"):
        config.load(Schema, path)
    assert _load(f"part.rate={spelt}").part.rate


def test_missing_malformed_and_misshapen_files_are_named(tmp_path):
    with pytest.raises(errors.InputError, match=r"none.yaml: no such configuration"):
        config.load(Schema, tmp_path / "none.yaml")
    with pytest.raises(errors.InputError, match=r"c.yaml: not YAML"):
        config.load(Schema, _file(tmp_path, "a: [1, 2\nb: }"))
    with pytest.raises(
        errors.InputError, match=r"the file: got \['a'\], expected a ma"
    ):
        config.load(Schema, _file(tmp_path, "- a"))
    assert config.load(Schema, _file(tmp_path, "# nothing\n")) == Schema()


def test_a_file_differs_from_its_base_and_that_from_its_own(tmp_path):
    (tmp_path / "deep").mkdir()
    _file(tmp_path, "part: {steps: 1, rate: 1.0, tilt: 1.0}\n", "low.yaml")
    _file(tmp_path, "base: ../low.yaml\npart: {steps: 2, rate: 2.0}\n", "deep/mid.yaml")
    top = _file(tmp_path, "base: deep/mid.yaml\npart: {steps: 3}\n", "top.yaml")
    loaded = config.load(Schema, top, ("part.mixed=1",)).part
    assert (loaded.steps, loaded.rate, loaded.tilt) == (3, 2.0, 1.0)
    assert loaded.mixed == 1.0
    only = _file(tmp_path, "base: top.yaml\n", "only.yaml")
    assert config.load(Schema, only) == config.load(Schema, top)


def test_a_base_that_cannot_be_is_named(tmp_path):
    for text, message in (
        ("base: none.yaml", r"c.yaml: base: .*none.yaml: no such configuration file$"),
        ("base: 3", r"c.yaml: base: got 3, expected the name of a YAML file$"),
        ("base: c.yaml", r"base: got 'c.yaml', .* this file \(c.yaml -> c.yaml\)"),
    ):
        with pytest.raises(errors.InputError, match=message):
            config.load(Schema, _file(tmp_path, text))
    _file(tmp_path, "base: b.yaml", "a.yaml")
    circle = _file(tmp_path, "base: a.yaml", "b.yaml")
    with pytest.raises(errors.InputError, match=r"a.yaml: .*b.yaml -> a.yaml -> b.y"):
        config.load(Schema, circle)
    _file(tmp_path, "part: {stes: 1}", "bad.yaml")
    with pytest.raises(errors.InputError, match=r"bad.yaml: unknown key part.stes"):
        config.load(Schema, _file(tmp_path, "base: bad.yaml"))


def test_a_folder_holds_one_configuration_but_for_what_may_change(tmp_path):
    config.begin(Schema(), tmp_path)
    more = _load("part.steps=9")
    config.begin(more, tmp_path)
    assert config.load(Schema, tmp_path / "config.yaml") == more
    with pytest.raises(errors.InputError) as caught:
        config.begin(_load("part.inner.gain=5", "part.steps=8"), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'config.yaml'}: a run of another configuration "
        "(part.inner.gain: 0.0 -> 5.0); use another --workdir"
    )
    assert config.load(Schema, tmp_path / "config.yaml") == more

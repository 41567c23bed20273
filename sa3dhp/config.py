"""The configuration of a run: nested frozen dataclasses, read once, in one place.

A default is the paper's value where the papers give one ([M], [S], [P]; [W] the public
code they build on), and our own decision ([D]) elsewhere. A YAML file in `configs/`
holds only what differs. Only `training/build.py`, `training/data.py` and the tools read
this; networks, losses and steps get plain arguments.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import pathlib
import re
import tempfile
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import yaml

from sa3dhp import errors

_POSITIVE = re.compile(
    r".*(steps|_every|_size|_units|_channels|_frames|_stride|_clips|_widths|_batch|views)"
    r"|pairs|temperature|fps"
)


@dataclasses.dataclass(frozen=True)
class Data:
    """What is learnt from, and on which side of the domain gap it lies."""

    # Poses that belong to no image: the embedded world's, CMU's files, or prepared.
    unpaired: Literal["procedural", "cmu", "prepared"] = "cmu"
    unpaired_path: str = ""  # folder of the motion capture; unused if procedural
    held_out_subjects: tuple[str, ...] = ()  # of it: kept from the priors, to test
    views: int = 4  # cameras that captured motions are seen from, each [D]
    mixed: float = 0.0  # share of captured limbs that come from another motion [D]
    source: Literal["procedural", "prepared"] = "procedural"  # labelled images
    source_paths: tuple[str, ...] = ()  # prepared folders, drawn from equally [D]
    # Unlabelled clips.
    target: Literal["procedural", "videos", "prepared"] = "procedural"
    target_path: str = ""  # folder of videos, or a prepared one
    labelled_subjects: tuple[str, ...] = ()  # of a prepared target: semi-supervised
    evaluation_path: str = ""  # prepared folder whose test split measures; or none
    evaluation_card: str = "procedural"  # the protocol of the results
    source_domain: str = "studio"  # of the embedded world (design 9)
    target_domain: str = "street"
    image_size: int = 224  # px, what the network sees ([S])
    stored_size: int = 320  # px, with the margin that rotations bring in [D]
    clip_frames: int = 30  # T ([S] 5b)
    fps: float = 30.0  # Hz ([M] 4)
    unpaired_clips: int = 4000  # procedural only: motions in the unpaired set [D]
    rolled: float = 0.5  # share of unpaired bodies seen rolled [D]
    labelled: float = 0.0  # the same as a share of the target clips
    target_clips: int = 200  # procedural only: unlabelled clips to adapt to [D]
    evaluation_clips: int = 50  # procedural only: labelled, only ever measured on [D]


@dataclasses.dataclass(frozen=True)
class ImageEncoder:
    """G ([S] Fig. 1A)."""

    weights: str = "imagenet"  # 'imagenet', 'none', or a Keras weights file ([S])
    head_stride: int = 2  # of the first 3x3 convolution [D]
    head_channels: tuple[int, ...] = (256, 256, 128)  # [D]
    head_units: int = 512  # of the dense blocks [D]


@dataclasses.dataclass(frozen=True)
class PoseAutoencoder:
    """E_p, D_p and the discriminator ([P] eq. 1)."""

    steps: int = 300_000  # [D]
    batch_size: int = 32  # poses ([P])
    learning_rate: float = 1e-4  # Adam ([P])
    cycle_weight: float = 100.0  # ([W])
    local_weight: float = 0.0  # of the local vectors in the cycle; the paper has none
    adversarial_weight: float = 5.0  # ([W])


@dataclasses.dataclass(frozen=True)
class MotionAutoencoder:
    """E_m, D_m and the discriminator ([S] 5b)."""

    steps: int = 100_000  # [D]
    batch_size: int = 32  # clips [D]
    learning_rate: float = 1e-4  # Adam [D]
    latent_weight: float = 1.0  # of the sequence of latents [D]
    joints_weight: float = 1.0  # of the decoded joints, in 250 mm [D]
    adversarial_weight: float = 0.0  # 0 is reconstruction alone ([S] 5b)


@dataclasses.dataclass(frozen=True)
class Source:
    """G^s, the supervised source model ([M] Alg. 1, step 3)."""

    steps: int = 200_000  # [D]
    batch_size: int = 32  # images [D]
    learning_rate: float = 1e-4  # Adam [D]
    joints_weight: float = 1.0  # of the distance of the joints, in 100 mm
    latent_weight: float = 0.0  # of |G(x) - E_p(y)|; the paper has none
    augmentation: float = 1.0  # strength of the changes of light and colour [D]
    rolled: float = 0.5  # share of pictures turned as a whole [D]
    clip_norm: float = 0.0  # largest norm of the gradient; 0 for no limit [D]
    ema: float = 0.0  # momentum of the weights' moving average; 0 for none [D]


@dataclasses.dataclass(frozen=True)
class ComposedRule:
    """A rule made of named pieces; what is left out does not happen."""

    id: str = ""  # its name in `relations.rules` and `adaptation.terms`
    flip: bool = False  # the partner is mirrored
    angle_deg: float = 0.0  # and then turned in the image plane
    backward: bool = False  # its time is reversed
    slow: bool = False  # it runs at half the anchor's speed
    space: Literal["auto", "pose", "motion"] = "auto"  # auto: motion if time changes


@dataclasses.dataclass(frozen=True)
class Relations:
    """T_3^z, T_2^v, T_3^v ([M] 3.3)."""

    rules: tuple[str, ...] = ("z3", "v2", "v3")  # ([M] 3.3), or ids of `custom`
    custom: tuple[ComposedRule, ...] = ()  # rules of your own; see tools/rules.py
    theta_deg: float = 50.0  # in-plane angle, degrees ([S] Table 2)
    pairs: int = 50_000  # latent pairs, encoded once for each rule [D]
    steps: int = 20_000  # for each rule [D]
    batch_size: int = 256  # pairs [D]
    learning_rate: float = 1e-3  # Adam [D]
    pose_widths: tuple[int, ...] = (256, 256, 256, 32)  # [D]
    motion_widths: tuple[int, ...] = (512, 512, 512, 128)  # [D]


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Part B: only one block of G moves ([M] Alg. 1, step 7)."""

    terms: tuple[str, ...] = ("cr", "z3", "v2", "v3")  # ([M] eq. 1-3)
    steps: int = 2_000  # updates of all terms together [D]
    clips_per_batch: int = 8  # videos x 30 frames ([S])
    pose_frames: int = 30  # of these, that pose rules look at [D]
    learning_rate: float = 1e-5  # one Adam for each term [D]
    contrastive_rate: float = 0.0  # learning rate of L_CR; 0: that of the others [D]
    temperature: float = 1.0  # of the softmax in [M] eq. 1 [D]
    normalise: bool = False  # cosine instead of the dot product of [M] eq. 1
    trainable_block: Literal["res2", "res3", "res4", "all", "batch_norm"] = (
        "res3"  # ([S] Alg. 1)
    )
    augmentation: float = 0.5  # strength of A(x) in [M] eq. 1 [D]
    teacher_momentum: float = 0.0  # 0: the partner's side has no teacher ([M])
    evaluate_every: int = 40  # updates between looks at the monitors [D]
    held_out: float = 0.2  # share of the target clips only the monitors see [D]
    select: Literal["label_free", "oracle", "last"] = "label_free"  # step kept [D]


@dataclasses.dataclass(frozen=True)
class Training:
    """What all stages share."""

    seed: int = 0
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    schedule: Literal["constant", "cosine"] = "constant"  # of the learning rates
    log_every: int = 50  # steps a logged term is averaged over
    checkpoint_every: int = 500  # steps


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything a run depends on, but the code and the data."""

    data: Data = Data()
    image_encoder: ImageEncoder = ImageEncoder()
    pose_autoencoder: PoseAutoencoder = PoseAutoencoder()
    motion_autoencoder: MotionAutoencoder = MotionAutoencoder()
    source: Source = Source()
    relations: Relations = Relations()
    adaptation: Adaptation = Adaptation()
    training: Training = Training()


def load(
    path: str | os.PathLike | None = None, overrides: Sequence[str] = ()
) -> Config:
    """Reads a YAML file of differences, then `section.key=value` overrides.

    Args:
        path: the file; None for the defaults.
        overrides: such as `"training.seed=3"`; the value is YAML.

    Raises:
        InputError: for a missing or malformed file, an unknown key (names the nearest
            one), a value of the wrong type or out of range.
    """
    config = Config()
    if path is not None:
        config = _merge(config, _read(pathlib.Path(path)), "", str(path))
    for override in overrides:
        key, sign, text = override.partition("=")
        where = f"--set {override}"
        if not (sign and key):
            raise errors.InputError(f"{where}: expected section.key=value")
        tree = _parse(text, where)
        for part in reversed(key.strip().split(".")):
            tree = {part: tree}
        config = _merge(config, tree, "", where)
    _check(config)
    return config


def with_rule(config: Config, path: str | os.PathLike) -> Config:
    """Adds the composed rule of a YAML file, see `ComposedRule`, and adapts by it.

    Raises:
        InputError: as `load`, or if the file gives no id or one that is taken.
    """
    path, relations = pathlib.Path(path), config.relations
    rule = _merge(ComposedRule(), _read(path), "", str(path))
    taken = {*relations.rules, *(other.id for other in relations.custom)}
    if not rule.id or rule.id in taken:
        raise errors.InputError(
            f"{path}: id: got {rule.id!r}, expected a name that is not "
            f"{' or '.join(sorted(taken))}"
        )
    relations = dataclasses.replace(
        relations,
        rules=(*relations.rules, rule.id),
        custom=(*relations.custom, rule),
    )
    adaptation = dataclasses.replace(
        config.adaptation, terms=(*config.adaptation.terms, rule.id)
    )
    return dataclasses.replace(config, relations=relations, adaptation=adaptation)


def dump(config: Config, path: str | os.PathLike) -> None:
    """Writes every value of `config`; `load(path)` gives it back."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(to_yaml(config))
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def begin(config: Config, workdir: str | os.PathLike) -> None:
    """Writes `<workdir>/config.yaml`, or checks that the run there has the same.

    The steps to do and how often to report may change when a run goes on.

    Raises:
        InputError: if the folder holds a run of another configuration.
    """
    path = pathlib.Path(workdir) / "config.yaml"
    if path.is_file():
        changed = [
            difference
            for difference in differences(load(path), config)
            if not re.match(r"[a-z_]+\.(steps|[a-z]+_every):", difference)
        ]
        if changed:
            raise errors.InputError(
                f"{path}: a run of another configuration ({'; '.join(changed)}); "
                "use another --workdir"
            )
    dump(config, path)


def to_yaml(config: Config) -> str:
    """Every value of `config` as YAML, sections and keys in their order."""
    sections = {
        name: {key: list(v) if isinstance(v, tuple) else v for key, v in x.items()}
        for name, x in dataclasses.asdict(config).items()
    }
    return yaml.safe_dump(sections, sort_keys=False, default_flow_style=None)


def differences(ours: Config, theirs: Config) -> list[str]:
    """The values that differ, each as `section.key: ours -> theirs`."""
    found = []
    for section in dataclasses.fields(Config):
        a, b = getattr(ours, section.name), getattr(theirs, section.name)
        for field in dataclasses.fields(a):
            x, y = getattr(a, field.name), getattr(b, field.name)
            if x != y:
                found.append(f"{section.name}.{field.name}: {x} -> {y}")
    return found


def _read(path: pathlib.Path) -> Any:
    if not path.is_file():
        raise errors.InputError(f"{path}: no such configuration file")
    return _parse(path.read_text(encoding="utf-8", errors="replace"), str(path)) or {}


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise errors.InputError(f"{where}: not YAML: {reason}") from None


def _merge(node: Any, values: Any, prefix: str, where: str) -> Any:
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
            near = difflib.get_close_matches(full, _keys(), n=1, cutoff=0.0)[0]
            raise errors.InputError(
                f"{where}: unknown key {full}; did you mean {near}?"
            )
        current = getattr(node, key)
        if dataclasses.is_dataclass(current):
            changes[key] = _merge(current, value, f"{full}.", where)
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
            raise _wrong(where, value, "a list, such as [a, b]")
        return tuple(_convert(item, typing.get_args(kind)[0], where) for item in value)
    if dataclasses.is_dataclass(kind):
        return _merge(kind(), value, "", where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        names = {int: "a whole number", float: "a number", bool: "true or false"}
        raise _wrong(where, value, names.get(kind, "a text in quotes"))
    return value


def _wrong(where: str, value: Any, expected: str) -> errors.InputError:
    hint = ""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", value):
        hint = f"; YAML takes it for a text: write {_spelt(value)}"
    return errors.InputError(f"{where}: got {value!r}, expected {expected}{hint}")


def _spelt(text: str) -> str:
    """`1e-4` as YAML's numbers are written: `1.0e-4`."""
    mantissa, exponent = re.split("[eE]", text)
    mantissa += "" if "." in mantissa else ".0"
    return f"{mantissa}e{'' if exponent[0] in '+-' else '+'}{exponent}"


def _keys() -> list[str]:
    sections = dataclasses.fields(Config)
    names = [x.name for x in (*sections, *dataclasses.fields(ComposedRule))]
    return names + [
        f"{s.name}.{f.name}" for s in sections for f in dataclasses.fields(s.default)
    ]


def _check(config: Config) -> None:
    """No value is negative or infinite; sizes and counts are at least one."""
    for section in dataclasses.fields(config):
        node = getattr(config, section.name)
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, (int, float)) and not isinstance(item, bool):
                    low = 1e-9 if _POSITIVE.fullmatch(field.name) else 0
                    if not (math.isfinite(item) and item >= low):
                        expected = "above 0" if low else "0 or above"
                        raise errors.InputError(
                            f"{section.name}.{field.name}: got {item}, "
                            f"expected {expected}"
                        )
    data = config.data
    if data.stored_size < data.image_size:
        raise errors.InputError(
            f"data.stored_size: got {data.stored_size}, expected at least "
            f"data.image_size = {data.image_size}"
        )
    if data.mixed > 1:
        raise _wrong("data.mixed", data.mixed, "a share between 0 and 1")
    held_out = config.adaptation.held_out
    if not 0 < held_out < 1:
        raise _wrong("adaptation.held_out", held_out, "a share between 0 and 1")

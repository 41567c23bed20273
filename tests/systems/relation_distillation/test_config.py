"""The configuration of the system: its ranges, its files, its lists."""

import dataclasses
import pathlib

import pytest

from sa3dhp import errors, systems
from sa3dhp.systems.relation_distillation import config

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "configs"
OTHERS = systems.NAMES[1:]  # whose files begin with their name
CONFIGS = sorted(p for p in FOLDER.glob("*.yaml") if not p.stem.startswith(OTHERS))


def test_shipped_configurations_are_found():
    assert len(CONFIGS) >= 9


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_shipped_configuration_loads_and_says_how_it_is_run(path):
    config.load(path)
    header = path.read_text().splitlines()[0]
    assert header.startswith("# "), "the header gives command and result"
    assert "python tools/" in path.read_text()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.sed=3", "unknown key training.sed; did you mean training.seed?"),
        ("trainig.seed=3", "unknown key trainig; did you mean training?"),
        ("training.precision=half", "got 'half', expected 'auto' or 'float32' or"),
        ("image_encoder.batch_norm=off", "image_encoder.batch_norm: got False, exp"),
        ("training.seed=-1", "training.seed: got -1, expected 0 or above"),
        ("source.steps=0", "source.steps: got 0, expected above 0"),
        ("relations.pairs=0", "relations.pairs: got 0, expected above 0"),
        ("relations.pose_widths=[8, 0]", "relations.pose_widths: got 0, expected ab"),
        ("adaptation.temperature=0.0", "adaptation.temperature: got 0.0, expected ab"),
        ("adaptation.learning_rate=.nan", "got nan, expected 0 or above"),
        ("data.fps=0", "data.fps: got 0.0, expected above 0"),
        ("data.mixed=1.5", "data.mixed: got 1.5, expected a share between 0 and 1"),
        ("data.mirrored=2", "data.mirrored: got 2.0, expected a share"),
        ("source.mirrored=-1", "source.mirrored: got -1.0, expected a share"),
        ("data.rolled=1.1", "data.rolled: got 1.1, expected a share"),
        ("source.rolled=1.1", "source.rolled: got 1.1, expected a share"),
        ("adaptation.held_out=1.0", "expected a share between 0 and 1"),
        ("adaptation.held_out=0", "expected a share between 0 and 1"),
        ("data.stored_size=100", "expected at least data.image_size = 224"),
        ("source.points_weight=1.0", "source.points_weight: got 1.0, expected 0"),
        ("source.frozen_up_to=res3", "source.frozen_up_to: got res3, expected nothing"),
    ],
)
def test_a_value_out_of_range_is_one_line_with_its_remedy(override, message):
    with pytest.raises(errors.InputError) as caught:
        config.load(None, (override,))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_count_and_size_is_above_0_and_every_share_at_most_1():
    """Nothing that divides, allocates or draws takes a 0, whatever its section."""
    counts = ("steps", "_every", "_size", "_units", "_stride", "clips", "views", "fps")
    for section, values in dataclasses.asdict(config.Config()).items():
        for key in values:
            if key.endswith(counts) or key == "clips_per_batch":
                with pytest.raises(errors.InputError, match="expected above 0"):
                    config.load(None, (f"{section}.{key}=0",))
            if key in ("rolled", "mirrored", "mixed", "labelled"):
                with pytest.raises(errors.InputError, match="expected a share"):
                    config.load(None, (f"{section}.{key}=1.01",))


def test_steps_and_reports_of_a_run_may_change_and_nothing_else(tmp_path):
    config.begin(config.Config(), tmp_path)
    free = ("source.steps=9", "training.log_every=2", "adaptation.evaluate_every=7")
    config.begin(config.load(None, free), tmp_path)
    with pytest.raises(
        errors.InputError, match=r"training.seed: 0 -> 5\); use another"
    ):
        config.begin(config.load(None, ("training.seed=5",)), tmp_path)
    with pytest.raises(errors.InputError, match=r"relations.pairs: 50000 -> 7\)"):
        config.begin(config.load(None, ("relations.pairs=7",)), tmp_path)


def test_every_value_is_frozen():
    for section in dataclasses.fields(config.Config):
        node = getattr(config.Config(), section.name)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(node, dataclasses.fields(node)[0].name, None)


def test_lists_for_the_tools_are_those_of_their_owners():
    from sa3dhp.training import precision

    assert tuple(config.PRECISIONS) == tuple(precision.POLICIES)

"""The configuration: what is written is read, and nothing else is accepted."""

import dataclasses

import pytest

from sa3dhp import config, errors

CONFIGS = sorted(
    (config.pathlib.Path(__file__).resolve().parent.parent / "configs").glob("*.yaml")
)


def _file(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_defaults_need_no_file():
    assert config.load() == config.Config()


def test_file_then_overrides_replace_single_values(tmp_path):
    path = _file(tmp_path, "training: {seed: 3}\nrelations: {rules: [z1]}\n")
    loaded = config.load(
        path, ("training.seed=4", "adaptation.normalise=true", "source.steps=7")
    )
    assert loaded.relations.rules == ("z1",)
    assert loaded.training.seed == 4
    assert (loaded.adaptation.normalise, loaded.source.steps) == (True, 7)
    assert loaded.data == config.Data()


def test_dump_then_load_is_identity(tmp_path):
    ours = config.load(None, ("training.seed=9", "source.learning_rate=2.5e-05"))
    config.dump(ours, tmp_path / "new" / "c.yaml")
    assert config.load(tmp_path / "new" / "c.yaml") == ours
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["c.yaml"]


def test_whole_numbers_pass_for_floats_and_become_them():
    loaded = config.load(None, ("relations.theta_deg=25",))
    assert loaded.relations.theta_deg == 25.0
    assert isinstance(loaded.relations.theta_deg, float)


def test_differences_name_the_key_and_both_values():
    other = config.load(None, ("training.seed=3",))
    assert config.differences(config.Config(), other) == ["training.seed: 0 -> 3"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.sed=3", "unknown key training.sed; did you mean training.seed?"),
        ("trainig.seed=3", "unknown key trainig; did you mean training?"),
        ("training.seed.x=3", "training.seed: got {'x': 3}, expected a whole number"),
        ("training=3", "training: got 3, expected a mapping of keys to values"),
        ("training.seed=3.5", "training.seed: got 3.5, expected a whole number"),
        ("training.seed=true", "training.seed: got True, expected a whole number"),
        ("adaptation.normalise=1", "adaptation.normalise: got 1, expected true or"),
        ("data.target_path=3", "data.target_path: got 3, expected a text in quotes"),
        ("relations.rules=z1", "relations.rules: got 'z1', expected a list"),
        ("relations.pose_widths=[8, a]", "got 'a', expected a whole number"),
        ("training.precision=half", "got 'half', expected 'auto' or 'float32' or"),
        ("training.seed=-1", "training.seed: got -1, expected 0 or above"),
        ("source.steps=0", "source.steps: got 0, expected above 0"),
        ("adaptation.temperature=0.0", "adaptation.temperature: got 0.0"),
        ("adaptation.learning_rate=.nan", "got nan, expected 0 or above"),
        ("data.mixed=1.5", "data.mixed: got 1.5, expected a share"),
        ("adaptation.held_out=1.0", "expected a share between 0 and 1"),
        ("data.stored_size=100", "expected at least data.image_size = 224"),
        ("training.seed", "expected section.key=value"),
        ("data.fps=[", "--set data.fps=[: not YAML"),
    ],
)
def test_bad_override_is_one_line_with_its_remedy(override, message):
    with pytest.raises(errors.InputError) as caught:
        config.load(None, (override,))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "spelt"), [("1e-4", "1.0e-4"), ("2.5e5", "2.5e+5"), ("1E-4", "1.0e-4")]
)
def test_exponent_that_yaml_reads_as_text_says_how_to_write_it(tmp_path, text, spelt):
    path = _file(tmp_path, f"source:\n  learning_rate: {text}\n")
    with pytest.raises(errors.InputError, match=f"write {spelt.replace('+', '[+]')}$"):
        config.load(path)
    assert config.load(None, (f"source.learning_rate={spelt}",)).source.learning_rate


def test_missing_malformed_and_misshapen_files_are_named(tmp_path):
    with pytest.raises(errors.InputError, match=r"none.yaml: no such configuration"):
        config.load(tmp_path / "none.yaml")
    with pytest.raises(errors.InputError, match=r"c.yaml: not YAML"):
        config.load(_file(tmp_path, "a: [1, 2\nb: }"))
    with pytest.raises(
        errors.InputError, match=r"the file: got \['a'\], expected a ma"
    ):
        config.load(_file(tmp_path, "- a"))
    assert config.load(_file(tmp_path, "# nothing\n")) == config.Config()


def test_every_value_is_frozen_and_every_key_documented_by_its_type():
    for section in dataclasses.fields(config.Config):
        node = getattr(config.Config(), section.name)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(node, dataclasses.fields(node)[0].name, None)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_shipped_configuration_loads_and_says_how_it_is_run(path):
    config.load(path)
    header = path.read_text().splitlines()[0]
    assert header.startswith("# "), "the header gives command and result"
    assert "python tools/" in path.read_text()


def test_a_folder_holds_one_configuration_whose_steps_may_grow(tmp_path):
    config.begin(config.Config(), tmp_path)
    more = config.load(None, ("source.steps=9", "training.log_every=2"))
    config.begin(more, tmp_path)
    assert config.load(tmp_path / "config.yaml") == more
    other = config.load(None, ("training.seed=5",))
    with pytest.raises(
        errors.InputError, match=r"training.seed: 0 -> 5\); use another"
    ):
        config.begin(other, tmp_path)
    assert config.load(tmp_path / "config.yaml") == more

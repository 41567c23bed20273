"""What each configuration holds, word for word: the paper's settings, and ours apart.

Every value of every file is one of `PAPER` or is listed below it. Who changes a default
or a file changes a table here, and sees whether it is the paper's.
"""

import dataclasses
import pathlib

import pytest

from sa3dhp import systems
from sa3dhp.systems.relation_distillation import config

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "configs"
# The defaults: what the papers state, else [D].
PAPER = {
    "data.unpaired": "cmu",
    "data.unpaired_path": "",
    "data.held_out_subjects": (),
    "data.views": 4,
    "data.mixed": 0.0,
    "data.bent": 0.0,
    "data.mirrored": 0.0,
    "data.rolled": 0.0,
    "data.turned": 0.0,
    "data.source": "procedural",
    "data.source_paths": (),
    "data.target": "procedural",
    "data.target_path": "",
    "data.labelled_subjects": (),
    "data.evaluation_path": "",
    "data.evaluation_card": "procedural",
    "data.source_domain": "studio",
    "data.target_domain": "street",
    "data.image_size": 224,
    "data.stored_size": 320,
    "data.clip_frames": 30,
    "data.fps": 30.0,
    "data.labelled": 0.0,
    "data.unpaired_clips": 4000,
    "data.target_clips": 200,
    "data.evaluation_clips": 50,
    "image_encoder.weights": "imagenet",
    "image_encoder.batch_norm": "train",
    "image_encoder.head_stride": 2,
    "image_encoder.head_channels": (256, 256, 128),
    "image_encoder.head_units": 512,
    "image_encoder.head": "flat",
    "pose_autoencoder.steps": 300000,
    "pose_autoencoder.batch_size": 32,
    "pose_autoencoder.learning_rate": 0.0001,
    "pose_autoencoder.cycle_weight": 100.0,
    "pose_autoencoder.local_weight": 0.0,
    "pose_autoencoder.adversarial_weight": 5.0,
    "pose_autoencoder.right_enough": 0.95,
    "pose_autoencoder.fooled_enough": 0.8,
    "pose_autoencoder.discriminator_noise": 0.0,
    "motion_autoencoder.steps": 100000,
    "motion_autoencoder.batch_size": 32,
    "motion_autoencoder.learning_rate": 0.0001,
    "motion_autoencoder.latent_weight": 1.0,
    "motion_autoencoder.joints_weight": 1.0,
    "motion_autoencoder.adversarial_weight": 0.0,
    "source.steps": 200000,
    "source.batch_size": 32,
    "source.learning_rate": 0.0001,
    "source.backbone_rate": 0.0,
    "source.frozen_up_to": "nothing",
    "source.joints_weight": 1.0,
    "source.latent_weight": 0.0,
    "source.points_weight": 0.0,
    "source.augmentation": 1.0,
    "source.rolled": 0.0,
    "source.mirrored": 0.0,
    "source.clip_norm": 0.0,
    "source.ema": 0.0,
    "relations.rules": ("z3", "v2", "v3"),
    "relations.custom": (),
    "relations.theta_deg": 50.0,
    "relations.pairs": 50000,
    "relations.steps": 20000,
    "relations.batch_size": 256,
    "relations.learning_rate": 0.001,
    "relations.pose_widths": (256, 256, 256, 32),
    "relations.motion_widths": (512, 512, 512, 128),
    "adaptation.terms": ("cr", "z3", "v2", "v3"),
    "adaptation.steps": 2000,
    "adaptation.clips_per_batch": 8,
    "adaptation.pose_frames": 30,
    "adaptation.pictures_at_once": 480,
    "adaptation.learning_rate": 1e-05,
    "adaptation.contrastive_rate": 0.0,
    "adaptation.relations": "networks",
    "adaptation.temperature": 1.0,
    "adaptation.normalise": False,
    "adaptation.trainable_block": "res3",
    "adaptation.augmentation": 0.5,
    "adaptation.teacher_momentum": 0.0,
    "adaptation.evaluate_every": 40,
    "adaptation.held_out": 0.2,
    "adaptation.select": "last",
    "training.seed": 0,
    "training.precision": "auto",
    "training.schedule": "constant",
    "training.log_every": 50,
    "training.checkpoint_every": 500,
}
# The paper's settings: which data, and what measures them; no knob but the terms of the
# semi-supervised setting.
S2H = {
    "data.unpaired": "prepared",
    "data.unpaired_path": "data/cmu",
    "data.held_out_subjects": ("09", "13", "49", "86", "143"),
    "data.source": "prepared",
    "data.source_paths": ("data/surreal",),
    "data.target": "prepared",
    "data.target_path": "data/human36m",
    "data.evaluation_path": "data/human36m",
    "data.evaluation_card": "h36m_p2",
}
S2H_SEMI = {
    **S2H,
    "data.labelled_subjects": ("S1",),
    "adaptation.terms": ("cr", "z3", "v2", "v3", "source"),
}
H2M = {
    **S2H,
    "data.source_paths": ("data/human36m",),
    "data.target_path": "data/mpi_inf_3dhp",
    "data.evaluation_path": "data/mpi_inf_3dhp",
    "data.evaluation_card": "mpi_inf_3dhp",
}
S2W = {
    **S2H,
    "data.target_path": "data/videos",
    "data.evaluation_path": "data/mpi_inf_3dhp",
    "data.evaluation_card": "mpi_inf_3dhp",
}
SH2W = {
    **S2H,
    "data.source_paths": ("data/surreal", "data/human36m"),
    "data.target_path": "data/videos",
    "data.evaluation_path": "data/mpi_inf_3dhp",
    "data.evaluation_card": "mpi_inf_3dhp",
}
# The embedded world: sizes and steps for two cores, and what was measured to be needed.
PROCEDURAL = {
    "data.unpaired": "procedural",
    "data.rolled": 0.5,
    "data.image_size": 96,
    "data.stored_size": 144,
    "data.unpaired_clips": 6000,
    "data.target_clips": 640,
    "image_encoder.batch_norm": "reestimated",
    "image_encoder.head_stride": 1,
    "image_encoder.head": "points",
    "image_encoder.head_channels": (256, 256),
    "pose_autoencoder.steps": 6000,
    "pose_autoencoder.batch_size": 256,
    "pose_autoencoder.learning_rate": 0.001,
    "pose_autoencoder.local_weight": 1.0,
    "motion_autoencoder.steps": 3000,
    "motion_autoencoder.batch_size": 64,
    "motion_autoencoder.learning_rate": 0.001,
    "source.steps": 4800,
    "source.batch_size": 64,
    "source.learning_rate": 0.001,
    "source.backbone_rate": 0.0002,
    "source.frozen_up_to": "res3",
    "source.points_weight": 1.0,
    "source.latent_weight": 3.0,
    "source.rolled": 0.6,
    "source.clip_norm": 5.0,
    "relations.rules": ("z1", "z3", "v2", "v3"),
    "relations.pairs": 30000,
    "relations.steps": 6000,
    "adaptation.terms": ("cr", "z1", "z3", "v2", "v3"),
    "adaptation.steps": 160,
    "adaptation.pose_frames": 10,
    "adaptation.learning_rate": 0.0001,
    "adaptation.contrastive_rate": 3e-05,
    "adaptation.temperature": 0.1,
    "adaptation.augmentation": 1.0,
    "adaptation.teacher_momentum": 0.95,
    "training.schedule": "cosine",
}
CMU = {
    **PROCEDURAL,
    "data.unpaired": "prepared",
    "data.unpaired_path": "data/cmu",
    "data.held_out_subjects": ("09", "13", "49", "86", "143"),
    "data.views": 32,
    "data.mixed": 0.5,
    "data.mirrored": 0.5,
    "pose_autoencoder.steps": 12000,
}
PEOPLE = {
    **CMU,
    "data.bent": 0.15,
    "data.turned": 0.25,
    "data.source": "prepared",
    "data.source_paths": ("data/rendered_people",),
    "data.image_size": 128,
    "data.stored_size": 192,
    "image_encoder.weights": "imagenet",
    "image_encoder.batch_norm": "reestimated",
    "image_encoder.head": "points",
    "image_encoder.head_channels": (128, 128),
    "image_encoder.head_units": 256,
    "pose_autoencoder.steps": 50000,
    "pose_autoencoder.batch_size": 128,
    "pose_autoencoder.right_enough": 0.75,
    "pose_autoencoder.discriminator_noise": 0.1,
    "motion_autoencoder.steps": 3000,
    "source.steps": 4000,
    "adaptation.steps": 40,
    "adaptation.evaluate_every": 20,
    "adaptation.clips_per_batch": 4,
    "adaptation.select": "label_free",
    "source.batch_size": 32,
    "source.learning_rate": 0.001,
    "source.backbone_rate": 0.0002,
    "source.frozen_up_to": "res3",
    "source.joints_weight": 0.3,
    "source.latent_weight": 1.0,
    "source.points_weight": 1.0,
    "source.augmentation": 0.5,
    "source.rolled": 0.1,
    "source.mirrored": 0.5,
}
TABLES = {
    **PROCEDURAL,
    "data.target_clips": 320,
    "adaptation.steps": 60,
    "adaptation.evaluate_every": 30,
    "adaptation.held_out": 0.1,
}
SMOKE = {
    "data.unpaired": "procedural",
    "data.rolled": 0.5,
    "data.image_size": 32,
    "data.stored_size": 48,
    "data.unpaired_clips": 16,
    "data.target_clips": 4,
    "data.evaluation_clips": 2,
    "image_encoder.weights": "none",
    "image_encoder.head_stride": 1,
    "image_encoder.head_channels": (16, 16, 8),
    "image_encoder.head_units": 16,
    "pose_autoencoder.steps": 6,
    "pose_autoencoder.batch_size": 8,
    "motion_autoencoder.steps": 4,
    "motion_autoencoder.batch_size": 2,
    "source.steps": 4,
    "source.batch_size": 4,
    "source.rolled": 0.5,
    "relations.pairs": 16,
    "relations.steps": 5,
    "relations.batch_size": 8,
    "adaptation.steps": 8,
    "adaptation.clips_per_batch": 2,
    "adaptation.evaluate_every": 4,
    "adaptation.select": "label_free",
    "training.log_every": 2,
    "training.checkpoint_every": 3,
}
FILES = {
    "s2h": S2H,
    "s2h_semi": S2H_SEMI,
    "h2m": H2M,
    "s2w": S2W,
    "sh2w": SH2W,
    "procedural": PROCEDURAL,
    "cmu": CMU,
    "people": PEOPLE,
    "tables": TABLES,
    "smoke": SMOKE,
}
PUBLISHED = ("s2h", "s2h_semi", "h2m", "s2w", "sh2w")
# What we added to the paper, and where it is off.
ADDED = {
    "data.mixed": 0.0,
    "data.bent": 0.0,
    "data.mirrored": 0.0,
    "data.rolled": 0.0,
    "data.turned": 0.0,
    "image_encoder.batch_norm": "train",
    "pose_autoencoder.local_weight": 0.0,
    "pose_autoencoder.right_enough": 0.95,
    "pose_autoencoder.discriminator_noise": 0.0,
    "source.backbone_rate": 0.0,
    "source.latent_weight": 0.0,
    "source.rolled": 0.0,
    "source.mirrored": 0.0,
    "source.clip_norm": 0.0,
    "source.ema": 0.0,
    "relations.rules": ("z3", "v2", "v3"),
    "adaptation.contrastive_rate": 0.0,
    "adaptation.normalise": False,
    "adaptation.teacher_momentum": 0.0,
    "adaptation.select": "last",
    "training.schedule": "constant",
}


def _flat(loaded):
    return {
        f"{section}.{key}": value
        for section, values in dataclasses.asdict(loaded).items()
        for key, value in values.items()
    }


def test_the_defaults_are_the_papers():
    assert _flat(config.Config()) == PAPER


@pytest.mark.parametrize("name", FILES)
def test_a_file_differs_from_the_defaults_in_what_is_listed_and_nothing_else(name):
    resolved = _flat(config.load(FOLDER / f"{name}.yaml"))
    differs = {key: value for key, value in resolved.items() if value != PAPER[key]}
    assert differs == {k: v for k, v in FILES[name].items() if v != PAPER[k]}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_setting_has_nothing_of_ours(name):
    resolved = _flat(config.load(FOLDER / f"{name}.yaml"))
    assert {key: resolved[key] for key in ADDED} == ADDED
    knobs = {key for key in FILES[name] if not key.startswith("data.")}
    assert knobs == ({"adaptation.terms"} if name == "s2h_semi" else set())


@pytest.mark.parametrize("name", PUBLISHED)
def test_terms_of_a_published_setting_are_the_papers(name):
    terms = config.load(FOLDER / f"{name}.yaml").adaptation.terms
    assert terms[:4] == ("cr", "z3", "v2", "v3")
    assert terms[4:] == (("source",) if name == "s2h_semi" else ())


def test_a_file_repeats_nothing_of_its_base():
    """A value that is the base's already is one to forget when the base changes."""
    for path in sorted(FOLDER.glob("*.yaml")):
        tree = config.loader.yaml.safe_load(path.read_text(encoding="utf-8"))
        base = tree.pop("base", None)
        if base is None:
            continue
        names = [name for name in systems.NAMES[1:] if path.stem.startswith(name)]
        schema = systems.part(names[0], "config") if names else config
        below = _flat(schema.load(path.parent / base))
        for section, values in tree.items():
            for key, value in values.items():
                value = tuple(value) if isinstance(value, list) else value
                assert below[f"{section}.{key}"] != value, f"{path.name}: {key}"

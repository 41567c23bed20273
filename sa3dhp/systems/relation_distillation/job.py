"""Config in, an adaptation out: the twin of `build.py` for stage 5."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping

import numpy as np

from sa3dhp import config as configs
from sa3dhp.data import augment, prepared
from sa3dhp.data.videos import video_folder
from sa3dhp.systems.relation_distillation import adaptation, build, monitors
from sa3dhp.systems.relation_distillation import sources as datasets
from sa3dhp.systems.relation_distillation.steps import adaptation as adaptation_step
from sa3dhp.training import checkpoint, store
from sa3dhp.training.steps import source as source_step

_SOURCE_CLIPS = 16  # that the floor of the residuals is read from
_HELD_OUT_CLIPS = 40  # in memory for the monitors, at most


class Adaptation:
    """One adaptation: the networks, the step, and what it starts from.

    Attributes:
        model: G with its decoder; source-only until `run`, adapted after.
        encoder: G.
        base_hash: of G^s, which a domain pack needs to be applied.
        bone_lengths: `[17]`, mm, of predicted poses.
        block: the part of G that moves.
        kind: of the target: `procedural`, `videos` or `prepared`.
        image_size: of the pictures that G sees, pixels.
        target: the target domain's name.
        information: what is known of it: `R`, raw pictures, or `L`, labels too.
        evaluation: a prepared folder with the truth, "" for none, and the card's name.
        resolved: the configuration as nested dicts.
        facts: the seed and the like, for the results.
    """

    def __init__(self, config: configs.Config, networks: store.Store) -> None:
        """Loads everything that adaptation starts from.

        Raises:
            InputError: if a checkpoint is missing or does not fit.
        """
        self._config = config
        builder = build.Builder(config, networks)
        self.encoder = builder.load("image_encoder")
        self.encoder.trainable = True  # as far as the step's block goes
        self.base_hash = checkpoint.weights_hash(self.encoder)
        self.bone_lengths = builder.bone_lengths
        self.block = config.adaptation.trainable_block
        self.image_size = config.data.image_size
        data = config.data
        self.kind = data.target
        self.target = data.target_domain
        if data.target == "prepared":
            self.target = data.target_path
        labelled = adaptation_step.LABELLED in config.adaptation.terms
        self.information = "L" if labelled else "R"
        self.evaluation = (data.evaluation_path, data.evaluation_card)
        self.resolved = dataclasses.asdict(config)
        self.facts = {
            "seed": config.training.seed,
            "config": self.resolved,
            "data": datasets.check(config, "source", "target", "evaluation"),
        }
        pose = (builder.load("pose_encoder"), builder.load("pose_decoder"))
        self.model = monitors.PoseModel(self.encoder, *pose, self.bone_lengths)
        self._step = self._make_step(builder, pose)

    def _make_step(
        self, builder: build.Builder, pose: tuple
    ) -> adaptation_step.AdaptationStep:
        c = self._config.adaptation
        labelled = teacher = None
        if adaptation_step.LABELLED in c.terms:
            labelled = source_step.SourceLoss(
                *pose,
                build.SKELETON,
                self.bone_lengths,
                joints_weight=self._config.source.joints_weight,
                latent_weight=self._config.source.latent_weight,
            )
        if c.teacher_momentum > 0:
            teacher = builder.load("image_encoder")
            teacher.trainable = True  # its block follows that of G
        relations = {rule: builder.load(f"relation_{rule}") for rule in builder.rules}
        measured = {rule: builder.measured(f"relation_{rule}") for rule in relations}
        self._relation_errors = {
            rule: found["residual"]
            for rule, found in measured.items()
            if "residual" in found
        }
        return adaptation_step.AdaptationStep(
            self.encoder,
            builder.load("motion_encoder"),
            relations,
            builder.rules,
            lambda images, seed: augment.photometric(images, seed, c.augmentation),
            terms=c.terms,
            learning_rate=self._rates(),
            decay_steps=self._decay_steps(),
            temperature=c.temperature,
            normalise=c.normalise,
            trainable_block=c.trainable_block,
            pose_frames=c.pose_frames,
            labelled_loss=labelled,
            teacher=teacher,
            teacher_momentum=c.teacher_momentum,
            seed=self._config.training.seed,
        )

    def run(
        self,
        clips: np.ndarray | prepared.Clips,
        workdir: str | os.PathLike,
        *,
        videos: np.ndarray | None = None,
        test_error: Callable[[], float] | None = None,
        first: Mapping[str, float] | None = None,
    ) -> adaptation.Outcome:
        """Adapts G to unlabelled clips.

        Args:
            clips: uint8 `[N, 60, S, S, 3]`, at the stored size, in memory or not.
            workdir: where state, logs and looks go.
            videos: `[N]`, which video each clip is of; None: each its own.
            test_error: MPJPE on labelled clips; logged, not used unless asked for.
            first: see `adaptation.run`.

        Raises:
            InputError: if the clips have another size.
        """
        c, seed = self._config.adaptation, self._config.training.seed
        ids = np.arange(len(clips)) if videos is None else np.asarray(videos)
        share = min(c.held_out, _HELD_OUT_CLIPS / len(clips))
        train, held_out = adaptation.split(len(clips), share, seed)
        size = min(c.clips_per_batch, len(np.unique(ids[train])))
        return adaptation.run(
            self._step,
            self.model,
            clips.take(train, axis=0),
            videos=ids[train],
            held_out=clips[held_out],
            source_floor=self._floor(size),
            num_steps=c.steps,
            evaluate_every=c.evaluate_every,
            batch_size=size,
            seed=seed,
            workdir=workdir,
            select=c.select,
            test_error=test_error,
            labelled=self._labelled(),
            relation_errors=self._relation_errors,
            first=first,
        )

    def _rates(self) -> dict[str, float]:
        """The learning rate of each term."""
        c = self._config.adaptation
        rates = dict.fromkeys(c.terms, c.learning_rate)
        if c.contrastive_rate > 0:
            contrastive = adaptation_step.CONTRASTIVE
            rates.update({t: c.contrastive_rate for t in c.terms if t in contrastive})
        return rates

    def _decay_steps(self) -> int:
        """Updates over which the learning rates fall, by the schedule all share."""
        falls = self._config.training.schedule == "cosine"
        return self._config.adaptation.steps if falls else 0

    def _floor(self, size: int) -> dict[str, float]:
        """The residuals of G^s on its own source, `size` clips at once."""
        source = datasets.source_clips(self._config, max(size, _SOURCE_CLIPS))
        return adaptation.floor(self._step, source, size)

    def target_clips(self) -> np.ndarray:
        """Returns unlabelled clips of the embedded world, see `data.target_clips`."""
        return datasets.target_clips(self._config)

    def prepared_clips(self) -> prepared.Clips:
        """Returns the unlabelled clips of a prepared target, none of them read yet.

        Raises:
            InputError: as `data.prepared_target`.
        """
        return datasets.prepared_target(self._config)[1]

    def test_clips(self) -> list:
        """Returns labelled clips of the embedded world, see `data.test_clips`."""
        return datasets.test_clips(self._config)

    def videos(self, detector: str, boxes: str | None) -> video_folder.VideoSet:
        """Returns the clips in the folder of videos that the configuration names.

        Raises:
            InputError: if nothing there is usable.
        """
        return datasets.videos(self._config, detector, boxes)

    def _labelled(self) -> Callable | None:
        if adaptation_step.LABELLED not in self._config.adaptation.terms:
            return None
        return datasets.labelled_target_batches(self._config)

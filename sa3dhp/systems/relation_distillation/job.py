"""One adaptation, from configuration to outcome: here the configuration ends."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sa3dhp import errors, provenance
from sa3dhp.data import augment, pipeline
from sa3dhp.data.videos import detection, video_folder
from sa3dhp.evaluation import prediction, protocol
from sa3dhp.models import chunked, folded, image_encoder, pose_model
from sa3dhp.systems.relation_distillation import (
    adaptation,
    outcome,
    relation_network,
    rules,
    sources,
    stages,
    views,
)
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import monitors as monitoring
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.systems.relation_distillation.steps import adaptation as adaptation_step
from sa3dhp.systems.relation_distillation.steps import terms as term_classes
from sa3dhp.training import basis, checkpoint, replicas

CARD = "procedural"
SOURCE_CLIPS = 16  # that the floor of the residuals is read from


class Job:
    """An adaptation: networks, step and monitors; everything but the target.

    Attributes:
        config: of the run.
        model: G with its decoder; source-only until `adapt`, adapted after.
        base_hash: of G^s, which a domain pack needs to be applied.
        learner: what `adaptation.run` moves.
        plan: how it runs.
    """

    def __init__(
        self,
        config: configs.Config,
        networks: networks_.Networks,
        monitored: Sequence[str] | None = None,
    ) -> None:
        """Loads everything that adaptation starts from.

        In a `replicas.scope` the adaptation runs in its replicas.

        Args:
            config: of the run.
            networks: of the same configuration.
            monitored: rules that the monitors read; None for all that have a network.

        Raises:
            InputError: if a checkpoint is missing or does not fit.
        """
        self.config = config
        self._build(config, networks, monitored)
        self._begin(config)

    def restart(self, config: configs.Config) -> None:
        """Puts G^s back and takes over another configuration of the same networks."""
        self.config = config
        self.model.encoder.set_weights(self._start)
        self._refresh()
        self._begin(config)

    def adapt(
        self, target: targets.Target, workdir: str | os.PathLike, facts: Mapping
    ) -> outcome.Outcome:
        """Adapts to a target and asks the model what came of it.

        Args:
            target: what to adapt to.
            workdir: where state, logs and snapshots go.
            facts: what else the result is to hold: command, precision and the like.
        """
        began = time.monotonic()
        used = ["target", "evaluation"]
        if not self._kept_floor() or sources.is_at_hand(self.config):
            used.append("source")
        data = sources.check(self.config, *used)
        if target.advice:
            print(f"note: {target.advice}", flush=True)
        state = pathlib.Path(workdir) / "state" / adaptation.NAME
        basis.check(
            state,
            {**self._hashes(), "set of clips": target.fingerprint},
            f"use another --workdir, or delete {state} to adapt again",
        )
        before = outcome.answers(target, self.model)
        course = adaptation.run(self.learner, target, self.plan, workdir)
        after = outcome.answers(target, self.model)
        config = dataclasses.asdict(self.config)
        return outcome.Outcome(
            workdir=pathlib.Path(workdir),
            target=target,
            model=self.model,
            course=course,
            before=before,
            after=after,
            block=self.config.adaptation.trainable_block,
            base_hash=self.base_hash,
            config=config,
            facts={
                **provenance.describe(),
                "seed": self.config.training.seed,
                "config": config,
                "data": data,
                **facts,
                "seconds": round(time.monotonic() - began, 1),
            },
        )

    def _hashes(self) -> dict[str, str]:
        """Of all networks that an adaptation starts from, by their files."""
        store, found = self._networks.store, {"image_encoder.npz": self.base_hash}
        names = (*networks_.POSE, *networks_.MOTION, *self._relation_files())
        return found | {f"{name}.npz": store.hash(name) for name in names}

    def _relation_files(self) -> list[str]:
        return [networks_.relation_name(name) for name in self._relations]

    def _build(
        self,
        config: configs.Config,
        networks: networks_.Networks,
        monitored: Sequence[str] | None,
    ) -> None:
        """Makes what all runs of this job share."""
        self._networks, c = networks, config.adaptation
        encoder = networks.load("image_encoder")
        encoder.trainable = True  # as far as the step's block goes
        self.base_hash = checkpoint.weights_hash(encoder)
        self._start = [np.copy(w) for w in encoder.get_weights()]
        self._block = encoder.res_variables(c.trainable_block)
        self._folds = [folded.fold(encoder, self._block)]
        self.model = pose_model.PoseModel(encoder, networks.pose_prior, self._folds[0])
        self._teacher = None
        if c.teacher_momentum > 0:
            self._teacher = self._slow_copy(encoder, c)
        encode = _shared(self._folds[0], c)
        strength = c.augmentation  # read now: what reads while it is traced reads late
        self._observer = term_classes.Observer(
            encode,
            networks.motion_prior.encoder,
            lambda images, seed: augment.photometric(images, seed, strength),
            encoder.image_size,
            views.spread(c.pose_frames),
        )
        self._contrast = {
            name: term_classes.Contrast(
                self._observer, parts, c.temperature, c.normalise
            )
            for name, parts in term_classes.CONTRASTIVE.items()
        }
        self._relations = {
            name: (rule, networks.load(networks_.relation_name(name)))
            for name, rule in networks.rules.items()
        }
        self._tied: dict[str, tuple[rules.Rule, relation_network.Relation]] = {}
        for name, (rule, network) in self._relations.items():
            exact = c.relations == "exact"
            prior = networks.prior_of(rule)
            related = relation_network.ExactRelation(rule, prior) if exact else network
            self._tied[name] = (rule, related)
        self._labelled = term_classes.Labelled(
            encode, stages.source_loss(config, networks.pose_prior)
        )
        self._known: dict[str, term_classes.Term] = {}
        self._step: adaptation_step.AdaptationStep | None = None
        chosen = self._relations if monitored is None else monitored
        self._monitors = monitoring.Monitors(
            networks.pose_prior,
            self._observer,
            self._contrast["cr"],
            {name: self._relations[name] for name in chosen},
            seed=config.training.seed,
        )

    def _begin(self, config: configs.Config) -> None:
        """Makes what is of one run alone."""
        c, seed = config.adaptation, config.training.seed
        chosen = {name: self._term(name) for name in c.terms}
        rates = dict.fromkeys(c.terms, c.learning_rate)
        if c.contrastive_rate > 0:
            contrastive = [t for t in c.terms if t in term_classes.CONTRASTIVE]
            rates.update(dict.fromkeys(contrastive, c.contrastive_rate))
        decay = c.steps if config.training.schedule == "cosine" else 0
        if self._step is None:
            self._step = adaptation_step.AdaptationStep(
                self.model.encoder,
                self._block,
                chosen,
                rates,
                decay_steps=decay,
                seed=seed,
                teacher=self._teacher,
            )
        else:
            self._step.restart(chosen, rates, decay_steps=decay, seed=seed)
        self._monitors.restart(seed)
        self.plan = adaptation.Plan(
            num_steps=c.steps,
            evaluate_every=c.evaluate_every,
            clips_per_batch=c.clips_per_batch,
            held_out=c.held_out,
            select=c.select,
            seed=seed,
        )
        self.learner = adaptation.Learner(
            self._step,
            self.model,
            self._monitors,
            self.source_floor,
            self._relation_errors(),
            self._refresh,
        )

    def _term(self, name: str) -> term_classes.Term:
        """A term by its name; the same object each time, so that it is traced once."""
        if name not in self._known:
            self._known[name] = self._new_term(name)
        return self._known[name]

    def _new_term(self, name: str) -> term_classes.Term:
        if name in self._contrast:
            return self._contrast[name]
        if name == term_classes.LABELLED:
            return self._labelled
        if name == term_classes.SELF_TRAINING:
            return term_classes.self_training(self._observer, self._teacher)
        return term_classes.relation(self._observer, name, self._tied, self._teacher)

    def _slow_copy(
        self, encoder: image_encoder.ImageEncoder, c: configs.Adaptation
    ) -> term_classes.Teacher:
        copy = self._networks.load("image_encoder")
        copy.trainable = True  # its block follows that of G
        fold = folded.fold(copy, copy.res_variables(c.trainable_block))
        self._folds.append(fold)
        return term_classes.Teacher(
            encoder,
            copy,
            block=c.trainable_block,
            momentum=c.teacher_momentum,
            encode=_shared(fold, c),
            restarted=fold.refresh,
        )

    def _refresh(self) -> None:
        """Makes the folded networks follow weights that were replaced."""
        for fold in self._folds:
            fold.refresh()

    def source_floor(self, size: int = SOURCE_CLIPS) -> dict[str, float]:
        """Returns residuals and spread of G^s on its own source.

        Those that lie beside the networks, for who has no source; else read from it.

        Args:
            size: clips at once.

        Raises:
            InputError: if neither is there.
        """
        return self._kept_floor() or self.read_floor(size)

    def read_floor(self, size: int = SOURCE_CLIPS) -> dict[str, float]:
        """Returns the same, read now; raises `InputError` without the source."""
        clips = sources.source_clips(self.config, max(size, SOURCE_CLIPS))
        found = self._monitors.read(clips, np.arange(len(clips)), size)
        return {key: found[key] for key in self._monitors.floor_keys}

    def _kept_floor(self) -> dict[str, float]:
        """The floor that lies beside the networks; nothing if it lacks a rule."""
        known = self._networks.store.floor("image_encoder")
        keys = self._monitors.floor_keys
        return {k: known[k] for k in keys} if known.keys() >= set(keys) else {}

    def _relation_errors(self) -> dict[str, float]:
        """Residuals of T on poses it never saw, where they are known."""
        measured = {
            name: self._networks.measured(networks_.relation_name(name))
            for name in self._monitors.rule_ids
        }
        return {k: m["residual"] for k, m in measured.items() if "residual" in m}


def _shared(fold: folded.Folded, c: configs.Adaptation) -> views.Encode:
    """G on what each replica takes of the pictures, a few of them at a time."""
    return replicas.shared(chunked.Chunked(fold, c.pictures_at_once))


def check(
    config: configs.Config,
    workdir: str | os.PathLike,
    *,
    detector: str = detection.AUTO,
    boxes: str | None = None,
) -> None:
    """Tells what an adaptation would end at, before it takes its workdir.

    Args:
        config: of the run.
        workdir: where it will write.
        detector: of people in videos, see `find_target`.
        boxes: a boxes file in its place.

    Raises:
        InputError: if videos, folders, card or choice of the step do not fit, or
            something else is where the model goes.
    """
    sources.check_videos(config, detector, boxes)
    sources.check(config, "target", "evaluation")
    protocol.load(config.data.evaluation_card)
    data, home = config.data, pathlib.Path(workdir)
    measured = data.target == "procedural" or data.evaluation_path
    if config.adaptation.select == "oracle" and not measured:
        raise errors.InputError(adaptation.NO_LABELS)
    outcome.check(home)


def find_target(
    config: configs.Config, *, detector: str = "auto", boxes: str | None = None
) -> targets.Target:
    """Returns what a configuration adapts to.

    Args:
        config: of the run.
        detector: of people in videos, see `detection.make`.
        boxes: a boxes file in its place.

    Raises:
        InputError: if nothing there is usable.
    """
    if config.data.target == "videos":
        found = sources.videos(config, detector, boxes)
        print(found.summary())
        return video_target(config, found)
    if config.data.target == "prepared":
        return prepared_target(config)
    print(f"rendering clips of {config.data.target_domain}", flush=True)
    clips = sources.target_clips(config)
    unseen_clips = sources.test_clips(config)
    pictures = prediction.from_clips(unseen_clips, config.data.image_size)
    truth = targets.Truth(*pictures, protocol.load(CARD))
    return world_target(config, clips, truth)


def world_target(
    config: configs.Config, clips: np.ndarray, truth: targets.Truth
) -> targets.Target:
    """Returns clips of the embedded world, measured on other people in other scenes.

    Args:
        config: of the run.
        clips: uint8 `[N, 60, S, S, 3]`, as `sources.target_clips` renders them.
        truth: of clips that are not among them.
    """
    return targets.Target(
        config.data.target_domain,
        clips,
        np.arange(len(clips)),
        truth=truth,
        labelled=_labelled(config),
    )


def prepared_target(
    config: configs.Config, truth: targets.Truth | None = None
) -> targets.Target:
    """Returns clips of a prepared data set, measured where truth is named.

    Args:
        config: of the run.
        truth: what results are measured on, where it was read already.

    Raises:
        InputError: if there are none.
    """
    clips = sources.prepared_target(config)[1]
    videos = len(np.unique(clips.videos))
    return targets.Target(
        f"{len(clips)} clips of {videos} sequences in {config.data.target_path}",
        clips,
        clips.videos,
        truth=truth_of(config) if truth is None else truth,
        labelled=_labelled(config),
        names=list(clips.names),
    )


def video_target(
    config: configs.Config, found: video_folder.VideoSet
) -> targets.Target:
    """Returns clips of videos; nothing is known of the truth there.

    Results are measured on people elsewhere, as in the paper's S -> W, where the
    configuration names a prepared folder with a truth.
    """
    videos = found.video_ids
    spans = np.array([[w.frames.min(), w.frames.max()] for w in found.windows], float)
    clips, count = len(found.clips), len(np.unique(videos))
    return targets.Target(
        f"{clips} clip{'s' * (clips != 1)} of {count} video{'s' * (count != 1)}",
        found.clips,
        videos,
        spans=spans,
        truth=truth_of(config),
        names=[window.name for window in found.windows],
        notes=[line for line in found.summary().splitlines() if line.strip()],
        found=found,
    )


def unseen(workdir: str | os.PathLike) -> tuple:
    """Returns pictures and truth that a finished adaptation did not see.

    Raises:
        InputError: if it is none, its prepared data are not there any more, or it is of
            videos, of which nobody knows the truth.
    """
    config = configs.of_run(workdir)
    data = config.data
    if data.target == "videos" and not data.evaluation_path:
        raise errors.InputError(
            f"--workdir={workdir}: it adapted to videos ({data.target_path}), of which "
            "nobody knows the truth, so there is nothing to measure; look at its "
            "report.html, or give labelled pictures by --dataset"
        )
    if data.evaluation_path:
        return prediction.read_prepared(data.evaluation_path)
    return prediction.from_clips(sources.test_clips(config), data.image_size)


def card_of(workdir: str | os.PathLike) -> str:
    """Returns the name of the card that a finished adaptation was measured by."""
    return configs.of_run(workdir).data.evaluation_card


def truth_of(config: configs.Config) -> targets.Truth | None:
    """Returns what a configuration's results are measured on; None without any.

    Raises:
        InputError: if it is not there, or in 2D, where no adaptation is measured.
    """
    data = config.data
    if not data.evaluation_path:
        return None
    images, truth = prediction.read_prepared(data.evaluation_path)
    if truth.flat:
        number = len(truth.joints)
        raise errors.InputError(
            f"data.evaluation_path: {number} of {number} pictures of {truth.source} "
            "have no 3D joints; give a data set in 3D"
        )
    return targets.Truth(images, truth, protocol.load(data.evaluation_card))


def _labelled(
    config: configs.Config,
) -> Callable[[np.ndarray], pipeline.Batches] | None:
    """From clips that may be trained on to labelled batches; None without labels."""
    if term_classes.LABELLED not in config.adaptation.terms:
        return None
    return lambda rows: sources.labelled_target_batches(config, rows)

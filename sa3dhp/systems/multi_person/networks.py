"""The networks of one configuration, new or trained, in one folder."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any

from sa3dhp import errors, files
from sa3dhp.models import pose_autoencoder, pose_prior
from sa3dhp.systems.multi_person import camera as cameras
from sa3dhp.systems.multi_person import composer as composers
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import (
    frozen,
    maps,
    poses,
    refinement,
    student,
    teacher,
)
from sa3dhp.training import precision, store

_COMMAND = "python tools/pretrain.py --system=multi_person"
POSES = ("canonical_encoder", "canonical_decoder")
TEACHER = ("teacher_trunk", "teacher_maps")
ALIGNED = ("student_aligned", "map_encoder")
STUDENT = "student"
REFINER = "refiner"
_STAGES = {
    **dict.fromkeys((store.BONES, *POSES), "poses"),
    **dict.fromkeys(TEACHER, "teacher"),
    **dict.fromkeys(ALIGNED, "alignment"),
    STUDENT: "equivariance",
    REFINER: "refinement",
}


class Networks:
    """Makes the networks of all stages, and loads them.

    Attributes:
        store: where the trained networks are, and go.
    """

    def __init__(self, config: configs.Config, folder: str | os.PathLike) -> None:
        """Keeps what everything is built from."""
        self._config = config
        self.store = store.Store(folder, _COMMAND, _STAGES)

    @property
    def camera(self) -> cameras.Camera:
        """The fixed camera."""
        data = self._config.data
        return cameras.Camera(data.image_size, data.focal, data.near_mm, data.far_mm)

    @property
    def seen_by(self) -> dict[str, Any]:
        """The camera and the anchor that s speaks of: kept with H, and asked of it."""
        camera = dataclasses.asdict(self.camera)
        return {"camera": list(camera.values()), "anchor": self.layout.anchor}

    @property
    def layout(self) -> maps.Layout:
        """Of the teacher's maps."""
        return maps.COCO if self._config.teacher.published else maps.OWN

    def new_poses(
        self,
    ) -> tuple[pose_autoencoder.PoseEncoder, pose_autoencoder.PoseDecoder]:
        """Returns E_c and Psi; initial weights are a function of the seed."""
        self._seed("canonical")
        return pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()

    def new_discriminator(self) -> pose_autoencoder.PoseDiscriminator:
        """Returns the discriminator of the canonical poses."""
        self._seed("canonical_discriminator")
        return pose_autoencoder.PoseDiscriminator()

    def new_teacher(
        self, bare: bool = False
    ) -> tuple[teacher.Trunk, teacher.MapReader]:
        """Returns E and F.

        Args:
            bare: without ImageNet's weights, as others are about to be loaded.
        """
        self._seed("teacher")
        c, size = self._config.teacher, self._config.data.image_size
        if c.published:
            return self._published()
        weights = None if bare or c.weights == "none" else c.weights
        trunk = teacher.Trunk(size, c.features, weights)
        return trunk, teacher.MapReader(c.features, c.width)

    def new_student(self) -> student.Student:
        """Returns H."""
        self._seed("student")
        c = self._config
        return student.Student(
            c.teacher.features, self.layout.cells, c.student.width, STUDENT
        )

    def new_map_encoder(self) -> student.MapEncoder:
        """Returns G."""
        self._seed("map_encoder")
        c = self._config
        return student.MapEncoder(
            self.layout.channels,
            c.teacher.features,
            c.student.map_width,
            # As E's features, of which those of ours end in a ReLU.
            None if c.teacher.published else "relu",
            "map_encoder",
        )

    @functools.cached_property
    def prior(self) -> pose_prior.PosePrior:
        """The trained auto-encoder of canonical poses; raises `InputError`."""
        encoder, decoder = self.new_poses()
        self.store.load(POSES[0], encoder)
        self.store.load(POSES[1], decoder)
        bones = self.store.bones(poses.SKELETON)
        return pose_prior.PosePrior(encoder, decoder, poses.SKELETON, bones)

    def teacher(self) -> tuple[teacher.Trunk, teacher.MapReader]:
        """Returns the trained E and F; raises `InputError` if they are not there."""
        programs = self.store.meta(TEACHER[0]).get("programs")
        if programs is None:
            trunk, reader = self.new_teacher(bare=True)
        else:  # the file it was read from is not needed any more
            trunk, reader = frozen.of_programs(programs, self._config.data.image_size)
        self.store.load(TEACHER[0], trunk, image_size=trunk.image_size)
        self.store.load(TEACHER[1], reader)
        return trunk, reader

    def _published(self) -> tuple[frozen.Trunk, frozen.MapReader]:
        """E and F of the configuration's file; raises `InputError`."""
        c = self._config.teacher
        return frozen.read(c.weights, self._config.data.image_size, c.features)

    def aligned(self) -> tuple[student.Student, student.MapEncoder]:
        """Returns H and G after phase 1; raises `InputError`."""
        network, map_encoder = self.new_student(), self.new_map_encoder()
        self.store.load(ALIGNED[0], network, **self.seen_by)
        self.store.load(ALIGNED[1], map_encoder)
        return network, map_encoder

    def begun(self) -> tuple[student.Student, student.MapEncoder]:
        """Returns H and G before phase 1: new, or those of `student.start`.

        Raises:
            InputError: if these are not there, or have another teacher, auto-encoder or
                camera than their own: to go on from they would be noise.
        """
        network, map_encoder = self.new_student(), self.new_map_encoder()
        if self._config.student.start:
            there = start_of(self._config)
            for name, known in there.meta(ALIGNED[0])["trained_on"].items():
                if self.store.hash(name) != known:
                    raise errors.InputError(
                        f"student.start: {there.folder} has another {name}.npz than "
                        f"{self.store.folder}, expected the same; begin with its own: "
                        f"--start={self._config.student.start} --stage=alignment,"
                        "equivariance"
                    )
            there.load(ALIGNED[0], network, **self.seen_by)
            there.load(ALIGNED[1], map_encoder)
            network.trainable = map_encoder.trainable = True
        return network, map_encoder

    def composer(self, network: student.Student) -> composers.Composer:
        """Returns M H."""
        return composers.Composer(network, self.prior, self.camera, self.layout)

    def new_refiner(self) -> composers.Composer:
        """Returns M H' before its training, H after phase 2; raises `InputError`."""
        return self._of_one(STUDENT)

    def refiner(self) -> composers.Composer:
        """Returns the trained M H'; raises `InputError`."""
        return self._of_one(REFINER)

    def _of_one(self, name: str) -> composers.Composer:
        """M with another camera, that of `refinement`, and a network by name."""
        one = self.trained(name)
        return dataclasses.replace(one, camera=refinement.camera_of(one.camera))

    def trained(self, name: str = STUDENT) -> composers.Composer:
        """Returns M H after phase 2, or by another name; raises `InputError`."""
        network = self.new_student()
        self.store.load(name, network, **self.seen_by)
        return self.composer(network)

    def _seed(self, use: str) -> None:
        precision.set_seed(self._config.training.seed, use)


def start_of(config: configs.Config) -> store.Store:
    """Returns the networks that `student.start` names."""
    return store.Store(files.networks(config.student.start), _COMMAND, _STAGES)

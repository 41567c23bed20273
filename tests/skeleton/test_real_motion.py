"""Kinematics and limits on every clip of motion capture at hand."""

import tarfile

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.data.datasets import cmu
from sa3dhp.skeleton import kinematics, limits, skeleton

BODY = skeleton.SA3DHP17


@pytest.fixture(scope="module")
def clips(shared_data, tmp_path_factory) -> list:
    """All motions as the priors see them, root-relative, mm, 30 fps."""
    folder = tmp_path_factory.mktemp("cmu")
    with tarfile.open(shared_data / "mocap_cmu" / "cmu_mocap_shared.tar.xz") as archive:
        archive.extractall(folder)
    return [
        sequence.joints - sequence.joints[:, :1]
        for sequence in cmu.unpaired_sequences(folder)
    ]


@pytest.mark.slow
def test_round_trip_of_every_clip(clips) -> None:
    for joints in clips:
        local = kinematics.to_local(joints, BODY)
        lengths = kinematics.bone_lengths(joints, BODY)
        back = kinematics.from_local(local, BODY, lengths)
        assert np.linalg.norm(back - joints, axis=-1).max() < 0.01


@pytest.mark.slow
def test_gradients_are_finite_on_every_clip(clips) -> None:
    for joints in clips:
        joints = tf.constant(joints)
        with tf.GradientTape() as tape:
            tape.watch(joints)
            local = kinematics.to_local(joints, BODY)
            back = kinematics.from_local(local, BODY, tf.fill([17], 200.0))
            target = tf.reduce_sum(back**2) / 1e4
        assert np.isfinite(tape.gradient(target, joints)).all()


@pytest.mark.slow
def test_limits_hold_what_their_docstring_says(clips) -> None:
    local = kinematics.to_local(np.concatenate(clips), BODY).numpy()
    inside = limits.within(local, BODY)
    free = [j for j, name in enumerate(BODY.joint_names) if not inside[:, j].all()]
    assert inside[:, free].mean() > 0.999 and inside.all(-1).mean() > 0.99

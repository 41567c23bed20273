"""Annotated frames are checked, selected, converted and cut into motions."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.skeleton import skeleton as skeletons


def _frames(numbers=(1, 2, 3, 7, 8), skeleton="lsp14", **fields):
    count = len(numbers)
    joints = skeletons.get(skeleton).num_joints
    rng = np.random.default_rng(0)
    return schema.Frames(
        **{
            **dict(
                name="clip",
                skeleton=skeleton,
                frame_numbers=np.array(numbers),
                images=tuple(f"{n}.jpg" for n in numbers),
                joints=rng.normal(size=(count, joints, 3)),
                keypoints=rng.normal(size=(count, joints, 2)),
                labels=np.array(numbers) * 10,
                fps=50.0,
            ),
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(joints=np.zeros((5, 13, 3))), "joints: expected [N, 14, 3]"),
        (dict(keypoints=np.zeros((4, 14, 2))), "keypoints expected 5, got 4"),
        (dict(joints=None, keypoints=None), "neither joints nor key-points"),
        (dict(images=()), "expected images or a video"),
        (dict(video="a.mp4"), "expected images or a video"),
        (dict(images=(), video="a.mp4"), "needs video_indices"),
        (dict(mask=np.ones((5, 13))), "mask expected (5, 14)"),
        (dict(joints=np.full((5, 14, 3), np.inf)), "joints: not a finite number"),
    ],
)
def test_a_bad_field_is_named(change, message):
    with pytest.raises(errors.InputError) as error:
        _frames(**change)
    assert message in str(error.value)


def test_selection_keeps_everything_together():
    frames = _frames(images=(), video="a.mp4", video_indices=np.arange(5))
    for keep in ([1, 3], np.array([False, True, False, True, False])):
        some = frames.select(keep)
        assert list(some.frame_numbers) == [2, 7]
        assert list(some.video_indices) == [1, 3]
        assert list(some.labels) == [20, 70]
        np.testing.assert_array_equal(some.joints, frames.joints[[1, 3]])
    assert _frames().select([4]).images == ("8.jpg",)


def test_a_made_joint_is_as_valid_as_its_parts():
    mask = np.ones((5, 14), bool)
    mask[2, skeletons.get("lsp14").index("left_hip")] = False
    frames = _frames(mask=mask).as_skeleton("sa3dhp17")
    index = skeletons.SA3DHP17.index
    np.testing.assert_array_equal(frames.mask[:, index("pelvis")], [1, 1, 0, 1, 1])
    np.testing.assert_array_equal(frames.mask[:, index("right_hip")], 1)
    assert not frames.mask[:, index("left_foot")].any()  # not in the data set
    hips = _frames().keypoints[
        :, skeletons.get("lsp14").indices("left_hip", "right_hip")
    ]
    np.testing.assert_allclose(
        frames.keypoints[:, index("pelvis")], hips.mean(1), rtol=1e-6
    )


def test_motions_are_runs_without_a_gap():
    motions = _frames().sequences()
    assert [(m.name, len(m), m.fps) for m in motions] == [
        ("clip+1", 3, 50.0),
        ("clip+7", 2, 50.0),
    ]
    assert motions[0].frame == "camera"
    assert _frames(numbers=()).sequences() == []
    for still in (_frames(fps=0.0), _frames(joints=None)):
        with pytest.raises(errors.InputError, match="no motion"):
            still.sequences()

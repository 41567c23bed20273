"""Conversions by joint name, against the joint maps of the data sets."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.skeleton import conversion, skeleton

# For each joint of sa3dhp17 the index in the source; None = not available, a pair = the
# midpoint. SMPL's head top is extrapolated and tested on its own.
MAPS = {
    "smpl24": [0, 12, 17, 19, 21, 16, 18, 20, None, 2, 5, 8, 11, 1, 4, 7, 10],
    "h36m32": [0, 13, 25, 26, 27, 17, 18, 19, 15, 1, 2, 3, 4, 6, 7, 8, 9],
    "h36m17": [0, 8, 14, 15, 16, 11, 12, 13, 10, 1, 2, 3, None, 4, 5, 6, None],
    "mpi_inf_3dhp28": [
        *(4, 5, 14, 15, 16, 9, 10, 11, 7),
        *(23, 24, 25, 26, 18, 19, 20, 21),
    ],
    "mpi_inf_3dhp17": [14, 1, 2, 3, 4, 5, 6, 7, 0, 8, 9, 10, None, 11, 12, 13, None],
    "lsp14": [(2, 3), 12, 8, 7, 6, 9, 10, 11, 13, 2, 1, 0, None, 3, 4, 5, None],
    "coco17": [
        *((11, 12), (5, 6), 6, 8, 10, 5, 7, 9, None),
        *(12, 14, 16, None, 11, 13, 15, None),
    ],
    "openpose18": [
        *((8, 11), 1, 2, 3, 4, 5, 6, 7, None),
        *(8, 9, 10, None, 11, 12, 13, None),
    ],
    "cmu31": [0, 13, 24, 25, 26, 17, 18, 19, 16, 6, 7, 8, 9, 1, 2, 3, 4],
}


def _joints(body: skeleton.Skeleton, shape: tuple = (), dims: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(*shape, body.num_joints, dims)).astype(np.float32)


@pytest.mark.parametrize("source", MAPS)
def test_every_joint_comes_from_its_place(source: str) -> None:
    joints = _joints(skeleton.get(source), (4, 5))
    got, valid = conversion.convert(joints, source, "sa3dhp17")
    assert got.shape == (4, 5, 17, 3) and got.dtype == np.float32
    for joint, place in enumerate(MAPS[source]):
        name = skeleton.SA3DHP17.joint_names[joint]
        assert valid[joint] == (place is not None), name
        if place is not None:
            want = joints[:, :, np.atleast_1d(place)].mean(axis=2)
            np.testing.assert_allclose(got[:, :, joint], want, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("source", MAPS)
def test_missing_joints_stay_at_their_parent(source: str) -> None:
    joints = _joints(skeleton.get(source))
    got, valid = conversion.convert(joints, source, "sa3dhp17")
    body = skeleton.SA3DHP17
    for joint in np.flatnonzero(~valid):
        if (source, body.joint_names[joint]) != ("smpl24", "head_top"):
            np.testing.assert_array_equal(got[joint], got[body.parents[joint]])


def test_head_top_of_smpl_lies_beyond_the_skull() -> None:
    body = skeleton.get("smpl24")
    joints = np.zeros((24, 3), np.float32)
    joints[body.index("spine3")] = (0.0, -300.0, 0.0)
    joints[body.index("neck")] = (0.0, -540.0, 0.0)
    joints[body.index("head")] = (0.0, -630.0, 0.0)
    got, valid = conversion.convert(joints, "smpl24", "sa3dhp17")
    top = skeleton.SA3DHP17.index("head_top")
    assert not valid[top]
    np.testing.assert_allclose(got[top], (0.0, -630.0 - 0.53 * 330.0, 0.0), atol=1e-3)


def test_subsets_of_one_data_set_agree_with_their_index_lists() -> None:
    keep = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    joints = _joints(skeleton.get("h36m32"))
    got, valid = conversion.convert(joints, "h36m32", "h36m17")
    assert valid.all()
    np.testing.assert_array_equal(got, joints[keep])

    keep = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
    joints = _joints(skeleton.get("mpi_inf_3dhp28"))
    got, valid = conversion.convert(joints, "mpi_inf_3dhp28", "mpi_inf_3dhp17")
    assert valid.all()
    np.testing.assert_array_equal(got, joints[keep])


@pytest.mark.parametrize("source", skeleton.ALL)
@pytest.mark.parametrize("target", skeleton.ALL)
def test_every_pair_converts_and_keeps_sides(source: str, target: str) -> None:
    a, b = skeleton.get(source), skeleton.get(target)
    joints = _joints(a)
    got, valid = conversion.convert(joints, source, target)
    flipped, _ = conversion.convert(joints[list(a.flip_indices)], source, target)
    np.testing.assert_allclose(flipped, got[list(b.flip_indices)], atol=1e-5)
    assert valid.any() and (valid == valid[list(b.flip_indices)]).all()


@pytest.mark.parametrize("skeleton_id", skeleton.ALL)
def test_conversion_to_itself_changes_nothing(skeleton_id: str) -> None:
    joints = _joints(skeleton.get(skeleton_id))
    got, valid = conversion.convert(joints, skeleton_id, skeleton_id)
    assert valid.all()
    np.testing.assert_array_equal(got, joints)


def test_words_with_two_meanings_do_not_convert() -> None:
    for source, target in (("smpl24", "h36m17"), ("h36m17", "mpi_inf_3dhp17")):
        _, valid = conversion.convert(_joints(skeleton.get(source)), source, target)
        assert not valid[skeleton.get(target).index("head")]
        assert not valid[skeleton.get(target).index("spine")]


def test_a_nan_joint_spoils_only_itself() -> None:
    joints = _joints(skeleton.get("h36m32"))
    joints[20] = np.nan  # a thumb
    got, _ = conversion.convert(joints, "h36m32", "sa3dhp17")
    assert np.isfinite(got).all()


def test_keypoints_in_the_image_convert_too() -> None:
    joints = _joints(skeleton.get("lsp14"), (3,), dims=2)
    before = joints.copy()
    got, _ = conversion.convert(joints, "lsp14", "sa3dhp17")
    assert got.shape == (3, 17, 2)
    np.testing.assert_array_equal(joints, before)


def test_wrong_shape_is_named() -> None:
    with pytest.raises(
        errors.InputError, match=r"expected \[\.\.\., 24, 3\] for smpl24, got \(8, 17"
    ):
        conversion.convert(np.zeros((8, 17, 3)), "smpl24", "sa3dhp17")


def test_skeletons_without_a_common_joint_are_refused() -> None:
    other = skeleton.Skeleton("hand2", ("thumb", "finger"), (0, 0))
    with pytest.raises(errors.InputError, match="no joint in common"):
        conversion.convert(np.zeros((2, 3)), other, "sa3dhp17")

"""The joint lists: names, parents, sides."""

import pytest

from sa3dhp import errors
from sa3dhp.skeleton import skeleton


def test_sa3dhp17_is_the_design() -> None:
    names = (
        "pelvis neck right_shoulder right_elbow right_wrist left_shoulder left_elbow "
        "left_wrist head_top right_hip right_knee right_ankle right_foot left_hip "
        "left_knee left_ankle left_foot"
    )
    assert skeleton.SA3DHP17.joint_names == tuple(names.split())
    parents = (0, 0, 1, 2, 3, 1, 5, 6, 1, 0, 9, 10, 11, 0, 13, 14, 15)
    assert skeleton.SA3DHP17.parents == parents
    assert skeleton.SA3DHP17.root == 0
    assert skeleton.SA3DHP17.num_joints == 17


@pytest.mark.parametrize("skeleton_id", skeleton.ALL)
def test_id_says_the_number_of_joints(skeleton_id: str) -> None:
    digits = skeleton_id[-2:]
    assert skeleton.get(skeleton_id).num_joints == int(digits)


@pytest.mark.parametrize("skeleton_id", skeleton.ALL)
def test_flip_twice_is_identity_and_swaps_sides(skeleton_id: str) -> None:
    body = skeleton.get(skeleton_id)
    flip = body.flip_indices
    assert [flip[j] for j in flip] == list(range(body.num_joints))
    for joint, name in enumerate(body.joint_names):
        other = body.joint_names[flip[joint]]
        if name.startswith(("left_", "right_")):
            assert {name.split("_")[0], other.split("_")[0]} == {"left", "right"}
            assert name.split("_", 1)[1] == other.split("_", 1)[1]
        else:
            assert other == name


@pytest.mark.parametrize("skeleton_id", skeleton.ALL)
def test_flip_keeps_the_tree(skeleton_id: str) -> None:
    body = skeleton.get(skeleton_id)
    for parent, child in body.limbs:
        flipped = (body.flip_indices[parent], body.flip_indices[child])
        if flipped == (child, parent):  # a root with a counterpart, and that
            assert parent == body.root
            continue
        # Trees of faces hang off one nose, every other tree is symmetric.
        assert flipped in body.limbs


def test_one_limb_per_joint_but_the_root() -> None:
    for body in skeleton.ALL.values():
        assert len(body.limbs) == body.num_joints - 1
        assert body.depths[body.root] == 0
        for parent, child in body.limbs:
            assert body.depths[child] == body.depths[parent] + 1


def test_unknown_joint_and_skeleton_are_named() -> None:
    with pytest.raises(errors.InputError, match="'tail' is not in sa3dhp17"):
        skeleton.SA3DHP17.index("tail")
    with pytest.raises(errors.InputError, match="unknown id 'cat9'; expected one of"):
        skeleton.get("cat9")


def test_broken_trees_are_refused() -> None:
    with pytest.raises(errors.InputError, match="cycle"):
        skeleton.Skeleton("loop", ("a", "b"), (1, 0))
    with pytest.raises(errors.InputError, match="unique"):
        skeleton.Skeleton("twice", ("a", "a"), (0, 0))
    with pytest.raises(errors.InputError, match="2 parents, got 1"):
        skeleton.Skeleton("short", ("a", "b"), (0,))

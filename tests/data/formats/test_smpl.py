"""The body model against its definition, vertex by vertex."""

import miniature_smpl
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.formats import smpl
from sa3dhp.geometry import rotation

RNG = np.random.default_rng(4)
BETAS = RNG.normal(size=10)
POSE = RNG.normal(0, 0.5, (3, 72))
TRANS = RNG.normal(size=(3, 3))


@pytest.fixture(scope="module")
def model():
    return miniature_smpl.model()


def _rest(model, betas=BETAS):
    return model.template + model.shapes @ betas


@pytest.mark.parametrize("size", [0.0, 0.01, 0.5, 2.0])
def test_meshes_are_those_of_the_definition(model, size):
    values = miniature_smpl.arrays()
    pose = POSE[:2] * size
    found = smpl.vertices(model, BETAS, pose, TRANS[:2])
    for n in range(2):
        expected = miniature_smpl.slow_vertices(values, BETAS, pose[n], TRANS[n])
        np.testing.assert_allclose(found[n], expected, rtol=0, atol=1e-12)


def test_the_body_at_rest_is_the_shaped_template(model):
    found = smpl.vertices(model, BETAS, np.zeros((1, 72)), np.zeros((1, 3)))
    np.testing.assert_allclose(found[0], _rest(model), rtol=0, atol=1e-12)
    joints = smpl.joints(model, BETAS, np.zeros((1, 72)), np.zeros((1, 3)))
    expected = model.regressor @ _rest(model)
    np.testing.assert_allclose(joints[0], expected, rtol=0, atol=1e-12)


def test_a_rotated_root_turns_the_body_about_its_pelvis(model):
    turned = POSE.copy()
    turn = rotation.from_rotation_vector([0.3, -1.2, 0.7])
    for n, pose in enumerate(POSE):
        whole = turn @ rotation.from_rotation_vector(pose[:3])
        turned[n, :3] = _vector(whole)
    pelvis = (model.regressor @ _rest(model))[0]
    for function in (smpl.vertices, smpl.joints):
        before = function(model, BETAS, POSE, np.zeros((3, 3)))
        after = function(model, BETAS, turned, np.zeros((3, 3)))
        expected = (before - pelvis) @ turn.T + pelvis
        np.testing.assert_allclose(after, expected, rtol=0, atol=1e-9)


def _vector(matrix):
    from scipy.spatial import transform

    return transform.Rotation.from_matrix(matrix).as_rotvec()


def test_translation_moves_everything_alike(model):
    for function in (smpl.vertices, smpl.joints):
        at_zero = function(model, BETAS, POSE, np.zeros((3, 3)))
        moved = function(model, BETAS, POSE, TRANS)
        np.testing.assert_allclose(moved - at_zero, np.broadcast_to(
            TRANS[:, None], moved.shape), rtol=0, atol=1e-12)  # fmt: skip


def test_joints_ride_with_the_vertices_that_belong_to_one_joint_alone(model):
    """With rigid weights and no corrections the mesh at a joint is the joint."""
    num, count = model.regressor.shape
    owner = np.minimum(np.arange(count) // miniature_smpl.PER_JOINT, num - 1)
    rigid = smpl.Model(
        model.template,
        model.shapes,
        np.zeros_like(model.corrections),
        model.regressor,
        np.eye(num)[owner],
    )
    mesh = smpl.vertices(rigid, BETAS, POSE, TRANS)
    np.testing.assert_allclose(
        rigid.regressor @ mesh, smpl.joints(rigid, BETAS, POSE, TRANS), atol=1e-12
    )


def test_limbs_keep_their_length(model):
    rest = model.regressor @ _rest(model)
    joints = smpl.joints(model, BETAS, POSE, TRANS)
    for parent, child in smpl.SKELETON.limbs:
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(rest[child] - rest[parent]))


def test_betas_that_are_not_used_must_be_zero(model):
    long = np.concatenate([BETAS, np.zeros(290)])
    for given in (long, long[None], BETAS[:4]):
        smpl.vertices(model, given, POSE, TRANS)
    np.testing.assert_array_equal(
        smpl.vertices(model, long, POSE, TRANS),
        smpl.vertices(model, BETAS, POSE, TRANS),
    )
    long[12] = 0.5
    with pytest.raises(errors.InputError, match="after the first 10 expected 0"):
        smpl.vertices(model, long, POSE, TRANS)


def test_arguments_stay_as_they_were(model):
    pose, trans, betas = POSE.copy(), TRANS.copy(), BETAS.copy()
    template = model.template.copy()
    smpl.vertices(model, betas, pose, trans)
    for ours, theirs in ((pose, POSE), (trans, TRANS), (betas, BETAS)):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.template, template)


@pytest.mark.parametrize(
    ("pose", "trans"), [((3, 69), (3, 3)), ((3, 72), (2, 3)), ((3, 24, 3), (3, 3))]
)
def test_other_shapes_are_refused(model, pose, trans):
    with pytest.raises(errors.InputError, match=r"expected \[N, 72\] and \[N, 3\]"):
        smpl.vertices(model, BETAS, np.zeros(pose), np.zeros(trans))


def test_another_model_is_refused(model):
    fields = dict(vars(model))
    wrong = {
        "weights": fields["weights"] * 2,
        "regressor": fields["regressor"][:, ::-1] * 1.5,
        "corrections": fields["corrections"][..., :135],
        "shapes": fields["shapes"][..., :8],
        "template": fields["template"] * np.nan,
    }
    for field, values in wrong.items():
        with pytest.raises(errors.InputError, match=f"SMPL's {field}: expected"):
            smpl.Model(**{**fields, field: values})

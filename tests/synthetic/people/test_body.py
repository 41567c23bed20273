"""Shapes, and the joints in them."""

import dataclasses

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic.people import body as bodies

AT = bodies.SKELETON.index


def test_an_average_person_is_made_of_average_targets(average) -> None:
    found = {name: share for name, share in bodies.mixture(average).items() if share}
    assert found == {
        "caucasian-female-young": 1.0,
        "universal-female-young-averagemuscle-averageweight": 1.0,
    }


def test_each_kind_of_target_sums_to_one() -> None:
    shape = bodies.Shape(0.3, 0.6, 0.8, 0.1, 0.9, (0.2, 0.3, 0.5))
    found = bodies.mixture(shape)
    for start in ("universal", "african", "height"):
        total = {"universal": 1.0, "african": 0.2, "height": 0.8}[start]
        mine = [share for name, share in found.items() if name.startswith(start)]
        assert sum(mine) == pytest.approx(total) and min(mine) >= 0


def test_a_tall_person_is_taller(cast, average) -> None:
    tall = cast.body.shaped(dataclasses.replace(average, height=1.0))
    usual = cast.body.shaped(average)
    assert np.ptp(tall[:, 1]) == pytest.approx(1.08 * np.ptp(usual[:, 1]), rel=1e-3)
    np.testing.assert_array_equal(usual, cast.body.shaped(average))


def test_joints_are_where_their_bones_start(cast, skeleton) -> None:
    rig = cast.body.rig
    for name, bone in bodies.STARTS.items():
        np.testing.assert_allclose(
            skeleton.joints[AT(name)], skeleton.heads[rig.index(bone)]
        )
    left = [n for n in bodies.SKELETON.joint_names if n.startswith("left")]
    assert all(skeleton.joints[AT(name), 0] > 0 for name in left)


def test_pelvis_and_neck_are_where_captures_have_them(skeleton) -> None:
    hips, shoulders = (
        (skeleton.joints[AT(f"left_{n}")] + skeleton.joints[AT(f"right_{n}")]) / 2
        for n in ("hip", "shoulder")
    )
    pelvis = (skeleton.joints[AT("pelvis")] - hips) / skeleton.leg
    neck = (skeleton.joints[AT("neck")] - shoulders) / skeleton.leg
    np.testing.assert_allclose(pelvis, bodies.ROOT_OVER_HIPS)
    np.testing.assert_allclose(neck, bodies.NECK_OVER_SHOULDERS)


def test_the_top_of_the_head_is_its_highest_vertex(cast, skeleton, average) -> None:
    vertices = cast.body.shaped(average) * 0.1
    highest = vertices[cast.body.groups["body"], 1].max()
    assert skeleton.joints[AT("head_top"), 1] == pytest.approx(highest, abs=1e-6)
    assert skeleton.sole == pytest.approx(-0.87, abs=0.01)


def test_what_is_missing_is_named(tmp_path, folder) -> None:
    with pytest.raises(errors.InputError, match=r"base\.obj: missing"):
        bodies.Body(tmp_path)
    body = bodies.Body(folder / "mpfb2")
    with pytest.raises(errors.InputError, match=r"no-one.*missing"):
        body._target("no-one")

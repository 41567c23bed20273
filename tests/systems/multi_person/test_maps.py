"""Heat maps and part affinity fields: peaks, directions, people together."""

import numpy as np
import pytest

from sa3dhp.systems.multi_person import maps

J = {name: n for n, name in enumerate(maps.OWN.joints)}


def _person(dx=0.0, **places):
    points = np.full((17, 2), np.nan)
    for name, place in places.items():
        points[maps.SKELETON.index(name)] = np.add(place, [dx, 0])
    return points


def _field(drawn, parent, child):
    first = len(maps.OWN.joints) + 2 * maps.OWN.limbs.index((parent, child))
    return drawn[..., first : first + 2]


def test_there_are_43_channels_of_joints_that_the_skeleton_has():
    assert maps.OWN.channels == 43 and len(set(maps.OWN.joints)) == 15
    assert {name for limb in maps.OWN.limbs for name in limb} == set(maps.OWN.joints)
    assert all(maps.SKELETON.index(name) >= 0 for name in maps.OWN.joints)


def test_a_joint_is_a_peak_of_one_where_it_lies_and_falls_by_its_sigma():
    drawn = maps.draw(_person(neck=(10, 5))[None])
    peak = drawn[..., J["neck"]]
    assert drawn.shape == (28, 28, 43) and drawn.dtype == np.float32
    assert np.unravel_index(peak.argmax(), peak.shape) == (5, 10)  # row, column
    assert peak[5, 10] == 1 and peak[5, 11] == pytest.approx(np.exp(-0.5))
    assert drawn[..., J["pelvis"]].max() == 0  # not seen


def test_a_limb_points_from_parent_to_child_and_nowhere_beside_it():
    drawn = maps.draw(_person(neck=(10, 5), pelvis=(10, 15))[None])
    field = _field(drawn, "neck", "pelvis")
    np.testing.assert_allclose(field[10, 10], [0, 1], atol=1e-6)
    np.testing.assert_allclose(field[10, 11], [0, 1], atol=1e-6)
    assert (
        not field[10, 13].any() and not field[17, 10].any() and not field[3, 10].any()
    )
    assert not _field(drawn, "pelvis", "right_hip").any()


def test_people_share_the_maps():
    one = _person(neck=(6, 5), pelvis=(6, 15))
    other = _person(dx=14, neck=(6, 5), pelvis=(6, 15))
    both = maps.draw(np.stack([one, other]))
    each = maps.draw(one[None]), maps.draw(other[None])
    np.testing.assert_allclose(both[..., :15], np.maximum(*each)[..., :15])
    np.testing.assert_allclose(both[..., 15:], (each[0] + each[1])[..., 15:])
    crossed = _person(neck=(1, 10), pelvis=(11, 10))
    mixed = _field(maps.draw(np.stack([one, crossed])), "neck", "pelvis")
    np.testing.assert_allclose(mixed[10, 6], [0.5, 0.5], atol=1e-6)


def test_nobody_is_an_empty_map():
    assert not maps.draw(np.zeros((0, 17, 2))).any()

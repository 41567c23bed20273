"""Maps that are drawn are read back: peaks between cells, and whose joint is whose."""

import numpy as np
import pytest

from sa3dhp.systems.multi_person import grouping, maps

SKELETON = maps.SKELETON


def _person(x, y, scale=1.0):
    """Somebody who stands, `[17, 2]`, cells."""
    places = dict(
        pelvis=(0, 0), right_hip=(-1.2, 0.3), left_hip=(1.2, 0.3), neck=(0, -5.0),
        right_knee=(-1.4, 4.0), left_knee=(1.4, 4.2), right_ankle=(-1.4, 8.0),
        left_ankle=(1.6, 8.1), right_foot=(-1.9, 8.6), left_foot=(2.0, 8.8),
        head_top=(0.2, -8.0), right_shoulder=(-2.0, -4.6), left_shoulder=(2.0, -4.8),
        right_elbow=(-2.9, -2.0), left_elbow=(3.1, -2.2), right_wrist=(-3.1, 0.6),
        left_wrist=(3.4, 0.4), spine=(0, -2.5),
    )  # fmt: skip
    rows = [places[name] for name in SKELETON.joint_names]
    return np.array([x, y]) + scale * np.array(rows)


KNOWN = [SKELETON.index(name) for name in maps.OWN.joints]


def test_a_peak_between_cells_is_found_there():
    person = _person(13.3, 12.6)
    drawn = maps.draw(person[None])
    found = grouping.peaks(drawn[..., maps.OWN.joints.index("pelvis")])
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :2], person[SKELETON.root], atol=0.1)


def test_no_peak_is_lower_than_the_threshold():
    assert not len(grouping.peaks(np.full((5, 5), 0.2)))
    assert not len(grouping.people(np.zeros((28, 28, 43), np.float32)))


@pytest.mark.parametrize("apart", [7.0, 11.0])
def test_joints_of_neighbours_are_told_apart(apart):
    persons = np.stack([_person(8.2, 13.1), _person(8.2 + apart, 13.7, 0.9)])
    found = grouping.people(maps.draw(persons))
    assert found.shape == (2, 17, 2)
    for person in persons:
        gaps = np.linalg.norm(found[:, KNOWN] - person[KNOWN], axis=-1)
        assert np.nanmax(gaps, axis=1).min() < 1.0


def test_a_joint_that_is_not_to_be_seen_stays_unknown_and_so_does_what_hangs_on_it():
    person = _person(13.0, 13.0)
    person[SKELETON.index("left_elbow")] = np.nan
    found = grouping.people(maps.draw(person[None]))
    assert len(found) == 1
    unknown = {maps.OWN.joints[n] for n in np.flatnonzero(np.isnan(found[0, KNOWN, 0]))}
    assert unknown == {"left_elbow", "left_wrist"}


def test_somebody_without_a_pelvis_is_nobody():
    person = _person(13.0, 13.0)
    person[SKELETON.root] = np.nan
    assert not len(grouping.people(maps.draw(person[None])))

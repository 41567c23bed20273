"""Where points come from, what belongs to them, and what is refused by name."""

import numpy as np
import pytest
import small_nrsfm as made

from sa3dhp import errors
from sa3dhp.skeleton import conversion
from sa3dhp.synthetic import domain, world
from sa3dhp.systems.nrsfm import sources


def test_motions_are_seen_by_a_camera_of_their_own_each(load, motions):
    config = load("data.source=motions", f"data.path={motions}", "data.views=3")
    found = sources.training(config)
    assert found.points.shape == (180, 17, 2) and found.images is None
    np.testing.assert_array_equal(found.points, found.truth[..., :2])
    np.testing.assert_allclose(found.truth.mean(axis=1), 0, atol=1e-9)
    same = found.truth[:3]  # one pose, three views
    lengths = np.linalg.norm(same - same[:, :1], axis=-1)
    np.testing.assert_allclose(lengths[1:], lengths[:1].repeat(2, 0), rtol=1e-6)
    assert np.abs(same[0] - same[1]).max() > 50
    assert sources.unseen(config) is None


def test_level_cameras_keep_people_upright_and_others_do_not(load, motions):
    def heads(kind):
        config = load(
            "data.source=motions", f"data.path={motions}", f"data.cameras={kind}"
        )
        truth = sources.training(config).truth
        up = truth[:, 8] - truth[:, 0]  # pelvis to head top
        return -up[:, 1] / np.linalg.norm(up, axis=-1)

    assert heads("level").min() > 0.5 and heads("any").min() < -0.5


def test_held_out_subjects_are_unseen_and_not_trained_on(load, motions):
    held = "data.held_out_subjects=['02']"
    config = load("data.source=motions", f"data.path={motions}", held)
    assert set(sources.training(config).subjects) == {"01", "03"}
    assert set(sources.unseen(config).subjects) == {"02"}
    assert len(sources.unseen(config)) == 6  # data.unseen
    one = load(
        "data.source=motions", f"data.path={motions}", held, "data.subjects=['03']"
    )
    assert set(sources.training(one).subjects) == {"03"}


@pytest.mark.parametrize(
    "override", ["data.subjects=['77']", "data.held_out_subjects=['01', '77']"]
)
def test_subjects_that_are_not_there_are_told_with_those_that_are(
    load, motions, override
):
    config = load("data.source=motions", f"data.path={motions}", override)
    with pytest.raises(errors.InputError, match=r"77.*subjects there: 01, 02, 03"):
        sources.training(config)


def test_fewer_frames_than_atoms_are_refused(load, motions):
    config = load(
        *("data.source=motions", f"data.path={motions}"),
        "teacher.atoms=[61, 6]",
    )
    with pytest.raises(errors.InputError, match="got 60 frames, expected at least"):
        sources.training(config)


def test_world_shows_the_people_whose_points_it_gives(load):
    config = load("data.source=world")
    found = sources.training(config)
    assert found.points.shape == (14, 17, 2)
    images = found.images(np.array([3, 1]))
    assert images.shape == (2, 32, 32, 3) and images.dtype == np.uint8
    rng = sources.pipeline.rng(config.training.seed, "cast", 0)
    drawn, joints = world.frames(domain.STUDIO, rng, count=50, size=32, rolled=0.0)
    np.testing.assert_array_equal(images, drawn[[3, 1]])
    np.testing.assert_allclose(found.truth, joints[:14])
    others = sources.unseen(config)
    assert len(others) == 6 and np.abs(others.points - found.points[:6]).max() > 1


def test_prepared_pictures_come_in_the_skeleton_asked_for(load, pictures):
    config = load(
        *("data.source=pictures", f"data.path={pictures}"),
        "data.skeleton=h36m17",
    )
    found = sources.training(config)
    assert found.points.shape == (14, 17, 2) and found.skeleton == "h36m17"
    assert set(found.subjects) == {"S1"}
    one = made.frame("S1", 2)
    row = int(np.argmin(np.abs(found.points[:, 0] - one.keypoints[0]).sum(axis=-1)))
    want, _ = conversion.convert(one.keypoints, "h36m32", "h36m17")
    np.testing.assert_allclose(found.points[row], want, rtol=1e-6)
    assert found.images(np.array([row])).shape == (1, 32, 32, 3)
    assert set(sources.unseen(config).subjects) == {"S9"}
    assert sources.check(config) == {str(pictures): "hash"}


def test_the_margin_of_stored_pictures_is_taken_off_their_points(load, pictures):
    small = load(
        *("data.source=pictures", f"data.path={pictures}"),
    )
    assert sources.training(small).points.shape == (14, 32, 2)
    wrong = load(
        *("data.source=pictures", f"data.path={pictures}", "data.stored_size=40")
    )
    with pytest.raises(errors.InputError, match="prepared with image_size 32"):
        sources.training(wrong)


def test_a_missing_point_of_a_picture_is_named(load, tmp_path):
    mask = np.ones(32, bool)
    mask[2] = False
    train = [made.frame("S1", n) for n in range(13)] + [made.frame("S1", 13, mask=mask)]
    made.write_pictures(tmp_path, train, train[:2])
    config = load("data.source=pictures", f"data.path={tmp_path}")
    with pytest.raises(errors.InputError, match=r"right_knee of frame 13 is not a fi"):
        sources.training(config)


def test_points_that_a_skeleton_lacks_are_named(load, pictures):
    config = load(
        *("data.source=pictures", f"data.path={pictures}"), "data.skeleton=coco17"
    )
    with pytest.raises(errors.InputError, match=r"data.skeleton: got 'coco17', whose"):
        sources.training(config)


def test_pictures_without_points_are_refused(load, tmp_path):
    train = [made.frame("S1", n, keypoints=None) for n in range(13)]
    made.write_pictures(tmp_path, train, train[:2])
    config = load("data.source=pictures", f"data.path={tmp_path}")
    with pytest.raises(errors.InputError, match="13 of 13 pictures have no 2D po"):
        sources.training(config)


def test_an_npz_needs_nothing_but_points(load, npz):
    config = load("data.source=npz", f"data.path={npz(truth=None)}")
    found = sources.training(config)
    assert found.points.shape == (15, 5, 2)
    assert (found.truth, found.images, found.skeleton) == (None, None, "")
    assert list(sources.check(config)) == [config.data.path]
    assert sources.unseen(config) is None


def test_an_npz_may_have_subjects_truth_and_pictures(load, npz):
    images = np.arange(15, dtype=np.uint8)[:, None, None, None]
    more = {
        "subject": np.array(["a"] * 13 + ["b"] * 2),
        "images": np.tile(images, [1, 32, 32, 3]),
    }
    config = load(
        "data.source=npz", f"data.path={npz(**more)}", "data.held_out_subjects=['b']"
    )
    own, others = sources.training(config), sources.unseen(config)
    assert (len(own), len(others)) == (13, 2)
    np.testing.assert_array_equal(others.images(np.array([1]))[0, 0, 0], 14)
    assert others.truth.shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": None, "xy": np.zeros(3)}, "the array `points` is missing, got tr"),
        ({"points": np.zeros((15, 5))}, "expected numbers"),
        ({"points": np.full((15, 5, 2), np.nan)}, "point 0 of frame 0 is not a finite"),
        ({"points": np.ones((15, 5, 2))}, "all points of frame 0 coincide"),
        ({"mask": np.eye(15, 5) == 0, "names": np.array(list("abcde"))}, "a of frame"),
        ({"skeleton": np.array("sa3dhp17")}, "got 5 points, expected 17"),
        ({"truth": np.zeros((15, 4, 3))}, r"truth: got \(15, 4, 3\), expected \(15, 5"),
        ({"subject": np.array(["a"])}, r"subject: got \(1,\), expected \(15,\)"),
        ({"images": np.zeros((15, 8, 8, 3), np.uint8)}, "as data.image_size says"),
    ],
)
def test_an_npz_that_cannot_be_used_is_refused(load, npz, changes, message):
    config = load("data.source=npz", f"data.path={npz(**changes)}")
    with pytest.raises(errors.InputError, match=message):
        sources.check(config)


def test_a_student_without_pictures_is_told_before_its_teacher_trains(
    load, motions, npz
):
    for path, source in ((motions, "motions"), (npz(), "npz")):
        config = load(f"data.source={source}", f"data.path={path}")
        assert set(sources.check(config, "points")) == {str(path)}
        with pytest.raises(errors.InputError, match="has no pictures, expected some"):
            sources.check(config, "points", "pictures")
    with pytest.raises(errors.InputError, match="protocol: unknown card 'nrsfn'"):
        sources.check(load("data.source=world", "data.evaluation_card=nrsfn"))


def test_results_of_an_npz_know_its_content(load, npz):
    first = sources.check(load("data.source=npz", f"data.path={npz()}"))
    sources.training.cache_clear()
    other = npz(points=np.random.default_rng(1).normal(size=(15, 5, 2)), truth=None)
    second = sources.check(load("data.source=npz", f"data.path={other}"))
    assert first.keys() == second.keys() and first != second


def test_a_missing_folder_is_told_with_the_command_that_makes_it(load):
    config = load("data.source=motions", "data.path=none/cmu")
    with pytest.raises(errors.InputError, match=r"prepare_data\.py --dataset=cmu"):
        sources.check(config)


def test_motions_come_in_the_skeleton_asked_for(load, motions):
    config = load("data.source=motions", f"data.path={motions}")
    asked = load(
        *("data.source=motions", f"data.path={motions}"), "data.skeleton=sa3dhp17"
    )
    assert sources.training(config).skeleton == "sa3dhp17"
    found, same = sources.training(asked).points, sources.training(config).points
    np.testing.assert_array_equal(found, same)
    lacking = load(
        *("data.source=motions", f"data.path={motions}"), "data.skeleton=cmu31"
    )
    with pytest.raises(errors.InputError, match="lacks joints of cmu31"):
        sources.training(lacking)


def test_the_split_that_measures_may_be_what_trains(load, pictures):
    """Of few pictures all are lifted, as an unordered set; none is then unseen."""
    config = load(
        *("data.source=pictures", f"data.path={pictures}", "data.split=test"),
        "teacher.atoms=[8, 4]",
    )
    found = sources.training(config)
    assert set(found.subjects) == {"S9"} and len(found) == 8
    assert sources.unseen(config) is None


def test_the_world_has_one_skeleton(load):
    config = load("data.source=world", "data.skeleton=h36m17")
    with pytest.raises(errors.InputError, match="expected '' or 'sa3dhp17'"):
        sources.training(config)

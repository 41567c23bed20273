"""MuPoTS-3D as it is distributed: who is where, which camera, what is refused."""

import shutil

import h5py
import miniature_mupots
import numpy as np
import pytest
import scipy.io

from sa3dhp import errors
from sa3dhp.data.datasets import mupots


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return miniature_mupots.mupots(tmp_path_factory.mktemp("mupots"))


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of TS1 that may be damaged."""
    return shutil.copytree(whole / "TS1", tmp_path / "TS1")


def _annotations(folder, change):
    """Writes annotations again, each struct changed: `change(index, fields)`."""
    cells = scipy.io.loadmat(folder / "annot.mat")["annotations"]
    made = np.empty(cells.shape, object)
    for index in np.ndindex(*cells.shape):
        (fields,) = cells[index][0]
        made[index] = change(index, dict(zip(fields.dtype.names, fields)))
    scipy.io.savemat(folder / "annot.mat", {"annotations": made})


def test_everybody_comes_back_in_every_frame(whole):
    folders = mupots.sequences(whole)
    assert [x.name for x in folders] == ["TS1", "TS6"]
    for number, place in enumerate(folders):
        got, joints = mupots.read(place), miniature_mupots.people(number)
        assert got.name == place.name and got.valid.all()
        np.testing.assert_allclose(got.joints, joints)
        np.testing.assert_allclose(got.universal, 1.05 * joints)
        assert got.points.shape == (3, 2, 17, 2)
        assert [x.name for x in got.images][-1] == "img_000002.jpg"
        assert all(x.is_file() for x in got.images)
    assert got.occluded is None
    hidden = mupots.read(whole / "TS1").occluded
    assert hidden.dtype == bool and hidden.shape == (3, 2, 17)
    assert [[x.argmax() for x in row] for row in hidden] == [[0, 1], [1, 2], [2, 3]]
    assert (hidden.sum(axis=-1) == 1).all()


@pytest.mark.parametrize("name", list(miniature_mupots.CAMERAS))
def test_the_fitted_camera_is_the_true_one_to_a_tenth_of_a_pixel(whole, name):
    matrix = mupots.camera_of(mupots.read(whole / name))
    np.testing.assert_allclose(matrix, miniature_mupots.CAMERAS[name][0], atol=0.1)


def test_hips_beside_their_joints_and_who_does_not_count_move_no_camera(folder):
    def change(index, fields):
        fields["annot2"][:, [8, 11, 15]] += 2.0
        if index == (1, 1):
            fields.update(isValidFrame=0, annot2=np.full((2, 17), np.nan))
        return fields

    _annotations(folder, change)
    got = mupots.read(folder)
    assert got.valid.sum() == 5 and not got.valid[1, 1]
    matrix = mupots.camera_of(got)
    np.testing.assert_allclose(matrix, miniature_mupots.CAMERAS["TS1"][0], atol=0.1)


def test_an_empty_cell_is_nobody(folder):
    empty = np.zeros((0, 0))
    _annotations(folder, lambda index, x: empty if index == (0, 1) else x)
    got = mupots.read(folder)
    assert got.valid.tolist() == [[True, False], [True, True], [True, True]]
    assert np.isnan(got.joints[0, 1]).all() and np.isfinite(got.joints[1:]).all()


_WRONG = {
    "not finite": (dict(annot3=np.full((3, 17), np.nan)), "annot3: not finite"),
    "behind": (dict(annot3=-np.ones((3, 17))), "annot3: behind the camera"),
    "joints": (dict(annot2=np.ones((2, 16))), r"annot2: expected \(2, 17\), got"),
    "axes": (dict(univ_annot3=np.ones((17, 3))), r"univ_annot3: expected \(3, 17\)"),
    "words": (dict(annot2="abc"), r"annot2: expected \(2, 17\), got nothing"),
    "flag": (dict(isValidFrame=[1, 1]), r"isValidFrame: expected \(1, 1\), got"),
    "nobody": (dict(isValidFrame=0), "nobody in it counts"),
}


@pytest.mark.parametrize(("new", "reason"), _WRONG.values(), ids=_WRONG)
def test_wrong_annotations_are_named(folder, new, reason):
    _annotations(folder, lambda index, fields: {**fields, **new})
    with pytest.raises(errors.InputError, match=rf"annot\.mat: not an .*{reason}"):
        mupots.read(folder)


def test_annotations_of_another_form_are_named(folder):
    scipy.io.savemat(folder / "annot.mat", {"annotations": np.ones((3, 2))})
    with pytest.raises(errors.InputError, match=r"expected cells \[F, P\]"):
        mupots.read(folder)
    numbers = np.empty((3, 2), object)
    numbers[:] = [[np.ones((1, 1))] * 2] * 3
    scipy.io.savemat(folder / "annot.mat", {"annotations": numbers})
    with pytest.raises(errors.InputError, match="expected one struct"):
        mupots.read(folder)
    scipy.io.savemat(folder / "annot.mat", {"other": np.ones((3, 2))})
    with pytest.raises(errors.InputError, match="no 'annotations'"):
        mupots.read(folder)


def test_pictures_are_as_many_as_frames(folder):
    (folder / "img_000001.jpg").unlink()
    with pytest.raises(errors.InputError, match=r"got 2 .* img_000001\.jpg is missing"):
        mupots.read(folder)
    shutil.copy(folder / "img_000000.jpg", folder / "img_000001.jpg")
    shutil.copy(folder / "img_000000.jpg", folder / "img_000003.jpg")
    with pytest.raises(errors.InputError, match=r"got 4 pictures .*, expected 3"):
        mupots.read(folder)


def test_missing_files_and_folders_are_named(folder, tmp_path):
    with pytest.raises(errors.InputError, match=r"no folder of TS1 to TS20.*MultiPer"):
        mupots.sequences(folder)
    (folder / "annot.mat").unlink()
    with pytest.raises(errors.InputError, match=r"annot\.mat: no such file"):
        mupots.read(folder)
    with h5py.File(folder / "annot.mat", "w", userblock_size=512) as file:
        file["#refs#/a/annot2"] = np.zeros((17, 2))
        cells = np.array([[file["#refs#/a"].ref]], h5py.ref_dtype)
        file.create_dataset("annotations", data=cells, dtype=h5py.ref_dtype)
    with pytest.raises(errors.InputError, match=r"structs in 7\.3; save it with -v7"):
        mupots.read(folder)


def test_occlusion_of_another_shape_is_named(folder):
    cells = np.empty((3, 2), object)
    cells[:] = [[np.ones((1, 17)), np.zeros((0, 0))]] * 3
    scipy.io.savemat(folder / "occlusion.mat", {"occlusion_labels": cells})
    assert mupots.read(folder).occluded.sum(axis=-1).tolist() == [[17, 0]] * 3
    scipy.io.savemat(folder / "occlusion.mat", {"occlusion_labels": cells[:2]})
    with pytest.raises(errors.InputError, match=r"expected cells \(3, 2\), got"):
        mupots.read(folder)
    cells[0, 0] = np.ones((17, 1))
    scipy.io.savemat(folder / "occlusion.mat", {"occlusion_labels": cells})
    with pytest.raises(errors.InputError, match=r"\(0, 0\): expected \(1, 17\), got"):
        mupots.read(folder)


def test_points_that_no_camera_makes_are_refused(folder):
    def mirrored(index, fields):
        return {**fields, "annot2": -fields["annot2"]}

    _annotations(folder, mirrored)
    with pytest.raises(errors.InputError, match="TS1: no camera fits"):
        mupots.camera_of(mupots.read(folder))

"""One's own labels: both forms say the same, and a fault is named with its line."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.datasets import own
from sa3dhp.data.formats import labels
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

BODY = skeletons.SA3DHP17
HEAD = "image,joint,u,v,x,y,z,subject,sequence,frame,split\n"
SETTINGS = units.Settings(96, 64)


def _table(path, *rows, head=HEAD):
    path.write_text(head + "".join(f"{row}\n" for row in rows))
    return path


def test_a_table_and_arrays_say_the_same(tmp_path):
    rows = [
        "a.jpg,pelvis,10.5,20,1,2,3000,anna,walk,7,test",
        "a.jpg,left_wrist,11,,1,2,3000,anna,walk,7,test",
        "b.jpg,pelvis,12,22,,,,anna,walk,3,test",
    ]
    table = labels.read(_table(tmp_path / "labels.csv", *rows))
    keypoints = np.full((2, 17, 2), np.nan)
    joints = np.full((2, 17, 3), np.nan)
    wrist = BODY.index("left_wrist")
    keypoints[:, 0], keypoints[0, wrist, 0] = [[10.5, 20], [12, 22]], 11
    joints[0, [0, wrist]] = [1, 2, 3000]
    np.savez(
        tmp_path / "labels.npz",
        images=["a.jpg", "b.jpg"],
        skeleton=BODY.id,
        keypoints=keypoints,
        joints=joints,
        subjects=["anna", "anna"],
        sequences=["walk", "walk"],
        frames=[7, 3],
        splits=["test", "test"],
    )
    arrays = labels.read(tmp_path / "labels.npz")
    for name in ("images", "keypoints", "joints", "subjects", "frames", "splits"):
        np.testing.assert_array_equal(getattr(table, name), getattr(arrays, name), name)
    assert table.skeleton == arrays.skeleton and table.fps == arrays.fps == 0
    assert {k: v.tolist() for k, v in table.rows().items()} == {
        ("test", "walk"): [1, 0]
    }
    found = table.select(np.array([1, 0]), "walk", tmp_path)
    assert found.images[0] == str(tmp_path / "b.jpg")
    assert found.frame_numbers.tolist() == [3, 7] and found.subject == "anna"
    # Known is what is known in full, in 2D and in 3D.
    assert np.argwhere(found.mask).tolist() == [[1, 0]]


def test_a_table_in_2d_alone_has_defaults(tmp_path):
    head = "image, joint, u, v\n"
    rows = ["a.jpg,pelvis,1,2", "b.jpg,neck,3,4"]
    found = labels.read(_table(tmp_path / "labels.csv", *rows, head=head))
    assert found.joints is None and found.splits.tolist() == ["train", "train"]
    assert found.sequences.tolist() == ["pictures"] * 2
    assert found.frames.tolist() == [0, 1] and found.subjects.tolist() == ["", ""]


@pytest.mark.parametrize(
    ("head", "row", "message"),
    [
        ("image,joint,u\n", "a,pelvis,1", "lacks the columns v, has image, joint, u;"),
        ("image,joint,u,v,x\n", "a,pelvis,1,2,3", "lacks the columns y, z"),
        ("image;joint;u;v\n", "a;pelvis;1;2", "with commas between them"),
        ("", "", "has none"),
        (HEAD, "a,left_wirst,1,2,3,4,5,,,,", "line 2: joint 'left_wirst'; did you mean "
         "left_wrist?"),
        (HEAD, "a,pelvis,1,two,3,4,5,,,,", "line 2: v: got 'two', expected a number"),
        (HEAD, "a,pelvis,1,2,3,4,5,,,x,", "frame: got 'x', expected a whole number"),
        (HEAD, "a,neck,1,2,3,4,5,,,,\na,neck,1,2,3,4,5,,,,", "line 3: neck of a came"),
        (HEAD, "a,neck,1,2,,,,b,,,\na,pelvis,1,2,,,,c,,,", "has subject 'c', and had"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_told(tmp_path, head, row, message):
    with pytest.raises(errors.InputError) as caught:
        labels.read(_table(tmp_path / "labels.csv", row, head=head))
    assert message in str(caught.value) and "labels.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"skeleton": None}, "lacks skeleton, has images, keypoints"),
        ({"skeleton": "dog99"}, "dog99"),
        ({"keypoints": np.zeros((2, 16, 2))}, "keypoints expected [2, 17, 2] (of 2"),
        ({"joints": np.zeros((1, 17, 3))}, "joints expected [2, 17, 3]"),
        ({"splits": np.array(["a"])}, "splits expected [2]"),
        ({"keypoints": np.full((2, 17, 2), "a")}, "labels.npz"),
    ],
)
def test_what_is_wrong_with_arrays_is_told(tmp_path, changes, message):
    arrays = dict(
        images=np.array(["a", "b"]), skeleton=BODY.id, keypoints=np.zeros((2, 17, 2))
    )
    arrays = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
    np.savez(tmp_path / "labels.npz", **arrays)
    with pytest.raises(errors.InputError) as caught:
        labels.read(tmp_path / "labels.npz")
    assert message in str(caught.value)


def test_a_folder_without_labels_or_with_pictures_missing_is_told(tmp_path):
    with pytest.raises(errors.InputError, match=r"no labels\*.csv or labels\*.npz"):
        own.plan(tmp_path, SETTINGS)
    _table(tmp_path / "labels.csv", "a.jpg,pelvis,1,2,3,4,5,,,,")
    with pytest.raises(errors.InputError, match="1 of 1 pictures are not there"):
        own.plan(tmp_path, SETTINGS)


def test_files_must_agree_on_skeleton_and_rate(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    _table(tmp_path / "labels.csv", "a.jpg,pelvis,1,2,3,4,5,,,,")
    arrays = dict(images=["a.jpg"], skeleton=BODY.id, keypoints=np.zeros((1, 17, 2)))
    np.savez(tmp_path / "labels_2.npz", **arrays, fps=25.0)
    with pytest.raises(errors.InputError, match=r"fps differ: labels\.csv 0, labels_2"):
        own.plan(tmp_path, SETTINGS)
    arrays |= dict(skeleton="lsp14", keypoints=np.zeros((1, 14, 2)))
    np.savez(tmp_path / "labels_2.npz", **arrays)
    with pytest.raises(errors.InputError, match="lsp14, and sa3dhp17 in a file before"):
        own.plan(tmp_path, SETTINGS)
    arrays = dict(images=["a.jpg"], skeleton="sa3dhp17", keypoints=np.ones((1, 17, 2)))
    np.savez(tmp_path / "labels_2.npz", **arrays, splits=["test"])
    found = own.plan(tmp_path, SETTINGS)
    assert found.single == ("train", "test") or found.single == ("test", "train")
    assert [unit.name for unit in found.units] == [
        "labels/pictures",
        "labels_2/pictures",
    ]

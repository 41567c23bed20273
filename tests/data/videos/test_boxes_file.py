"""Boxes files."""

import json
import os

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.videos import boxes_file

ROWS = [[4, 10, 20, 30, 60], [0, 2, 20, 30, 60]]  # in any order


def test_json_and_csv_say_the_same(tmp_path) -> None:
    (tmp_path / "b.json").write_text(json.dumps({"a/v.mp4": ROWS}))
    lines = [",".join(["a/v.mp4", *map(str, row)]) for row in ROWS]
    (tmp_path / "b.csv").write_text("\n".join(["video,frame,x,y,w,h", *lines, ""]))
    (tmp_path / "c.csv").write_text("\n".join(lines))
    for name in ("b.json", "b.csv", "c.csv"):
        track = boxes_file.read(tmp_path / name)["a/v.mp4"]
        assert track.first == 0
        np.testing.assert_allclose(track.boxes[:, 0], [2, 4, 6, 8, 10])
        np.testing.assert_allclose(track.boxes[0], [2, 20, 32, 80])


@pytest.mark.parametrize("key", ["a/v.mp4", "v.mp4", "v"])
def test_a_video_is_found_by_path_name_or_stem(key) -> None:
    assert boxes_file.find({key: "track"}, "a/v.mp4") == "track"
    assert boxes_file.find({key: "track"}, "a/w.mp4") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[1]",
        '{"v": 3}',
        '{"v": [3]}',
        '{"v": []}',
        '{"v": [[0, 1, 2, 3]]}',
        '{"v": [[0, 1, 2, 3, "x"]]}',
        '{"v": [[0, 1, 2, 3, 0]]}',
        '{"v": [[0, 1, 2, -3, 4]]}',
        '{"v": [[0, NaN, 2, 3, 4]]}',
        '{"v": [[0, 1, 2, Infinity, 4]]}',
        '{"v": [[0.5, 1, 2, 3, 4]]}',
        '{"v": [[-1, 1, 2, 3, 4]]}',
        '{"v": [[0, 1, 2, 3, 4], [0, 9, 2, 3, 4]]}',
        '{"v": [[0, 1, 2, 3, 4]], "v": [[1, 1, 2, 3, 4]]}',
        '{"v": [[0, 1e308, 2, 1e308, 4]]}',
        '{"v": [[0, 1, 2, 3, 4], [1e12, 9, 2, 3, 4]]}',
    ],
)
def test_bad_files_are_one_line_errors(tmp_path, content) -> None:
    path = tmp_path / "b.json"
    path.write_text(content)
    with pytest.raises(errors.InputError, match="boxes file: ") as caught:
        boxes_file.read(path)
    assert "\n" not in str(caught.value)


def test_missing_binary_and_malformed_csv_are_one_line_errors(tmp_path) -> None:
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "b.csv").write_text("v,0,1\n")
    (tmp_path / "c.csv").write_text("v,0,a,b,c,d\n")
    for name in ("none.json", "b.bin", "b.csv", "c.csv", "."):
        with pytest.raises(errors.InputError, match="boxes file: "):
            boxes_file.read(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "b.json")
    for path in (tmp_path / "b.json", "/dev/zero"):
        with pytest.raises(errors.InputError, match="is a device or a pipe"):
            boxes_file.read(path)


def test_shares_of_the_picture_are_refused(tmp_path) -> None:
    (tmp_path / "b.json").write_text('{"v": [[0, 0.2, 0.1, 0.4, 0.9]]}')
    with pytest.raises(errors.InputError, match="shares of the picture, expected pix"):
        boxes_file.read(tmp_path / "b.json")


@pytest.mark.parametrize("names", ["x1,y1,x2,y2", "cx,cy,w,h", "y,x,h,w", "x,y,w"])
def test_columns_of_another_name_are_refused(tmp_path, names) -> None:
    path = tmp_path / "b.csv"
    path.write_text(f"video,frame,{names}\nv,0,1,2,30,40\n")
    with pytest.raises(errors.InputError, match=f"b.csv: its columns are .*{names}, "):
        boxes_file.read(path)
    path.write_text("Video, Frame,X,Y,Width,Height\nv,0,1,2,30,40\n")
    assert boxes_file.read(path)["v"].boxes.tolist() == [[1, 2, 31, 42]]

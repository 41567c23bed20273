"""Skeletons in a page, and what a browser makes of them."""

import json
import pathlib
import re

import browser
import cv2
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import page, turntable

SKELETON = skeletons.SA3DHP17


def _poses(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 17, 3)) * 100 + np.arange(count)[:, None, None] * 50


def _clip(count=4, caption="walk", **more):
    poses = {"before": _poses(count), "after": _poses(count, 1)}
    return turntable.Clip(caption, poses, [f"frame {k}" for k in range(count)], **more)


def _data(html):
    found = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)
    return json.loads(found[1])


def test_axes_are_those_of_a_person_who_stands_upright():
    """x stays, away from the camera becomes y, up is z; labels stand side by side."""
    clip = _clip()
    data = _data(turntable.html([clip]))[0]
    first, second = np.array(data["poses"])
    pose = clip.poses["before"]
    np.testing.assert_allclose(first[..., 0], pose[..., 0], atol=0.5)
    np.testing.assert_allclose(first[..., 1], pose[..., 2], atol=0.5)
    np.testing.assert_allclose(first[..., 2], -pose[..., 1], atol=0.5)
    apart = second[..., 0] - clip.poses["after"][..., 0]
    assert np.ptp(apart) <= 1 and apart.min() > np.ptp(pose[..., 0])
    for axis, (low, high) in enumerate(data["range"]):
        values = np.array(data["poses"])[..., axis]
        assert low <= values.min() and values.max() <= high
    assert [tuple(limb[:2]) for limb in data["limbs"]] == list(SKELETON.limbs)


def test_what_is_unknown_has_no_point():
    poses = _poses(2)
    poses[1, 3] = np.nan
    clip = turntable.Clip("x", {"a": poses}, ["0", "1"])
    row = _data(turntable.html([clip]))[0]["poses"][0]
    assert row[1][3] is None and row[0][3] is not None


def test_a_long_clip_is_thinned_evenly_and_a_short_one_is_not():
    np.testing.assert_array_equal(turntable.shown(5), np.arange(5))
    assert len(turntable.shown(0)) == 0
    for count in (299, 300, 301, 10_000):
        shown = turntable.shown(count)
        assert len(shown) <= 300 and shown[-1] < count
        assert len(set(np.diff(shown).tolist())) == 1


def test_pictures_are_small():
    picture = np.zeros((400, 800, 3), np.uint8)
    picture[..., 0] = 255
    back = cv2.imdecode(np.frombuffer(turntable.jpeg(picture), np.uint8), 1)
    assert back.shape == (120, 240, 3) and back[..., 2].min() > 240


def test_no_frame_is_no_element():
    assert turntable.html([]) == ""


def test_parts_of_other_lengths_or_joints_are_refused():
    with pytest.raises(errors.InputError, match="as many of each row"):
        turntable.html([turntable.Clip("x", {"a": _poses(2)}, ["0"])])
    with pytest.raises(errors.InputError, match="as many of each row"):
        turntable.html([_clip(pictures=[b"x"])])
    with pytest.raises(errors.InputError, match=r"expected \[T, 17, 3\]"):
        turntable.html([turntable.Clip("x", {"a": np.zeros((1, 5, 3))}, ["0"])])


def test_a_caption_cannot_end_the_element():
    html = turntable.html([_clip(caption="</script><b>")])
    assert html.count("</script>") == 3 and _data(html)


_PROBE = browser.probe(
    f"""
const told = {{errors: window.failed, loaded: {browser.LOADED}}};
const plot = document.querySelector(".plot"), slider = document.querySelector("input");
const where = () => JSON.stringify(plot.data.map((trace) => trace.x));
const image = document.querySelector(".stage img");
told.frames = Number(slider.max) + 1;
told.traces = plot.data.length;
const [first, picture] = [where(), image.src];
slider.value = 2;
slider.dispatchEvent(new Event("input"));
told.moved = where() !== first;
told.turned = image.src !== picture;
told.at = document.querySelector(".at").textContent;
const list = document.querySelector("select");
list.selectedIndex = 1;
list.dispatchEvent(new Event("change"));
told.private = getComputedStyle(image).display;
told.second = Number(slider.max) + 1;
tell(told);
"""
)


@browser.needed
def test_in_a_browser_the_slider_moves_the_skeleton_and_its_picture(tmp_path):
    grey = [np.full((20, 30, 3), level, np.uint8) for level in (10, 90, 170, 250)]
    pictures = [turntable.jpeg(picture) for picture in grey]
    html = turntable.html([_clip(pictures=pictures), _clip(3, "sit")])
    made = page.document("Page", [browser.CATCH, html, _PROBE])
    path = pathlib.Path(tmp_path) / "page.html"
    path.write_text(made, encoding="utf-8")
    told = browser.told(path)
    assert told["errors"] == [] and told["loaded"] == []
    assert (told["frames"], told["second"]) == (4, 3)
    assert told["traces"] == 2 * 3 + 1  # three colours of two skeletons, and names
    assert told["moved"] and told["turned"]
    assert told["private"] == "none"
    assert told["at"] == "frame 2"

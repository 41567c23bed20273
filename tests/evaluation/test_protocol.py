"""Protocol cards: what they say, what their hash covers, what the loader refuses."""

import dataclasses

import numpy as np
import pytest
import yaml

from sa3dhp import errors
from sa3dhp.evaluation import metrics, protocol

EXPECTED = {
    "h36m_p1",
    "h36m_p2",
    "mpi_inf_3dhp",
    "mpi_inf_3dhp_17",
    "3dpw_14",
    "3dpw_smpl",
    "procedural",
    "real_multiview",
    "person_clips",
    "lsp_2d",
    "single_frames",
    "muco",
}
# Cards of too little, or of another reference, for all five metrics.
FEWER = {
    "person_clips": ("mpjpe", "pa_mpjpe", "pck_2d"),
    "lsp_2d": ("pck_2d",),
    "single_frames": ("mpjpe", "pa_mpjpe"),
}
SCALED = {"nrsfm", "nrsfm_h36m", "nrsfm_real"}  # of methods that know no unit

PINNED = {
    "3dpw_14": "2c5011ac8c60",
    "3dpw_smpl": "f2042180248d",
    "h36m_p1": "4a8106d0c6d3",
    "h36m_p2": "81d6ca5ab00e",
    "mpi_inf_3dhp": "2db522ab5cc8",
    "mpi_inf_3dhp_17": "4686f5f78abc",
    "nrsfm": "b4f5a3b3cfab",
    "nrsfm_h36m": "b776489fd105",
    "nrsfm_real": "a0a9726cd010",
    "procedural": "26f852d490c8",
    "real_multiview": "ba6374448584",
    "person_clips": "774ca8440b65",
    "lsp_2d": "625965872533",
    "single_frames": "09a778630dfe",
    "muco": "bb3584d2dc0c",
}


def _content(name="procedural"):
    path = protocol._CARDS / f"{name}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_all_cards_are_there_and_no_two_are_the_same():
    assert set(protocol.names()) == EXPECTED | SCALED
    hashes = {protocol.load(name).hash for name in protocol.names()}
    assert len(hashes) == len(EXPECTED | SCALED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_cards_cite_a_source_and_report_the_five_metrics(name):
    card = protocol.load(name)
    assert card.citation and card.title
    five = ("mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc")
    assert card.metrics == FEWER.get(name, five)
    np.testing.assert_array_equal(card.thresholds, metrics.AUC_THRESHOLDS_MM)
    assert card.pck_threshold_mm == 150
    assert card.name in card.describe() and card.hash in card.describe()


@pytest.mark.parametrize("name", sorted(SCALED))
def test_cards_without_a_unit_scale_by_limbs_and_report_depth(name):
    card = protocol.load(name)
    assert card.citation and card.title and card.headline == "depth_error"
    assert card.metrics == ("mpjpe", "pa_mpjpe", "depth_error", "normalised_error")
    limbs = 8 if name == "nrsfm_real" else 16  # arms and legs alone
    assert len(card.limbs) == limbs and "limbs" in card.describe()


def test_a_card_that_scales_by_limbs_needs_one():
    content = {**_content("nrsfm"), "joints": ["left_wrist", "right_wrist"]}
    with pytest.raises(errors.InputError, match="scale is 'bones', expected joints"):
        protocol.from_dict("mine", content)
    with pytest.raises(errors.InputError, match="scale is 'feet', expected one of"):
        protocol.from_dict("mine", {**content, "scale": "feet"})


def test_human36m_takes_every_64th_frame_of_two_subjects():
    for name in ("h36m_p1", "h36m_p2"):
        card = protocol.load(name)
        assert (card.frame_stride, card.first_frame) == (64, 1)
        assert card.subjects == ("S9", "S11") and len(card.joints) == 14
    assert protocol.load("h36m_p1").headline == "mpjpe"
    assert protocol.load("h36m_p2").headline == "pa_mpjpe"


def test_the_two_3dhp_cards_differ_by_pelvis_spine_and_head():
    official = protocol.load("mpi_inf_3dhp")
    circulating = protocol.load("mpi_inf_3dhp_17")
    assert len(official.joints) == 14 and len(circulating.joints) == 17
    extra = set(circulating.joints) - set(official.joints)
    assert extra == {"pelvis", "spine", "head"}
    assert official.groups["outdoor"] == ("TS5", "TS6")
    assert official.action_names["5"] == "On The Floor"


def test_hash_covers_what_changes_numbers_and_nothing_else():
    card = protocol.load("h36m_p1")
    prose = dataclasses.replace(card, name="x", title="y", citation="z", note="w")
    assert prose.hash == card.hash
    for change in (
        {"joints": card.joints[:-1]},
        {"joints": card.joints[::-1]},
        {"root": ("neck",)},
        {"alignment": "none"},
        {"pck_threshold_mm": 149.0},
        {"auc_thresholds_mm": (0.0, 200.0, 5.0)},
        {"frame_stride": 1},
        {"first_frame": 0},
        {"averaging": "action"},
        {"headline": "auc"},
        {"subjects": ("S9",)},
        {"scale": "bones"},
    ):
        assert dataclasses.replace(card, **change).hash != card.hash, change


def test_the_reach_in_the_picture_is_in_the_hash_of_who_looks_there():
    for name, changes in (("lsp_2d", True), ("procedural", False)):
        card = protocol.load(name)
        other = dataclasses.replace(card, pck_2d_torso=0.5, reference="x")
        assert (other.hash != card.hash) == changes


def test_cards_of_real_people_state_their_reference():
    for name in ("real_multiview", "person_clips", "lsp_2d", "single_frames"):
        assert protocol.load(name).reference
    assert "no marker motion capture" in protocol.load("real_multiview").reference
    assert "in the picture" in protocol.load("lsp_2d").describe()


def test_hash_does_not_depend_on_order_of_keys_or_spelling_of_numbers():
    content = _content()
    turned = dict(reversed(list(content.items())))
    turned["pck_threshold_mm"] = 150.0
    assert protocol.from_dict("a", turned).hash == protocol.load("procedural").hash


def test_hashes_are_pinned():
    """A change here makes every result written before incomparable: mean it."""
    assert {name: protocol.load(name).hash for name in protocol.names()} == PINNED


def test_a_card_of_the_user_is_read_from_its_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**_content(), "pck_threshold_mm": 100}))
    card = protocol.load(str(path))
    assert card.name == "mine" and card.pck_threshold_mm == 100


def test_restricted_card_has_another_name_and_hash():
    card = protocol.load("mpi_inf_3dhp_17")
    fewer = protocol.restricted(card, card.joints[:-2])
    assert fewer.name == "mpi_inf_3dhp_17 (15 of 17 joints)"
    assert fewer.hash != card.hash
    assert protocol.restricted(card, card.joints) is card


@pytest.mark.parametrize(
    "change, message",
    [
        ({"jonts": []}, "unknown key 'jonts'"),
        ({"joints": ["elbow"]}, "'elbow' is not in sa3dhp17"),
        ({"root": []}, "must not be empty"),
        ({"skeleton": "mine"}, "unknown id 'mine'"),
        ({"alignment": "rot"}, "alignment is 'rot', expected one of root, none"),
        ({"pck_threshold_mm": "1e-4"}, "pck_threshold_mm is '1e-4', expected float"),
        ({"pck_threshold_mm": True}, "expected float"),
        ({"frame_stride": 1.5}, "frame_stride is 1.5, expected int"),
        ({"frame_stride": 0}, "must not be"),
        ({"auc_thresholds_mm": [0, 150]}, "auc_thresholds_mm"),
        ({"metrics": ["mpjpe", "iou"]}, "metrics are .*some of mpjpe, pa_mpjpe, n_mp"),
        ({"pck_2d_torso": 0}, "must not be"),
        ({"headline": "iou"}, "headline is 'iou', expected one of mpjpe, pa_mpjpe"),
        ({"metrics": ["pck"]}, "the headline 'mpjpe' among them"),
        ({"groups": {"a": "TS1"}}, "groups is"),
    ],
)
def test_wrong_cards_are_refused_by_key(change, message):
    with pytest.raises(errors.InputError, match=message):
        protocol.from_dict("mine", {**_content(), **change})


def test_missing_key_is_named():
    content = _content()
    del content["joints"]
    with pytest.raises(errors.InputError, match="the key 'joints' is missing"):
        protocol.from_dict("mine", content)


@pytest.mark.parametrize(
    "name, message",
    [
        ("h36m_p3", "did you mean h36m_p[12]"),
        ("../../etc/passwd", "unknown card"),
        ("/nowhere/x.yaml", "no file"),
    ],
)
def test_unknown_protocol_is_refused(name, message):
    with pytest.raises(errors.InputError, match=message):
        protocol.load(name)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "\x00"])
def test_files_that_are_no_card_are_refused(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(errors.InputError, match="protocol"):
        protocol.load(str(path))

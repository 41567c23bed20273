"""Prepared folders become batches: by number, by (seed, step), and not all at once."""

import dataclasses
import threading
import weakref

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import pipeline, prepared, records, schema, shards
from sa3dhp.evaluation import evaluator, poses, prediction, protocol
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import config, sources

SIZES = prepared.Sizes(32, 48)
T = 6  # frames of a clip here
OURS = skeletons.SA3DHP17


def _frame(number=0, skeleton="h36m32", **changes) -> records.Frame:
    """A black picture with a white dot on the left wrist, seen along the camera axis.

    A millimetre is a hundredth of a pixel, and the pelvis is at the centre.
    """
    named = skeletons.get(skeleton)
    rng = np.random.default_rng(number)
    joints = rng.uniform(-900, 900, (named.num_joints, 3)).astype(np.float32)
    joints[named.root] = 0
    image = np.zeros((48, 48, 3), np.uint8)
    x, y = np.rint(joints[named.index("left_wrist"), :2] / 100 + 23.5).astype(int)
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    fields = dict(
        image=image,
        skeleton=skeleton,
        joints=joints + np.float32([100, 200, 4000]),
        keypoints=joints[:, :2] / 100 + np.float32(23.5),
        mask=np.ones(named.num_joints, bool),
        frame_number=number,
        sequence=f"seq{number // (2 * T)}",
        subject=f"S{number // (4 * T)}",
        action="Walking",
        split="train",
        label=-1,
        clip=f"clip{number // T}",
        position=number % T,
        fps=30.0,
        projection=None,
    )
    return records.Frame(**{**fields, **changes})


def _write(folder, frames, split="train", clips=None, num_shards=2, **changes):
    """Writes frames into shards of whole clips, and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    per = -(-len(frames) // num_shards // T) * T
    names = [f"{split}-{n:05d}-of-{num_shards:05d}.tfrecord" for n in range(num_shards)]
    for n, name in enumerate(names):
        part = frames[n * per : (n + 1) * per]
        records.write_shard(folder / name, [records.encode_frame(f) for f in part])
    entry = dict(
        shards=names,
        checksums=[records.checksum(folder / name) for name in names],
        records=len(frames),
        clips=len(frames) // T if clips is None else clips,
        subjects=sorted({f.subject for f in frames}),
        sequences=len({f.sequence for f in frames}),
        skeleton=frames[0].skeleton,
    )
    known = {}
    if (folder / records.MANIFEST).is_file():
        known = records.read_manifest(folder).splits
    fields = dict(
        dataset="human36m",
        kind="frames",
        skeleton=frames[0].skeleton,
        fps=30.0,
        image_size=SIZES.image,
        stored_size=SIZES.stored,
        frame="camera",
        splits={**known, split: entry},
        sources={},
        licence="none",
        data_hash=f"hash of {folder.name}",
    )
    records.write_manifest(folder, records.Manifest(**{**fields, **changes}))
    return folder


@pytest.fixture(scope="module")
def human36m(tmp_path_factory):
    """Eight clips of two subjects, and a test split of another one."""
    folder = tmp_path_factory.mktemp("prepared") / "h36m"
    _write(folder, [_frame(n) for n in range(8 * T)])
    test = [_frame(n, subject="S9", split="test", position=0) for n in range(5)]
    return _write(folder, test, "test", clips=len(test))


def _config(folder, *overrides):
    values = (
        f"data.image_size={SIZES.image}",
        f"data.stored_size={SIZES.stored}",
        f"data.clip_frames={T // 2}",
        "data.source=prepared",
        f"data.source_paths=[{folder}]",
        "data.target=prepared",
        f"data.target_path={folder}",
        "source.batch_size=5",
    )
    return config.load(None, (*values, *overrides))


def test_any_record_by_number_is_the_one_that_reading_in_order_gives(human36m):
    part = shards.Split(human36m, "train")
    ordered = list(records.read_frames(human36m, "train"))
    assert len(part) == len(ordered) == 8 * T and part.clip_length == T
    rows = np.random.default_rng(0).permutation(len(part))
    for row, frame in zip(rows, part.frames(rows)):
        np.testing.assert_array_equal(frame.image, ordered[row].image)
        np.testing.assert_array_equal(frame.joints, ordered[row].joints)
        assert frame.frame_number == row == ordered[row].frame_number
    (bare,) = part.frames([3], image=False)
    assert bare.image.size == 0 and bare.clip == "clip0"
    with pytest.raises(IndexError, match="got 48"):
        part.payload(len(part))


def test_damaged_or_foreign_shards_are_named(tmp_path):
    frames = [_frame(n) for n in range(2 * T)]
    folder = _write(tmp_path / "h36m", frames)
    with pytest.raises(errors.InputError, match="no split 'test', only train"):
        shards.Split(folder, "test")
    shard = folder / "train-00001-of-00002.tfrecord"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-9])
    with pytest.raises(errors.InputError, match=r"00001-of-00002.*cut short"):
        shards.Split(folder, "train")
    shard.write_bytes(whole + whole)
    with pytest.raises(errors.InputError, match="hold 18 records, expected 12"):
        shards.Split(folder, "train")
    shard.unlink()
    with pytest.raises(errors.InputError, match="shard is missing"):
        shards.Split(folder, "train")
    _write(folder, [frames[n] for n in (0, 1, 2, 4, 3, 5, *range(6, 12))])
    with pytest.raises(errors.InputError, match="clip 0 of train is not 6 pictures in"):
        shards.Split(folder, "train").clip(0)


@pytest.mark.parametrize("folder", ["prepared/h36m", ""])
def test_a_missing_folder_names_the_command_that_makes_it(folder):
    with pytest.raises(errors.InputError) as caught:
        sources.check(_config("x", f"data.target_path={folder!r}"), "target")
    assert "python tools/prepare_data.py --dataset=" in str(caught.value)
    assert f"--output={folder or 'OUTPUT'}" in str(caught.value)


def test_what_is_not_there_is_known_before_hours_of_work(human36m):
    whole = _config(human36m, "data.evaluation_path=nowhere")
    assert sources.check(whole, "source", "target") == {str(human36m): "hash of h36m"}
    assert sources.check(_config("nowhere"), "unpaired") == {}
    with pytest.raises(errors.InputError, match="nowhere: expected a prepared"):
        sources.check(whole, "source", "evaluation")
    with pytest.raises(errors.InputError, match=r"data.source_paths: got none"):
        sources.check(_config(human36m, "data.source_paths=[]"), "source")


def test_a_source_that_cannot_be_one_is_told_before_the_stages_before_it(tmp_path):
    frames = [_frame(n) for n in range(2 * T)]
    folder = _write(tmp_path / "s", frames)
    with pytest.raises(errors.InputError, match="splits train, expected one of test,"):
        prepared.check_labelled(str(folder), SIZES)
    _write(folder, frames, "test")
    prepared._open.cache_clear()
    prepared.check_labelled(str(folder), SIZES)
    sizes = prepared.Sizes(SIZES.image, SIZES.stored + 8)
    with pytest.raises(errors.InputError, match="prepared with image_size"):
        prepared.check_labelled(str(folder), sizes)
    flat = [dataclasses.replace(one, joints=None) for one in frames]
    folder = _write(tmp_path / "flat", flat)
    _write(folder, flat, "test")
    with pytest.raises(errors.InputError, match="no 3D joints"):
        prepared.check_labelled(str(folder), SIZES)


def test_other_sizes_name_the_flags_of_the_preparation(human36m):
    other = _config(human36m, "data.image_size=64", "data.stored_size=96")
    with pytest.raises(errors.InputError, match="--image_size=64 --stored_size=96"):
        sources.source_batches(other)


def test_batches_are_a_function_of_seed_and_step(human36m):
    batches = sources.source_batches(_config(human36m))
    running = batches(0)
    for _ in range(3):
        next(running)
    late, resumed = next(running), next(batches(3))
    for a, b in zip(late, resumed):
        np.testing.assert_array_equal(a, b)
    images, joints = late
    assert images.shape == (5, 32, 32, 3) and joints.shape == (5, 17, 3)
    assert 0 <= np.min(images) and np.max(images) <= 1
    assert np.isfinite(joints).all() and not np.any(joints[:, OURS.root])
    other = next(sources.source_batches(_config(human36m, "training.seed=1"))(3))
    assert not np.array_equal(other[1], joints)


def test_folders_are_drawn_from_equally_whatever_their_size(
    human36m, tmp_path, monkeypatch
):
    small = _write(tmp_path / "small", [_frame(n, action="few") for n in range(2 * T)])
    pools = [
        prepared.Pool(prepared.split(str(folder), "train", SIZES))
        for folder in (human36m, small)
    ]
    read = []
    frames = shards.Split.frames
    monkeypatch.setattr(
        shards.Split,
        "frames",
        lambda self, rows: read.append(n := frames(self, rows)) or n,
    )
    rng = pipeline.rng(0, "source", 0)
    prepared.draw(pools, rng, count=200, size=32, rolled=0.0, mirrored=0.0)
    assert sum(map(len, read)) == 200 and 70 < len(read[0]) < 130


@pytest.mark.parametrize("rolled", [0.0, 1.0])
def test_a_share_of_the_drawn_pictures_is_mirrored_and_nothing_else_changes(
    human36m, rolled
):
    pools = [prepared.Pool(prepared.split(str(human36m), "train", SIZES))]

    def draw(mirrored):
        rng = pipeline.rng(0, "source", 0)
        options = dict(count=64, size=32, rolled=rolled, mirrored=mirrored)
        return prepared.draw(pools, rng, **options)

    plain, all_of_them, half = draw(0.0)[1], draw(1.0)[1], draw(0.5)[1]
    first = np.abs(half - plain).max((1, 2)) == 0
    second = np.abs(half - all_of_them).max((1, 2)) == 0
    assert np.all(first ^ second) and 16 < np.sum(second) < 48
    if not rolled:
        flipped = plain[:, list(OURS.flip_indices)] * np.float32([-1, 1, 1])
        np.testing.assert_array_equal(all_of_them, flipped)
        np.testing.assert_array_equal(draw(1.0)[0], draw(0.0)[0][:, :, ::-1])


@pytest.mark.parametrize("setting", [0.0, 1.0])
def test_the_configuration_says_which_share_is_mirrored(human36m, setting, monkeypatch):
    shares = []
    draw = prepared.draw
    monkeypatch.setattr(
        prepared, "draw", lambda *a, **k: shares.append(k["mirrored"]) or draw(*a, **k)
    )
    next(sources.source_batches(_config(human36m, f"source.mirrored={setting}"))(0))
    assert set(shares) == {setting}, "read ahead"


def test_a_share_of_captured_motions_is_seen_in_a_mirror():
    joints = np.random.default_rng(0).normal(size=(3, 17, 3)).astype(np.float32) * 300
    captured = schema.Sequence(
        name="a", joints=joints, skeleton=OURS.id, frame="world", fps=30.0
    )

    def seen(mirrored):
        rng = np.random.default_rng(1)
        data = config.load(None, ["data.rolled=0.5", f"data.mirrored={mirrored}"]).data
        motions = [sources._seen(captured, rng, data, 0.0) for _ in range(40)]
        return np.stack(motions)

    plain, all_of_them, half = seen(0.0), seen(1.0), seen(0.5)
    flipped = plain[:, :, list(OURS.flip_indices)] * np.float32([-1, 1, 1])
    np.testing.assert_array_equal(all_of_them, flipped)
    mirrored = np.abs(half - plain).max((1, 2, 3)) > 0
    assert 10 < np.sum(mirrored) < 30
    np.testing.assert_array_equal(half[mirrored], flipped[mirrored])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("roll", [0.0, 0.6, -1.2])
def test_a_picture_and_its_labels_are_turned_and_mirrored_alike(mirrored, roll):
    """The dot stays on the left wrist, which a mirror makes a right one."""
    name = "right_wrist" if mirrored else "left_wrist"
    for number in range(5):
        image, joints, points = prepared.view(_frame(number), 40, mirrored, roll)
        assert image.shape == (40, 40, 3)
        expected = joints[OURS.index(name), :2] / 100 + 19.5
        rows, columns = np.nonzero(image[..., 0] > 100)
        found = np.array([columns.mean(), rows.mean()])
        np.testing.assert_allclose(found, expected, atol=0.8)
        shown = joints / 100 / 20  # half sides, the pelvis in the middle
        np.testing.assert_allclose(points, shown, atol=1e-4)


def test_points_that_are_not_labelled_are_unknown():
    _, joints, points = prepared.view(_frame(keypoints=None), 40)
    assert np.isnan(points).all() and np.isfinite(joints).all()
    mask = np.ones(32, bool)
    mask[skeletons.get("h36m32").index("neck")] = False
    points = prepared.view(_frame(mask=mask), 40)[2]
    assert np.flatnonzero(np.isnan(points[:, 0])).tolist() == [OURS.index("neck")]


def test_an_encoder_that_reads_points_gets_them_or_is_refused(human36m, tmp_path):
    pointing = "image_encoder.head=points"
    images, joints, points = next(
        sources.source_batches(_config(human36m, pointing))(0)
    )
    assert points.shape == joints.shape == (len(images), 17, 3)
    assert np.isfinite(points).all() and np.abs(points).max() < 1.5
    assert len(sources.source_test(_config(human36m, pointing), 4)) == 3
    bare = _write(tmp_path / "bare", [_frame(n, keypoints=None) for n in range(2 * T)])
    with pytest.raises(errors.InputError, match="no 2D labels; take flat"):
        next(sources.source_batches(_config(bare, pointing))(0))


def test_people_of_the_embedded_world_have_points_too():
    settings = ["data.image_size=48", "data.stored_size=72", "source.batch_size=6"]
    plain = config.load(None, settings)
    pointing = config.load(None, [*settings, "image_encoder.head=points"])
    images, joints = next(sources.source_batches(plain)(0))
    same, labels, points = next(sources.source_batches(pointing)(0))
    np.testing.assert_array_equal(same, images)
    np.testing.assert_array_equal(labels, joints)
    flat = points[..., :2] - points[:, :1, :2]
    scale = np.sum(flat * joints[..., :2], (1, 2)) / np.sum(
        joints[..., :2] ** 2, (1, 2)
    )
    off = flat - scale[:, None, None] * joints[..., :2]
    assert np.abs(off).max() < 0.12, "perspective"
    depth = scale[:, None] * joints[..., 2]
    np.testing.assert_allclose(points[..., 2], depth, atol=0.12)


def test_labels_are_root_relative_and_unknown_where_the_data_set_is_silent():
    assert np.isfinite(prepared.joints_of(_frame())).all()
    feet = list(OURS.indices("left_foot", "right_foot"))
    silent = ~np.isfinite(prepared.joints_of(_frame(skeleton="h36m17"))).all(-1)
    assert np.flatnonzero(silent).tolist() == sorted(feet)
    guessed = prepared.joints_of(_frame(skeleton="smpl24"))
    assert np.isfinite(guessed).all(), "the top of SMPL's head is estimated"
    mask = np.ones(32, bool)
    mask[skeletons.get("h36m32").index("neck")] = False
    hidden = prepared.joints_of(_frame(mask=mask))
    assert np.flatnonzero(np.isnan(hidden[:, 0])).tolist() == [OURS.index("neck")]
    mask[0] = False
    assert np.isnan(prepared.joints_of(_frame(mask=mask))).all(), "no root, no pose"
    flat = _frame(joints=None, keypoints=np.zeros((32, 2), np.float32))
    with pytest.raises(errors.InputError, match="no 3D joints"):
        prepared.joints_of(flat)


def test_clips_are_read_when_asked_for(human36m, monkeypatch):
    decoded = []
    decode = records.decode_frame
    monkeypatch.setattr(
        records,
        "decode_frame",
        lambda payload, image=True: decoded.append(image) or decode(payload, image),
    )
    clips = prepared.Clips(shards.Split(human36m, "train"), T)
    some = clips.take(np.array([7, 2, 3]), axis=0)
    assert not any(decoded), "opening and choosing reads no picture"
    assert len(clips) == 8 and clips.videos.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert some.names.tolist() == ["clip7", "clip2", "clip3"]
    assert some.subjects.tolist() == ["S1", "S0", "S0"]
    pictures = some[[2, 0]]
    assert pictures.shape == (2, T, 48, 48, 3) and sum(decoded) == 2 * T
    ordered = list(records.read_frames(human36m, "train"))
    np.testing.assert_array_equal(pictures[0, 1], ordered[3 * T + 1].image)
    np.testing.assert_array_equal(some[1:], clips[np.array([2, 3])])
    found, videos = next(pipeline.clips(some, some.videos, 0, 8)(0))
    assert found.shape == (3, T, 48, 48, 3) and sorted(videos) == [1, 1, 3]


def test_no_more_pictures_are_in_memory_where_there_are_more_clips(
    tmp_path, monkeypatch
):
    decode, lock, held = records.decode_frame, threading.RLock(), []
    alive = 0

    def count(change):
        nonlocal alive
        with lock:
            alive += change
            held.append(alive)

    def counted(payload, image=True):
        frame = decode(payload, image=image)
        if frame.image.size:
            count(1)
            weakref.finalize(frame, count, -1)
        return frame

    monkeypatch.setattr(records, "decode_frame", counted)
    folder = _write(tmp_path, [_frame(n) for n in range(160 * T)])
    _, clips = sources.prepared_target(_config(folder))
    draw = pipeline.clips(clips, clips.videos, 0, 4)(0)
    pictures = prepared.Pool(prepared.split(str(folder), "train", SIZES))
    for step in range(6):
        found, _ = next(draw)
        rng = np.random.default_rng(step)
        some = {"count": 8, "size": 32, "rolled": 0.5, "mirrored": 0.5}
        images, *_ = prepared.draw([pictures], rng, **some)
        assert found.shape[:2] == (4, T) and len(images) == 8
    draw.close()
    assert len(held) > 6 * (4 * T + 8), "that many were decoded"
    assert max(held) <= 4 * T + 8 + 8, "of 960: a batch of each kind and one a thread"


def test_labelled_subjects_label_and_the_rest_is_the_target(human36m):
    labelled, rest = sources.prepared_target(
        _config(human36m, "data.labelled_subjects=[S1]")
    )
    assert set(labelled.subjects) == {"S1"} and set(rest.subjects) == {"S0"}
    rows = [labelled.pool().row(n) for n in range(len(labelled.pool()))]
    assert sorted(rows) == list(range(4 * T, 8 * T))
    labelled, rest = sources.prepared_target(_config(human36m, "data.labelled=0.25"))
    assert (len(labelled), len(rest)) == (2, 6)
    assert not set(labelled.names) & set(rest.names)
    labelled, rest = sources.prepared_target(_config(human36m))
    assert (len(labelled), len(rest)) == (0, 8)
    for subjects, message in (
        ("[S7]", "got S7, expected some of S0, S1"),
        ("[S0, S1]", "none is left"),
    ):
        with pytest.raises(errors.InputError, match=message):
            sources.prepared_target(
                _config(human36m, f"data.labelled_subjects={subjects}")
            )
    with pytest.raises(errors.InputError, match=r"labelled_subjects: got none"):
        sources.labelled_target_batches(_config(human36m), np.arange(8))
    semi = _config(human36m, "data.labelled_subjects=[S1]")
    images, joints = next(sources.labelled_target_batches(semi, np.arange(8))(0))
    assert images.shape == (5, 32, 32, 3) and joints.shape == (5, 17, 3)


def test_single_pictures_are_no_clips(human36m, tmp_path):
    single = [_frame(n, clip=str(n), position=0) for n in range(T)]
    folder = _write(tmp_path / "single", single, clips=T, num_shards=1)
    for ask in (sources.prepared_target, lambda c: sources.source_clips(c, 2)):
        with pytest.raises(errors.InputError, match="expected clips of 6 pictures"):
            ask(_config(folder))


def test_source_clips_and_unseen_pictures_come_from_every_folder(human36m, tmp_path):
    other = tmp_path / "other"
    bright = np.full((48, 48, 3), 200, np.uint8)
    _write(other, [_frame(n, image=bright) for n in range(2 * T)])
    both = _config(human36m, f"data.source_paths=[{human36m}, {other}]")
    clips = sources.source_clips(both, 4)
    assert clips.shape == (4, T, 48, 48, 3) and clips.dtype == np.uint8
    assert (clips.mean(axis=(1, 2, 3, 4)) > 150).sum() == 2
    with pytest.raises(errors.InputError, match="no split 'test', only train"):
        sources.source_test(both, 4)
    images, joints = sources.source_test(_config(human36m), 4)
    assert images.shape == (4, 32, 32, 3) and joints.shape == (4, 17, 3)


def _motions(folder, *sequences):
    folder.mkdir()
    shard = "train-00000-of-00001.tfrecord"
    payloads = [records.encode_motion(sequence) for sequence in sequences]
    records.write_shard(folder / shard, payloads)
    entry = dict(
        shards=[shard],
        checksums=[records.checksum(folder / shard)],
        records=len(payloads),
        clips=0,
        subjects=sorted({s.subject for s in sequences}),
        sequences=len(sequences),
        skeleton=sequences[0].skeleton,
    )
    manifest = records.Manifest(
        dataset="cmu",
        kind="motions",
        skeleton=sequences[0].skeleton,
        fps=60.0,
        image_size=0,
        stored_size=0,
        frame="world",
        splits={"train": entry},
        sources={},
        licence="",
        data_hash="",
    )
    records.write_manifest(folder, manifest)
    return folder


def _motion(subject, skeleton="sa3dhp17"):
    count = skeletons.get(skeleton).num_joints
    rng = np.random.default_rng(int(subject))
    joints = rng.normal(size=(40, count, 3)) * 300
    return schema.Sequence(
        f"{subject}_01", skeleton, joints, "world", 60.0, subject=subject
    )


def test_prepared_motions_train_the_prior_but_for_the_subjects_held_back(tmp_path):
    folder = _motions(tmp_path / "cmu", *map(_motion, ("01", "02", "03")))
    settings = (
        "data.unpaired=prepared",
        f"data.unpaired_path={folder}",
        "data.held_out_subjects=['02']",
        "data.views=3",
    )
    prior = config.load(None, settings)
    train, test = sources.unpaired(prior), sources.unpaired(prior, held_out=True)
    assert (len(train.motions), len(test.motions)) == (6, 3)
    assert all(motion.shape == (20, 17, 3) for motion in train.motions)
    assert train.bone_lengths.shape == (17,) and train.bone_lengths[0] == 0
    length = np.linalg.norm(_motion("02").joints[::2, 1] - _motion("02").joints[::2, 0])
    for motion in test.motions:  # some view of the right motion
        np.testing.assert_allclose(np.linalg.norm(motion[:, 1]), length, rtol=1e-4)
    with pytest.raises(errors.InputError, match="expected some but not all"):
        sources.unpaired(config.load(None, settings[:2]))


def test_turned_motions_are_seen_upside_down_but_not_those_held_back(tmp_path):
    upright = _motion("01")
    upright.joints[:, 1] = upright.joints[:, 0] + (0.0, -500.0, 0.0)  # the neck
    held = dataclasses.replace(upright, name="02_01", subject="02")
    folder = _motions(tmp_path / "cmu", upright, held)
    settings = [
        "data.unpaired=prepared",
        f"data.unpaired_path={folder}",
        "data.held_out_subjects=['02']",
        "data.views=32",
    ]

    def necks(held_out, *more):
        found = sources.unpaired(config.load(None, [*settings, *more]), held_out)
        return np.array([motion[0, 1] for motion in found.motions])  # y is down

    assert (necks(False)[:, 1] < 0).all()
    some = (necks(False, "data.turned=0.5")[:, 1] > 0).mean()
    assert 0.1 < some < 0.4  # half of a half
    np.testing.assert_array_equal(necks(True, "data.turned=0.5"), necks(True))


def test_a_prior_needs_every_joint(tmp_path):
    folder = _motions(tmp_path / "h36m", _motion("01", "h36m17"))
    with pytest.raises(errors.InputError, match="lacks joints of sa3dhp17"):
        prepared.motions(str(folder), 30.0)
    with pytest.raises(errors.InputError, match="holds motions, expected pictures"):
        shards.Split(folder, "train")


def test_the_truth_of_a_test_split_needs_no_picture_in_memory(human36m, tmp_path):
    images, truth = prediction.read_dataset(human36m)
    assert images.shape == (5, 32, 32, 3) and len(images) == 5
    ordered = list(records.read_frames(human36m, "test"))
    np.testing.assert_array_equal(images[1:4:2][1], ordered[3].image[8:40, 8:40])
    np.testing.assert_array_equal(
        images[np.array([2])][0], ordered[2].image[8:40, 8:40]
    )
    assert truth.skeleton == "h36m32" and truth.joints.shape == (5, 32, 3)
    assert truth.labels["subject"].tolist() == ["S9"] * 5
    assert truth.labels["frame_number"].tolist() == [0, 1, 2, 3, 4]
    assert truth.labels["action"].tolist() == ["Walking"] * 5
    flat = [
        dataclasses.replace(_frame(n), joints=None, keypoints=np.zeros((32, 2)))
        for n in range(T)
    ]
    folder = _write(tmp_path / "lsp", flat, "test", num_shards=1)
    in_2d = prediction.read_dataset(folder)[1]
    assert in_2d.flat and in_2d.keypoints.shape == (T, 32, 2)
    pred, card = poses.Poses(np.zeros((T, 17, 3)), "sa3dhp17"), protocol.load("h36m_p1")
    with pytest.raises(errors.InputError, match="6 of 6 pictures have no 3D"):
        evaluator.evaluate(pred, in_2d, dataclasses.replace(card, subjects=()))
    folder = _write(
        tmp_path / "some", [flat[0], *map(_frame, (1, 2))], "test", num_shards=1
    )
    with pytest.raises(errors.InputError, match="1 of 3 pictures of test have no 3D"):
        prediction.read_dataset(folder)
    classes = [_frame(n, label=3) for n in range(T)]
    folder = _write(tmp_path / "classes", classes, "test", num_shards=1)
    assert prediction.read_dataset(folder)[1].labels["action"].tolist() == ["3"] * T


def test_motions_that_are_not_as_many_as_the_manifest_says_are_refused(tmp_path):
    folder = _motions(tmp_path / "cmu", *map(_motion, ("01", "02")))
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"records": 2', '"records": 3'))
    with pytest.raises(errors.InputError, match="train hold 2 records, expected 3"):
        prepared.motions(str(folder), 30.0)

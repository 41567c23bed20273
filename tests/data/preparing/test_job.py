"""A stopped preparation goes on and ends with the same bytes; what is bad is named."""

import collections
import dataclasses
import errno
import functools
import hashlib
import multiprocessing
import os
import pathlib
import shutil
import signal
import sys

import pytest

from sa3dhp import errors
from sa3dhp.data import datasets, records
from sa3dhp.data.preparing import job, local, on_beam, transform, units
from sa3dhp.data.videos import blazepose

SETTINGS = units.Settings(96, 64)
ALONE = functools.partial(local.run, processes=1)


def _run(dataset, source, output, engine=ALONE, **settings):
    chosen = dataclasses.replace(SETTINGS, **settings)
    return job.run(dataset, source, output, chosen, engine)


def _bytes(folder) -> dict:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in pathlib.Path(folder).iterdir()
        if path.is_file()
    }


# --- the same bytes -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cmu", "mpi_inf_3dhp"])
def test_processes_do_not_change_the_bytes(name, prepared, raw, tmp_path) -> None:
    engine = functools.partial(local.run, processes=2)
    _run(name, raw(name), tmp_path / "out", engine)
    assert _bytes(tmp_path / "out") == _bytes(prepared(name))


def test_beam_makes_the_same_bytes(prepared, raw, tmp_path) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    engine = functools.partial(
        on_beam.run, chosen=on_beam.options(["--runner=DirectRunner"])
    )
    _run("mpi_inf_3dhp", raw("mpi_inf_3dhp"), tmp_path / "out", engine)
    assert _bytes(tmp_path / "out") == _bytes(prepared("mpi_inf_3dhp"))
    with pytest.raises(errors.InputError, match="--foo: neither a flag"):
        on_beam.options(["--runner=DirectRunner", "--foo=3"])


def test_on_beam_a_full_disk_is_an_error_of_the_system(
    raw, tmp_path, monkeypatch
) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")

    def full(path, payloads):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(records, "write_records", full)
    with pytest.raises(OSError, match="No space left") as error:
        _run("surreal", raw("surreal"), tmp_path / "out", on_beam.run)
    assert error.value.errno == errno.ENOSPC and "tfrecord" in error.value.filename


def test_without_beam_the_remedy_is_named(monkeypatch) -> None:
    for name in ("apache_beam", "apache_beam.options"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(errors.InputError, match=r"pip install 'sa3dhp\[beam\]'"):
        on_beam.options([])


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(
    prepared, raw, tmp_path
) -> None:
    def stopping(tasks, done):
        done(transform.prepare(tasks[0]))
        done(transform.prepare(tasks[1]))
        (tmp_path / "out" / f"{tasks[2].shard}.77.partial").write_bytes(b"half")
        (tmp_path / "out" / ".manifest.77.json").write_bytes(b"half")
        raise KeyboardInterrupt

    counts = []

    def counting(tasks, done):
        counts.append(len(tasks))
        ALONE(tasks, done)

    source, out = raw("mpi_inf_3dhp"), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        _run("mpi_inf_3dhp", source, out, stopping)
    with pytest.raises(errors.InputError, match="not finished"):
        records.read_manifest(out)
    first = (out / "train-00000-of-00008.tfrecord").stat().st_mtime_ns
    _run("mpi_inf_3dhp", source, out, counting)
    assert (out / "train-00000-of-00008.tfrecord").stat().st_mtime_ns == first
    assert counts == [8] and _bytes(out) == _bytes(prepared("mpi_inf_3dhp"))
    _run("mpi_inf_3dhp", source, out, counting)  # all is done: not started again
    assert counts == [8]


def test_a_shard_that_was_cut_short_is_made_again(prepared, raw, tmp_path) -> None:
    def losing(tasks, done):
        ALONE(tasks, done)
        with open(pathlib.Path(tasks[1].output) / tasks[1].shard, "r+b") as file:
            file.truncate(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run("mpi_inf_3dhp", raw("mpi_inf_3dhp"), tmp_path / "out", losing)
    _run("mpi_inf_3dhp", raw("mpi_inf_3dhp"), tmp_path / "out")
    assert _bytes(tmp_path / "out") == _bytes(prepared("mpi_inf_3dhp"))


def test_a_killed_worker_is_an_error_and_the_rest_is_kept(raw, tmp_path) -> None:
    def killing(tasks, done):
        def kill(report):
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

        local.run(tasks, kill, processes=2)

    with pytest.raises(errors.InputError, match=r"goes on where it stopped|killed"):
        _run("mpi_inf_3dhp", raw("mpi_inf_3dhp"), tmp_path / "out", killing)
    assert list((tmp_path / "out").glob("*.tfrecord"))


def test_units_are_dealt_out_evenly_and_in_order() -> None:
    made = [units.Unit(f"u{n}", "train" if n % 3 else "test", ()) for n in range(20)]
    plan = units.Plan("frames", tuple(made), {"train": "smpl24"}, per_shard=4)
    dealt = units.deal(plan)
    assert [len(s) for s in dealt["train"]] == [4, 3, 3, 3]
    assert [u.name for u in dealt["train"][0]] == ["u1", "u7", "u13", "u19"]
    spread = collections.Counter(
        u for shards in dealt.values() for s in shards for u in s
    )
    assert set(spread) == set(made) and set(spread.values()) == {1}


# --- bad input ------------------------------------------------------------------------


def test_what_is_no_data_set_is_refused(tmp_path, raw) -> None:
    with pytest.raises(errors.InputError, match="--dataset=cmv: expected one of cmu"):
        _run("cmv", raw("surreal"), tmp_path / "out")
    with pytest.raises(errors.InputError, match="not a folder"):
        _run("cmu", tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.InputError, match="empty; give"):
        _run("cmu", tmp_path / "empty", tmp_path / "out")
    with pytest.raises(errors.InputError, match="expected 0 < image_size"):
        _run("surreal", raw("surreal"), tmp_path / "out", image_size=97)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dataset", datasets.DATASETS)
def test_a_folder_of_something_else_is_refused(dataset, tmp_path) -> None:
    (tmp_path / "raw/notes").mkdir(parents=True)
    (tmp_path / "raw/notes/readme.txt").write_text("nothing")
    with pytest.raises(errors.InputError, match="raw"):
        _run(dataset, tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_holds_something_else_is_left_alone(
    prepared, raw, tmp_path
) -> None:
    source, held = raw("surreal"), prepared("surreal")
    before = _bytes(held)
    for match, arguments in (
        ("holds surreal already", ("surreal", source, held)),
        ("holds surreal already", ("lsp", raw("lsp"), held)),
    ):
        with pytest.raises(errors.InputError, match=match):
            _run(*arguments, image_size=48)
    assert _bytes(held) == before
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(errors.InputError, match="not empty, and not prepared data"):
        _run("surreal", source, tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_an_unfinished_output_of_another_job_is_left_alone(raw, tmp_path) -> None:
    def stop(tasks, done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run("surreal", raw("surreal"), tmp_path / "out", stop)
    with pytest.raises(errors.InputError, match="unfinished preparation of surreal"):
        _run("surreal", raw("surreal"), tmp_path / "out", stored_size=80)
    for text in ("{", "[]", "{}"):
        (tmp_path / "out" / ".preparing" / "plan.json").write_text(text)
        with pytest.raises(errors.InputError, match=r"plan.json: (damaged|not JSON)"):
            _run("surreal", raw("surreal"), tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        _run("surreal", raw("surreal"), tmp_path / "file" / "out")


def test_two_runs_do_not_share_an_output(raw, tmp_path) -> None:
    def twice(tasks, done):
        with pytest.raises(errors.InputError, match="another run is at work"):
            _run("surreal", raw("surreal"), tmp_path / "out")
        ALONE(tasks, done)

    _run("surreal", raw("surreal"), tmp_path / "out", twice)


def test_an_input_that_changed_is_noticed(raw, tmp_path) -> None:
    shutil.copytree(raw("bandai_namco"), tmp_path / "raw")
    _run("bandai_namco", tmp_path / "raw", tmp_path / "out")
    with open(tmp_path / "raw/dataset-1_walk_active_001.bvh", "a") as file:
        file.write("\n")
    with pytest.raises(errors.InputError, match="of another input"):
        _run("bandai_namco", tmp_path / "raw", tmp_path / "out")


def test_damaged_sources_are_skipped_and_named(raw, tmp_path) -> None:
    shutil.copytree(raw("surreal"), tmp_path / "raw")
    home = tmp_path / "raw/cmu/train/run0"
    (home / "01_01/01_01_c0001_info.mat").write_bytes(b"MATLAB 5.0 and no more")
    manifest = _run("surreal", tmp_path / "raw", tmp_path / "out")
    assert manifest.splits["train"]["records"] == 60
    (note,) = (n for n in manifest.notes if n.startswith("skipped"))
    assert "01_01_c0001" in note
    assert "1 sources skipped, or not read to the end" in manifest.notes
    (home / "02_01/02_01_c0001.mp4").unlink()
    manifest = _run("surreal", tmp_path / "raw", tmp_path / "out2")
    assert manifest.splits["train"]["records"] == 0
    assert sum(n.startswith("skipped") for n in manifest.notes) == 2


def test_a_truncated_video_gives_what_it_holds(raw, tmp_path) -> None:
    shutil.copytree(raw("videos"), tmp_path / "raw")
    path = tmp_path / "raw/walk0.mp4"
    path.write_bytes(path.read_bytes()[:200])
    boxes = str(tmp_path / "raw/boxes.json")
    manifest = _run("videos", tmp_path / "raw", tmp_path / "out", boxes=boxes)
    assert manifest.splits["train"]["clips"] == 1
    assert any("skipped walk0.mp4" in note for note in manifest.notes)


def test_nothing_of_use_is_an_error_that_leaves_no_trace(raw, tmp_path) -> None:
    shutil.copytree(raw("surreal"), tmp_path / "raw")
    for path in (tmp_path / "raw").rglob("*.mp4"):
        path.unlink()
    with pytest.raises(errors.InputError, match="none of 3 sources can be used"):
        _run("surreal", tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_it_and_it_can_go_on(raw, prepared, tmp_path, monkeypatch):
    def full(path, payloads):
        list(payloads)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_records", full)
        with pytest.raises(OSError, match="No space left"):
            _run("surreal", raw("surreal"), tmp_path / "out")
    _run("surreal", raw("surreal"), tmp_path / "out")
    assert _bytes(tmp_path / "out") == _bytes(prepared("surreal"))


def test_boxes_may_move_but_not_change(raw, prepared, tmp_path) -> None:
    boxes = raw("videos") / "boxes.json"
    shutil.copy(boxes, tmp_path / "moved.json")
    _run("videos", raw("videos"), tmp_path / "out", boxes=str(boxes))
    _run("videos", raw("videos"), tmp_path / "out", boxes=str(tmp_path / "moved.json"))
    (tmp_path / "moved.json").write_text(boxes.read_text().replace(".1", ".2"))
    with pytest.raises(errors.InputError, match="holds videos already"):
        _run("videos", raw("videos"), tmp_path / "out", boxes=tmp_path / "moved.json")


def test_an_unknown_detector_is_refused_before_work(raw, tmp_path) -> None:
    with pytest.raises(errors.InputError, match="detector"):
        _run("videos", raw("videos"), tmp_path / "out", detector="yolo")
    with pytest.raises(errors.InputError, match="boxes"):
        _run("videos", raw("videos"), tmp_path / "out", boxes="none.json")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["boxes", "detector"])
def test_boxes_and_detectors_are_for_videos_alone(raw, tmp_path, name) -> None:
    with pytest.raises(errors.InputError, match=f"--{name}=x: is of videos alone, got"):
        _run("surreal", raw("surreal"), tmp_path / "out", **{name: "x"})
    assert not (tmp_path / "out").exists()


def test_a_detector_is_known_by_its_own_name(raw, monkeypatch, tmp_path) -> None:
    """What is installed in the middle of a preparation does not change it."""
    for found, name in ((None, "hog"), (tmp_path, "blazepose")):
        monkeypatch.setattr(blazepose, "find", lambda found=found: found)
        settings, advice = job._checked("videos", SETTINGS)
        assert settings.detector == name and bool(advice) == (name == "hog")
        boxes = dataclasses.replace(SETTINGS, boxes=str(raw("videos") / "boxes.json"))
        assert job._checked("videos", boxes)[1] == []


def test_where_no_detector_is_asked_a_plan_is_what_it_always_was() -> None:
    plan = units.Plan("frames", (), {"train": "sa3dhp17"})
    hog = dataclasses.replace(SETTINGS, detector="hog")
    assert plan.fingerprint("lsp", SETTINGS) == plan.fingerprint("lsp", hog)

"""The table of real pictures, on a miniature in the genuine format."""

import functools
import json

import miniature
import numpy as np
import pytest

from sa3dhp.data import records
from sa3dhp.data.preparing import job, local, units
from sa3dhp.errors import InputError
from sa3dhp.evaluation import blazepose, poses, prediction
from sa3dhp.experiments import real, rows, runner, session, summary
from sa3dhp.systems.relation_distillation import job as jobs

TABLE = rows.Table(
    rows.REAL,
    "Small",
    (
        rows.SOURCE,
        rows.Row("z3", "adapted", against="source"),
        rows.Row("mediapipe", "MediaPipe", method="mediapipe", against="z3"),
    ),
    measured="Adapted to.",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three prepared sets: one to adapt to, two to measure on."""
    root = tmp_path_factory.mktemp("prepared")
    engine = functools.partial(local.run, processes=1)
    for name in ("real_multiview", "lsp_2d", "single_frames"):
        raw = tmp_path_factory.mktemp(name)
        getattr(miniature, name)(raw)
        job.run(name, raw, root / name, units.Settings(48, 32), engine)
    (root / "notes").mkdir()
    return root


def _answer(path, images):
    """As if BlazePose said the same of every picture."""
    joints = np.random.default_rng(0).normal(size=(1, 12, 3)) * 300
    return poses.Poses(np.repeat(joints, len(images), 0), blazepose.SKELETON)


@pytest.fixture(scope="module")
def done(three_blocks, folder, configure, checkpoints, tmp_path_factory):
    """The table, run once: its session and summary."""
    (place,), others = real.places(folder)
    mine = real.overrides(place)
    workdir = tmp_path_factory.mktemp("real")
    network = workdir / "network.tflite"
    network.write_bytes(b"network")
    context = real.RealSession(
        lambda more: configure((*mine, *more)),
        checkpoints,
        workdir,
        others=others,
        mediapipe=network,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "make", lambda name, base: TABLE)
        patch.setattr(blazepose, "predict", _answer)
        facts = {"commit": "c", "command": "x"}
        found = runner.run(context, rows.REAL, [0], facts)
    return context, found


def test_places_are_clips_with_a_card_and_others_are_measured_on(folder):
    clips, others = real.places(folder)
    assert clips == [str(folder / "real_multiview")]
    assert others == [str(folder / "lsp_2d"), str(folder / "single_frames")]
    assert real.places(folder / "real_multiview") == (clips, [])
    with pytest.raises(InputError, match="--dataset=real_multiview --input=DIR"):
        real.places(folder / "lsp_2d")


def test_all_rows_are_measured_by_the_places_card_in_blocks(done):
    context, found = done
    assert [row["id"] for row in found["rows"]] == ["source", "z3", "mediapipe"]
    assert found["protocol"] == "real_multiview"
    # 62 pictures of each of two cameras, 10 in a block.
    assert found["sequences_per_seed"] == 14
    path = context.workdir / "real" / "z3-seed0.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["sequences"][0] == "SinglePerson_cam01 000"
    assert record["num_samples"] == 124 and len(record["history"]) == 3
    wide = found["rows"][2]["change"]["mpjpe"]
    assert wide["count"] == 14 and wide["low"] <= wide["mean"] <= wide["high"]
    hashes = record["settings"]["world"]
    manifest = records.read_manifest(context.base["data"]["target_path"])
    assert hashes[0] == manifest.data_hash and len(hashes) == 5


def test_the_returned_model_is_measured_elsewhere_too(done):
    _, found = done
    assert not found["rows"][0]["elsewhere"]
    there = found["rows"][1]["elsewhere"]
    assert set(there) == {"lsp_2d", "single_frames"}
    flat = there["lsp_2d"]
    assert flat["metric"] == "pck_2d" and flat["change"]["count"] == 12
    assert there["single_frames"]["metric"] == "mpjpe"
    text = summary.markdown(found)
    assert "Elsewhere:" in text and "| adapted | lsp_2d, PCK 2D [%] |" in text
    assert "Adapted to. *Last*" in text and "never adapted to" not in text


def test_more_hits_are_called_better():
    def side(values):
        entry = {"metric": "pck_2d", "value": np.mean(values), "sequences": values}
        return {"lsp_2d": entry}

    before, after = side([10.0] * 8), side([30.0, 31.0] * 4)
    record = {
        "elsewhere": {
            "lsp_2d": {
                "source_only": before["lsp_2d"],
                "adapted": after["lsp_2d"],
            }
        }
    }
    found = summary._elsewhere([record])["lsp_2d"]
    assert found["change"]["verdict"] == "improves" and found["change"]["mean"] > 0


def test_the_row_of_mediapipe_needs_its_network(done, configure, folder, tmp_path):
    context, _ = done
    assert [row.id for row in context.table(rows.REAL).rows][-1] == "mediapipe"
    context = _session(configure, folder, tmp_path)
    table = context.table(rows.REAL)
    assert [row.id for row in table.rows] == ["source", "cr", "z3", "v2", "v3", "z1"]
    assert [row.against for row in table.rows[1:]] == [
        *("source", "cr", "z3", "v2", "v3")
    ]
    with pytest.raises(InputError, match="of the embedded world"):
        context.table("ablation")


def _session(configure, folder, workdir, *more, **kinds):
    mine = (*real.overrides(str(folder / "real_multiview")), *more)
    return real.RealSession(
        lambda extra: configure((*mine, *extra)), workdir, workdir, **kinds
    )


@pytest.mark.parametrize("name", ["shift", "harm", "real"])
def test_tables_of_the_embedded_world_are_refused_on_prepared_data(
    configure, folder, tmp_path, name
):
    mine = real.overrides(str(folder / "real_multiview"))
    context = real.PreparedSession(
        lambda more: configure((*mine, *more)), tmp_path, tmp_path
    )
    with pytest.raises(InputError, match=f"got {name}, expected one of ablation"):
        context.table(name)


def test_a_target_without_labels_has_no_rows_of_them(
    configure, folder, tmp_path, capsys
):
    mine = real.overrides(str(folder / "real_multiview"))
    context = real.PreparedSession(
        lambda more: configure((*mine, *more)), tmp_path, tmp_path
    )
    for name in rows.OF_ANY_TARGET:
        whole = {row.id for row in rows.make(name, context.base).rows}
        lost = whole - {row.id for row in context.table(name).rows}
        assert rows.BOUND in lost
        found = rows.make(name, context.base).rows
        assert lost == {row.id for row in found if rows.needs_labels(row)}
        assert "has no labels, so no rows of: " in capsys.readouterr().out


def test_other_sizes_and_targets_are_refused(configure, folder, tmp_path):
    for others in ((), [str(folder / "lsp_2d")]):
        with pytest.raises(InputError, match="prepare it with --image_size=24"):
            _session(configure, folder, tmp_path, "data.image_size=24", others=others)
    with pytest.raises(InputError, match="expected 'prepared'"):
        _session(configure, folder, tmp_path, "data.target=procedural")
    plain = session.Session(configure, tmp_path, tmp_path)
    with pytest.raises(InputError, match="of real pictures"):
        plain.table(rows.REAL)


def test_photographs_in_2d_measure_no_adaptation(configure, folder):
    path = f"data.evaluation_path={str(folder / 'lsp_2d')!r}"
    config = configure((path, "data.evaluation_card=lsp_2d"))
    with pytest.raises(InputError, match=r"12 of 12 pictures .* have no 3D joints"):
        jobs.truth_of(config)


def test_a_data_set_has_the_card_of_its_name(folder, tmp_path):
    assert prediction.card_of(folder / "lsp_2d") == "lsp_2d"
    assert prediction.card_of(folder / "notes") is None
    assert prediction.card_of(tmp_path) is None

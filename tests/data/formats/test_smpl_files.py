"""A user's files of SMPL: what is read of them, and what is said of others."""

import os
import pickle
import subprocess
import sys
import types

import miniature_smpl
import numpy as np
import pytest
import scipy.sparse

from sa3dhp import errors
from sa3dhp.data.formats import smpl, smpl_files
from sa3dhp.skeleton import skeleton as skeletons

FIELDS = ("template", "shapes", "corrections", "regressor", "weights")


def _assert_same(found, expected):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


@pytest.fixture
def chumpy(monkeypatch):
    """Stands in for chumpy while a pickle is written; gone when it is read."""
    made = {}
    for name in ("Ch", "Select", "add"):
        home = {"Ch": "ch", "Select": "reordering", "add": "ch_ops"}[name]
        module = types.ModuleType(f"chumpy.{home}")
        kind = type(name, (), {"__module__": module.__name__})
        setattr(module, name, kind)
        made[name] = (module, kind)

    def dump(path, values, protocol=2):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
            for module, _ in made.values():
                patch.setitem(sys.modules, module.__name__, module)
            data = pickle.dumps(values, protocol)
        # As of the SciPy of those years.
        path.write_bytes(data.replace(b"scipy.sparse._csc\n", b"scipy.sparse.csc\n"))

    def make(name, **state):
        item = made[name][1]()
        vars(item).update(state)
        return item

    return types.SimpleNamespace(dump=dump, make=make)


def _official(chumpy, shapes=300):
    values = miniature_smpl.arrays(shapes=shapes)
    state = dict(_dirty_vars={"x"}, _itr=None, _depends_on_deps={}, _make_dense=False)
    values["shapedirs"] = chumpy.make("Ch", x=values["shapedirs"], **state)
    corrections = values["posedirs"]
    twice = chumpy.make("Ch", x=np.concatenate([corrections, corrections]), **state)
    values["posedirs"] = chumpy.make(
        "Select",
        a=twice,
        idxs=np.arange(corrections.size),
        preferred_shape=corrections.shape,
        **state,
    )
    values["J_regressor"] = scipy.sparse.csc_matrix(values["J_regressor"])
    return values


def test_npz_files_read(tmp_path):
    found = smpl_files.read_folder(miniature_smpl.write(tmp_path))
    for seed, gender in enumerate("mf"):
        _assert_same(found.models[gender], miniature_smpl.model(seed))


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("shapes", [10, 300])
def test_official_pickles_read_without_chumpy(tmp_path, chumpy, protocol, shapes):
    path = tmp_path / "SMPL_MALE.pkl"
    chumpy.dump(path, _official(chumpy, shapes), protocol)
    assert b"chumpy" in path.read_bytes() and b"scipy.sparse" in path.read_bytes()
    values = miniature_smpl.arrays(shapes=shapes)
    expected = smpl.Model(
        values["v_template"],
        values["shapedirs"][..., :10],
        values["posedirs"],
        values["J_regressor"],
        values["weights"],
    )
    _assert_same(smpl_files.read_model(path), expected)


def test_a_pickle_with_formulas_is_refused_with_a_command_that_converts(
    tmp_path, chumpy
):
    path = tmp_path / "SMPL_MALE.pkl"
    values = miniature_smpl.arrays()
    chumpy.dump(path, {**values, "v_template": chumpy.make("add", a=1, b=2)})
    with pytest.raises(errors.InputError, match=r"asks for chumpy\.ch_ops\.add") as got:
        smpl_files.read_model(path)
    command = str(got.value).partition("python -c ")[2].strip('"')
    assert "convert it to .npz where chumpy and scipy" in str(got.value)
    # The command does what it says, here where the pickle needs SciPy alone.
    values["J_regressor"] = scipy.sparse.csc_matrix(values["J_regressor"])
    path.write_bytes(pickle.dumps(values, 2))
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, check=True)
    found = smpl_files.read_model(tmp_path / "SMPL_MALE.npz")
    _assert_same(found, miniature_smpl.model())


class _Evil:
    def __reduce__(self):
        return os.system, ("echo bad > bad",)


def test_nothing_in_a_pickle_is_run(tmp_path, chumpy, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "SMPL_MALE.pkl"
    for item in (_Evil(), chumpy.make("Ch", x=_Evil())):
        chumpy.dump(path, {**miniature_smpl.arrays(), "shapedirs": item})
        with pytest.raises(errors.InputError, match="not a pickle that is safe"):
            smpl_files.read_model(path)
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    "state",
    [
        dict(_shape=(24, 300), indptr=np.arange(301), indices=np.full(300, 99)),
        dict(_shape=(10**5, 10**5), indptr=np.arange(301), indices=np.zeros(300, int)),
        dict(_shape=(24, 300), indptr=np.arange(301)[::-1], indices=np.zeros(300, int)),
        dict(_shape=(24, 300)),
    ],
)
def test_a_sparse_matrix_that_lies_is_refused(tmp_path, state):
    path = tmp_path / "SMPL_MALE.pkl"
    matrix = scipy.sparse.csc_matrix((24, 300))
    vars(matrix).clear()
    vars(matrix).update(state, data=np.ones(300))
    values = {**miniature_smpl.arrays(), "J_regressor": matrix}
    path.write_bytes(pickle.dumps(values, 2))
    with pytest.raises(errors.InputError, match="not a pickle that is safe"):
        smpl_files.read_model(path)


@pytest.mark.parametrize("body", [b"}b.", b"(N}tb.", b"(N}S'make'\nNstb."])
def test_classes_in_a_pickle_cannot_be_changed(tmp_path, body):
    path = tmp_path / "SMPL_MALE.pkl"
    path.write_bytes(b"cchumpy.ch\nCh\n" + body)
    with pytest.raises(errors.InputError, match="not a pickle that is safe"):
        smpl_files.read_model(path)


def _changed(**changes):
    return {**miniature_smpl.arrays(), **changes}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (_changed(v_template=miniature_smpl.arrays()["v_template"] * 1000), "1.7.* m"),
        (_changed(kintree_table=np.zeros((2, 24), int)), "another tree of joints"),
        (_changed(posedirs=np.zeros((300, 3, 459))), "not SMPL-H"),
        (_changed(weights=np.zeros((300, 24))), "rows that sum to 1"),
        ({"v_template": np.zeros((3, 3))}, "has no shapedirs"),
        (_changed(shapedirs=np.float64(3.0)), "not an SMPL model"),
    ],
)
def test_another_model_is_refused(tmp_path, values, message):
    np.savez(tmp_path / "a.npz", **values)
    with pytest.raises(errors.InputError, match=message):
        smpl_files.read_model(tmp_path / "a.npz")


@pytest.mark.parametrize("left_first", [False, True])
def test_both_regressors_that_circulate_give_each_leg_its_side(tmp_path, left_first):
    found = smpl_files.read_folder(miniature_smpl.write(tmp_path, left_first))
    rows = miniature_smpl.regressor()
    names = skeletons.get("h36m17").joint_names
    ours = skeletons.get(smpl_files.SKELETON).joint_names
    assert found.regressor.shape == (14, 300)
    for row, name in zip(found.regressor, ours):
        np.testing.assert_array_equal(row, rows[names.index(name)])


def test_published_joints_are_the_regressors_on_the_mesh(tmp_path):
    found = smpl_files.read_folder(miniature_smpl.write(tmp_path))
    betas, poses, trans = miniature_smpl.bodies_of(130, 3)
    joints = found.published("f", betas, poses, trans)
    assert joints.shape == (130, 14, 3)
    values = miniature_smpl.arrays(1)
    for n in (63, 129):
        mesh = miniature_smpl.slow_vertices(values, betas, poses[n], trans[n])
        for joint in range(14):
            expected = sum(w * v for w, v in zip(found.regressor[joint], mesh))
            np.testing.assert_allclose(joints[n, joint], expected, rtol=0, atol=1e-12)
    none = found.published("m", betas, poses[:0], trans[:0])
    assert none.shape == (0, 14, 3)


def test_another_regressor_is_refused(tmp_path):
    model, path = miniature_smpl.model(), tmp_path / "a.npy"
    rows = miniature_smpl.regressor()
    for wrong, message in (
        (rows[:14], r"expected \(17, 300\) finite numbers, got \(14, 300\)"),
        (rows[::-1], "rows are not the joints pelvis, right_hip"),
        (rows[:, ::-1], "rows are not the joints"),
        (np.array([None, 1]), "not a .npy file"),
    ):
        np.save(path, wrong)
        with pytest.raises(errors.InputError, match=message):
            smpl_files.read_regressor(path, model)
    path.write_bytes(b"")
    with pytest.raises(errors.InputError, match=r"not a \.npy file"):
        smpl_files.read_regressor(path, model)


def test_official_names_are_found_and_missing_files_named(tmp_path):
    miniature_smpl.write(tmp_path)
    (tmp_path / "SMPL_MALE.npz").rename(tmp_path / "a")
    with pytest.raises(errors.InputError, match=r"none of SMPL_MALE.npz, SMPL_MALE"):
        smpl_files.find(tmp_path)
    name = "basicmodel_m_lbs_10_207_0_v1.1.0.pkl"
    (tmp_path / "a").rename(tmp_path / name)
    assert smpl_files.find(tmp_path)["m"].name == name
    (tmp_path / "J_regressor_h36m.npy").unlink()
    with pytest.raises(errors.InputError, match="none of J_regressor_h36m"):
        smpl_files.find(tmp_path)

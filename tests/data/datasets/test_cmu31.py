"""All joints of genuine Acclaim files, against the reader of 17 of them."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.datasets import cmu, cmu31
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

SETTINGS = units.Settings(96, 64)


@pytest.fixture(scope="module")
def samples(shared_data):
    return shared_data / "mocap_cmu" / "samples"


def test_its_joints_are_those_of_the_17_and_14_more(samples):
    plan = cmu31.plan(samples, SETTINGS)
    assert plan.skeletons == {"train": "cmu31"} and plan.kind == "motions"
    unit = plan.units[0]
    (found,) = cmu31.read(samples, unit, SETTINGS)
    known = cmu.read_amc(samples / unit.files[0])
    assert found.skeleton == "cmu31" and found.joints.shape == (len(known), 31, 3)
    same, valid = conversion.convert(found.joints, "cmu31", known.skeleton)
    assert valid.all()
    np.testing.assert_allclose(same, known.joints, atol=1e-3)
    parents = list(skeletons.get("cmu31").parents)
    lengths = np.linalg.norm(found.joints - found.joints[:, parents], axis=-1)
    assert np.ptp(lengths[:, 1:], axis=0).max() < 0.1  # bones are stiff


def test_only_acclaim_files_count(samples, tmp_path):
    plan = cmu31.plan(samples, SETTINGS)
    assert {unit.files[0][-4:] for unit in plan.units} == {".amc"}
    assert len(plan.units) < len(cmu.plan(samples, SETTINGS).units)
    with pytest.raises(errors.InputError, match=r"no \*.amc or"):
        cmu31.plan(tmp_path, SETTINGS)
    (tmp_path / "02_01.bvh").write_text("")
    with pytest.raises(errors.InputError, match=r"no \*.amc below it"):
        cmu31.plan(tmp_path, SETTINGS)

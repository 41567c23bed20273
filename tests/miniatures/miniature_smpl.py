"""A body model of SMPL's form with a few hundred vertices, for tests.

    miniature_smpl.write(folder)         # SMPL_MALE.npz, SMPL_FEMALE.npz, regressor
    miniature_smpl.threedpw(folder)      # 3DPW of its bodies: train 1, test 1

The bodies stand where a person's would, so that joints of the mesh lie near those of
the skeleton; all else is drawn at random. The real model must not be passed on.
"""

import pathlib
import pickle

import miniature
import numpy as np

from sa3dhp.data.formats import smpl
from sa3dhp.skeleton import skeleton as skeletons

SMPL = skeletons.get("smpl24")
PER_JOINT = 12  # vertices around each, and around the top of the head
# Of the left side and the middle, T-pose, metres, y up, left at +x.
_REST = {
    "pelvis": (0.0, -0.22, 0.03),
    "left_hip": (0.07, -0.31, 0.02),
    "left_knee": (0.1, -0.7, 0.01),
    "left_ankle": (0.09, -1.1, -0.03),
    "left_foot": (0.12, -1.16, 0.09),
    "spine1": (0.0, -0.1, 0.0),
    "spine2": (0.0, 0.03, 0.01),
    "spine3": (0.0, 0.08, 0.03),
    "neck": (0.0, 0.29, -0.01),
    "head": (0.0, 0.36, 0.04),
    "left_collar": (0.08, 0.2, 0.0),
    "left_shoulder": (0.18, 0.23, -0.02),
    "left_elbow": (0.43, 0.21, -0.04),
    "left_wrist": (0.69, 0.22, -0.05),
    "left_hand": (0.77, 0.21, -0.06),
}
# Names of Human3.6M that SMPL does not have -> where their vertices are.
_AROUND = {"spine": "spine2"}


def rest() -> np.ndarray:
    """Places of the joints, and of the top of the head: `[25, 3]`, m."""
    places = dict(_REST)
    for name, (x, y, z) in _REST.items():
        places[name.replace("left_", "right_")] = (
            (-x, y, z) if name.startswith("left_") else (x, y, z)
        )
    return np.array([places[name] for name in SMPL.joint_names] + [(0.0, 0.55, 0.03)])


def arrays(seed: int = 0, shapes: int = 10) -> dict:
    """A model's arrays under the names of the official files."""
    rng = np.random.default_rng(seed)
    places, num = rest(), SMPL.num_joints
    count = PER_JOINT * len(places)
    of_joint = np.repeat(np.arange(len(places)), PER_JOINT)
    around = rng.normal(0, 0.03, (len(places), PER_JOINT, 3))
    around -= around.mean(1, keepdims=True)
    regressor, weights = np.zeros((num, count)), np.zeros((count, num))
    for joint in range(num):
        share = rng.uniform(0.5, 1.0, PER_JOINT)
        regressor[joint, of_joint == joint] = share / share.sum()
    for vertex, joint in enumerate(np.minimum(of_joint, num)):
        joint = SMPL.index("head") if joint == num else joint
        chain = [joint, SMPL.parents[joint], SMPL.parents[SMPL.parents[joint]]]
        np.add.at(weights[vertex], chain, rng.dirichlet([8, 2, 1]))
    return dict(
        v_template=(places[:, None] + around).reshape(-1, 3),
        shapedirs=rng.normal(0, 0.004, (count, 3, shapes)),
        posedirs=rng.normal(0, 0.002, (count, 3, 207)),
        J_regressor=regressor,
        weights=weights,
        kintree_table=np.array([(2**32 - 1, *SMPL.parents[1:]), range(num)], np.uint32),
        f=np.zeros((4, 3), np.uint32),
        bs_style="lbs",
    )


def regressor(seed: int = 9, left_first: bool = False) -> np.ndarray:
    """A regressor of Human3.6M's joints, `[17, V]`, in either order of the legs."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((17, PER_JOINT * len(rest())))
    names = skeletons.get("h36m17").joint_names
    for row, name in enumerate(names):
        name = _AROUND.get(name, name)
        joint = SMPL.num_joints if name == "head_top" else SMPL.index(name)
        share = rng.uniform(0.5, 1.0, PER_JOINT)
        rows[row, joint * PER_JOINT : (joint + 1) * PER_JOINT] = share / share.sum()
    return rows[[0, 4, 5, 6, 1, 2, 3, *range(7, 17)]] if left_first else rows


def write(folder, left_first: bool = False) -> pathlib.Path:
    """Writes what `--smpl` takes."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("SMPL_MALE", "SMPL_FEMALE")):
        np.savez(folder / f"{name}.npz", **arrays(seed))
    np.save(folder / "J_regressor_h36m.npy", regressor(left_first=left_first))
    return folder


def model(seed: int = 0) -> smpl.Model:
    """The model of `write`: 0 for men, 1 for women."""
    values = arrays(seed)
    keys = "v_template shapedirs posedirs J_regressor weights".split()
    return smpl.Model(*(values[key] for key in keys))


def slow_vertices(values: dict, betas, pose, trans) -> np.ndarray:
    """A mesh `[V, 3]` by the definition, vertex after vertex: `pose [72]`."""
    template, dirs = values["v_template"], values["shapedirs"]
    shaped = np.array([v + sum(b * d[:, s] for s, b in enumerate(betas))
                       for v, d in zip(template, dirs)])  # fmt: skip
    turns = [_exponential(pose[3 * k : 3 * k + 3]) for k in range(24)]
    feature = [turns[k][i, j] - (i == j) for k in range(1, 24) for i in range(3)
               for j in range(3)]  # fmt: skip
    joints = [sum(r * v for r, v in zip(row, shaped)) for row in values["J_regressor"]]
    world = []
    for k in range(24):
        parent = int(values["kintree_table"][0, k]) if k else None
        step = np.eye(4)
        step[:3, :3] = turns[k]
        step[:3, 3] = joints[k] - (joints[parent] if k else 0.0)
        world.append(world[parent] @ step if k else step)
    out = []
    for v, vertex in enumerate(shaped):
        bent = vertex + sum(f * values["posedirs"][v, :, n]
                            for n, f in enumerate(feature))  # fmt: skip
        place = np.zeros(4)
        for k in range(24):
            back = np.eye(4)
            back[:3, 3] = -joints[k]
            moved = world[k] @ back @ np.append(bent, 1.0)
            place += values["weights"][v, k] * moved
        out.append(place[:3] + trans)
    return np.array(out)


def _exponential(vector) -> np.ndarray:
    """The rotation of a rotation vector, as the series of the matrix exponential."""
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    total = term = np.eye(3)
    for n in range(1, 40):
        term = term @ cross / n
        total = total + term
    return total


def bodies_of(frames: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Betas `[10]`, poses `[N, 72]` and `trans [N, 3]` of somebody who moves a bit."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / 30.0
    low, high = rng.normal(0, 0.06, (2, 72))
    low[1] += 0.4  # turned to its left
    for joint in SMPL.indices("left_knee", "right_knee"):
        low[3 * joint] += 0.5  # bent
    trans = np.array([0.1, 0.1, -2.5]) + 0.1 * np.sin(t) * rng.normal(size=3)
    return rng.normal(0, 1, 10), low + high * np.sin(2 * t), trans


def threedpw(folder, frames: int = 62, test_frames: int = 5) -> None:
    """Writes 3DPW of two bodies of the model: a man in `train`, a woman in `test`.

    The pictures are of another person, who stands at the same place.
    """
    miniature.threedpw(folder, frames, test_frames)
    files = sorted(pathlib.Path(folder).glob("sequenceFiles/*/*.pkl"))
    for path, gender in zip(files, "fm"):  # test, train
        data = pickle.loads(path.read_bytes())
        count = len(data["cam_poses"])
        betas, poses, trans = bodies_of(count, len(path.parent.name))
        joints = smpl.joints(model(int(gender == "f")), betas, poses, trans)
        padded = np.concatenate([betas, np.zeros(290)]) if gender == "f" else betas
        data.update(
            poses=[poses],
            betas=[padded],
            betas_clothed=[betas + 3.0],
            trans=[trans],
            jointPositions=[joints.reshape(count, 72)],
            genders=[gender],
        )
        path.write_bytes(pickle.dumps(data, 2))

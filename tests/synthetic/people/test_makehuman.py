"""Files of MakeHuman, read and made simpler."""

import gzip
import re

import miniature_makehuman
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic.people import makehuman


def _mesh(text, path, **fields):
    path.write_text(text)
    return makehuman.read_obj(path, **fields)


SQUARES = """v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 2 0 0
v 2 1 0
vt 0 0
vt 1 1
g one
f 1/1 2/1 3/2 4/2
g two
f 2/1 5/1 6/2 3/2
"""


def test_quads_become_triangles_of_distinct_corners(tmp_path) -> None:
    mesh = _mesh(SQUARES, tmp_path / "a.obj")
    assert mesh.triangles.shape == (4, 3) and len(mesh.corners) == 6
    area = np.linalg.norm(
        np.cross(
            *np.diff(mesh.vertices[mesh.corners[mesh.triangles]], axis=1).swapaxes(0, 1)
        ),
        axis=-1,
    )
    np.testing.assert_allclose(area, 1.0)
    np.testing.assert_allclose(mesh.uv[:, 0], mesh.vertices[mesh.corners][:, 1])


def test_one_group_alone_is_read_with_all_vertices(tmp_path) -> None:
    mesh = _mesh(SQUARES, tmp_path / "a.obj", groups=("two",))
    assert mesh.triangles.shape == (2, 3) and len(mesh.vertices) == 6
    assert set(mesh.corners) == {1, 2, 4, 5}


def test_triangles_go_when_all_their_vertices_are_hidden(tmp_path) -> None:
    mesh = _mesh(SQUARES, tmp_path / "a.obj")
    hidden = np.array([1, 1, 1, 1, 0, 0], bool)
    assert set(mesh.without(hidden).corners) == {1, 2, 4, 5}


def test_a_mesh_without_texture_coordinates_is_refused(tmp_path) -> None:
    with pytest.raises(errors.InputError, match="texture coordinates"):
        _mesh("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", tmp_path / "a.obj")


def test_a_coarser_mesh_is_closed_and_near_the_fine_one() -> None:
    side = np.linspace(0.0, 1.0, 21)
    at = np.stack(np.meshgrid(side, side, [0.0]), -1).reshape(-1, 3)
    rows = np.arange(441).reshape(21, 21)
    quads = [rows[:-1, :-1], rows[1:, :-1], rows[1:, 1:], rows[:-1, 1:]]
    a, b, c, d = (corner.ravel() for corner in quads)
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    mesh = makehuman.Mesh(at, np.arange(441), at[:, :2], triangles)
    small = mesh.coarser(0.2)
    assert 20 < len(small.triangles) < 100 and len(small.corners) <= 36
    places = small.vertices[small.corners]
    edges = np.diff(places[small.triangles], axis=1)
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1).sum() / 2
    assert 0.6 < area < 1.0  # without its rim
    np.testing.assert_allclose(small.uv, places[:, :2], atol=0.2)


def test_sheets_of_a_texture_are_not_joined(tmp_path) -> None:
    """Two triangles that share an edge, of which the texture shows far-off parts."""
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\n" + "".join(
        f"vt {u} {v}\n" for u in (0.1, 0.9) for v in (0.1, 0.2, 0.3)
    )
    mesh = _mesh(text + "f 1/1 2/2 3/3\nf 2/4 4/5 3/6\n", tmp_path / "a.obj")
    small = mesh.coarser(0.01)
    assert len(small.corners) == 6
    spread = np.ptp(small.uv[small.triangles][..., 0], axis=1)
    np.testing.assert_allclose(spread, 0.0, atol=1e-6)


def test_a_target_names_the_vertices_it_moves(tmp_path) -> None:
    (tmp_path / "a.target").write_text("# words\n1 .5 -.25 0\n3 0 0 1\n")
    moved = makehuman.read_target(tmp_path / "a.target", 5)
    np.testing.assert_array_equal(moved[1], [0.5, -0.25, 0.0])
    assert moved.shape == (5, 3) and np.count_nonzero(moved) == 3


def test_a_fitting_is_read_whatever_stands_between(tmp_path) -> None:
    (tmp_path / "a.mhclo").write_text(
        "name a\nx_scale 0 1 2.0\ny_scale 1 2 1.5\nz_scale 2 3 1.0\nverts 0\n"
        "material a.mhmat\n1 2 3 .5 .25 .25 0 1 0\n7\ndelete_verts\n2 - 5 8\n9\n"
    )
    fitting = makehuman.read_fitting(tmp_path / "a.mhclo")
    np.testing.assert_array_equal(fitting.vertices, [[1, 2, 3], [7, 7, 7]])
    np.testing.assert_allclose(fitting.weights, [[0.5, 0.25, 0.25], [1, 0, 0]])
    np.testing.assert_array_equal(fitting.hidden, [2, 3, 4, 5, 8, 9])
    assert fitting.scales == ((0, 1, 2.0), (1, 2, 1.5), (2, 3, 1.0))
    (tmp_path / "b.mhclo").write_text("verts 0\n")
    with pytest.raises(errors.InputError, match="mhclo"):
        makehuman.read_fitting(tmp_path / "b.mhclo")


_TEXTS = {
    makehuman.read_obj: "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 1\nf 1/1 2/2 3/1\n",
    makehuman.read_fitting: "x_scale 0 1 2.0\ny_scale 1 2 1.5\nz_scale 2 3 1.0\n"
    "verts 0\n1 2 3 .5 .25 .25 0 1 0\ndelete_verts\n2 - 5\n",
    makehuman.read_groups: '{"body": [[0, 3], [5, 5]]}',
}


@pytest.mark.parametrize(
    ("read", "old", "new"),
    [
        (makehuman.read_obj, "v 1 0 0", "v 1 0"),
        (makehuman.read_obj, "2/2", "2/7"),
        (makehuman.read_obj, "2/2", "two/2"),
        (makehuman.read_fitting, "0 1 2.0", "0"),
        (makehuman.read_fitting, "2 - 5", "- 5"),
        (makehuman.read_fitting, "2 - 5", "2 - 300000000"),
        (makehuman.read_groups, "[5, 5]", "[0, 300000000]"),
        (makehuman.read_groups, "[5, 5]", ", ".join(["[0, 900000]"] * 9)),
        (makehuman.read_groups, "[5, 5]", "5"),
        (makehuman.read_groups, "{", "["),
    ],
)
def test_a_damaged_file_is_named(tmp_path, read, old, new) -> None:
    path = tmp_path / "file"
    path.write_text(_TEXTS[read])
    read(path)
    path.write_text(_TEXTS[read].replace(old, new))
    with pytest.raises(errors.InputError, match=re.escape(str(path))):
        read(path)


def test_a_target_is_not_unpacked_without_end(tmp_path) -> None:
    path = tmp_path / "a.target.gz"
    for text in ("1 .5 -.25 0\n", "9 .5 -.25 0\n", "1 2\n", "1 0 0 0\n" * (1 << 22)):
        path.write_bytes(gzip.compress(text.encode()))
        if text == "1 .5 -.25 0\n":
            assert np.count_nonzero(makehuman.read_target(path, 5)) == 2
            continue
        with pytest.raises(errors.InputError, match=re.escape(str(path))):
            makehuman.read_target(path, 5)


@pytest.mark.parametrize(
    ("damaged", "old", "new"),
    [
        ("rig.cmu_mb.json", "parent", "parents"),
        ("weights.cmu_mb.json", "[0, 1.0]", "[0]"),
        ("weights.cmu_mb.json", "[0, 1.0]", "[900000, 1.0]"),
        ("weights.cmu_mb.json", '"weights"', '"heights"'),
    ],
)
def test_of_a_rigs_two_files_the_damaged_one_is_named(tmp_path, damaged, old, new):
    body = miniature_makehuman.makehuman(tmp_path, clothes=False) / "mpfb2"
    metadata = body / "mesh_metadata/basemesh_vertex_groups.json"
    groups = makehuman.read_groups(metadata)
    rigs = body / "rigs/standard"
    paths = rigs / "rig.cmu_mb.json", rigs / "weights.cmu_mb.json"
    assert makehuman.read_rig(*paths, groups, 1000).names[0] == "Hips"
    path = rigs / damaged
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(errors.InputError, match=re.escape(str(path))):
        makehuman.read_rig(*paths, groups, 1000)


def test_parents_come_before_their_children(cast) -> None:
    rig = cast.body.rig
    assert set(rig.names) == set(miniature_makehuman.bones())
    assert all(parent < bone for bone, parent in enumerate(rig.parents))
    assert rig.names[0] == "Hips" and rig.parents[0] == -1
    used = rig.weights[: cast.body.groups["body"].max() + 1]
    np.testing.assert_allclose(used.sum(axis=1), 1.0)

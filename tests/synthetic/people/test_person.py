"""People drawn at random, and what they look like."""

import numpy as np
import pytest

from sa3dhp.synthetic.people import looks, parts, person


def test_people_are_grown_and_differ() -> None:
    shapes = [person.draw_shape(np.random.default_rng(seed)) for seed in range(100)]
    assert len(set(shapes)) == 100
    for shape in shapes:
        assert sum(shape.races) == pytest.approx(1.0)
        values = (shape.male, shape.old, shape.muscle, shape.weight, shape.height)
        assert min(values) >= 0 and max(values) <= 1
    assert 30 < sum(shape.male > 0.5 for shape in shapes) < 70


def test_a_person_is_skin_eyes_and_what_is_worn(cast) -> None:
    people = [cast.draw(np.random.default_rng(seed)) for seed in range(10)]
    assert {len(p.parts) for p in people} <= {4, 5} and people[0].parts[1].key == "eyes"
    bare = len(cast.body.skin.triangles)
    assert all(len(p.parts[0].triangles) < bare for p in people)  # hidden by clothes
    heights = [np.ptp(p.skeleton.joints[:, 1]) for p in people]
    assert 1.4 < min(heights) and max(heights) < 2.2 and np.std(heights) > 0.01
    again = cast.draw(np.random.default_rng(3))
    for part, same in zip(people[3].parts, again.parts):
        np.testing.assert_array_equal(part.vertices, same.vertices)
        assert (part.key, part.recolour) == (same.key, same.recolour)


def test_without_clothes_people_wear_paint(folder, tmp_path) -> None:
    bare = person.Cast(folder / "mpfb2", tmp_path / "nothing")
    drawn = bare.draw(np.random.default_rng(0))
    assert len(drawn.parts) == 2 and drawn.parts[0].key == "white"
    paint = drawn.parts[0].vertices["paint"]
    assert 4 <= len(np.unique(paint, axis=0)) <= 6  # skin, hair and three garments


@pytest.mark.parametrize("draw", [looks.cloth, looks.bare_skin, looks.hair])
def test_colours_are_colours(draw) -> None:
    for seed in range(50):
        colour = draw(np.random.default_rng(seed))
        assert colour.shape == (3,) and colour.min() >= 0 and colour.max() < 2.6


def test_the_strongest_bones_sum_to_one() -> None:
    weights = np.random.default_rng(0).dirichlet(np.full(9, 0.3), size=50)
    bones, shares = parts.strongest(weights)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(bones[:, 0], weights.argmax(axis=1))
    assert (np.diff(shares, axis=1) <= 0).all()


def test_normals_point_outwards(cast) -> None:
    mesh = cast.body.eyes
    at = mesh.vertices
    rows = mesh.corners[mesh.triangles]
    left = np.unique(rows[at[rows[:, 0], 0] > 0])
    normals = parts.normals(at, rows)[left]
    outward = at[left] - at[left].mean(axis=0)
    assert (np.einsum("nd,nd->n", normals, outward) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)

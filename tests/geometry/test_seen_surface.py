"""What is seen of a mesh from outside, in front: the skin of scans, and not what lies behind it."""

import numpy as np
import pytest

from face3d_data.geometry.seen_surface import distinct_triangles, seen_points, view_directions
from face3d_data.geometry.surface import sample_surface

FRONT, UP = np.array([0.0, 0, 1]), np.array([0.0, 1, 0])


def sheet(height, n=60, width=160.0, turn=1):
    """Return a face-like sheet over a square, z = height(x, y), wound either way."""
    x, y = np.meshgrid(np.linspace(-width / 2, width / 2, n), np.linspace(-width / 2, width / 2, n))
    vertices = np.stack([x, y, height(x, y)], axis=-1).reshape(-1, 3)
    a = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    triangles = np.concatenate([np.stack([a, a + 1, a + n], 1), np.stack([a + 1, a + n + 1, a + n], 1)])
    return vertices, triangles[:, ::turn]


def face(x, y):
    """A dome with a nose, eye sockets and a mouth."""
    nose = 28 * np.exp(-((x / 11) ** 2) - ((y / 18) ** 2))
    eyes = 8 * np.exp(-(((np.abs(x) - 32) / 13) ** 2) - (((y - 32) / 9) ** 2))
    mouth = 4 * np.exp(-((x / 25) ** 2) - (((y + 40) / 4) ** 2))
    return 90 * np.sqrt(np.maximum(1 - (x / 130) ** 2 - (y / 130) ** 2, 0)) + nose - eyes - mouth


def ball(radius, centre=(0, 0, 0), n=40):
    polar, around = np.meshgrid(np.linspace(1e-3, np.pi - 1e-3, n), np.linspace(0, 2 * np.pi, 2 * n, endpoint=False))
    vertices = radius * np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1)
    i, j = np.divmod(np.arange(2 * n * (n - 1)), n - 1)
    a, b = i * n + j, (i + 1) % (2 * n) * n + j
    triangles = np.concatenate([np.stack([a, b, a + 1], 1), np.stack([a + 1, b, b + 1], 1)])
    return vertices.reshape(-1, 3) + centre, triangles


def together(*meshes):
    """Return one mesh of several, and to which each triangle belongs."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in meshes)])
    vertices = np.concatenate([vertices for vertices, _ in meshes])
    triangles = np.concatenate([t + start for (_, t), start in zip(meshes, starts, strict=False)])
    return vertices, triangles


def kept(mesh, *, of=None, turn=None):
    """Return the share of points that are seen: of a mesh's own, or of a part of it."""
    vertices, triangles = mesh
    made = sample_surface(*(of or mesh), 20_000)
    points, normals, front, up = made.points, made.normals, FRONT, UP
    if turn is not None:
        vertices, points, normals, front, up = (array @ turn.T for array in (vertices, points, normals, front, up))
    return seen_points(vertices, triangles, points, normals, front, up)[0].mean()


@pytest.mark.parametrize("turn", [1, -1])
def test_a_bare_scan_loses_nothing_however_it_is_wound(turn):
    assert kept(sheet(face, turn=turn)) > 0.99


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("behind_mm", [3, 10])
def test_an_inner_wall_is_gone(turn, behind_mm):
    wall = sheet(lambda x, y: face(x, y) - behind_mm, n=55, width=130, turn=turn)
    head = together(sheet(face), wall)
    assert kept(head, of=wall) < 0.01
    assert kept(head, of=sheet(face)) > 0.99


@pytest.mark.slow
def test_eyeballs_and_teeth_behind_the_skin_are_gone_and_what_stands_out_is_not():
    eyes = together(ball(12, (-32, 32, 55)), ball(12, (32, 32, 55)))
    teeth = ball(9, (0, -40, 60))
    glasses = ball(6, (0, 20, 150))
    head = together(sheet(face), eyes, teeth, glasses)
    assert kept(head, of=eyes) < 0.02, "the border is open: some rays leave there"
    assert kept(head, of=teeth) < 0.02
    assert 0.5 < kept(head, of=glasses) < 0.95, "its back is not seen"


def test_a_closed_head_keeps_its_front():
    head = together(ball(90), ball(80))
    made = sample_surface(*ball(90), 20_000)
    seen, _ = seen_points(*head, made.points, made.normals, FRONT, UP)
    assert seen[made.points[:, 2] > -10].all(), "ears too"
    assert not seen[made.points[:, 2] < -80].any()
    assert kept(head, of=ball(80)) == 0


def test_axes_and_size_change_nothing():
    head = together(sheet(face), sheet(lambda x, y: face(x, y) - 10, width=130))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    plain = kept(head)
    assert abs(kept(head, turn=turn) - plain) < 0.002
    assert abs(kept((head[0] / 1000 + 500, head[1])) - plain) < 0.01


def test_directions_look_at_the_front():
    views = view_directions(FRONT, UP)
    np.testing.assert_allclose(np.linalg.norm(views, axis=1), 1)
    assert (views @ FRONT > np.cos(np.radians(70.1))).all()
    assert abs(views.mean(axis=0)[:2]).max() < 0.05, "no side is preferred"


def test_obstacles_are_triangles_with_an_area_each_once():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [2, 0, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 4, 2], [0, 1, 3], [0, 1, 1], [0, 1, 4], [0, 1, 5]])
    assert distinct_triangles(vertices, triangles).tolist() == [[0, 1, 2], [0, 1, 3]]
    naive = {frozenset(map(tuple, vertices[t])) for t in triangles[:5]}
    assert len(naive) == 2


def test_a_face_that_is_stored_thousands_of_times_is_one(monkeypatch):
    import face3d_data.geometry.seen_surface as module

    given = []
    kept_ones = module.distinct_triangles
    monkeypatch.setattr(module, "distinct_triangles", lambda *a: given.append(kept_ones(*a)) or given[-1])
    vertices = np.array([[0, 0, 0], [150, 0, 0], [0, 150, 10.0]])
    once, often = np.array([[0, 1, 2]]), np.tile([[0, 1, 2]], (20_000, 1))
    assert kept((vertices, often), of=(vertices, once)) == kept((vertices, once)) == 1
    assert [len(triangles) for triangles in given] == [1, 1]


@pytest.mark.parametrize("mesh", [sheet(face), ball(90), together(sheet(face), ball(6, (0, 20, 150)))])
def test_the_side_that_is_seen_is_told_for_each_point(mesh):
    made = sample_surface(*mesh, 20_000)
    flips = np.random.default_rng(1).random(len(made.points)) < 0.5
    normals = np.where(flips[:, None], -made.normals, made.normals)
    seen, plain = seen_points(*mesh, made.points, made.normals, FRONT, UP)
    again, turned = seen_points(*mesh, made.points, normals, FRONT, UP)
    assert np.array_equal(seen, again)
    assert plain[seen].mean() < 0.002, "wound outwards: next to none is turned"
    assert np.mean(turned[seen] == (plain ^ flips)[seen]) > 0.999, "but where both sides have equally many"

"""Two people in one mesh, and what is only one: a head with a body, inner parts, triangles that share no vertex."""

import numpy as np
import pytest

from face3d_data.geometry.mesh_pieces import stand_apart

ACROSS = np.array([[1.0, 0, 0], [0, 0, 1]])


def ball(radius, centre, n=20):
    polar, around = np.meshgrid(np.linspace(0, np.pi, n), np.linspace(0, 2 * np.pi, n))
    places = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1).round(9)
    a = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    triangles = np.concatenate([np.stack([a, a + 1, a + n], 1), np.stack([a + 1, a + n + 1, a + n], 1)])
    return radius * places.reshape(-1, 3) + np.array(centre, float), triangles


def together(*meshes):
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in meshes)])
    triangles = np.concatenate([t + start for (_, t), start in zip(meshes, starts, strict=False)])
    return np.concatenate([vertices for vertices, _ in meshes]), triangles


HEAD = ball(90, (0, 0, 0))


@pytest.mark.parametrize("other", [ball(80, (250, 20, 0)), ball(95, (0, -30, 400))], ids=["beside", "behind"])
def test_two_heads_are_two(other):
    assert stand_apart(*together(HEAD, other), ACROSS)
    vertices, triangles = together(HEAD, other)
    soup = vertices[triangles].reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3)
    assert stand_apart(*soup, ACROSS), "as STL stores them"


@pytest.mark.parametrize(
    "others",
    [
        [],
        [ball(80, (0, 0, 0))],
        [ball(120, (0, -250, 0))],
        [ball(40, (200, 0, 0))],
        [ball(12, (30, 20, 80)), ball(12, (-30, 20, 80))],
    ],
    ids=["alone", "inner wall", "body below", "hand beside", "eyes"],
)
def test_one_person_is_one(others):
    assert not stand_apart(*together(HEAD, *others), ACROSS)


def test_a_scan_of_triangles_without_common_vertices_is_one():
    vertices, triangles = HEAD
    soup = vertices[triangles].reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3)
    assert not stand_apart(*soup, ACROSS)

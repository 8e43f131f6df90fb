"""The shipped template: one clean surface, mirrored exactly, with landmarks, regions and UV."""

import numpy as np

from face3d_data.augment.mirror import Mirror
from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.template import REGIONS, TEMPLATE_ASSET, own_template, read_template, save_template

MIRROR = np.array([-1, 1, 1])
MIRRORED_68 = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip


def test_every_edge_has_one_or_two_triangles_wound_alike_and_every_vertex_is_used():
    t = own_template().triangles
    directed = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)
    _, counts = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    assert set(counts.tolist()) <= {1, 2}
    assert np.array_equal(np.unique(t), np.arange(len(own_template().vertices)))


def test_it_is_small_and_looks_forward():
    template = own_template()
    assert 4500 < len(template.vertices) < 5500
    assert TEMPLATE_ASSET.file.stat().st_size < 1_000_000
    assert (mesh_normals(template.vertices, template.triangles)[:, 2] > 0).mean() > 0.99


def test_the_mirrored_template_is_the_template():
    template = own_template()
    assert np.array_equal(template.mirror[template.mirror], np.arange(len(template.mirror)))
    assert np.abs(template.vertices[template.mirror] * MIRROR - template.vertices).max() < 0.02
    assert np.array_equal(template.regions[template.mirror], template.regions)
    marks = template.landmarks(template.vertices)
    assert np.abs(marks[MIRRORED_68] * MIRROR - marks).max() < 0.3


def test_landmarks_lie_where_their_names_say():
    marks = own_template().landmarks(own_template().vertices)
    five = mean_face().landmarks
    assert np.linalg.norm(marks[[30, 48, 54]] - five[[2, 3, 4]], axis=1).max() < 3
    for eye, corners in ((five[0], marks[36:42]), (five[1], marks[42:48])):
        assert np.linalg.norm(corners[:, :2].mean(axis=0) - eye[:2]) < 3
    assert marks[8, 1] == marks[:, 1].min()
    assert np.all(np.diff(marks[1:16, 0]) > 0)  # beside the eyes the outline is upright
    assert np.all(marks[61:64, 1] >= marks[[67, 66, 65], 1])


def test_uv_coordinates_overlap_nowhere():
    uv, t = own_template().uv, own_template().triangles
    assert uv.min() >= 0
    assert uv.max() <= 1
    a, b, c = (uv[t[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (area > 0).all() or (area < 0).all()


def test_regions_are_all_there():
    assert np.array_equal(np.unique(own_template().regions), np.arange(len(REGIONS)))


def test_it_is_read_as_it_was_written(tmp_path):
    save_template(tmp_path / "again.npz", own_template())
    again = read_template(tmp_path / "again.npz")
    assert np.allclose(again.modes, own_template().modes, atol=0.006)
    assert np.array_equal(again.triangles, own_template().triangles)
    assert (tmp_path / "again.npz").read_bytes() == TEMPLATE_ASSET.file.read_bytes()


def test_mirroring_a_fitted_template_twice_gives_it_back_and_others_are_removed():
    template = own_template()
    vertices = template.shape(np.linspace(-1, 1, len(template.modes))).astype(np.float32)
    seen = (vertices[:, 0] > 0).astype(np.uint8)
    operation, record = Mirror(mirror_p=1), {"mirror": True}
    once = operation.apply({"vertices": vertices, "vertex_visible": seen}, record)
    assert (once["vertex_visible"] == (once["vertices"][:, 0] < 0)).mean() > 0.98
    normals = mesh_normals(once["vertices"], template.triangles)
    assert (normals[:, 2] > 0).mean() > 0.9
    twice = operation.apply(once, record)
    assert np.array_equal(twice["vertices"], vertices)
    assert "vertices" not in operation.apply({"vertices": vertices[:100]}, record)
    assert "vertices" in operation.removes

"""Templates of other topologies: a user's mesh, or a model's file, is fitted as the package's own."""

from functools import cache

import numpy as np
import pytest
from scipy.spatial import Delaunay, cKDTree
from trimesh.creation import icosphere

from face3d_data.errors import UserError
from face3d_data.geometry.surface import sample_surface
from face3d_data.registration.foreign import fit_to_mesh, read_foreign, read_landmark_file
from face3d_data.registration.template import own_template
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.testing.contract import check_stage

pytestmark = pytest.mark.slow
N = 2500


@cache
def other_mesh() -> tuple[np.ndarray, np.ndarray]:
    """The mean face in a topology of its own."""
    points = sample_surface(own_template().vertices, own_template().triangles, N).points.astype(np.float64)
    triangles = Delaunay(points[:, :2]).simplices
    longest = np.linalg.norm(points[triangles] - np.roll(points[triangles], 1, axis=1), axis=2).max(axis=1)
    triangles = triangles[longest < 14]
    a, b, c = (points[triangles[:, k]] for k in range(3))
    inward = np.cross(b - a, c - a)[:, 2] < 0
    triangles[inward] = triangles[inward][:, ::-1]
    used, triangles = np.unique(triangles, return_inverse=True)
    return points[used], triangles.reshape(-1, 3)


def write_obj(path, scale=1.0, shift=(0.0, 0.0, 0.0)):
    vertices, triangles = other_mesh()
    lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in (vertices + shift) * scale]
    path.write_text("\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in triangles + 1), ""]))
    return path


@cache
def face(seed: int) -> tuple[np.ndarray, Sample]:
    template = own_template()
    shape = template.shape(0.7 * np.random.default_rng(seed).standard_normal(len(template.modes)))
    made = sample_surface(shape, template.triangles, 12_000)
    return shape, Sample.of({"points": made.points[made.normals[:, 2] > 0.2].astype(np.float32)})


def test_a_mesh_in_centimetres_and_elsewhere_is_brought_into_the_face_frame(tmp_path):
    made = read_foreign(write_obj(tmp_path / "mine.obj", 0.1, (300.0, -40.0, 900.0)), None)
    vertices, _ = other_mesh()
    assert np.linalg.norm(made.vertices - vertices, axis=1).mean() < 1.5
    marks = own_template().landmarks(own_template().vertices)
    assert np.median(np.linalg.norm(made.landmarks(made.vertices) - marks, axis=1)) < 3
    assert len(made.identity) == len(own_template().identity)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_mesh_without_a_model_is_fitted_with_borrowed_modes(seed, tmp_path):
    stage = find("stage", "register")(template=write_obj(tmp_path / "mine.obj"))
    shape, sample = face(seed)
    out = stage.apply(sample)
    vertices = out.arrays["vertices"]
    assert len(vertices) == len(other_mesh()[0])
    assert out.arrays["landmarks_68_3d"].shape == (68, 3)
    seen = out.arrays["vertex_visible"] > 0
    dense = sample_surface(shape, own_template().triangles, 60_000).points
    assert seen.mean() > 0.6
    assert np.median(cKDTree(dense).query(vertices[seen])[0]) < 0.8


def test_a_model_of_a_file_is_fitted_by_its_own_modes(tmp_path):
    template = own_template()
    np.savez(tmp_path / "model.npz", mean=template.vertices / 10, triangles=template.triangles,
             identity=template.identity / 10, expression=template.expression / 10)  # fmt: skip
    stage = find("stage", "register")(template=tmp_path / "model.npz")
    shape, sample = face(3)
    out = stage.apply(sample)
    seen = out.arrays["vertex_visible"] > 0
    assert np.median(np.linalg.norm(out.arrays["vertices"] - shape, axis=1)[seen]) < 2.0
    check_stage(stage, sample)


def test_gnm_is_a_template_and_a_population_by_its_skin(tmp_path):
    """The own template in GNM's form: metres, with an eye that it is fitted without, and a mode of it alone."""
    template = own_template()
    n, teeth = len(template.vertices), template.vertices[:50] * 0.2 - [0, 30, 40]

    def with_teeth(modes):
        return np.concatenate([modes, np.full((len(modes), 50, 3), 0.001)], axis=1) / 1000

    mean = np.vstack([template.vertices, teeth]) / 1000
    identity = with_teeth(template.identity)
    still = np.zeros_like(identity[:1])
    still[:, n:] = 0.02
    np.savez(
        tmp_path / "gnm_head.npz",
        template_vertex_positions=mean,
        triangles=np.vstack([template.triangles, n + np.arange(48).reshape(-1, 3)]),
        vertex_identity_basis=np.concatenate([still, identity]),
        identity_names=["eyes_000", *(f"head_{i:03d}" for i in range(len(identity)))],
        expression_basis=with_teeth(template.expression),
        expression_names=[f"lower_face_region_{i:03d}" for i in range(len(template.expression))],
        vertex_group_names=["skin", "left_eye"],
        vertex_groups=np.stack([np.arange(n + 50) < n, np.arange(n + 50) >= n]).astype(np.float32),
    )
    shape, sample = face(3)
    out = find("stage", "register")(template=tmp_path / "gnm_head.npz").apply(sample)
    assert out.arrays["vertices"].shape == (n, 3)
    seen = out.arrays["vertex_visible"] > 0
    assert np.median(np.linalg.norm(out.arrays["vertices"] - shape, axis=1)[seen]) < 2.0
    reader = find("reader", "synthetic")(model=tmp_path / "gnm_head.npz", people=1, captures=1, width=160, height=120)
    assert (reader.sample(next(reader.scan())).arrays["depth"] > 0).mean() > 0.1


def test_landmarks_are_numbers_of_vertices_or_places(tmp_path):
    vertices, _ = other_mesh()
    numbers = np.arange(68) * 7
    (tmp_path / "a.txt").write_text("\n".join(map(str, numbers)))
    (tmp_path / "b.json").write_text(str(numbers.tolist()))
    np.save(tmp_path / "c.npy", vertices[numbers] + 0.01)
    for name in ("a.txt", "b.json", "c.npy"):
        assert np.array_equal(read_landmark_file(tmp_path / name, vertices), numbers)


NUMBERS = "68 vertex numbers"


@pytest.mark.parametrize(("text", "said"), [
    ("1\n2\n", NUMBERS), ("", NUMBERS),
    ("99999\n" * 68, "numbers from 99999 to 99999: give whole numbers of vertices, from 0 to"),
    ("1.5\n" * 68, "whole numbers of vertices"), ("-1\n" * 68, "whole numbers of vertices"),
    ("0\n" * 68, "names 1 different vertices only"), ("nan\n" * 68, "not finite"), ("1 2 nan\n" * 68, "not finite"),
    ("x\n" * 68, "cannot be read"), ("1 2\n3\n", "cannot be read"),
])  # fmt: skip
def test_bad_landmark_files_are_one_line(text, said, tmp_path):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        read_landmark_file(tmp_path / "a.txt", other_mesh()[0])
    assert "\n" not in str(caught.value)


def test_places_in_another_unit_than_the_mesh_are_refused(tmp_path):
    """The nearest vertices would be taken, and landmarks be anywhere."""
    vertices, _ = other_mesh()
    np.save(tmp_path / "a.npy", vertices[np.arange(68) * 7] * 10)
    with pytest.raises(UserError, match=r"a\.npy: a place is .* from the mesh, which is .* across: give places in"):
        read_landmark_file(tmp_path / "a.npy", vertices)
    np.save(tmp_path / "a.npy", np.repeat(vertices[:1], 68, axis=0))
    with pytest.raises(UserError, match="names 1 different vertices only"):
        read_landmark_file(tmp_path / "a.npy", vertices)


def ball(path):
    t = np.linspace(0, np.pi, 40)
    grid = np.stack(
        [np.outer(np.sin(t), np.cos(2 * t)), np.outer(np.cos(t), 1 + 0 * t), np.outer(np.sin(t), np.sin(2 * t))], -1
    )
    index = np.arange(1600).reshape(40, 40)
    a, b, c, d = (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    triangles = np.concatenate([np.stack(x, -1).reshape(-1, 3) for x in ((a, c, b), (b, c, d))]) + 1
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in grid.reshape(-1, 3) * 80]
    path.write_text("\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in triangles)]))


@pytest.mark.parametrize(("make", "said"), [
    (lambda path: None, "cannot be read"),
    (lambda path: path.write_text("v 1 2 3\n"), "mine.obj"),
    (lambda path: path.write_bytes(b"\x00\xff" * 99), "mine.obj"),
    (lambda path: write_obj(path, 1e4), "wide: not a face"),
    (ball, "face"),
])  # fmt: skip
def test_bad_meshes_are_one_line(make, said, tmp_path):
    make(tmp_path / "mine.obj")
    with pytest.raises(ValueError, match=said):
        find("stage", "register")(template=tmp_path / "mine.obj")


@pytest.mark.parametrize("radius", [60, 80, 100, 120])
def test_no_ball_is_a_face(radius):
    made = icosphere(3, radius)
    with pytest.raises(UserError, match="face"):
        fit_to_mesh(np.asarray(made.vertices), np.asarray(made.faces), "ball.obj")


def test_the_files_content_is_in_the_fingerprint(tmp_path):
    one = find("stage", "register")(template=write_obj(tmp_path / "mine.obj")).fingerprint()
    two = find("stage", "register")(template=write_obj(tmp_path / "mine.obj", 0.1)).fingerprint()
    same = find("stage", "register")(template=write_obj(tmp_path / "other.obj", 0.1)).fingerprint()
    assert one != two == same
    assert find("stage", "register")().fingerprint() != one


def test_landmarks_in_another_order_are_refused(tmp_path):
    mesh = write_obj(tmp_path / "mine.obj")
    found = cKDTree(other_mesh()[0]).query(own_template().landmarks(own_template().vertices))[1]
    swapped = found.copy()
    swapped[[36, 45]] = found[[45, 36]]
    for name, order in (("reversed", found[::-1]), ("swapped", swapped)):
        listed = tmp_path / f"{name}.txt"
        listed.write_text("\n".join(map(str, order.tolist())))
        with pytest.raises(UserError, match=rf"{name}\.txt: landmark \d+ \(from 0\) is \d+ mm from where a face"):
            read_foreign(mesh, listed)

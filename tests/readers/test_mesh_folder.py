"""Reader `mesh_folder`, and what it shares with `cloud_folder`: units, axes, landmarks, names."""

import json
import shutil

import numpy as np
import pytest
from scans import face_scan, scan_mesh
from scipy.spatial import cKDTree
from write_meshes import five_entry, write_meshes, write_obj, write_stl, y_up

from face3d_data.component import build
from face3d_data.errors import ContractError, Unreadable, UserError
from face3d_data.geometry.surface import sample_surface
from face3d_data.readers.mesh_folder import MeshFolder
from face3d_data.remarks import remarks_into
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation

ROWS = 36


def reader(root, **options) -> MeshFolder:
    return build(MeshFolder, {"root": root, **options}, "source 'x'")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return write_meshes(tmp_path_factory.mktemp("meshes"), people=2, captures=5)


@pytest.fixture
def one(tmp_path):
    """A folder for one mesh: gives a function that writes it, moved by a function of its vertices."""
    (tmp_path / "ann").mkdir()
    scan = face_scan(0, 0, ROWS)
    vertices, triangles, colors = scan_mesh(scan)

    def write(change=lambda points: points, name="a.obj", landmarks=True, **options):
        moved = change(y_up(vertices))
        write_obj(tmp_path / "ann" / name, moved, triangles, **options)
        if landmarks:
            entry = five_entry(change(y_up(scan.landmarks_3d)))
            (tmp_path / "ann" / "a.landmarks.json").write_text(json.dumps(entry))
        return tmp_path

    write.scan, write.mesh, write.root = scan, (vertices, triangles, colors), tmp_path
    return write


@pytest.mark.slow
def test_every_format_gives_the_face(collection):
    meshes = reader(collection)
    sources = list(meshes.scan())
    assert [(s.person, s.capture) for s in sources][:3] == [
        ("person_00", "00"),
        ("person_00", "01"),
        ("person_00", "02_text"),
    ]
    assert len(sources) == 10
    for number, source in enumerate(sources):
        scan = face_scan(number // 5, int(source.capture[:2]), 24)
        points = meshes.load(source, "points")
        assert len(points) == 30_000
        assert np.array_equal(meshes.load(source, "landmarks_3d"), scan.landmarks_3d)
        check_orientation(points, meshes.load(source, "landmarks_3d"))
        normals = meshes.load(source, "normals")
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
        assert normals[:, 2].mean() < -0.6


def test_vertices_are_exact(collection):
    meshes = reader(collection, points_from="vertices")
    for number, source in enumerate(meshes.scan()):
        vertices, triangles, colors = scan_mesh(face_scan(number // 5, int(source.capture[:2]), 24))
        used = np.unique(triangles)
        points = meshes.load(source, "points")
        if source.files["scan"].suffix == ".glb":  # written 1 mm too high, which a node takes back
            np.testing.assert_allclose(points, vertices[used], atol=2e-5)
        elif source.files["scan"].suffix == ".stl":  # in the order of the triangles
            order = list(dict.fromkeys(triangles.ravel().tolist()))
            assert np.array_equal(points, vertices[order])
        else:
            assert np.array_equal(points, vertices[used])
        if "point_colors" in source.arrays:
            assert np.array_equal(meshes.load(source, "point_colors"), colors[used])


def test_colours_are_given_where_a_file_has_them(collection):
    given = {source.files["scan"].name: "point_colors" in source.arrays for source in reader(collection).scan()}
    assert given == {
        "00.obj": True, "01.stl": False, "02_text.stl": False, "03.ply": True, "04_text.ply": True,
        "00_big.ply": True, "01.off": True, "02.glb": True, "03.wrl": False, "04.wrl.gz": False,
    }  # fmt: skip


def test_it_keeps_the_contract(collection):
    check_reader(reader(collection, n_points=500))


@pytest.mark.parametrize(
    ("up", "front", "axes"),
    [
        ("y", None, lambda p: p),
        ("-y", None, lambda p: p * [1, -1, -1]),
        ("z", None, lambda p: np.stack([p[:, 0], -p[:, 2], p[:, 1]], 1)),  # Blender: the face looks along -y
        ("y", "-z", lambda p: p * [-1, 1, -1]),  # Kinect's camera space
        ("z", "x", lambda p: np.stack([p[:, 2], p[:, 0], p[:, 1]], 1)),
        ("x", None, lambda p: np.stack([p[:, 1], -p[:, 0], p[:, 2]], 1)),
    ],
)
def test_axes_are_turned_exactly_and_nothing_is_mirrored(one, up, front, axes):
    root = one(lambda points: axes(points).astype(np.float32))
    meshes = reader(root, up=up, front=front, points_from="vertices")
    source = next(meshes.scan())
    points = meshes.load(source, "points")
    assert np.array_equal(points, one.mesh[0][np.unique(one.mesh[1])])
    landmarks = meshes.load(source, "landmarks_3d")
    assert np.array_equal(landmarks, one.scan.landmarks_3d)
    check_orientation(points, landmarks)


@pytest.mark.slow
def test_wrong_axes_are_seen(one):
    meshes = reader(one(landmarks=False), up="-y")
    with pytest.raises(ContractError):
        check_orientation(meshes.load(next(meshes.scan()), "points"))


def test_up_and_front_are_two_axes(tmp_path):
    with pytest.raises(UserError, match="up y and front -y must be two axes"):
        reader(tmp_path, up="y", front="-y")


@pytest.mark.parametrize(("units", "factor"), [("m", 0.001), ("um", 1000), (25.4, 1 / 25.4)])
def test_units_are_converted_when_they_are_said(one, units, factor):
    root = one(lambda points: points.astype(np.float64) * factor)
    meshes = reader(root, units=units, points_from="vertices")
    source = next(meshes.scan())
    np.testing.assert_allclose(meshes.load(source, "points"), one.mesh[0][np.unique(one.mesh[1])], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(meshes.load(source, "landmarks_3d"), one.scan.landmarks_3d, rtol=1e-6, atol=1e-4)


def test_metres_are_not_taken_for_millimetres(one):
    meshes = reader(one(lambda points: points / 1000))
    source = next(meshes.scan())
    with pytest.raises(Unreadable, match=r"wrong_units: a\.obj: .*these look like metres: set units: m"):
        meshes.load(source, "points")
    with pytest.raises(UserError, match="these look like metres: set units: m"):
        meshes.survey([source])


def test_points_are_spread_the_same_every_time_and_as_many_as_asked(one):
    root = one()
    first, second = (reader(root, n_points=777) for _ in range(2))
    one_cloud, two = (meshes.load(next(meshes.scan()), "points") for meshes in (first, second))
    assert len(one_cloud) == 777
    assert np.array_equal(one_cloud, two)
    assert first.fingerprint() != reader(root).fingerprint()


def test_a_surface_wound_the_other_way_is_turned(one):
    root = one(landmarks=False)
    vertices, triangles, _ = one.mesh
    write_stl(root / "ann" / "b.stl", y_up(vertices), triangles[:, ::-1])
    for source in reader(root).scan():
        assert reader(root).load(source, "normals")[:, 2].mean() < -0.5


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_faces_wound_either_way_have_normals_towards_the_camera(one, share):
    root = one(landmarks=False)
    vertices, triangles, _ = one.mesh
    write_obj(root / "ann" / "a.obj", y_up(vertices), triangles)
    plain = load(reader(root), "normals")
    flipped = np.random.default_rng(2).random(len(triangles)) < share
    write_obj(root / "ann" / "a.obj", y_up(vertices), np.where(flipped[:, None], triangles[:, ::-1], triangles))
    mixed = load(reader(root), "normals")
    assert mixed.shape == plain.shape
    assert ((mixed * plain).sum(axis=1) > 0).mean() > 0.999


def test_a_file_is_read_once_for_all_its_arrays(one, monkeypatch):
    calls = []
    read = MeshFolder.read
    monkeypatch.setattr(MeshFolder, "read", lambda self, path: calls.append(path) or read(self, path))
    meshes = reader(one(colors=one.mesh[2]))
    sample = meshes.sample(next(meshes.scan()))
    assert len({len(sample.arrays[name]) for name in ("points", "normals", "point_colors")}) == 1
    assert len(calls) == 1
    one(lambda points: points + 1)  # the file changes
    meshes.load(next(meshes.scan()), "points")
    reader(one.root, n_points=10).load(next(meshes.scan()), "points")
    assert len(calls) == 3


def test_textures_are_left_alone_and_not_reads_are_listed(one):
    root = one()
    for name in ("a.png", "a.mtl", "a.jpg", "notes.doc"):
        (root / "ann" / name).write_bytes(b"x")
    assert [source.problem for source in reader(root).scan()] == [None]
    (root / "ann" / "b.fbx").write_bytes(b"x")
    (root / "ann" / "c.landmarks.json").write_text("{}")
    (root / "ann" / "d.obj").symlink_to("gone")
    (root / "e.obj").write_bytes(b"x")
    shutil.copy(root / "ann" / "a.obj", root / "ann" / "a.ply")
    problems = {source.capture: source.problem[0] for source in reader(root).scan() if source.problem}
    assert problems == {
        "b.fbx": "other_format", "c": "no_scan", "d.obj": "unreadable", "e.obj": "name_not_matched",
        "a.ply": "same_name",
    }  # fmt: skip


def test_a_pattern_gives_person_and_tags(tmp_path):
    (tmp_path / "s1").mkdir()
    vertices, triangles, _ = scan_mesh(face_scan(0, 0, ROWS))
    write_stl(tmp_path / "s1" / "ann_smile.stl", y_up(vertices), triangles)
    meshes = reader(tmp_path, pattern="{session}/{identity}_{expression}.stl")
    (source,) = meshes.scan()
    assert (source.person, source.tags) == ("ann", {"session": "s1", "expression": "smile"})
    assert set(meshes.declared_tags()) == {"session", "expression"}


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("", "unreadable", "byte 0: the file is empty"),
        ("v 0 0 0\nv 1 0 0\n", "no_surface", "holds 2 vertices and no face"),
        ("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "no_surface", "its faces have no area"),
        ("v 0 0 0\nv 1 0 0\nv nan 1 0\nf 1 2 3\n", "no_surface", "its faces have no area"),
        ("v 0 0 0\nv 1e200 0 0\nv 1 1 0\nf 1 2 3\n", "unreadable", "a coordinate is 1e.200: damaged"),
        ("v 0 0 0\nv 1e20 0 0\nv 1 1 0\nf 1 2 3\n", "unreadable", "damaged, or has another unit"),
        ("v 0 0 0\nv 1 0 0\nv 1 1 zero\nf 1 2 3\n", "unreadable", "line 3: 'zero' is not a number"),
        ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", "wrong_units", "set units"),
    ],
)
def test_bad_files_have_a_reason(tmp_path, text, reason, said):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.obj").write_text(text)
    meshes = reader(tmp_path)
    for array in ("points", "normals"):
        with pytest.raises(Unreadable, match=f"{reason}: .*{said}"):
            meshes.sample(next(meshes.scan())).arrays[array]


def test_what_a_scanner_did_not_see_is_left_out(one):
    def blind(points):
        points = points.copy()
        points[::7] = np.nan
        return points

    meshes = reader(one(blind, landmarks=False), points_from="vertices")
    points = meshes.load(next(meshes.scan()), "points")
    assert np.isfinite(points).all()
    assert 0 < len(points) < len(one.mesh[0])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no capture in .*: expected files named <person>/<capture>\.obj"):
        list(reader(tmp_path).scan())


@pytest.mark.slow
@pytest.mark.parametrize("points_from", ["surface", "vertices"])
@pytest.mark.parametrize("wound", [1, -1])
def test_what_the_skin_hides_is_no_point(one, points_from, wound):
    vertices, triangles, _ = one.mesh
    middle = vertices.mean(axis=0)
    wall = (vertices - middle) * [0.7, 0.7, 1] + middle + [0, 0, 12]
    write_obj(one.root / "ann" / "a.obj", y_up(np.concatenate([vertices, wall])),
              np.concatenate([triangles, triangles[:, ::wound] + len(vertices)]))  # fmt: skip
    options = {"points_from": points_from, "n_points": 5000}
    skin = np.asarray(load(reader(one.root, **options), "points"))
    if points_from == "surface":
        assert len(skin) == 5000, "as many as asked for, for all that is hidden"
    spread = cKDTree(sample_surface(vertices.astype(float), triangles, 200_000).points)
    assert (spread.query(skin)[0] < 1.5).mean() > 0.97
    everything = load(reader(one.root, surface="all", **options), "points")
    assert (spread.query(everything)[0] > 3).mean() > 0.2
    normals = load(reader(one.root, **options), "normals")
    assert normals[:, 2].mean() < -0.6, "towards the camera"


def test_an_open_scan_loses_nothing(one):
    root = one()
    some = load(reader(root, points_from="vertices"), "points")
    every = load(reader(root, points_from="vertices", surface="all"), "points")
    assert len(some) > 0.99 * len(every)


def load(meshes, name):
    (source,) = meshes.scan()
    return meshes.load(source, name)


def test_two_people_in_one_file_are_remarked(one):
    root = one(landmarks=False)
    vertices, triangles, _ = one.mesh
    beside = vertices + np.array([2 * np.ptp(vertices[:, 0]), 0, 0])
    pair = np.concatenate([vertices, beside]), np.concatenate([triangles, triangles + len(vertices)])
    heard = {}
    for name, mesh in (("one", (vertices, triangles)), ("two", pair)):
        write_obj(root / "ann" / "a.obj", y_up(mesh[0]), mesh[1])
        with remarks_into(heard.setdefault(name, [])):
            load(reader(root), "points")
    assert heard["one"] == []
    assert heard["two"] == [
        "a.obj: two separate pieces of a head's size are next to each other, and both are kept: crop to one"
    ]

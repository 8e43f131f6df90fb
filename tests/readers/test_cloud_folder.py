"""Reader `cloud_folder`."""

import numpy as np
import pytest
from scans import face_scan
from write_clouds import CLOUD_WRITERS, cloud_normals, write_clouds, write_text
from write_meshes import y_up

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.cloud_folder import CloudFolder
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation


def reader(root, **options) -> CloudFolder:
    return build(CloudFolder, {"root": root, **options}, "source 'x'")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return write_clouds(tmp_path_factory.mktemp("clouds"))


@pytest.mark.slow
def test_every_format_is_read_exactly(collection):
    clouds = reader(collection)
    sources = list(clouds.scan())
    assert len(sources) == len(CLOUD_WRITERS) == 14
    for number, source in enumerate(sources):
        scan = face_scan(number // 7, int(source.capture[:2]), 24)
        points = clouds.load(source, "points")
        assert points.dtype == np.float32
        assert np.array_equal(points, scan.points)
        assert np.array_equal(clouds.load(source, "landmarks_3d"), scan.landmarks_3d)
        check_orientation(points, scan.landmarks_3d)
        if "normals" in source.arrays:
            np.testing.assert_allclose(clouds.load(source, "normals"), y_up(cloud_normals(scan)), atol=1e-6)
        if "point_colors" in source.arrays:
            assert np.array_equal(clouds.load(source, "point_colors"), scan.point_colors)


@pytest.mark.slow
def test_what_each_format_holds(collection):
    given = {source.files["scan"].name: source.arrays[1:-1] for source in reader(collection).scan()}
    colors, normals = ("point_colors",), ("normals",)
    assert given == {
        "00.ply": colors, "01_big.ply": colors, "02_text.ply": colors, "03_text.pcd": normals + colors,
        "04.pcd": normals + colors, "05_packed.pcd": normals + colors, "06.xyz": normals,
        "00.txt": colors, "01.csv": (), "02.pts": colors, "03.npy": (), "04.npz": normals, "05.bc": (),
        "06.bcnc": ("normals", "curvature"),
    }  # fmt: skip


@pytest.mark.slow
def test_it_keeps_the_contract(collection):
    check_reader(reader(collection))


@pytest.fixture
def one(tmp_path):
    (tmp_path / "ann").mkdir()
    return tmp_path


def test_columns_are_what_is_said(one):
    scan = face_scan(0, 0, 24)
    points = y_up(scan.points)
    write_text(one / "ann" / "a.txt", np.hstack([np.arange(len(points))[:, None], points, scan.point_colors]), ",")
    clouds = reader(one, columns=["-", "x", "y", "z", "r", "g", "b"])
    source = next(clouds.scan())
    assert source.arrays == ("points", "point_colors")
    assert np.array_equal(clouds.load(source, "points"), scan.points)
    assert np.array_equal(clouds.load(source, "point_colors"), scan.point_colors)


@pytest.mark.parametrize(
    ("columns", "said"),
    [(["x", "y"], "x, y and z must be there"), (["x", "y", "z", "x"], "nothing twice"), (["x", "q"], "'q'")],
)
def test_columns_that_make_no_sense_are_refused(one, columns, said):
    with pytest.raises(UserError, match=said):
        reader(one, columns=columns)


def test_the_array_of_npz_is_chosen(one):
    points = y_up(face_scan(0, 0, 24).points)
    np.savez(one / "ann" / "a.npz", before=points[:10], after=points)
    with pytest.raises(Unreadable, match=r"no_key: .*set key"):
        reader(one).load(next(reader(one).scan()), "points")
    clouds = reader(one, key="after")
    assert len(clouds.load(next(clouds.scan()), "points")) == len(points)


@pytest.mark.parametrize(
    ("name", "data", "reason", "said"),
    [
        ("a.xyz", b"", "unreadable", "byte 0: the file is empty"),
        ("a.xyz", b"1 2 3\n4 5\n", "unreadable", "line 2: 2 numbers"),
        ("a.xyz", b"1 2 3 4 5\n", "unknown_columns", "has 5 columns"),
        ("a.xyz", b"1 2 3\n4 5 6\n7 9 9\n", "wrong_units", "set units"),
        ("a.bc", b"12345", "unreadable", "byte 0: 5 bytes are not points"),
        ("a.ply", b"ply\n", "unreadable", "the header has no end"),
        ("a.npz", b"PK", "unreadable", "not a .npz file"),
    ],
)
def test_bad_files_have_a_reason(one, name, data, reason, said):
    (one / "ann" / name).write_bytes(data)
    clouds = reader(one)
    with pytest.raises(Unreadable, match=f"{reason}: .*{said}"):
        clouds.sample(next(clouds.scan())).arrays["points"]


def test_metres_are_refused_for_the_whole_collection(one):
    for number in range(3):
        write_text(one / "ann" / f"{number}.xyz", y_up(face_scan(0, 0, 24).points) / 1000)
    clouds = reader(one)
    with pytest.raises(UserError, match=r"these look like metres: set units: m .* \(3 of 3 captures checked\)"):
        clouds.survey(list(clouds.scan()))
    metres = reader(one, units="m")
    metres.survey(list(metres.scan()))
    np.testing.assert_allclose(metres.load(next(metres.scan()), "points"), face_scan(0, 0, 24).points, atol=1e-4)


def test_photographs_beside_clouds_are_left_alone_and_not_reads_listed(one):
    write_text(one / "ann" / "a.xyz", y_up(face_scan(0, 0, 24).points))
    for name in ("a.png", "a.jpg", "b.las"):
        (one / "ann" / name).write_bytes(b"x")
    assert [(s.capture, s.problem and s.problem[0]) for s in reader(one).scan()] == [
        ("a", None),
        ("b.las", "other_format"),
    ]


@pytest.mark.parametrize("ending", ["ply", "pcd", "npy", "xyz"])
def test_several_points_at_zero_are_holes_and_one_is_a_point(one, ending):
    points = face_scan(0, 0).points - face_scan(0, 0).landmarks_3d[2]
    for name, zeros, left in (("holes", 300, 0), ("point", 1, 1)):
        path = one / "ann" / f"{name}.{ending}"
        write_points(path, np.concatenate([points, np.zeros((zeros, 3), np.float32)]))
        source = next(source for source in reader(one, up="-y").scan() if source.files["scan"] == path)
        loaded = reader(one, up="-y").load(source, "points")
        assert len(loaded) == len(points) + left
        assert np.count_nonzero(~loaded.any(axis=1)) == left


def write_points(path, points):
    if path.suffix == ".npy":
        np.save(path, points)
    elif path.suffix == ".xyz":
        np.savetxt(path, points)
    else:
        rows = "\n".join(" ".join(map(str, row)) for row in points.tolist())
        n = len(points)
        columns = "".join(f"property float {axis}\n" for axis in "xyz")
        ply = f"ply\nformat ascii 1.0\nelement vertex {n}\n{columns}end_header\n"
        pcd = (
            "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
            f"WIDTH {n}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA ascii\n"
        )
        path.write_text((ply if path.suffix == ".ply" else pcd) + rows + "\n")

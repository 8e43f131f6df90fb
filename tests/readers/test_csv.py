"""Reader `csv`."""

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_csv
from scans import face_scan
from write_csv import write_csv_collection, write_list

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.reader import source_key
from face3d_data.readers.csv import CsvReader
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation
from face3d_data.testing.write import write_image
from face3d_data.unchanged import read_state


@pytest.fixture
def rows(tmp_path):
    return write_csv_collection(tmp_path, people=2, captures=3, rows=40)


def reader(root, **options) -> CsvReader:
    return build(CsvReader, {"file": root / "faces.csv", **options}, "source 'x'")


def rewritten(root, rows, **options) -> CsvReader:
    write_list(root / "faces.csv", rows)
    return reader(root, **options)


def by_name(found):
    return {f"{source.person}/{source.capture}": source for source in found}


def problems(found):
    return {source.capture: source.problem for source in found if source.problem}


@pytest.mark.slow
def test_it_keeps_the_contract(tmp_path):
    tiny_csv.write(tmp_path)
    assert len(check_reader(tiny_csv.reader(tmp_path))) == 6


@pytest.mark.slow
def test_people_captures_tags_and_arrays_are_those_of_the_lines(tmp_path, rows):
    found = by_name(reader(tmp_path).scan())
    assert list(found) == ["p0/c0", "p0/c1", "p0/c2", "p1/c0", "p1/c1", "p1/c2"]
    assert found["p0/c0"].arrays == ("color", "depth", "intrinsics", "landmarks")
    assert found["p0/c1"].arrays == ("grid", "grid_color", "landmarks_3d")
    assert found["p0/c2"].arrays == ("points", "landmarks_3d")
    assert found["p1/c1"].tags == {"session": 2, "expression": "neutral", "mask": "worn"}
    assert reader(tmp_path).declared_tags() == ("session", "expression")


def test_arrays_are_exact(tmp_path, rows):
    csv, found = reader(tmp_path), by_name(reader(tmp_path).scan())
    scan = face_scan(1, 0, 40)
    assert np.array_equal(csv.load(found["p1/c0"], "color"), scan.color)
    assert np.array_equal(csv.load(found["p1/c0"], "intrinsics"), scan.intrinsics)
    assert np.array_equal(csv.load(found["p1/c0"], "landmarks"), scan.landmarks)
    units = np.round(scan.depth / 0.1).astype(np.uint16)
    assert np.array_equal(csv.load(found["p1/c0"], "depth"), units * np.float32(0.1))
    scan = face_scan(1, 1, 40)
    assert np.array_equal(csv.load(found["p1/c1"], "grid"), scan.grid, equal_nan=True)
    assert np.array_equal(csv.load(found["p1/c1"], "grid_color"), scan.color)
    scan = face_scan(1, 2, 40)
    assert np.array_equal(csv.load(found["p1/c2"], "points"), scan.points)
    assert np.array_equal(csv.load(found["p1/c2"], "landmarks_3d"), scan.landmarks_3d)
    check_orientation(csv.load(found["p1/c2"], "points"), csv.load(found["p1/c2"], "landmarks_3d"))


def test_a_tag_changed_keeps_the_key_and_a_camera_changed_does_not(tmp_path, rows):
    def keys(csv):
        return [source_key(csv.fingerprint(), source.hashed(read_state)) for source in csv.scan()]

    before = keys(reader(tmp_path))
    assert len(set(before)) == 6
    rows[0] |= {"expression": "smile", "session": 9}
    assert keys(rewritten(tmp_path, rows)) == before
    changed = keys(rewritten(tmp_path, [rows[0] | {"fx": float(rows[0]["fx"]) + 1}, *rows[1:]]))
    assert changed[0] != before[0]
    assert changed[1:] == before[1:]
    changed = keys(rewritten(tmp_path, [rows[0], rows[1] | {"nose_x": "1.5"}, *rows[2:]]))
    assert [a == b for a, b in zip(changed, before, strict=True)] == [True, False, True, True, True, True]


def test_lines_before_and_options_that_only_place_change_no_key(tmp_path, rows):
    before = [csv_source.record for csv_source in reader(tmp_path).scan()]
    csv = rewritten(tmp_path, rows[::-1], tag_columns=("expression",))
    assert [source.record for source in csv.scan()] == before[::-1]
    assert csv.fingerprint() == reader(tmp_path).fingerprint()
    assert reader(tmp_path, units="cm").fingerprint() != csv.fingerprint()


def test_columns_with_other_names_are_mapped(tmp_path, rows):
    old = rows[0]
    row = {"path": old["color"], "subject": "ann", "Head pose": "left", "id": 4, "masked": "yes"}
    mapping = {"color": "path", "identity": "subject", "pose": "Head pose", "mask": "masked"}
    csv = rewritten(tmp_path, [row], columns=mapping, tag_columns=["pose"])
    (source,) = csv.scan()
    assert (source.person, source.capture) == ("ann", "files_p0_c0_rgb")
    assert source.tags == {"pose": "left", "mask": "worn"}
    assert csv.provides() == ("color",)
    with pytest.raises(UserError, match="column 'id' cannot be a tag"):
        rewritten(tmp_path, [row], columns=mapping).declared_tags()


def test_the_capture_is_made_from_the_path(tmp_path, rows, monkeypatch):
    (tmp_path / "ann" / "day1").mkdir(parents=True)
    color = face_scan(0, 0, 40).color
    for name in ("ann/day1/03.png", "ann.png"):
        write_image(tmp_path / name, color)
    (tmp_path / "lists").mkdir()
    named = ["ann/day1/03.png", f"../{tmp_path.name}/ann.png", str(tmp_path / "ann.png")]
    csv = rewritten(tmp_path, [{"identity": "ann", "color": name} for name in named])
    first, second, third = csv.scan()
    assert first.capture == "day1_03"
    assert second.capture == f"{tmp_path.name}_ann"
    assert third.capture == "ann", "as on any machine"
    monkeypatch.chdir(tmp_path)
    here = build(CsvReader, {"file": Path("faces.csv")}, "x")
    assert [source.capture for source in here.scan()][2] == "ann", "from any folder"
    write_list(tmp_path / "lists" / "faces.csv", [{"identity": "ann", "color": named[2]}])
    (elsewhere,) = reader(tmp_path / "lists").scan()
    assert elsewhere.capture == str(tmp_path / "ann").strip("/").replace("/", "_")


def test_left_is_left_in_the_image_also_where_the_list_says_the_persons_left(tmp_path, rows):
    def other_side(name):
        for a, b in (("left_eye", "right_eye"), ("mouth_left", "mouth_right")):
            if name.startswith((a, b)):
                return name.replace(a, b) if name.startswith(a) else name.replace(b, a)
        return name

    def landmarks(csv, source):
        return csv.load(source, "landmarks" if "landmarks" in source.arrays else "landmarks_3d")

    given = {name: landmarks(reader(tmp_path), source) for name, source in by_name(reader(tmp_path).scan()).items()}
    swapped = rewritten(tmp_path, [{other_side(name): value for name, value in row.items()} for row in rows])
    for name, source in by_name(swapped.scan()).items():
        assert np.array_equal(landmarks(swapped, source), given[name])
    assert len(given) == 6


def test_colour_is_turned_by_exif_unless_depth_lies_under_it(tmp_path, rows):
    jpeg = cv2.imencode(".jpg", np.zeros((16, 32, 3), np.uint8))[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x112, 3, 1, 6, 0) + b"\0" * 4
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    write_image(tmp_path / "a.png", np.full((16, 32), 700, np.uint16))
    row = {"identity": "ann", "color": "a.jpg", "depth_scale": "0.001"}
    csv = rewritten(tmp_path, [row | {"capture": "alone"}, row | {"capture": "both", "depth": "a.png"}])
    alone, both = csv.scan()
    assert csv.load(alone, "color").shape == (32, 16, 3)
    csv.inspect(both)
    assert csv.load(both, "color").shape[:2] == csv.load(both, "depth").shape == (16, 32)


def test_paths_are_relative_to_root(tmp_path, rows):
    moved = tmp_path / "lists" / "faces.csv"
    write_list(moved, rows)
    csv = build(CsvReader, {"file": moved, "root": tmp_path}, "x")
    assert not problems(csv.scan())
    assert all(
        problem[0] == "missing_file" for problem in problems(build(CsvReader, {"file": moved}, "x").scan()).values()
    )


def test_landmarks_come_from_a_json_file_too(tmp_path, rows):
    points = {
        name: [1.0 + i, 2] for i, name in enumerate(("left_eye", "right_eye", "nose", "mouth_left", "mouth_right"))
    }
    (tmp_path / "one.json").write_text(json.dumps({"landmarks_px": points}))
    (tmp_path / "many.json").write_text(json.dumps({"c0": {"landmarks_px": points}, "c0_rgb": {}, "c9": 3}))
    plain = {key: value for key, value in rows[0].items() if key[-2:] not in ("_x", "_y")}
    for name in ("one.json", "many.json"):
        csv = rewritten(tmp_path, [plain | {"landmarks": name}])
        (source,) = csv.scan()
        assert csv.load(source, "landmarks").tolist() == [[1 + i, 2] for i in range(5)]
    (source,) = rewritten(tmp_path, [plain | {"landmarks": "many.json", "capture": "x"}]).scan()
    assert "landmarks" not in source.arrays
    for capture, file, said in [("c9", "many.json", "is not an object"), ("c0", "faces.csv", "not valid JSON")]:
        (source,) = rewritten(tmp_path, [plain | {"landmarks": file, "capture": capture}]).scan()
        assert source.problem[0] == "bad_landmarks"
        assert said in source.problem[1]


def test_landmarks_that_are_not_all_there(tmp_path, rows):
    def without(row, *names):
        return row | {f"{name}_{axis}": "" for name in names for axis in "xyz" if f"{name}_{axis}" in row}

    csv = rewritten(
        tmp_path,
        [without(rows[0], "nose"), without(rows[1], "nose"), without(rows[2], "nose", "left_eye", "mouth_left")],
    )
    flat, grid, few = csv.scan()
    assert "landmarks" not in flat.arrays
    assert np.isnan(csv.load(grid, "landmarks_3d")).any(axis=1).tolist() == [False, False, True, False, False]
    assert few.arrays == ("points",)


def test_the_camera_may_be_a_file(tmp_path, rows):
    camera = {"fx": 100, "fy": 101, "cx": 20, "cy": 21, "depth_scale": 0.001}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    plain = {key: value for key, value in rows[0].items() if key not in camera}
    for cells, options in (({"intrinsics": "camera.json"}, {}), ({}, {"intrinsics": tmp_path / "camera.json"})):
        csv = rewritten(tmp_path, [plain | cells], **options)
        (source,) = csv.scan()
        assert csv.load(source, "intrinsics").tolist() == [100, 101, 20, 21]
        assert csv.load(source, "depth").max() > 3000  # tenths of a millimetre, said to be millimetres
        assert csv.provides() == ("color", "depth", "intrinsics", "distortion", "landmarks")
    (source,) = rewritten(tmp_path, [plain | {"depth_scale": "0.0001"}]).scan()
    assert "intrinsics" not in source.arrays
    with pytest.raises(UserError, match=r"gone\.json: cannot be read"):
        list(rewritten(tmp_path, [plain], intrinsics=tmp_path / "gone.json").scan())


def test_files_that_do_not_go_together_are_refused(tmp_path, rows):
    other = face_scan(0, 1, 24)
    write_image(tmp_path / "other.png", other.color)
    write_image(tmp_path / "flat.png", np.zeros((40, 30), np.uint8))
    np.save(tmp_path / "flat.npy", np.zeros((9, 9), np.float32))
    (tmp_path / "notes.doc").write_text("x")
    written = [
        rows[0] | {"capture": "a", "color": "other.png"},
        rows[0] | {"capture": "b", "depth": "flat.png"},
        rows[0] | {"capture": "c", "depth": "other.png"},
        rows[1] | {"capture": "d", "grid_color": "other.png"},
        rows[1] | {"capture": "e", "grid": "flat.npy"},
        rows[2] | {"capture": "f", "points": "notes.doc"},
    ]
    csv = rewritten(tmp_path, written)
    reasons = []
    for source in csv.scan():
        with pytest.raises(Unreadable) as error:
            csv.inspect(source)
        reasons.append(error.value.reason)
    assert reasons == ["size_mismatch", "depth_8bit", "depth_8bit", "size_mismatch", "unreadable", "unreadable"]


def test_depth_may_be_an_npy_file(tmp_path, rows):
    scan = face_scan(0, 0, 40)
    np.save(tmp_path / "d.npy", scan.depth / np.float32(1000))
    camera = {"cx": "19.5", "cy": "19.5"}
    csv = rewritten(tmp_path, [rows[0] | camera | {"depth": "d.npy", "depth_scale": "0.1"}])
    (source,) = csv.scan()
    csv.inspect(source)
    np.testing.assert_allclose(csv.load(source, "depth"), scan.depth / 10, rtol=1e-6)


def test_another_unit_is_refused_until_it_is_set(tmp_path, rows):
    points = np.load(tmp_path / "files/p0/c2.npy")
    np.save(tmp_path / "metres.npy", points / 1000)
    csv = rewritten(tmp_path, [{"identity": "p", "points": "metres.npy"}])
    (source,) = csv.scan()
    with pytest.raises(Unreadable, match="these look like metres: set units: m"):
        csv.load(source, "points")
    with pytest.raises(UserError, match="these look like metres: set units: m"):
        csv.survey([source])
    csv = reader(tmp_path, units="m", up="-y")
    np.testing.assert_allclose(csv.load(source, "points"), points, rtol=1e-5)
    csv.survey([source])


def test_faces_upside_down_are_refused_with_what_to_set(tmp_path, rows):
    wrong = reader(tmp_path, up="-y")
    grid, points = (by_name(wrong.scan())[name] for name in ("p0/c1", "p0/c2"))
    with pytest.raises(Unreadable, match=r"wrong_axes: c1_grid\.npy: y goes up along the rows: set up: y, or store"):
        wrong.load(grid, "grid")
    for name in ("points", "landmarks_3d"):
        with pytest.raises(
            Unreadable, match=r"wrong_axes: landmarks of c2\.npy: the eyes are below the mouth: set up: y"
        ):
            wrong.load(points, name)
    with pytest.raises(UserError, match=r"csv: .*set up: y.* \(2 of 2 captures checked\)"):
        wrong.survey([grid, points])
    reader(tmp_path).survey([grid, points])


def test_grids_that_are_mirrored_are_refused(tmp_path, rows):
    grid = np.load(tmp_path / "files" / "p0" / "c1_grid.npy")
    np.save(tmp_path / "mirrored.npy", grid[:, ::-1])
    np.save(tmp_path / "upside_down.npy", grid[::-1])
    csv = rewritten(tmp_path, [{"identity": "ann", "grid": f"{name}.npy"} for name in ("mirrored", "upside_down")])
    for source, said in zip(csv.scan(), ("it is mirrored", "store the upper row first"), strict=True):
        with pytest.raises(Unreadable, match=said):
            csv.load(source, "grid")


@pytest.mark.parametrize("ending", [".obj", ".off", ".ply", ".xyz", ".txt", ".npz", ".bc"])
def test_clouds_and_meshes_of_other_formats_give_the_same_points(tmp_path, rows, ending):
    points = np.load(tmp_path / "files/p0/c2.npy")
    path = tmp_path / f"other{ending}"
    lines = [f"{x!r} {y!r} {z!r}\n" for x, y, z in points.tolist()]
    if ending == ".obj":
        path.write_text("".join(f"v {line}" for line in lines) + "f 1 2 3\n")
    elif ending == ".off":
        path.write_text(f"OFF\n{len(points)} 1 0\n" + "".join(lines) + "3 0 1 2\n")
    elif ending == ".ply":
        names = "".join(f"property double {axis}\n" for axis in "xyz")
        head = f"ply\nformat ascii 1.0\nelement vertex {len(points)}\n{names}end_header\n"
        path.write_text(head + "".join(lines))
    elif ending == ".npz":
        np.savez(path, points=points)
    elif ending == ".bc":
        path.write_bytes(np.ascontiguousarray(points.T, "<f4").tobytes())
    else:
        path.write_text("".join(lines))
    csv = rewritten(tmp_path, [rows[2] | {"points": path.name}])
    (source,) = csv.scan()
    csv.inspect(source)
    assert np.array_equal(csv.load(source, "points"), face_scan(0, 2, 40).points)


def test_holes_written_as_zeros_become_no_points_at_the_camera(tmp_path, rows):
    points = face_scan(0, 2, 40).points * np.array([1, -1, -1], np.float32)
    np.save(tmp_path / "holes.npy", np.vstack([np.zeros((50, 3), np.float32), points]))
    np.save(tmp_path / "one.npy", np.vstack([np.zeros((1, 3), np.float32), points]))
    csv = rewritten(tmp_path, [{"identity": "ann", "points": name} for name in ("holes.npy", "one.npy")])
    holes, one = (csv.load(source, "points") for source in csv.scan())
    assert np.array_equal(holes, face_scan(0, 2, 40).points)
    assert len(one) == len(points) + 1


def test_points_that_cannot_be_used_have_a_reason(tmp_path, rows):
    texts = {
        "a.off": "OFF\n1 0 0\n1 2 3\n",
        "b.txt": "1 2 3 4\n",
        "c.xyz": "",
        "d.xyz": "1e300 0 0\n0 1 0\n",
        "e.xyz": "x",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    csv = rewritten(tmp_path, [{"identity": "ann", "points": name} for name in texts])
    reasons = []
    for source in csv.scan():
        with pytest.raises(Unreadable) as error:
            csv.sample(source).arrays["points"]
        reasons.append(error.value.reason)
    assert reasons == ["no_surface", "unknown_columns", "unreadable", "unreadable", "unreadable"]


def test_one_json_file_may_hold_camera_and_landmarks(tmp_path, rows):
    points = {name: [1, 2] for name in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")}
    camera = {"fx": 100, "fy": 101, "cx": 20, "cy": 21, "depth_scale": 0.001}
    (tmp_path / "both.json").write_text(json.dumps({**camera, "landmarks_px": points}))
    row = {key: rows[0][key] for key in ("identity", "color", "depth")}
    (source,) = rewritten(tmp_path, [row | {"intrinsics": "both.json", "landmarks": "both.json"}]).scan()
    assert source.arrays == ("color", "depth", "intrinsics", "landmarks")

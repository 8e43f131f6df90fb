"""Reader `bu3dfe`, on a tree written from the database's description."""

import numpy as np
import pytest
from scans import face_scan, scan_mesh
from write_bu3dfe import CODES, PEOPLE, eighty_three, write_bu3dfe

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.bu3dfe import Bu3dfe
from face3d_data.readers.shared.bu3dfe_landmarks import EYES, MOUTH, five_of_83
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation

ROWS = 48


def reader(root, **options) -> Bu3dfe:
    return build(Bu3dfe, {"root": root, **options}, "source 'x'")


@pytest.fixture
def root(tmp_path):
    return write_bu3dfe(tmp_path, people=2, codes=CODES, rows=ROWS)


def scan_of(source):
    person = [name for name, _ in PEOPLE].index(source.person)
    return face_scan(person, CODES.index(source.capture[:4]), ROWS)


@pytest.mark.slow
def test_names_say_people_expressions_and_levels(root):
    sources = list(reader(root).scan())
    assert not any(source.problem for source in sources)
    assert [(source.person, source.capture) for source in sources][:4] == [
        ("F0001", "AN01WH_F3D"),
        ("F0001", "HA04WH_F3D"),
        ("F0001", "NE00WH_F3D"),
        ("F0001", "SU02WH_F3D"),
    ]
    assert sources[1].tags == {
        "expression": "happy", "level": 4, "ethnicity": "white", "sex": "female", "category": "HA", "code": "HA04WH",
    }  # fmt: skip
    assert {source.tags["sex"] for source in sources if source.person == "M0002"} == {"male"}


def test_points_are_exact_and_landmarks_right(root):
    faces = reader(root)
    for source in faces.scan():
        scan = scan_of(source)
        vertices, triangles, _ = scan_mesh(scan)
        points, landmarks = faces.load(source, "points"), faces.load(source, "landmarks_3d")
        assert np.array_equal(points, vertices[np.unique(triangles)])
        assert np.linalg.norm(landmarks - scan.landmarks_3d, axis=1).max() < 6  # written at the nearest vertex
        check_orientation(points, landmarks)
        assert faces.load(source, "normals")[:, 2].mean() < -0.5


def test_surfaces_may_be_sampled(root):
    faces = reader(root, points_from="surface", n_points=1234)
    source = next(faces.scan())
    assert len(faces.load(source, "points")) == len(faces.load(source, "normals")) == 1234
    assert faces.fingerprint() != reader(root).fingerprint()


@pytest.mark.parametrize(
    ("options", "captures"),
    [
        ({"expressions": ["neutral"]}, {"NE00"}),
        ({"expressions": ["happy", "anger"]}, {"HA04", "AN01"}),
        ({"levels": [1, 2]}, {"AN01", "SU02"}),
        ({"levels": [0, 4], "expressions": ["happy"]}, {"HA04"}),
        ({"model": "RAW"}, set(CODES)),
    ],
)
def test_filters_select(root, options, captures):
    sources = list(reader(root, **options).scan())
    assert {source.capture[:4] for source in sources} == captures
    assert {source.capture.rpartition("_")[2] for source in sources} == {options.get("model", "F3D")}
    assert ("landmarks_3d" in sources[0].arrays) == ("model" not in options)
    assert reader(root, **options).fingerprint() == reader(root).fingerprint()


def test_filters_that_do_not_exist_are_named(root):
    with pytest.raises(UserError, match=r"expressions.*'neutral', 'anger', 'disgust'"):
        reader(root, expressions=["contempt"])
    with pytest.raises(UserError, match="levels"):
        reader(root, levels=[5])
    with pytest.raises(UserError, match=r"no mesh in .* is selected: see model, expressions, levels"):
        list(reader(root, expressions=["fear"]).scan())


def test_it_keeps_the_contract(root):
    check_reader(reader(root))


def test_names_and_twins_that_do_not_fit_are_listed(root):
    folder = root / "F0001"
    (folder / "F0001_HA04WH_F3D.wrl").unlink()
    (folder / "F0001_HAPPY_F3D.wrl").write_text("x")
    (folder / "F0001_SU02WH_F3D.bnd").unlink()
    (root / "copy").mkdir()
    (root / "copy" / "F0001_NE00WH_F3D.wrl").write_text("x")
    found = {source.capture: source for source in reader(root).scan()}
    assert found["HA04WH_F3D"].problem[0] == "no_mesh"
    assert found["F0001_HAPPY_F3D.wrl"].problem[0] == "name_not_matched"
    assert found["NE00WH_F3D"].problem[0] == "same_name"
    assert found["SU02WH_F3D"].arrays == ("points", "normals")
    check_reader(reader(root))


def spoil_bnd(root, change):
    """Change the lines of one .bnd, and return what loading its landmarks raises."""
    path = root / "F0001" / "F0001_NE00WH_F3D.bnd"
    path.write_text("\n".join(change(path.read_text().split("\n"))))
    faces = reader(root, expressions=["neutral"])
    with pytest.raises(Unreadable) as caught:
        faces.load(next(faces.scan()), "landmarks_3d")
    assert faces.load(next(faces.scan()), "points").shape[1] == 3
    return caught.value


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:80], "80 landmarks, expected 83"),
        (lambda lines: ["9999999 0 0 0", *lines[1:]], "line 1: vertex 9999999, and the mesh has"),
        (lambda lines: [*lines[:4], "7 0 0 0", *lines[5:]], "line 5: lies .* mm from vertex 7: of another mesh"),
        (lambda lines: lines[30:83] + lines[:30], "mm wide, expected .*: in another order"),
    ],
)
def test_landmarks_that_do_not_fit_are_refused(root, change, said):
    error = spoil_bnd(root, change)
    assert error.reason == "bad_landmarks"
    with pytest.raises(Unreadable, match=said):
        raise error


def test_a_broken_mesh_is_refused_with_its_line(root):
    path = root / "F0001" / "F0001_NE00WH_F3D.wrl"
    path.write_text(path.read_text()[:5000])
    faces = reader(root, expressions=["neutral"])
    with pytest.raises(
        Unreadable, match=r"unreadable: F0001_NE00WH_F3D\.wrl: line \d+: point \[ is not closed: truncated"
    ):
        faces.load(next(faces.scan()), "points")


def test_the_nose_tip_does_not_depend_on_how_the_head_is_turned():
    scan = face_scan(1, 0, ROWS)
    vertices, _, _ = scan_mesh(scan)
    indices = eighty_three(scan, vertices)
    upright = five_of_83(indices, vertices[indices], vertices, "a.bnd")
    turn = np.deg2rad(25)
    motion = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    moved = (vertices @ motion.T).astype(np.float32)
    turned = five_of_83(indices, moved[indices], moved, "a.bnd")
    np.testing.assert_allclose(turned, upright @ motion.T, atol=1e-3)
    assert np.linalg.norm(upright[2] - scan.landmarks_3d[2]) < 6


def test_without_a_nose_its_tip_is_unknown():
    scan = face_scan(1, 0, ROWS)
    vertices, _, _ = scan_mesh(scan)
    indices = eighty_three(scan, vertices)
    used = vertices[indices]
    flat = vertices.copy()
    flat[:, 2] = 500.0
    flat[indices] = np.column_stack([used[:, :2], np.full(83, 500.0)])
    found = five_of_83(indices, flat[indices], flat, "a.bnd")
    assert np.isfinite(found).all(1).tolist() == [True, True, False, True, True]


def test_the_places_are_those_that_are_published():
    # Deep-MVLM's list counts from 1: inner and outer corners of the eyes 1, 5, 9, 13; of the mouth 49, 55.
    assert [place + 1 for pair in EYES for place in pair] == [1, 5, 9, 13]
    assert [place + 1 for place in MOUTH] == [49, 55]

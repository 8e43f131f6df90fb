"""Reader `texas3dfrd`: names, depth from greys, landmarks from fiducial points, and broken captures."""

import numpy as np
import pytest
import tiny_texas3dfrd
from write_texas3dfrd import texas_capture, write_texas3dfrd

from face3d_data.errors import Unreadable
from face3d_data.readers.texas3dfrd import Texas3dfrd
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation
from face3d_data.testing.write import write_image

EVERY_ARRAY = ("grid", "grid_color", "color", "landmarks", "landmarks_3d")
FIRST = "Clean_0001_001_20050913115001"


@pytest.fixture
def root(tmp_path):
    tiny_texas3dfrd.write(tmp_path)
    return tmp_path


def reader(root, **options):
    return Texas3dfrd(root=root, **{"mm_per_px": tiny_texas3dfrd.PX_MM, **options})


def found(root, **options):
    return {f"{s.person}/{s.capture}": s for s in reader(root, **options).scan()}


def problems(root):
    return {name: source.problem[0] for name, source in found(root).items() if source.problem}


@pytest.mark.slow
def test_people_captures_and_tags(root):
    got = {name: (dict(source.tags), source.arrays) for name, source in found(root).items()}
    assert got == {
        f"{person:03d}/{n:04d}_200509131150{n:02d}": (
            {"lossy_depth": True, "number": n, "time": f"200509131150{n:02d}"},
            EVERY_ARRAY,
        )
        for n, person in ((1, 1), (2, 1), (3, 2), (4, 2))
    }


@pytest.mark.slow
@pytest.mark.parametrize(("n", "person", "capture"), [(1, 0, 0), (2, 0, 1), (3, 1, 0), (4, 1, 1)])
def test_points_colours_and_landmarks_are_those_that_were_written(root, n, person, capture):
    made = texas_capture(person, capture, tiny_texas3dfrd.PX_MM)
    arrays = reader(root).sample(list(reader(root).scan())[n - 1]).arrays
    grid = arrays["grid"]
    rows, columns = made.range_image.shape
    row, column = np.argwhere(made.range_image > 0)[7]
    grey = int(made.range_image[row, column])
    expected = [(column - (columns - 1) / 2) * 2, (row - (rows - 1) / 2) * 2, (255 - grey) * 0.32]
    assert grid[row, column].tolist() == np.array(expected, np.float32).tolist()
    assert np.array_equal(np.isfinite(grid[..., 0]), made.range_image > 0)
    assert np.array_equal(arrays["color"], made.portrait)
    assert np.array_equal(arrays["grid_color"], made.portrait)
    fiducials = made.fiducials
    eyes_px = [fiducials[[3, 4]].mean(0), fiducials[[7, 8]].mean(0)]
    want = np.array([*eyes_px, fiducials[18], fiducials[14], fiducials[15]])
    np.testing.assert_allclose(arrays["landmarks"], want, atol=1e-4)
    middle = (np.array([columns, rows]) - 1) / 2
    np.testing.assert_allclose(arrays["landmarks_3d"][:, :2], (want - middle) * 2, atol=1e-3)
    check_orientation(grid, arrays["landmarks_3d"])


def test_the_databases_resolution_is_the_default(root):
    assert (Texas3dfrd(root=root).mm_per_px, Texas3dfrd(root=root).mm_per_grey) == (0.32, 0.32)
    assert Texas3dfrd(root=root).fingerprint() != reader(root).fingerprint()
    grid = reader(root, mm_per_grey=1.0).load(found(root)["001/0001_20050913115001"], "grid")
    assert np.array_equal(np.unique(grid[np.isfinite(grid[..., 2]), 2] % 1), [0])


def test_the_folder_of_pictures_alone_is_a_root_too_without_landmarks(root):
    sources = list(reader(root / "PreprocessedImages").scan())
    assert {(s.person, s.arrays) for s in sources} == {("001", EVERY_ARRAY[:3]), ("002", EVERY_ARRAY[:3])}


def test_without_a_portrait_the_range_image_is_read_and_the_other_way_it_is_listed(root):
    (root / "PreprocessedImages" / f"{FIRST}_Portrait.png").unlink()
    (root / "PreprocessedImages" / "Clean_0003_002_20050913115003_Range.png").unlink()
    assert found(root)["001/0001_20050913115001"].arrays == ("grid", "landmarks", "landmarks_3d")
    assert problems(root) == {"002/0003_20050913115003": "no_range"}


def test_points_are_known_by_their_folder_too(root):
    points = root / "ManualFiducialPoints"
    (points / f"{FIRST}_Fiducial.txt").rename(points / f"{FIRST}.txt")
    assert found(root)["001/0001_20050913115001"].arrays == EVERY_ARRAY
    assert not problems(root)


def test_missing_points_leave_landmarks_out(root):
    path = root / "ManualFiducialPoints" / f"{FIRST}_Fiducial.txt"
    lines = path.read_text().splitlines()
    lines[3] = "NaN\tNaN"
    path.write_text("\n".join(lines))
    source = found(root)["001/0001_20050913115001"]
    assert source.arrays == (*EVERY_ARRAY[:3], "landmarks_3d")
    landmarks = reader(root).load(source, "landmarks_3d")
    assert np.isnan(landmarks).all(axis=1).tolist() == [True, False, False, False, False]


def test_left_is_left_in_the_image_whatever_the_lines_are_called(root):
    path = root / "ManualFiducialPoints" / f"{FIRST}_Fiducial.txt"
    texas, source = reader(root), found(root)["001/0001_20050913115001"]
    before = {name: texas.load(source, name) for name in ("landmarks", "landmarks_3d")}
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3:5], lines[7:9] = lines[7:9], lines[3:5]
    lines[14], lines[15] = lines[15], lines[14]
    path.write_bytes(b"".join(lines))
    for name, landmarks in before.items():
        assert np.array_equal(texas.load(source, name), landmarks)


def test_a_landmark_in_a_hole_takes_the_depth_of_the_px_nearest_to_it(tmp_path):
    grey = np.full((9, 9), 55, np.uint8)
    grey[2:7, 2:7] = 0
    grey[4, 2] = 155  # two px left of the middle; the others are three px away
    folder = tmp_path / "PreprocessedImages"
    folder.mkdir()
    write_image(folder / f"{FIRST}_Range.png", grey)
    (tmp_path / "ManualFiducialPoints").mkdir()
    (tmp_path / "ManualFiducialPoints" / f"{FIRST}_Fiducial.txt").write_text("4\t4\n" * 25)
    texas = Texas3dfrd(root=tmp_path)
    (source,) = texas.scan()
    assert texas.load(source, "landmarks_3d").tolist() == [[0, 0, 32]] * 5


def test_landmarks_off_the_face_have_no_depth(root):
    path = root / "ManualFiducialPoints" / f"{FIRST}_Fiducial.txt"
    path.write_text("-900\t5e5\n" * 25)
    with pytest.raises(Unreadable, match="no_depth_at_landmark"):
        reader(root).load(found(root)["001/0001_20050913115001"], "landmarks_3d")


def test_names_that_fit_nothing_are_listed(root):
    write_image(root / "PreprocessedImages" / "Clean_5_Range.png", np.zeros((2, 2), np.uint8))
    write_image(root / "PreprocessedImages" / "other.png", np.zeros((2, 2), np.uint8))
    points = root / "ManualFiducialPoints"
    (points / "Fiducial_of_nobody.txt").write_text("1\t2\n" * 25)
    (points / "Clean_0001_001_20050913115001_Fiducial_b.txt").write_text("1\t2\n" * 25)
    (points / "readme.txt").write_text("x")
    (points / "17.txt").write_text("1\t2\n" * 25)
    assert problems(root) == {
        "PreprocessedImages/Clean_5_Range.png": "name_not_matched",
        "PreprocessedImages/other.png": "name_not_matched",
        "ManualFiducialPoints/Clean_0001_001_20050913115001_Fiducial_b.txt": "name_not_matched",
        "ManualFiducialPoints/Fiducial_of_nobody.txt": "name_not_matched",
        "ManualFiducialPoints/17.txt": "name_not_matched",
    }


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((4, 4), np.uint16), "not_8_bit_grey"),
        (np.zeros((4, 4, 3), np.uint8), "not_8_bit_grey"),
        (np.full((4, 4), 9, np.uint8), "size_mismatch"),
    ],
)
def test_wrong_range_images_are_found_in_their_headers(root, pixels, reason):
    write_image(root / "PreprocessedImages" / f"{FIRST}_Range.png", pixels)
    source = found(root)["001/0001_20050913115001"]
    with pytest.raises(Unreadable) as caught:
        reader(root).inspect(source)
    assert caught.value.reason == reason


def test_broken_files_have_a_reason(root):
    images, points = root / "PreprocessedImages", root / "ManualFiducialPoints"
    black = np.zeros_like(texas_capture(0, 0, tiny_texas3dfrd.PX_MM).range_image)
    write_image(images / f"{FIRST}_Range.png", black)
    (points / "Clean_0002_001_20050913115002_Fiducial.txt").write_text("1\t2\n" * 24)
    with pytest.raises(Unreadable, match="no_points"):
        reader(root).load(found(root)["001/0001_20050913115001"], "grid")
    assert problems(root) == {"001/0002_20050913115002": "unreadable"}


def test_a_capture_of_the_databases_size_is_made_and_read(tmp_path):
    write_texas3dfrd(tmp_path, people=1, captures=1, px_mm=0.32)
    own = Texas3dfrd(root=tmp_path)
    (source,) = own.scan()
    grid = own.load(source, "grid")
    assert 400 < min(grid.shape[:2]) < max(grid.shape[:2]) < 800
    check_orientation(grid, own.load(source, "landmarks_3d"))


def test_it_keeps_the_contract(root):
    check_reader(reader(root))


def test_the_root_may_be_any_folder_above(root, tmp_path_factory):
    above = tmp_path_factory.mktemp("texas") / "3DFRDB"
    root.rename(above)
    assert found(above.parent).keys() == found(above).keys()
    assert not problems(above.parent)

"""Reader `curtinfaces`."""

import numpy as np
import pytest
import tiny_curtinfaces
from scans import face_scan
from write_curtinfaces import LEFT, TOP, pixels_of, write_curtinfaces, write_mat

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.curtinfaces import Curtinfaces
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation


@pytest.fixture
def root(tmp_path):
    return write_curtinfaces(tmp_path, people=1, captures=2)


def reader(root, **options) -> Curtinfaces:
    return build(Curtinfaces, {"root": root, **options}, "source 'x'")


@pytest.mark.slow
def test_it_keeps_the_contract(tmp_path):
    tiny_curtinfaces.write(tmp_path)
    assert len(check_reader(tiny_curtinfaces.reader(tmp_path))) == 4


def test_people_captures_and_tags_come_from_the_names(root):
    found = list(reader(root).scan())
    assert [(source.person, source.capture) for source in found] == [("01", "01"), ("01", "02")]
    assert found[1].tags == {"number": 2, "sensor": "Kinect v1"}
    assert found[1].files == {"matrix": root / "01/02.dat"}
    (root / "01/notes.txt").write_text("left alone")
    (root / "01/02.mat").write_bytes(b"x")
    (root / "01/extra.png").write_bytes(b"x")
    problems = [source.problem for source in reader(root).scan() if source.problem]
    assert [problem[0] for problem in problems] == ["same_name", "name_not_matched"]


def test_the_grid_is_exact_and_upright(root):
    curtin, scan = reader(root), face_scan(0, 1, 40)
    source = list(curtin.scan())[1]
    curtin.inspect(source)
    grid, color = curtin.load(source, "grid"), curtin.load(source, "grid_color")
    rows, columns = scan.depth.shape
    assert grid.shape == (480, 640, 3)
    assert np.array_equal(grid[TOP : TOP + rows, LEFT : LEFT + columns], scan.grid, equal_nan=True)
    assert np.isfinite(grid[..., 0]).sum() == len(scan.points)
    seen = np.isfinite(grid[..., 0])
    assert np.array_equal(color[seen], scan.point_colors)
    check_orientation(grid.reshape(-1, 3), scan.landmarks_3d)


def test_single_pixels_lie_where_the_layout_says(tmp_path):
    """Typed by hand: pixel 0 is the top of the rightmost column, pixel 479 its bottom, 480 the top of the next."""
    values = np.zeros((307200, 6))
    values[[0, 479, 480, 307199]] = [
        [9, 8, 700, 1, 2, 3], [9, -8, 700, 4, 5, 6], [8, 8, 701, 7, 8, 9], [-9, -8, 702, 250, 0, 255],
    ]  # fmt: skip
    values[[1, 2, 481]] = [[9, 7.5, 700, 0, 0, 0], [9, 7, np.nan, 0, 0, 0], [8, 7.5, 701, 0, 0, 0]]
    (tmp_path / "01").mkdir()
    write_mat(tmp_path / "01/01.mat", values)
    curtin = reader(tmp_path)
    (source,) = curtin.scan()
    grid, color = curtin.load(source, "grid"), curtin.load(source, "grid_color")
    assert grid[0, 639].tolist() == [9, -8, 700]
    assert grid[479, 639].tolist() == [9, 8, 700]
    assert grid[0, 638].tolist() == [8, -8, 701]
    assert grid[479, 0].tolist() == [-9, 8, 702]
    assert np.isnan(grid[2, 639]).all()
    assert np.isfinite(grid).all(axis=2).sum() == 6
    assert color[479, 0].tolist() == [250, 0, 255]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "said", "options"),
    [
        ([-1, 1, 1], "x points left: set x: left", {"x": "left"}),
        ([1, -1, 1], "y points down: set y: down", {"y": "down"}),
        ([0.001, 0.001, 0.001], "these look like metres: set units: m", {"units": "m"}),
    ],
)
def test_other_axes_and_units_are_refused_until_they_are_set(tmp_path, columns, said, options):
    scan = face_scan(0, 0, 40)
    values = pixels_of(scan) * [*columns, 1, 1, 1]
    (tmp_path / "01").mkdir()
    for name in ("01.mat", "02.mat"):
        write_mat(tmp_path / "01" / name, values)
    curtin = reader(tmp_path)
    found = list(curtin.scan())
    with pytest.raises(Unreadable, match=f"wrong_(axes|units): 01.mat: .*{said}"):
        curtin.load(found[0], "grid")
    with pytest.raises(UserError, match=rf"curtinfaces: 01.mat: .*{said} \(2 of 2 captures checked\)"):
        curtin.survey(found)
    curtin = reader(tmp_path, **options)
    curtin.survey(found)
    grid = curtin.load(found[0], "grid")
    np.testing.assert_allclose(grid[np.isfinite(grid[..., 0])], scan.points, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        (lambda values: values * [1, 1, 0, 1, 1, 1], "grid", "unreadable"),
        (lambda values: values * [1, 1, np.nan, 1, 1, 1], "grid", "unreadable"),
        (lambda values: values * [1, 1, 1e60, 1, 1, 1], "grid", "wrong_units"),
        (lambda values: values[::-1], "grid", "wrong_axes"),
        (lambda values: np.random.default_rng(1).permuted(values, axis=0), "grid", "wrong_axes"),
        (lambda values: values + np.array([0, 0, 0, 0, 0, 200]), "grid_color", "bad_color"),
        (lambda values: values * [1, 1, 1, 1, np.nan, 1], "grid_color", "bad_color"),
        (lambda values: values[:-1], "grid", "no_matrix"),
        (lambda values: values[:, :5], "grid", "no_matrix"),
    ],
)
def test_matrices_that_cannot_be_used_have_a_reason(tmp_path, change, name, reason):
    (tmp_path / "01").mkdir()
    write_mat(tmp_path / "01/01.mat", change(pixels_of(face_scan(0, 0, 40))))
    curtin = reader(tmp_path)
    (source,) = curtin.scan()
    with pytest.raises(Unreadable) as error:
        curtin.load(source, name)
    assert error.value.reason == reason
    assert error.value.detail.startswith("01.mat: ")


def test_a_file_without_the_matrix_is_found_before_any_stage_runs(root):
    path = root / "01/01.mat"
    path.write_bytes(path.read_bytes()[:500])
    curtin = reader(root)
    with pytest.raises(Unreadable, match="byte 128"):
        curtin.inspect(next(curtin.scan()))

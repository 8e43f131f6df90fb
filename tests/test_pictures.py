"""Pictures: what is drawn where, from plain arrays."""

import cv2
import numpy as np
import pytest
from scans import face_scan

from face3d_data.pictures.contact_sheet import LINE_PX, contact_sheet
from face3d_data.pictures.map_picture import map_pictures
from face3d_data.pictures.sample_picture import (
    BACKGROUND,
    BOX_RGB,
    LABEL_RGB,
    LANDMARK_RGB,
    color_depth,
    draw_marks,
    draw_points,
    draw_sample,
    fit,
    panels,
    point_rgb,
    two_sides,
    write_png,
)
from face3d_data.testing import tiny_sample


def test_near_is_red_far_is_blue_and_holes_are_black():
    depth = np.array([[500.0, 900.0, 0.0, np.nan, 700.0]], np.float32)
    near, far, hole, nan, between = color_depth(depth, (500, 900))[0].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0] or far.sum() < 150
    assert between[1] > max(near[1], far[1])
    assert hole.tolist() == nan.tolist() == [0, 0, 0]
    assert not color_depth(np.zeros((3, 4))).any()


def test_marks_are_drawn_on_a_copy_and_may_lie_outside():
    image = np.zeros((40, 60, 3), np.uint8)
    arrays = {"box": np.array([10, 5, 30, 25], "f4"), "landmarks": np.array([[50, 20], [-9, 999]], "f4")}
    marked = draw_marks(image, arrays)
    assert not image.any()
    assert tuple(marked[5, 20]) == BOX_RGB
    assert tuple(marked[20, 52]) == LANDMARK_RGB
    assert not marked[30:].any()


def test_front_and_side_agree_between_the_two_frames():
    in_camera = np.array([[10.0, -20.0, 600.0], [0.0, 30.0, 640.0]])
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    in_face = in_camera @ flip[:3, :3]
    for from_camera, from_face in zip(two_sides(in_camera, np.eye(4)), two_sides(in_face, flip), strict=True):
        assert np.allclose(from_camera, from_face)
    front, side, nearness = two_sides(in_camera)
    assert front[0].tolist() == [10, 20], "up is up"
    assert nearness[0] > nearness[1]
    assert side[0, 0] > side[1, 0], "the nose points right"


def test_limits_fix_what_a_picture_of_points_spans_and_dots_have_the_width_asked_for():
    rgb = np.full((1, 3), 200, np.uint8)
    limits = np.array([[-50.0, -50.0], [50.0, 50.0]])
    for at, side in ((-25.0, 0), (25.0, 1)):
        lit = draw_points(np.array([[at, at]]), np.zeros(1), rgb, 108, limits, dot_px=5)[..., 0] == 200
        rows, columns = np.nonzero(lit)
        assert lit.sum() == 25
        assert abs(columns.mean() - (28.5 if side == 0 else 78.5)) < 1.5
        assert abs(rows.mean() - (78.5 if side == 0 else 28.5)) < 1.5, "up is up"


def test_the_nearer_point_hides_the_farther_one():
    view, rgb = np.zeros((2, 2)), np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    for nearness, seen in (([1.0, 2.0], [0, 0, 255]), ([2.0, 1.0], [255, 0, 0])):
        image = draw_points(view, np.array(nearness), rgb, 31)
        drawn = image[(image != BACKGROUND).any(2)]
        assert (drawn == seen).all()
        assert len(drawn)


def test_points_fill_the_picture_and_no_points_leave_it_empty():
    corners = np.array([[-50.0, -50.0], [50.0, 50.0]])
    image = draw_points(corners, np.zeros(2), np.full((2, 3), 255, np.uint8), 64)
    assert image[:16, 48:].max() == 255, "right and up"
    assert image[48:, :16].max() == 255
    assert (draw_points(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 3), np.uint8), 9) == BACKGROUND).all()


def test_own_colours_win_and_normals_shade():
    colors = np.array([[1, 2, 3]], np.uint8)
    assert point_rgb({"point_colors": colors}, np.zeros(1)) is colors
    facing, turned = (
        point_rgb({"normals": np.array([[0, 0, 1.0], n])}, np.zeros(2)) for n in ([0, 0, 1.0], [1.0, 0, 0])
    )
    assert facing[1].sum() > 2 * turned[1].sum()


def test_points_of_a_mask_and_of_other_occluders_are_told_from_skin_and_the_nearer_are_lighter():
    points = {"points": np.zeros((4, 3), "f4"), "occlusion": np.array([0, 1, 2, 1], "u1")}
    rgb = point_rgb(points, np.array([1.0, 1, 1, 0])).astype(float)
    for shown, label in zip(rgb[:3], LABEL_RGB, strict=True):
        assert shown == pytest.approx(label, abs=1)
    assert rgb[3] == pytest.approx(0.4 * LABEL_RGB[1], abs=1)
    bare = {**points, "occlusion": np.zeros(4, "u1")}
    nearness = np.arange(4.0)
    assert np.array_equal(point_rgb(bare, nearness), point_rgb({"points": bare["points"]}, nearness))


@pytest.mark.parametrize("shape", [(10, 40, 3), (40, 10, 3), (7, 7, 3)])
def test_fit_keeps_proportions_in_a_square(shape):
    square = fit(np.full(shape, 255, np.uint8), 20)
    assert square.shape == (20, 20, 3)
    share = (square == 255).mean()
    assert share == pytest.approx(min(shape[:2]) / max(shape[:2]), abs=0.06)


def test_panels_show_what_is_there_and_nothing_else():
    sample = dict(tiny_sample().arrays)
    captions = [caption for caption, _ in panels(sample, 50)]
    assert captions[:2] == ["color", "depth"]
    assert ("points, side" in captions) == ("points" in sample)
    assert [caption for caption, _ in panels({"points": np.zeros((4, 3), "f4")}, 20)] == [
        "points, front",
        "points, side",
    ]
    assert panels({"points": np.zeros((0, 3), "f4")}, 20) == []
    grid = {"grid": np.full((4, 5, 3), np.nan, "f4"), "grid_color": np.zeros((4, 5, 3), "u1")}
    assert [caption for caption, _ in panels(grid, 20)] == ["grid_color", "grid"]


def test_landmarks_are_drawn_where_they_lie_on_a_grid_not_where_its_photograph_has_them():
    scan = face_scan(0, 0)
    shift = np.float32([0, 0, 900])  # depths below 0, as scanners have them
    arrays = {"grid": scan.grid - shift, "landmarks_3d": scan.landmarks_3d - shift, "landmarks": np.zeros((5, 2), "f4")}
    ((caption, picture),) = panels(arrays, 200)
    assert caption == "grid"
    yellow = np.argwhere((picture == LANDMARK_RGB).all(2))
    height = scan.grid.shape[0]
    want = scan.landmarks[:, 1] / height * 200
    assert all(np.abs(yellow[:, 0] - row).min() < 8 for row in want)
    assert yellow[:, 0].min() > 200 * 0.1
    turned = {**arrays, "landmarks_3d": arrays["landmarks_3d"] + np.float32([5, 0, 0]), "pose": np.eye(4)}
    turned["pose"][0, 3] = 5
    assert np.array_equal(panels(turned, 200)[0][1], picture)


def test_close_up_shows_the_box_larger():
    image = np.zeros((100, 100, 3), np.uint8)
    image[45:55, 45:55] = 255
    arrays = {"color": image, "box": np.array([45, 45, 55, 55], "f4")}
    wide, close = (panels(arrays, 80, close_up=way)[0][1] for way in (False, True))
    assert (close == 255).all(2).sum() > 10 * (wide == 255).all(2).sum()
    outside = {"color": image, "box": np.array([300, 300, 310, 310], "f4")}
    assert panels(outside, 80, close_up=True)[0][1].shape == (80, 80, 3)


@pytest.mark.slow
def test_sheet_has_a_place_for_each_sample():
    arrays = {"color": np.full((9, 9, 3), 200, np.uint8)}
    one, three = contact_sheet([("a", arrays)], 2, 40), contact_sheet([("a", arrays)] * 3, 2, 40)
    assert three.shape[0] > one.shape[0]
    side_by_side = contact_sheet([("a", arrays)] * 9)
    assert side_by_side.shape[1] > 2 * side_by_side.shape[0], "small pictures fill the width"
    wide = {**arrays, "depth": np.ones((9, 9)), "points": np.zeros((4, 3), "f4")}
    assert contact_sheet([("a", wide)] * 4).shape[1] > 1200
    with pytest.raises(ValueError, match="nothing to show"):
        contact_sheet([("a", {}), ("b", {})])


def test_a_long_title_goes_on_in_the_next_line_and_all_pictures_keep_one_row():
    arrays = {"color": np.full((9, 9, 3), 200, np.uint8)}
    short = contact_sheet([("a", arrays), ("b", arrays)], 2, 60)
    long = contact_sheet([("a", arrays), ("person capture variant", arrays)], 2, 60)
    assert long.shape[0] - short.shape[0] == 2 * LINE_PX
    assert long.shape[1] == short.shape[1]
    for sheet in (short, long):
        rows = np.nonzero((sheet == 200).all(2).sum(axis=1) >= 2 * 60)[0]
        assert (len(rows), rows[-1] - rows[0]) == (60, 59)
    head = long[8 : 8 + 3 * LINE_PX, 60 + 2 * 8 :]
    assert [bool((head[k * LINE_PX : (k + 1) * LINE_PX] < 100).any()) for k in range(3)] == [True] * 3


def test_sheet_with_a_sample_that_has_nothing_to_show_keeps_the_others():
    arrays = {"color": np.full((9, 9, 3), 200, np.uint8)}
    sheet = contact_sheet([("a", {}), ("b", arrays)], 2, 40)
    assert (sheet == 200).all(2).sum() >= 40 * 40


def test_a_picture_of_a_step_is_written_and_read_back(tmp_path):
    rng = np.random.default_rng(1)
    arrays = {"points": rng.normal(0, 40, (300, 3)).astype("f4"), "landmarks_3d": np.zeros((5, 3), "f4")}
    image = draw_sample("anna/é_$1$ capture", arrays)
    path = tmp_path / "new" / "x.png"
    write_png(path, image)
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], image)
    assert draw_sample("empty", {}).shape[2] == 3


def test_the_title_of_a_narrow_picture_is_not_cut():
    arrays = {"color": np.full((9, 9, 3), 90, np.uint8)}
    image = draw_sample("dataset/person_0123/capture_00~mask:cloth_pattern.0~d3163326: a_long_step", arrays)
    assert (image[:40, :3] > 200).all()
    assert (image[:40, -3:] > 200).all()


def test_larger_sets_of_landmarks_are_drawn_where_they_are_known():
    dense = np.full((478, 2), np.nan, "f4")
    dense[0], dense[1] = [30, 20], [1e30, 5]
    marked = draw_marks(np.zeros((40, 60, 3), np.uint8), {"landmarks_dense": dense})
    assert marked[20, 30].any()
    assert 1 <= np.count_nonzero(marked.any(axis=2)) < 10


def test_maps_are_drawn_as_a_relief_and_as_normals_and_holes_are_dark():
    channels = np.zeros((4, 8, 8), np.float32)
    channels[-1, :, 2:] = 1
    channels[1, :, 5:] = 1.5  # rises to the right: it looks to the left, towards the light
    channels[0, :, 2:5] = -30
    (_, relief), (_, normals) = map_pictures({"map": channels})
    assert (relief[:, :2] == BACKGROUND).all()
    assert (normals[:, :2] == BACKGROUND).all()
    assert normals[0, 3].tolist() == [128, 128, 255]
    assert normals[0, 6, 0] < 40
    assert [caption for caption, _ in panels({"map": channels}, 20)] == ["map, height", "map, normals"]
    five = np.stack([channels[0], *np.zeros((2, 8, 8)), np.ones((8, 8)), channels[-1]]).astype(np.float32)
    covered = map_pictures({"map": five, "map_occlusion": np.ones((8, 8), np.float32)})[0][1][0, 4].astype(int)
    assert covered[2] > covered[0] + 40, "what is occluded is blue"
    assert map_pictures({}) == []

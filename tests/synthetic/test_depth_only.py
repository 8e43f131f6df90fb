"""Depth alone: the same geometry as a rendered capture, at the pixels near the face, and its options."""

from dataclasses import replace

import numpy as np
import pytest

from face3d_data.formats.face_model import FaceModel
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.readers.synthetic import Synthetic
from face3d_data.synthetic.capture import render_capture
from face3d_data.synthetic.depth_only import AROUND_MM, cast_depth, depth_capture, model_depth_capture, region_around
from face3d_data.synthetic.head import Head
from face3d_data.synthetic.render import Camera
from face3d_data.synthetic.scene import CaptureRanges, capture_tags
from face3d_data.synthetic.sensors.draw import SENSOR_KINDS

ALL = CaptureRanges(sensors=tuple((name, 1.0) for name in SENSOR_KINDS), max_yaw_deg=60)
CAMERA = Camera(80, 60, 100.0, 100.0, 39.5, 29.5)
SQUARE = np.array([(-50, -50, 500), (50, -50, 500), (50, 50, 500), (-50, 50, 500)], np.float32)
TOWARDS = np.array([(0, 2, 1), (0, 3, 2)], np.uint32)  # counter-clockwise seen from the camera, whose y is down


def test_near_the_face_it_is_the_depth_of_the_rendered_capture():
    close = CaptureRanges(distance_mm=(500, 520))  # so near that both use the fine mesh
    for person, capture in ((0, 0), (1, 2)):
        rendered = render_capture(5, person, capture, noise=False, ranges=close)
        alone = depth_capture(5, person, capture, noise=False, ranges=close)
        near = alone["depth"] > 0
        assert near.sum() > 20_000
        assert np.array_equal(alone["depth"][near], rendered["depth"][near])
        for name in ("intrinsics", "landmarks", "landmarks_3d"):
            assert np.array_equal(alone[name], rendered[name]), name


def test_a_coarser_mesh_of_far_faces_stays_within_a_millimetre():
    far = CaptureRanges(distance_mm=(790, 800))
    rendered = render_capture(5, 1, 2, noise=False, ranges=far)["depth"]
    alone = depth_capture(5, 1, 2, noise=False, ranges=far)["depth"]
    both = (alone > 0) & (rendered > 0)
    median, most = np.percentile(np.abs(alone - rendered)[both], [50, 95])
    assert median < 0.1
    assert most < 1.0


def test_what_is_far_from_the_face_is_left_out():
    x0, y0, x1, y1 = region_around(np.array([0.0, 0.0, 700.0]), Camera(640, 480, 615.0, 615.0, 319.5, 239.5))
    reach = AROUND_MM * 615 / 700
    assert (x0, y0, x1, y1) == (int(319.5 - reach), int(239.5 - reach), int(319.5 + reach), int(239.5 + reach))


def test_a_square_is_seen_from_its_front_alone():
    depth, hair = cast_depth(SQUARE, TOWARDS, CAMERA, (20, 10, 60, 50), len(SQUARE))
    assert depth.shape == (40, 40)
    assert not hair.any()
    inside = depth[12:28, 12:28]
    assert np.array_equal(inside, np.full_like(inside, 500))
    back, _ = cast_depth(SQUARE, TOWARDS[:, ::-1].copy(), CAMERA, (20, 10, 60, 50), len(SQUARE))
    assert not back.any()


def test_hair_is_named_by_its_vertices():
    both = np.concatenate([SQUARE, SQUARE / np.float32(2) + np.array([0, 0, 150], np.float32)])  # hair in front
    depth, hair = cast_depth(both, np.concatenate([TOWARDS, TOWARDS + 4]), CAMERA, (0, 0, 80, 60), 4)
    assert set(np.unique(depth[hair])) == {400.0}
    assert set(np.unique(depth[~hair])) == {0.0, 500.0}


def test_small_triangles_are_seen_as_by_a_cast_of_all_of_them():
    rng = np.random.default_rng(0)
    middles, sizes = rng.uniform((5, 5), (75, 55), (3000, 2)), np.geomspace(0.05, 8, 3000)
    pixels = middles[:, None] + sizes[:, None, None] * rng.uniform(-1, 1, (3000, 3, 2))
    pixels[::10] = np.rint(pixels[::10])  # corners and sides on the centres of pixels
    across, along = pixels[:, 1] - pixels[:, 0], pixels[:, 2] - pixels[:, 0]
    turn = across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0]
    pixels = np.where((turn < 0)[:, None, None], pixels, pixels[:, ::-1])[turn != 0]
    z = rng.uniform(300, 900, (len(pixels), 3, 1))
    corners = np.concatenate([(pixels - [CAMERA.cx, CAMERA.cy]) / CAMERA.fx * z, z], axis=-1)
    vertices = corners.reshape(-1, 3).astype(np.float32)
    triangles = np.arange(len(vertices), dtype=np.uint32).reshape(-1, 3)
    scene = open3d().t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(open3d().core.Tensor(vertices), open3d().core.Tensor(triangles))
    v, u = np.mgrid[:60, :80]
    rays = np.stack([0 * u, 0 * u, 0 * u, (u - CAMERA.cx) / 100, (v - CAMERA.cy) / 100, 0 * u + 1], axis=-1)
    every = scene.cast_rays(open3d().core.Tensor(rays.astype(np.float32)))["t_hit"].numpy()
    depth, _ = cast_depth(vertices, triangles, CAMERA, (0, 0, 80, 60), len(vertices))
    assert 1000 < (depth > 0).sum() < 4800
    assert np.array_equal(depth, np.where(np.isfinite(every), every, 0))


def test_nothing_in_the_region_is_no_depth():
    depth, hair = cast_depth(SQUARE, TOWARDS, CAMERA, (0, 0, 5, 5), 2)
    assert depth.shape == hair.shape == (5, 5)
    assert not depth.any()


def test_hair_inside_the_head_is_never_seen(monkeypatch):
    def made():
        size = {"width": 160, "height": 120, "ranges": ALL}
        return [depth_capture(5, person, 3, noise=False, **size)["depth"] for person in range(12)]

    lean = made()
    monkeypatch.setattr(Head, "outer_triangles", property(lambda head: head.triangles))
    assert all(np.array_equal(one, other) for one, other in zip(lean, made(), strict=True))


def test_landmarks_bring_the_error_of_a_detector():
    ranges = CaptureRanges(landmark_error=0.02)
    errors = []
    for person in range(2):
        for capture in range(8):
            made, true = (depth_capture(5, person, capture, noise=noise, ranges=ranges) for noise in (True, False))
            eyes = np.linalg.norm(true["landmarks"][1] - true["landmarks"][0])
            errors.append((made["landmarks"] - true["landmarks"]) / eyes)
    assert np.std(errors) == pytest.approx(0.02, rel=0.25)


def test_each_capture_has_a_sensor_of_its_own():
    tags = [capture_tags(3, 0, capture, ALL) for capture in range(40)]
    assert {tag["sensor_kind"] for tag in tags} == set(SENSOR_KINDS)
    assert max(abs(tag["yaw_deg"]) for tag in tags) > 45
    assert "sensor_kind" not in capture_tags(3, 0, 1)


def test_other_ranges_move_no_other_draw():
    plain, wide = capture_tags(3, 0, 5), capture_tags(3, 0, 5, CaptureRanges(max_yaw_deg=60, distance_mm=(300, 400)))
    assert wide["yaw_deg"] == pytest.approx(3 * plain["yaw_deg"], abs=0.02)
    assert 300 <= wide["distance_mm"] <= 400
    for name in ("expression", "pitch_deg", "roll_deg"):
        assert wide[name] == plain[name]


def test_a_beard_stands_off_the_chin_and_nowhere_above_the_nose():
    plain, bearded = CaptureRanges(), CaptureRanges(beards=1.0)
    nearer = []
    for person in range(4):
        bare, grown = (depth_capture(8, person, 0, noise=False, ranges=ranges)["depth"] for ranges in (plain, bearded))
        nose = depth_capture(8, person, 0, noise=False)["landmarks"][2]
        row = round(float(nose[1]))
        both = (bare > 0) & (grown > 0)
        off = np.where(both, bare - grown, 0)
        assert not off[: row - 10].any()
        nearer.append(np.percentile(off[row:][both[row:]], 95))
    assert max(nearer) > 3
    assert min(nearer) > 0.2


def test_people_of_a_model_have_depth_alone_too():
    grid = np.stack(np.meshgrid(np.linspace(-70, 70, 29), np.linspace(-90, 90, 37)), axis=-1).reshape(-1, 2)
    mean = np.column_stack([grid, 60 - (grid**2).sum(axis=1) / 150])
    index = np.arange(29 * 37).reshape(37, 29)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, d), (a, d, c))])
    marks = np.linspace(0, len(mean) - 1, 68).astype(int)
    none = np.zeros((0, *mean.shape), np.float32)
    model = FaceModel(mean, triangles, none, none, marks, blendshapes=False)
    made = model_depth_capture(model, 1, 1, 1, noise=False)  # person 0 stands before a wall
    assert 400 < np.median(made["depth"][made["depth"] > 0]) < 900
    with pytest.raises(ValueError, match="landmarks"):
        model_depth_capture(replace(model, landmarks=None), 1, 0, 1)


def test_the_reader_gives_no_colour_and_names_its_sensor():
    reader = Synthetic(people=1, captures=2, images=False, sensors=["laser"], width=320, height=240)
    assert reader.provides() == ("depth", "intrinsics", "landmarks")
    source = list(reader.scan())[1]
    sample = reader.sample(source)
    assert set(sample.arrays) == {"depth", "intrinsics", "landmarks"}
    assert sample.tags["sensor_kind"] == "laser"
    assert 0.97 * 800 <= sample.tags["focal_px"] <= 1.03 * 1400
    assert sample.arrays["depth"].tobytes() == reader.sample(source).arrays["depth"].tobytes()


def test_a_depth_step_rounds_every_reading_and_is_a_tag():
    reader = Synthetic(people=1, captures=3, images=False, sensors=["time_of_flight"], depth_step_mm=4)
    for source in reader.scan():
        depth = reader.sample(source).arrays["depth"]
        assert source.tags["depth_step_mm"] == 4
        assert (depth > 0).sum() > 3000
        assert not (depth % 4).any()


def test_options_enter_the_fingerprint_only_where_they_are_used():
    plain = Synthetic(people=1)
    assert plain.parameters() == {"seed": 0, "width": 640, "height": 480}
    for option in ({"images": False}, {"max_yaw_deg": 30}, {"sensors": ["laser"]}, {"distance_mm": (400, 500)}):
        assert Synthetic(people=1, **option).fingerprint() != plain.fingerprint()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"depth_step_mm": 4}, "depth_step_mm is for drawn sensors: name them in sensors"),
        ({"beards": 0.5}, "beards is for captures without colour alone: set images: false"),
        ({"beards": 0.5, "images": False, "model": "ict"}, "people of model ict have no hair: leave it out"),
        ({"landmark_error_pct": 1}, "landmark_error_pct is for captures without colour alone"),
        ({"distance_mm": (700, 500)}, "give the smaller number first"),
        ({"sensors": ["lidar"]}, "stereo"),
        ({"sensors": ["laser", "laser"]}, "appears twice"),
    ],
)
def test_options_without_effect_or_sense_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Synthetic(people=1, **options)

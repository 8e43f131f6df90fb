"""Sensors beside the stereo camera: noise as published, holes where they have to be, coarse steps."""

import numpy as np
import pytest

from face3d_data.synthetic.sensors.draw import SENSOR_KINDS, draw_sensor
from face3d_data.synthetic.sensors.incidence import incidence_rad, largest_jump, surface_mean
from face3d_data.synthetic.sensors.laser import laser_depth
from face3d_data.synthetic.sensors.structured_light import BASELINE_MM as PROJECTOR_MM
from face3d_data.synthetic.sensors.structured_light import SUBPIXEL, structured_light_depth
from face3d_data.synthetic.sensors.time_of_flight import FLYING, HAIR_LOST, time_of_flight_depth

FOCAL = 500.0
READ = {"time_of_flight": time_of_flight_depth, "structured_light": structured_light_depth, "laser": laser_depth}


def plane(depth_mm, height=80, width=120):
    return np.full((height, width), depth_mm, np.float32)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_nothing_in_gives_nothing_out(read):
    assert not read(np.zeros((20, 30), np.float32), FOCAL, rng()).any()


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_readings_are_finite_and_unbiased_on_a_plane(read):
    seen = read(plane(700.0), FOCAL, rng())
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    assert (seen > 0).mean() > 0.95
    assert np.mean(seen[seen > 0]) == pytest.approx(700, abs=0.3)


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_hair_is_mostly_not_read(read):
    hair = np.zeros((80, 120), bool)
    hair[:40] = True
    seen = read(plane(700.0), FOCAL, rng(), hair=hair) > 0
    assert seen[:40].mean() < 0.6 < 0.9 < seen[40:].mean()


def test_time_of_flight_noise_on_a_plane_is_the_published_one():
    for z in (0.6, 1.0, 1.3):
        seen = time_of_flight_depth(plane(1000 * z), FOCAL, rng(), rounding=0.0)
        assert np.std(seen) == pytest.approx(1.5 - 0.5 * z + 0.3 * z**2, rel=0.05)


def test_time_of_flight_rounds_a_bump_and_keeps_a_plane():
    bump = plane(700.0)
    rows, columns = np.indices(bump.shape)
    bump -= 8 * np.exp(-((rows - 40) ** 2 + (columns - 60) ** 2) / 18.0).astype(np.float32)
    seen = time_of_flight_depth(bump, FOCAL, rng(), strength=0.0, rounding=0.5)
    assert 692 < seen[40, 60] < 698
    assert seen[5, 5] == 700


def test_pixels_fly_between_the_two_sides_of_an_edge():
    depth = plane(700.0, 200)
    depth[:, 60:] = 900.0
    seen = time_of_flight_depth(depth, FOCAL, rng(), strength=0.0, rounding=0.0)
    edge = seen[:, 59:61]
    assert (edge == 0).mean() == pytest.approx(1 - FLYING, abs=0.1)
    flying = edge[(edge > 701) & (edge < 899)]
    assert len(flying) > 50
    assert np.array_equal(np.unique(seen[:, :58]), [700.0])


def test_dark_hair_costs_time_of_flight_three_readings_in_four():
    seen = time_of_flight_depth(plane(700.0), FOCAL, rng(), hair=np.ones((80, 120), bool))
    assert (seen == 0).mean() == pytest.approx(HAIR_LOST, abs=0.03)


def test_structured_light_gives_steps_of_the_disparity_and_the_projectors_shadow():
    seen = structured_light_depth(plane(800.0), FOCAL, rng())
    disparity = FOCAL * PROJECTOR_MM / seen[seen > 0] * SUBPIXEL
    assert np.abs(disparity - np.round(disparity)).max() < 0.01
    depth = plane(1000.0)
    depth[:, 60:90] = 500.0
    dark = structured_light_depth(depth, FOCAL, rng())[:, 30:55] == 0
    assert dark.mean() > 0.9


def test_a_laser_is_finer_than_the_others_by_far():
    quiet = np.std(laser_depth(plane(700.0), FOCAL, rng(), 0.1)[:, 5:])
    assert quiet < 0.4 < np.std(time_of_flight_depth(plane(700.0), FOCAL, rng()))


def test_angles_of_incidence_are_those_of_a_tilted_plane():
    columns = np.indices((40, 60))[1]
    for degrees in (0.0, 30.0, 60.0):
        depth = (700 + (columns - 30) * np.tan(np.deg2rad(degrees)) * 700 / FOCAL).astype(np.float32)
        found = np.rad2deg(incidence_rad(depth, FOCAL))[:, 30]
        assert found == pytest.approx(degrees, abs=1.5)


def test_a_pixel_beside_an_edge_lies_on_its_own_surface():
    depth = plane(700.0)
    depth[:, 60:] = 0
    assert not incidence_rad(depth, FOCAL).any()
    assert np.array_equal(np.unique(largest_jump(depth)[:, 59:61]), [700.0])


def test_a_mean_crosses_no_edge():
    depth = plane(700.0)
    depth[:, 60:] = 900.0
    depth[:, :20] = 0
    mean = surface_mean(depth, 3.0, 10.0)
    assert np.array_equal(np.unique(mean[:, :20]), [0.0])
    assert mean[:, 58:62].tolist() == depth[:, 58:62].tolist()


def test_every_kind_is_drawn_as_often_as_its_weight_says():
    weights = {"stereo": 1.0, "laser": 3.0}
    drawn = [draw_sensor(weights, 1, person, 0) for person in range(400)]
    assert {sensor.name for sensor in drawn} == set(weights)
    assert np.mean([sensor.name == "laser" for sensor in drawn]) == pytest.approx(0.75, abs=0.06)
    assert draw_sensor(weights, 1, 3, 0) == drawn[3]


def test_drawn_sensors_are_as_various_as_real_ones():
    drawn = [draw_sensor(dict.fromkeys(SENSOR_KINDS, 1.0), 1, person, 2) for person in range(600)]
    focals = [sensor.focal_px for sensor in drawn]
    assert min(focals) < 380
    assert max(focals) > 1350
    assert {sensor.step_mm for sensor in drawn} == {0.0, 1.0, 2.0, 4.0, 8.0}
    assert {1, 2, 25} <= {sensor.frames for sensor in drawn}
    assert all(400 <= sensor.distance_mm <= 1300 for sensor in drawn)
    faces_px = [140 * sensor.focal_px / sensor.distance_mm for sensor in drawn]
    assert min(faces_px) < 60
    assert max(faces_px) > 250


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_readings_come_in_the_sensors_steps(kind):
    for person in range(30):
        sensor = draw_sensor({kind: 1.0}, 1, person, 0)
        seen = sensor.read(plane(700.0), sensor.focal_px, rng())
        if sensor.step_mm:
            assert np.array_equal(seen, np.round(seen / sensor.step_mm) * sensor.step_mm)

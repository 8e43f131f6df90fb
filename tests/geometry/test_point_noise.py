import numpy as np
import pytest

from face3d_data.geometry.point_noise import FEWEST, point_noise


def surface(n, sigma_mm, seed=0, radius_mm=90.0, spread_mm=70.0):
    """Points on a sphere's front, moved along its normals."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-spread_mm, spread_mm, (2, n))
    inside = x * x + y * y < (0.8 * radius_mm) ** 2
    x, y = x[inside], y[inside]
    points = np.column_stack([x, y, 600 - np.sqrt(radius_mm**2 - x * x - y * y)])
    normals = (points - [0, 0, 600]) / radius_mm
    return (points + normals * rng.normal(0, sigma_mm, (len(points), 1))).astype("f4")


@pytest.mark.parametrize("sigma_mm", [0.1, 0.3])
@pytest.mark.parametrize("n", [8000, 30000])
def test_noise_put_on_a_sphere_is_found(n, sigma_mm):
    assert point_noise(surface(n, sigma_mm)) == pytest.approx(sigma_mm, rel=0.1)


def test_noise_larger_than_the_distance_of_points_is_found_too_small():
    assert 0.7 < point_noise(surface(30000, 1.0)) < 0.95


def test_a_smooth_surface_has_next_to_none():
    assert point_noise(surface(20000, 0.0)) < 0.01


def test_it_does_not_hang_on_where_the_points_lie_or_on_a_draw():
    points = surface(8000, 0.3)
    turned = points @ np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0].astype("f4") - np.float32(300)
    assert point_noise(points) == point_noise(points)
    assert point_noise(turned) == pytest.approx(point_noise(points), rel=0.02)


def test_few_and_equal_points():
    assert point_noise(surface(5000, 0.1)[: FEWEST - 1]) is None
    assert point_noise(np.zeros((500, 3), "f4")) == 0.0


def test_sparse_points_tell_shape_rather_than_noise():
    assert point_noise(surface(5000, 0.1)) is not None
    assert point_noise(surface(2000, 0.1)) is None

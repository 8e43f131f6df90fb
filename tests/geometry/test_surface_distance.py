"""Distances of clouds: next to nothing where the surface is one, whatever noise and sampling; else its difference."""

import numpy as np
import pytest

from face3d_data.geometry.face_descriptor import motion_of
from face3d_data.geometry.surface_distance import Distance, surface_distance, surface_of


def surface(waves_mm, seed, noise_mm=0.0, n=2500):
    """Points of a curved surface with waves of that height, drawn anew by each seed."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-55, 55, n), rng.uniform(-50, 58, n)
    z = -0.006 * (x**2 + 0.7 * (y - 4) ** 2) + waves_mm * np.sin(x / 9) * np.cos(y / 11)
    return np.column_stack([x, y, z + noise_mm * rng.standard_normal(n)])


def between(first, second, **options):
    return surface_distance(surface_of(first), surface_of(second), **options)


@pytest.mark.parametrize("noise_mm", [0.0, 0.3, 1.0])
def test_two_recordings_of_one_surface_differ_by_their_noise_alone(noise_mm):
    apart = between(surface(1.5, 0, noise_mm), surface(1.5, 1, noise_mm))
    assert apart.shape_mm < 0.15 + 0.1 * noise_mm
    if noise_mm:
        assert 0.8 < apart.noise_ratio < 1.2


@pytest.mark.parametrize("noise_mm", [0.3, 1.0])
def test_samplings_of_one_recording_are_nearer_than_their_noise(noise_mm):
    scan = surface(1.5, 0, noise_mm, 6000)
    some = [scan[np.random.default_rng(seed).permutation(6000)[:2500]] for seed in (0, 1)]
    apart = between(*some)
    assert apart.noise_ratio < 0.6
    assert apart.shape_mm < 0.2


@pytest.mark.parametrize("noise_mm", [0.0, 0.3, 1.0])
def test_the_surfaces_difference_is_told_whatever_the_noise(noise_mm):
    apart = between(surface(1.5, 0, noise_mm), surface(3.5, 1, noise_mm))
    assert 0.55 < apart.shape_mm < 1.2, "waves of 2 mm have an rms of 1 mm, of which the fit takes some"
    assert apart.part_mm < apart.shape_mm


def test_a_motion_is_undone():
    scan = surface(1.5, 0, 0.3)
    pose = motion_of(np.array([0.02, -0.03, 0.02, 1.0, -0.5, 0.8]))
    apart = between(scan, scan @ pose[:3, :3].T + pose[:3, 3])
    assert max(apart.shape_mm, apart.noise_ratio) < 0.1


def test_what_lies_lower_does_not_count_if_it_need_not():
    scan = surface(1.5, 0, 0.3)
    masked = scan + np.where(scan[:, 1:2] < 5, [0, 0, 6], 0)
    assert between(scan, masked).shape_mm > 1
    upper = surface_distance(surface_of(scan, 20.0), surface_of(masked, 20.0), 20.0)
    assert max(upper.part_mm, upper.noise_ratio) < 0.1


def test_faces_that_share_too_little_are_infinitely_far():
    scan = surface(1.5, 0)
    left, right = scan[scan[:, 0] < -20], scan[scan[:, 0] > 20]
    assert between(left, right) == Distance(np.inf, np.inf, np.inf)
    assert surface_of(scan[:40]) is None


def test_the_other_way_is_not_measured_where_one_is_too_far():
    first, second = surface(1.5, 0), surface(3.5, 1)
    one, both = between(first, second, most=Distance(0.1, np.inf, np.inf)), between(first, second)
    assert not one.within(Distance(0.1, np.inf, np.inf))
    assert one.within(both)

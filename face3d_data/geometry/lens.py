"""Lens distortion: Brown-Conrady and rational, with thin prism, forwards in closed form and backwards by iteration.

A camera's `distortion` is f8 (13,): k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 as OpenCV orders and defines them
(`cv2.projectPoints`, the calib3d page "Detailed Description"), then 1 where p1 p2 act on the place after the radial
part: RealSense's modified and inverse Brown-Conrady (`rs2_deproject_pixel_to_point`, which inverts the same formula for
both). Places are on the plane z = 1: x / z and y / z, without units.
"""

from __future__ import annotations

import functools

import numpy as np

LENGTH = 13
MOST_STEPS = 50
CONVERGED = 1e-12
WRONG_BY = 1e-9
"""A place whose distorted place is farther than this from what was asked for, on the plane z = 1, was not found."""
WIDEST = 10.0
"""Radius on the plane z = 1 up to which distortion is looked at: 84 degrees from the axis."""
_RADII = np.linspace(0.0, WIDEST, 20_001)


def distort(places: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Return where the lens shows ideal places.

    Args:
        places: (N, 2) on the plane z = 1, as a pinhole sees them.
        distortion: (13,), see the module.

    Returns:
        f8 (N, 2) on the plane z = 1.
    """
    return _distort(np.asarray(places, np.float64), np.asarray(distortion, np.float64))[0]


def undistort(places: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Return the ideal places that the lens shows at these: the inverse of `distort`, by Newton's method.

    Args:
        places: (N, 2) on the plane z = 1, as seen through the lens.
        distortion: (13,), see the module.

    Returns:
        f8 (N, 2), accurate to 1e-9; NaN where no ideal place within the lens's reach is shown there.
    """
    distortion = np.asarray(distortion, np.float64)
    shown = np.asarray(places, np.float64)
    if not distortion[:-1].any():
        return shown.copy()
    found = shown.copy()
    todo = np.flatnonzero(np.isfinite(shown).all(axis=1))
    for _ in range(MOST_STEPS):
        if not len(todo):
            break
        with np.errstate(all="ignore"):  # what runs away becomes NaN, and is not found
            image, slope = _distort(found[todo], distortion)
            off = image - shown[todo]
            determinant = slope[:, 0] * slope[:, 3] - slope[:, 1] * slope[:, 2]
            step = np.stack(
                [slope[:, 3] * off[:, 0] - slope[:, 1] * off[:, 1], slope[:, 0] * off[:, 1] - slope[:, 2] * off[:, 0]],
                axis=1,
            )
            step /= determinant[:, None]
            found[todo] -= step
            todo = todo[~(np.abs(step).max(axis=1) <= CONVERGED)]
    with np.errstate(all="ignore"):
        off = np.abs(_distort(found, distortion)[0] - shown).max(axis=1)
        lost = ~(off <= WRONG_BY) | ~(np.hypot(found[:, 0], found[:, 1]) < reach(distortion))
    found[lost] = np.nan
    return found


def turned(distortion: np.ndarray, cosine: float, sine: float) -> np.ndarray:
    """Return the distortion of a camera that is rolled: positions are rotated to x cos - y sin, x sin + y cos.

    The radial part stays the same; (p2, p1), (s1, s3) and (s2, s4) are vectors in the image and rotate with it.

    Args:
        distortion: (13,).
        cosine: of the roll.
        sine: of the roll.
    """
    out = np.array(distortion, np.float64)
    for first, second in ((3, 2), (8, 10), (9, 11)):
        across, down = distortion[first], distortion[second]
        out[first], out[second] = cosine * across - sine * down, sine * across + cosine * down
    return out


def reach(distortion: np.ndarray) -> float:
    """Return the radius on the plane z = 1 up to which the radial part grows: beyond it the image folds back."""
    return _reach(np.asarray(distortion, np.float64).tobytes())


@functools.lru_cache(maxsize=64)
def _reach(content: bytes) -> float:
    distortion = np.frombuffer(content)
    squared = _RADII**2
    with np.errstate(all="ignore"):
        above, below = _radial(squared, distortion)
        shown = _RADII * above / below
    falls = np.flatnonzero(~(np.diff(shown) > 0) | (below[1:] <= 0))
    return float(_RADII[falls[0]]) if len(falls) else np.inf


def _radial(squared: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return numerator and denominator of the radial factor at squared radii."""
    above = 1 + squared * (d[0] + squared * (d[1] + squared * d[4]))
    below = 1 + squared * (d[5] + squared * (d[6] + squared * d[7]))
    return above, below


def _distort(places: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shown places (N, 2) and their derivatives (N, 4): du/dx, du/dy, dv/dx, dv/dy."""
    x, y = places[:, 0], places[:, 1]
    r2 = x * x + y * y
    above, below = _radial(r2, d)
    factor = above / below
    slope_above = d[0] + r2 * (2 * d[1] + r2 * 3 * d[4])
    slope_below = d[5] + r2 * (2 * d[6] + r2 * 3 * d[7])
    slope = (slope_above - factor * slope_below) / below  # of the factor, by the squared radius
    u, v = x * factor, y * factor
    cross = 2 * x * y * slope
    jacobian = [factor + 2 * x * x * slope, cross, cross, factor + 2 * y * y * slope]
    if d[2] or d[3]:
        shift = _shift_of_radial if d[12] else _shift
        across, down, jacobian = shift(x, y, u, v, jacobian, d)
        u, v = u + across, v + down
    if d[8:12].any():
        u, v = u + r2 * (d[8] + r2 * d[9]), v + r2 * (d[10] + r2 * d[11])
        more = [2 * axis * (first + 2 * r2 * second) for first, second in (d[8:10], d[10:12]) for axis in (x, y)]
        jacobian = [one + other for one, other in zip(jacobian, more, strict=True)]
    return np.stack([u, v], axis=1), np.stack(jacobian, axis=1)


Shift = tuple[np.ndarray, np.ndarray, list[np.ndarray]]


def _shift(
    x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray, radial: list[np.ndarray], d: np.ndarray
) -> Shift:
    """Return the tangential part and all derivatives: it acts on the ideal place."""
    p1, p2 = d[2], d[3]
    r2 = x * x + y * y
    both = 2 * p1 * x + 2 * p2 * y
    more = [2 * p1 * y + 6 * p2 * x, both, both, 2 * p2 * x + 6 * p1 * y]
    jacobian = [one + other for one, other in zip(radial, more, strict=True)]
    return 2 * p1 * x * y + p2 * (r2 + 2 * x * x), 2 * p2 * x * y + p1 * (r2 + 2 * y * y), jacobian


def _shift_of_radial(
    x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray, radial: list[np.ndarray], d: np.ndarray
) -> Shift:
    """Return the tangential part and all derivatives: it acts on the place after the radial part, (u, v)."""
    p1, p2 = d[2], d[3]
    r2 = x * x + y * y
    uu, uv, vu, vv = 1 + 2 * p1 * v + 4 * p2 * u, 2 * p1 * u, 2 * p2 * v, 1 + 2 * p2 * u + 4 * p1 * v
    jacobian = [
        uu * radial[0] + uv * radial[2] + 2 * p2 * x,
        uu * radial[1] + uv * radial[3] + 2 * p2 * y,
        vu * radial[0] + vv * radial[2] + 2 * p1 * x,
        vu * radial[1] + vv * radial[3] + 2 * p1 * y,
    ]
    return 2 * p1 * u * v + p2 * (r2 + 2 * u * u), 2 * p2 * u * v + p1 * (r2 + 2 * v * v), jacobian

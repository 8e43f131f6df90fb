"""Landmarks in a depth image: robust depth around each pixel, tolerant of holes, noise and a background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face3d_data.geometry.align import fit_rigid, spread, transform
from face3d_data.geometry.camera import unproject
from face3d_data.geometry.landmark_sets import DENSE_OF_68
from face3d_data.geometry.mean_face import mean_face

NOSE = 2
NOSE_PERCENTILE = 15.0
"""The nose tip is a peak: a median over its surroundings sinks it by 2 mm, the nearest reading is noise."""
FACE_BAND_MM = 80.0
"""Readings farther than this from the face's median depth are hair in front, a hand, or the background."""

MANY_SHARE = 0.02
"""Radius of the disc of one landmark of many, as a share of their extent: some 3 mm of a face."""
FEWEST_READINGS = 3
GAP_MM, LEAST_IN_FRONT = 8.0, 0.15
"""Readings of one disc that lie so far apart are of two surfaces, if so large a share of them lies in front."""
BESIDE_MM, LEAST_KNOWN = 20.0, 4
"""Landmarks farther from the mean face than this are on no face, where at least this number of the five places it."""
MOST_OFF_MM = 20.0
"""Where one of the five is farther from the mean face's, nothing is said."""
FIVE_OF_68 = ([36, 37, 38, 39, 40, 41], [42, 43, 44, 45, 46, 47], [30], [48], [54])
N_DENSE = 478
MOST_RADIUS_PX = 64.0
"""No disc of one landmark of many is larger: landmarks far outside an image spread without bound."""


def lift_landmarks(
    depth: np.ndarray, intrinsics: np.ndarray, landmarks: np.ndarray, distortion: np.ndarray | None = None
) -> np.ndarray | None:
    """Return the landmarks in 3D, each at a robust depth of the readings around its pixel.

    Windows are discs whose radius is a share of the landmarks' spread: 8 % of it for eyes and mouth corners (median),
    15 % for the nose tip (15th percentile, as it is a peak). Where a disc holds too few readings it is doubled, twice.

    Args:
        depth: f4 (H, W), mm along the optical axis, 0 = no reading.
        intrinsics: (4,) fx, fy, cx, cy in px.
        landmarks: (5, 2), px: eyes, nose, mouth corners.
        distortion: (13,) of the lens; None for a pinhole.

    Returns:
        f4 (5, 3), mm, camera frame; None where a landmark has no reading near it, or is where the lens shows nothing.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if not np.isfinite(landmarks).all():
        return None
    spread = max(float(np.ptp(landmarks, axis=0).max()), 4.0)
    reference = _reference_depth(depth, landmarks)
    if reference is None:
        return None
    z = np.empty(5)
    for index, pixel in enumerate(landmarks):
        share, percentile = (0.15, NOSE_PERCENTILE) if index == NOSE else (0.08, 50.0)
        found = _depth_around(depth, pixel, share * spread, percentile, reference)
        if found is None:
            return None
        z[index] = found
    lifted = unproject(landmarks, z, intrinsics, distortion).astype(np.float32)
    return None if distortion is not None and np.isnan(lifted).any() else lifted


def lift_from_grid(grid: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
    """Return landmarks that were found in a picture registered to a scanner's grid, in 3D.

    Depth is as robust as in `lift_landmarks`; x and y are medians of the points in a disc around the pixel.

    Args:
        grid: f4 (H, W, 3), mm, camera frame, NaN = nothing.
        landmarks: (5, 2), px of the grid: eyes, nose, mouth corners.

    Returns:
        f4 (5, 3), mm, in the frame of the grid; None where a landmark has no point near it.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if not np.isfinite(landmarks).all() or not np.isfinite(grid[..., 2]).any():
        return None
    spread = max(float(np.ptp(landmarks, axis=0).max()), 4.0)
    # A grid's depth may begin at 0 or below; as depth 0 means nothing, it is moved.
    lift = 1.0 - float(np.nanmin(grid[..., 2]))
    depth = np.nan_to_num(grid[..., 2] + np.float32(lift), nan=0.0)
    reference = _reference_depth(depth, landmarks)
    if reference is None:
        return None
    found = np.empty((5, 3))
    for index, pixel in enumerate(landmarks):
        share, percentile = (0.15, NOSE_PERCENTILE) if index == NOSE else (0.08, 50.0)
        z = _depth_around(depth, pixel, share * spread, percentile, reference)
        if z is None:
            return None
        near = np.array([_middle(grid[..., axis], pixel, 0.06 * spread) for axis in (0, 1)])
        found[index] = [*near, z - lift]
    return found.astype(np.float32) if np.isfinite(found).all() else None


def lift_many(
    depth: np.ndarray, intrinsics: np.ndarray, landmarks: np.ndarray, distortion: np.ndarray | None = None
) -> np.ndarray:
    """Return a large set of landmarks in 3D, each at the median depth of the readings in a small disc around it.

    As with the five, a disc that holds fewer than 3 readings of the face's depth is doubled, twice; a landmark that
    still has none is unknown, which does not concern the others. Where a disc shows an edge, what is in front counts;
    a landmark that lies on what is behind the face all the same is unknown, too.

    Args:
        depth: f4 (H, W), mm along the optical axis, 0 = no reading.
        intrinsics: (4,) fx, fy, cx, cy in px.
        landmarks: (n, 2), px, NaN = unknown.
        distortion: (13,) of the lens; None for a pinhole.

    Returns:
        f4 (n, 3), mm, camera frame; NaN where nothing was read near a landmark, or the lens shows nothing.
    """
    pixels = np.asarray(landmarks, np.float64)
    known = np.isfinite(pixels).all(axis=1)
    found = np.full((len(pixels), 3), np.nan, np.float32)
    reference = _reference_depth(depth, pixels[known]) if known.any() else None
    if reference is not None:
        (z,) = _medians((depth,), depth, reference, pixels[known])
        found[known] = unproject(pixels[known], z, intrinsics, distortion)
        found[_beyond_the_face(found)] = np.nan
    return found


def lift_many_from_grid(grid: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return a large set of landmarks, found in a picture registered to a scanner's grid, in 3D; see `lift_many`.

    Args:
        grid: f4 (H, W, 3), mm, camera frame, NaN = nothing.
        landmarks: (n, 2), px of the grid, NaN = unknown.

    Returns:
        f4 (n, 3), mm, in the frame of the grid: medians of x, y and z in the disc; NaN where nothing is near.
    """
    pixels = np.asarray(landmarks, np.float64)
    known = np.isfinite(pixels).all(axis=1)
    found = np.full((len(pixels), 3), np.nan, np.float32)
    lift = 1.0 - float(np.nanmin(grid[..., 2])) if np.isfinite(grid[..., 2]).any() else 0.0
    lifted = np.nan_to_num(grid[..., 2] + np.float32(lift), nan=0.0)
    reference = _reference_depth(lifted, pixels[known]) if known.any() else None
    if reference is not None:
        channels = [grid[..., axis] for axis in range(3)]
        found[known] = np.stack(_medians(channels, lifted, reference, pixels[known]), axis=1)
        found[_beyond_the_face(found)] = np.nan
    return found


def _medians(
    channels: Sequence[np.ndarray], depth: np.ndarray, reference: float, pixels: np.ndarray
) -> list[np.ndarray]:
    """Return for each channel the median (n,) around each pixel, of where the depth is the face's; NaN without any."""
    low, high = np.percentile(pixels, [5, 95], axis=0)  # a few that went astray widen no disc
    radius = max(MANY_SHARE * float((high - low).max()), 1.0)
    medians = [np.full(len(pixels), np.nan) for _ in channels]
    left = np.arange(len(pixels))
    for grown in (1.0, 2.0, 4.0):
        columns, rows, inside = _discs(pixels[left], min(radius * grown, MOST_RADIUS_PX), depth.shape)
        z = depth[rows, columns]
        inside &= (z > 0) & (np.abs(z - reference) <= FACE_BAND_MM)
        count = inside.sum(axis=1)
        enough = count >= FEWEST_READINGS
        places = left[enough]
        chosen = _before_a_gap(z[enough], inside[enough])
        number = chosen.sum(axis=1)
        for median, channel in zip(medians, channels, strict=True):
            values = np.where(chosen, channel[rows[enough], columns[enough]], np.float32(np.inf))
            values.sort(axis=1)
            each = np.arange(len(values))
            median[places] = (values[each, (number - 1) // 2].astype(np.float64) + values[each, number // 2]) / 2
        left = left[~enough]
        if not len(left):
            break
    return medians


def _before_a_gap(z: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return which readings (n, k) of discs count: where a disc shows an edge, those of what is in front."""
    ordered = np.where(inside, z, np.float32(np.inf))
    ordered.sort(axis=1)
    with np.errstate(invalid="ignore"):
        steps = np.diff(ordered, axis=1)
    count = inside.sum(axis=1, keepdims=True)
    least = np.maximum(FEWEST_READINGS, np.ceil(LEAST_IN_FRONT * count)).astype(np.int64)
    place = np.arange(1, steps.shape[1] + 1)
    edge = (steps > GAP_MM) & (place >= least) & (place < count)
    behind = np.where(edge.any(axis=1), np.argmax(edge, axis=1), ordered.shape[1] - 1)
    last = np.where(np.isfinite(ordered), ordered, -np.inf)[np.arange(len(z)), behind]
    last = np.where(edge.any(axis=1), last, np.float32(np.inf))
    return inside & (z <= last[:, None])


def _beyond_the_face(points: np.ndarray) -> np.ndarray:
    """Return which of 68 or 478 landmarks (n, 3), mm, lie on what is beside or behind the face, bool (n,).

    The mean face, brought onto eyes, nose and mouth and to their size, says where a face can be: it passes within
    `BESIDE_MM` of every landmark, those at the ears too.
    """
    beyond = np.zeros(len(points), bool)
    if len(points) not in (68, N_DENSE):
        return beyond
    of_68 = points if len(points) == 68 else points[list(DENSE_OF_68)]
    five = np.stack([of_68[places].mean(axis=0) for places in FIVE_OF_68])
    known = np.isfinite(five).all(axis=1)
    if known.sum() < LEAST_KNOWN:
        return beyond
    face = mean_face()
    size = spread(five[known]) / spread(face.landmarks[known])
    if not size > 0:
        return beyond
    motion = fit_rigid(five[known] / size, face.landmarks[known])
    off = np.linalg.norm(transform(five[known] / size, motion) - face.landmarks[known], axis=1)
    if off.max() > MOST_OFF_MM:
        return beyond
    placed = transform(points / size, motion)
    there = np.isfinite(placed).all(axis=1)
    beyond[there] = face.tree.nearest(placed[there])[0] > BESIDE_MM
    return beyond


def _discs(pixels: np.ndarray, radius: float, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns, rows and whether they count, each (n, k), of the pixels in a disc around each place (n, 2)."""
    reach = int(np.ceil(radius))
    steps = np.arange(-reach, reach + 1)
    down, right = (part.ravel() for part in np.meshgrid(steps, steps, indexing="ij"))
    height, width = shape
    near = np.clip(pixels, -1e6, 1e6)  # what is farther is in no image
    columns = np.rint(near[:, :1]).astype(np.int64) + right
    rows = np.rint(near[:, 1:]).astype(np.int64) + down
    inside = (columns - near[:, :1]) ** 2 + (rows - near[:, 1:]) ** 2 <= radius**2
    inside &= (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return np.clip(columns, 0, width - 1), np.clip(rows, 0, height - 1), inside


def _middle(values: np.ndarray, pixel: np.ndarray, radius_px: float) -> float:
    """Return the median of the finite values within a radius of a pixel, NaN where there are none in reach."""
    height, width = values.shape
    for grown in (1.0, 2.0, 4.0):
        radius = max(radius_px * grown, 1.0)
        x0, x1 = np.clip([np.ceil(pixel[0] - radius), np.floor(pixel[0] + radius) + 1], 0, width).astype(int)
        y0, y1 = np.clip([np.ceil(pixel[1] - radius), np.floor(pixel[1] + radius) + 1], 0, height).astype(int)
        part = values[y0:y1, x0:x1]
        if np.isfinite(part).any():
            return float(np.nanmedian(part))
    return float("nan")


def _reference_depth(depth: np.ndarray, landmarks: np.ndarray) -> float | None:
    """Return the median depth of the box of the landmarks, which shows little but face, or None without readings."""
    height, width = depth.shape
    x0, y0 = np.clip(np.floor(landmarks.min(0)), 0, [width, height]).astype(int)
    x1, y1 = np.clip(np.ceil(landmarks.max(0)) + 1, 0, [width, height]).astype(int)
    readings = _readings(depth[y0:y1, x0:x1])
    return float(np.median(readings)) if len(readings) else None


def _depth_around(
    depth: np.ndarray, pixel: np.ndarray, radius_px: float, percentile: float, reference: float
) -> float | None:
    for grown in (1.0, 2.0, 4.0):
        readings = _disc(depth, pixel, max(radius_px * grown, 1.0))
        readings = readings[np.abs(readings - reference) <= FACE_BAND_MM]
        if len(readings) >= FEWEST_READINGS:
            return float(np.percentile(readings, percentile))
    return None


def _disc(depth: np.ndarray, pixel: np.ndarray, radius_px: float) -> np.ndarray:
    """Return the readings within a radius of a pixel, those that are outside the image left out."""
    height, width = depth.shape
    u, v = pixel
    x0, x1 = np.clip([np.ceil(u - radius_px), np.floor(u + radius_px) + 1], 0, width).astype(int)
    y0, y1 = np.clip([np.ceil(v - radius_px), np.floor(v + radius_px) + 1], 0, height).astype(int)
    rows, columns = np.ogrid[y0:y1, x0:x1]
    inside = (columns - u) ** 2 + (rows - v) ** 2 <= radius_px**2
    return _readings(depth[y0:y1, x0:x1][inside])


def _readings(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values) & (values > 0)]

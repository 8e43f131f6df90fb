"""Pictures of samples: colour with its marks, depth in colours, points from the front and from the side.

Plain arrays in, RGB images out; the names are those of `face3d_data.sample.ARRAYS`. OpenCV and matplotlib are imported
on first use, and matplotlib is drawn with directly, without pyplot and its global state.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import write_atomic
from face3d_data.pictures.map_picture import map_pictures
from face3d_data.sample import ArrayMap

BOX_RGB = (60, 220, 90)
LANDMARK_RGB = (255, 235, 60)
MANY_RGB = {"landmarks_dense": (120, 230, 255), "landmarks_68": (255, 110, 200)}
LABEL_RGB = np.array([[214, 178, 158], [86, 160, 232], [236, 150, 60]], np.float32)
"""Colours of points by `occlusion`: skin, mask, other occluder."""
BACKGROUND = 24
FACE_DEPTH_MM = 130.0
MARGIN = 0.35
"""Share of the box's size that a close-up shows around it."""
TITLE_LETTERS = 48
"""Number of letters of a title that fit above one panel of a sample's picture."""


def color_depth(depth: np.ndarray, span: tuple[float, float] | None = None) -> np.ndarray:
    """Return a depth map in colours: near is red, far is blue, no reading is black.

    Args:
        depth: (H, W) mm; 0, NaN and infinities are no reading.
        span: depths of the two ends of the scale, mm; the 2nd and 98th percentile by default.

    Returns:
        u1 (H, W, 3) RGB.
    """
    import cv2

    valid = np.isfinite(depth) & (depth > 0)
    if not valid.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = span or np.percentile(depth[valid], (2, 98))
    filled = np.where(valid, depth, far)
    level = np.clip((far - filled) / max(float(far - near), 1e-6), 0, 1)
    image = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1].copy()
    image[~valid] = 0
    return image


def draw_marks(image: np.ndarray, arrays: ArrayMap) -> np.ndarray:
    """Return a copy of an image with `box` and all landmarks drawn on it, where they are among `arrays`.

    Args:
        image: u1 (H, W, 3) RGB.
        arrays: may hold `box` (4,), `landmarks` (5, 2) and the larger sets (n, 2), px of the image.
    """
    import cv2

    marked = np.ascontiguousarray(image).copy()
    width = max(1, round(max(marked.shape[:2]) / 320))
    if "box" in arrays:
        x1, y1, x2, y2 = (round(float(value)) for value in arrays["box"])
        cv2.rectangle(marked, (x1, y1), (x2, y2), BOX_RGB, width)
    for name in [name for name in MANY_RGB if name in arrays]:
        for x, y in np.clip(arrays[name][np.isfinite(arrays[name]).all(axis=1)], -1e4, 1e4):
            cv2.circle(marked, (round(float(x)), round(float(y))), width // 2, MANY_RGB[name], cv2.FILLED)
    if "landmarks" in arrays:
        for x, y in arrays["landmarks"]:
            centre = (round(float(x)), round(float(y)))
            cv2.circle(marked, centre, width + 2, (0, 0, 0), cv2.FILLED)
            cv2.circle(marked, centre, width + 1, LANDMARK_RGB, cv2.FILLED)
    return marked


def two_sides(points: np.ndarray, pose: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where points are in a picture from the front and in one from the side.

    Args:
        points: (N, 3) mm.
        pose: (4, 4) camera frame to frame of `points`. It tells the face frame (y up, z towards the viewer) from the
            camera frame (y down, z forward); without it the camera frame is taken.

    Returns:
        front (N, 2) mm, right and up; side (N, 2) mm, towards the viewer and up; nearness (N,) mm, larger is nearer.
    """
    in_face_frame = pose is not None and pose[2, 2] < 0
    sign = 1.0 if in_face_frame else -1.0
    x, up, near = points[:, 0], sign * points[:, 1], sign * points[:, 2]
    return np.stack([x, up], 1), np.stack([near, up], 1), near


def draw_points(
    view: np.ndarray,
    nearness: np.ndarray,
    rgb: np.ndarray,
    size: int,
    limits: np.ndarray | None = None,
    dot_px: int | None = None,
) -> np.ndarray:
    """Return a picture of points as dots, the nearer over the farther.

    Args:
        view: (N, 2) mm, right and up.
        nearness: (N,) mm, larger is nearer.
        rgb: u1 (N, 3), the points' colours.
        size: width and height of the picture, px.
        limits: (2, 2) mm, what the picture spans: lower left and upper right; the points' own by default.
        dot_px: width of a dot, an odd number; as wide as there is room for all by default.

    Returns:
        u1 (size, size, 3) RGB.
    """
    image = np.full((size, size, 3), BACKGROUND, np.uint8)
    if not len(view):
        return image
    low, high = (view.min(0), view.max(0)) if limits is None else limits
    scale = (size - 8) / max(float((high - low).max()), 1e-6)
    xy = (view - (low + high) / 2) * scale + size / 2
    order = np.argsort(nearness, kind="stable")
    column, row = xy[order, 0].astype(int), (size - 1 - xy[order, 1]).astype(int)
    reach = max(0, round(size / 2 / np.sqrt(len(view)) - 0.5)) if dot_px is None else dot_px // 2
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            image[np.clip(row + dy, 0, size - 1), np.clip(column + dx, 0, size - 1)] = rgb[order]
    return image


def point_rgb(arrays: ArrayMap, nearness: np.ndarray) -> np.ndarray:
    """Return a colour for each point, u1 (N, 3): its own where known, else by nearness, shaded by its normal.

    Where a mask or another occluder is labelled, the colour tells what a point is of, and nearer ones are lighter.
    """
    if "point_colors" in arrays:
        return arrays["point_colors"]
    labels = arrays.get("occlusion")
    if labels is not None and labels.any():
        level = (nearness - nearness.min()) / max(float(np.ptp(nearness)), 1e-6)
        rgb = LABEL_RGB[np.minimum(labels, len(LABEL_RGB) - 1)] * (0.4 + 0.6 * level[:, None])
    else:
        rgb = color_depth((nearness.max() - nearness + 1)[None]).astype(np.float32)[0]
    if "normals" in arrays:
        rgb *= 0.35 + 0.65 * np.abs(arrays["normals"][:, 2:])
    return rgb.astype(np.uint8)


def panels(arrays: ArrayMap, size: int, close_up: bool = False) -> list[tuple[str, np.ndarray]]:
    """Return what can be shown of a sample, as (caption, u1 (size, size, 3) RGB).

    Args:
        arrays: any of `ARRAYS`; what is absent has no panel.
        size: width and height of each panel, px.
        close_up: cut colour and depth down to the surroundings of `box`.
    """
    found: list[tuple[str, np.ndarray]] = []
    images = [(name, arrays[name], arrays) for name in ("color",) if name in arrays]
    if "depth" in arrays:
        images.append(("depth", color_depth(arrays["depth"], _face_span(arrays["depth"], arrays)), arrays))
    for caption, image, marks in [*images, *_of_grid(arrays)]:
        marked = draw_marks(image, marks)
        found.append((caption, fit(_cut(marked, marks) if close_up else marked, size)))
    found += [(caption, fit(image, size)) for caption, image in map_pictures(arrays)]
    if "points" in arrays and len(arrays["points"]):
        front, side, nearness = two_sides(arrays["points"], arrays.get("pose"))
        rgb = point_rgb(arrays, nearness)
        found.append(("points, front", draw_points(front, nearness, rgb, size)))
        found.append(("points, side", draw_points(side, front[:, 0], rgb, size)))
    return found


def _of_grid(arrays: ArrayMap) -> list[tuple[str, np.ndarray, ArrayMap]]:
    """Return the pictures of a scanner's grid, with landmarks where they are on it: a photograph has its own pixels."""
    if "grid" not in arrays:
        return []
    grid = arrays["grid"]
    marks = _landmarks_on(grid, arrays)
    z = grid[..., 2]
    lowest = float(np.nanmin(z)) if np.isfinite(z).any() else 0.0
    found = [("grid_color", arrays["grid_color"], marks)] if "grid_color" in arrays else []
    return [*found, ("grid", color_depth(z - lowest + 1.0), marks)]


def _landmarks_on(grid: np.ndarray, arrays: ArrayMap) -> ArrayMap:
    """Return the pixels of a grid whose points lie nearest to the landmarks, as an array `landmarks`."""
    if "landmarks_3d" not in arrays or not np.isfinite(grid).any():
        return {}
    back = np.linalg.inv(arrays["pose"]) if "pose" in arrays else np.eye(4)
    known = arrays["landmarks_3d"][np.isfinite(arrays["landmarks_3d"]).all(1)]
    wanted = known @ back[:3, :3].T + back[:3, 3]
    apart = [np.where(np.isfinite(grid[..., 0]), ((grid - place) ** 2).sum(axis=2), np.inf) for place in wanted]
    rows, columns = np.unravel_index([int(np.argmin(distance)) for distance in apart], grid.shape[:2])
    return {"landmarks": np.stack([columns, rows], axis=1).astype(np.float32)}


def _face_span(depth: np.ndarray, arrays: ArrayMap) -> tuple[float, float] | None:
    """Return the depths between which a face in `box` lies, so that its relief has the colours to itself."""
    if "box" not in arrays:
        return None
    x1, y1, x2, y2 = np.maximum(arrays["box"], 0).astype(int)
    inside = depth[y1:y2, x1:x2]
    readings = inside[np.isfinite(inside) & (inside > 0)]
    if not len(readings):
        return None
    near = float(np.percentile(readings, 1))
    return near - 5, near + FACE_DEPTH_MM


def _cut(image: np.ndarray, arrays: ArrayMap) -> np.ndarray:
    if "box" not in arrays:
        return image
    x1, y1, x2, y2 = arrays["box"].astype(float)
    margin = MARGIN * max(x2 - x1, y2 - y1)
    top, left = max(0, int(y1 - margin)), max(0, int(x1 - margin))
    cut = image[top : max(top + 1, int(y2 + margin)), left : max(left + 1, int(x2 + margin))]
    return cut if cut.size else image


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """Return an image scaled into a square, proportions kept, on a dark ground.

    Args:
        image: u1 (H, W, 3) RGB.
        size: width and height of the square, px.
    """
    import cv2

    scale = size / max(image.shape[:2])
    width, height = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    square = np.full((size, size, 3), BACKGROUND, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=way)
    return square


def draw_sample(title: str, arrays: ArrayMap) -> np.ndarray:
    """Return a picture of one sample at one step: its panels, and axes in mm for its points.

    Args:
        title: what stands above.
        arrays: any of `ARRAYS`.

    Returns:
        u1 (H, W, 3) RGB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    images = [(caption, image) for caption, image in panels(arrays, 480) if not caption.startswith("points")]
    n_views = 2 if "points" in arrays and len(arrays["points"]) else 0
    n_panels = max(1, len(images) + n_views)
    figure = Figure(figsize=(4 * n_panels, 4.4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    lines = textwrap.fill(title, TITLE_LETTERS * n_panels, break_on_hyphens=False)
    figure.suptitle(lines, fontsize=10, parse_math=False)
    axes = figure.subplots(1, n_panels, squeeze=False)[0]
    for axis, (caption, image) in zip(axes, images, strict=False):
        axis.imshow(image)
        axis.set_title(caption, fontsize=9)
        axis.axis("off")
    if n_views:
        _plot_points(axes[-2:], arrays)
    elif not images:
        axes[0].axis("off")
        axes[0].text(0.5, 0.5, "nothing to draw", ha="center")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _plot_points(axes: Sequence[Any], arrays: ArrayMap) -> None:
    front, side, nearness = two_sides(arrays["points"], arrays.get("pose"))
    rgb = point_rgb(arrays, nearness) / 255.0
    marks = two_sides(arrays["landmarks_3d"], arrays.get("pose")) if "landmarks_3d" in arrays else None
    captions = (f"{len(front)} points, front (mm)", "from the side (mm)")
    for which, (axis, view, caption) in enumerate(zip(axes, (front, side), captions, strict=True)):
        order = np.argsort(nearness if which == 0 else front[:, 0], kind="stable")
        axis.scatter(*view[order].T, c=rgb[order], s=float(np.clip(40000 / len(view), 1, 60)), linewidths=0)
        if marks is not None:
            axis.scatter(*marks[which].T, c="red", s=14, marker="x", linewidths=1)
        axis.set_aspect("equal")
        axis.set_facecolor("#181818")
        axis.set_title(caption, fontsize=9)
        axis.tick_params(labelsize=7)


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write a picture as PNG, making its folder.

    Args:
        path: where to; replaced if it is there.
        image: u1 (H, W, 3) RGB.
    """
    import cv2

    write_atomic(Path(path), cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes())

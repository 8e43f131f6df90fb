"""Pictures of maps: height as a relief in colours, the surface's normals as RGB."""

from __future__ import annotations

import numpy as np

from face3d_data.sample import ArrayMap

LIGHT = np.array([-0.45, 0.55, 0.70])
"""Where the light comes from, face frame: from the viewer's upper left."""
HOLE = 24
SPAN_MM = (-70.0, 8.0)
"""Heights at the two ends of the colours, the same in all pictures, so that faces can be compared."""
COVERED_RGB = np.array([86.0, 160.0, 232.0])


def map_normals(channels: np.ndarray) -> np.ndarray:
    """Return the unit normals f4 (H, W, 3) of a map with slopes (4 channels) or with normals (5).

    Args:
        channels: (C, H, W): height, slopes or normal, validity.
    """
    if len(channels) >= 5:
        return np.moveaxis(channels[1:4], 0, -1).astype(np.float32)
    sx, sy = channels[1].astype(np.float32), channels[2].astype(np.float32)
    normals = np.stack([-sx, -sy, np.ones_like(sx)], axis=-1)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def map_pictures(arrays: ArrayMap) -> list[tuple[str, np.ndarray]]:
    """Return the pictures of a sample's map, as (caption, u1 (H, W, 3) RGB); none where it has no map.

    The first has the height in colours, near in red, shaded by a light from the upper left; what is occluded is blue
    where that is known. The second has the normals: from -1 to 1, x is red, y green, z blue. Holes are dark.
    """
    import cv2

    if "map" not in arrays or arrays["map"].ndim != 3 or len(arrays["map"]) < 4:
        return []
    channels = arrays["map"].astype(np.float32)
    seen, normals = channels[-1] > 0.5, map_normals(channels)
    level = np.clip((channels[0] - SPAN_MM[0]) / (SPAN_MM[1] - SPAN_MM[0]), 0, 1)
    colors = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1].astype(np.float32)
    if "map_occlusion" in arrays:
        share = arrays["map_occlusion"].astype(np.float32)[..., None]
        colors = (1 - share) * colors + share * COVERED_RGB
    relief = colors * (0.35 + 0.65 * np.clip(normals @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1))[..., None]
    pictures = (("map, height", relief), ("map, normals", (normals + 1) * 127.5))
    return [
        (caption, np.where(seen[..., None], np.rint(image), HOLE).clip(0, 255).astype(np.uint8))
        for caption, image in pictures
    ]

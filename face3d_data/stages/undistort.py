"""Stage `undistort`: remove the lens distortion of colour and depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from face3d_data.errors import Reject
from face3d_data.geometry.pinhole_image import lens_pixels, pinhole_box, pinhole_color, pinhole_depth, pinhole_pixels
from face3d_data.registry import register
from face3d_data.sample import PIXELS, Sample
from face3d_data.stage import Inputs, Names, Stage


@register
class Undistort(Stage):
    """Remove lens distortion from images; images of a pinhole camera pass unchanged.

    Needed before stages that use images with their camera (mask, occlude, augment) if the camera file has distortion.
    `to_cloud` and `locate_3d` do not need it: they undistort each point exactly. Colour is interpolated, depth is taken
    from the nearest pixel.
    """

    name: ClassVar[str] = "undistort"
    version: ClassVar[int] = 1
    inputs: ClassVar[Inputs] = (("color", "intrinsics"), ("depth", "intrinsics"))
    optional: ClassVar[Names] = ("color", "depth", "distortion", "box", *PIXELS)
    outputs: ClassVar[Names] = ("color", "depth", "box", *PIXELS)
    drops: ClassVar[Names] = ("distortion",)
    reasons: ClassVar[dict[str, str]] = {
        "size_mismatch": "colour and depth differ in size, so they are not from the same camera",
        "beyond_lens": "the box or a landmark is outside the field of view of the lens",
    }

    def created(self) -> frozenset[str]:
        """Return nothing: what is there is changed."""
        return frozenset()

    def output_bytes(self) -> int:
        """Return the bytes of colour and depth of 640 x 480 px."""
        return 7 * 640 * 480

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with its images, box and landmarks as a pinhole sees them."""
        arrays = sample.arrays
        if "distortion" not in arrays or not arrays["distortion"][:-1].any():
            yield sample.without("distortion")
            return
        camera, lens = arrays["intrinsics"], arrays["distortion"]
        sources = lens_pixels(camera, lens, self._shape(sample))
        changed: dict[str, np.ndarray] = {}
        if "color" in arrays:
            changed["color"] = pinhole_color(arrays["color"], sources)
        if "depth" in arrays:
            changed["depth"] = pinhole_depth(arrays["depth"], sources)
        if "box" in arrays:
            changed["box"] = pinhole_box(arrays["box"], camera, lens).astype(np.float32)
        for name in PIXELS:
            if name in arrays:
                changed[name] = pinhole_pixels(arrays[name], camera, lens).astype(np.float32)
        lost = next((name for name in ("box", "landmarks") if not np.isfinite(changed.get(name, 0)).all()), None)
        if lost is not None:
            raise Reject("beyond_lens", f"{lost}: check the camera's distortion")
        yield sample.with_arrays(**changed).without("distortion")

    def _shape(self, sample: Sample) -> tuple[int, int]:
        shapes = {sample.arrays[name].shape[:2] for name in ("color", "depth") if name in sample.arrays}
        if len(shapes) > 1:
            raise Reject("size_mismatch", " and ".join(f"{w}x{h}" for h, w in sorted(shapes)))
        return shapes.pop()

"""View of a face: what a sample shows of it, and estimates from it: sensor noise, light, and where things are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from face3d_data.geometry.align import every_nth, rotate, rotation_of, transform
from face3d_data.geometry.camera import Region, sphere_region, viewpoint_of
from face3d_data.geometry.normals import mesh_normals
from face3d_data.geometry.reading_noise import ReadingNoise, estimate_noise
from face3d_data.wear.cover_depth import Sight, box_pixels, see, tolerance_mm
from face3d_data.wear.cover_holes import HoleModel, measure_holes
from face3d_data.wear.cover_screen import Screen, make_screen
from face3d_data.wear.cover_spacing import finite
from face3d_data.wear.light import Light, estimate_light, image_grain
from face3d_data.wear.nearest_surface import NearestSurface, nearest_surface
from face3d_data.wear.occluder import Occluder, camera_rays

FACE_RADIUS_MM = 85.0
HALF_AXES_MM = np.array([62.0, 72.0, 55.0])
MIDDLE_MM = np.array([0.0, -5.0, -35.0])
"""An ellipsoid of the face frame that holds the face's front and little hair."""
SMOOTH_PX = 2.5
VIEWED_POINTS, LIT_POINTS, SHADED_PIXELS = 2000, 4000, 8000
FEW_RAYS = 10_000
"""As quick to cast as it is to find out which need not be."""


@dataclass(frozen=True, eq=False)
class View:
    """A face as a sample shows it. None: not present.

    Attributes:
        to_face: f8 (4, 4), camera frame to face frame, rigid or with one scale.
        color: u1 (H, W, 3), RGB.
        depth: f4 (H, W), mm, 0 = no reading; of the same size and camera.
        intrinsics: (4,) fx, fy, cx, cy in px; needed with `color` and `depth`.
        points: f4 (N, 3), mm; NaN ones are left alone.
        pose: f8 (4, 4), camera frame to the frame of `points` and `normals`; None: the same frame.
        point_colors: u1 (N, 3).
        normals: f4 (N, 3).
        occlusion: u1 (N,).
        skin: vertices f4 (V, 3) in the face frame and triangles (T, 3) of the face's estimated surface: what is
            behind the occluder where there are no readings.
    """

    to_face: np.ndarray
    color: np.ndarray | None = None
    depth: np.ndarray | None = None
    intrinsics: np.ndarray | None = None
    points: np.ndarray | None = None
    pose: np.ndarray | None = None
    point_colors: np.ndarray | None = None
    normals: np.ndarray | None = None
    occlusion: np.ndarray | None = None
    skin: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def shape(self) -> tuple[int, int] | None:
        """Height and width of the images; None without images."""
        image = self.depth if self.depth is not None else self.color
        return None if image is None or self.intrinsics is None else (image.shape[0], image.shape[1])

    @property
    def focal_px(self) -> float:
        """Focal length of the images; 1 without."""
        return 1.0 if self.intrinsics is None else float(self.intrinsics[0])

    @cached_property
    def camera_points(self) -> np.ndarray:
        """F8 (N, 3), the points in the camera frame."""
        points = np.empty((0, 3)) if self.points is None else self.points.astype(np.float64)
        with np.errstate(invalid="ignore"):
            return points if self.pose is None else transform(points, np.linalg.inv(self.pose))

    @cached_property
    def screen(self) -> Screen:
        """The camera in which the points are checked."""
        viewpoint = np.zeros(3)
        if self.shape is None:
            some = every_nth(self.camera_points[finite(self.camera_points)], VIEWED_POINTS)
            viewpoint = viewpoint_of(some, np.eye(4))
        has_depth = self.depth is not None
        return make_screen(
            self.camera_points, viewpoint, self.to_face, self.intrinsics, self.shape, with_noise=not has_depth
        )

    @cached_property
    def face_box(self) -> Region:
        """The pixels among which the face is."""
        if self.shape is None or self.intrinsics is None:
            return 0, 0, 0, 0
        return sphere_region(np.linalg.inv(self.to_face)[:3, 3], FACE_RADIUS_MM, self.intrinsics, self.shape)

    @cached_property
    def face_readings(self) -> np.ndarray:
        """F4 (h, w), the depth in `face_box`, mm; 0 where it is no number."""
        x0, y0, x1, y1 = self.face_box
        if self.depth is None:
            return np.zeros((y1 - y0, x1 - x0), np.float32)
        window = self.depth[y0:y1, x0:x1]
        return np.where(np.isfinite(window), window, np.float32(0))

    @cached_property
    def on_face(self) -> np.ndarray:
        """Bool (h, w), the pixels of `face_box` that read the face."""
        window = self.face_readings
        if self.intrinsics is None:
            return np.zeros(window.shape, bool)
        rays = camera_rays(box_pixels(self.face_box), self.intrinsics)[:, 3:]
        inside = in_face(transform(rays * window.reshape(-1, 1), self.to_face))
        return inside.reshape(window.shape) & (window > 0)

    @cached_property
    def noise(self) -> ReadingNoise:
        """The noise of the depth's readings on the face."""
        if self.depth is None:
            return ReadingNoise()
        return estimate_noise(self.face_readings, self.on_face, self.focal_px)

    @cached_property
    def holes(self) -> HoleModel:
        """How the depth loses readings; not at all where it is free of noise: what it lacks then was never there."""
        if self.depth is None or not self.noise.variances_mm2[0] + self.noise.variances_mm2[1]:
            return HoleModel()
        return measure_holes(self.face_readings)

    @cached_property
    def grain(self) -> float:
        """Standard deviation of the colour's noise on the face, 0..255."""
        x0, y0, x1, y1 = self.face_box
        return 0.0 if self.color is None else image_grain(self.color[y0:y1, x0:x1])

    @cached_property
    def light(self) -> Light:
        """The light on the face; normals in the camera frame."""
        up = self.to_face[1, :3] / np.linalg.norm(self.to_face[1, :3])
        if self.color is not None and self.intrinsics is not None and self.shape is not None:
            look = self._seen_by_depth if self.depth is not None else self._seen_by_skin
            return estimate_light(*look(self.color, self.intrinsics), up)
        return Light() if self.point_colors is None else estimate_light(*self._seen_by_points(self.point_colors), up)

    @cached_property
    def surface(self) -> Occluder | None:
        """The skin as something that rays can meet."""
        if self.skin is None:
            return None
        vertices, triangles = self.skin
        return Occluder(
            vertices.astype(np.float32),
            mesh_normals(vertices, triangles),
            triangles.astype(np.uint32),
            np.zeros((len(vertices), 2), np.float32),
            np.zeros(len(triangles), np.uint8),
            lambda part, _: np.ones((len(part), 3), np.float32),
            0,
        )

    def see(self, occluder: Occluder, pixels: np.ndarray, *, clear: bool = False) -> Sight:
        """Return where pixels (N, 2), or places between them, see an occluder or its clear parts."""
        if self.intrinsics is None:
            return Sight(np.empty((0, 2)), np.empty((0, 6), np.float32), occluder.cast(np.empty((0, 6), np.float32)))
        tolerance = tolerance_mm(self.noise)
        return see(occluder, pixels, self.scene_mm, self.intrinsics, self.to_face, tolerance, clear=clear)

    def scene_mm(self, pixels: np.ndarray, before_mm: np.ndarray) -> np.ndarray:
        """Return the depth f4 (N,) of what is seen at pixels (N, 2): readings, else the skin, else infinite.

        Args:
            pixels: px.
            before_mm: (N,): where the skin is surely not before this depth, infinite is returned without a ray cast.
        """
        found = np.full(len(pixels), np.inf, np.float32)
        if self.depth is not None:
            at = np.rint(pixels).astype(np.intp)
            found = self.depth[at[:, 1], at[:, 0]]
            found = np.where((found > 0) & np.isfinite(found), found, np.inf).astype(np.float32)
        unknown = np.arange(len(pixels)) if self.depth is None else np.flatnonzero(~np.isfinite(found))
        if self.surface is None or self.intrinsics is None or not len(unknown):
            return found
        if len(unknown) > FEW_RAYS and self._nearest_skin is not None:
            unknown = unknown[(self._nearest_skin.at(pixels) < before_mm)[unknown]]
        found[unknown] = self.surface.cast(camera_rays(pixels[unknown], self.intrinsics), self.to_face).t
        return found

    @cached_property
    def _nearest_skin(self) -> NearestSurface | None:
        """The lower bound of the skin's depth in the image."""
        if self.skin is None or self.intrinsics is None or self.shape is None:
            return None
        vertices, triangles = self.skin
        seen = transform(vertices.astype(np.float64), np.linalg.inv(self.to_face))
        return nearest_surface(seen, triangles, self.intrinsics, (0, 0, self.shape[1], self.shape[0]))

    def _seen_by_depth(self, color: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return colours u1 (N, 3) and normals f4 (N, 3) of the face's pixels, from smoothed readings."""
        import cv2

        x0, y0, x1, y1 = self.face_box
        weight = self.on_face.astype(np.float32)
        if not weight.any() or min(weight.shape) < 3:
            return np.empty((0, 3), np.uint8), np.empty((0, 3), np.float32)
        window = np.where(self.on_face, self.face_readings, np.float32(0))
        share = cv2.GaussianBlur(weight, (0, 0), SMOOTH_PX)
        smooth = cv2.GaussianBlur(window, (0, 0), SMOOTH_PX) / np.maximum(share, 1e-3)
        dv, du = np.gradient(smooth)
        fx, fy, cx, cy = np.asarray(intrinsics, np.float32)
        rows, columns = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        normals = np.stack([fx * du, fy * dv, -(smooth + (columns - cx) * du + (rows - cy) * dv)], axis=-1)
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
        chosen = (weight > 0) & (share > 0.9)
        chosen[1::2] = False
        chosen[:, 1::2] = False
        return color[y0:y1, x0:x1][chosen], normals[chosen]

    def _seen_by_skin(self, color: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return colours u1 (N, 3) and normals f4 (N, 3) of the face's pixels, from the estimated skin."""
        x0, y0, x1, y1 = self.face_box
        count = (x1 - x0) * (y1 - y0)
        if self.surface is None or not count:
            return np.empty((0, 3), np.uint8), np.empty((0, 3), np.float32)
        row, column = np.divmod(np.arange(0, count, max(1, count // SHADED_PIXELS)), x1 - x0)
        pixels = np.stack([column + x0, row + y0], axis=1).astype(np.float64)
        rays = camera_rays(pixels, intrinsics)
        hits = self.surface.cast(rays, self.to_face)
        met = hits.found
        near = np.flatnonzero(met)[in_face(transform(rays[met, 3:] * hits.t[met, None], self.to_face))]
        normals = self.surface.at(hits.take(near), rays[near], self.to_face).normals
        at = pixels[near].astype(np.intp)
        return color[at[:, 1], at[:, 0]], rotate(normals, rotation_of(self.to_face).T)

    def _seen_by_points(self, point_colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return colours u1 (N, 3) and normals f4 (N, 3) of the face's points, from theirs or the estimated skin."""
        with np.errstate(invalid="ignore"):
            near = np.flatnonzero(in_face(transform(self.camera_points, self.to_face)))
        if self.normals is not None:
            pose = np.eye(4) if self.pose is None else self.pose
            return point_colors[near], rotate(self.normals[near], rotation_of(pose).T)
        if self.surface is None:
            return np.empty((0, 3), np.uint8), np.empty((0, 3), np.float32)
        near = near[:: max(1, len(near) // LIT_POINTS)]
        rays = np.zeros((len(near), 6), np.float32)
        rays[:, 3:] = self.camera_points[near] - self.screen.offset
        hits = self.surface.cast(rays, self.screen.to_face)
        met = np.flatnonzero(hits.found)
        normals = self.surface.at(hits.take(met), rays[met], self.screen.to_face).normals
        return point_colors[near[met]], rotate(normals, rotation_of(self.to_face).T)


def in_face(places: np.ndarray) -> np.ndarray:
    """Return bool (N,), whether places (N, 3) of the face frame are on the front of a face, hair left out mostly."""
    return np.asarray((((places - MIDDLE_MM) / HALF_AXES_MM) ** 2).sum(axis=1) <= 1)

"""Judge one worn mask against the truth: geometry by ray casts and fits of its own, images byte by byte.

Nothing here is taken from the code that makes masks but the mesh that it says the mask is (`Occluder`) and where it
says the face frame lies (`to_face`). Everything is judged in the camera frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from mask_truth import Capture
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import project
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.sample import Sample
from face3d_data.wear.head_map import CENTRE
from face3d_data.wear.occluder import Occluder

ALLOWED_MM = 1.0
SIGMAS = 3.0
NEAR_MM, SIGMAS_BEFORE = 6.0, 4.0
"""What the scene shows nearer than the mask by more than this stays before it: a hand, a strand."""
SAME_MM = 2.0
FIT_NEIGHBOURS = 80
REACH_MM = 3.0
"""The skin is known from the cloud only where a reading lies so near beside the place, along the skin."""
ZONES = ("bridge", "cheeks", "chin")
OUTLINE_STEP_MM = 2.0


class Mesh:
    """A triangle mesh to cast rays at.

    Args:
        vertices: (V, 3), mm.
        triangles: (T, 3).
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        self.vertices = np.ascontiguousarray(vertices, np.float32)
        self.triangles = np.ascontiguousarray(triangles, np.uint32)
        core = open3d().core
        self.scene = open3d().t.geometry.RaycastingScene(nthreads=1)
        self.scene.add_triangles(core.Tensor(self.vertices), core.Tensor(self.triangles))

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Return the ray parameter (N,) of the first hit along directions (N, 3) from one origin, inf for none."""
        rays = np.concatenate([np.broadcast_to(origin, direction.shape), direction], axis=1).astype(np.float32)
        return self.scene.cast_rays(open3d().core.Tensor(rays), nthreads=1)["t_hit"].numpy().astype(np.float64)

    def cast_at(self, points: np.ndarray) -> np.ndarray:
        """Return the depth (N,) at which the camera's rays through points (N, 3) meet the mesh, inf for none."""
        return self.cast(np.zeros(3), points / points[:, 2:])

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance (N,) of points from the surface, negative behind it (the triangles' back)."""
        near = self.scene.compute_closest_points(open3d().core.Tensor(points.astype(np.float32)), nthreads=1)
        offset = points - near["points"].numpy()
        side = np.sign(np.einsum("ni,ni->n", offset, near["primitive_normals"].numpy()))
        return np.linalg.norm(offset, axis=1) * side


@dataclass(frozen=True, eq=False)
class Worn:
    """A mask as it was put on a capture.

    Attributes:
        capture: the plain capture and its truth.
        sample: what the stage made of it.
        occluder: the mask's mesh.
        to_face: f8 (4, 4), camera frame to the frame of the mesh.
        softening_px: the radius by which colour may change beyond the silhouette.
    """

    capture: Capture
    sample: Sample
    occluder: Occluder
    to_face: np.ndarray
    softening_px: float = 2.0

    @cached_property
    def vertices(self) -> np.ndarray:
        """The mesh's vertices (V, 3), camera frame, mm."""
        return transform(self.occluder.vertices.astype(np.float64), np.linalg.inv(self.to_face))

    @cached_property
    def main_triangles(self) -> np.ndarray:
        """The triangles (T, 3) of the mask itself, straps, valves and other fittings left out."""
        return self.occluder.triangles[self.occluder.part == 0]

    @cached_property
    def main(self) -> Mesh:
        """The mask without its fittings."""
        return Mesh(self.vertices, self.main_triangles)

    @cached_property
    def whole(self) -> Mesh:
        """The mask with straps and all."""
        return Mesh(self.vertices, self.occluder.triangles)

    @cached_property
    def plain_points(self) -> np.ndarray:
        """The plain capture's points (N, 3) after `clean`, camera frame."""
        return in_camera(self.capture.sample)

    def sigma(self, z: np.ndarray) -> np.ndarray:
        """Return the standard deviation of readings at depths z, mm."""
        return self.capture.noise * z**2

    def silhouette(self, mesh: Mesh, offsets: tuple[float, ...] = (0.0,)) -> tuple[np.ndarray, np.ndarray]:
        """Return bool (H, W), pixels in which the mesh is met at some of the offsets (px, in u and v), and its depth.

        The depth (H, W), mm, is that along the rays through the pixels' centres, inf where none is met.
        """
        height, width = self.capture.sample.arrays["depth"].shape
        fx, fy, cx, cy = self.capture.sample.arrays["intrinsics"]
        pixels = project(self.vertices, self.capture.sample.arrays["intrinsics"])
        u0, v0 = np.clip(np.floor(pixels.min(0)).astype(int) - 1, 0, [width, height])
        u1, v1 = np.clip(np.ceil(pixels.max(0)).astype(int) + 2, 0, [width, height])
        v, u = np.mgrid[v0:v1, u0:u1]
        touched, depth = np.zeros((height, width), bool), np.full((height, width), np.inf)
        for du in offsets:
            for dv in offsets:
                rays = np.stack([(u + du - cx) / fx, (v + dv - cy) / fy, np.ones(u.shape)], axis=-1)
                met = mesh.cast(np.zeros(3), rays.reshape(-1, 3)).reshape(u.shape)
                touched[v0:v1, u0:u1] |= np.isfinite(met)
                if du == dv == 0:
                    depth[v0:v1, u0:u1] = met
        return touched, depth


def in_camera(sample: Sample) -> np.ndarray:
    """Return a sample's points f8 (N, 3) in the camera frame."""
    return transform(sample.arrays["points"].astype(np.float64), np.linalg.inv(sample.arrays["pose"]))


def in_front(worn: Worn) -> dict[str, float]:
    """Count plain points inside the outline, and those that lie before the surface by more than is allowed.

    Twice: along the rays from the head's centre, and along the camera's, on which the noise lies. For information, how
    far the farthest of them lies from the surface at its nearest: a ray that grazes a nose wing tells more.
    """
    points = worn.plain_points
    allowed = ALLOWED_MM + SIGMAS * worn.sigma(points[:, 2])
    centre = transform(CENTRE[None], np.linalg.inv(worn.to_face))[0]
    outward = points - centre
    share = worn.main.cast(centre, outward)  # 1 at the point itself
    radial = np.isfinite(share) & ((1 - share) * np.linalg.norm(outward, axis=1) > allowed)
    met = worn.main.cast_at(points)
    seen = np.isfinite(met) & (met - points[:, 2] > allowed)
    return {
        "inside_radial": int(np.isfinite(share).sum()),
        "front_radial": int(radial.sum()),
        "inside_camera": int(np.isfinite(met).sum()),
        "front_camera": int(seen.sum()),
        "farthest_front_mm": float(np.abs(worn.main.signed_distance(points[seen | radial])).max(initial=0.0)),
    }


def outline(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, int]:
    """Return points (N, 3) along the border of a mesh, evenly, and the number of its closed lines: 1 without holes.

    Vertices at one place count as one.
    """
    places, index = np.unique(np.round(vertices, 3), axis=0, return_inverse=True)
    corners = index.reshape(-1)[triangles]
    edges = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1)
    edges = edges[edges[:, 0] != edges[:, 1]]
    edges, counts = np.unique(edges, axis=0, return_counts=True)
    edges = edges[counts == 1]
    lines = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(places), len(places)))
    n_lines = len(np.unique(connected_components(lines, directed=False)[1][edges[:, 0]]))
    start, end = (places[edges[:, i]] for i in (0, 1))
    length = np.linalg.norm(end - start, axis=1)
    total = np.cumsum(length)
    if not len(total):
        return np.zeros((0, 3)), 0
    at = np.arange(OUTLINE_STEP_MM / 2, total[-1], OUTLINE_STEP_MM)
    edge = np.minimum(np.searchsorted(total, at), len(total) - 1)
    share = 1 - (total[edge] - at) / np.maximum(length[edge], 1e-9)
    return start[edge] + share[:, None] * (end - start)[edge], n_lines


def cloud_skin_distance(places: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Return the signed distance (N,) of places from the skin as the cloud shows it, NaN where it shows none there.

    A quadric is fitted to the 80 points round the nearest one, twice, the second time without what lies off; its
    height at the foot of the place, and its slope there, give the distance along the normal. Positive: before it.
    """
    tree = cKDTree(cloud)
    _, nearest = tree.query(places)
    _, index = tree.query(cloud[nearest], k=min(FIT_NEIGHBOURS, len(cloud)))
    around = cloud[index]
    middle = around.mean(1, keepdims=True)
    _, _, axes = np.linalg.svd(around - middle, full_matrices=False)
    axes[np.einsum("ni,ni->n", axes[:, 2], middle[:, 0]) > 0, 2] *= -1  # normals look to the camera
    local = np.einsum("nki,nji->nkj", around - middle, axes)
    foot = np.einsum("ni,nji->nj", places - middle[:, 0], axes)
    u, v, h = (local[..., i] for i in range(3))
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    weight = np.ones_like(h)
    for _ in range(3):
        root = np.sqrt(weight)[..., None]
        coefficients = np.einsum("nij,nj->ni", np.linalg.pinv(basis * root), h * root[..., 0])
        left = h - np.einsum("nki,ni->nk", basis, coefficients)
        scale = 1.4826 * np.median(np.abs(left), axis=1, keepdims=True) + 1e-3
        weight = 1 / (1 + (left / (2 * scale)) ** 2)
    a, b = foot[:, 0], foot[:, 1]
    c = coefficients.T
    height = c[0] + c[1] * a + c[2] * b + c[3] * a * a + c[4] * a * b + c[5] * b * b
    slope = np.hypot(c[1] + 2 * c[3] * a + c[4] * b, c[2] + c[4] * a + 2 * c[5] * b)
    beside = np.hypot(u - a[:, None], v - b[:, None])
    known = np.sort(beside, axis=1)[:, :3].max(1) <= REACH_MM
    return np.where(known, (foot[:, 2] - height) / np.hypot(1, slope), np.nan)


def zone_of(places: np.ndarray, worn: Worn) -> np.ndarray:
    """Return the zone of each place (N, 3) of an outline: its number in `ZONES`, -1 elsewhere (along the jaw).

    Told by the true landmarks in the mask's face frame: the bridge lies above the nose tip and within 10 mm of the
    middle, the chin below the mouth and within 20 mm, the cheeks above the mouth and beyond 20 mm.
    """
    at = transform(places, worn.to_face)
    marks = transform(worn.capture.landmarks, worn.to_face)
    nose, mouth = marks[2], marks[3:].mean(0)
    across, above_mouth = np.abs(at[:, 0] - nose[0]), at[:, 1] > mouth[1]
    zone = np.full(len(at), -1)
    zone[(across <= 10) & (at[:, 1] > nose[1])] = 0
    zone[(across > 20) & above_mouth] = 1
    zone[(across <= 20) & ~above_mouth] = 2
    return zone


def fit_of_outline(worn: Worn) -> dict[str, Any]:
    """Return by zone the signed distances of the outline from the skin, the cloud's and the true one's; and holes."""
    places, n_lines = outline(worn.vertices, worn.main_triangles)
    zone = zone_of(places, worn)
    by_cloud = cloud_skin_distance(places, worn.plain_points)
    truly = Mesh(*worn.capture.skin).signed_distance(places)
    found: dict[str, Any] = {"holes": n_lines - 1}
    for number, name in enumerate(ZONES):
        here = by_cloud[zone == number]
        found[f"{name}_cloud_mm"] = here[np.isfinite(here)].round(3).tolist()
        found[f"{name}_true_mm"] = truly[zone == number].round(3).tolist()
    return found


def coverage(worn: Worn) -> dict[str, bool]:
    """Return which true landmarks the mask hides from the camera, lying behind its surface (to 1 mm)."""
    capture = worn.capture
    marks = np.vstack([capture.landmarks[2:], capture.chin, capture.menton])
    met = worn.main.cast_at(marks)
    hidden = np.isfinite(met) & (met <= marks[:, 2] + ALLOWED_MM)
    names = ("nose", "mouth_left", "mouth_right", "chin", "menton")
    return dict(zip(names, hidden.tolist(), strict=True))

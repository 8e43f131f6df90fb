"""Operation `mirror`: a mirrored face, in all arrays at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record
from face3d_data.geometry.landmark_sets import MIRRORED
from face3d_data.geometry.surface_map import mirrored_map
from face3d_data.registration.template import own_template
from face3d_data.registry import register
from face3d_data.sample import MAPS, PIXELS, POSITIONS, VERTEX_VALUES, Tag

SIGNS = np.array([-1, 1, 1], np.float32)
POSE_SIGNS = np.outer([-1, 1, 1, 1], [-1, 1, 1, 1])
"""M pose M, element by element, with M = diag(-1, 1, 1, 1)."""
IN_PIXELS: ArrayNames = ("color", "depth", "grid", "grid_color", "intrinsics", "box", *PIXELS)
IN_SPACE: ArrayNames = ("points", *(name for name in POSITIONS if name != "vertices"), "normals", "pose")


@register
class Mirror(Operation):
    """Mirror the whole capture left to right: points, normals, landmarks, images, maps, camera and pose.

    No face is symmetric, so a mirrored face counts as another person: its identity gets the suffix `~mirror`. With M =
    diag(-1, 1, 1), points become M points and `pose` becomes M pose M, as the camera is mirrored too. A fitted
    template's vertices change sides, too; one of another topology than the package's is removed.
    """

    name: ClassVar[str] = "mirror"
    acts_on: ClassVar[ArrayNames] = (*IN_PIXELS, *IN_SPACE, *MAPS, "vertices", *VERTEX_VALUES)
    removes: ClassVar[ArrayNames] = ("vertices", *VERTEX_VALUES)
    draws: ClassVar[ArrayNames] = ("mirror",)
    strengths: ClassVar[ArrayNames] = ("mirror_p",)
    identity_suffix: ClassVar[str] = "~mirror"

    mirror_p: float = Field(
        0.0, ge=0, le=1, description="probability of mirroring; a mirrored face counts as another person"
    )

    def groups(self) -> tuple[ArrayNames, ...]:
        """Return what there may be to mirror: a cloud, a scanner's grid or an image."""
        return (("points",), ("grid",), ("color",), ("depth",))

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return whether to mirror."""
        return {"mirror": bool(rng.random() < self.mirror_p)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return every array that has a left and a right, mirrored."""
        if not record["mirror"]:
            return {}
        changed = {**_mirror_space(arrays), **_mirror_images(arrays), **_mirror_pixels(arrays)}
        changed |= {**_mirror_template(arrays), **_mirror_maps(arrays)}
        for name in MIRRORED.keys() & changed.keys():
            changed[name] = np.ascontiguousarray(changed[name][MIRRORED[name]])
        return changed

    def new_identity(self, record: Record) -> str:
        """Return `~mirror` where the face was mirrored."""
        return self.identity_suffix if record["mirror"] else ""


def _mirror_space(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [name for name in IN_SPACE if name in arrays and name != "pose"]
    changed = {name: arrays[name] * SIGNS for name in names}
    return {**changed, "pose": arrays["pose"] * POSE_SIGNS} if "pose" in arrays else changed


def _mirror_template(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a fitted template's arrays by the vertices of the other side; none where it is not the package's."""
    names = [name for name in ("vertices", *VERTEX_VALUES) if name in arrays]
    mirror = own_template().mirror if names else None
    if mirror is None or any(len(arrays[name]) != len(mirror) for name in names):
        return {}
    if "vertices" in arrays and not own_template().has_topology_of(arrays["vertices"]):
        return {}
    turned = {name: np.ascontiguousarray(arrays[name][mirror]) for name in names}
    return {**turned, "vertices": turned["vertices"] * SIGNS} if "vertices" in turned else turned


def _mirror_maps(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Mirror maps, whose middle line is that of the face frame."""
    changed = {"map": mirrored_map(arrays["map"])} if "map" in arrays else {}
    if "map_occlusion" in arrays:
        changed["map_occlusion"] = np.ascontiguousarray(arrays["map_occlusion"][:, ::-1])
    return changed


def _mirror_images(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [name for name in ("color", "depth", "grid", "grid_color") if name in arrays]
    changed = {name: np.ascontiguousarray(arrays[name][:, ::-1]) for name in names}
    return {**changed, "grid": changed["grid"] * SIGNS} if "grid" in changed else changed


def _mirror_pixels(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Mirror what is measured in pixels: column u becomes `across` - u."""
    across = _across(arrays)
    changed = {}
    if "intrinsics" in arrays:
        fx, fy, cx, cy = arrays["intrinsics"]
        changed["intrinsics"] = np.array([fx, fy, across - cx, cy])
    if "box" in arrays:
        x1, y1, x2, y2 = arrays["box"]
        changed["box"] = np.array([across - x2, y1, across - x1, y2], np.float32)
    for name in PIXELS:
        if name in arrays:
            changed[name] = (arrays[name] * [-1, 1] + [across, 0]).astype(np.float32)
    return changed


def _across(arrays: Mapping[str, np.ndarray]) -> float:
    """Return the sum of the first and the last column; without an image, the camera's axis or the face stays put."""
    for name in ("depth", "color", "grid", "grid_color"):
        if name in arrays:
            return arrays[name].shape[1] - 1.0
    if "intrinsics" in arrays:
        return 2.0 * float(arrays["intrinsics"][2])
    for name, columns in (("landmarks", np.s_[:, 0]), ("box", np.s_[::2])):
        if name in arrays and np.isfinite(arrays[name][columns]).all():
            return float(arrays[name][columns].min() + arrays[name][columns].max())
    return 0.0

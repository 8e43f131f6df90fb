"""VRML 2 (VRML97): the faces of all shapes of a scene. No library that the package builds on reads it."""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.mesh import Mesh, fan
from face3d_data.formats.text_bytes import plain_text
from face3d_data.formats.vrml_nodes import Node, VrmlScene, parse_nodes

_GROUPS = ("Transform", "Group", "Collision", "Anchor", "Shape")
_REFUSED = ("Switch", "LOD", "Inline", "Billboard", "Box", "Cone", "Cylinder", "Sphere", "ElevationGrid", "Extrusion",
            "Text", "IndexedTriangleSet", "TriangleSet", "Coordinate3")  # fmt: skip
_FIELDS = {"translation": (0, 0, 0), "rotation": (0, 0, 1, 0), "scale": (1, 1, 1), "center": (0, 0, 0),
           "scaleOrientation": (0, 0, 1, 0)}  # fmt: skip


def parse_vrml(data: bytes, name: str) -> Mesh:
    """Return the mesh of a VRML 2 file: the faces of every `IndexedFaceSet`, moved by the transforms above it.

    Polygons are cut as fans; colours, normals and texture coordinates are ignored. Coordinates may be shared by `USE`.
    Nodes that could not be read without guessing (level of detail, switches, inlined files, other solids, shapes used
    twice) are refused, never left out.

    Args:
        data: the file, not compressed (`unpack` undoes that).
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line.
    """
    data = plain_text(data, name)
    if data[:10].upper() == b"#VRML V1.0":
        raise Unreadable("unreadable", f"{name}: line 1: VRML 1.0: only VRML 2 is supported")
    scene = parse_nodes(data, name)
    parts = _Parts(scene)
    parts.walk()
    if not parts.vertices:
        raise Unreadable("unreadable", f"{name}: line 1: contains no IndexedFaceSet with coordinates")
    return Mesh(np.concatenate(parts.vertices), np.concatenate(parts.triangles))


class _Parts:
    """The vertices and triangles of a scene, gathered shape by shape."""

    def __init__(self, scene: VrmlScene) -> None:
        self.scene = scene
        self.vertices: list[np.ndarray] = []
        self.triangles: list[np.ndarray] = []
        self.count = 0
        self.placed: dict[tuple[int, bytes], tuple[int, int]] = {}
        """(coordinates' byte, motion) to (first vertex, how many): shapes that share both share their vertices."""

    def walk(self) -> None:
        pending = [(node, np.eye(4)) for node in reversed(self.scene.roots)]
        while pending:
            node, motion = pending.pop()
            self._refuse(node)
            if node.kind == "IndexedFaceSet":
                self._add(node, motion)
            elif node.kind in _GROUPS:
                below = motion @ _motion(self.scene, node) if node.kind == "Transform" else motion
                pending.extend((child, below) for child in reversed(node.children))

    def _refuse(self, node: Node) -> None:
        if node.kind in _REFUSED:
            self._fail(node, f"{node.kind}: only IndexedFaceSet is read")
        for used, text in node.uses if node.kind in _GROUPS else ():
            if used in ("children", "geometry", "proxy"):
                self._fail(node, f"USE {text[:40]}: shapes that are used again are not read")

    def _fail(self, node: Node, what: str) -> None:
        raise Unreadable("unreadable", f"{self.scene.where(node.at)}: {what}")

    def _add(self, node: Node, motion: np.ndarray) -> None:
        coordinates = self._coordinates(node)
        if coordinates is None or "coordIndex" not in node.arrays:
            return
        first, count = self._place(coordinates, motion)
        indices = self.scene.numbers(node.arrays["coordIndex"], whole=True)
        wrong = np.flatnonzero((indices < -1) | (indices >= count))
        if len(wrong):
            self._fail(node, f"coordIndex {indices[wrong[0]]}, but there are {count} points")
        ends = np.flatnonzero(indices == -1)
        if not len(indices) or indices[-1] != -1:
            ends = np.append(ends, len(indices))
        starts = np.concatenate([[0], ends[:-1] + 1])
        full = ends - starts >= 3
        triangles = fan(indices, starts[full], (ends - starts)[full], count, self.scene.name) + np.int32(first)
        # A mirroring transform turns faces inside out, as `ccw FALSE` says that they are.
        flipped = (node.words.get("ccw") == "FALSE") != (np.linalg.det(motion[:3, :3]) < 0)
        self.triangles.append(triangles[:, ::-1] if flipped else triangles)

    def _coordinates(self, node: Node) -> Node | None:
        own = next((child for child in node.children if child.parent_field == "coord"), None)
        used = next((text for used, text in node.uses if used == "coord"), None)
        if own is None and used is not None:
            own = self.scene.named.get(used)
            if own is None or own.kind != "Coordinate":
                self._fail(node, f"USE {used[:40]}: no Coordinate has this name")
        return own if own is not None and own.kind == "Coordinate" and "point" in own.arrays else None

    def _place(self, coordinates: Node, motion: np.ndarray) -> tuple[int, int]:
        """Return where the points of coordinates begin among all vertices and how many they are, added if need be."""
        key = (coordinates.at, motion.tobytes())
        if key not in self.placed:
            numbers = self.scene.numbers(coordinates.arrays["point"])
            first = self.count
            # A point takes six characters where it is given: many places of one that is given once are no scan.
            if len(numbers) % 3 or first + len(numbers) // 3 > len(self.scene.data):
                self._fail(coordinates, f"point [: {len(numbers)} numbers are not points x y z, or used too often")
            points = numbers.reshape(-1, 3)
            if not np.array_equal(motion, np.eye(4)):
                points = points @ motion[:3, :3].T + motion[:3, 3]
            self.vertices.append(points)
            self.count += len(points)
            self.placed[key] = (first, len(points))
        return self.placed[key]


def _motion(scene: VrmlScene, node: Node) -> np.ndarray:
    """Return a Transform's matrix f8 (4, 4): T C R SR S -SR -C (ISO/IEC 14772-1, 6.52)."""
    values = {}
    for key, default in _FIELDS.items():
        span = node.scalars.get(key)
        numbers = scene.numbers(span) if span else np.array(default, np.float64)
        if len(numbers) != len(default) or not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e9:
            raise Unreadable(
                "unreadable", f"{scene.where(node.at)}: {key} of {len(numbers)} numbers, or with absurd values"
            )
        values[key] = numbers
    turn, own = _rotation(values["rotation"]), _rotation(values["scaleOrientation"])
    linear = turn @ own @ np.diag(values["scale"]) @ own.T
    motion = np.eye(4)
    motion[:3, :3] = linear
    motion[:3, 3] = values["translation"] + values["center"] - linear @ values["center"]
    return motion


def _rotation(axis_angle: np.ndarray) -> np.ndarray:
    axis, angle = axis_angle[:3], float(axis_angle[3])
    length = float(np.linalg.norm(axis))
    if angle == 0 or length == 0:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross

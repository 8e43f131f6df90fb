"""glTF 2.0, binary (`.glb`) or with its buffer embedded (`.gltf`): the triangles of a scene.

Evidence for a codec of our own: trimesh 5.2 reads a sparse accessor, a required extension that it does not know, and a
wrong stride or component type as other coordinates, without an error (tests/formats/test_library_faults.py).
"""

from __future__ import annotations

import base64
import reprlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.gltf_accessor import read_accessor, whole_number
from face3d_data.formats.mesh import Mesh, check_indices, colors_u1
from face3d_data.json_text import parse_json
from face3d_data.remarks import remark

_JSON, _BIN = 0x4E4F534A, 0x004E4942
_LONGEST_JSON = 4 << 20
"""Bytes: what JSON becomes in memory is bounded by this; a scan's is of a few KB."""
_TRIANGLES = 4


def parse_glb(data: bytes, name: str) -> Mesh:
    """Return the mesh of a binary glTF file (Khronos, glTF 2.0): all triangles of its scene, moved by its nodes.

    Vertex colours are given where every part has them; materials, textures, skins and morph targets are ignored.
    Compressed geometry (Draco, meshopt), sparse accessors and buffers outside the file are refused.

    Args:
        data: the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the byte or what of the JSON is wrong.
    """
    return _mesh_of(*split_glb(data, name), name)


def parse_gltf(data: bytes, name: str) -> Mesh:
    """Return the mesh of a glTF file whose buffer is embedded as base64, as `parse_glb` does.

    Raises:
        Unreadable: as `parse_glb`; a buffer in another file is refused, as its content would be in no key.
    """
    return _mesh_of(*split_gltf(data, name), name)


def _mesh_of(document: Mapping[str, Any], binary: bytes, name: str) -> Mesh:
    scene = _Scene(document, binary, name)
    scene.walk()
    if not scene.vertices:
        raise Unreadable("unreadable", f"{name}: its scene contains no triangles")
    if not scene.with_colors and any(part_has_colors(part) for part in parts_of(document)):
        remark(f"{name}: some parts have no colours: those of the others are ignored")
    colors = [part for part in scene.colors if part is not None]
    return Mesh(
        np.concatenate(scene.vertices),
        np.concatenate(scene.triangles),
        np.concatenate(colors) if len(colors) == len(scene.colors) else None,
    )


def split_glb(data: bytes, name: str) -> tuple[Mapping[str, Any], bytes]:
    """Return the JSON of a `.glb` and its binary chunk.

    Raises:
        Unreadable: `unreadable`, with the byte.
    """
    if len(data) < 20 or data[:4] != b"glTF":
        raise Unreadable("unreadable", f"{name}: byte 0: not a binary glTF file: it starts with {data[:4]!r}")
    version, length, size, kind = struct.unpack("<IIII", data[4:20])
    if version != 2 or kind != _JSON:
        raise Unreadable("unreadable", f"{name}: byte 4: glTF {version}: only version 2 is supported")
    if length > len(data) or size > min(len(data) - 20, _LONGEST_JSON):
        raise Unreadable("unreadable", f"{name}: byte 8: {length} bytes, {size} of JSON: the file has {len(data)}")
    try:
        document = parse_json(data[20 : 20 + size])
    except ValueError as error:
        raise Unreadable("unreadable", f"{name}: byte 20: not valid JSON ({error})") from None
    if not isinstance(document, Mapping):
        raise Unreadable("unreadable", f"{name}: byte 20: the JSON is not an object")
    at = 20 + size
    if len(data) < at + 8:
        return document, b""
    size, kind = struct.unpack("<II", data[at : at + 8])
    if kind != _BIN or size > len(data) - at - 8:
        raise Unreadable("unreadable", f"{name}: byte {at}: a binary chunk of {size} bytes: truncated?")
    return document, data[at + 8 : at + 8 + size]


def split_gltf(data: bytes, name: str) -> tuple[Mapping[str, Any], bytes]:
    """Return the JSON of a `.gltf` as a `.glb` has it, and its embedded buffer.

    Raises:
        Unreadable: `unreadable`: no JSON, or no buffer, several, or one in another file.
    """
    try:
        document = parse_json(data)
    except ValueError as error:
        raise Unreadable("unreadable", f"{name}: not valid JSON ({error})") from None
    buffers = document.get("buffers") if isinstance(document, Mapping) else None
    if not isinstance(buffers, list) or len(buffers) != 1 or not isinstance(buffers[0], Mapping):
        raise Unreadable("unreadable", f"{name}: JSON: expected one buffer: save it as .glb")
    uri = buffers[0].get("uri")
    if not isinstance(uri, str) or not uri.startswith("data:"):
        raise Unreadable("unreadable", f"{name}: JSON: its buffer is in another file: save it as .glb")
    _, mark, text = uri.partition(";base64,")
    try:
        binary = base64.b64decode(text, validate=True) if mark else b""
    except ValueError:
        binary = b""
    if not binary:
        raise Unreadable("unreadable", f"{name}: JSON: its embedded buffer is not base64")
    inner = {key: value for key, value in buffers[0].items() if key != "uri"}
    return {**document, "buffers": [inner]}, binary


def glb_has_colors(document: Mapping[str, Any]) -> bool:
    """Return whether all parts of all meshes have vertex colours, as far as the JSON says."""
    parts = parts_of(document)
    return bool(parts) and all(map(part_has_colors, parts))


def parts_of(document: Mapping[str, Any]) -> list[Any]:
    """Return the parts of all meshes of a document, whatever they are."""
    meshes = document.get("meshes")
    return [
        part
        for mesh in (meshes if isinstance(meshes, list) else ())
        if isinstance(mesh, Mapping) and isinstance(mesh.get("primitives"), list)
        for part in mesh["primitives"]
    ]


def part_has_colors(part: Any) -> bool:
    """Return whether a part of a mesh has vertex colours, as far as the JSON says."""
    attributes = part.get("attributes") if isinstance(part, Mapping) else None
    return isinstance(attributes, Mapping) and "COLOR_0" in attributes


class _Scene:
    """The parts of a scene, gathered node by node."""

    def __init__(self, document: Mapping[str, Any], binary: bytes, name: str) -> None:
        self.document, self.binary, self.name = document, binary, name
        self.with_colors = glb_has_colors(document)
        self.vertices: list[np.ndarray] = []
        self.triangles: list[np.ndarray] = []
        self.colors: list[np.ndarray | None] = []
        self.count = self.n_vertices = 0
        if document.get("extensionsRequired"):
            self.fail(f"it needs {reprlib.repr(document['extensionsRequired'])}, which is not supported")

    def fail(self, what: str) -> None:
        raise Unreadable("unreadable", f"{self.name}: JSON: {what}")

    def item(self, key: str, index: Any) -> Mapping[str, Any]:
        """Return one entry of a list of the document."""
        entries = self.document.get(key)
        number = whole_number(index)
        if not isinstance(entries, list) or number is None or number >= len(entries):
            self.fail(f"{key}[{reprlib.repr(index)}] does not exist")
        elif isinstance(entries[number], Mapping):
            return entries[number]
        self.fail(f"{key}[{number}] is not an object")
        return {}

    def listed(self, entry: Mapping[str, Any], key: str) -> list[Any]:
        value = entry.get(key, [])
        if not isinstance(value, list):
            self.fail(f"{key} is not a list")
        return list(value)

    def walk(self) -> None:
        """Gather the parts of all nodes of the scene; nodes are a tree, so one that is met twice is refused."""
        scene = self.item("scenes", self.document.get("scene", 0))
        pending: list[tuple[Any, np.ndarray]] = [(node, np.eye(4)) for node in reversed(self.listed(scene, "nodes"))]
        met: set[int] = set()
        while pending:
            number, above = pending.pop()
            node = self.item("nodes", number)
            if number in met:
                self.fail(f"nodes[{number}] is in the scene twice")
            met.add(number)
            motion = above @ self.motion(node)
            if not np.isfinite(motion).all():
                self.fail(f"nodes[{number}] has no finite transform")
            if "mesh" in node:
                for part in self.listed(self.item("meshes", node["mesh"]), "primitives"):
                    self.add(part, motion)
            pending.extend((child, motion) for child in reversed(self.listed(node, "children")))

    def motion(self, node: Mapping[str, Any]) -> np.ndarray:
        """Return a node's matrix f8 (4, 4): `matrix` by columns, or translation, rotation (x, y, z, w) and scale."""
        if "matrix" in node:
            return self.numbers(node, "matrix", np.eye(4).ravel()).reshape(4, 4).T
        x, y, z, w = self.numbers(node, "rotation", np.array([0.0, 0.0, 0.0, 1.0]))
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        motion = np.eye(4)
        motion[:3, :3] = turn * self.numbers(node, "scale", np.ones(3))
        motion[:3, 3] = self.numbers(node, "translation", np.zeros(3))
        return motion

    def numbers(self, node: Mapping[str, Any], key: str, default: np.ndarray) -> np.ndarray:
        value = node.get(key)
        if value is None:
            return default
        good = isinstance(value, list) and len(value) == len(default)
        if not good or not all(type(number) in (int, float) and abs(number) < 1e9 for number in value):
            self.fail(f"{key} is not {len(default)} numbers")
        return np.array(value, np.float64)

    def add(self, part: Any, motion: np.ndarray) -> None:
        attributes = part.get("attributes") if isinstance(part, Mapping) else None
        if not isinstance(attributes, Mapping) or "POSITION" not in attributes:
            self.fail("a part of a mesh has no POSITION")
            return
        if part.get("mode", _TRIANGLES) != _TRIANGLES:
            self.fail(f"a part of mode {reprlib.repr(part.get('mode'))}: only triangles are supported")
        points = self.array(attributes["POSITION"], (3,), "f")
        corners = self.array(part["indices"], (1,), "u")[:, 0] if "indices" in part else np.arange(len(points))
        self.count += len(points) + len(corners)
        if self.count > len(self.binary):
            self.fail("its nodes use the same mesh too often for a scan")
        if len(corners) % 3:
            self.fail(f"a part of {len(corners)} corners, which are not triangles")
        check_indices(corners, len(points), self.name)
        triangles = corners.astype(np.int32).reshape(-1, 3) + np.int32(self.n_vertices)
        if not np.array_equal(motion, np.eye(4)):
            points = points @ motion[:3, :3].T + motion[:3, 3]
        self.vertices.append(points)
        self.n_vertices += len(points)
        self.triangles.append(triangles[:, ::-1] if np.linalg.det(motion[:3, :3]) < 0 else triangles)
        self.colors.append(self.part_colors(attributes, len(points)) if self.with_colors else None)

    def part_colors(self, attributes: Mapping[str, Any], count: int) -> np.ndarray:
        """Return a part's colours u1 (count, 3); they are black, with a remark, where they cannot be read."""
        try:
            colors = self.array(attributes["COLOR_0"], (3, 4), "fu")
            if len(colors) != count:
                self.fail(f"{len(colors)} colours for {count} vertices")
        except Unreadable as error:
            remark(f"{error.detail}: its colours are black")
            return np.zeros((count, 3), np.uint8)
        return colors_u1(np.clip(colors[:, :3], 0.0, 1.0), self.name)

    def array(self, index: Any, columns: tuple[int, ...], kinds: str) -> np.ndarray:
        try:
            return read_accessor(self.item, self.binary, index, columns, kinds)
        except Unreadable as error:
            raise Unreadable(error.reason, f"{self.name}: {error.detail}") from None
        except ValueError as error:
            raise Unreadable("unreadable", f"{self.name}: JSON: {error}") from None

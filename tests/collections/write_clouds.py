"""Writers of point clouds from their specifications, and of tiny collections; they share nothing with codecs."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scans import FaceScan, face_scan
from write_meshes import five_entry, write_ply, y_up


def write_pcd(
    path: Path, points: np.ndarray, normals: np.ndarray, colors: np.ndarray, data: str = "binary", pad: bool = False
) -> None:
    """Write a PCD, version 0.7, with normals and colours packed as 0xRRGGBB into four bytes.

    Args:
        path: file to write.
        points: (N, 3).
        normals: (N, 3).
        colors: u1 (N, 3).
        data: ascii, binary or binary_compressed.
        pad: put four bytes of padding after x y z, as PCL does.
    """
    fields = [("x", "F", 4), ("y", "F", 4), ("z", "F", 4), *([("_", "U", 4)] if pad else []),
              ("normal_x", "F", 4), ("normal_y", "F", 4), ("normal_z", "F", 4), ("rgb", "U", 4)]  # fmt: skip
    red, green, blue = (colors[:, i].astype(np.uint32) for i in range(3))
    columns = [
        *np.asarray(points, "<f4").T,
        *([np.zeros(len(points), "<u4")] if pad else []),
        *np.asarray(normals, "<f4").T,
        (red * 65536 + green * 256 + blue).astype("<u4"),
    ]
    header = [
        "# .PCD v0.7 - Point Cloud Data file format",
        "VERSION 0.7",
        "FIELDS " + " ".join(name for name, _, _ in fields),
        "SIZE " + " ".join(str(size) for _, _, size in fields),
        "TYPE " + " ".join(kind for _, kind, _ in fields),
        "COUNT " + " ".join("1" for _ in fields),
        f"WIDTH {len(points)}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {len(points)}",
        f"DATA {data}",
    ]
    path.write_bytes(("\n".join(header) + "\n").encode() + _pcd_body(columns, data))


def _pcd_body(columns: Sequence[np.ndarray], data: str) -> bytes:
    rows = zip(*columns, strict=True)
    if data == "ascii":
        lines = [" ".join(f"{value:.9g}" if value.dtype.kind == "f" else str(value) for value in row) for row in rows]
        return ("\n".join(lines) + "\n").encode()
    if data == "binary":
        return b"".join(b"".join(value.tobytes() for value in row) for row in rows)
    plain = b"".join(column.tobytes() for column in columns)
    packed = lzf_literals(plain)
    return struct.pack("<II", len(packed), len(plain)) + packed


def lzf_literals(data: bytes) -> bytes:
    """Return an LZF stream that holds `data` as runs of at most 32 literal bytes; runs of zeros as references."""
    out, at = bytearray(), 0
    while at < len(data):
        zeros = 0
        while at > 0 and data[at - 1] == 0 and zeros < 264 and data[at + zeros : at + zeros + 1] == b"\0":
            zeros += 1
        if zeros >= 3:
            # A reference one byte back, of length + 2: it copies what it is itself writing.
            length = zeros - 2
            out += bytes([length << 5, 0]) if length < 7 else bytes([7 << 5, length - 7, 0])
            at += zeros
            continue
        run = data[at : at + 32]
        stop = run.find(b"\0\0\0\0", 1)
        run = run[: stop + 1] if stop > 0 else run
        out += bytes([len(run) - 1]) + run
        at += len(run)
    return bytes(out)


def write_text(path: Path, table: np.ndarray, separator: str = " ", header: str = "") -> None:
    """Write a table, a row a line, behind a header line."""
    rows = [separator.join(f"{value:.9g}" for value in row) for row in np.asarray(table)]
    path.write_text("\n".join([*([header] if header else []), *rows]) + "\n")


def write_bc(path: Path, table: np.ndarray) -> None:
    """Write a table (N, 3) or (N, 7) as raw little-endian float32, one column after the other."""
    path.write_bytes(b"".join(np.ascontiguousarray(column, "<f4").tobytes() for column in np.asarray(table).T))


def _columns(points: np.ndarray, colors: np.ndarray) -> dict[str, np.ndarray]:
    columns = {axis: np.ascontiguousarray(points[:, i], np.float32) for i, axis in enumerate("xyz")}
    return columns | {name: colors[:, i] for i, name in enumerate(("red", "green", "blue"))}


Writer = Callable[[Path, np.ndarray, np.ndarray, np.ndarray], None]
CLOUD_WRITERS: dict[str, Writer] = {
    ".ply": lambda path, p, n, c: write_ply(path, _columns(p, c)),
    "_big.ply": lambda path, p, n, c: write_ply(path, _columns(p, c), body="binary_big_endian"),
    "_text.ply": lambda path, p, n, c: write_ply(path, _columns(p, c), body="ascii"),
    "_text.pcd": lambda path, p, n, c: write_pcd(path, p, n, c, "ascii"),
    ".pcd": lambda path, p, n, c: write_pcd(path, p, n, c, "binary", pad=True),
    "_packed.pcd": lambda path, p, n, c: write_pcd(path, p, n, c, "binary_compressed"),
    ".xyz": lambda path, p, n, c: write_text(path, np.hstack([p, n])),
    ".txt": lambda path, p, n, c: write_text(path, np.hstack([p, c]), header="# x y z r g b"),
    ".csv": lambda path, p, n, c: write_text(path, p, ";", "x;y;z"),
    ".pts": lambda path, p, n, c: write_text(path, np.hstack([p, c[:, :1], c]), header=str(len(p))),
    ".npy": lambda path, p, n, c: np.save(path, np.asarray(p, np.float32)),
    ".npz": lambda path, p, n, c: np.savez_compressed(path, points=np.hstack([p, n]).astype(np.float32), other=c),
    ".bc": lambda path, p, n, c: write_bc(path, p),
    ".bcnc": lambda path, p, n, c: write_bc(path, np.hstack([p, n, np.full((len(p), 1), 0.25)])),
}
"""What follows a capture's number in its file's name, to what writes points, normals and colours."""


def cloud_normals(scan: FaceScan) -> np.ndarray:
    """Return made-up unit normals f4 (N, 3) for a scan's points, towards the viewer in a frame with y up."""
    tilted = np.stack([scan.points[:, 0] / 200, -scan.points[:, 1] / 200, np.ones(len(scan.points))], axis=1)
    return (tilted / np.linalg.norm(tilted, axis=1, keepdims=True)).astype(np.float32)


def write_clouds(root: Path, people: int = 2, captures: int = 7, rows: int = 24, landmarks: bool = True) -> Path:
    """Write tiny face scans as clouds, y up, in mm, as `cloud_folder` reads them: each capture in the next format.

    Returns:
        The root.
    """
    kinds = list(CLOUD_WRITERS)
    for person in range(people):
        folder = root / f"person_{person:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        for capture in range(captures):
            scan = face_scan(person, capture, rows)
            kind = kinds[(person * captures + capture) % len(kinds)]
            path = folder / f"{capture:02d}{kind}"
            CLOUD_WRITERS[kind](path, y_up(scan.points), cloud_normals(scan), scan.point_colors)
            if landmarks:
                entry = five_entry(y_up(scan.landmarks_3d))
                path.with_name(f"{path.stem}.landmarks.json").write_text(json.dumps(entry))
    return root

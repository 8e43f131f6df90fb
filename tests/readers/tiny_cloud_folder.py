"""A few clouds of made-up people, one in each format, and some as other programs write them."""

import gzip
from pathlib import Path

import numpy as np
from scans import face_scan
from write_clouds import write_clouds
from write_meshes import y_up

from face3d_data.reader import Reader
from face3d_data.readers.cloud_folder import CloudFolder

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_clouds(root, people=2, captures=7)
    points = y_up(face_scan(0, 0, 16).points).astype("f4")
    rows = "\n".join(" ".join(f"{value:.3f}".replace(".", ",") for value in point) for point in points)
    other = root / "other"
    other.mkdir()
    (other / "utf16.txt").write_bytes(f"//X Y Z\r\n{rows}\r\n".encode("utf-16"))
    (other / "packed.xyz.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))
    (other / "vertices.obj").write_text("".join(f"v {x} {y} {z} 1 0 {i % 2}\n" for i, (x, y, z) in enumerate(points)))
    np.save(other / "records.npy", np.rec.fromarrays(points.T, names="x,y,z"))


def reader(root: Path) -> Reader:
    return CloudFolder(root=root)

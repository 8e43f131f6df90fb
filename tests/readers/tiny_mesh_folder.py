"""A few meshes of made-up people, one in each format, and some as other programs write them."""

import gzip
from pathlib import Path

from write_meshes import write_meshes

from face3d_data.reader import Reader
from face3d_data.readers.mesh_folder import MeshFolder

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_meshes(root, people=2, captures=5)
    path = next(root.rglob("*.obj"))
    rows = path.read_bytes().split(b"\n")
    other = root / "other"
    other.mkdir()
    (other / "packed.obj.gz").write_bytes(gzip.compress(b"\n".join(rows), mtime=0))
    coloured = [b" ".join(row.split()[:4]) if row[:2] == b"v " and i > 99 else row for i, row in enumerate(rows)]
    (other / "coloured.obj").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(coloured))
    off = next(root.rglob("*.off")).read_bytes().replace(b"OFF\n", b"OFF", 1)
    faces = [b"\n".join(row.split()[:4]) if row[:2] == b"3 " else row for row in off.split(b"\n")]
    (other / "broken.off").write_bytes(b"\n".join(faces))


def reader(root: Path) -> Reader:
    return MeshFolder(root=root, n_points=2000)

"""A few meshes of made-up people, one in each format."""

from pathlib import Path

from face3d_data.reader import Reader
from face3d_data.readers.mesh_folder import MeshFolder
from face3d_data.testing.write_meshes import write_meshes

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_meshes(root, people=2, captures=5)


def reader(root: Path) -> Reader:
    return MeshFolder(root=root, n_points=2000)

"""A few meshes of made-up people in the layout of BU-3DFE."""

from pathlib import Path

from write_bu3dfe import write_bu3dfe

from face3d_data.reader import Reader
from face3d_data.readers.bu3dfe import Bu3dfe

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_bu3dfe(root, people=2)


def reader(root: Path) -> Reader:
    return Bu3dfe(root=root)

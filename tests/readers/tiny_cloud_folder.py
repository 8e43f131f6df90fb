"""A few clouds of made-up people, one in each format."""

from pathlib import Path

from face3d_data.reader import Reader
from face3d_data.readers.cloud_folder import CloudFolder
from face3d_data.testing.write_clouds import write_clouds

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_clouds(root, people=2, captures=7)


def reader(root: Path) -> Reader:
    return CloudFolder(root=root)

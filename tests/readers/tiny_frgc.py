"""A few recordings of made-up people in the layout of FRGC v2, packed and plain."""

from pathlib import Path

from write_frgc import write_frgc

from face3d_data.reader import Reader
from face3d_data.readers.frgc import Frgc

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_frgc(root, people=2, rows=28)


def reader(root: Path) -> Reader:
    return Frgc(root=root)

"""A few captures of made-up people in the layout of the Texas 3DFRD, with pixels of 2 mm."""

from pathlib import Path

from write_texas3dfrd import write_texas3dfrd

from face3d_data.reader import Reader
from face3d_data.readers.texas3dfrd import Texas3dfrd

PX_MM = 2.0
SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_texas3dfrd(root, people=2, captures=2, px_mm=PX_MM)


def reader(root: Path) -> Reader:
    return Texas3dfrd(root=root, mm_per_px=PX_MM)

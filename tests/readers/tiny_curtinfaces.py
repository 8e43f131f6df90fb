"""Two people of CurtinFaces, with two captures each."""

from pathlib import Path

from write_curtinfaces import write_curtinfaces

from face3d_data.component import build
from face3d_data.readers.curtinfaces import Curtinfaces

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_curtinfaces(root, people=2, captures=2)


def reader(root: Path) -> Curtinfaces:
    return build(Curtinfaces, {"root": root}, "source 'x'")

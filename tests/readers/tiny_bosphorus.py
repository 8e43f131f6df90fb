"""A few scans of made-up people in the layout of the Bosphorus database."""

from pathlib import Path

from write_bosphorus import write_bosphorus

from face3d_data.reader import Reader
from face3d_data.readers.bosphorus import Bosphorus

CODES = ("N_N_0", "E_HAPPY_0")
SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_bosphorus(root, people=2, codes=CODES, rows=36)


def reader(root: Path) -> Reader:
    return Bosphorus(root=root)

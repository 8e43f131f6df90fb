"""A list with two people, two captures each, for every kind of file that reader `csv` takes."""

from pathlib import Path

from write_csv import write_csv_collection

from face3d_data.component import build
from face3d_data.readers.csv import CsvReader

SHARED: frozenset[str] = frozenset({"faces.csv"})


def write(root: Path) -> None:
    write_csv_collection(root, people=2, captures=3, rows=40)


def reader(root: Path) -> CsvReader:
    return build(CsvReader, {"file": root / "faces.csv"}, "source 'x'")

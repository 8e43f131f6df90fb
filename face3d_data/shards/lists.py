"""Lists of a dataset: pairs, gallery, probe, published protocols, and the CSVs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.csv_lines import csv_text
from face3d_data.shards.published_lists import published_texts
from face3d_data.shards.schema import DatasetSpec, GallerySpec, ProbeSpec
from face3d_data.tables.pairs import make_pairs, pairs_csv, pairs_txt
from face3d_data.tables.protocol import gallery_rows, probe_rows
from face3d_data.tables.query_rows import matching

if TYPE_CHECKING:
    import pandas as pd


def make_lists(
    table: pd.DataFrame,
    tags: pd.DataFrame,
    spec: DatasetSpec,
    seed: int,
    where: str,
    readers: Mapping[str, str] | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Return the files that the spec asks for beside the splits, name to text, and notes.

    Args:
        table: the dataset's rows, columns as in `schema.DATASET_COLUMNS`, then the tags asked for.
        tags: the manifest's rows in the same order, for queries.
        spec: what is asked for.
        seed: decides which pairs are drawn.
        where: what messages name first.
        readers: source to the reader that reads it, as far as it is known.

    Raises:
        UserError: a split that does not exist, a query that cannot be evaluated, or an empty gallery.
    """
    texts: dict[str, str] = {}
    notes: list[str] = []
    if spec.pairs is not None:
        rows = table[_of_split(table, spec.pairs.split, f"{where}: pairs")]
        pairs = make_pairs(rows, spec.pairs.folds, spec.pairs.per_fold, seed)
        texts |= {"pairs.csv": pairs_csv(pairs), "pairs.txt": pairs_txt(pairs)}
        notes += pairs.notes
    if spec.gallery is not None or spec.probe is not None:
        gallery, probe = _protocol(table, tags, spec.gallery or GallerySpec(), spec.probe or ProbeSpec(), where, notes)
        texts |= {"gallery.csv": table_csv(gallery), "probe.csv": table_csv(probe)}
        notes.append(
            f"gallery: {counted(len(gallery), 'sample')} of {counted(gallery['name'].nunique(), 'person')}; "
            f"probe: {len(probe)}"
        )
    if spec.protocol is not None:
        made, told = published_texts(table, tags, spec.protocol, where, readers or {})
        texts |= made
        notes += told
    return texts, notes


def _protocol(
    table: pd.DataFrame, tags: pd.DataFrame, gallery: GallerySpec, probe: ProbeSpec, where: str, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    enrol = _candidates(table, tags, gallery.split, gallery.query, f"{where}: gallery", notes)
    ask = _candidates(table, tags, probe.split, probe.query, f"{where}: probe", notes)
    columns = (enrol["sample_id"].tolist(), enrol["identity"].tolist(), enrol["origin_id"].tolist())
    enrolled = enrol.iloc[gallery_rows(*columns, gallery.captures)]
    if not len(enrolled):
        raise UserError(f"{where}: gallery: no row of split {gallery.split!r} can be enrolled: change its query")
    probes = probe_rows(ask["sample_id"].tolist(), ask["origin_id"].tolist(), enrolled["origin_id"].tolist())
    return enrolled, ask.iloc[probes]


def _candidates(
    table: pd.DataFrame, tags: pd.DataFrame, split: str, query: str | None, where: str, notes: list[str]
) -> pd.DataFrame:
    keep = _of_split(table, split, where)
    if query:
        keep = [a and b for a, b in zip(keep, matching(tags, query, where, notes), strict=True)]
    return table[keep]


def _of_split(table: pd.DataFrame, split: str, where: str) -> list[bool]:
    keep = (table["split"] == split).tolist()
    if not any(keep):
        there = ", ".join(sorted(set(table["split"])))
        raise UserError(f"{where}: no row is in split {split!r} (there: {there}): choose another with 'split:'")
    return keep


def table_csv(table: pd.DataFrame) -> str:
    """Return rows as a split CSV; an unknown number of points, and a tag that a row lacks, are empty."""
    names = list(table.columns)
    columns = (table[name].astype(object).where(table[name].notna(), "").tolist() for name in names)
    return csv_text(names, zip(*columns, strict=True))

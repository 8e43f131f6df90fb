"""Listed gallery and probes: those of a dataset's gallery.csv and probe.csv, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.plurals import counted
from face3d_data.tables.protocol import Protocol, enrolled_probes

if TYPE_CHECKING:
    import pandas as pd

LISTED = "listed"
"""Name of the protocol of a dataset's own gallery and probes."""


def listed_protocol(
    table: pd.DataFrame, gallery: Sequence[str], probe: Sequence[str]
) -> tuple[Protocol | None, tuple[str, ...]]:
    """Return the protocol of listed samples, and what has to be said where there is none.

    Every listed sample enrols, several of one person too. Probes of people who are not enrolled are left out, which a
    note says.

    Args:
        table: rows of one split, columns as in its CSV.
        gallery: sample ids that enrol.
        probe: sample ids to be recognised.

    Returns:
        The protocol, or None where no listed pair of the two lies in the table; and lines for the reader.
    """
    row_of = {sample_id: row for row, sample_id in enumerate(table["sample_id"])}
    enrols, asks = (np.array([row_of[one] for one in ids if one in row_of], np.int64) for ids in (gallery, probe))
    elsewhere = [
        f"{name}.csv: {counted(len(ids) - len(rows), 'sample lies', 'samples lie')} in another split"
        for name, ids, rows in (("gallery", gallery, enrols), ("probe", probe, asks))
        if len(rows) < len(ids)
    ]
    if not len(enrols) or not len(asks):
        return None, tuple(f"{line}: the protocol {LISTED!r} is left out" for line in elsewhere)
    known, notes = enrolled_probes(table["identity"].to_numpy(object), enrols, asks)
    return Protocol(LISTED, "probe.csv → gallery.csv", enrols, known, asks, enrols, (*elsewhere, *notes)), ()

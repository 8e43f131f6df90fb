"""Names of samples in lists of other programs: looked up by person and image, in the forms that these have there."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from face3d_data.names import name_of
from face3d_data.tables.spellings import MASKED
from face3d_data.tables.split import own_identity, person_of

if TYPE_CHECKING:
    import pandas as pd


class SampleNames:
    """Rows of a table by the names of their person and sample.

    A sample is named as `id` or `sample_id` name it, or by its person and what comes after that in its id (`anna`,
    `scan_3`; LFW's number 4 is `anna_0004`); a person as `name`, as `identity`, or without the dataset. People that
    were renamed in the table are also found by their original name, and masked ones of folders `anna_masked` by that.

    Args:
        table: columns `id`, `sample_id`, `name`, `identity`.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._named: dict[tuple[str, str], set[int]] = defaultdict(set)
        columns = (table[column].tolist() for column in ("id", "name", "sample_id", "identity"))
        for row, (file_name, name, sample_id, identity) in enumerate(zip(*columns, strict=True)):
            own, names = own_identity(sample_id), {name, identity, identity.partition("/")[2] or identity}
            # A renamed person is found by the original name, too; a short id belongs to the original name alone.
            owned = names if own == person_of(identity) else {name_of(own), own, own.partition("/")[2]}
            for person in names | owned:
                for text in (file_name, sample_id):
                    self._named[person, text].add(row)
            for person in owned:
                self._named[person, sample_id.removeprefix(f"{own}/")].add(row)

    def rows(self, name: str, text: str) -> set[int]:
        """Return the rows that a person's name and a sample's text may mean; empty: no row."""
        found = self._named.get((name, text))
        if found is None and re.fullmatch(r"[0-9]{1,9}", text):
            found = self._named.get((name, f"{name.rpartition('/')[2]}_{int(text):04d}"))
        masked = MASKED.fullmatch(name) if found is None else None
        if masked is not None:  # a pattern with {masked:flag} puts that before the capture's name
            found = self._named.get((masked["person"], f"masked_{text}"))
        return found or set()

"""People with several names, by the lists of a whole pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from face3d_data.table import TableStep
from face3d_data.tables.same_person import IdentityPair, read_lists

if TYPE_CHECKING:
    from face3d_data.pipeline.spec import Pipeline


def same_person_lines(pipeline: Pipeline) -> list[IdentityPair]:
    """Return the lines of all lists that the pipeline names: who is one person is that on every way to a dataset.

    Raises:
        UserError: a list does not exist or is not valid.
    """
    steps = [(step.id, step.component) for step in pipeline.steps]
    lists = [
        read_lists(table.same_person_files(), pipeline.base_dirs, f"step {name!r}")
        for name, table in steps
        if isinstance(table, TableStep)
    ]
    return [line for mine in lists for _, lines in mine for line in lines]

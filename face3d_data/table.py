"""Table steps: manifest to manifest, as pandas DataFrames, in the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from face3d_data.component import Component
from face3d_data.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

FIXED_COLUMNS: tuple[str, ...] = (
    "key",
    "root",
    "id",
    "identity",
    "dataset",
    "variant",
    "origin_id",
    "split",
    "source",
    "path",
    "n_points",
    "place",
)
"""Columns that every manifest has; any further column is a tag (None where a row has not got it).

`root` says which recording a row comes from, by the content of its files (`face3d_data.roots`). `identity` is
`<dataset>/<person>` plus any suffix (`~mirror`); `split` is empty until a split step ran; `place` is
opaque: where the row's arrays live. Table steps select, order, join and label rows, and may set `identity`; they
never touch `key`, `root` or `place`.
"""


@dataclass(frozen=True)
class TableContext:
    """What a table step may know besides its frames.

    Attributes:
        step: the step's id in the pipeline.
        run_dir: folder of this pipeline's run; what a step keeps between runs goes there by rename.
        base_dirs: folders in which relative paths are looked up, in order.
        seed: the pipeline's seed combined with the step's own.
    """

    step: str
    run_dir: Path | None
    base_dirs: tuple[Path, ...]
    seed: int


@dataclass(frozen=True)
class TableResult:
    """What a table step returns.

    Attributes:
        frame: the rows kept, columns as in `FIXED_COLUMNS` plus tags.
        dirty: rows left out, with the columns `id`, `reason`, `detail`; None if none.
        notes: lines for the person who runs it (`2 of 40 people moved`).
        state: what the step wants to find again next run, by file suffix; that of a step which assigns `split` is
            `split.csv`, a CSV of identity (or capture) and split, which `face3d split --freeze` writes.
    """

    frame: pd.DataFrame
    dirty: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    state: dict[str, str] | None = None


class TableStep(Component):
    """Manifest to manifest, in the driver; whole tables are seen at once.

    What a pipeline does with a step beyond running it rests on what the step declares, never on which class it is:
    `assigns`, `checks_ids`, and what `keeps_together`, `queries` and `same_person_files` return.
    """

    kind: ClassVar[str] = "table"
    tag_names: ClassVar[tuple[str, ...]] = ()
    assigns: ClassVar[tuple[str, ...]] = ()
    """Columns that the step fills: with `split` among them it is a split step, which `face3d split` shows."""
    repeatable: ClassVar[bool] = False
    """True: the same rows, options, files named by options and files that it keeps in `run_dir` give the same result,
    so that it need not run again while none of these changed."""
    checks_ids: ClassVar[bool] = False
    """True: the step itself refuses two rows of one id, and says what to do; otherwise that is done before it runs."""

    def keeps_together(self) -> str:
        """Return what a step that assigns `split` never parts: `identity` (a person), or `capture` in closed sets."""
        return "identity"

    def columns_read(self) -> tuple[str, ...] | None:
        """Return the columns and tags that `run` reads, so that no others are made; None: all.

        A result needs `id`, `identity` and `split`. Tags that are not in its frames stay as they are.
        """
        return None

    def queries(self) -> tuple[str, ...]:
        """Return the queries on tags and columns that the step asks, so that their names are checked at planning."""
        return ()

    def same_person_files(self) -> tuple[Path, ...]:
        """Return the lists of people with several names that the step joins: leaks are looked for by them."""
        return ()

    def declared_tags(self) -> tuple[str, ...]:
        """Return the tags that this instance sets; `tag_names` by default."""
        return self.tag_names

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return the rows that go on.

        Args:
            frames: one manifest per upstream, in the order of `from`.
            context: where the step is and what it may keep.

        Raises:
            UserError: an option does not fit the rows.
        """
        raise ContractError(f"table step {self.name!r} defines no run")

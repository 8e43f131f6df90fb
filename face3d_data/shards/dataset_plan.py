"""Plan of a dataset: its rows in order, what shards they become, and where it is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d_data.errors import UserError, refusal
from face3d_data.json_text import parse_json
from face3d_data.sample import Tag
from face3d_data.shards.check import faults
from face3d_data.shards.dataset_rows import DatasetRows, ShardRows
from face3d_data.shards.leaks import Leak
from face3d_data.shards.schema import DESCRIPTION, DatasetSpec
from face3d_data.shards.write import ShardTask

if TYPE_CHECKING:
    import pandas as pd

DIGEST_CHARS = 16


@dataclass(frozen=True)
class DatasetPlan:
    """A dataset before it is written.

    Attributes:
        digest: over the ordered rows, the spec and all else that decides the bytes.
        rows: the rows in the order in which they are stored, split by split.
        shapes: field to the shape that it has in every row.
        left_out: rows that this plan left out, columns as in `schema.DATASET_DIRTY_COLUMNS`.
        dirty: these and the ones of all steps before.
        sources: what each source has given, as `sources_table` says.
        leaks: what splits share; not empty only where leaks are allowed.
        made_of: shard to the digest of all that decides its bytes.
        record: what dataset.json says of it beside its files.
        readers: source to the reader that reads it.
        array_attributes: field to what its numbers mean beside their unit.
        notes: lines for the person who runs it.
        pair_lists: published lists of pairs, path to text.
        rebuild: write it again though it is there, and compare.
    """

    name: str
    spec: DatasetSpec
    seed: int
    digest: str
    rows: DatasetRows
    shapes: Mapping[str, tuple[int, ...]]
    left_out: pd.DataFrame
    dirty: pd.DataFrame
    sources: pd.DataFrame
    leaks: Sequence[Leak]
    allow_leaks: bool
    made_of: Mapping[str, str]
    record: Mapping[str, Any]
    readers: Mapping[str, str] = field(default_factory=dict)
    array_attributes: Mapping[str, Mapping[str, Tag]] = field(default_factory=dict)
    pair_lists: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rebuild: bool = False

    @property
    def table(self) -> pd.DataFrame:
        """The rows, columns as in `schema.DATASET_COLUMNS`, then the spec's tags."""
        return self.rows.table

    @property
    def tags(self) -> pd.DataFrame:
        """Columns and tags that the manifest has of the same rows, in the same order."""
        return self.rows.tags

    @property
    def places(self) -> Sequence[Any]:
        """Where each row's arrays are, in the same order."""
        return self.rows.rows.places.take(self.rows.order)

    @property
    def folder_name(self) -> str:
        """Name of the folder, to which the dataset's name is a link."""
        return f"{self.name}-{self.digest[:DIGEST_CHARS]}"

    def partial(self, datasets: Path) -> Path:
        """Return the folder in which the dataset is made."""
        return datasets / f"{self.folder_name}.partial"

    def published(self, datasets: Path) -> Path | None:
        """Return the folder of this very dataset if it is there and not to be written again, else None."""
        folder = datasets / self.folder_name
        return folder if folder.exists() and not self.rebuild else None

    def looked_at(self, datasets: Path, hash_file: Callable[[Path], str]) -> DatasetPlan:
        """Return the plan, to be written again where the folder that is there is not what its dataset.json says.

        Args:
            datasets: the workspace's folder of datasets.
            hash_file: gives the SHA-256 of a file.

        Raises:
            UserError: a file cannot be read, which says nothing of what it holds.
        """
        folder = datasets / self.folder_name
        if self.rebuild or not folder.exists():
            return self
        found = first_fault(folder, hash_file)
        if not found:
            return self
        self.notes.append(f"dataset {self.name!r} was damaged or changed ({found}): written again")
        return replace(self, rebuild=True)

    def shard_tasks(self, datasets: Path) -> list[ShardTask]:
        """Return what workers have to do; nothing where this very dataset is published already.

        Args:
            datasets: the workspace's folder of datasets.
        """
        if self.published(datasets):
            return []
        return [
            ShardTask(
                self.partial(datasets),
                split,
                name,
                self.made_of[name],
                ShardRows(self.rows, start, stop),
                self.spec,
                self.shapes,
                self.array_attributes,
            )
            for split in self.rows.splits
            for name, start, stop in self.rows.shards_of(split)
        ]


def first_fault(folder: Path, hash_file: Callable[[Path], str]) -> str:
    """Return what is wrong with a published dataset by its dataset.json, nothing where it is as it was written.

    Raises:
        UserError: a file cannot be read.
    """
    try:
        info = parse_json((folder / DESCRIPTION).read_text("utf-8"))
        name, what = next(faults(folder, info, hash_file), ("", ""))
    except FileNotFoundError:
        return f"{DESCRIPTION} is missing"
    except OSError as error:
        raise UserError(f"{folder / DESCRIPTION}: {refusal(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{DESCRIPTION} cannot be read: {error}"
    return f"{name} {what}" if name else ""

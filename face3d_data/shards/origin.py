"""Origin of a dataset's rows: what a plan needs to know of the pipeline in addition to its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from face3d_data.sample import Tag
from face3d_data.shards.pair_lists import PublishedPairs
from face3d_data.shards.usable import Makers
from face3d_data.shards.write import Read
from face3d_data.tables.same_person import IdentityPair
from face3d_data.version import __version__

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DatasetOrigin:
    """Origin of a dataset's rows: what its pipeline says of them beside the manifest.

    Attributes:
        pipeline: name of the pipeline.
        pipeline_digest: digest of the pipeline.
        by: `identity`, or `capture` for a closed set, whose people are in every split on purpose.
        dirty: rows that went no further than some step, columns `schema.DATASET_DIRTY_COLUMNS` (others are ignored).
        makers: array to the steps that make it, for messages: their ids, and the names of their stages.
        read: reads an array whose shape only its source knows; without it such a field is an error.
        same_person: lines of the lists that steps were given: names of one person.
        readers: source to the reader that reads it, for published protocols.
        array_attributes: array to what the stage that made it says of its numbers, such as the width of a map's cells.
        pair_lists: lists of pairs that databases publish, by name.
        preparation: the stages that made the samples of captures, as `pipeline/preparation` records them.
    """

    pipeline: str = ""
    pipeline_digest: str = ""
    by: str = "identity"
    dirty: pd.DataFrame | None = None
    makers: Makers = field(default_factory=dict)
    read: Read | None = None
    same_person: Sequence[IdentityPair] = ()
    readers: Mapping[str, str] = field(default_factory=dict)
    array_attributes: Mapping[str, Mapping[str, Tag]] = field(default_factory=dict)
    pair_lists: Mapping[str, PublishedPairs] = field(default_factory=dict)
    preparation: Mapping[str, Any] = field(default_factory=dict)

    def attributes(self) -> dict[str, str]:
        """Return what every shard and dataset.json say of where a dataset comes from."""
        names = {"pipeline": self.pipeline, "pipeline_digest": self.pipeline_digest}
        return {**names, "package_version": __version__}

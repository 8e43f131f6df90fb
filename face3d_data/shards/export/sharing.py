"""Sharing of a dataset: whether the terms of its sources let copies be passed on, as far as that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face3d_data.databases.description import Database, databases, databases_of
from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset

SHOWN = 3


@dataclass(frozen=True)
class SharingTerms:
    """Terms of a dataset's sources.

    Attributes:
        restricted: source to the databases that it may be; the terms of none of them let copies be passed on.
        unknown: sources that no description is known of.
    """

    restricted: dict[str, tuple[Database, ...]]
    unknown: tuple[str, ...]


def sharing_terms(dataset: Dataset) -> SharingTerms:
    """Return what is known of the terms of a dataset's sources.

    A source is tied to a description in `manifests/datasets` by its reader, which dataset.json names, or by the
    column `dataset` of sources.csv where that is a description's name.

    Args:
        dataset: a published dataset.
    """
    readers = dataset.info.get("readers", {})
    restricted, unknown = {}, []
    for source, name in dataset.table("sources")[["source", "dataset"]].drop_duplicates().itertuples(index=False):
        found = databases_of(readers.get(source, "")) or ({name: databases()[name]} if name in databases() else {})
        if found:
            restricted[source] = tuple(found.values())
        elif readers.get(source) != "synthetic":
            unknown.append(source)
    return SharingTerms(restricted, tuple(dict.fromkeys(unknown)))


def check_may_share(dataset: Dataset, formats: Sequence[str], may_share: bool) -> None:
    """Check that what is exported to be passed on may be, or that the user may do so.

    Raises:
        UserError: a source is a database whose terms do not let copies be passed on, and `may_share` is not set.
    """
    restricted = sharing_terms(dataset).restricted
    if may_share or not restricted:
        return
    owners = [f"{source} ({databases[0].ask.rstrip('.')})" for source, databases in restricted.items()]
    more = f"; {len(owners) - SHOWN} more" if len(owners) > SHOWN else ""
    raise UserError(
        f"{dataset.path}: format {formats[0]} is for passing on, which the terms of its sources do not allow: "
        f"{'; '.join(owners[:SHOWN])}{more}: if you have their owners' permission, or keep it to yourself, give "
        "--i-may-share"
    )

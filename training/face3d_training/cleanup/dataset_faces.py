"""Faces of a dataset, embedded by a network, to be cleaned up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.shards.check import checked_dataset
from face3d_training.checkpoint import load_model
from face3d_training.cleanup.faces import LabeledFaces, labeled_faces
from face3d_training.devices import choose_device
from face3d_training.embedding import embed_rows
from face3d_training.network_back_end import embedding_form
from face3d_training.packaged import shown_name
from face3d_training.run_folder import dataset_digest
from face3d_training.trained_rows import rows_for, unmatched_weights


@dataclass(frozen=True)
class DatasetChoice:
    """Rows of a dataset that are cleaned up, and the network that embeds them.

    Attributes:
        dataset: a dataset's folder.
        checkpoint: a checkpoint or the folder of a run.
        splits: its splits; none: all that have rows.
        where: a query: only these rows.
        back_end: a back-end's file, by which embeddings are projected, or `none`; None: the network's own.
        changes: keys of the config's `data` that are changed, as (`data.image_size_px`, 140).
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        workers: loader processes.
        check: compare the dataset's files with their hashes first.
    """

    dataset: str | Path
    checkpoint: str | Path
    splits: Sequence[str] = ()
    where: str | None = None
    back_end: str | Path | None = None
    changes: Iterable[tuple[str, Any]] = ()
    device: str = "auto"
    workers: int = 0
    check: bool = True


def faces_of_dataset(
    chosen: DatasetChoice,
    progress: Callable[[str, int, int], None] = lambda part, done, total: None,
    say: Callable[[str], None] = lambda line: None,
) -> LabeledFaces:
    """Return the rows of a dataset as labelled faces.

    Args:
        chosen: rows and network.
        progress: called with the part of the work, what is done of it and the total.
        say: called with notes.

    Raises:
        UserError: dataset, network and options do not fit each other.
    """
    import pandas as pd

    source = checked_dataset(chosen.dataset, chosen.check)
    splits = list(dict.fromkeys(chosen.splits)) or [name for name in source.splits if len(source.table(name))]
    place = choose_device(chosen.device)
    trained = load_model(Path(chosen.checkpoint), place)
    form = embedding_form(trained, chosen.back_end)
    for line in (*unmatched_weights(trained), *form.notes):
        say(f"note: {line}")
    tables, vectors = [], []
    for split in splits:
        rows, _ = rows_for(trained, chosen.dataset, split, chosen.changes, chosen.where)
        for line in rows.notes:
            say(f"note: {line}")

        def tell(done: int, label: str = f"embed {split}", total: int = len(rows)) -> None:
            progress(label, done, total)

        vectors.append(embed_rows(trained.net, rows, place, workers=chosen.workers, progress=tell))
        tables.append(rows.table)
    if not tables:
        raise UserError(f"dataset {source.name}: is empty: look at its dirty.csv")
    table = pd.concat(tables, ignore_index=True)
    return labeled_faces(
        f"dataset {source.name}",
        table["sample_id"].tolist(),
        table["identity"].tolist(),
        form.apply(np.concatenate(vectors)),
        table["origin_id"].tolist(),
        table["content"].tolist(),
        facts={
            "dataset": source.name,
            "dataset_digest": dataset_digest(source),
            "splits": splits,
            "where": chosen.where or "",
            "network": shown_name(trained.path),
            "network_sha256": digest_file(trained.path),
            **form.record(),
        },
    )

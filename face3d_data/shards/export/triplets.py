"""Triplet export of a dataset's rows: drawn and written as the files of texts that other trainers read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.export.form import ExportRows, Form
from face3d_data.tables.triplet_draws import TripletDraws
from face3d_data.tables.triplet_file import save_triplets, triplet_file_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TripletPlan:
    """How triplets are drawn.

    Attributes:
        n: triplets of an epoch.
        epochs: how many epochs are drawn, a file each.
        identities: people that the triplets of one batch are of.
        batch: triplets of a batch.
        seed: decides every draw.
    """

    n: int = 10_000
    epochs: int = 1
    identities: int = 32
    batch: int = 544
    seed: int = 0


class TripletFiles(Form):
    """`epoch_0_training_triplets_<n>_identities_<P>_batch_<B>.npy` of the split train, or of the only one written.

    Args:
        rows: what is exported.
        out: folder to write into.
        plan: how triplets are drawn.

    Raises:
        UserError: several splits, none of them train.
    """

    knows_recordings: ClassVar[bool] = False

    def __init__(self, rows: ExportRows, out: Path, plan: TripletPlan) -> None:
        super().__init__(rows, out)
        self.plan = plan
        self.fewer = ""
        if "train" not in rows.splits and len(rows.splits) != 1:
            raise UserError(f"{rows.dataset.path}: triplets need one split, and there is no 'train': choose a split")
        self.split = "train" if "train" in rows.splits else rows.splits[0]

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Draw the triplets of the split, and write them."""
        if split != self.split:
            return
        super().begin(split, table)
        people, plan = table["class"].nunique(), self.plan
        if people < 2:
            raise UserError(
                f"{self.rows.dataset.path}: split {split!r} shows {counted(people, 'person')}: triplets need two"
            )
        identities = min(plan.identities, people)
        if identities < plan.identities:
            self.fewer = (
                f"{counted(identities, 'person')} per batch, {plan.identities} asked for: split {split!r} shows no more"
            )
        labels, captures = table["class"].to_numpy(), table["origin_id"].tolist()
        draws = TripletDraws(labels, captures, identities, plan.batch, plan.seed)
        for epoch in range(plan.epochs):
            path = self.out / triplet_file_name(epoch, plan.n, identities, plan.batch)
            save_triplets(path, draws.of_epoch(epoch, plan.n), table)

    def losses(self) -> list[str]:
        """Return what the triplets do not tell; their arrays are for other forms to write."""
        lines = [line for line in super().losses() if not line.startswith("left out")]
        return [*lines, *([self.fewer] if self.fewer else [])]

"""Teacher: a frozen network that sees the plain faces of a batch, for the loss `consistency`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from face3d_data.errors import RunStopped, UserError
from face3d_training.checkpoint import Trained, load_model
from face3d_training.config import TrainConfig
from face3d_training.content_digest import content_digest
from face3d_training.data import FaceRows
from face3d_training.losses.consistency import SAME, Consistency
from face3d_training.losses.weighted import loss_specs
from face3d_training.map_place import check_same_maps
from face3d_training.models.base import ModelSpec

NOT_INPUT = ("train_split", "eval_split", "fold", "where", "views")
"""Keys of `data` in which teacher and network may differ: all others say what both are shown."""


class Teacher:
    """A trained network that is not changed.

    Args:
        trained: the network.

    Attributes:
        digest: of its weights.
    """

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.net = trained.net.eval().requires_grad_(False)
        self.digest = content_digest(self.net.state_dict())

    @classmethod
    def of(cls, config: TrainConfig, rows: FaceRows, spec: ModelSpec, device: torch.device) -> Teacher | None:
        """Return the teacher that a config asks for; None: it asks for none.

        Args:
            config: of the run.
            rows: its training rows.
            spec: options of the network that learns.
            device: where batches are.

        Raises:
            UserError: there is no such checkpoint, or it takes other inputs or gives other embeddings.
        """
        asked = [each.teacher for each in loss_specs(config.loss).values() if isinstance(each, Consistency)]
        if not asked or asked[0] == SAME:
            return None
        where = f"loss.consistency.teacher {asked[0]}"
        try:
            trained = load_model(Path(asked[0]).expanduser(), device)
        except UserError as error:
            raise UserError(f"loss.consistency.teacher {error}") from None
        if trained.config is None:
            raise UserError(f"{where}: is another program's: use a checkpoint of face3d train")
        own, other = config.data.model_dump(), trained.config.data.model_dump()
        differing = [key for key in own if key not in NOT_INPUT and own[key] != other[key]]
        if differing:
            key = differing[0]
            raise UserError(f"{where}: was trained with data.{key} {other[key]}, not {own[key]}: use the same for both")
        if trained.spec.embedding_size != spec.embedding_size:
            raise UserError(
                f"{where}: its embeddings have {trained.spec.embedding_size} numbers, those of the model "
                f"{spec.embedding_size}: set model.embedding_size to {trained.spec.embedding_size}"
            )
        check_same_maps(trained.info.get("maps"), rows.map_said, rows.dataset, where)
        return cls(trained)

    def check_same(self, digest: str) -> None:
        """Check that it is the one that a resumed run had.

        Raises:
            RunStopped: its weights are others.
        """
        if digest != self.digest:
            raise RunStopped(
                f"loss.consistency.teacher {self.trained.path}: has other weights than when the run was started: put "
                "back the one it was started with, or start from scratch with --restart"
            )

    @torch.no_grad()
    def embeddings(self, batch: dict[str, Any]) -> torch.Tensor:
        """Return what it makes of the plain faces of a batch, f4 (B, E), unit length; 0 for masked ones."""
        plain = ~batch["masked"]
        found = torch.zeros(len(plain), self.trained.spec.embedding_size, device=plain.device)
        if bool(plain.any()):
            found[plain] = self.net(batch["inputs"][plain]).float()
        return found

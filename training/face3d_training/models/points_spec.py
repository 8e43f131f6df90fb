"""Base of point networks' options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from face3d_training.models.base import ModelSpec
from face3d_training.models.published_points import Rename, renamed_points

if TYPE_CHECKING:
    import torch

NormKind = Literal["batch", "group"]


class PointsSpec(ModelSpec):
    """Options that every network of points has.

    Attributes:
        published: names in published files, by pattern, and those of this program.
    """

    inputs: ClassVar[Literal["points", "image"]] = "points"
    published: ClassVar[tuple[Rename, ...]] = ()

    in_channels: int = Field(3, ge=3, description="3 for xyz; more where normals or colours are joined to the points")
    norm: NormKind = Field("batch", description="group: no sample depends on the others of its batch")
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of each hidden head layer that is dropped in training; published for classification: 0.3"
        " (PointNet), 0.4 (PointNet++), 0.5 (PointMLP)",
    )
    sigmoid: bool = Field(
        False, description="the logistic function on the last layer's numbers, before their length is made 1"
    )
    normalized: bool = Field(
        True, description="embeddings of unit length; false: as long as they come, compared by their distance"
    )

    def renamed(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a state dict of a published file under the names that the weights have here."""
        return renamed_points(state, self.published, self.dropout)

    def options_in(self, state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return the length of the embedding that the head's last layer has."""
        places = [int(name.split(".")[1]) for name, value in state.items() if _is_head_layer(name, value)]
        return {"embedding_size": state[f"head.{max(places)}.weight"].shape[0]} if places else {}


def _is_head_layer(name: str, value: torch.Tensor) -> bool:
    """Return whether a weight is a linear layer's of the head, which has two sides where a norm's has one."""
    return name.startswith("head.") and name.endswith(".weight") and value.dim() == 2

"""Base of point networks' options."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from face3d_training.models.base import ModelSpec

NormKind = Literal["batch", "group"]


class PointsSpec(ModelSpec):
    """Options that every network of points has."""

    inputs: ClassVar[Literal["points", "image"]] = "points"

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

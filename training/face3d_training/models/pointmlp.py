"""PointMLP (Ma et al. 2022, arXiv 2202.07123): residual layers on groups of nearest points, no other geometry.

Its geometric affine module divides by the standard deviation of one cloud's grouped differences, as the published code
does: their mean is taken off, and it is n - 1 that the sum of squares is divided by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from face3d_training.models.pointnet2 import SampledSpec
from face3d_training.models.published_points import POINTMLP, Rename
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


Counts = tuple[Annotated[int, Field(gt=0)], ...]


@register
class PointMLPSpec(SampledSpec):
    """PointMLP: four stages, each with half the points of the one before and twice the channels."""

    name: ClassVar[str] = "pointmlp"
    published: ClassVar[tuple[Rename, ...]] = POINTMLP
    default_weights: ClassVar[int | None] = 13_359_808

    embed: int = Field(64, gt=0, description="channels that each point begins with")
    expansion: float = Field(1.0, gt=0, description="channels inside a residual block, as a share of its own")
    dims: Counts = Field((2, 2, 2, 2), min_length=1, description="factor of channels at each stage")
    pre_blocks: Counts = Field((2, 2, 2, 2), description="residual blocks on each group's points")
    pos_blocks: Counts = Field((2, 2, 2, 2), description="residual blocks on the groups")
    neighbors: Counts = Field((24, 24, 24, 24), description="points of a group (k)")
    reducers: Counts = Field((2, 2, 2, 2), description="factor that the points are fewer by at each stage")
    head: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        (512, 256), description="channels of the layers before the embedding; []: none"
    )

    @model_validator(mode="after")
    def _stages(self) -> PointMLPSpec:
        every = {len(s) for s in (self.dims, self.pre_blocks, self.pos_blocks, self.neighbors, self.reducers)}
        if len(every) > 1:
            raise ValueError("dims, pre_blocks, pos_blocks, neighbors and reducers need one number for each stage")
        return self

    def build(self) -> EmbeddingNet:
        """Return the network."""
        from face3d_training.models.pointmlp_net import PointMLP

        return PointMLP(self)


@register
class PointMLPEliteSpec(PointMLPSpec):
    """PointMLP-elite: half the channels, and narrow residual blocks, fewer of them."""

    name: ClassVar[str] = "pointmlp_elite"
    default_weights: ClassVar[int | None] = 837_536

    embed: int = Field(32, gt=0, description="channels that each point begins with")
    expansion: float = Field(0.25, gt=0, description="channels inside a residual block, as a share of its own")
    dims: Counts = Field((2, 2, 2, 1), min_length=1, description="factor of channels at each stage")
    pre_blocks: Counts = Field((1, 1, 2, 1), description="residual blocks on each group's points")
    pos_blocks: Counts = Field((1, 1, 2, 1), description="residual blocks on the groups")


@register
class PointMLPElite8Spec(PointMLPEliteSpec):
    """PointMLP-elite that begins with 8 channels: for processors without a GPU."""

    name: ClassVar[str] = "pointmlp_elite8"
    default_weights: ClassVar[int | None] = 326_696

    embed: int = Field(8, gt=0, description="channels that each point begins with")

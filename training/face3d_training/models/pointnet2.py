"""PointNet++ (Qi et al. 2017, arXiv 1706.02413): a small PointNet in balls around sampled points, twice, then over all.

Radii are in the unit of the input, for clouds of about the unit sphere (`data.point_scale_mm` 100, or `unit_sphere`).
A ball that holds more points than are used gives the first ones, as the published kernel does: clouds whose points are
ordered by farthest point sampling, as `subsample` leaves them, are thinned evenly by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator

from face3d_data.errors import UserError
from face3d_training.models.points_spec import PointsSpec
from face3d_training.models.published_points import POINTNET2, Rename
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


PositiveCount = Annotated[int, Field(gt=0)]


Radius = Annotated[float, Field(gt=0)]


class BallScale(NamedTuple):
    """One PointNet around each center: its ball, the points it takes from there, and its layers."""

    radius: float
    neighbors: int
    widths: tuple[int, ...]


class SampledSpec(PointsSpec):
    """A network that samples points, by a named method."""

    sampling: str = Field(
        "exact",
        description="how centers are chosen: exact; fast, by fpsample on the CPU, other points that cover as well; or"
        " pointnet2, the CUDA kernel of pointnet2_ops, which starts at the first point",
    )
    fps_start: Literal[0] | None = Field(
        None,
        description="0: centers begin at the first point, as published weights expect; null: at the farthest from the "
        "centroid, whatever the order of points",
    )

    @field_validator("sampling")
    @classmethod
    def _known(cls, value: str) -> str:
        from face3d_training.ops import find_kernel

        try:
            find_kernel("farthest_points", value)
        except UserError as error:
            raise ValueError(str(error)) from None
        return value


class PointNet2Spec(SampledSpec):
    """Options of all PointNet++."""

    published: ClassVar[tuple[Rename, ...]] = POINTNET2

    centers: tuple[PositiveCount, PositiveCount] = Field(
        (512, 128), description="points sampled on the first and second level"
    )
    head: tuple[PositiveCount, ...] = Field(
        (512, 256), description="channels of the layers before the embedding; []: none"
    )

    def levels(self) -> tuple[tuple[BallScale, ...], tuple[BallScale, ...]]:
        """Return the scales of both levels."""
        raise TypeError(f"{type(self).__name__} defines no levels()")

    def build(self) -> EmbeddingNet:
        """Return the network."""
        from face3d_training.models.pointnet2_net import PointNet2

        return PointNet2(self)


@register
class PointNet2SsgSpec(PointNet2Spec):
    """PointNet++ with one scale at each level (SSG)."""

    name: ClassVar[str] = "pointnet2_ssg"
    default_weights: ClassVar[int | None] = 1_596_992

    radii: tuple[Radius, Radius] = Field((0.2, 0.4), description="radius of a ball on each level")
    neighbors: tuple[PositiveCount, PositiveCount] = Field(
        (64, 64), description="points taken from a ball on each level"
    )

    def levels(self) -> tuple[tuple[BallScale, ...], tuple[BallScale, ...]]:
        """Return the scales of both levels."""
        first = BallScale(self.radii[0], self.neighbors[0], (64, 64, 128))
        return (first,), (BallScale(self.radii[1], self.neighbors[1], (128, 128, 256)),)


@register
class PointNet2SsgEliteSpec(PointNet2SsgSpec):
    """PointNet++ SSG that takes 22 points from a ball: a third of the work, the same weights."""

    name: ClassVar[str] = "pointnet2_ssg_elite"
    default_weights: ClassVar[int | None] = 1_596_992

    neighbors: tuple[PositiveCount, PositiveCount] = Field(
        (22, 22), description="points taken from a ball on each level"
    )


@register
class PointNet2MsgSpec(PointNet2Spec):
    """PointNet++ with three scales at each level (MSG)."""

    name: ClassVar[str] = "pointnet2_msg"
    default_weights: ClassVar[int | None] = 1_868_672

    radii: tuple[tuple[Radius, Radius, Radius], tuple[Radius, Radius, Radius]] = Field(
        ((0.1, 0.2, 0.4), (0.2, 0.4, 0.8)), description="radii of the balls on each level"
    )
    neighbors: tuple[
        tuple[PositiveCount, PositiveCount, PositiveCount], tuple[PositiveCount, PositiveCount, PositiveCount]
    ] = Field(((16, 32, 128), (32, 64, 128)), description="points taken from each ball on each level")

    def levels(self) -> tuple[tuple[BallScale, ...], tuple[BallScale, ...]]:
        """Return the scales of both levels."""
        widths = (((32, 32, 64), (64, 64, 128), (64, 96, 128)), ((64, 64, 128), (128, 128, 256), (128, 128, 256)))
        first, second = (
            tuple(BallScale(*scale) for scale in zip(*level, strict=True))
            for level in zip(self.radii, self.neighbors, widths, strict=True)
        )
        return first, second

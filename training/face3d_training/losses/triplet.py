"""Triplet loss: a person's samples are closer to each other than to anybody else's, by a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from face3d_training.losses.base import LossSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.losses.triplet_loss import TripletLoss


@register
class Triplet(LossSpec):
    """Mean over the chosen triplets of max(0, d(anchor, positive) − d(anchor, negative) + margin).

    Schroff et al. 2015, FaceNet (arXiv 1503.03832). With a negative that is not `margin` further away than the
    positive a triplet is valid; the mean is over valid triplets alone, so that solved ones do not dilute it. Chosen are

    - `all`: every valid triplet of the batch; trainers that call a triplet *hard* where it violates the margin, as
      facenet-pytorch-glint360k and 3D-face-masked-recognition do, mean these;
    - `hard`: those whose negative is no further away than the positive;
    - `semihard`: those whose negative is further away than the positive, by less than the margin;
    - `batch_hard`: for each anchor its furthest positive with its nearest negative (Hermans et al. 2017, arXiv
      1703.07737).

    Where the batch brings triplets with it (`triplet`), the choice is made among those; `batch_hard` is refused there.
    """

    name: ClassVar[str] = "triplet"

    margin: float = Field(0.2, gt=0, description="margin by which a negative has to be farther away than a positive")
    distance: Literal["euclidean", "cosine"] = Field(
        "euclidean", description="between embeddings: their distance, or 1 − cosine; of unit ones both are from 0 to 2"
    )
    mining: Literal["all", "hard", "semihard", "batch_hard"] = Field(
        "semihard",
        description="triplets to train on: all valid ones (which some trainers call hard), or the hard, semihard or "
        "batch_hard ones",
    )

    def build(self, n_classes: int, embedding_size: int) -> TripletLoss:
        """Return the loss; it has no weights."""
        from face3d_training.losses.triplet_loss import TripletLoss

        return TripletLoss(self)

"""Registry of networks and losses; options are the fields of their specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from face3d_data.component import explain_validation
from face3d_data.errors import UserError
from face3d_data.registry import Adapt, Kind, Registry

ENTRY_POINTS = "face3d_training.components"


class Spec(BaseModel):
    """A model or a loss by its options: a frozen pydantic model whose fields are the options.

    Attributes:
        kind: `model` or `loss`.
        name: what configs call it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""


# Named, so that listing them loads neither the networks themselves nor torch.
MODELS = (
    "inception_resnet", "iresnet", "lpd", "map_part_resnet", "map_resnet", "mobilefacenet", "mobilenet",
    "mobilenet_v3", "pointmlp", "pointnet", "pointnet2", "resnet",
)  # fmt: skip
LOSSES = ("center", "consistency", "lpd", "margins", "occlusion", "softmax", "triplet")
NETWORKS = Registry(
    (
        Kind("model", "network", "points or pictures to embeddings", "face3d_training.models", MODELS),
        Kind("loss", "loss", "what training makes smaller", "face3d_training.losses", LOSSES),
    ),
    ENTRY_POINTS,
)
"""The kinds of component that training is made of."""
register, specs = NETWORKS.register, NETWORKS.components


def make_spec(kind: str, name: str, options: Mapping[str, Any], adapt: Adapt | None = None) -> Any:
    """Return the spec of that kind and name with these options.

    Args:
        kind: `model` or `loss`.
        name: a registered name, or a reference `module:Name`.
        options: values of its fields.
        adapt: makes a spec of what a reference names if that is not a spec.

    Raises:
        UserError: there is no such name or option, or a value is not allowed.
    """
    cls = NETWORKS.find(kind, name, adapt=adapt)
    try:
        return cls(**options)
    except ValidationError as error:
        raise UserError(f"{kind} {name}: {explain_validation(error, cls)}") from None

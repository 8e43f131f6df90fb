"""Names that other programs have for networks, and what those are here: name and options. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from face3d_data.errors import UserError, did_you_mean
from face3d_training.registry import specs

LOGISTIC: dict[str, Any] = {"sigmoid": True, "dropout": 0.5}
"""What the triplet networks of points have behind their last layer and in their heads."""
FIRST_POINT: dict[str, Any] = {**LOGISTIC, "fps_start": 0}


class PublishedNetwork(NamedTuple):
    """A network of another program: its name here, and the options that make it the same."""

    name: str
    options: Mapping[str, Any] = {}


PUBLISHED = {
    "pointMLPTriplet": PublishedNetwork("pointmlp", FIRST_POINT),
    "pointMLPEliteTriplet": PublishedNetwork("pointmlp_elite", FIRST_POINT),
    "pointMLPElite8Triplet": PublishedNetwork("pointmlp_elite8", FIRST_POINT),
    "pointnet2ssgTriplet": PublishedNetwork("pointnet2_ssg", FIRST_POINT),
    "pointnet2ssgeliteTriplet": PublishedNetwork("pointnet2_ssg_elite", FIRST_POINT),
    "pointnetTriplet": PublishedNetwork("pointnet_triplet", LOGISTIC),
    "pointnetTriplet_v2": PublishedNetwork("pointnet_triplet", LOGISTIC),
}
"""Networks whose name or options are others there than here: those of azhadzuraimi/3D-face-masked-recognition."""


def published_network(name: str, where: str) -> PublishedNetwork:
    """Return the network of a name, of this program or of another; case, `-` and `_` do not matter.

    Args:
        name: such as `ir50`, `IR_50` or `pointMLPEliteTriplet`.
        where: what gives the name, for the message.

    Raises:
        UserError: there is no such network.
    """
    known = {_plain(own): PublishedNetwork(own) for own in specs("model")}
    known |= {_plain(other): network for other, network in PUBLISHED.items()}
    found = known.get(_plain(name))
    if found is None:
        names = sorted(specs("model"))
        raise UserError(
            f"{where} {name!r} is not one of {', '.join(names)}, nor of {', '.join(PUBLISHED)}"
            f"{did_you_mean(name, names)}"
        )
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")

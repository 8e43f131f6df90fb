"""Operation `erasing`: a rectangle of the photograph is erased."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record, draw_seed, uniform
from face3d_data.registry import register
from face3d_data.sample import Tag

LEAST_AREA = 0.02
MOST_ASPECT = 1 / 0.3


@register
class Erasing(Operation):
    """Erase one rectangle of the image (Zhong et al. 2020, Random Erasing Data Augmentation, AAAI).

    As there, its share of the image is drawn evenly from 2 % on (to 40 % in their experiments), and width : height from
    0.3 to 1/0.3, here evenly on a logarithmic scale, so that flat ones are as likely as tall ones. A rectangle that
    does not fit is cut at the image's sides, since a draw knows no image. Points stay: see `holes`.
    """

    name: ClassVar[str] = "erasing"
    needs: ClassVar[ArrayNames] = ("color",)
    acts_on: ClassVar[ArrayNames] = ("color", "depth")
    draws: ClassVar[ArrayNames] = (
        "erase_area", "erase_aspect", "erase_x", "erase_y", "erase_fill", "erase_depth", "erase_seed"
    )  # fmt: skip
    strengths: ClassVar[ArrayNames] = ("erase_p",)

    erase_p: float = Field(0.0, ge=0, le=1, description="probability of erasing a rectangle of the image")
    erase_area: float = Field(
        0.2, ge=LEAST_AREA, le=1, description="largest share of the image to erase; the least is 0.02"
    )
    erase_fill: Literal["noise", "mean"] = Field(
        "noise", description="fill with random colours, or with the mean of the image"
    )
    erase_depth: bool = Field(False, description="also remove the readings of the depth image there")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return share of the image (0: none), width / height, place from 0 to 1, what with, and a seed."""
        erased = rng.random() < self.erase_p
        area = uniform(rng, LEAST_AREA, self.erase_area)
        log_aspect = rng.uniform(-np.log(MOST_ASPECT), np.log(MOST_ASPECT))
        return {
            "erase_area": area if erased else 0.0,
            "erase_aspect": round(float(np.exp(log_aspect)), 4),
            "erase_x": uniform(rng, 0, 1),
            "erase_y": uniform(rng, 0, 1),
            "erase_fill": self.erase_fill,
            "erase_depth": self.erase_depth,
            "erase_seed": draw_seed(rng),
        }

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the image, and the depth if asked for, without the rectangle."""
        if record["erase_area"] == 0 or "color" not in arrays or not arrays["color"].size:
            return {}
        color = arrays["color"].copy()
        erased = color[rectangle(color.shape, record)]
        if record["erase_fill"] == "mean":
            erased[:] = np.rint(arrays["color"].reshape(-1, 3).mean(axis=0, dtype=np.float64))
        else:
            erased[:] = np.random.default_rng(int(record["erase_seed"])).integers(0, 256, erased.shape, np.uint8)
        if not record["erase_depth"] or "depth" not in arrays or not arrays["depth"].size:
            return {"color": color}
        depth = arrays["depth"].copy()
        depth[rectangle(depth.shape, record)] = 0
        return {"color": color, "depth": depth}


def rectangle(shape: tuple[int, ...], record: Record) -> tuple[slice, slice]:
    """Return the rows and columns of an image of this shape (H, W, ...) that a record erases: one pixel at least."""
    height, width = shape[:2]
    area, aspect = float(record["erase_area"]) * height * width, float(record["erase_aspect"])
    rows = int(np.clip(np.rint(np.sqrt(area / aspect)), 1, height))
    columns = int(np.clip(np.rint(np.sqrt(area * aspect)), 1, width))
    top = round(float(record["erase_y"]) * (height - rows))
    left = round(float(record["erase_x"]) * (width - columns))
    return slice(top, top + rows), slice(left, left + columns)

"""Input of image networks: colour from 0 to 1, depth relative to the face's own, maps; one size, channels stacked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.errors import UserError
from face3d_training.clouds import ArrayMap, ChannelShapes, Stream, widened
from face3d_training.config import DataConfig
from face3d_training.map_place import MapPlace

CHANNELS = {"color": 3, "depth": 1, "map": None, "map_occlusion": 1}
"""Arrays that an image's channels may come from, and how many each has; a map has those that it was made with."""
DEEPEST = 3.0
"""Depths farther from the face's than this, in the network's units, count as this: a wall says nothing of the face."""


@dataclass(frozen=True)
class ImageInput:
    """How images become a network's input f4 (B, C, H, W).

    Attributes:
        config: which images, and their size.
        size_px: height and width of the input.
        counts: channels of each field.
        place: where the cells of maps lie, if their heights are residual.
    """

    config: DataConfig
    size_px: tuple[int, int]
    counts: tuple[int, ...]
    place: MapPlace | None = None

    @classmethod
    def of(cls, config: DataConfig, shapes: ChannelShapes, dataset: str, place: MapPlace | None = None) -> ImageInput:
        """Return the input that a config asks for.

        Args:
            config: which images, and their size.
            shapes: arrays of the shards to the shape of one row.
            dataset: what messages call the dataset.
            place: where the cells of its maps lie; needed where their heights are residual.

        Raises:
            UserError: images differ in size and no size is given, or a map would have to be resized.
        """
        sizes = [shapes[name][-2:] if name == "map" else shapes[name][:2] for name in config.fields]
        counts = tuple(CHANNELS[name] or shapes[name][0] for name in config.fields)
        if config.image_size_px:
            asked = (config.image_size_px, config.image_size_px)
            if "map" in config.fields and shapes["map"][1:] != asked:
                high, wide = shapes["map"][1:]
                raise UserError(
                    f"data.image_size_px: {asked[0]}, but the maps of dataset {dataset} have {high} x {wide} cells and "
                    "are never resized, as a cell is a length: leave it out, or make the maps with another size"
                )
            return cls(config, asked, counts, place)
        if len(set(sizes)) > 1:
            shown = ", ".join(f"{name} {h} x {w}" for name, (h, w) in zip(config.fields, sizes, strict=True))
            raise UserError(f"dataset {dataset}: images differ in size ({shown}): set data.image_size_px")
        return cls(config, (sizes[0][0], sizes[0][1]), counts, place)

    @property
    def channels(self) -> int:
        """Channels that the network sees."""
        return sum(self.counts)

    @property
    def draws(self) -> bool:
        """Nothing is drawn of an image."""
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """Arrays that are read."""
        return self.config.fields

    def restored(self, arrays: ArrayMap) -> dict[str, np.ndarray]:
        """Return stored arrays of a batch; 16-bit numbers become 32-bit ones."""
        return {name: widened(array) for name, array in arrays.items()}

    def fitted(self, arrays: ArrayMap, stream: Stream, worn: bool) -> dict[str, np.ndarray]:
        """Return a varied sample's images, whose size no variation changes."""
        return {name: arrays[name] for name in self.config.fields}

    def stacked(self, arrays: ArrayMap) -> np.ndarray:
        """Return the input f4 (B, channels, H, W) of a batch."""
        batch = np.empty((len(arrays[self.config.fields[0]]), self.channels, *self.size_px), np.float32)
        first = 0
        for name, count in zip(self.config.fields, self.counts, strict=True):
            channels = batch[:, first : first + count]
            first += count
            if name == "map":
                channels[:] = arrays[name]
                if self.place is not None and self.config.map_height == "residual":
                    self.place.residual(channels, self.config.map_clip_mm)
                channels[:, 0] /= np.float32(self.config.map_scale_mm)
                continue
            if name == "map_occlusion":
                channels[:, 0] = arrays[name]
                continue
            for out, image in zip(channels, arrays[name], strict=True):
                if name == "color":
                    np.divide(resized(image, self.size_px).transpose(2, 0, 1), np.float32(255), out=out)
                else:
                    out[0] = centred_depth(resized_depth(image, self.size_px), self.config.depth_scale_mm)
        return batch


def resized(image: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Return an image u1 (H, W, 3) in another height and width: areas averaged where it shrinks, else interpolated."""
    if image.shape[:2] == size_px:
        return image
    import cv2

    shrinks = size_px[0] * size_px[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, size_px[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resized_depth(depth: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Return a depth image f4 (H, W) in another size: nearest readings, so that no hole mixes with what is beside."""
    if depth.shape == size_px:
        return depth
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp) for old, new in zip(depth.shape, size_px, strict=True)
    )
    return depth[rows[:, None], columns]


def centred_depth(depth: np.ndarray, scale_mm: float) -> np.ndarray:
    """Return how far behind the face's own depth each reading is.

    Args:
        depth: f4 (H, W), mm, 0 = no reading.
        scale_mm: mm that are 1 in the result.

    Returns:
        f4 (H, W): (depth − median of the readings in the middle half) / scale, from −3 to 3; 0 where nothing is read.
    """
    height, width = depth.shape
    middle = depth[height // 4 : height - height // 4, width // 4 : width - width // 4]
    readings = middle[middle > 0] if (middle > 0).any() else depth[depth > 0]
    if not len(readings):
        return np.zeros(depth.shape, np.float32)
    away = (depth - np.median(readings)) / np.float32(scale_mm)
    return np.where(depth > 0, np.clip(away, -DEEPEST, DEEPEST), np.float32(0)).astype(np.float32)

"""A tiny collection for the fuzz test."""

from pathlib import Path

import numpy as np
from PIL import Image

from face3d_data.readers.image_folder import ImageFolder
from face3d_data.testing import write_tiny_images


def write(root: Path) -> None:
    write_tiny_images(root / "png", people=2, captures=1)
    write_tiny_images(root / "jpg", people=2, captures=1, suffix=".jpg")
    write_tiny_images(root / "bmp", people=1, captures=2, suffix=".bmp")
    for kind in ("webp", "tiff", "gif"):
        path = root / kind / "p" / f"a.{kind}"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)).save(path)


def reader(root: Path) -> ImageFolder:
    return ImageFolder(root=root, pattern="{kind}/{identity}/{capture}")

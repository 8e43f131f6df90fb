"""A tiny collection for the fuzz test."""

from pathlib import Path

from face3d_data.readers.image_folder import ImageFolder
from face3d_data.testing import write_tiny_images


def write(root: Path) -> None:
    write_tiny_images(root / "png", people=2, captures=1)
    write_tiny_images(root / "jpg", people=2, captures=1, suffix=".jpg")
    write_tiny_images(root / "bmp", people=1, captures=2, suffix=".bmp")


def reader(root: Path) -> ImageFolder:
    return ImageFolder(root=root, pattern="{kind}/{identity}/{capture}")

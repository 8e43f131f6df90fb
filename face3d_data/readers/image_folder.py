"""Folders of face images, one folder per person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from face3d_data.formats.image import IMAGE_SUFFIXES, read_color
from face3d_data.formats.image_header import read_image_header
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.registry import register


@register
class ImageFolder(FolderReader):
    """Read folders of images, `<person>/<image>.{jpg,jpeg,png,bmp}`, rotated to their EXIF orientation.

    WebP, TIFF, GIF, JFIF and AVIF are also supported, and HEIC with the extra `heic`; animations and multi-page files
    are not. Grey images, palettes, alpha and 16 bits become 8-bit RGB.
    """

    name = "image_folder"
    version = 1
    outputs = ("color",)
    reasons: ClassVar[dict[str, str]] = NAME_REASONS

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of images."""
        return {"image": IMAGE_SUFFIXES}

    def source(self, found: CaptureFiles) -> Source:
        """Return the image's source."""
        return Source(found.match.person, found.match.capture, found.files, tags=found.match.tags, arrays=self.outputs)

    def inspect(self, source: Source) -> None:
        """Check that the file is an image and that its header is whole."""
        read_image_header(source.files["image"])

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return the image, RGB."""
        return read_color(source.files["image"], turn_by_exif=True)

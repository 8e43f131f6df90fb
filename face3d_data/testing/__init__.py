"""Test support for plugins: contract checks, writers of tiny collections, hypothesis strategies."""

from face3d_data.testing.tiny import tiny_capture, tiny_sample
from face3d_data.testing.write import add_tiny_capture, write_tiny_images, write_tiny_npy, write_tiny_rgbd

__all__ = [
    "add_tiny_capture",
    "tiny_capture",
    "tiny_sample",
    "write_tiny_images",
    "write_tiny_npy",
    "write_tiny_rgbd",
]

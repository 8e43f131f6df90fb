"""Weights and inputs of the published networks' comparison: drawn by name, so that they are the same everywhere.

Every tensor has a NumPy generator of its own, seeded by its name: neither the order of names nor torch's generator
plays a part. `tests/golden/record_published.py` draws by this recipe, too.
"""

import zlib

import numpy as np
import torch

SEED = 20261202
LAST = {"model.classifier.8.weight": 64, "model.fc_layer.8.weight": 2}


def drawn_state(shapes):
    """Return a state dict of tensors for shapes by name.

    The last layers of networks of points, `LAST`, are divided: a logistic function that is flat would hide differences.
    """
    drawn = {name: torch.from_numpy(_drawn(name, tuple(shape))) for name, shape in shapes.items()}
    return {name: value / LAST.get(name, 1) for name, value in drawn.items()}


def drawn_points(clouds=2, points=512):
    """Return f4 (clouds, points, 3), each number from .2 to 1.2 or −1.2 to −.2."""
    found = _uniform("points", (clouds, points, 3))
    return torch.from_numpy(found + np.float32(0.2) * np.sign(found))


def drawn_images(side, channels=3, images=2):
    """Return f4 (images, channels, side, side), from −1 to 1."""
    return torch.from_numpy(_uniform("images", (images, channels, side, side)))


def _drawn(name, shape):
    if name.endswith("num_batches_tracked"):
        return np.array(1)
    values = _uniform(name, shape)
    if name.endswith(("running_var", "affine_alpha")) or (name.endswith("weight") and len(shape) == 1):
        return values / 4 + 1
    if len(shape) > 1 and not name.endswith("affine_beta"):
        return values * np.float32(np.sqrt(4 / np.prod(shape[1:])))
    return values / 8


def _uniform(name, shape):
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return rng.random(shape, np.float32) * 2 - 1

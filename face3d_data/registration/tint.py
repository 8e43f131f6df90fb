"""Colour of skin against that of cloth: what covers nose and cheeks is noticed where shape alone does not show it.

A tint is the logarithm of red and of blue over green, and of the brightness, of linear light: shading moves the third
alone. The skin under the eyes and of the forehead is the measure; nose and cheeks are compared with it, since beards,
lips and make-up are elsewhere.
"""

from __future__ import annotations

import numpy as np

DARKEST = 0.004
"""Added to linear light: in the dark a tint is noise."""
HUE, DIM = 0.10, 0.25
"""Usual standard deviations of skin in tints and in brightness, logarithms; never less is taken for a person's own."""
LEAST_VERTICES = 25
"""Fewer vertices with points tell nothing."""


def tints(colors: np.ndarray) -> np.ndarray:
    """Return tints f8 (N, 3) of colours (N, 3), RGB from 0 to 255, sRGB."""
    share = np.asarray(colors, np.float64) / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) + DARKEST
    logs = np.log(linear)
    return np.stack([logs[:, 0] - logs[:, 1], logs[:, 2] - logs[:, 1], logs.mean(axis=1)], axis=1)


def off_skin(tint: np.ndarray, skin: np.ndarray) -> np.ndarray | None:
    """Return how far tints (N, 3) are from those of skin (M, 3), in its deviations, f8 (N,); None: skin is unknown.

    Red and blue over green count equally; darkness only beyond what shading does.
    """
    if len(skin) < LEAST_VERTICES:
        return None
    middle = np.median(skin, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(skin - middle), axis=0), [HUE, HUE, DIM])
    apart = (tint - middle) / spread
    # Darker alone: what is brighter than the skin above it is skin below a cap, or beside a lamp.
    darker = np.maximum(-apart[:, 2] - 3.0, 0.0)
    return np.sqrt(apart[:, 0] ** 2 + apart[:, 1] ** 2 + darker**2)

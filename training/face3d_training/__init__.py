"""face3d_training: trains on the shards that `face3d_data` writes. The trainer itself comes with a later version."""

from __future__ import annotations

__version__ = "0.1.0"

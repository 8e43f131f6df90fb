"""Training and evaluation of face recognition networks on the shards that `face3d_data` writes."""

from __future__ import annotations

__version__ = "0.1.0"

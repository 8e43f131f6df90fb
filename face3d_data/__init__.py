"""face3d_data: data sets for 3D face recognition, from raw captures to identity-safe CSVs and HDF5 shards.

The names below load on first use, so that `import face3d_data` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from face3d_data.version import __version__

_LAZY = {
    "Dataset": "face3d_data.shards.read",
    "Reader": "face3d_data.reader",
    "Reject": "face3d_data.errors",
    "Sample": "face3d_data.sample",
    "ShardReader": "face3d_data.shards.read",
    "Source": "face3d_data.reader",
    "Stage": "face3d_data.stage",
    "TableStep": "face3d_data.table",
    "Unreadable": "face3d_data.errors",
    "UserError": "face3d_data.errors",
    "gives": "face3d_data.function_stage",
    "load_pipeline": "face3d_data.pipeline.build",
    "register": "face3d_data.registry",
    "run": "face3d_data.pipeline.run",
}
__all__ = [
    "Dataset",
    "Reader",
    "Reject",
    "Sample",
    "ShardReader",
    "Source",
    "Stage",
    "TableStep",
    "Unreadable",
    "UserError",
    "__version__",
    "gives",
    "load_pipeline",
    "register",
    "run",
]

if TYPE_CHECKING:
    from face3d_data.errors import Reject, Unreadable, UserError
    from face3d_data.function_stage import gives
    from face3d_data.pipeline.build import load_pipeline
    from face3d_data.pipeline.run import run
    from face3d_data.reader import Reader, Source
    from face3d_data.registry import register
    from face3d_data.sample import Sample
    from face3d_data.shards.read import Dataset, ShardReader
    from face3d_data.stage import Stage
    from face3d_data.table import TableStep


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

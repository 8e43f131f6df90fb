"""A run that is killed: by its own hand at a chosen write, in the driver or in a worker. Run as a script.

TOYS_TRAP=WHERE:COUNT:FOLDER victim.py ROOT WORK ENGINE
"""

from __future__ import annotations

import sys
from pathlib import Path

from face3d_data.pipeline.result import Workers

sys.path.insert(0, str(Path(__file__).parents[1]))
import toys  # noqa: F401

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run


def pipeline_of(root: Path):
    return make_pipeline(
        {
            "name": "victim",
            "seed": 7,
            "sources": {"src": {"reader": "toy_files", "root": str(root)}},
            "steps": [
                {"id": "plus", "stage": "toy_scale", "from": "src"},
                {"id": "noisy", "stage": "toy_jitter", "from": "plus"},
                {"id": "people", "table": "split", "from": "noisy"},
                {"id": "more", "stage": "toy_scale", "from": "people", "with": {"factor": 0.5}},
            ],
            "datasets": {"victim": {"from": "more", "fields": ["points"], "shard_size": 8, "pairs": True}},
        },
        root,
    )


if __name__ == "__main__":
    root, work, engine = sys.argv[1:]
    run(pipeline_of(Path(root)), work, engine=Workers(engine, 2, 5))

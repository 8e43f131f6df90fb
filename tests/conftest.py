"""Fixtures that several test folders use. Being here also puts this folder on the path (`import toys`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Test processes share the cores; threads of NumPy and torch in each would only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The rendered captures kept beside the repository; tests that need them skip where they are absent."""
    root = Path(os.environ.get("FACE3D_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not root.is_dir():
        pytest.skip(f"the rendered captures are not at {root}: set FACE3D_SHARED")
    return root

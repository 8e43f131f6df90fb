"""Where the small inputs lie that once failed; they are kept beside the repository."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of the cases; tests that need them skip where they are absent."""
    root = Path(os.environ.get("FACE3D_SHARED", Path(__file__).parents[3] / "shared")) / "cases"
    if not root.is_dir():
        pytest.skip(f"the cases are not at {root}: set FACE3D_SHARED")
    return root

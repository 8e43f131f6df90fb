"""How much the tests try that have no end: some seeds in `make test`, more in `make soak` (FACE3D_SOAK=1)."""

import os

SOAK = os.environ.get("FACE3D_SOAK", "0") not in ("", "0")


def tries(few: int, many: int) -> int:
    """Return how many seeds, examples or kills a test tries."""
    return many if SOAK else few

"""Every reader against spoilt files: each gives arrays as declared, or a row with a reason; never more, never late.

Each `tiny_<reader>.py` beside this file writes a small collection; `fuzz_child.py` spoils its files one at a time.
`FACE3D_FUZZ` sets the number of spoilt files a reader. `KEPT` holds seeds that found something once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from face3d_data.registry import components

HERE = Path(__file__).parent
MODULES = sorted(path.stem for path in HERE.glob("tiny_*.py"))
EACH = int(os.environ.get("FACE3D_FUZZ", "110"))
IMPORT_SECONDS = 60
KEPT: dict[str, tuple[int, ...]] = {}
"""Module to seeds beyond the first `EACH` that found a fault."""


def spoil(module: str, seeds: list[int]) -> list[dict]:
    """Return what became of each spoilt file, in a process of its own."""
    command = [sys.executable, "-W", "ignore", str(HERE / "fuzz_child.py"), module, ",".join(map(str, seeds))]
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=IMPORT_SECONDS + 3 * len(seeds), check=False
    )
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or len(results) < len(seeds):
        at = seeds[len(results)] if len(results) < len(seeds) else "the end"
        pytest.fail(f"{module}: the process ended with {done.returncode} at seed {at}: {done.stderr[-1500:]}")
    return results


@pytest.mark.parametrize("module", MODULES)
def test_spoilt_files_give_arrays_or_a_reason(module):
    results = spoil(module, sorted({*range(EACH), *KEPT.get(module, ())}))
    faults = [result for result in results if "fault" in result]
    assert not faults, f"{len(faults)} of {len(results)}: {faults[:5]}"
    dirty = sum(result["counts"].get("dirty", 0) + result["counts"].get("refused", 0) > 0 for result in results)
    assert dirty >= len(results) // 4, "spoiling did next to nothing: the test looks away"


def test_every_reader_of_files_is_tried():
    named = {module.removeprefix("tiny_") for module in MODULES}
    ours = {name for name, cls in components("reader").items() if cls.__module__.startswith("face3d_data.")}
    assert ours - named <= {"synthetic", "realsense_bag"}


def test_two_thousand_files_are_spoilt():
    assert EACH * len(MODULES) >= 2000 or "FACE3D_FUZZ" in os.environ

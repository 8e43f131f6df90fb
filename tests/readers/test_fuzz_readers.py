"""Every reader against spoilt files: each gives arrays as declared, or a row with a reason; never more, never late.

Each `tiny_<reader>.py` beside this file writes a small collection; `fuzz_child.py` spoils its files one at a time.
30 files a reader are spoilt, in `make soak` 110. `KEPT` holds seeds that found something once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from soak import tries

from face3d_data.registry import components

HERE = Path(__file__).parent
MODULES = sorted(path.stem for path in HERE.glob("tiny_*.py"))
EACH = tries(30, 110)
KEPT: dict[str, tuple[int, ...]] = {}
"""Module to seeds beyond the first `EACH` that found a fault."""


@pytest.fixture(scope="module")
def spoil(tmp_path_factory):
    """Return how to learn what became of each spoilt file of a collection, in a process of its own."""
    log = tmp_path_factory.mktemp("fuzz") / "log.txt"
    command = [sys.executable, "-W", "ignore", str(HERE / "fuzz_child.py")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=HERE, env=environment
        ) as server,
    ):

        def ask(module: str, seeds: list[int]) -> list[dict]:
            print(module, ",".join(map(str, seeds)), file=server.stdin, flush=True)
            results = []
            for line in filter(lambda line: line.startswith("{"), server.stdout):
                results.append(json.loads(line))
                if "ended" in results[-1]:
                    break
            if results.pop()["ended"] or len(results) < len(seeds):
                at = seeds[len(results)] if len(results) < len(seeds) else "the end"
                pytest.fail(f"{module}: the process ended at seed {at}: {log.read_text()[-1500:]}")
            return results

        yield ask
        server.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_spoilt_files_give_arrays_or_a_reason(spoil, module):
    results = spoil(module, sorted({*range(EACH), *KEPT.get(module, ())}))
    faults = [result for result in results if "fault" in result]
    assert not faults, f"{len(faults)} of {len(results)}: {faults[:5]}"
    dirty = sum(result["counts"].get("dirty", 0) + result["counts"].get("refused", 0) > 0 for result in results)
    assert dirty >= len(results) // 4, "spoiling did next to nothing: the test looks away"


def test_every_reader_of_files_is_tried():
    named = {module.removeprefix("tiny_") for module in MODULES}
    ours = {name for name, cls in components("reader").items() if cls.__module__.startswith("face3d_data.")}
    assert ours - named <= {"synthetic", "realsense_bag"}


def test_hundreds_of_files_are_spoilt_and_two_thousand_in_a_soak():
    assert EACH * len(MODULES) >= tries(500, 2000)

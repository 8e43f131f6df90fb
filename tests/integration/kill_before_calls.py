"""Runs that are killed before a file system call, each of them in turn. Run as a script, or as a module by its test.

kill_before_calls.py ROOT FOLDER EVERY OFFSET: a run of the pipeline below in a process that ends itself with SIGKILL
before call number OFFSET, OFFSET + EVERY, …; after each the run is finished, and one JSON line says what came of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import h5py  # noqa: F401
import pandas  # noqa: F401
import toys  # noqa: F401

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.look import look
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run

CHANGES = {
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.utime",
    "os.truncate",
}
LAST_CALLS = 4
"""One run makes a few calls more than another, such as folders that two of its writes find missing."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def pipeline_of(root: Path):
    return make_pipeline(
        {
            "name": "calls",
            "seed": 7,
            "sources": {"src": {"reader": "toy_files", "root": str(root)}},
            "steps": [
                {"id": "plus", "stage": "toy_scale", "from": "src"},
                {"id": "noisy", "stage": "toy_jitter", "from": "plus"},
                {"id": "many", "stage": "toy_copies", "from": "noisy", "keep": True},
                {"id": "people", "table": "split", "from": "many"},
            ],
            "datasets": {"calls": {"from": "people", "fields": ["points"], "shard_size": 4}},
        },
        root,
    )


class Counter:
    """Counts calls that change the file system, and ends the process before one of them."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last

    def __call__(self, event: str, args: tuple) -> None:
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITES):
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            self.count += 1


def one_run(root: Path, work: Path) -> None:
    """Run the pipeline with tasks of one row, so that parts are many and are merged."""
    run(pipeline_of(root), work, engine=Workers("serial", chunk=1))


def in_a_child(root: Path, work: Path, last: int | None) -> tuple[int, int]:
    """Return the wait status of a run in a child process, and how many calls it made, 0 if it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        counter = Counter(last)
        sys.addaudithook(counter)
        one_run(root, work)
        os.write(write, str(counter.count).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        said = stream.read()
    return os.waitpid(child, 0)[1], int(said or 0)


def dataset(work: Path) -> dict[str, bytes]:
    """Return the bytes of the published dataset."""
    folder = work / "datasets" / "calls"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def known(work: Path, root: Path) -> list[tuple[str, str, bytes]]:
    """Return the rows of the last stage, with their arrays."""
    rows = look(pipeline_of(root), work).entries("many")
    return [(e.id, e.key, e.place.read("points").tobytes()) for e in rows]


def main(root: Path, folder: Path, every: int, offset: int) -> None:
    """Kill and finish, and say what came of it."""
    status, calls = in_a_child(root, folder / "whole", None)
    assert status == 0
    want = dataset(folder / "whole"), known(folder / "whole", root)
    for last in range(offset, calls - LAST_CALLS, every):
        work = folder / str(last)
        killed, _ = in_a_child(root, work, last)
        published = (work / "datasets" / "calls").exists()
        before = dataset(work) if published else want[0]
        finished, more = in_a_child(root, work, None)
        found = dataset(work), known(work, root)
        temporary = [path.name for path in (work / "cache").rglob("*~")]
        said = {"call": last, "of": calls, "killed": killed, "finished": finished, "whole": before == want[0],
                "same": found == want, "calls": more, "left": len(temporary)}  # fmt: skip
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

"""Reads spoilt collections in processes of their own, under limits of memory and time.

For each line `MODULE SEEDS` of its input it forks, so that every process starts with all that is imported. That prints
one JSON line a spoilt file; then comes `{"ended": STATUS}`, so that a crash or a kill is seen.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import cv2  # noqa: F401  # here, once for all
import numpy as np
import scipy.spatial  # noqa: F401

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.image_header import read_image_header
from face3d_data.registry import components
from face3d_data.sample import check_array
from face3d_data.testing.mutate import mutate

SECONDS = 20.0
"""Processor time that a spoilt collection may take: some hundred times what one takes, for slow machines."""
CLOCK_SECONDS = 120.0
"""What waits instead of working hangs, too."""
FREE_MB, PER_BYTE = 64, 10
MOST_DECODED = 256 * 2**20


class Slow(Exception):
    """Longer than a spoilt file may take."""


def alarm(signum, frame):
    raise Slow


def rss_peak() -> int:
    """Return the most bytes that this process has held since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def rss_now() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def settle() -> int:
    """Give back what was freed, and return the bytes that this process holds: kept memory would hide what is taken."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc's
        ctypes.CDLL(None).malloc_trim(0)
    return rss_now()


def forget_peak() -> None:
    """Let the peak begin anew; where the kernel cannot, the peak of all files so far counts for each."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def decoded_size(path: Path) -> int:
    """Return the bytes that a file's content takes once decoded: images by their header, gzip by its own length."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b" and len(data) > 18:
        return max(len(data), min(int.from_bytes(data[-4:], "little"), 1030 * len(data)))
    try:
        header = read_image_header(path)
    except (Unreadable, OSError):
        return len(data)
    return max(len(data), min(header.width * header.height * header.channels * max(1, header.bits // 8), MOST_DECODED))


def read_all(reader, shared: bool, spoilt: Path | None = None) -> dict[str, int]:
    """Scan, inspect and load everything that a spoilt file may touch; return how often each outcome came.

    Where captures name that file as theirs, the others are only listed.

    Raises:
        Exception: whatever a reader must not let out.
    """
    counts: dict[str, int] = {}

    def note(what: str) -> None:
        counts[what] = counts.get(what, 0) + 1

    try:
        sources = list(reader.scan())
    except UserError as error:
        if not shared or "\n" in str(error):
            raise
        return {"refused": 1}
    own = [source for source in sources if spoilt in source.files.values()]
    for source in sources:
        tags = {**source.tags}
        bad = [name for name, value in tags.items() if type(value) not in (str, int, float, bool)]
        bad += [name for name, value in tags.items() if isinstance(value, float) and not np.isfinite(value)]
        if bad:
            raise ValueError(f"tags {bad} of {source.capture} are no tags")
        json.dumps([source.record, tags], allow_nan=False).encode()
        if source.problem:
            check_reason(reader, source.problem[0], source.problem[1])
            note("dirty")
            continue
        if own and source not in own:
            continue
        try:
            reader.inspect(source)
            for name in source.arrays:
                check_array(name, reader.load(source, name))
            note("good")
        except Unreadable as error:
            check_reason(reader, error.reason, error.detail)
            note("dirty")
    return counts


def check_reason(reader, reason: str, detail: str) -> None:
    if reason not in reader.reasons:
        raise ValueError(f"reason {reason!r} is not declared")
    if not detail or "\n" in detail:
        raise ValueError(f"detail {detail!r} of {reason} is no line that says what is wrong")
    detail.encode()


def main() -> None:
    components("reader")
    for line in sys.stdin:
        module, seeds = line.split()
        child = os.fork()
        if not child:
            try:
                spoil_each(importlib.import_module(module), [int(text) for text in seeds.split(",")])
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        print(json.dumps({"ended": os.waitpid(child, 0)[1]}), flush=True)


def spoil_each(module, seeds: list[int]) -> None:
    signal.signal(signal.SIGPROF, alarm)
    signal.signal(signal.SIGALRM, alarm)
    root = Path(tempfile.mkdtemp())
    try:
        module.write(root)
        paths = sorted(path for path in root.rglob("*") if path.is_file())
        reader = module.reader(root)
        read_all(reader, False)  # imports, and a collection that has to be good
        gc.collect()
        gc.freeze()  # what modules hold need not be searched for garbage after every file
        base = settle()
        for seed in seeds:
            print(json.dumps(try_one(module, root, paths, seed, base)), flush=True)
    finally:
        shutil.rmtree(root)


def try_one(module, root: Path, paths: list[Path], seed: int, base: int) -> dict:
    path = paths[seed % len(paths)]
    name = path.relative_to(root).as_posix()
    whole = path.read_bytes()
    spoilt, kind = mutate(whole, seed)
    path.write_bytes(spoilt)
    result = {"seed": seed, "file": name, "kind": kind}
    settle()
    forget_peak()
    started = time.process_time()
    limit = FREE_MB * 2**20 + PER_BYTE * max(decoded_size(path), max(p.stat().st_size for p in paths))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, CLOCK_SECONDS)
    try:
        result["counts"] = read_all(module.reader(root), name in getattr(module, "SHARED", ()), path)
    except Slow:
        result["fault"] = f"took more than {SECONDS} s of processor time, or {CLOCK_SECONDS} s"
    except Exception as error:
        result["fault"] = f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        path.write_bytes(whole)
    result["seconds"] = round(time.process_time() - started, 3)
    more = rss_peak() - base
    result["mb"] = round(more / 2**20, 1)
    if more > limit:
        result["fault"] = f"took {more / 2**20:.0f} MB, allowed are {limit / 2**20:.0f}"
    return result


if __name__ == "__main__":
    # What a spoilt header asks for must fail to be had, and not fill the machine.
    resource.setrlimit(resource.RLIMIT_AS, (12 * 2**30, 12 * 2**30))
    main()

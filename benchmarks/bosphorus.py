"""Speed and memory of reading a tree of Bosphorus scans through its reader, on one thread.

    python benchmarks/bosphorus.py [--scans 200] [--points 27000] [--json FILE]

The tree is written by the tests' writer in a temporary folder and lies in the system's cache. Measured are

- range image and landmarks in space, `grid` and `landmarks_3d`, of every scan: scans a second, the median of 5 rounds
  (goal: at least 50);
- the same of a few scans against a reader that unpacks one value at a time, as public loaders of these files do, in
  turns with it, in processor time (goal: at least 100 times as fast); both must give the same arrays. It unpacks all
  five planes, as they do; how it stands with x, y and z alone is shown too;
- listing the tree, and decoding the pictures of 1600 x 1200: on their own;
- the peak of fresh processes that read a quarter of the tree and all of it (goal: flat, at most 5 % apart).
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "collections"))
from write_bosphorus import write_bosphorus

from face3d_data.engine.threads import limit_threads
from face3d_data.reader import Source
from face3d_data.readers.bosphorus import Bosphorus

ROUNDS = 5
COMPARED = 4
CODES = tuple(f"N_N_{number}" for number in range(4))
PICTURES = 2
PICTURE_PX = (1600, 1200)
FLAT = 1.05
GOALS = {"scans_per_s": 50.0, "vs_value_by_value": 100.0, "peak_grows_by": FLAT}


def value_by_value(source: Source, planes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Read a scan one value at a time: unpack, turn rows, mark the background; return grid and landmarks."""
    values = []
    with open(source.files["range"], "rb") as stream:
        rows = struct.unpack("<H", stream.read(2))[0]
        columns = struct.unpack("<H", stream.read(2))[0]
        background = struct.unpack("<d", stream.read(8))[0]
        stream.read(struct.unpack("<H", stream.read(2))[0])
        struct.unpack("<I", stream.read(4))
        for _ in range(planes):
            plane = []
            for _ in range(rows):
                row = []
                for _ in range(columns):
                    row.append(struct.unpack("<d", stream.read(8))[0])
                plane.append(row)
            plane.reverse()
            values.append(plane)
    nothing = float("nan")
    grid = []
    for x_row, y_row, z_row in zip(*values[:3], strict=True):
        points = []
        for x, y, z in zip(x_row, y_row, z_row, strict=True):
            points.append((nothing, nothing, nothing) if z == background else (x, -y, -z))
        grid.append(points)
    return np.array(grid, np.float32), landmarks_line_by_line(source)


def landmarks_line_by_line(source: Source) -> np.ndarray:
    """Read a `.lm3` file line by line and return the five points, with the eyes between their corners."""
    lines = source.files["landmarks_3d"].read_text().splitlines()
    marks = {}
    for i in range(3, len(lines), 2):
        x, y, z = (float(word) for word in lines[i + 1].split())
        marks[lines[i]] = (x, -y, -z)
    eyes = []
    for side in ("left", "right"):
        outer, inner = marks[f"Outer {side} eye corner"], marks[f"Inner {side} eye corner"]
        eyes.append([(a + b) / 2 for a, b in zip(outer, inner, strict=True)])
    return np.array([*eyes, *(marks[name] for name in ("Nose tip", "Left mouth corner", "Right mouth corner"))], "f4")


def read(reader: Bosphorus, sources: Sequence[Source], names: Sequence[str] = ("grid", "landmarks_3d")) -> None:
    """Load these arrays of every source."""
    for source in sources:
        for name in names:
            reader.load(source, name)


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long a call takes."""
    start = clock()
    call()
    return clock() - start


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the processor time of a call, which other programs on the machine disturb less."""
    return seconds(call, time.process_time)


def compare(reader: Bosphorus, sources: Sequence[Source]) -> dict[str, float]:
    """Return ms a scan of each reader, and how many times as fast ours is, each the median of rounds in turns."""
    for source in sources:
        grid, landmarks = value_by_value(source)
        if not np.array_equal(grid, reader.load(source, "grid"), equal_nan=True):
            raise SystemExit(f"{source.capture}: the two readers give other grids")
        if not np.allclose(landmarks, reader.load(source, "landmarks_3d"), atol=1e-5):
            raise SystemExit(f"{source.capture}: the two readers give other landmarks")
    times: dict[str, list[float]] = {"reader": [], "value_by_value": [], "value_by_value_x_y_z": []}
    for _ in range(ROUNDS):
        times["value_by_value"].append(cpu_seconds(lambda: [value_by_value(s) for s in sources]) / len(sources))
        # A scan takes the reader so little time that each is read several times.
        times["reader"].append(cpu_seconds(lambda: read(reader, sources * 50)) / len(sources) / 50)
        times["value_by_value_x_y_z"].append(
            cpu_seconds(lambda: [value_by_value(s, 3) for s in sources]) / len(sources)
        )
    ratios = {
        f"vs_{name}": statistics.median(a / b for a, b in zip(times[name], times["reader"], strict=True))
        for name in ("value_by_value", "value_by_value_x_y_z")
    }
    return {f"{name}_ms": 1000 * statistics.median(values) for name, values in times.items()} | ratios


def pictures(folder: Path, n_points: int) -> dict[str, float]:
    """Return ms of a picture's decoding, and of the colours of the grid's points with it."""
    write_bosphorus(folder, PICTURES, ("N_N_0",), texture=PICTURE_PX, points=n_points)
    reader = Bosphorus(root=folder)
    sources = list(reader.scan())
    figures = {}
    for array in ("color", "grid_color"):
        times = [seconds(lambda names=(array,): read(reader, sources, names)) for _ in range(ROUNDS)]
        figures[f"{array}_ms"] = 1000 * statistics.median(times) / len(sources)
    return figures


def peak_mb(root: Path, n_scans: int) -> float | None:
    """Return the largest resident set of a fresh process that reads so many scans, MiB; None where it is not told."""
    command = [sys.executable, __file__, "--peak-of", str(root), "--scans", str(n_scans)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(said) if said.strip() else None


def report_peak(root: Path, n_scans: int) -> None:
    """Read scans and print this process's largest resident set, where /proc tells it: what `peak_mb` starts."""
    reader = Bosphorus(root=root)
    for _, source in zip(range(n_scans), reader.scan(), strict=False):
        read(reader, [source])
    peak = highest_mb()
    if peak is not None:
        print(round(peak, 2))


def highest_mb() -> float | None:
    """Return the largest resident set that this process has had, MiB (Linux; `ru_maxrss` would be the parent's)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def measure(n_scans: int, n_points: int, folder: Path) -> dict[str, object]:
    """Write the tree and return all figures."""
    people = -(-n_scans // len(CODES))
    root = write_bosphorus(folder / "tree", people, CODES, points=n_points, with_picture=False, faces=4)
    reader = Bosphorus(root=root)
    listing = seconds(lambda: list(reader.scan()))
    sources = list(reader.scan())[:n_scans]
    read(reader, sources)
    rounds = [seconds(lambda: read(reader, sources)) for _ in range(ROUNDS)]
    peaks = {str(n): peak_mb(root, n) for n in (max(1, n_scans // 4), n_scans)}
    smaller, larger = peaks.values()
    figures = {
        "scans_per_s": len(sources) / statistics.median(rounds),
        "listing_ms": 1000 * listing / len(sources),
        **compare(reader, sources[:COMPARED]),
        **pictures(folder / "pictures", n_points),
    }
    if smaller and larger:
        figures["peak_grows_by"] = larger / smaller
    figures = {name: round(value, 3) for name, value in figures.items()}
    return {"scans": len(sources), "points": n_points, **figures, "peak_mb": peaks, "goals": GOALS}


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--points", type=int, default=27_000, help="points a scan, about")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    limit_threads()
    if options.peak_of:
        report_peak(options.peak_of, options.scans)
        return 0
    with tempfile.TemporaryDirectory() as name:
        result = measure(options.scans, options.points, Path(name))
    print(f"{result['scans']} Bosphorus scans of some {result['points']} points, one thread, medians of {ROUNDS}")
    for name, value in result.items():
        if isinstance(value, float):
            goal = GOALS.get(name)
            said = "" if goal is None else f"  (goal: {'at most' if name == 'peak_grows_by' else 'at least'} {goal:g})"
            print(f"  {name:28} {value:10.2f}{said}")
    for n_scans, peak in result["peak_mb"].items():
        print(f"  peak over {n_scans:>4} scans         {peak or 0:10.2f} MiB, all of the process")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run the benchmarks, one after the other, and print one table of goals, figures and whether they are met.

    python benchmarks/run_all.py [--only NAME ...] [--json FILE]

About a quarter of an hour on two idle cores. What is compared stands at the top of each script. What needs something
that is not here is skipped, with what to do: FACE3D_TF_PYTHON names an interpreter with mtcnn 1.0.0 and TensorFlow, and
FACE3D_SHARED the folder with captures of known truth. A missed goal is printed and no error; the exit code is 1 where
a benchmark breaks off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from goals import Benchmark, benchmarks

FOLDER = Path(__file__).resolve().parent


def run(benchmark: Benchmark, folder: Path) -> tuple[list[dict[str, Any]], bool]:
    """Run one benchmark; return its lines of the table, and whether it broke off."""
    target = folder / f"{benchmark.name}.json"
    command = [sys.executable, str(FOLDER / benchmark.script), *benchmark.arguments, "--json", str(target)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)
    if target.exists():
        figures = json.loads(target.read_text())
        return [goal.row(figures) for goal in benchmark.goals], False
    last = (done.stdout.strip().splitlines() or [""])[-1]
    why = ["broke off" if done.returncode else last, *["as above"] * (len(benchmark.goals) - 1)]
    rows = [
        {"what": goal.what, "goal": goal.text, "measured": None, "met": met}
        for goal, met in zip(benchmark.goals, why, strict=True)
    ]
    return rows, bool(done.returncode)


def line(row: dict[str, Any]) -> str:
    """Return a row of the table as text."""
    value = row["measured"]
    text = "-" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:.4g}"
    return f"{row['what']:52} {row['goal']:>8} {text:>9}  {row['met']}"


def main() -> int:
    """Run, print the table, and write JSON if asked; 1 where one broke off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [benchmark.name for benchmark in benchmarks()]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    broken = []
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for benchmark in (one for one in benchmarks() if one.name in options.only):
            print(f"== {benchmark.name}", flush=True)
            found, broke_off = run(benchmark, Path(folder))
            rows += found
            broken += [benchmark.name] if broke_off else []
    print(f"\n{'':52} {'goal':>8} {'measured':>9}  met")
    print("\n".join(line(row) for row in rows))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{time.perf_counter() - start:.0f} s; load of the last 1, 5, 15 minutes {load} on {os.cpu_count()} cores")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if broken:
        print(f"broke off: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

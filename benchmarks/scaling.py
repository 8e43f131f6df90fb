"""What the driver costs as rows grow: seconds, memory and files of each command, here and in an older checkout.

    git worktree add --detach ../older COMMIT
    python benchmarks/scaling.py [../older] [--rows 10000 100000] [--keep FOLDER] [--operations OPERATION ...]
                                 [--kinds rows files] [--json FILE]

Clouds of 32 points go through a split, six stages that compute next to nothing (`scaling_stages.py`) and a dataset with
the lists of the pipeline `rgbd`. Sources are of two kinds: `rows`, 10,000 captures an HDF5 file, and `files`, one
capture a file. Each command runs in a process of its own, with two workers; the checkouts take turns, operation by
operation, on the same captures:

    first     a run of everything
    noop      the same with nothing changed
    explain   `run --explain`
    status    `status`
    verify    `verify --no-near-duplicates`
    gc        `gc`, which only lists
    add       a run after one capture was added, and which files it changed
    compact   `gc --apply --compact`
    grow      two runs more that each add one capture
    datasets  `gc --apply --datasets 1`, where the checkout has it

Seconds of the clock, processor seconds of the driver and of all processes, and the driver's largest resident set; a
row's bytes are that less what it is after the imports. Exponents are slopes of log-log least squares over the sizes, of
processor seconds less those of a process that only imports; on a busy machine these are more, too, so that only what
took turns can be compared (`load` in the JSON). Goals: a further row takes 600 bytes of the driver at most; 1 M rows
with nothing changed in 20 s, explained in 10 s, with one more capture in 30 s; a row's cost grows by a tenth at most
from the smallest size to the largest.

With `--keep`, captures, workspaces and figures stay in a folder, and what was measured is not measured again, so that
a run of 1 M rows can be resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from scaling_files import changes, sizes, snapshot
from scaling_rows import KINDS, add_capture, pipeline, write_captures
from scaling_table import missed, print_tables

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
OPERATIONS = ("first", "noop", "explain", "status", "verify", "gc", "add", "compact", "grow", "datasets")
ADDING = {"add": 1, "grow": 2}
CHANGING = ("first", "noop", "add", "compact", "grow", "datasets")
SETTLE_S = 2.1
"""Files younger than this when they are hashed are hashed again by the next run."""
JOBS = 2


def command(operation: str, file: Path, work: Path) -> list[str]:
    """Return the arguments of `face3d` for an operation."""
    workspace = ["-w", str(work)]
    run = ["run", str(file), "-j", str(JOBS), *workspace]
    other = {
        "explain": ["run", str(file), "--explain", *workspace],
        "status": ["status", *workspace],
        "verify": ["verify", "tiny", "--no-near-duplicates", *workspace],
        "gc": ["gc", *workspace],
        "compact": ["gc", "--apply", "--compact", *workspace],
        "datasets": ["gc", "--apply", "--datasets", "1", *workspace],
    }
    return other.get(operation, run)


def in_a_process(tree: Path, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Run a command of a checkout in a process of its own and return what it cost.

    Raises:
        SystemExit: it failed.
    """
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    paths = os.pathsep.join([str(tree), str(tree / "training"), str(HERE)])
    env = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    line = [sys.executable, str(HERE / "scaling_child.py"), str(tree), str(report), *arguments]
    before, start = os.times(), time.perf_counter()
    with (folder / "output.txt").open("w") as output:
        code = subprocess.run(line, stdout=output, stderr=output, env=env, cwd=folder, check=False).returncode
    wall, after = time.perf_counter() - start, os.times()
    if code:
        raise SystemExit(f"{' '.join(line)}: exit code {code}\n{(folder / 'output.txt').read_text()[-2000:]}")
    all_s = after.children_user + after.children_system - before.children_user - before.children_system
    busy = os.getloadavg()[0]
    return {"wall_s": wall, "processor_s": all_s, "load": round(busy, 1), **json.loads(report.read_text())}


class Workspace:
    """One checkout's workspace over one collection, with the captures that were added for it alone."""

    def __init__(self, tree: Path, folder: Path, captures: Path, kind: str, rows: int) -> None:
        self.tree, self.folder, self.kind, self.rows = tree, folder, kind, rows
        self.work, self.added, self.file = folder / "work", folder / "added", folder / "tiny.yaml"
        self._figures = folder / "figures.json"
        self.found: dict[str, Any] = json.loads(self._figures.read_text()) if self._figures.exists() else {}
        folder.mkdir(parents=True, exist_ok=True)
        if not self.added.exists():
            add_capture(self.added, kind, rows)
        self.file.write_text(yaml.safe_dump(pipeline(captures, self.added, kind)))

    def measure(self, operation: str, again: bool) -> dict[str, Any] | None:
        """Return an operation's figures, of before where it was measured; None where the checkout cannot do it."""
        if operation in self.found and not again:
            return self.found[operation]
        if operation == "datasets" and not self._removes_datasets():
            return None
        before = snapshot(self.work) if operation in ADDING or operation == "datasets" else {}
        resumed = operation == "first" and self.work.exists()
        runs = []
        for _ in range(ADDING.get(operation, 1)):
            if operation in ADDING:
                add_capture(self.added, self.kind, self.rows)
                time.sleep(SETTLE_S)
            runs.append(in_a_process(self.tree, self.folder, command(operation, self.file, self.work)))
        figures = {**min(runs, key=lambda one: one["processor_s"]), "resumed": resumed}
        if operation in CHANGING:
            after = snapshot(self.work)
            figures["sizes"] = sizes(after)
            if before:
                figures |= {"sizes_before": sizes(before), "changes": changes(before, after)}
        self.found[operation] = figures
        self._figures.write_text(json.dumps(self.found, indent=1) + "\n")
        return figures

    def only_imports(self) -> dict[str, Any]:
        """Return what a process costs that only imports."""
        return in_a_process(self.tree, self.folder, [])

    def _removes_datasets(self) -> bool:
        return "--datasets" in (self.tree / "face3d_data" / "cli" / "gc.py").read_text()


def measure(options: argparse.Namespace, folder: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return a line of figures for each checkout, kind of source, size and operation."""
    trees = [tree.resolve() for tree in ([options.other] if options.other else []) + [options.tree]]
    if len({tree.name for tree in trees}) < len(trees):
        raise SystemExit(f"both checkouts are called {trees[0].name}: rename one's folder")
    lines = []
    for rows in options.rows:
        for kind in options.kinds:
            start = time.perf_counter()
            captures = write_captures(folder / f"captures-{kind}-{rows}", kind, rows)
            say(f"{kind}, {rows:,} rows: captures in {time.perf_counter() - start:.1f} s")
            time.sleep(SETTLE_S)
            spaces = [Workspace(tree, folder / f"{tree.name}-{kind}-{rows}", captures, kind, rows) for tree in trees]
            starts = {space.tree: space.only_imports() for space in spaces}
            for operation in options.operations:
                for space in spaces:
                    figures = space.measure(operation, operation in options.again)
                    what = {"checkout": space.tree.name, "kind": kind, "rows": rows, "operation": operation}
                    if figures is None:
                        say(f"  {operation:9} {space.tree.name}: it has no such option")
                        continue
                    started = {f"start_{name}": starts[space.tree][name] for name in ("processor_s", "wall_s")}
                    lines.append({**what, **figures, **started})
                    spent = f"{figures['wall_s']:8.1f} s, processor {figures['processor_s']:8.1f} s"
                    note = ", the rest of one that was broken off" if figures.get("resumed") else ""
                    say(f"  {operation:9} {space.tree.name}: {spent}, {figures['peak_bytes'] / 1e6:,.0f} MB{note}")
    return lines


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", nargs="?", type=Path, help="root of another checkout")
    parser.add_argument("--tree", type=Path, default=ROOT, help="root of the checkout to measure [this one]")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of sources")
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--again", nargs="+", choices=OPERATIONS[1:], default=[], help="measure these again")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep captures, workspaces and figures there")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    options.operations = [name for name in OPERATIONS if name in options.operations]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        lines = measure(options, folder, lambda line: print(line, flush=True))
    print_tables(lines)
    print("\ngoals missed:", *(missed(lines, options.tree.resolve().name) or ["none"]), sep="\n  ")
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Recognition learnt from synthetic people alone, and what it is worth on captures of people that it has never seen.

Builds the training set (pipeline `recognition`), trains every run of `RUNS` (two side by side, one thread each, going
on where they stopped), judges them on synthetic strangers, and once all is trained, on captures of other people, plain
and in real masks, where folders with some are given. Nothing is chosen on those.

    python benchmarks/recognition.py --workspace work
    python benchmarks/recognition.py --workspace work --plain CAPTURES --masked CAPTURES_IN_MASKS
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from face3d_training.config import load_config

FACE3D = (sys.executable, "-m", "face3d_data")
WITHOUT_MASKS = ("--data.where", "mask == 'none'")
RUNS: dict[str, tuple[str, ...]] = {
    **{f"masks-s{seed}": ("--config", "recognition", "--seed", str(seed)) for seed in range(3)},
    **{f"plain-s{seed}": ("--config", "recognition", "--seed", str(seed), *WITHOUT_MASKS) for seed in range(3)},
    "pointmlp_elite-s0": ("--config", "recognition_mlp"),
    "pointnet2_ssg_elite-s0": (
        "--config",
        "recognition_mlp",
        "--model",
        "pointnet2_ssg_elite",
        "--model.embedding-size",
        "256",
    ),
}
"""Runs by their names, in the order in which they are trained and shown."""
SYNTHETIC = "synthetic people, unseen in training: figures on them alone are never worth quoting"
RENDERED = (
    "not real scans, if these captures are the rendered ones: the synthetic people were matched to aggregate figures of"
    " the statistical model that rendered them"
)


def main() -> None:
    """Do all that is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--workspace", type=Path, default=Path("work"))
    parser.add_argument("--plain", type=Path, help="folder of captures to be recognised, as rgbd_folder reads them")
    parser.add_argument("--masked", type=Path, help="folder of captures of the same people in real masks")
    parser.add_argument("--side-by-side", type=int, default=2, help="trainings at a time, one thread each")
    given = parser.parse_args()
    if (given.plain is None) != (given.masked is None):
        parser.error("--plain and --masked go together")
    started = time.monotonic()
    call(given.workspace, "run", "recognition")
    print(f"training set: {(time.monotonic() - started) / 60:.1f} min")
    with ThreadPoolExecutor(given.side_by_side) as pool:
        list(pool.map(lambda name: train(given.workspace, name), RUNS))
    judge(given.workspace, "recognition", SYNTHETIC)
    if given.plain is not None:
        roots = {"D415_ROOT": str(given.plain.absolute()), "D415_MASKED_ROOT": str(given.masked.absolute())}
        call(given.workspace, "run", "recognition_test", **roots)
        judge(given.workspace, "recognition_test", RENDERED, "--train-dataset", "recognition")


def train(workspace: Path, name: str) -> None:
    """Train one run, or go on with it; its lines go to a file beside."""
    folder = workspace / "training" / name
    if (folder / "done").is_file():
        return
    begun = (folder / "checkpoints" / "last.pt").is_file()
    if begun and epochs_done(folder) == load_config(RUNS[name][1]).epochs:
        (folder / "done").touch()
        return
    how = ("--resume",) if begun else ("--restart",)
    folder.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with open(folder.parent / f"{name}.log", "a") as log:
        call(workspace, "train", "recognition", *RUNS[name], "--out", str(folder), *how, stdout=log)
    (folder / "done").touch()
    print(f"{name}: {(time.monotonic() - started) / 60:.1f} min", flush=True)


def epochs_done(folder: Path) -> int:
    """Return the epochs in a run's metrics.csv."""
    path = folder / "metrics.csv"
    return len(path.read_text().splitlines()) - 1 if path.is_file() else 0


def judge(workspace: Path, dataset: str, notice: str, *options: str) -> None:
    """Evaluate all runs on a dataset's split `test`."""
    runs = [str(workspace / "training" / name) for name in RUNS]
    call(workspace, "evaluate", dataset, *runs, "--baseline", "--notice", notice, *options)


def call(workspace: Path, *arguments: str, stdout: object = None, **environment: str) -> None:
    """Call `face3d` on one thread, and stop where it fails."""
    command = [*FACE3D, *arguments, "-w", str(workspace)]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, env=variables, stdout=stdout, check=False)  # type: ignore[call-overload]
    if done.returncode:
        raise SystemExit(f"face3d {' '.join(arguments[:2])}: exit code {done.returncode}")


if __name__ == "__main__":
    main()

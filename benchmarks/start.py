"""Start of `face3d train`, from the command to its first step, against its unavoidable part; and of `face3d models`.

    python benchmarks/start.py [--rounds 5] [--json FILE]

In processor time of whole processes, medians over rounds in which all take turns. A small dataset of synthetic people
is made first. The floor is a process that imports torch, pandas, h5py and Lightning Fabric and makes an optimizer, for
which torch itself loads its compiler (torch._dynamo).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

GOAL_S = 3.0
FLOOR = """
import h5py, lightning_fabric, pandas, torch
torch.optim.AdamW(torch.nn.Linear(2, 2).parameters())
"""
FIRST_STEP = """
import os, sys
import face3d_training.train as train
train._step = lambda *_: os._exit(0)
from face3d_data.cli.main import main
main()
"""
"""Runs a command that trains, and ends where the first step would begin."""


def seconds(command: list[str]) -> float:
    """Return the processor seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        work = ["--workspace", folder]
        subprocess.run([python, "-m", "face3d_data", "run", "quickstart", *work], check=True, stdout=subprocess.DEVNULL)
        dataset = str(Path(folder) / "datasets" / "quickstart")
        out = ["--out", str(Path(folder) / "run"), "--restart"]
        commands = {
            "floor": [python, "-c", FLOOR],
            "train": [python, "-c", FIRST_STEP, "train", dataset, "--config", "points_pointnet", *out],
            "models": [python, "-m", "face3d_data", "models"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                times[name].append(seconds(command))
    figures = {f"{name}_s": round(statistics.median(values), 3) for name, values in times.items()}
    figures["train_vs_floor"] = round(figures["train_s"] / figures["floor_s"], 3)
    print("  ".join(f"{name} {value}" for name, value in figures.items()), f" (goal: train_s {GOAL_S})")
    if options.json:
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Fused steps against the same steps with every array kept: cache of a capture, processor time, arrays decoded.

    python benchmarks/fused.py [--captures N] [--json F]

Captures are those of shared/data/rgbd, each under several names with another lowest bit of one colour, so that no two
have the same content; without that folder, synthetic ones. Steps are those of the pipeline `rgbd`.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.reader import Reader
from face3d_data.resources import find_pipeline

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "rgbd"


def copies(real: Path, root: Path, captures: int) -> int:
    """Write captures with different content, real ones in turn; return how many there are."""
    import cv2

    found = sorted(real.glob("*/*_color.png"))
    for i in range(captures):
        color = found[i % len(found)]
        depth = color.with_name(color.name.replace("_color", "_depth"))
        folder = root / color.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        image = cv2.imread(str(color))
        image[0, i // len(found) % image.shape[1], i % 3] ^= 1 + i // len(found) % 255
        name = color.name.removesuffix("_color.png")
        cv2.imwrite(str(folder / f"{name}-{i}_color.png"), image)
        shutil.copy(depth, folder / f"{name}-{i}_depth.png")
        for beside in (color.parent / "intrinsics.json", real / "intrinsics.json"):
            if beside.exists():
                shutil.copy(beside, root / beside.relative_to(real))
    return captures


def measured(root: Path | None, captures: int, kept: bool) -> dict[str, Any]:
    """Run the pipeline in an empty workspace, in this process, and measure it."""
    raw = yaml.safe_load(find_pipeline("rgbd").read_text("utf-8"))
    source: dict[str, Any] = {"reader": "rgbd_folder", "root": str(root)}
    if root is None:
        source = {"reader": "synthetic", "people": max(1, captures // 4), "captures": 4, "width": 480, "height": 360}
    raw["sources"] = {"rgbd": source}
    raw["steps"] = [{**step, "keep": True} if kept and "stage" in step else step for step in raw["steps"]]
    raw["datasets"] = {}
    raw["limits"] = {"max_error_rate": 1, "max_reject_rate": 1}
    decoded: list[str] = []
    with tempfile.TemporaryDirectory() as work:
        _count_loads(decoded)
        before = resource.getrusage(resource.RUSAGE_SELF)
        result = run(make_pipeline(raw, Path.cwd()), work, engine="serial")
        after = resource.getrusage(resource.RUSAGE_SELF)
        files = [path for path in Path(work, "cache").rglob("*") if path.is_file()]
        inputs, outputs = result.steps["faces"].inputs, len(result.entries("shaded"))
        return {
            "inputs": inputs,
            "outputs": outputs,
            "kb_a_capture": round(sum(path.stat().st_size for path in files) / 1e3 / max(outputs, 1), 1),
            "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
            "arrays_decoded_a_capture": round(len(decoded) / inputs, 2),
            "images_decoded_a_capture": round(sum(name in ("color", "depth") for name in decoded) / inputs, 2),
        }


def _count_loads(decoded: list[str]) -> None:
    """Let every reader count which arrays it decodes."""
    from face3d_data import reader as module

    original = _count_loads.__dict__.setdefault("original", module.load)

    def load(reader: Reader, source: Any, name: str) -> np.ndarray:
        decoded.append(name)
        return original(reader, source, name)  # type: ignore[no-any-return]

    module.load = load


def main() -> None:
    """Measure both, in turn, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--captures", type=int, default=64)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) if REAL.is_dir() else None
        if root is not None:
            copies(REAL, root, options.captures)
        measured(root, 8, False)  # libraries and detectors are loaded, files are in memory
        kept, fused = (measured(root, options.captures, keep) for keep in (True, False))
    found = {"captures": "real, with changes" if root else "synthetic", "kept": kept, "fused": fused}
    found["times_as_fast"] = round(kept["cpu_s"] / fused["cpu_s"], 2)
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

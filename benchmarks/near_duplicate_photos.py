"""How well a photograph saved anew is told from another one, by the search for near-duplicates between splits.

    python benchmarks/near_duplicate_photos.py [--people 150] [--json FILE]

Synthetic people are rendered at 320x240, two captures each, and cropped by their landmarks to 112x112. Copies of the
first captures are: saved as JPEG of quality 40, brighter or darker with another contrast, blurred (sigma 1.5 px), noisy
(8 grey levels), turned by up to 3 degrees and scaled and shifted by up to 3 %, at 160x160, and in a mask drawn before
the crop. Told of each kind, and of strangers (1,000 random pairs, and the 1,000 whose low waves are nearest): how far
the waves are apart (1 - cosine), correlation, and how many are suspected (goal: no strangers).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from face3d_data.geometry.image_likeness import DETAIL_PX, WAVES_PX, detail, likeness, low_waves, reduced
from face3d_data.sample import Sample
from face3d_data.shards.audit.near_duplicates_images import PARTS
from face3d_data.stages.crop import CropFace
from face3d_data.stages.mask import Mask
from face3d_data.synthetic.capture import render_capture

STRANGERS = 1000
SIDE_PX = 112


def crops_of(person: int, capture: int) -> dict[str, np.ndarray]:
    """Return a capture's crops u1 (H, W, 3): `first`, `160 px` and `masked`."""
    made = render_capture(23, person, capture, width=320, height=240)
    arrays = {name: made[name] for name in ("color", "landmarks", "box")}
    sample = Sample.of(arrays, key=f"{person}-{capture}")
    crop, large = CropFace(align="similarity"), CropFace(align="similarity", size_px=160)
    found = {"first": crop.apply(sample).arrays["color"], "160 px": large.apply(sample).arrays["color"]}
    worn = next(iter(Mask().run(sample, np.random.default_rng(person))), None)
    return found if worn is None else {**found, "masked": crop.apply(worn).arrays["color"]}


def copies(image: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what programs make of a photograph."""
    middle = (SIDE_PX - 1) / 2
    motion = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-3, 3), 1 + rng.uniform(-0.03, 0.03))
    motion[:, 2] += rng.uniform(-0.03, 0.03, 2) * SIDE_PX
    exposed = image * rng.uniform(0.7, 1.3) + rng.uniform(-25, 25)
    return {
        "jpeg": cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR),
        "exposed": np.clip(exposed, 0, 255).astype(np.uint8),
        "blurred": cv2.GaussianBlur(image, (0, 0), 1.5),
        "noisy": np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8),
        "turned": cv2.warpAffine(image, motion, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE),
    }


def measure(n_people: int) -> dict[str, Any]:
    """Return the figures of every kind, by part of the image."""
    rng = np.random.default_rng(0)
    images: dict[str, list[tuple[int, np.ndarray]]] = {}
    for person in range(n_people):
        made = crops_of(person, 0)
        made |= copies(made["first"], rng) | {"other capture": crops_of(person, 1)["first"]}
        for kind, image in made.items():
            images.setdefault(kind, []).append((person, image))
    figures: dict[str, Any] = {}
    for part, (name, *_) in enumerate(PARTS):
        described = {kind: _describe([image for _, image in some], part) for kind, some in images.items()}
        first_waves, first_details = described.pop("first")
        pairs = np.array(np.triu_indices(n_people, 1)).T
        apart = np.array([_apart(first_waves[one], first_waves[other]) for one, other in pairs])

        drawn, nearest = rng.permutation(len(pairs))[:STRANGERS], np.argsort(apart)[:STRANGERS]
        figures[name] = {
            "strangers": _figures(part, apart[drawn], first_details[pairs[drawn].T]),
            "nearest strangers": _figures(part, apart[nearest], first_details[pairs[nearest].T]),
        }
        for kind, (waves, details) in described.items():
            people = np.array([person for person, _ in images[kind]])
            differ = np.array([_apart(first_waves[person], waves[i]) for i, person in enumerate(people)])
            figures[name][kind] = _figures(part, differ, (first_details[people], details))
    return {"people": n_people, "figures": figures}


def _describe(images: list[np.ndarray], part: int) -> tuple[np.ndarray, np.ndarray]:
    share = PARTS[part][1]
    small = np.array([reduced(image, WAVES_PX)[: round(share * WAVES_PX)] for image in images])
    large = np.array([reduced(image, DETAIL_PX)[: round(share * DETAIL_PX)] for image in images])
    return low_waves(detail(small)), detail(large)


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    return 1.0 - float(first @ second)


def _figures(part: int, differ: np.ndarray, pairs: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return quantiles (least, 1 %, median, 99 %, most) of both figures, and how many pairs are suspected."""
    alike = np.array([likeness(first, second) for first, second in zip(*pairs, strict=True)])
    _, _, most_apart, least_alike = PARTS[part]
    suspected = int(((differ <= most_apart) & (alike >= least_alike)).sum())
    at = (0, 0.01, 0.5, 0.99, 1)
    return {
        "pairs": len(differ),
        "suspected": suspected,
        "waves_apart": np.quantile(differ, at).round(3).tolist(),
        "correlation": np.quantile(alike, at).round(3).tolist(),
    }


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    result = measure(options.people)
    for part, kinds in result["figures"].items():
        print(f"{part}: least, 1 %, median, 99 %, most of waves (1 - cosine) and of correlation")
        for kind, of in kinds.items():
            told = "  ".join(" ".join(f"{value:6.3f}" for value in of[name]) for name in ("waves_apart", "correlation"))
            print(f"  {kind:18} {of['pairs']:5} pairs {of['suspected']:4} suspected  {told}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

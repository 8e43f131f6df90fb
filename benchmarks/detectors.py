"""Detectors side by side: what they find, how exactly, and how long they take, plain and behind masks.

    python benchmarks/detectors.py [--captures FOLDER] [--people 200] [--json FILE]

Sets of images, each plain and masked: rendered captures of known truth (FOLDER/rgbd and FOLDER/rgbd_masked), synthetic
people, each plain and in one of the nine mask styles in turn, and photographs that come with packages (the astronaut of
scikit-image, Grace Hopper of matplotlib), in every style. The error of a landmark is its distance from the truth by
the distance of the eyes; of a photograph's, from the same detector's landmark on the plain one. Times are of the
processor, on one thread.

Of the captures, the untrained depth map then identifies each probe among the first captures of all people (rank 1, a
face not found counts as wrong), with landmarks of each detector.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import face_maps
import numpy as np

from face3d_data.errors import Reject
from face3d_data.geometry.depth_map import clipped_distance
from face3d_data.geometry.landmarks import lift_landmarks
from face3d_data.geometry.mean_face import mean_face
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.readers.synthetic import Synthetic
from face3d_data.sample import Sample
from face3d_data.stages.detect import Detect
from face3d_data.stages.mask import Mask
from face3d_data.wear.mask_style import mask_styles

DETECTORS = ("mtcnn", "facemesh", "auto")
IMAGES = ("color", "depth", "intrinsics")


@dataclass
class Tally:
    """What a detector did on one set.

    Attributes:
        images: how many it was given.
        errors: f8 (5,) each, % of the eye distance, of what it found.
        ms: processor time of each image.
        by: how many each detector of `auto` found.
    """

    images: int = 0
    errors: list[np.ndarray] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    by: dict[str, int] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """Return the figures of a table's row."""
        errors = np.array(self.errors)
        median, high = np.percentile(errors, [50, 95]).round(2) if len(errors) else (np.nan, np.nan)
        ms = round(float(np.median(self.ms)), 2) if self.ms else np.nan
        return {
            "images": self.images,
            "found": len(self.errors),
            "median": median,
            "p95": high,
            "ms": ms,
            "by": self.by,
        }


def detect(name: str, sample: Sample, tally: Tally, truth: np.ndarray | None) -> np.ndarray | None:
    """Return a detector's landmarks of a sample, None where it finds nothing, and note them."""
    bare = Sample.of({each: sample.arrays[each] for each in IMAGES if each in sample.arrays})
    tally.images += 1
    start = time.process_time()
    try:
        out = Detect(detector=name).apply(bare)
    except Reject:
        return None
    finally:
        tally.ms.append(1000 * (time.process_time() - start))
    by = str(out.tags.get("found_by", name))
    tally.by[by] = tally.by.get(by, 0) + 1
    found = out.arrays["landmarks"]
    if truth is None:
        tally.errors.append(np.zeros(5))
    else:
        tally.errors.append(100 * np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth[0] - truth[1]))
    return found


def synthetic(people: int) -> Iterator[tuple[str, Sample]]:
    """Yield each synthetic person plain and in one of the nine styles."""
    reader = Synthetic(people=people, captures=2, first_person=1000)
    for i, source in enumerate(source for source in reader.scan() if source.capture.endswith("1")):
        sample = reader.sample(source)
        whole = Sample.of({name: sample.arrays[name] for name in (*IMAGES, "landmarks")}, key=f"{i:032x}")
        yield "synthetic plain", whole
        style = list(mask_styles())[i % len(mask_styles())]
        try:
            yield "synthetic masked", Mask(styles={style: 1}).apply(whole)
        except Reject:
            continue


def photographs() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the photographs that packages ship, u1 (H, W, 3)."""
    import cv2
    import matplotlib
    from skimage import data

    yield "astronaut", data.astronaut()
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    yield "grace_hopper", np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def run_photographs(tallies: dict[tuple[str, str], Tally]) -> None:
    """Look at each photograph plain, and in every style that is put on by the landmarks of facemesh."""
    for _, image in photographs():
        plain = Sample.of({"color": image})
        own = {}
        for name in DETECTORS:
            own[name] = detect(name, plain, tallies.setdefault(("photographs plain", name), Tally()), None)
        marks = Detect(detector="facemesh").apply(plain).arrays["landmarks"]
        for i, style in enumerate(mask_styles()):
            worn = Mask(styles={style: 1}).apply(Sample.of({"color": image, "landmarks": marks}, key=f"{i:032x}"))
            for name in DETECTORS:
                detect(name, worn, tallies.setdefault(("photographs masked", name), Tally()), own[name])


Faces = dict[str, dict[str, list[tuple[str, np.ndarray]]]]


def run_captures(folder: Path, tallies: dict[tuple[str, str], Tally]) -> dict[str, dict[str, float]]:
    """Look at the captures, and return each detector's rank-1 figures."""
    mean = mean_face().landmarks.astype(np.float64)
    maps: dict[str, list[tuple[str, str, bool, np.ndarray | None]]] = {name: [] for name in DETECTORS}
    for kind, name_of_set in (("rgbd", "captures plain"), ("rgbd_masked", "captures masked")):
        reader = RgbdFolder(root=folder / kind)
        for source in reader.scan():
            sample = reader.sample(source)
            truth = sample.arrays["landmarks"]
            for name in DETECTORS:
                found = detect(name, sample, tallies.setdefault((name_of_set, name), Tally()), truth)
                one = None
                if found is not None:
                    depth, intrinsics = sample.arrays["depth"], sample.arrays["intrinsics"]
                    lifted = lift_landmarks(depth, intrinsics, found)
                    if lifted is not None:
                        one = face_maps.capture_map(depth, intrinsics, lifted.astype(np.float64), mean)
                maps[name].append((source.person, source.capture, kind == "rgbd_masked", one))
    return {name: rank_1(rows) for name, rows in maps.items()}


def rank_1(rows: list[tuple[str, str, bool, np.ndarray | None]]) -> dict[str, float]:
    """Return the share of probes, plain and masked, whose nearest first capture is their own person's, in %."""
    level = {i: row[3] - np.nanmedian(row[3]) for i, row in enumerate(rows) if row[3] is not None}
    gallery = [i for i, row in enumerate(rows) if row[1].endswith("00") and i in level]
    shapes = np.array([level[i] for i in gallery])
    hits: dict[str, list[bool]] = {"plain": [], "masked": []}
    for i, (person, capture, masked, _) in enumerate(rows):
        if capture.endswith("00"):
            continue
        right = i in level and rows[gallery[int(np.argmin(clipped_distance(shapes, level[i])))]][0] == person
        hits["masked" if masked else "plain"].append(bool(right))
    return {name: round(100 * float(np.mean(values)), 1) for name, values in hits.items() if values}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captures", type=Path, help="folder that holds rgbd and rgbd_masked")
    parser.add_argument("--people", type=int, default=200, help="synthetic people")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    asked = parser.parse_args()
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    tallies: dict[tuple[str, str], Tally] = {}
    ranks = run_captures(asked.captures, tallies) if asked.captures else {}
    run_photographs(tallies)
    for name_of_set, sample in synthetic(asked.people):
        for name in DETECTORS:
            tally = tallies.setdefault((name_of_set, name), Tally())
            detect(name, sample, tally, sample.arrays["landmarks"].astype(np.float64))
    print(f"{'set':<20}{'detector':<10}{'found':>12}{'median %':>10}{'95 %':>8}{'ms':>8}")
    for (name_of_set, name), tally in tallies.items():
        row = tally.row()
        count = f"{row['found']} of {row['images']}"
        by = ", ".join(f"{key} {n}" for key, n in tally.by.items()) if name == "auto" else ""
        print(f"{name_of_set:<20}{name:<10}{count:>12}{row['median']:>10}{row['p95']:>8}{row['ms']:>8}  {by}")
    for name, rank in ranks.items():
        print(f"rank-1 of the untrained map, landmarks of {name}: {rank}")
    if asked.json:
        figures = {f"{kind}, {name}": tally.row() for (kind, name), tally in tallies.items()}
        asked.json.write_text(json.dumps({"detection": figures, "rank_1": ranks}, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()

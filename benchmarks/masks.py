"""Every style of mask, worn properly, on captures whose skin is known: does it lie on the face, in all that it changes?

    python benchmarks/masks.py [--quick] [--styles NAME ...] [--jobs N] [--json FILE]

Two sets: the 96 rendered captures of the shared data (folder `data` of the one that FACE3D_SHARED names, or of
`../shared`), with a stereo camera's noise, and synthetic people without noise, on which nothing may be off at all. The
plain captures go through the steps of pipelines/rgbd.yaml up to align_3d, MTCNN included. What is judged, and how,
stands in mask_judge.py and mask_judge_images.py; where the truth comes from, in mask_truth.py. One table of figures by
style; what misses its goal is marked. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import joblib
import mask_judge
import mask_judge_images
import numpy as np
from mask_truth import Capture, SharedCaptures, synthetic_capture
from pydantic import PrivateAttr
from scipy.stats import chisquare

from face3d_data.engine.threads import limit_threads
from face3d_data.errors import Reject
from face3d_data.sample import Sample
from face3d_data.stages.mask import Mask
from face3d_data.wear.mask_draw import draw_mask
from face3d_data.wear.mask_style import mask_styles

SHARED, SYNTHETIC, WORN = "captures", "synthetic", "worn masks of the shared data"
TOGETHER = "all styles"
POPULATION = 77
DRAWS = 4000
LEAST_P = 0.001
ZONES = mask_judge.ZONES
GOALS: dict[str, tuple[float | None, float | None]] = {
    "made": (1.0, None),
    "front_radial_percent": (None, 0.1),
    "front_camera_percent": (None, 0.1),
    "holes": (None, 0),
    **{f"{zone}_{kind}_mm": (None, 3.0) for zone in ZONES for kind in ("cloud", "true")},
    "covered_share": (1.0, None),
    "visible_ratio": (0.35, 0.65),
    "depth_outside_px": (None, 0),
    "color_outside_px": (None, 0),
    "reprojected_share": (0.99, None),
    "labels_right": (0.99, None),
    "kept_in_order": (1.0, None),
    "found_share": (0.85, None),
    "spacing_ratio": (0.85, 1.15),
}
"""Figure to least and most; on synthetic captures nothing may lie in front."""
READINGS = ("depth_bias_mm", "depth_spread_mm", "depth_sigma_mm")


class Watched(Mask):
    """The stage `mask`, which also keeps the mesh and the face frame of what it put on."""

    _put: list = PrivateAttr(default_factory=list)

    def put_on(self, sample: Sample, face: Any, occluder: Any, rng: np.random.Generator) -> Sample:
        """Put it on, and keep it."""
        self._put.append((face.view.to_face, occluder))
        return super().put_on(sample, face, occluder, rng)


def judge(capture: Capture, style: str, seed: int) -> dict[str, Any]:
    """Return all figures of one style on one capture, or the reason why it was not put on."""
    stage = Watched(styles=[style], worn={"proper": 1.0})
    try:
        (sample,) = stage.apply_all(capture.sample, seed)
    except Reject as reject:
        return {"capture": capture.name, "style": style, "reject": str(reject)}
    to_face, occluder = stage._put[-1]
    worn = mask_judge.Worn(capture, sample, occluder, to_face, stage.softening_px)
    images = mask_judge_images
    steps = (mask_judge.in_front, mask_judge.coverage, images.outside, images.readings, images.agreement, images.labels)
    figures: dict[str, Any] = {"capture": capture.name, "style": style, "noise": capture.noise}
    for step in (*steps, images.spacing, mask_judge.fit_of_outline):
        figures |= step(worn)
    figures["skin_visible"] = images.skin_visible(worn)
    figures["found"] = images.found(sample, capture.box)
    return figures | {name: value for name, value in sample.tags.items() if name.startswith(("mask", "visible"))}


def judge_person(data: Path | None, person: str | int, only: int, styles: list[str], seed: int) -> list[dict[str, Any]]:
    """Judge all styles on the captures of one person: of the shared data, or without `data` a synthetic one."""
    limit_threads()
    captures: Iterable[Any]
    if data is not None:
        captures = SharedCaptures(data).of(str(person), only)
    else:
        captures = (_or_reason(int(person), capture) for capture in range(only))
    rows = []
    for capture in captures:
        if isinstance(capture, Capture):
            rows += [judge(capture, style, seed + number) for number, style in enumerate(styles)]
        else:
            rows += [{"capture": capture[0], "style": style, "unusable": capture[1]} for style in styles]
    return rows


def _or_reason(person: int, capture: int) -> Capture | tuple[str, str]:
    try:
        return synthetic_capture(POPULATION, person, capture)
    except Reject as reject:
        return f"synthetic {POPULATION}/{person}/{capture}", str(reject)


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of one style over its captures."""
    usable = [row for row in rows if "unusable" not in row]
    made = [row for row in usable if "reject" not in row]
    if not made:
        return {"captures": len(rows), "made": 0.0}

    def total(name: str) -> float:
        return float(sum(row[name] for row in made))

    found: dict[str, Any] = {"captures": len(rows), "made": len(made) / len(usable)}
    for along in ("radial", "camera"):
        found[f"front_{along}_percent"] = 100 * total(f"front_{along}") / max(total(f"inside_{along}"), 1)
    found["farthest_front_mm"] = max(row["farthest_front_mm"] for row in made)
    found["holes"] = total("holes")
    for kind in (f"{zone}_{kind}_mm" for zone in ZONES for kind in ("cloud", "true")):
        distances = np.abs(np.concatenate([row[kind] for row in made]))
        found[kind] = float(np.median(distances)) if len(distances) else None
    marks = ("nose", "mouth_left", "mouth_right", "chin")
    ratio = [row["mask_spacing_mm"] / row["face_spacing_mm"] for row in made]
    return found | {
        "covered_share": float(np.mean([all(row[mark] for mark in marks) for row in made])),
        "menton_share": total("menton") / len(made),
        "visible_ratio": total("visible_ratio") / len(made),
        "visible_skin": total("skin_visible") / len(made),
        "depth_outside_px": total("depth_changed_outside_px"),
        "color_outside_px": total("color_changed_outside_px"),
        "reprojected_share": total("agreeing_px") / max(total("mask_px"), 1),
        "labels_right": total("labels_right") / len(made),
        "kept_in_order": total("kept_in_order") / len(made),
        **{name: float(np.nanmedian([row[name] for row in made])) for name in READINGS},
        "depth_off_percent": 100 * float(np.mean([row["depth_off"] for row in made])),
        "depth_holes_percent": 100 * float(np.mean([row["depth_holes"] for row in made])),
        "found_share": total("found") / len(made),
        "spacing_ratio": float(np.nanmedian(ratio)),
        "spacing_within_share": float(np.mean([0.85 <= value <= 1.15 for value in ratio])),
    }


def goal_of(name: str, kind: str) -> tuple[float | None, float | None]:
    """Return least and most of a figure in one set of captures."""
    return (None, 0.0) if kind == SYNTHETIC and name.startswith("front") else GOALS.get(name, (None, None))


def met(name: str, value: float | None, kind: str) -> bool:
    """Return whether a figure meets its goal; what could not be measured misses none."""
    least, most = goal_of(name, kind)
    return value is None or ((least is None or value >= least) and (most is None or value <= most))


def extremes(summary: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the least and the most over the styles of every figure that has such a goal: `<figure>_least`, `_most`."""
    found = {}
    for name, (least, most) in GOALS.items():
        values = [figures[name] for figures in summary.values() if figures.get(name) is not None]
        if values and least is not None:
            found[f"{name}_least"] = min(values)
        if values and most is not None:
            found[f"{name}_most"] = max(values)
    return found


def table(summary: Mapping[str, Mapping[str, Any]], kind: str) -> list[str]:
    """Return the lines of one set's table: figures down, styles across, `*` behind what misses its goal."""
    names = list(dict.fromkeys(name for figures in summary.values() for name in figures))
    lines = [f"{kind:24} {'goal':>11} " + " ".join(f"{style[:10]:>11}" for style in summary)]
    for name in names:
        least, most = goal_of(name, kind)
        bounds = [f">={least:g}" if most is None else f"{least:g}-{most:g}"] if least is not None else []
        goal = bounds[0] if bounds else f"<={most:g}" if most is not None else ""
        cells = []
        for figures in summary.values():
            value = figures.get(name)
            text = "-" if value is None else f"{value:.4g}"
            cells.append(f"{text:>10}{' ' if met(name, value, kind) else '*'}")
        lines.append(f"{name:24} {goal:>11} " + " ".join(cells))
    return lines


def frequencies(draws: int = DRAWS) -> dict[str, Any]:
    """Return how probable it is that the styles drawn follow their weights, by a chi-square test."""
    styles = mask_styles()
    weights = {name: 1.0 + number for number, name in enumerate(styles)}
    rngs = np.random.default_rng(20261).spawn(draws)
    names = [draw_mask(styles, weights, {"proper": 1.0}, rng).style for rng in rngs]
    seen = np.array([names.count(name) for name in styles])
    expected = np.array(list(weights.values())) / sum(weights.values()) * draws
    return {"draws": draws, "seen": seen.tolist(), "p": float(chisquare(seen, expected).pvalue)}


def worn_in_data(data: Path) -> float | None:
    """Return the share of the shared data's captures with a modelled mask that MTCNN finds, to compare with."""
    from face3d_data.registry import find

    root = data / "rgbd_masked"
    found = []
    for path in sorted(root.glob("*/landmarks.json")):
        entries = json.loads(path.read_text("utf-8"))
        reader = find("reader", "rgbd_folder")(root=root)
        for source in (source for source in reader.scan() if source.person == path.parent.name):
            box = np.array(entries[source.capture]["face_box_xyxy"])
            found.append(mask_judge_images.found(reader.sample(source), box))
    return float(np.mean(found)) if found else None


def measure(data: Path, styles: list[str], quick: bool, jobs: int, seed: int) -> dict[str, Any]:
    """Judge both sets; return rows, summaries, frequencies and what else there is to compare with."""
    people = SharedCaptures(data).people()[: 6 if quick else None]
    work = [(data, person, 2 if quick else 6) for person in people]
    work += [(None, person, 1 if quick else 2) for person in range(4 if quick else 16)]
    parallel = joblib.Parallel(n_jobs=jobs, batch_size=1)
    parts = parallel(joblib.delayed(judge_person)(*one, styles, seed) for one in work)
    rows = {SHARED: [], SYNTHETIC: []}
    for (where, _, _), part in zip(work, parts, strict=True):
        rows[SYNTHETIC if where is None else SHARED] += part
    summary = {
        kind: {style: summarize([row for row in own if row["style"] == style]) for style in styles}
        | {TOGETHER: summarize(own)}
        for kind, own in rows.items()
        if own
    }
    drawn = frequencies()
    missed = [
        f"{kind}: {style}: {name} {value:.4g}"
        for kind, by_style in summary.items()
        for style, figures in by_style.items()
        for name, value in figures.items()
        if not met(name, value, kind)
    ]
    if drawn["p"] < LEAST_P:
        missed.append(f"styles' frequencies: p = {drawn['p']:.2g}")
    return {
        "summary": summary,
        "extremes": {kind: extremes(one) for kind, one in summary.items()},
        "frequencies": drawn,
        "missed": missed,
        "met": not missed,
        "found_in_worn_data": None if quick else worn_in_data(data),
        "rows": rows,
    }


def main() -> int:
    """Judge, print, and write JSON if asked; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("FACE3D_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    parser.add_argument("--data", type=Path, default=shared, help="folder with rgbd/ and ict_face_small.npz")
    parser.add_argument("--quick", action="store_true", help="12 captures and 4 synthetic ones")
    parser.add_argument("--styles", nargs="+", choices=list(mask_styles()), default=list(mask_styles()), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file too, every capture's included")
    options = parser.parse_args()
    found = measure(options.data, options.styles, options.quick, options.jobs, options.seed)
    for kind, summary in found["summary"].items():
        print("\n".join(table(summary, kind)), end="\n\n")
    if SHARED not in found["summary"]:
        print(f"skipped: no captures with landmarks.json in {options.data / 'rgbd'} (give --data or set FACE3D_SHARED)")
    if found["found_in_worn_data"] is not None:
        print(f"MTCNN finds {found['found_in_worn_data']:.1%} of the {WORN}")
    drawn = found["frequencies"]
    print(f"styles drawn {drawn['draws']} times: p = {drawn['p']:.3f} that they follow their weights")
    print("\n".join(f"MISSED  {line}" for line in found["missed"]) or "all goals met")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if found["met"] else 1


if __name__ == "__main__":
    sys.exit(main())

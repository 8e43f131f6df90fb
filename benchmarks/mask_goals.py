"""Goals of the benchmarks of worn masks, for `goals.py`."""

from __future__ import annotations

from goal import NO_PROC, Benchmark, Goal

NO_CAPTURES = "set FACE3D_SHARED to the folder with data/rgbd"


def mask_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of worn masks."""
    return (
        Benchmark("masks", "masks.py", (), mask_goals()),
        Benchmark(
            "mask_cost",
            "mask_cost.py",
            (),
            (
                Goal("masked RGB-D variants a second, one core", ("rgbd_per_s",), least=4),
                Goal("one of them: x a ray-cast with its scene", ("rgbd_vs_cast_with_scene",), most=3),
                Goal("one of them: x a ray-cast alone", ("rgbd_vs_cast",)),
                Goal("masked clouds of 20,000 points a second", ("points_per_s",), least=100),
                Goal("mask: a worker's peak over 1,000 rows: MiB", ("memory", "peak_mb"), most=600e6 / 2**20),
                Goal("its memory is flat over mask", ("memory", "flat"), least=True, unless=NO_PROC),
                Goal("torch was loaded (1 = yes)", ("memory", "torch_loaded"), most=0, unless=NO_PROC),
            ),
        ),
    )


def mask_goals() -> tuple[Goal, ...]:
    """Return the goals of worn masks: the worst of all styles on captures of known skin."""
    captures, synthetic = ("extremes", "captures"), ("extremes", "synthetic")
    together = ("summary", "captures", "all styles")

    def most(what: str, name: str, goal: float) -> Goal:
        return Goal(what, (*captures, f"{name}_most"), most=goal, unless=NO_CAPTURES)

    def least(what: str, name: str, goal: float) -> Goal:
        return Goal(what, (*captures, f"{name}_least"), least=goal, unless=NO_CAPTURES)

    return (
        most("masks, worst style: % of points in front", "front_camera_percent", 0.1),
        Goal("the same without noise", (*synthetic, "front_camera_percent_most"), most=0),
        most("outline to skin at the nose bridge: mm", "bridge_true_mm", 3),
        most("outline to skin at the cheeks: mm", "cheeks_true_mm", 3),
        most("outline to skin under the chin: mm", "chin_true_mm", 3),
        least("nose, mouth corners and chin covered: share", "covered_share", 1),
        least("mean visible ratio, least of the styles", "visible_ratio", 0.35),
        most("mean visible ratio, most of the styles", "visible_ratio", 0.65),
        most("depth changed outside the mask: px", "depth_outside_px", 0),
        most("colour changed outside the mask: px", "color_outside_px", 0),
        least("mask pixels that points agree with: share", "reprojected_share", 0.99),
        Goal("MTCNN finds, all styles: share", (*together, "found_share"), least=0.85, unless=NO_CAPTURES),
        Goal("MTCNN finds, worst style: share", (*captures, "found_share_least"), unless=NO_CAPTURES),
        least("spacing on the mask: x the face's, least", "spacing_ratio", 0.85),
        most("spacing on the mask: x the face's, most", "spacing_ratio", 1.15),
        Goal("styles as often as they weigh: p", ("frequencies", "p"), least=0.001),
    )

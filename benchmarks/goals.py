"""What `make bench` measures: each script with its arguments, and the goals that its figures are held against."""

from __future__ import annotations

import os

from goal import NO_PROC, Benchmark, Goal
from mask_goals import mask_benchmarks


def with_tensorflow() -> tuple[str, ...]:
    """Return the argument that names an interpreter with TensorFlow, where one is given."""
    python = os.environ.get("FACE3D_TF_PYTHON")
    return ("--tf-python", python) if python else ()


NO_TENSORFLOW = "set FACE3D_TF_PYTHON to an interpreter with mtcnn 1.0.0 and TensorFlow"
EQUAL_SETTINGS = "mtcnn package / detection at equal settings (goal >= 2)"
DEPTH_BOUND = "mtcnn package / detection bounded by depth (goal >= 8)"


def benchmarks() -> tuple[Benchmark, ...]:
    """Return all benchmarks, at sizes that take a minute or so each."""
    return (
        *face_benchmarks(),
        *map_benchmarks(),
        *dataset_benchmarks(),
        *truth_benchmarks(),
        *training_benchmarks(),
        *triplet_benchmarks(),
        *collection_benchmarks(),
        *mask_benchmarks(),
    )


def face_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of faces that are found, and of points that are chosen."""
    return (
        Benchmark(
            "detection",
            "detection.py",
            with_tensorflow(),
            (
                Goal("detection: time / its networks' forward passes", ("ratios", "detection / its networks")),
                Goal("detection, depth bound: time / its networks'", ("ratios", "bounded detection / its networks")),
                Goal("detection: x mtcnn package", ("ratios", EQUAL_SETTINGS), least=2, unless=NO_TENSORFLOW),
                Goal("detection, depth bound: x mtcnn package", ("ratios", DEPTH_BOUND), least=8, unless=NO_TENSORFLOW),
            ),
        ),
        Benchmark(
            "sampling",
            "sampling.py",
            (),
            (
                Goal("subsample fast: x raw fpsample", ("ratios", "fast_vs_fpsample"), least=0.9),
                Goal("subsample fast: x Open3D", ("ratios", "fast_vs_open3d"), least=5),
                Goal("subsample fast: x a NumPy loop", ("ratios", "fast_vs_numpy_loop")),
            ),
        ),
    )


def map_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of maps of a face, of everything that is computed of one frame, and of several processes."""
    return (
        Benchmark(
            "packaged_cost",
            "packaged_cost.py",
            (),
            (
                Goal("packaged network, aligned cloud to embedding: ms a face, one core", ("together_ms",), most=15),
                Goal("... of which the map", ("map_ms",)),
            ),
        ),
        Benchmark(
            "surface_maps",
            "surface_maps.py",
            (),
            (
                Goal("map of 20,000 points: ms, one core", ("milliseconds",), most=5),
                Goal("... median error inside, mm", ("yaw 0, noise 0 mm", "median_mm"), most=0.1),
                Goal("... share of cells inside within 0.1 mm", ("yaw 0, noise 0 mm", "within_0.1_mm")),
            ),
        ),
        Benchmark(
            "frame",
            "frame.py",
            (),
            (Goal("one frame: time / its unavoidable parts", ("end_to_end_vs_parts",), most=1.3),),
        ),
        Benchmark(
            "engine",
            "engine.py",
            ("--people", "8"),
            (
                Goal("two processes: x one", ("two_vs_one",), least=1.7),
                Goal("two processes: x one, a bare loop", ("two_vs_one_of_a_bare_loop",)),
            ),
        ),
    )


def dataset_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of the files that runs write, and of runs that find them."""
    return (
        Benchmark(
            "loader", "loader.py", (), (Goal("random triplets: x PLY files", ("ratio_to_ply", "shards"), least=25),)
        ),
        Benchmark(
            "shard_reading",
            "shard_reading.py",
            ("--shards", "2", "512", "--rows", "32"),
            (
                Goal("random samples/s of 512 shards", ("this", "512", "read"), least=150_000),
                Goal("512 shards opened: s", ("this", "512", "open"), most=0.1),
            ),
        ),
        Benchmark(
            "opening",
            "opening.py",
            (),
            (
                Goal(
                    "comparing a 2 GB dataset with its hashes: x one epoch's loading", ("check_over", "train"), most=1
                ),
                Goal("comparing a dataset with its hashes: GB/s", ("gb_per_s",)),
            ),
        ),
        Benchmark(
            "rerun",
            "rerun.py",
            (),
            (
                Goal("rerun of 5,000 captures, nothing changed: s", ("median_rerun_s",), most=3),
                Goal("rerun of 5,000 captures: processor s", ("median_rerun_processor_s",)),
            ),
        ),
        Benchmark(
            "fused",
            "fused.py",
            (),
            (
                Goal("cache of an RGB-D capture, fused steps: KB", ("fused", "kb_a_capture"), most=200),
                Goal("the same, every step kept: KB", ("kept", "kb_a_capture")),
                Goal("fused steps: x as fast as kept ones, processor time", ("times_as_fast",), least=1.2),
                Goal("images decoded of a capture, fused steps", ("fused", "images_decoded_a_capture"), most=2),
            ),
        ),
        Benchmark(
            "grow",
            "rerun.py",
            ("--grow", "100"),
            (Goal("100 runs of one capture, gc: same bytes, few parts", ("met",), least=True),),
        ),
    )


def truth_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of memory over many rows, and of what is found against what is known."""
    return (
        Benchmark(
            "memory",
            "memory.py",
            (),
            (
                Goal("a worker's peak over 1,000 VGA rows: MiB", ("peak_mb",), most=953.7),
                *(
                    Goal(f"its memory is flat over {step}", ("steps", step, "flat"), least=True, unless=NO_PROC)
                    for step in ("detect", "to_cloud", "subsample")
                ),
            ),
        ),
        Benchmark(
            "truth",
            "truth.py",
            (),
            (
                Goal("faces found: share of the captures", ("share_detected",), least=95 / 96),
                Goal("median landmark error: % of the eye distance", ("landmark_error_percent",), most=6),
                Goal("median error of the nose in space: mm", ("nose_error_mm",), most=5),
                Goal("median rmse to the mean face: mm", ("rmse_mm",), most=3),
                Goal("dataset verified", ("verified",), least=True),
            ),
        ),
    )


def training_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of the trainer: its steps, and its start."""
    step, sampling = "a step of {}: x the usual torch loops", ("sampling", "ratio")
    return (
        Benchmark(
            "training_ops",
            "training_ops.py",
            (),
            (
                *(
                    Goal(step.format(name), ("nets", name, "ratio"), least=1.15)
                    for name in ("pointnet2_ssg_elite", "pointmlp_elite")
                ),
                Goal("farthest points, exact, 32 x 2,048 to 512: x the usual loop", (*sampling, "exact")),
                Goal("farthest points, fast: x the usual loop", (*sampling, "fast")),
            ),
        ),
        Benchmark(
            "start",
            "start.py",
            (),
            (
                Goal("face3d train, from the command to its first step: s", ("train_s",), most=3.0),
                Goal("the same / importing torch, Fabric and pandas", ("train_vs_floor",), most=1.3),
                Goal("face3d models: s", ("models_s",), most=1.0),
            ),
        ),
    )


def triplet_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of triplets, and of batches of them."""
    return (
        Benchmark(
            "triplet_loss",
            "triplet_loss.py",
            (),
            (
                Goal("triplet loss, semihard, batch 128: x lists of triplets", ("faster_128",), least=3.0),
                Goal("the same, batch 1,024", ("faster_1024",), least=20.0),
                Goal("its memory at batch 1,024, MB", ("mb",), most=100.0),
            ),
        ),
        Benchmark(
            "training_loader",
            "training_loader.py",
            (),
            (
                Goal("training batches: x PLY files", ("ratio_to_ply", "shards 0"), least=25),
                Goal("with two workers: x PLY files without", ("ratio_to_ply", "shards 2")),
            ),
        ),
        Benchmark(
            "triplets",
            "triplets.py",
            (),
            (
                Goal("1 M offline triplets drawn: s", ("median_s", "generate_s"), most=5),
                Goal("their file written: s", ("median_s", "write_s")),
            ),
        ),
    )


def collection_benchmarks() -> tuple[Benchmark, ...]:
    """Return those of readers and of the leak audit."""
    return (
        Benchmark(
            "bosphorus",
            "bosphorus.py",
            (),
            (
                Goal("Bosphorus: range + landmarks, scans a second", ("scans_per_s",), least=50),
                Goal("the same: x a reader of single values", ("vs_value_by_value",), least=100),
                Goal("peak over 200 scans: x that over 50", ("peak_grows_by",), most=1.05),
            ),
        ),
        Benchmark(
            "near_duplicates",
            "near_duplicates.py",
            (),
            (
                Goal("near-duplicates among 10,000 samples: s", ("search", "seconds"), most=120),
                Goal("strangers suspected", ("search", "strangers"), most=0),
            ),
        ),
    )

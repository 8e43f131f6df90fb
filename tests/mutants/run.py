"""Plant known defects, one at a time, and see that the tests notice each: `make mutants`.

Every mutation is one edit of one line in a copy of the tree; the tests named beside it must pass before and fail after.
Prints one line each and exits 1 if any defect goes unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COPIED = ("face3d_data", "training", "tests", "pipelines", "manifests", "pyproject.toml")
HOMES = ("face3d_data", "training/face3d_training")
LIMIT_S = 300


class Mutation(NamedTuple):
    """One planted defect: in `file`, `old` becomes `new`, and `tests` must notice."""

    file: str
    old: str
    new: str
    tests: str


STORE = "tests/store tests/pipeline/test_run.py"
SPLIT = "tests/tables/test_split.py"
SHARDS = "tests/shards"
MASK = "tests/wear/test_mask_surface.py tests/wear/test_mask_outline.py tests/stages/test_mask.py"
COVER = "tests/wear/test_cover.py tests/wear/test_cover_depth.py tests/wear/test_cover_points.py"
AUGMENT = "tests/stages/test_augment.py tests/augment/test_augment_mirror.py tests/augment/test_augment_motion.py"
MESH = "tests/detectors/test_facemesh.py tests/detectors/test_mesh_batch.py"
AUTO = "tests/stages/test_detect_auto.py"
MANY = "tests/geometry/test_many_landmarks.py tests/stages/test_to_cloud.py"

GRADCACHE = "tests/training/test_gradcache.py"
ROWS = "tests/training/test_face_rows.py tests/training/test_online_variation.py"
TRIPLET = "tests/training/losses/test_loss_triplet.py"
JUDGED = "tests/training/evaluation/test_verification.py tests/tables/test_pair_rows.py"
RANKED = "tests/training/evaluation/test_identification.py"

MUTATIONS = (
    Mutation("detectors/mediapipe/nets.py", '["fine"], (0, 3, 6)', '["fine"], (0, 3, 7)', MESH),
    Mutation("detectors/mediapipe/nets.py", "(high - low) * 1.5", "(high - low) * 1.4", MESH),
    Mutation("detectors/mesh_search.py", "> largest_overlap", "> 2 * largest_overlap", MESH),
    Mutation("detectors/mesh_batch.py", "left = left & ~near", "left = left & near", MESH),
    Mutation("detectors/mesh_faces.py", "while side * SMALLEST_SHARE > least_px:", "while False:", MESH),
    Mutation("stages/face_search.py", "flat |= len(faces) > 0", "flat |= False", AUTO),
    Mutation("stages/face_search.py", "relief < LEAST_RELIEF_MM", "relief < 0", AUTO),
    Mutation("stages/detect.py", "marked = sample.without(*MANY)", "marked = sample", AUTO),
    Mutation("geometry/landmarks.py", "(z > 0) & (np.abs(z - reference) <= FACE_BAND_MM)", "z > 0", MANY),
    Mutation("geometry/landmark_sets.py", "468:473 469:476", "468:474 469:476", MANY),
    Mutation("store/part.py", 'if _text_digest(lines) != header["digest"]:', "if False:", STORE),
    Mutation("store/part.py", "if min(shape) < 0:", "if min(shape) < -1:", STORE),
    Mutation("store/part.py", "sorted({row.input for row in rows})", "[row.input for row in rows]", STORE),
    Mutation("store/step_rows.py", '-columns["attempt"], inputs', 'columns["attempt"], inputs', STORE),
    Mutation("store/step_rows.py", "!= again) &", "== 0) &", STORE),
    Mutation("store/step_rows.py", "if stream.read(DIGEST_BYTES) != _digest(stream):", "if False:", STORE),
    Mutation("store/step_rows.py", "states.get(name) != tuple(state)", "False", STORE),
    Mutation("atomic.py", "os.replace(temporary, path)", "shutil_copy(temporary, path)", "tests/test_atomic.py"),
    Mutation("store/files.py", "stat.st_ctime_ns, stat.st_ino", "stat.st_mtime_ns, stat.st_ino", STORE),
    Mutation("store/files.py", ">= SETTLE_NS", ">= 0", STORE),
    Mutation("store/gc.py", "if key in live}", "if key not in live}", STORE),
    Mutation("store/manifest.py", "entry.identity + row.identity_suffix", "entry.identity", STORE),
    Mutation("store/place.py", "self.parent.names - frozenset(self.dropped)", "self.parent.names", STORE),
    Mutation("tables/split.py", 'return identity.partition("~")[0]', "return identity", SPLIT),
    Mutation("tables/split.py", "kept = dict(old) if old_header == header else {}", "kept = dict(old)", SPLIT),
    Mutation("tables/split.py", "kept.update(self._read_frozen(context))", "self._read_frozen(context)", SPLIT),
    Mutation("tables/split.py", "key=lambda unit: digest(seed, unit)", "key=lambda unit: unit", SPLIT),
    Mutation("tables/split.py", "split = max(choice", "split = min(choice", SPLIT),
    Mutation("tables/split.py", "{**kept, **places}", "places", SPLIT),
    Mutation("shards/rows.py", "enumerate(sorted(there))", "enumerate(dict.fromkeys(names.values))", SHARDS),
    Mutation("shards/buckets.py", "self._words.astype(np.uint64).T[::-1]", "self._words.astype(np.uint64).T", SHARDS),
    Mutation("shards/tokens.py", "values[1:] != values[:-1]", "values[1:] == values[:-1]", SHARDS),
    Mutation("shards/buckets.py", "if stop - start <= most or", "if stop - start < most or", SHARDS),
    Mutation("shards/reuse.py", "state.sha256 != sha256 or", "", SHARDS),
    Mutation("shards/leaks.py", 'identity.partition("~")[0]', "identity", SHARDS),
    Mutation("shards/leaks.py", "[] if closed_set else people_leaks(rows, same_person or {})", "[]", SHARDS),
    Mutation("shards/write.py", "with atomic_path(task.path) as temporary:", "if temporary := task.path:", SHARDS),
    Mutation("shards/write.py", "axis=0, dtype=np.float64", "axis=0, dtype=np.float16", SHARDS),
    Mutation("wear/mask_surface.py", "share * (raised - rim)", "0.2 * share * (raised - rim)", MASK),
    Mutation(
        "wear/mask_surface.py",
        "return np.maximum(smooth + _smoothed(lift, used, sigma), floor)",
        "return smooth",
        MASK,
    ),
    Mutation("wear/mask_surface.py", "RIM_STANDOFF = 0.5", "RIM_STANDOFF = 4.0", MASK),
    Mutation(
        "wear/mask_outline.py",
        "return offset @ self._turn.T + self._place",
        "return offset @ self._turn + self._place",
        MASK,
    ),
    Mutation("wear/mask_draw.py", "names = sorted(weights)", "names = list(weights)", MASK),
    Mutation("stages/covering.py", "yield _with_labels(sample)", "yield sample", MASK),
    Mutation("wear/cover_points.py", "occluder.slack(hits, tolerance_mm(view.noise))", "-1.0", COVER),
    Mutation("wear/mask_fittings.py", "thin=(0,),", "thin=(),", MASK),
    Mutation("wear/cover.py", "np.concatenate([old[kept], ", "np.concatenate([0 * old[kept], ", MASK),
    Mutation("augment/mirror.py", "changed[name][MIRRORED[name]]", "changed[name]", AUGMENT),
    Mutation("augment/mirror.py", 'return self.identity_suffix if record["mirror"] else ""', 'return ""', AUGMENT),
    Mutation("augment/motion.py", 'motion @ arrays["pose"]', 'arrays["pose"]', AUGMENT),
    Mutation("gradcache.py", "if value.loss is None or len(pieces) > 1:", "if value.loss is None:", GRADCACHE),
    Mutation("gradcache.py", "_again(net, piece, states[number])", "net(piece, full=True)", GRADCACHE),
    Mutation("gradcache.py", "(of_losses if last else [])", "[]", GRADCACHE),
    Mutation("data.py", "seed_from(kind, self.seed, epoch, copy, key)", "seed_from(kind, self.seed, copy, key)", ROWS),
    Mutation("data.py", "seed_from(kind, self.seed, epoch, copy, key)", "seed_from(kind, self.seed, epoch, key)", ROWS),
    Mutation("losses/triplet.py", "keep = violations >= self.margin", "keep = violations >= 0", TRIPLET),
    Mutation("losses/triplet.py", "if not valid:", "if False:", TRIPLET),
    Mutation("tables/pair_rows.py", "codes.origin[mates] != codes.origin[first[row]]", "mates >= 0", JUDGED),
    Mutation(
        "tables/pair_rows.py",
        "self.person[first] != self.person[second]",
        "self.identity[first] != self.identity[second]",
        JUDGED,
    ),
    Mutation("evaluation/metrics/verification.py", "float(far) * impostors >= 1 - SLACK", "True", JUDGED),
    Mutation(
        "evaluation/metrics/identification.py", "best >= own_score[part, None]", "best > own_score[part, None]", RANKED
    ),
    Mutation("embedding.py", "out / np.linalg.norm", "out * np.linalg.norm", "tests/training/test_embed_rows.py"),
)


def main() -> int:
    """Run every mutation; return how many went unnoticed."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        for tests in sorted({mutation.tests for mutation in MUTATIONS}):
            if not passes(copy, tests):
                print(f"{tests}: fails without any mutation: mend that first")
                return 1
        missed = [mutation for mutation in MUTATIONS if not caught(copy, mutation)]
    print(f"{len(MUTATIONS) - len(missed)} of {len(MUTATIONS)} caught")
    return 1 if missed else 0


def caught(copy: Path, mutation: Mutation) -> bool:
    """Return whether the tests fail with the mutation in place, and say so."""
    [path] = (copy / home / mutation.file for home in HOMES if (copy / home / mutation.file).is_file())
    text = path.read_text("utf-8")
    if text.count(mutation.old) != 1:
        raise SystemExit(f"{mutation.file}: {mutation.old!r} occurs {text.count(mutation.old)} times: mend the list")
    path.write_text(text.replace(mutation.old, mutation.new), "utf-8")
    started = time.monotonic()
    try:
        found = not passes(copy, mutation.tests)
    finally:
        path.write_text(text, "utf-8")
    verdict = "caught" if found else "MISSED"
    print(
        f"{verdict}  {mutation.file}: {mutation.old} → {mutation.new}  ({time.monotonic() - started:.0f} s)", flush=True
    )
    return found


def passes(copy: Path, tests: str) -> bool:
    """Return whether the tests pass in the copy."""
    environment = {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'training'}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=LIMIT_S)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())

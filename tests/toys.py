"""Small components for tests of the store, the engine and the pipeline."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from pydantic import Field

from face3d_data.errors import Reject, Unreadable
from face3d_data.reader import Reader, Source
from face3d_data.registry import register
from face3d_data.stage import Stage
from face3d_data.table import TableResult, TableStep


@register
class ToyReader(Reader):
    """Text files `<person>/<capture>.txt`: numbers, or one word that says what goes wrong."""

    name = "toy_files"
    version = 1
    outputs = ("points", "landmarks_3d")
    reasons = {"unreadable": "not numbers", "odd_name": "a name that is refused"}
    root: Path = Field(exclude=True, description="folder")

    def scan(self):
        for path in sorted(self.root.glob("*/*.txt")):
            problem = ("odd_name", path.stem) if path.stem.startswith("odd") else None
            yield Source(path.parent.name, path.stem, {"text": path}, arrays=("points",), problem=problem)

    def inspect(self, source):
        if source.capture.startswith("deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        if source.files["text"].stat().st_size == 0:
            raise Unreadable("unreadable", "empty file")

    def load(self, source, name):
        text = source.files["text"].read_text()
        try:
            values = np.array([float(v) for v in text.split()], "f4")
        except ValueError:
            raise Unreadable("unreadable", f"not numbers: {text[:20]}") from None
        return np.ascontiguousarray(np.resize(values, (max(4, len(values)), 3)))


@register
class ToyScale(Stage):
    """Multiply; rejects, fails, kills or forgets where the first number is 13, 14, 15 or 16."""

    name = "toy_scale"
    version = 1
    inputs = ("points",)
    outputs = ("points", "landmarks_3d")
    reasons = {"unlucky": "the first number is 13"}
    factor: float = Field(2.0, description="factor")

    def run(self, sample, rng):
        points = sample.arrays["points"]
        first = float(points[0, 0])
        if first == 13:
            raise Reject("unlucky", "thirteen")
        if first == 14:
            raise RuntimeError("fourteen")
        if first == 15:
            os.kill(os.getpid(), signal.SIGKILL)
        if first == 16:
            return
        if first == 17:
            raise Reject("undeclared")
        yield sample.with_arrays(points=points * np.float32(self.factor), landmarks_3d=np.zeros((5, 3), "f4"))


@register
class ToyJitter(Stage):
    """Draw noise."""

    name = "toy_jitter"
    version = 1
    inputs = ("points",)
    outputs = ("points",)
    random = True
    tag_names = ("shift",)

    def run(self, sample, rng):
        shift = rng.normal(size=3).astype("f4")
        yield sample.with_arrays(points=sample.arrays["points"] + shift).with_tags(shift=float(shift[0]))


@register
class ToyCopies(Stage):
    """Several named draws of one sample."""

    name = "toy_copies"
    version = 1
    inputs = ("points",)
    outputs = ("points",)
    variants = True
    copies: int = Field(2, ge=1, description="copies")
    mirror: bool = Field(False, description="call the copies other people")

    def run(self, sample, rng):
        for i in range(self.copies):
            moved = sample.with_arrays(points=sample.arrays["points"] + np.float32(i))
            yield moved.as_variant(f"copy:{i}", "~mirror" if self.mirror else "")


@register
class ToyDepth(Stage):
    """Read the depth, and keep its mean as a tag."""

    name = "toy_depth"
    version = 1
    inputs = ("depth",)

    def run(self, sample, rng):
        yield sample.with_tags(mean_depth=float(sample.arrays["depth"].mean()))


@register
class ToyTags(Stage):
    """Set one tag; or copy the tag that it is told to into `seen`."""

    name = "toy_tags"
    version = 1
    tag_names = ("seen",)
    set_tag: str = Field("", description="name of a tag to set to 'x'")
    copy_tag: str = Field("", description="name of a tag to copy, 'absent' if it does not exist")

    def run(self, sample, rng):
        tags = {self.set_tag: "x"} if self.set_tag else {}
        yield sample.with_tags(seen=str(sample.tags.get(self.copy_tag, "absent")), **tags)


@register
class ToyBatch(Stage):
    """Work in batches of four; a batch with a 13 in it fails as a whole."""

    name = "toy_batch"
    version = 1
    inputs = ("points",)
    outputs = ("points",)

    @property
    def batch_size(self):
        return 4

    def run_batch(self, samples, rngs):
        if any(sample.arrays["points"][0, 0] == 13 for sample in samples):
            raise RuntimeError("one of them is 13")
        return [[sample.with_arrays(points=sample.arrays["points"] * np.float32(2))] for sample in samples]


@register
class ToyLabel(TableStep):
    """Set the tag `label` on every row."""

    name = "toy_label"
    version = 1
    tag_names = ("label",)
    value: str = Field("a", description="what to set")

    def run(self, frames, context):
        return TableResult(frames[0].assign(label=self.value))


def write_toys(root: Path, people: int = 3, captures: int = 4, start: float = 100.0) -> Path:
    """Write good captures with different content."""
    for person in range(people):
        folder = root / f"p{person:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        for capture in range(captures):
            first = start + person * captures + capture
            (folder / f"c{capture}.txt").write_text(" ".join(str(first + i) for i in range(12)))
    return root


def die_at(where: str, count: int, counter: Path) -> None:
    """Make the `count`-th write of a `part` or `shard` end its process when half of it is on disk.

    The count is kept as files in the folder `counter`, so that it goes on across processes.
    """
    import face3d_data.shards.write as shard_module
    import face3d_data.store.part as part_module

    module, name = (part_module, "_write_arrays") if where == "part" else (shard_module, "_write")
    original = getattr(module, name)

    def write(*args):
        path = args[-1] if where == "shard" else args[0]
        counter.mkdir(parents=True, exist_ok=True)
        (counter / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        original(*args)
        if len(list(counter.iterdir())) == count:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, write)


if os.environ.get("TOYS_TRAP"):
    _where, _count, _folder = os.environ["TOYS_TRAP"].split(":")
    die_at(_where, int(_count), Path(_folder))

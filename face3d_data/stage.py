"""Stages: sample to samples. An author writes `run`; loops, storage, statistics and quarantine live in the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from face3d_data.component import Component
from face3d_data.digest import digest, seed_from
from face3d_data.errors import ContractError, Reject, UserError
from face3d_data.plurals import counted
from face3d_data.sample import PER_POINT, Arrays, Sample, Tag, check_array, check_points_agree

Names = tuple[str, ...]
Inputs = tuple[str | Names, ...]
Frame = Literal["", "camera", "face"]
"""Frames of points: the camera's (x right, y down, z away), or the face's (x to its left, y up, z to the front)."""
ANY_STAGE: dict[str, str] = {
    "distorted": "the camera's lens has distortion, and the stage works with a pinhole: put undistort before it",
}
"""Reasons for a reject that no stage has to declare, beside missing_<array> and no_output."""
_SUFFIX = re.compile(r"(~[A-Za-z0-9_-]+)?")


class Stage(Component):
    """Sample to samples (0, 1 or many), in a worker.

    `inputs` are arrays that a sample must have; where it holds tuples, each tuple is one complete alternative group.
    `optional` are arrays used if present. `outputs` are those that the stage may set or drop, `drops` only drop.
    A stage that reads `intrinsics` and not `distortion` works with a pinhole: samples of another camera are rejected.
    """

    kind: ClassVar[str] = "stage"
    inputs: ClassVar[Inputs] = ()
    optional: ClassVar[Names] = ()
    outputs: ClassVar[Names] = ()
    drops: ClassVar[Names] = ()
    """Arrays that the stage may only remove."""
    random: ClassVar[bool] = False
    """True: the stage draws; only then do the seeds enter its fingerprint and `run` is given an rng."""
    variants: ClassVar[bool] = False
    """True: every output is a named draw of its input (`Sample.as_variant`) and gets an id suffix."""
    frame: ClassVar[Frame] = ""
    """The only frame in which it takes points, which planning holds; empty: any, as `pose` describes it."""
    gives_frame: ClassVar[Frame] = ""
    """The frame that its points are in afterwards, where it moves them into one."""
    tag_names: ClassVar[Names] = ()
    """Tags that the stage sets, so that a `where` on them can be checked at planning."""
    counted_tags: ClassVar[Names] = ()
    """Tags of few values that the step's line counts (`found_by: facemesh 96, mtcnn 2`)."""
    tag_inputs: ClassVar[Names] = ()
    """Tags that `run` reads: it sees no others, and their values are in the key of its input."""

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the outputs made of one sample.

        Args:
            sample: arrays (read on first access) and tags; nothing else is set.
            rng: the generator of this stage and this input, None unless the stage declares `random`.

        Raises:
            Reject: this sample cannot be used; the reason is declared in `reasons`.
        """
        raise ContractError(f"stage {self.name!r} defines neither run nor run_batch")

    def run_batch(
        self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator | None]
    ) -> list[list[Sample] | Exception]:
        """Run several samples; override only where batching pays. An exception in the list belongs to its sample."""
        results: list[list[Sample] | Exception] = []
        for sample, rng in zip(samples, rngs, strict=True):
            try:
                results.append(list(self.run(sample, rng)))
            except Exception as error:
                results.append(error)
        return results

    @property
    def batch_size(self) -> int:
        """Samples handed to `run_batch` at once; 1 unless the stage batches."""
        return 1

    @property
    def workers_at_once(self) -> int | None:
        """Most workers that may run this stage at a time, such as those that share a GPU; None: all of them."""
        return None

    def tags_read(self, tags: Mapping[str, Tag]) -> dict[str, Tag]:
        """Return those of a row's tags that the stage sees."""
        return {name: tags[name] for name in self.tag_inputs if name in tags}

    def declared_tags(self) -> Names:
        """Return the tags that this instance may set; `tag_names` by default."""
        return self.tag_names

    def input_key(self, key: str, tags: Mapping[str, Tag]) -> str:
        """Return the key by which this stage's work on a row is kept: the row's own, with the tags that are read."""
        return digest(key, self.tags_read(tags)) if self.tag_inputs else key

    def array_attributes(self) -> Mapping[str, Mapping[str, Tag]]:
        """Return for arrays that the stage makes what else their numbers mean, such as the width of a map's cells.

        Datasets record it with the arrays, in their shards and in dataset.json.
        """
        return {}

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores: parts are kept below 64 MB by it."""
        return 200_000

    def groups(self) -> tuple[Names, ...]:
        """Return the complete alternative groups of required arrays of this instance."""
        plain = tuple(name for name in self.inputs if isinstance(name, str))
        groups = tuple(group for group in self.inputs if not isinstance(group, str))
        return tuple((*plain, *group) for group in groups) or (plain,)

    def missing(self, present: frozenset[str] | set[str]) -> str | None:
        """Return the first array lacking of the group that lacks least, or None if a group is complete."""
        lacks = [[name for name in group if name not in present] for group in self.groups()]
        least = min(lacks, key=len)
        return least[0] if least else None

    def refusal(self, sample: Sample) -> Reject | None:
        """Return why a sample cannot be worked on, by which arrays it has and by its camera, or None."""
        present, read = frozenset(sample.arrays), self.names_read()
        lacking = self.missing(present)
        if lacking:
            return Reject(
                f"missing_{lacking}",
                f"{self.name} needs {lacking!r}, which no step before it gives: put one there that does",
            )
        takes_pinhole = "intrinsics" in read and "distortion" not in read
        if takes_pinhole and {"intrinsics", "distortion"} <= present and sample.arrays["distortion"][:-1].any():
            return Reject(
                "distorted", f"the lens has distortion, but {self.name} needs a pinhole camera: put undistort before it"
            )
        return None

    def created(self) -> frozenset[str]:
        """Return the arrays that the stage makes itself; per-point arrays that it only carries along do not count."""
        return frozenset(self.outputs) - {name for name in PER_POINT if name in self.optional}

    def names_read(self) -> Names:
        """Return every array that `run` may ask for."""
        return tuple(dict.fromkeys([*(name for group in self.groups() for name in group), *self.optional]))

    def apply_all(self, sample: Sample, seed: int = 0) -> list[Sample]:
        """Run this stage on one sample in memory, without a workspace, and return its checked outputs.

        A stage that draws gives what a pipeline of that seed gives for the same sample key.

        Raises:
            Reject: the sample cannot be used (`missing_<array>` and `distorted` included).
            ContractError: the stage broke its own declaration.
        """
        refused = self.refusal(sample)
        if refused is not None:
            raise refused
        fingerprint = self.fingerprint(*((seed, 0) if self.random else ()))
        key, tags = self.input_key(sample.key, sample.tags), self.tags_read(sample.tags)
        rng = np.random.default_rng(seed_from(fingerprint, sample.key)) if self.random else None
        view = replace(sample, arrays=_read_only_view(sample.arrays), tags=tags, variant="", identity_suffix="")
        outputs = list(self.run(view, rng))
        for output in outputs:
            check_output(self, view, output)
        return [_named(sample, output, digest(fingerprint, key, i)) for i, output in enumerate(outputs)]

    def apply(self, sample: Sample, seed: int = 0) -> Sample:
        """Run this stage on one sample in memory and return its only output; see `apply_all`.

        Raises:
            UserError: the stage gave no or several outputs: use `apply_all`.
        """
        outputs = self.apply_all(sample, seed)
        if len(outputs) != 1:
            raise UserError(f"{self.name} gave {counted(len(outputs), 'sample')}: use apply_all")
        return outputs[0]


def _named(sample: Sample, output: Sample, key: str) -> Sample:
    variant = "+".join(part for part in (sample.variant, output.variant) if part)
    suffix = f"~{output.variant}~{key[:8]}" if output.variant else ""
    return replace(
        output,
        key=key,
        tags={**sample.tags, **output.tags},
        variant=variant,
        id=sample.id + suffix,
        identity=sample.identity + output.identity_suffix,
        identity_suffix=sample.identity_suffix + output.identity_suffix,
    )


def _read_only_view(arrays: Arrays) -> Arrays:
    """Return the arrays as an upstream's, so that `own` means what this stage sets."""
    return Arrays({name: partial(arrays.__getitem__, name) for name in arrays})


def check_output(stage: Stage, sample: Sample, output: Sample) -> None:
    """Check one output of a stage against its declaration and against `ARRAYS`.

    Raises:
        ContractError: an undeclared array, another dtype or shape, unequal numbers of points, a variant without a
            name, or one that the stage does not declare.
    """
    if not output.arrays.descends_from(sample.arrays):
        raise ContractError(f"stage {stage.name!r} yields a sample of its own making: use sample.with_arrays(…)")
    undeclared = sorted(
        (output.arrays.own.keys() - set(stage.outputs)) | (output.arrays.dropped - {*stage.outputs, *stage.drops})
    )
    if undeclared:
        raise ContractError(f"stage {stage.name!r} sets {undeclared} but declares outputs {list(stage.outputs)}")
    for name, array in output.arrays.own.items():
        check_array(name, array)
    if bool(output.variant) and not stage.variants:
        raise ContractError(f"stage {stage.name!r} names the variant {output.variant!r} but declares no variants")
    if set(output.variant) & set("/~+\x00") or not _SUFFIX.fullmatch(output.identity_suffix):
        raise ContractError(
            f"stage {stage.name!r}: variant {output.variant!r} (without '/', '~', '+') or identity suffix "
            f"{output.identity_suffix!r} (as '~mirror') is malformed"
        )
    changed = output.arrays.own.keys() & {"points", *PER_POINT}
    inherited_n = len(sample.arrays["points"]) if changed and "points" in sample.arrays else None
    check_points_agree(output, inherited_n)

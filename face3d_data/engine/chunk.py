"""Chunk of rows, the task of a worker: its rows go through one stage or several, and become parts.

A stage hands its arrays on to the next in memory. They are written for the last, and for those whose link `stores`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.engine.held_arrays import Decoded, Held, stored
from face3d_data.engine.part_buffer import Made, PartBuffer
from face3d_data.engine.stage_rows import failed_row, is_run_ending, output_rows
from face3d_data.engine.stats import Report
from face3d_data.engine.worker import DETAIL_CHARS
from face3d_data.errors import ContractError
from face3d_data.reader import Reader, Source
from face3d_data.sample import Sample, Tag
from face3d_data.stage import Stage
from face3d_data.store.part import PartRow


@dataclass(frozen=True)
class Item:
    """One row to work on: its key, the tags that the stages read and where its arrays live.

    Attributes:
        key: of the row; draws depend on it, so that a corrected tag changes none.
        tags: those that any of the stages reads.
        stored: (index into the chunk's parts, record, names) for every part that holds some of its arrays.
        source: (index into the chunk's readers, source) for the arrays in `source_names`.
        attempt: number of this attempt of the first stage.
        attempts: the same for later stages, by input key, where it is not the first.
    """

    key: str
    tags: Mapping[str, Tag]
    stored: tuple[tuple[int, int, tuple[str, ...]], ...]
    source: tuple[int, Source]
    source_names: tuple[str, ...]
    attempt: int = 1
    attempts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """One of a chunk's stages; `folder` is its step's `parts` folder, `stores` whether its arrays are written there."""

    stage: Stage
    fingerprint: str
    folder: Path
    stores: bool = True


@dataclass
class _Work:
    """One input of one stage; `owner` is the place of the item that it was made of."""

    owner: int
    key: str
    input_key: str
    attempt: int
    tags: Mapping[str, Tag]
    held: Held
    sample: Sample
    heard: list[str]


@dataclass(frozen=True)
class Chunk:
    """Rows for one stage, or for several that follow one another."""

    links: tuple[Link, ...]
    items: tuple[Item, ...]
    parts: tuple[Path, ...]
    readers: tuple[Reader, ...]

    def halves(self) -> Sequence[Chunk]:
        """Return the two halves, or nothing for a single row."""
        middle = len(self.items) // 2
        return [replace(self, items=part) for part in (self.items[:middle], self.items[middle:])] if middle else []

    def run(self) -> Report:
        """Run the stages over the rows and write what they give; the report's result is a report of each stage."""
        each = [Report() for _ in self.links]
        total = Report(result=each)
        buffer = PartBuffer([link.folder for link in self.links], self._check_files)
        block = max(1, *(link.stage.batch_size for link in self.links))
        for start in range(0, len(self.items), block):
            for made in self._made(self.items[start : start + block], each):
                buffer.add(made)
                _count(made, total, each)
        buffer.flush()
        for report, names in zip(each, buffer.written, strict=True):
            report.parts = tuple(names)
        return total

    def _check_files(self) -> None:
        """Check that the files of the stages' options are those that are in the fingerprints."""
        for link in self.links:
            link.stage.check_files()

    def _made(self, items: Sequence[Item], each: Sequence[Report]) -> list[Made]:
        """Take some rows through all stages, stage by stage."""
        found = [Made([[] for _ in self.links]) for _ in items]
        works = [self._first(owner, item) for owner, item in enumerate(items)]
        for level, link in enumerate(self.links):
            started = time.perf_counter()
            following: list[_Work] = []
            for work, outcome in self._outcomes(link, works):
                made = found[work.owner]
                rows, outputs = _rows(link, work, outcome)
                if link.stores:
                    rows = [_recorded(work, row, output, made) for row, output in _paired(rows, outputs)]
                else:
                    rows = [replace(row, stored=row.status != "ok") for row in rows]
                if level < len(self.links) - 1:
                    attempts = items[work.owner].attempts
                    following += [
                        self._next(level + 1, work, row, output, attempts)
                        for row, output in zip(rows, outputs, strict=False)
                    ]
                made.rows[level].append(rows)
            works = following
            each[level].seconds += time.perf_counter() - started
        return found

    def _outcomes(self, link: Link, works: Sequence[_Work]) -> Iterator[tuple[_Work, list[Sample] | Exception]]:
        size = max(1, link.stage.batch_size)
        for start in range(0, len(works), size):
            batch = works[start : start + size]
            yield from zip(batch, _batch_outcomes(link, batch), strict=True)

    def _first(self, owner: int, item: Item) -> _Work:
        index, source = item.source
        decoded = {name: Decoded(self.readers[index], source, name) for name in item.source_names}
        others = {name: stored(self.parts[part], record, name) for part, record, names in item.stored for name in names}
        attempts = {self.links[0].stage.input_key(item.key, item.tags): item.attempt}
        return self._work(0, owner, item.key, item.tags, Held(decoded, others), attempts)

    def _next(self, level: int, work: _Work, row: PartRow, output: Sample, attempts: Mapping[str, int]) -> _Work:
        held = work.held.after(output.arrays, stored=self.links[level - 1].stores)
        return self._work(level, work.owner, row.key, {**work.tags, **row.tags}, held, attempts)

    def _work(
        self, level: int, owner: int, key: str, tags: Mapping[str, Tag], held: Held, attempts: Mapping[str, int]
    ) -> _Work:
        stage, heard = self.links[level].stage, list[str]()
        sample = Sample(held.arrays(heard), stage.tags_read(tags), key=key)
        input_key = stage.input_key(key, tags)
        return _Work(owner, key, input_key, attempts.get(input_key, 1), tags, held, sample, heard)


def _count(made: Made, total: Report, each: Sequence[Report]) -> None:
    """Take one item into the reports: the first row of each input stands for it, a dirty one for the whole item."""
    for report, groups in zip(each, made.rows, strict=True):
        for rows in groups:
            report.inputs += 1
            report.outputs += sum(row.status == "ok" for row in rows)
            report.counts[rows[0].status] += 1
            if rows[0].status != "ok":
                report.reasons[rows[0].reason] += 1
    firsts = [rows[0] for groups in made.rows for rows in groups]
    worst = next((row for row in firsts if row.status != "ok"), firsts[0])
    total.inputs += 1
    total.outputs += sum(row.status == "ok" for rows in made.rows[-1] for row in rows)
    total.counts[worst.status] += 1
    if worst.status != "ok":
        total.reasons[worst.reason] += 1


def _rows(link: Link, work: _Work, outcome: list[Sample] | Exception) -> tuple[list[PartRow], list[Sample]]:
    """Return the rows of an input, and its outputs where they are good."""
    stage = link.stage
    if isinstance(outcome, Exception):
        return [failed_row(stage, work.input_key, work.attempt, outcome)], []
    detail = "; ".join(work.heard)[:DETAIL_CHARS]
    try:
        rows = output_rows(stage, link.fingerprint, work.input_key, work.sample, outcome, detail, work.attempt)
    except Exception as error:
        if is_run_ending(error):
            raise
        return [failed_row(stage, work.input_key, work.attempt, error)], []
    return rows, outcome


def _paired(rows: Sequence[PartRow], outputs: Sequence[Sample]) -> Iterator[tuple[PartRow, Sample | None]]:
    for i, row in enumerate(rows):
        yield row, outputs[i] if outputs else None


def _recorded(work: _Work, row: PartRow, output: Sample | None, made: Made) -> PartRow:
    """Put the arrays that the task made into a record: the output's own, and those that it has of earlier stages."""
    if output is None:
        return row
    own = dict(output.arrays.own)
    gone = {*own, *output.arrays.dropped}
    carried = {name: array for name, array in work.held.made.items() if name not in gone}
    if not own and not carried:
        return row
    made.records.append({**carried, **own})
    shapes = {name: list(array.shape) for name, array in carried.items()}
    return replace(row, record=len(made.records) - 1, carried=shapes)


def _batch_outcomes(link: Link, works: Sequence[_Work]) -> list[list[Sample] | Exception]:
    """Return what a stage gives for each input of a batch, or why nothing."""
    refused = [_refusal(link.stage, work.sample) for work in works]
    whole = [i for i, refusal in enumerate(refused) if refusal is None]
    rngs = [
        np.random.default_rng(seed_from(link.fingerprint, works[i].key)) if link.stage.random else None for i in whole
    ]
    made = _run_batch(link.stage, [works[i].sample for i in whole], rngs) if whole else []
    outcomes: list[list[Sample] | Exception] = [[] if refusal is None else refusal for refusal in refused]
    for i, outcome in zip(whole, made, strict=True):
        if is_run_ending(outcome):
            raise outcome  # type: ignore[misc]
        outcomes[i] = outcome
    return outcomes


def _refusal(stage: Stage, sample: Sample) -> Exception | None:
    """Return why the stage does not take a sample; a camera that cannot be read is a reason too."""
    try:
        return stage.refusal(sample)
    except Exception as error:
        if is_run_ending(error):
            raise
        return error


def _run_batch(stage: Stage, samples: Sequence[Sample], rngs: Sequence[Any]) -> list[list[Sample] | Exception]:
    """Run a batch; if it fails as a whole, run its samples one by one, so that the failure has an owner."""
    try:
        made = stage.run_batch(samples, rngs)
        if len(made) != len(samples):
            raise ContractError(f"stage {stage.name!r}: run_batch gave {len(made)} for {len(samples)} samples")
        return made
    except SystemExit as stop:  # code of a plugin: the run is not its to end
        if len(samples) == 1:
            return [ContractError(f"stage {stage.name!r} called sys.exit({stop.code!r}): raise Reject instead")]
    except Exception as error:
        if len(samples) == 1 or is_run_ending(error):
            return [error] * len(samples)
    return [_run_batch(stage, [sample], [rng])[0] for sample, rng in zip(samples, rngs, strict=True)]

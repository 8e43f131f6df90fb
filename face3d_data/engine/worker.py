"""Worker: a chunk of rows goes through one stage and becomes parts.

`run_task` is the one function that leaves the process, whatever the engine.
"""

from __future__ import annotations

import re
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from face3d_data.digest import digest, seed_from
from face3d_data.engine.part_buffer import PartBuffer
from face3d_data.engine.stats import Report, peak_memory_mb
from face3d_data.engine.threads import limit_threads
from face3d_data.errors import (
    ContractError,
    DamagedCache,
    Reject,
    RunStopped,
    Unreadable,
    is_full_disk,
    stops_the_run,
)
from face3d_data.reader import Reader, Source, load_remarked
from face3d_data.sample import Arrays, Sample, Tag
from face3d_data.stage import ANY_STAGE, Stage, check_output
from face3d_data.store.part import NO_RECORD, BadPart, PartRow, read_array
from face3d_data.table import FIXED_COLUMNS

DETAIL_CHARS = 300
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Task(Protocol):
    """A unit of work that can be sent to a worker, and halved when it kills one."""

    def run(self) -> Report:
        """Do the work and report; what it makes is on disk when it returns."""
        ...

    def halves(self) -> Sequence[Task]:
        """Return two smaller tasks, or nothing where there is no smaller one."""
        ...


def run_task(task: Task) -> Report:
    """Run one task in this process.

    Raises:
        RunStopped: no memory or no disk: the whole run has to stop.
        MissingDependency: a library or device is missing.
    """
    limit_threads()
    started = time.perf_counter()
    with stopping():
        report = task.run()
    report.seconds = time.perf_counter() - started
    report.peak_mb = peak_memory_mb()
    return report


@contextmanager
def stopping() -> Iterator[None]:
    """Turn what no run can go on after into `RunStopped`, with the remedy.

    Raises:
        RunStopped: no memory, no disk, a file that cannot be read or written.
        DamagedCache: a damaged part, discarded on the way.
    """
    try:
        yield
    except MemoryError:
        raise RunStopped("no memory left: lower --jobs or --chunk; finished parts stay") from None
    except BadPart as error:
        error.discard()
        raise DamagedCache(f"{error}: it was removed: run again, and it is made again") from None
    except (OSError, RuntimeError, sqlite3.OperationalError) as error:
        if is_full_disk(error):
            raise RunStopped("no disk space left: make room and run again; finished parts stay") from None
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            remedy = "fix its permissions" if isinstance(error, PermissionError) else "fix that and run again"
            what = f"{error.filename} cannot be read or written ({error.strerror})"
            raise RunStopped(f"{what}: {remedy}; nothing was removed") from None
        raise


@dataclass(frozen=True)
class Item:
    """One row to work on: its key, the tags that the stage reads and where its arrays live.

    Attributes:
        key: of the row; draws depend on it, so that a corrected tag changes none.
        input_key: the same with the tags that are read; results of the stage are stored under it.
        stored: (index into the chunk's parts, record, names) for every part that holds some of its arrays.
        source: (index into the chunk's readers, source) for the arrays in `source_names`.
    """

    key: str
    input_key: str
    tags: Mapping[str, Tag]
    stored: tuple[tuple[int, int, tuple[str, ...]], ...]
    source: tuple[int, Source]
    source_names: tuple[str, ...]
    attempt: int = 1


@dataclass(frozen=True)
class Chunk:
    """Rows for one stage. `folder` is the step's `parts` folder."""

    stage: Stage
    fingerprint: str
    folder: Path
    items: tuple[Item, ...]
    parts: tuple[Path, ...]
    readers: tuple[Reader, ...]

    def halves(self) -> Sequence[Chunk]:
        """Return the two halves, or nothing for a single row."""
        middle = len(self.items) // 2
        return [replace(self, items=part) for part in (self.items[:middle], self.items[middle:])] if middle else []

    def run(self) -> Report:
        """Run the stage over the rows and write what it gives as parts."""
        report, buffer = Report(), PartBuffer(self.folder)
        step = max(1, self.stage.batch_size)
        for start in range(0, len(self.items), step):
            for item, rows, records in self._run_items(self.items[start : start + step]):
                buffer.add(rows, records)
                first = rows[0]
                report.inputs += 1
                report.outputs += sum(row.status == "ok" for row in rows)
                report.counts[first.status] += 1
                if first.status != "ok":
                    report.reasons[first.reason] += 1
                del item
        buffer.flush()
        return report

    def _run_items(self, items: Sequence[Item]) -> Iterator[tuple[Item, list[PartRow], list[dict[str, np.ndarray]]]]:
        heard: list[list[str]] = [[] for _ in items]
        samples = [self._sample(item, said) for item, said in zip(items, heard, strict=True)]
        rngs = [
            np.random.default_rng(seed_from(self.fingerprint, item.key)) if self.stage.random else None
            for item in items
        ]
        outcomes = self._outcomes(samples, rngs)
        for item, sample, said, outcome in zip(items, samples, heard, outcomes, strict=True):
            if isinstance(outcome, Exception):
                yield item, [_failed(self.stage, item, outcome)], []
                continue
            try:
                yield item, *self._rows(item, sample, outcome, "; ".join(said)[:DETAIL_CHARS])
            except Exception as error:
                if _stops_the_run(error):
                    raise
                yield item, [_failed(self.stage, item, error)], []

    def _outcomes(self, samples: Sequence[Sample], rngs: Sequence[Any]) -> list[list[Sample] | Exception]:
        refused = [self._refusal(sample) for sample in samples]
        whole = [i for i, refusal in enumerate(refused) if refusal is None]
        made = self._run_batch([samples[i] for i in whole], [rngs[i] for i in whole]) if whole else []
        outcomes: list[list[Sample] | Exception] = [[] if refusal is None else refusal for refusal in refused]
        for i, outcome in zip(whole, made, strict=True):
            if _stops_the_run(outcome):
                raise outcome  # type: ignore[misc]
            outcomes[i] = outcome
        return outcomes

    def _refusal(self, sample: Sample) -> Exception | None:
        """Return why the stage does not take a sample; a camera that cannot be read is a reason too."""
        try:
            return self.stage.refusal(sample)
        except Exception as error:
            if _stops_the_run(error):
                raise
            return error

    def _run_batch(self, samples: Sequence[Sample], rngs: Sequence[Any]) -> list[list[Sample] | Exception]:
        """Run a batch; if it fails as a whole, run its samples one by one, so that the failure has an owner."""
        try:
            made = self.stage.run_batch(samples, rngs)
            if len(made) != len(samples):
                raise ContractError(f"stage {self.stage.name!r}: run_batch gave {len(made)} for {len(samples)} samples")
            return made
        except SystemExit as stop:  # code of a plugin: the run is not its to end
            if len(samples) == 1:
                return [
                    ContractError(f"stage {self.stage.name!r} called sys.exit({stop.code!r}): raise Reject instead")
                ]
        except Exception as error:
            if len(samples) == 1 or _stops_the_run(error):
                return [error] * len(samples)
        return [self._run_batch([sample], [rng])[0] for sample, rng in zip(samples, rngs, strict=True)]

    def _sample(self, item: Item, heard: list[str]) -> Sample:
        lazy: dict[str, Callable[[], np.ndarray]] = {}
        index, source = item.source
        for name in item.source_names:
            lazy[name] = partial(load_remarked, heard, self.readers[index], source, name)
        for part, record, names in item.stored:
            lazy.update({name: partial(read_array, self.parts[part], record, name) for name in names})
        return Sample(Arrays(lazy), dict(item.tags), key=item.key)

    def _rows(
        self, item: Item, sample: Sample, outputs: list[Sample], detail: str
    ) -> tuple[list[PartRow], list[dict[str, np.ndarray]]]:
        if not outputs:
            raise Reject("no_output", f"{self.stage.name} produced no output for it")
        rows: list[PartRow] = []
        records: list[dict[str, np.ndarray]] = []
        for i, output in enumerate(outputs):
            check_output(self.stage, sample, output)
            own = dict(output.arrays.own)
            rows.append(
                PartRow(
                    input=item.input_key,
                    key=digest(self.fingerprint, item.input_key, i),
                    detail=detail,
                    variant=output.variant,
                    identity_suffix=output.identity_suffix,
                    tags=_changed_tags(item.tags, output.tags),
                    shapes={name: list(array.shape) for name, array in own.items()},
                    dropped=sorted(output.arrays.dropped),
                    record=len(records) if own else NO_RECORD,
                    attempt=item.attempt,
                )
            )
            if own:
                records.append(own)
        names = [row.variant for row in rows]
        if len(rows) > 1 and len(set(names)) < len(names):
            raise ContractError(f"stage {self.stage.name!r} gave {len(rows)} outputs named {names}: name each draw")
        return rows, records


def _stops_the_run(outcome: object) -> bool:
    return isinstance(outcome, Exception) and (isinstance(outcome, BadPart) or stops_the_run(outcome))


def _changed_tags(before: Mapping[str, Tag], after: Mapping[str, Tag]) -> dict[str, Tag]:
    changed: dict[str, Tag] = {}
    for name, value in after.items():
        if name in FIXED_COLUMNS:
            raise ContractError(f"tag {name!r} is the name of a column: choose another name")
        plain = value.item() if isinstance(value, np.generic) else value
        if not isinstance(plain, str | int | float | bool):
            raise ContractError(f"tag {name!r} is {type(value).__name__}: use str, int, float or bool")
        if isinstance(plain, float) and not np.isfinite(plain):
            raise ContractError(f"tag {name!r} is {plain}: tags are finite")
        if name not in before or before[name] != plain:
            changed[name] = plain
    return changed


def _failed(stage: Stage, item: Item, error: Exception) -> PartRow:
    detail = _ADDRESS.sub("", " ".join(str(getattr(error, "detail", error)).split()))[:DETAIL_CHARS]
    if isinstance(error, Unreadable):
        return PartRow(item.input_key, status="unreadable", reason=error.reason, detail=detail, attempt=item.attempt)
    if isinstance(error, Reject):
        if error.reason in (*stage.reasons, *ANY_STAGE, "no_output") or error.reason.startswith("missing_"):
            return PartRow(item.input_key, status="reject", reason=error.reason, detail=detail, attempt=item.attempt)
        error = ContractError(f"stage {stage.name!r} rejects with {error.reason!r}, which it does not declare")
        detail = str(error)
    trace = "".join(traceback.format_exception(error))
    return PartRow(
        item.input_key, status="error", reason=type(error).__name__, detail=detail, attempt=item.attempt, trace=trace
    )

"""Statistics that workers send to the driver: counts, times and memory, never arrays."""

from __future__ import annotations

import resource
import sys
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """What became of one task.

    Attributes:
        inputs: inputs that were worked on.
        outputs: samples stored, or written to a shard.
        counts: status to number of inputs (`ok`, `reject`, `unreadable`, `error`, `crash`).
        reasons: reason slug to number of inputs.
        seconds: time spent in the task.
        peak_mb: the process's largest resident set so far.
        parts: names of the parts that were written: a listing of a shared folder may lack them for a while.
        result: what else the task gives back (a shard's facts).
    """

    inputs: int = 0
    outputs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    peak_mb: float = 0.0
    parts: tuple[str, ...] = ()
    result: object = None

    def add(self, other: Report) -> None:
        """Take another task's figures into this one's."""
        self.inputs += other.inputs
        self.outputs += other.outputs
        self.counts += other.counts
        self.reasons += other.reasons
        self.seconds += other.seconds
        self.peak_mb = max(self.peak_mb, other.peak_mb)

    def record(self) -> dict[str, object]:
        """Return the figures as JSON values."""
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "counts": dict(self.counts),
            "reasons": dict(self.reasons),
            "seconds": round(self.seconds, 3),
            "peak_mb": round(self.peak_mb, 1),
        }


def peak_memory_mb() -> float:
    """Return the largest resident set of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)

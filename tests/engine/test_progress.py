"""Progress prints plain lines where there is no terminal, and nothing where nobody asked."""

from __future__ import annotations

from collections import Counter

from face3d_data.engine import progress
from face3d_data.engine.progress import StepProgress
from face3d_data.engine.stats import Report


def test_plain_line_tells_rate_dirty_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    clock = iter([0.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with StepProgress("faces", 40) as line:
        line.update(Report(10, 8, Counter(ok=8, reject=2), Counter(no_face=2)))
    assert capsys.readouterr().err == "faces: 10/40 1.0/s 2 dirty 30 s left\n"


def test_nothing_is_printed_when_not_asked(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    with StepProgress("faces", 40, show=False) as line:
        line.update(Report(10, 10, Counter(ok=10)))
    assert line.sum.inputs == 10
    assert capsys.readouterr().err == ""


def test_reports_add_up():
    total = Report()
    total.add(Report(3, 5, Counter(ok=2, reject=1), Counter(no_face=1), 1.5, 100.0))
    total.add(Report(2, 2, Counter(ok=2), Counter(), 0.5, 80.0))
    assert total.record() == {
        "inputs": 5,
        "outputs": 7,
        "counts": {"ok": 4, "reject": 1},
        "reasons": {"no_face": 1},
        "seconds": 2.0,
        "peak_mb": 100.0,
    }

"""One command of `scaling.py`, in a process of its own that reports what it cost.

    python benchmarks/scaling_child.py TREE REPORT [ARGUMENTS OF face3d]

Writes to REPORT (JSON) the resident set after the imports that every run makes, the largest one, and the processor
time of this process alone. Without arguments it only imports.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

IMPORTS = ("h5py", "pandas", "face3d_data.pipeline.run", "face3d_data.pipeline.publish", "scaling_stages")


def resident_bytes(name: str) -> int:
    """Return a line of this process's status: `VmRSS` now, `VmHWM` the most. Elsewhere than on Linux, the most."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """Import, run the command, report, and exit as it does."""
    started = time.perf_counter()
    tree, report, *arguments = sys.argv[1:]
    for name in IMPORTS:
        importlib.import_module(name)
    import face3d_data

    if not Path(face3d_data.__file__).is_relative_to(tree):
        raise SystemExit(f"{face3d_data.__file__} is not of {tree}")
    imported = {"imported_bytes": resident_bytes("VmRSS"), "import_s": time.perf_counter() - started}
    code: object = 0
    if arguments:
        from face3d_data.cli.main import main as face3d

        try:
            face3d(arguments)
        except SystemExit as end:
            code = end.code
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {**imported, "peak_bytes": resident_bytes("VmHWM"), "driver_s": used.ru_utime + used.ru_stime}
    Path(report).write_text(json.dumps(found))
    sys.stdout.flush()
    raise SystemExit(code)


if __name__ == "__main__":
    main()

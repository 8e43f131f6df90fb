"""docs/reference/overview.md: its tables are the program's, and it names every exit code."""

from __future__ import annotations

import re
import subprocess
import sys

from pages import ROOT, page

from face3d_data.cli.main import INTERRUPTED, STOPPED, WRONG_USE, face3d
from face3d_data.registry import components

PAGE = page("docs/reference/overview.md")
WRITE = (
    "import sys; sys.path.insert(0, 'docs/generate'); import tables; print(tables.written(sys.stdin.read()), end='')"
)


def test_tables_are_the_programs():
    done = subprocess.run(
        [sys.executable, "-c", WRITE], cwd=ROOT, input=PAGE, capture_output=True, text=True, check=True
    )
    assert done.stdout == PAGE, "run: python docs/generate/tables.py"
    for kind in ("reader", "stage", "table"):
        ours = [name for name, cls in components(kind).items() if cls.__module__.startswith("face3d_data.")]
        assert [name for name in ours if f"| `{name}` |" not in PAGE] == []
    assert [name for name in face3d.list_commands(None) if f"| `face3d {name}` |" not in PAGE] == []


def test_every_exit_code_is_there():
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.split("Exit codes:")[1], re.MULTILINE)}
    assert codes == {0, STOPPED, WRONG_USE, INTERRUPTED}

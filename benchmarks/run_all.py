"""Run every benchmark of this folder, one after the other: the scripts whose first line begins with "Speed of".

    python benchmarks/run_all.py

What is compared and what the goals are stands at the top of each script; a missed goal is printed, no error.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path


def benchmarks() -> list[Path]:
    """Return the benchmarks beside this file, sorted by name."""
    scripts = sorted(Path(__file__).parent.glob("*.py"))
    first_lines = {script: (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or "") for script in scripts}
    return [script for script, text in first_lines.items() if text.startswith("Speed of")]


def main() -> int:
    """Run them all, the output of each below its name; return 1 if one broke off."""
    broken = []
    for script in benchmarks():
        print(f"== {script.name}", flush=True)
        if subprocess.run([sys.executable, str(script)], check=False).returncode:
            broken.append(script.name)
    if broken:
        print(f"broke off: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

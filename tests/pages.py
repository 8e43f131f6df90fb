"""Pages of documentation, followed to the letter: files are written, commands and pieces of Python are run.

A fence says what its block is:

- ```` ```yaml small.yaml ```` (a language and a name): a file, written into the page's folder under that name.
- `sh`, `bash`: commands, run by bash, up to the first that fails. `# exit 1` behind one says that it must end so.
- `python`: run in this process, all blocks of a page in one namespace.
- `yaml`, `json` without a name: parts of files; they must parse. `csv` and `text` show something, and are not run.

`<!-- needs NAME -->` before a block runs it only where the Python package NAME is installed.
`<!-- continues docs/… -->` in a page: it is followed in the folder in which that page was followed before.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"(?:<!-- needs (?P<needs>\w+) -->\n)?^```(?P<language>\w*)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SHELL, SHOWN = ("sh", "bash"), ("text", "csv")
EXIT = re.compile(r"^(?P<command>.*?) +# exit (?P<code>\d+)\b.*$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: the fence's first word.
        name: the file to write, or "".
        text: what is between the fences.
        needs: a package without which the block cannot run, or "".
    """

    language: str
    name: str
    text: str
    needs: str = ""

    @property
    def can_run(self) -> bool:
        """Whether what the block needs is installed."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def page(path: str) -> str:
    """Return a page's text, by its path in the repository."""
    return (ROOT / path).read_text("utf-8")


def every_page() -> list[str]:
    """Return the paths of README and of all pages of docs/, sorted."""
    return ["README.md", *sorted(str(path.relative_to(ROOT)) for path in DOCS.rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(found["language"], found["name"] or "", found["text"], found["needs"] or "")
        for found in BLOCK.finditer(text)
    ]


def continued(text: str) -> str:
    """Return the path of the page that a page continues, or ""."""
    found = re.search(r"^<!-- continues (\S+) -->$", text, re.MULTILINE)
    return found[1] if found else ""


def between(text: str, name: str) -> str:
    """Return what stands between `<!-- name … -->` and `<!-- /name -->`."""
    return text.split(f"<!-- {name}", 1)[1].split("-->", 1)[1].split(f"<!-- /{name} -->")[0].strip()


def follow(text: str, folder: Path) -> str:
    """Follow a page in a folder, from top to bottom; return what its commands printed, with each command before it.

    Raises:
        AssertionError: a command or a piece of Python failed, or a block is of a language that nothing is done with.
    """
    said, space = "", {"__name__": "page"}
    for block in blocks(text):
        if not block.can_run:
            continue
        if block.name:
            (folder / block.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.name).write_text(block.text, "utf-8")
        elif block.language in SHELL:
            said += run_commands(block.text, folder)
        elif block.language == "python":
            run_python(block.text, folder, space)
        elif block.language not in SHOWN:
            parse(block)
    return said


def run_commands(text: str, folder: Path) -> str:
    """Run shell commands in a folder as if pasted, and return what they printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "training")]),
        "COLUMNS": "100",
    }
    exported = folder / ".exported"  # what a block exports is there in the next
    lines = [f"[ ! -f {exported} ] || . {exported}", "set -ex", *(_expecting(line) for line in text.splitlines())]
    script = "\n".join([*lines, "set +x", f"export -p > {exported}"])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-4000:]}"
    return done.stdout


def _expecting(line: str) -> str:
    """Return the line, or for one that must fail a line that fails unless it ends with the code that the page says."""
    found = EXIT.match(line)
    if found is None:
        return line
    return f"code=0; {found['command']} || code=$?; [ $code = {found['code']} ]"


def run_python(text: str, folder: Path, space: dict[str, Any]) -> None:
    """Run Python in a folder, in the namespace of the blocks before it."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(text, "<block of a page>", "exec"), space)
    finally:
        os.chdir(before)


def parse(block: Block) -> None:
    """Parse a part of a file."""
    if block.language == "yaml":
        yaml.safe_load(block.text)
    elif block.language == "json":
        json.loads(block.text)
    else:
        raise AssertionError(f"a block of {block.language or 'no language'} is neither run nor parsed: {block.text}")


def output_of(said: str, command: str) -> list[str]:
    """Return what each run of a command printed, cut out of what `follow` returned."""
    return [part.split("\n+ ")[0] for part in f"\n{said}".split(f"\n+ {command}\n")[1:]]

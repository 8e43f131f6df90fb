"""Reference pages, made from what the program says of itself: `face3d … --json`, its commands, its docstrings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
from pages_text import cell, code, names, prose

from face3d_data.cli.main import face3d

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"face3d_data": ROOT / "face3d_data", "face3d_training": ROOT / "training" / "face3d_training"}
NO_API = ("cli", "synthetic", "system_libraries", "__main__")
"""Parts that nobody imports: commands have a page of their own."""


def pages(python: str = "") -> dict[str, str]:
    """Return every page of the reference that is made: path in the site to Markdown; `python` as in `python_pages`."""
    made = {f"reference/{page}.md": kind_page(title, text, catalogue(kind)) for kind, page, title, text in KINDS}
    made |= {
        "reference/packaged_pipelines.md": pipelines_page(),
        "reference/commands.md": commands_page(),
    }
    return made | python_pages(python)


READERS = """A reader turns files on disk into samples: `reader: NAME` of a source in a
[pipeline](pipelines.md#sources), whose other keys are the options below. `face3d readers NAME` prints the same.
"""
STAGES = """A stage turns a sample into samples: `stage: NAME` of a step in a [pipeline](pipelines.md#steps), with its
options under `with`. `face3d stages NAME` prints the same. Arrays are described in [their table](pipelines.md#arrays).
"""
TABLES = """A table step sees all rows at once: `table: NAME` of a step in a [pipeline](pipelines.md#steps), with its
options under `with`. `face3d stages NAME` prints the same.
"""
NETWORKS = """`face3d train --model NAME --model.OPTION VALUE`, or `model: {name: NAME, …}` in a
[training config](../how_to/training.md). `face3d models NAME` prints the same.
"""
LOSSES = """`face3d train --loss NAME --loss.NAME.OPTION VALUE`, or `loss` in a
[training config](../how_to/training.md). `face3d models NAME` prints the same.
"""
AUGMENTATIONS = """Options of stage `augment`, `with: {OPTION: VALUE}`, and of training, `--augment.OPTION VALUE`
([how they are applied](../how_to/augmentation.md)). `face3d components augmentation NAME` prints the same.
"""
OCCLUDERS = """`kinds: {NAME: WEIGHT}` of stage `occlude`; what is drawn becomes the tags `occlusion_VALUE`.
`face3d components occluder NAME` prints the same.
"""
DETECTORS = """`detector: NAME` of stage `detect`, which gives it those of its own options that the detector has too.
`face3d components detector NAME` prints the same; [finding faces](../how_to/detection.md) compares them.
"""
KINDS = (
    ("reader", "readers", "Readers", READERS),
    ("stage", "stages", "Stages", STAGES),
    ("table", "table_steps", "Table steps", TABLES),
    ("augmentation", "augmentations", "Augmentations", AUGMENTATIONS),
    ("occluder", "occluders", "Occluders", OCCLUDERS),
    ("detector", "detectors", "Detectors", DETECTORS),
    ("model", "networks", "Networks", NETWORKS),
    ("loss", "losses", "Losses", LOSSES),
)
"""Kinds of component with the name and title of their page, and what it begins with."""
COMMANDS = "Every command with its options; `face3d COMMAND --help` prints the same."


def catalogue(kind: str) -> list[dict[str, Any]]:
    """Return what `face3d components KIND --json` prints."""
    said = CliRunner().invoke(face3d, ["components", kind, "--json"], catch_exceptions=False)
    return json.loads(said.stdout)


def kind_page(title: str, introduction: str, entries: Iterable[dict[str, Any]]) -> str:
    """Return the page of all components of one kind: a table of them, then each with its options."""
    entries = list(entries)
    lines = [f"# {title}", "", introduction, "| name | what it does |", "|---|---|"]
    lines += [f"| [`{entry['name']}`](#{entry['name']}) | {cell(entry['does'])} |" for entry in entries]
    for entry in entries:
        lines += ["", *component(entry)]
    return "\n".join(lines) + "\n"


def component(entry: dict[str, Any]) -> list[str]:
    """Return the part of a page on one component."""
    lines = [f"## {entry['name']} {{ #{entry['name']} }}", "", entry["does"], "", prose(entry.get("more", "")), ""]
    facts = [
        (
            "needs",
            " **or** ".join(" + ".join(f"`{name}`" for name in group) for group in entry.get("inputs", []) if group),
        ),
        ("uses if there", names(entry.get("optional", []))),
        ("gives", names(entry.get("outputs", []))),
        ("tags", names(entry.get("tags", []))),
        ("takes", entry.get("takes", "")),
        ("weights", f"{entry['weights']:,}" if "weights" in entry else ""),
        ("version", str(entry.get("version", ""))),
    ]
    lines += [*(f"- {name}: {text}" for name, text in facts if text), ""]
    if entry["parameters"]:
        lines += ["| option | meaning | type | default |", "|---|---|---|---|"]
        lines += [parameter(item) for item in entry["parameters"]]
    if entry.get("values"):
        lines += ["", "| drawn value | meaning |", "|---|---|"]
        lines += [f"| `{each['name']}` | {cell(each['description'])} |" for each in entry["values"]]
    if entry.get("reasons"):
        lines += ["", "| reason | why a capture is left out |", "|---|---|"]
        lines += [f"| `{reason}` | {cell(text)} |" for reason, text in entry["reasons"].items()]
    return lines


def parameter(item: dict[str, Any]) -> str:
    """Return a row on one option."""
    default = "required" if item["required"] else code(json.dumps(item["default"], ensure_ascii=False))
    return f"| `{item['name']}` | {cell(item['description'])} | {cell(item['type'])} | {default} |"


def commands_page() -> str:
    """Return the page of all commands: a table of them, then each with its options."""
    context = click.Context(face3d, info_name="face3d")
    commands = {name: face3d.get_command(context, name) for name in face3d.list_commands(context)}
    lines = ["# Commands", "", COMMANDS, "", "| command | what it does |", "|---|---|"]
    lines += [f"| [`face3d {name}`](#{name}) | {cell(paragraphs(each)[0])} |" for name, each in commands.items()]
    lines += ["", "## All commands { #all }", "", *options(face3d, context)]
    for name, each in commands.items():
        lines += ["", f"## face3d {name} {{ #{name} }}", ""]
        lines += command(each, click.Context(each, info_name=name, parent=context))
    return "\n".join(lines) + "\n"


def command(each: click.Command, context: click.Context) -> list[str]:
    """Return the part of the page on one command."""
    usage = " ".join([context.command_path, *each.collect_usage_pieces(context)])
    texts = [line for paragraph in paragraphs(each) for line in (prose(paragraph), "")]
    return ["```text", usage, "```", "", *texts, *options(each, context)]


def paragraphs(each: click.Command) -> list[str]:
    """Return the paragraphs of a command's help."""
    return [" ".join(part.split()) for part in (each.help or "").replace("\b", "").split("\n\n") if part.strip()]


def options(each: click.Command, context: click.Context) -> list[str]:
    """Return a table of a command's options, as its help has them."""
    records = filter(None, (param.get_help_record(context) for param in each.get_params(context)))
    return ["| option | what it does |", "|---|---|", *(f"| {code(left)} | {cell(text)} |" for left, text in records)]


def pipelines_page() -> str:
    """Return the page of the pipelines that come with the package, each in full."""
    lines = [
        "# Packaged pipelines",
        "",
        "`face3d run NAME` runs one of these; a copy of it is where your own can begin.",
        "",
    ]
    for path in sorted((ROOT / "pipelines").glob("*.yaml")):
        text = path.read_text("utf-8").rstrip()
        lines += [f"## {path.stem} {{ #{path.stem} }}", "", "```yaml", text, "```", ""]
    return "\n".join(lines)


def python_pages(only: str = "") -> dict[str, str]:
    """Return a page for each folder of modules, or for one of them, and one that lists the folders."""
    made = {}
    rows = [
        "# Python",
        "",
        "Public classes and functions, folder by folder. What programs usually need:",
        "",
        FIRST,
        "",
    ]
    rows += ["| folder | modules |", "|---|---|"]
    for package, root in PACKAGES.items():
        for folder in sorted({path.parent for path in root.rglob("*.py")}):
            modules = public_modules(package, root, folder)
            if not modules:
                continue
            name = ".".join([package, *folder.relative_to(root).parts])
            if only and name != only:
                continue
            made[f"reference/python/{name}.md"] = f"# {name}\n\n" + "\n".join(
                f"::: {module}" + "\n" for module in modules
            )
            rows.append(f"| [`{name}`]({name}.md) | {', '.join(module.rpartition('.')[2] for module in modules)} |")
    return {"reference/python/index.md": "\n".join(rows) + "\n", **made}


FIRST = """| import | what it is |
|---|---|
| `face3d_data.load_pipeline`, `face3d_data.run` | load a pipeline file and run it |
| `face3d_data.Dataset`, `face3d_data.ShardReader` | read a published dataset and its shards |
| `face3d_data.Sample`, `Stage`, `Reader`, `TableStep`, `register` | write an extension |
| `face3d_data.testing` | tiny samples and captures, and the checks of contracts |
"""


def public_modules(package: str, root: Path, folder: Path) -> list[str]:
    """Return the modules of one folder that are documented, by their full names."""
    parts = folder.relative_to(root).parts
    if parts and parts[0] in NO_API:
        return []
    files = sorted(path.stem for path in folder.glob("*.py"))
    named = [stem for stem in files if not stem.startswith("_") and stem not in NO_API]
    return [".".join([package, *parts, stem]) for stem in named]

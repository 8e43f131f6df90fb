"""The site's hooks: pages made from the program, pages that lie beside `docs/`, and links that hold in both worlds.

Pages are written to be read in the repository too, so their links are paths of the repository. Here each becomes the
page of the site that shows that file; a link to a file that no page shows breaks the build (`mkdocs build --strict`).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import databases
import reference
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
BESIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmark_scripts.md",
    "training/README.md": "training_package.md",
    "training/configs/README.md": "training_configs.md",
    "training/face3d_training/pretrained/MODEL_CARD.md": "model_card.md",
    "manifests/README.md": "manifests.md",
}
"""Pages of the repository outside `docs/`, and where the site has them."""
SHOWN = {
    "pipelines": "reference/packaged_pipelines.md",
    "training/configs": "training_configs.md",
    "LICENSE": "license.md",
    "face3d_data/detectors/mediapipe/NOTICE": "license.md",
    "face3d_data/registration/NOTICE": "license.md",
    "face3d_data/synthetic/LICENSE.ICT-FaceKit": "license.md",
    "CITATION.cff": "license.md",
    "apt.txt": "install_files.md",
    "constraints.txt": "install_files.md",
    "Dockerfile": "install_files.md",
}
"""Files and folders of the repository that a page of the site shows."""
LINK = re.compile(r"(\]\(|(?:src|href)=\")([^)#:\"\s]+)(#[^)\"]*)?(\)|\")")
FENCE = re.compile(r"^( *)```(\w+) ([^\s{=]+)$", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Add the pages on Python modules to the navigation."""
    parts = next(part["Reference"] for part in config.nav if "Reference" in part)
    python = next(part["Python"] for part in parts if "Python" in part)
    python += [page for page in reference.python_pages(config.extra["python"]) if page not in python]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie beside `docs/` and those that are made from the program."""
    made = {target: (ROOT / source).read_text("utf-8") for source, target in BESIDE.items()}
    made |= reference.pages(config.extra["python"]) | {"how_to/databases.md": databases.page()} | _shown()
    for target, text in made.items():
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to pages of the site, and give files their names as titles."""
    target = page.file.src_uri
    source = next((beside for beside, uri in BESIDE.items() if uri == target), f"docs/{target}")
    if not page.file.generated_by or source in BESIDE:
        markdown = LINK.sub(lambda found: _led(found, source, target), markdown)
    return FENCE.sub(r'\1```\2 title="\3"', markdown)


def _led(found: re.Match[str], source: str, target: str) -> str:
    """Return a link of the repository as one of the site."""
    before, link, anchor, after = found.groups()
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    uri = site_page(path)
    if uri is None:
        return found[0]
    if path.startswith("pipelines/") and not anchor:
        anchor = f"#{posixpath.basename(path).removesuffix('.yaml')}"
    return f"{before}{posixpath.relpath(uri, posixpath.dirname(target) or '.')}{anchor or ''}{after}"


def site_page(path: str) -> str | None:
    """Return the page (or picture) of the site that shows a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return BESIDE.get(path) or next((uri for shown, uri in SHOWN.items() if f"{path}/".startswith(f"{shown}/")), None)


def _shown() -> dict[str, str]:
    """Return the pages that show files of the repository as they are."""
    return {
        "license.md": "# Licence and citation\n\n"
        + _files(
            "LICENSE",
            "CITATION.cff",
            "face3d_data/detectors/mediapipe/NOTICE",
            "face3d_data/synthetic/LICENSE.ICT-FaceKit",
            "face3d_data/registration/NOTICE",
        ),
        "install_files.md": "# Files of the installation\n\n" + _files("apt.txt", "Dockerfile", "constraints.txt"),
    }


def _files(*names: str) -> str:
    return "\n".join(f"## {name}\n\n```text\n{(ROOT / name).read_text('utf-8').rstrip()}\n```\n" for name in names)

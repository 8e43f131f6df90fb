"""Links of all pages lead to files of the repository and to headings that are there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pages import ROOT, every_page, page

BESIDE = ["ARCHITECTURE.md", "CONTRIBUTING.md", "benchmarks/README.md", "training/README.md"]
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?:\]\(|(?:src|href)=\")([^)#:\"\s]*)(?:#([^)\"\s]+))?[)\"]")


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page: its headings as GitHub writes them, and those set by hand."""
    text = FENCED.sub("", path.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([\w-]+)"', text))


@pytest.mark.parametrize("path", [*every_page(), *BESIDE])
def test_links_lead_somewhere(path):
    missing = []
    for link, anchor in LINK.findall(FENCED.sub("", page(path))):
        target = Path(os.path.normpath((ROOT / path).parent / link)) if link else ROOT / path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            missing.append(f"{link}#{anchor}")
    assert missing == []

"""Every block of every page runs as it stands; pages that more is asked of are followed by a test file of their own."""

from __future__ import annotations

import pytest
from pages import DOCS, ROOT, blocks, every_page, follow, output_of, page

FOLLOWED_ELSEWHERE = {
    "README.md": "test_readme.py",
    "docs/tutorials/combine_two_collections.md": "test_combining_page.py",
    **dict.fromkeys(
        (
            "docs/tutorials/first_dataset.md",
            "docs/tutorials/masked_variants.md",
            "docs/tutorials/train_and_judge.md",
            "docs/how_to/training.md",
            "docs/how_to/back_ends.md",
            "docs/how_to/test_lists.md",
            "docs/how_to/data_loader.md",
            "docs/how_to/hugging_face.md",
        ),
        "test_tutorials.py",
    ),
    **dict.fromkeys(("docs/extend/model.md", "docs/extend/loss.md"), "test_extend_pages.py"),
    "docs/how_to/interchange.md": "test_interchange_page.py",
    "docs/how_to/masks.md": "test_masks_page.py",
    "docs/concepts/leaks.md": "test_leaks_page.py",
    "docs/migrate.md": "test_migrate_page.py",
}
"""Pages whose files and commands are judged by more than their exit codes, and the test that follows them."""
HERE = [path for path in every_page() if path not in FOLLOWED_ELSEWHERE and blocks(page(path))]


@pytest.mark.slow
@pytest.mark.parametrize("path", HERE)
def test_page_runs_as_it_stands(path, tmp_path):
    follow(page(path), tmp_path)


@pytest.mark.parametrize(("path", "test"), FOLLOWED_ELSEWHERE.items())
def test_the_others_are_followed_where_it_is_said(path, test):
    text = (ROOT / "tests" / "docs" / test).read_text("utf-8")
    assert path in text
    assert "follow(" in text or "run_here(" in text


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    forgotten = [path for path in DOCS.rglob("*.md") if f" {path.relative_to(DOCS)}\n" not in navigation]
    assert forgotten == []


def test_a_command_that_fails_and_one_that_should_have_failed_are_noticed(tmp_path):
    with pytest.raises(AssertionError):
        follow("```sh\nfalse\n```\n", tmp_path)
    with pytest.raises(AssertionError):
        follow("```sh\ntrue   # exit 1\n```\n", tmp_path)
    with pytest.raises(AssertionError, match="neither run nor parsed"):
        follow("```\nface3d run\n```\n", tmp_path)
    said = follow("```sh\nfalse   # exit 1, as it should\necho on\n```\n", tmp_path)
    assert output_of(said, "echo on") == ["on"]


def test_files_are_written_and_python_shares_a_namespace(tmp_path):
    file, first = "```csv a/list.csv\nx\n```\n", "```python\nkept = open('a/list.csv').read()\n```\n"
    follow(f"{file}\n{first}\n```python\nassert kept == 'x\\n'\n```\n", tmp_path)
    assert (tmp_path / "a" / "list.csv").read_text() == "x\n"

"""`make check` runs tests of every folder: those that are not marked slow."""

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def is_slow(node: ast.AST) -> bool:
    return any("mark.slow" in ast.unparse(decorator) for decorator in node.decorator_list)


def fast_tests(path: Path) -> list[str]:
    """Return the tests of a file that are not marked slow, themselves, with their class or with their file."""
    tree = ast.parse(path.read_text("utf-8"))
    if any(isinstance(node, ast.Assign) and ast.unparse(node) == "pytestmark = pytest.mark.slow" for node in tree.body):
        return []
    groups = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and not is_slow(node))]
    functions = [node for group in groups for node in group.body if isinstance(node, ast.FunctionDef)]
    return [node.name for node in functions if node.name.startswith("test_") and not is_slow(node)]


def test_every_folder_has_fast_tests():
    fast = {}
    for path in TESTS.rglob("test_*.py"):
        fast[path.parent] = fast.get(path.parent, 0) + len(fast_tests(path))
    assert [str(folder.relative_to(TESTS)) for folder, count in fast.items() if not count] == []


def test_marks_of_a_function_a_class_and_a_file_count(tmp_path):
    path = tmp_path / "test_x.py"
    path.write_text("def test_a(): ...\n@pytest.mark.slow\ndef test_b(): ...\n"
                    "@pytest.mark.slow\nclass TestC:\n    def test_d(self): ...\n")  # fmt: skip
    assert fast_tests(path) == ["test_a"]
    path.write_text("pytestmark = pytest.mark.slow\ndef test_a(): ...\n")
    assert fast_tests(path) == []

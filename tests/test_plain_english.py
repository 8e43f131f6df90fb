"""Words that texts do not use: what users and developers read is in plain English, with the field's terms.

`python tests/test_plain_english.py` prints each place, or the number of each word with `--count`.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORDS = {
    r"told": "reported, given, printed",
    r"anew": "again, from scratch",
    r"alike": "the same, similar, both",
    r"go(?:es|ing|ne)? by|went by": "is named, is known as, uses",
    r"(?<!not )so many|so much(?! as)": "that many, N",
    r"(?<!there )(?:is|are|was|were|be) (?-i:none)(?! of)": "is not a, there is no, is missing",
    r"whom": "who, which",
    r"h[au]ngs? (?:on|together)": "depends on",
    r"look(?:ed|s|ing)? through": "search, scan",
    r"loneli\w+|lonely": "outlier",
    r"falsest": "top false accepts",
    r"one with another": "each other",
    r"for all that": "even so",
    r"(?:rigid )?motions?(?= (?:to|of|that|from|between|is|are|which))": "rigid transform",
    r"(?:the|a|its|any|each|no|their) turn|turns? (?:of|by|about|round)|turned (?:by|about|round)": "rotation, rotated",
    r"(?:the|a|its|their|embedding|of) spread|spread of": "rms distance, standard deviation",
    r"deal(?:s|t|ing)? (?:out|them)|dealing": "batching, batches",
    r"falls? (?:apart|away)": "is lost",
    r"mend(?:s|ed|ing)?": "fix, correct",
    r"here and there": "in places",
    r"left out of account": "ignored",
    r"from its beginning": "from the start",
    r"what (?:it|they|he|she) (?:is|are) worth": "reliability",
    r"thereby|therein|thereof|whereof|wherein|hitherto": "rephrase",
    r"who is who": "identities",
    r"nobody's": "no one's, without an owner",
    r"forgotten|forgets?": "removed, discarded",
    r"says? so|said so": "reports it",
    r"as it is(?= (?:said|written|judged))": "rephrase",
    r"of theirs|of its own right": "own",
    r"spoilt": "damaged, corrupt",
}
"""A pattern of words to what to write instead."""
SOURCES = ("face3d_data", "training/face3d_training")
PAGES = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs/**/*.md", "pipelines/*.yaml", "manifests/**/*.yaml",
         "training/configs/*.yaml")  # fmt: skip
GLOSSARY = "not called"
"""Lines of CONTRIBUTING's glossary name words that texts do not use."""


def texts() -> Iterator[tuple[str, int, str]]:
    """Yield (file, line, text) of every docstring, message and help, and of every line of a page."""
    for base in SOURCES:
        for path in sorted((ROOT / base).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                    yield str(path.relative_to(ROOT)), node.lineno, node.value
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            inside = False
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                inside = GLOSSARY in line or (inside and line.startswith("|"))
                if not inside:
                    yield str(path.relative_to(ROOT)), number, line


def offences() -> Iterator[tuple[str, int, str, str]]:
    """Yield (file, line, word, text) of each word that should not be there; words in `code` are names, and may."""
    patterns = {word: re.compile(rf"\b(?:{word})\b", re.IGNORECASE) for word in WORDS}
    for file, line, text in texts():
        prose = re.sub(r"`[^`]*`", "", text)
        for word, pattern in patterns.items():
            if pattern.search(prose):
                yield file, line, word, text


def test_texts_are_in_plain_english():
    found = [f"{file}:{line}: {word}: write {WORDS[word]}" for file, line, word, _ in offences()]
    assert not found, "\n".join(found[:30])


def test_a_word_that_should_not_be_there_is_found(monkeypatch, tmp_path):
    (tmp_path / "README.md").write_text("It was told anew.\n`anew` is a name.\n")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert [(file, line, word) for file, line, word, _ in offences()] == [
        ("README.md", 1, "told"), ("README.md", 1, "anew"),
    ]  # fmt: skip


if __name__ == "__main__":
    if "--count" in sys.argv:
        for word, count in Counter(word for _, _, word, _ in offences()).most_common():
            print(f"{count:5} {word}")
    else:
        for file, line, word, text in offences():
            if len(sys.argv) < 2 or file.startswith(tuple(sys.argv[1:])):
                print(f"{file}:{line}: {word}: {' '.join(text.split())[:200]}")

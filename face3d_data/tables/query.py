"""Queries on tags and columns: a small grammar of its own; nothing is run as code.

    query   = query "or" query | query "and" query | "not" query | "(" query ")" | test
    test    = value compare value { compare value }     20 < yaw_deg < 30
            | name "in" list | name "not" "in" list     mask in ['none', 'cloth']
            | name "is" "None" | name "is" "not" "None" whether a row has the tag at all
            | name                                      a tag that is true or false
    compare = "==" | "!=" | "<" | "<=" | ">" | ">="
    value   = name | literal
    literal = text in quotes | number | "True" | "False"

The text is taken apart by Python's own parser (`ast`), because its words and precedence are those that are wanted; what
it gives is read node by node, and every node that is not named here is refused.
"""

from __future__ import annotations

import ast
import io
import math
import tokenize
import warnings
from dataclasses import dataclass, field
from typing import NoReturn

from face3d_data.names import same_form

MOST_CHARS = 20_000
MOST_NESTED = 50
SHOWN_CHARS = 120
ALLOWED = "allowed are comparisons (== != < <= > >=), in, not in, is None, and, or, not, names, texts and numbers"
REMEDIES: dict[type, str] = {
    ast.BitAnd: "write 'and' instead of '&'",
    ast.BitOr: "write 'or' instead of '|'",
    ast.Invert: "write 'not' instead of '~'",
    ast.Call: "a query calls nothing",
    ast.Attribute: "a query reads tags and columns, not what belongs to them",
    ast.BinOp: "a query does no arithmetic",
    ast.Set: "write a list: ['none', 'cloth']",
}
"""What is said of things that queries of other programs have."""


class QueryError(ValueError):
    """A query is not of the grammar, or does not fit the rows; one line that names the place in it."""


@dataclass(frozen=True)
class Query:
    """A query that keeps to the grammar.

    Attributes:
        text: as it was written.
        tree: its syntax tree, of which every node was looked at.
        names: tags and columns that it asks for, in order.
    """

    text: str
    tree: ast.expr = field(compare=False)
    names: tuple[str, ...] = ()

    def place(self, node: ast.AST) -> str:
        """Return where a node stands, as messages say it."""
        return _place(self.text, node)


def parse_query(text: str) -> Query:
    """Return a query, read but not asked yet.

    Raises:
        QueryError: it is not of the grammar; the place and what is allowed are named.
    """
    line = " ".join(text.split("\n")).strip()
    if len(line) > MOST_CHARS:
        raise QueryError(f"is {len(line)} characters long: at most {MOST_CHARS}: use lists (select: allow, block)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of what is refused below
            tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        at = f"column {error.offset}: " if error.offset else ""
        raise QueryError(f"{at}is not a query ({error.msg}): {ALLOWED}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        what = "is nested too deep" if isinstance(error, RecursionError | MemoryError) else "is not a query"
        raise QueryError(f"{what}: {ALLOWED}") from None
    _refuse_comments(line)
    _check_condition(line, tree, 0)
    names = sorted((node for node in ast.walk(tree) if isinstance(node, ast.Name)), key=lambda node: node.col_offset)
    return Query(line, tree, tuple(dict.fromkeys(node.id for node in names)))


def _refuse_comments(line: str) -> None:
    if "#" not in line:
        return
    for token in tokenize.generate_tokens(io.StringIO(line).readline):
        if token.type == tokenize.COMMENT:
            raise QueryError(f"column {token.start[1] + 1}: a query contains no comment: remove what follows '#'")


def _place(line: str, node: ast.AST) -> str:
    offset = getattr(node, "col_offset", 0)  # of the text's bytes
    return f"column {len(line.encode()[:offset].decode()) + 1}"


def _refuse(line: str, node: ast.AST, problem: str = "") -> NoReturn:
    kinds: tuple[type, ...] = (type(getattr(node, "op", None)), type(node))
    said = problem or next((REMEDIES[kind] for kind in kinds if kind in REMEDIES), "is nothing that a query may hold")
    raise QueryError(f"{_place(line, node)}: {said}: {ALLOWED}")


def _check_condition(line: str, node: ast.expr, depth: int) -> None:
    """Check something that is true or false for a row."""
    if depth > MOST_NESTED:
        _refuse(line, node, f"is nested more than {MOST_NESTED} deep")
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check_condition(line, part, depth + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check_condition(line, node.operand, depth + 1)
    elif isinstance(node, ast.Compare):
        _check_compare(line, node)
    elif isinstance(node, ast.Constant):
        _refuse(line, node, f"{node.value!r:.40} is not true or false for each row: compare with ==, <, in")
    elif not isinstance(node, ast.Name):
        _refuse(line, node)


def _check_compare(line: str, node: ast.Compare) -> None:
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.In | ast.NotIn):
            _check_named(line, left, "in")
            _check_list(line, right)
        elif isinstance(operator, ast.Is | ast.IsNot):
            _check_named(line, left, "is")
            if not (isinstance(right, ast.Constant) and right.value is None):
                _refuse(line, right, "after 'is' comes None: compare values with ==")
        else:
            _check_value(line, left)
            _check_value(line, right)
            if not (isinstance(left, ast.Name) or isinstance(right, ast.Name)):
                _refuse(line, left, "compares no tag or column: one side is a name")
        left = right


def _check_named(line: str, node: ast.expr, word: str) -> None:
    if not isinstance(node, ast.Name):
        _refuse(line, node, f"before '{word}' comes the name of a tag or column")


def _check_list(line: str, node: ast.expr) -> None:
    if not isinstance(node, ast.List | ast.Tuple):
        _refuse(line, node, "after 'in' comes a list: ['none', 'cloth']")
    for item in node.elts:
        if isinstance(item, ast.Name):
            _refuse(line, item, f"{item.id!r:.60} in a list: write texts in quotes")
        _check_value(line, item)


def _check_value(line: str, node: ast.expr) -> None:
    if not isinstance(node, ast.Name):
        literal(line, node)


def literal(line: str, node: ast.expr) -> str | int | float | bool:
    """Return a literal's value; texts in the normal form used for comparison (NFC).

    Raises:
        QueryError: it is not a literal, or a number beyond the range of floats.
    """
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = literal(line, node.operand) if isinstance(node.operand, ast.Constant) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            _refuse(line, node, "a sign stands before a number")
        return -value if isinstance(node.op, ast.USub) else value
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str | int | float):
        if isinstance(node, ast.Constant) and node.value is None:
            _refuse(line, node, "None is compared with 'is None' or 'is not None'")
        _refuse(line, node)
    if isinstance(node.value, str):
        return same_form(node.value)
    if not isinstance(node.value, bool) and not (abs(node.value) < 1e300 and math.isfinite(node.value)):
        _refuse(line, node, "the number is too large")
    return node.value


def shown_query(query: str) -> str:
    """Return a query as messages show it."""
    return repr(query) if len(query) <= SHOWN_CHARS else f"{query[:SHOWN_CHARS]!r} …"

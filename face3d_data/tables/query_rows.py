"""Query results: true, false or unknown for each row; only true matches."""

from __future__ import annotations

import ast
import numbers
import operator
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from face3d_data.errors import UserError, did_you_mean
from face3d_data.names import same_form
from face3d_data.tables.query import Query, QueryError, literal, parse_query, shown_query
from face3d_data.tables.unmatched import value_notes

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = ("key", "root", "place")
"""Columns that queries cannot use: their contents are internal."""
OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
KINDS = {"text": "texts", "number": "numbers", "flag": "true or false"}
"""What messages call the kinds of values."""
Truth = list[bool | None]


def matching(frame: pd.DataFrame, query: str, where: str, notes: list[str] | None = None) -> list[bool]:
    """Return for each row whether it matches a query; a row that lacks a tag it asks for does not.

    A test of a tag that a row lacks is unknown: `not` leaves it unknown, `or` and `and` decide without it if they can.

    Args:
        frame: a manifest, or a table of a dataset.
        query: see `tables/query.py`.
        where: what messages name first.
        notes: gets a line for each value that is asked for and that no row has.

    Raises:
        UserError: the query is not of the grammar, asks for a name that there is not, or compares text with numbers.
    """
    try:
        asked = parse_query(query)
        if not len(frame):
            return []
        rows = _Rows(frame, asked, f"{where}: query")
        found = [truth is True for truth in rows.condition(asked.tree)]
    except QueryError as error:
        raise UserError(f"{where}: query {shown_query(query)}: {error}") from None
    if notes is not None:
        notes += rows.notes
    return found


def unknown_name(name: str, known: Collection[str]) -> str:
    """Return what is said of a name in a query that no tag or column has."""
    return f"no tag or column {name!r} (columns: {', '.join(known)}){did_you_mean(name, known)}"


@dataclass(frozen=True)
class _Operand:
    """One side of a comparison: a value for each row, None where the row lacks it (`lacks`: one does)."""

    values: Sequence[Any]
    kinds: frozenset[str]
    lacks: bool = False
    name: str = ""


@dataclass
class _Rows:
    """The rows that are asked."""

    frame: pd.DataFrame
    query: Query
    where: str
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Python's parser gives names in their compatibility form (NFKC).
        columns = [name for name in self.frame.columns if name not in HIDDEN]
        self._columns = {unicodedata.normalize("NFKC", name): name for name in columns}
        self._known: dict[str, _Operand] = {}

    def condition(self, node: ast.expr) -> Truth:
        """Return whether a condition is true, false or unknown for each row."""
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(part) for part in node.values]
            return _joined(parts, isinstance(node.op, ast.Or))
        if isinstance(node, ast.UnaryOp):
            return [None if truth is None else not truth for truth in self.condition(node.operand)]
        if isinstance(node, ast.Name):
            return self._flags(node)
        return self._comparison(cast(ast.Compare, node))  # the grammar knows nothing else

    def _comparison(self, node: ast.Compare) -> Truth:
        sides = [node.left, *node.comparators]
        tests = [self._test(*test, node) for test in zip(sides[:-1], node.ops, sides[1:], strict=True)]
        return _joined(tests, False)

    def _flags(self, node: ast.Name) -> Truth:
        column = self._column(node)
        if column.kinds - {"flag"}:
            raise QueryError(
                f"{self.query.place(node)}: {node.id!r} is not true or false for each row: compare with ==, <, in"
            )
        return list(column.values)

    def _test(self, left: ast.expr, how: ast.cmpop, right: ast.expr, node: ast.Compare) -> Truth:
        if isinstance(how, ast.Is | ast.IsNot):
            lacks = isinstance(how, ast.Is)
            return [(value is None) == lacks for value in self._operand(left).values]
        if isinstance(how, ast.In | ast.NotIn):
            return self._among(left, right, isinstance(how, ast.In), node)
        one, other = self._operand(left), self._operand(right)
        self._check_kinds(one, other.kinds, node)
        if isinstance(how, ast.Eq | ast.NotEq):
            for column, side in ((one, other), (other, one)):
                if column.name and not side.name:
                    self._note(column, side.values[:1])
        return _compared(one, other, how)

    def _among(self, left: ast.expr, right: ast.expr, inside: bool, node: ast.Compare) -> Truth:
        column = self._operand(left)
        wanted = [literal(self.query.text, item) for item in right.elts]  # type: ignore[attr-defined]
        if wanted:
            self._check_kinds(column, frozenset(map(kind_of, wanted)), node)
        self._note(column, wanted)
        if len(column.kinds) <= 1:
            same = frozenset(value for value in wanted if kind_of(value) in column.kinds)
            return [None if v is None else (v in same) == inside for v in column.values]
        known = {(kind_of(value), value) for value in wanted}
        return [None if v is None else ((kind_of(v), v) in known) == inside for v in column.values]

    def _operand(self, node: ast.expr) -> _Operand:
        if isinstance(node, ast.Name):
            return self._column(node)
        value = literal(self.query.text, node)
        return _Operand([value] * len(self.frame), frozenset({kind_of(value)}))

    def _column(self, node: ast.Name) -> _Operand:
        name = self._columns.get(node.id)
        if name is None:
            raise QueryError(f"{self.query.place(node)}: {unknown_name(node.id, self._columns.values())}")
        if name not in self._known:
            values = _values(self.frame[name])
            kinds = frozenset(map(kind_of, {type(v): v for v in values if v is not None}.values()))
            self._known[name] = _Operand(values, kinds, None in values, name)
        return self._known[name]

    def _check_kinds(self, one: _Operand, kinds: frozenset[str], node: ast.Compare) -> None:
        if one.kinds and kinds and not one.kinds & kinds:
            raise QueryError(
                f"{self.query.place(node)}: compares {_and(one.kinds)} with {_and(kinds)}: texts stand in quotes, "
                "numbers without, True and False alone"
            )

    def _note(self, column: _Operand, wanted: Iterable[Any]) -> None:
        notes = value_notes(self.where, column.name, wanted, {*column.values} - {None})
        self.notes += [note for note in notes if note not in self.notes]


def kind_of(value: Any) -> str:
    """Return what a value is compared with: values of its own kind alone."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return "flag"
    return "number" if isinstance(value, numbers.Real) else type(value).__name__


def _values(column: pd.Series) -> list[Any]:
    """Return a column's values, None where a row lacks one, texts in the form in which they are compared."""
    values = column.tolist()
    if not {*map(type, values)} <= {str, int, bool}:  # what else there is may be NaN, NA or None
        values = [None if lacks else v for v, lacks in zip(values, column.isna().tolist(), strict=True)]
    return [v if type(v) is not str or v.isascii() else same_form(v) for v in values]


def _joined(parts: Sequence[Truth], decides: bool) -> Truth:
    """Return what `or` (decides: true) or `and` (decides: false) makes of its parts, row by row."""
    if len(parts) == 1:
        return parts[0]
    if not any(None in part for part in parts):
        return list(map(any if decides else all, zip(*parts, strict=True)))
    rows = zip(*parts, strict=True)
    return [decides if decides in row else None if None in row else not decides for row in rows]


def _compared(one: _Operand, other: _Operand, how: ast.cmpop) -> Truth:
    test = OPERATORS[type(how)]
    pairs = zip(one.values, other.values, strict=True)
    if len(one.kinds | other.kinds) == 1:
        if not (one.lacks or other.lacks):
            return list(map(test, one.values, other.values))
        return [None if a is None or b is None else bool(test(a, b)) for a, b in pairs]
    # Values of two kinds are different, and none is the smaller.
    other_kind = {ast.Eq: False, ast.NotEq: True}.get(type(how))
    return [
        None if a is None or b is None else bool(test(a, b)) if kind_of(a) == kind_of(b) else other_kind
        for a, b in pairs
    ]


def _and(kinds: Iterable[str]) -> str:
    return " and ".join(
        {"text": "texts", "number": "numbers", "flag": "true or false"}.get(k, k) for k in sorted(kinds)
    )

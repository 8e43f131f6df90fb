"""Function stages: a plain function of arrays, named as `module:function` in a pipeline, as a stage."""

from __future__ import annotations

import functools
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np
from pydantic import PydanticUserError, create_model
from pydantic.fields import FieldInfo

from face3d_data.digest import digest
from face3d_data.errors import ContractError, UserError
from face3d_data.references import folder_of, search_here
from face3d_data.registry import find
from face3d_data.sample import ARRAYS, PER_POINT, Sample
from face3d_data.signature import NAMELESS, Fields, arguments_of, field_of
from face3d_data.stage import Stage

ROWS = "rows"
"""What a function returns that chooses points: bool (N,) or their numbers; every array of the points follows."""
KEY_NOTE = (
    "The text of this function is in the key of its results. What it calls and reads is not: where that has changed, "
    "raise the version, @gives(…, version=2)."
)
GIVES = "face3d_gives"
"""Attribute in which `gives` keeps what a function declares."""

F = TypeVar("F", bound=Callable[..., Any])


def gives(*outputs: str, version: int = 1, reasons: Mapping[str, str] | None = None) -> Callable[[F], F]:
    """Decorator: declare what a function of arrays returns, so that it can be a stage.

        @gives("rows")
        def near_nose(points, landmarks_3d, radius_mm: float = 50.0):
            \"\"\"Keep the points round the nose tip.\"\"\"
            return np.linalg.norm(points - landmarks_3d[2], axis=1) <= radius_mm

    Arguments named as arrays are its inputs; one with the default None is used where it is there. An argument `rng` is
    given the stage's own generator. All others are the stage's options: each has a type and, unless it is required, a
    default.

    Args:
        outputs: arrays that it returns, one as it is, several as a mapping by name; or `rows`, which points it keeps.
        version: raised where what the function calls has changed: only its own text is in the key of a result.
        reasons: reason slug of a `Reject` that the function raises to one line that explains it.
    """

    def declare(function: F) -> F:
        setattr(function, GIVES, (outputs, version, dict(reasons or {})))
        return function

    return declare


class FunctionStage(Stage):
    """A stage that calls a function; the text of the function, and nothing that it calls, is in its fingerprint."""

    function: ClassVar[Callable[..., Any]]
    reference: ClassVar[str]
    folder: ClassVar[str]
    """Where the module's search begins: workers look there too."""
    source: ClassVar[str]
    returns: ClassVar[tuple[str, ...]]
    takes_if_there: ClassVar[tuple[str, ...]]

    def fingerprint(self, *seeds: int) -> str:
        """Return the digest of name, version, parameters and seeds, and of the function's text."""
        return digest(super().fingerprint(*seeds), self.source)

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with what the function returns."""
        given: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        given |= {name: sample.arrays[name] for name in self.groups()[0]}
        given |= {name: sample.arrays[name] for name in self.takes_if_there if name in sample.arrays}
        made = type(self).function(**given, **({"rng": rng} if self.random else {}))
        if self.returns == (ROWS,):
            yield sample.take(_checked_rows(np.asarray(made), len(sample.arrays["points"]), self.name))
            return
        arrays = made if isinstance(made, Mapping) else {self.returns[0]: made}
        if made is None or not set(arrays) <= set(self.returns):
            got = "nothing" if made is None else f"{sorted(arrays)}"
            raise ContractError(f"stage {self.name!r} returned {got}, it declares {list(self.returns)}")
        kept = {name: _as_declared(name, array) for name, array in arrays.items() if array is not None}
        yield sample.without(*(arrays.keys() - kept.keys())).with_arrays(**kept)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.reference, self.folder, {name: getattr(self, name) for name in type(self).model_fields})


def _checked_rows(kept: np.ndarray, count: int, name: str) -> np.ndarray:
    """Return which points are kept, having checked that it is a mask of them, or their numbers, each once.

    Raises:
        ContractError: it is neither.
    """
    mask = kept.dtype == bool and kept.shape == (count,)
    numbers = kept.dtype.kind in "iu" and kept.ndim == 1 and len(np.unique(kept)) == len(kept)
    if mask or (numbers and (not len(kept) or (kept.min() >= 0 and kept.max() < count))):
        return kept
    raise ContractError(
        f"stage {name!r} gives rows and returned {kept.dtype} of shape {kept.shape}: return a mask of {count}, "
        "or numbers of points from 0, each once"
    )


def _as_declared(name: str, array: Any) -> np.ndarray:
    """Return an array in the dtype that is declared for its name: a function may compute in another precision."""
    dtype = ARRAYS[name].dtype
    exact = np.asarray(array)
    return np.ascontiguousarray(exact, dtype) if np.can_cast(exact.dtype, dtype, "same_kind") else exact


def _rebuild(reference: str, folder: str, options: dict[str, Any]) -> Stage:
    search_here(folder)
    return find("stage", reference, adapt=stage_of_function)(**options)


def stage_of_function(found: Any, reference: str) -> type[Stage] | None:
    """Return the stage of a function that says what it gives; None of anything else.

    Raises:
        UserError: its arguments or what it declares cannot be a stage's; one line names the function and the remedy.
    """
    return _stage_of(found, reference) if isinstance(found, types.FunctionType) else None


@functools.cache
def _stage_of(function: types.FunctionType, reference: str) -> type[Stage]:
    where, name = f"stage {reference}", reference.rpartition(":")[2].lower()
    outputs, version, reasons = _declared(function, where)
    arrays, optional, options = _arguments(function, where)
    source = _source(function, where)
    fields: Any = options
    try:
        cls: Any = create_model(name, __base__=FunctionStage, __module__=function.__module__, **fields)
    except (TypeError, NameError, PydanticUserError) as error:
        raise UserError(f"{where}: an argument cannot be an option ({str(error).splitlines()[0]})") from None
    carried = tuple(each for each in PER_POINT if each not in arrays and outputs == (ROWS,))
    cls.__doc__ = f"{inspect.getdoc(function) or f'Call {reference}.'}\n\n{KEY_NOTE}"
    cls.name, cls.version, cls.reasons = name, version, reasons
    cls.inputs, cls.optional = arrays, (*optional, *carried)
    cls.outputs = ("points", *PER_POINT) if outputs == (ROWS,) else outputs
    cls.random = "rng" in inspect.signature(function).parameters
    cls.function, cls.reference, cls.folder = staticmethod(function), reference, folder_of(reference)
    cls.returns, cls.source, cls.takes_if_there = outputs, source, optional
    return cls


def _declared(function: types.FunctionType, where: str) -> tuple[tuple[str, ...], int, dict[str, str]]:
    outputs, version, reasons = getattr(function, GIVES, ((), 1, {}))
    if not outputs:
        raise UserError(f'{where}: its outputs are unknown: write @gives("points") before it')
    unknown = [name for name in outputs if name not in ARRAYS and outputs != (ROWS,)]
    if unknown:
        raise UserError(
            f"{where}: gives {unknown[0]!r}, which is not an array: use rows, or some of {', '.join(ARRAYS)}"
        )
    return outputs, version, reasons


def _arguments(function: types.FunctionType, where: str) -> tuple[tuple[str, ...], tuple[str, ...], Fields]:
    """Return the arrays that a function needs, those that it uses where there, and its options as fields."""
    needed: list[str] = []
    optional: list[str] = []
    options: Fields = {}
    for name, argument in arguments_of(function, where).items():
        if argument.kind in NAMELESS:
            raise UserError(f"{where}: its argument {name!r} has no name: name every argument")
        if name in ARRAYS:
            (needed if argument.default is argument.empty else optional).append(name)
        elif name != "rng":
            options[name] = _option(argument, function, where)
    if not needed:
        raise UserError(f"{where}: has no array as input: name an argument after an array, such as points")
    return tuple(needed), tuple(optional), options


def _option(argument: inspect.Parameter, function: types.FunctionType, where: str) -> tuple[Any, FieldInfo]:
    what = f"{where}: its argument {argument.name!r}"
    if hasattr(FunctionStage, argument.name):
        raise UserError(f"{what} has a name that every stage uses: rename it")
    field = field_of(argument, inspect.getdoc(function) or "")
    if field is None:
        raise UserError(f"{what} is not an array and has no plain type: write {argument.name}: float")
    return field


def _source(function: types.FunctionType, where: str) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise UserError(f"{where}: its source cannot be read: put it into a .py file") from None

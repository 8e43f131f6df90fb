"""Arrays of one input on their way through the stages of a task: each is read once, whichever stages ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from face3d_data.reader import Reader, Source, load_remarked
from face3d_data.sample import Arrays
from face3d_data.store.part_arrays import read_array

ReadArray = Callable[[list[str]], np.ndarray]
"""Gives an array; what is remarked of its file is added to the list."""


class Decoded:
    """One array of a source, decoded where it is first asked for; every stage that asks hears what was remarked.

    Args:
        reader: decodes it.
        source: the capture.
        name: of the array.
    """

    def __init__(self, reader: Reader, source: Source, name: str) -> None:
        self._load = partial(load_remarked, reader=reader, source=source, name=name)
        self._array: np.ndarray | None = None
        self._said: list[str] = []

    def __call__(self, heard: list[str]) -> np.ndarray:
        """Return the array; `heard` takes what was remarked of its file."""
        if self._array is None:
            self._said.clear()
            try:
                self._array = self._load(self._said)
            finally:
                self._tell(heard)
        else:
            self._tell(heard)
        return self._array

    def _tell(self, heard: list[str]) -> None:
        heard += [text for text in self._said if text not in heard]


def stored(part: object, record: int, name: str) -> ReadArray:
    """Return how an array of a part is read."""
    return lambda heard: read_array(part, record, name)  # type: ignore[arg-type]


def given(array: np.ndarray) -> ReadArray:
    """Return how an array is read that an earlier stage of the task set: in the form in which a part would give it."""
    array = np.ascontiguousarray(array)
    return lambda heard: array


class Held:
    """The arrays that one sample has between two stages.

    Args:
        source: those that its source gives.
        others: those that stages made, the newest first.
        made: those of `others` that stages of this task made, and that are not stored yet.
    """

    def __init__(
        self,
        source: Mapping[str, ReadArray],
        others: Mapping[str, ReadArray],
        made: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._source = source
        self._others = others
        self.made = dict(made or {})

    def arrays(self, heard: list[str]) -> Arrays:
        """Return them for a stage; `heard` takes the remarks on what it reads."""
        readers = {**self._source, **self._others}
        return Arrays({name: partial(read, heard) for name, read in readers.items()})

    def after(self, output: Arrays, stored: bool) -> Held:
        """Return what the next stage is given: the same names in the same order as if they had been stored between.

        Args:
            output: of the stage.
            stored: all that is made so far is stored with it.
        """
        gone = {*output.own, *output.dropped}
        own = {name: output.own[name] for name in sorted(output.own)}
        return Held(
            _without(self._source, gone),
            {name: given(array) for name, array in own.items()} | _without(self._others, gone),
            {} if stored else own | _without(self.made, gone),
        )


def _without(arrays: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if name not in gone}

"""Ten folds of pairs: LFW's evaluators cut every list into ten parts, whatever its first line says.

facenet-pytorch's `evaluate_lfw` and those made of it (10 folds of scikit-learn's KFold, in the order of the lines) want
as many pairs of one person as of two in each part; a list of five folds gives parts of one kind alone, and figures that
mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 10


@dataclass(frozen=True)
class FoldedPairs:
    """Pairs in the order of a list, and what its header says.

    Attributes:
        table: the pairs, in each fold first those of one person, then as many of two.
        folds: how many folds.
        per_fold: pairs of one person, and of two, in each.
        notes: what differs from the dataset's own list.
    """

    table: pd.DataFrame
    folds: int
    per_fold: int
    notes: tuple[str, ...] = ()

    @property
    def header(self) -> str:
        """The first line of LFW's pairs.txt."""
        return f"{self.folds}\t{self.per_fold}" if self.folds > 1 else str(self.per_fold)


def in_ten_folds(pairs: pd.DataFrame) -> FoldedPairs:
    """Return a dataset's pairs in ten folds, as they are where they have ten.

    Others are cut again, pair after pair: as many in each fold as ten folds leave, the last ones left out. A person may
    come to be in two folds then.

    Args:
        pairs: columns `fold` and `same`, fold after fold.
    """
    fold, same = (pairs[name].astype(int).to_numpy() for name in ("fold", "same"))
    own = len(np.unique(fold))
    genuine, impostor = np.flatnonzero(same == 1), np.flatnonzero(same == 0)
    if own == FOLDS:
        return FoldedPairs(pairs, own, len(genuine) // own)
    per_fold = min(len(genuine), len(impostor)) // FOLDS
    if per_fold == 0:
        few = counted(min(len(genuine), len(impostor)), "pair")
        note = f"pairs: LFW's evaluators cut every list into {FOLDS} folds, and there are only {few} of a kind"
        return FoldedPairs(pairs, own, len(genuine) // own, (note,))
    order = [rows[k * per_fold : (k + 1) * per_fold] for k in range(FOLDS) for rows in (genuine, impostor)]
    left = len(pairs) - 2 * FOLDS * per_fold
    gone = f", {counted(left, 'pair')} left out" if left else ""
    note = (
        f"pairs: the dataset's {counted(own, 'fold')} are cut into {FOLDS} of {per_fold} + {per_fold}, as LFW's "
        f"evaluators want{gone}; a person can be in two"
    )
    return FoldedPairs(pairs.iloc[np.concatenate(order)], FOLDS, per_fold, (note,))

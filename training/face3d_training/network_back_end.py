"""Back-end of a network out of a file: that it is this network's, and embeddings that it projects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d_data.errors import UserError
from face3d_training.back_ends.back_end import BACK_ENDS, BackEnd
from face3d_training.back_ends.back_end_file import back_end_digest, read_back_end
from face3d_training.checkpoint import Trained
from face3d_training.content_digest import content_digest
from face3d_training.packaged import back_end_beside, shown_name

PLAIN = "none"
"""Asked for in place of a back-end: a network's embeddings as they are."""


@dataclass(frozen=True)
class EmbeddingForm:
    """Form in which a network's embeddings are written: as they are, or projected by a back-end.

    Attributes:
        back_end: what projects them; None: nothing.
        notes: lines for the reader.
    """

    back_end: BackEnd | None = None
    notes: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """The form, in words."""
        return "no back-end" if self.back_end is None else f"projected by back-end {self.back_end.kind}"

    def apply(self, embeddings: np.ndarray) -> np.ndarray:
        """Return embeddings (n, E) of unit length in this form: f4 (n, d), of unit length."""
        found = embeddings if self.back_end is None else self.back_end.project(embeddings)
        return found.astype(np.float32)

    def record(self) -> dict[str, str]:
        """Return what a file of embeddings says of it: the back-end's kind, or `none`, and its digest."""
        if self.back_end is None:
            return {"back_end": PLAIN}
        return {"back_end": self.back_end.kind, "back_end_digest": back_end_digest(self.back_end)}


def network_digest(trained: Trained) -> str:
    """Return the digest of a network's weights, which a back-end in a file names."""
    return content_digest(trained.net.state_dict())


def is_back_end_of(back_end: BackEnd, trained: Trained) -> bool:
    """Tell whether a back-end was learnt on the embeddings of a network."""
    return back_end.info.get("network") == network_digest(trained)


def own_back_end(trained: Trained) -> tuple[Path, BackEnd] | None:
    """Return the back-end that comes with a network: its file, which is beside the weights, and what it holds.

    Raises:
        UserError: the file is damaged, or another network's.
    """
    path = back_end_beside(trained.path)
    if path is None:
        return None
    back_end = read_back_end(path)
    if not is_back_end_of(back_end, trained):
        raise UserError(
            f"{path}: lies beside {trained.path.name}, but was learnt on another network's embeddings: remove it, or "
            "learn it again by face3d evaluate --back-end KIND"
        )
    return path, back_end


def asked_back_end(path: str | Path) -> BackEnd:
    """Return the back-end in a file that the option --back-end names.

    Raises:
        UserError: see `read_back_end`; the message begins with the option.
    """
    try:
        return read_back_end(path)
    except UserError as error:
        raise UserError(f"--back-end {error}") from None


def embedding_form(trained: Trained, asked: str | Path | None) -> EmbeddingForm:
    """Return how a network's embeddings are written.

    Args:
        trained: the network.
        asked: a back-end's file, or `none`; None: the back-end that comes with the network, if that gives embeddings.

    Raises:
        UserError: no such back-end, it is another network's, or gives scores of pairs alone.
    """
    if asked is None:
        own = own_back_end(trained)
        if own is None or own[1].gives_embeddings:
            return EmbeddingForm(own and own[1])
        kind = own[1].kind
        said = f"back-end {kind} of {shown_name(trained.path)} gives scores of pairs and no embeddings"
        return EmbeddingForm(None, (f"{said}: plain ones are written, and face3d evaluate scores with it",))
    if str(asked) == PLAIN:
        return EmbeddingForm()
    if str(asked) in BACK_ENDS:
        if str(asked) != "lda":
            raise UserError(
                f"--back-end {asked}: gives scores of pairs and no embeddings: use face3d evaluate, give {PLAIN} or "
                "the file of a back-end lda"
            )
        raise UserError(
            f"--back-end {asked}: give a file, or {PLAIN}: face3d evaluate --back-end {asked} learns and writes one "
            "(folder back_ends of the evaluation)"
        )
    back_end = asked_back_end(asked)
    if not is_back_end_of(back_end, trained):
        raise UserError(
            f"--back-end {asked}: was learnt on another network's embeddings: give that network, or --back-end {PLAIN}"
        )
    if not back_end.gives_embeddings:
        raise UserError(
            f"--back-end {asked}: {back_end.kind} gives scores of pairs and no embeddings: use face3d evaluate "
            f"--back-end {asked} for scores, or --back-end {PLAIN} or one of kind lda for embeddings"
        )
    return EmbeddingForm(back_end)

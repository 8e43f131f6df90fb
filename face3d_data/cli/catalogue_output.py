"""Output of the commands that show components; which registries each of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError
from face3d_data.extras import extra_line

if TYPE_CHECKING:
    from face3d_data.catalogue import Catalogue


def of_datasets() -> Catalogue:
    """Return the catalogue of what makes datasets."""
    from face3d_data.catalogue import Catalogue
    from face3d_data.function_stage import stage_of_function
    from face3d_data.registry import COMPONENTS

    return Catalogue([COMPONENTS], {"stage": stage_of_function})


def of_training() -> Catalogue:
    """Return the catalogue of networks and losses.

    Raises:
        UserError: a package that training needs is not installed.
    """
    from face3d_data.catalogue import Catalogue

    with needing_training():
        from face3d_training.losses.plain import spec_of_loss
        from face3d_training.models.plain import spec_of_network
        from face3d_training.registry import NETWORKS

        NETWORKS.components("model")
        return Catalogue([NETWORKS], {"model": spec_of_network, "loss": spec_of_loss})


@contextmanager
def needing_training(what: str = "training") -> Iterator[None]:
    """Answer a package that is missing with the line that installs it.

    Args:
        what: what cannot be done without it.

    Raises:
        UserError: the package is one that training needs.
    """
    try:
        yield
    except ImportError as error:
        raise UserError(f"{what} needs {error.name}: {extra_line('train')}") from None


def print_catalogue(
    catalogue: Catalogue, kinds: Sequence[str], name: str | None, as_json: bool, margin: int = 0
) -> None:
    """Print the components of some kinds, or one of them.

    Args:
        catalogue: what is known.
        kinds: names of its kinds.
        name: the component; None: all.
        as_json: JSON instead of text.
        margin: characters before each line.

    Raises:
        UserError: no component of these kinds has that name.
    """
    from face3d_data.catalogue_page import overview, page, terminal_width

    shown = catalogue.entries(kinds) if name is None else catalogue.entry(kinds, name)
    if as_json:
        echo_json(shown)
        return
    width = terminal_width() - margin
    for line in overview(shown, width) if isinstance(shown, list) else page(shown, width):
        echo(" " * margin + line)

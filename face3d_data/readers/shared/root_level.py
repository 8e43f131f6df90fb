"""Root level: finds the folder that fits the file names if a root is one level too high or too low."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from face3d_data.readers.shared.folder import FolderReader

MOST_LEVELS = 3
SHOWN = 3


def fitting_level(reader: FolderReader, paths: Sequence[str]) -> str | None:
    """Return what to set as root so that files fit the reader's pattern, None where no level near by does.

    Args:
        reader: with the root that does not fit.
        paths: of files or folders below it, none of which fits, with `/` between folders.
    """
    names = [name for path in paths if (name := reader.name_of(path)) is not None]
    if not names:
        return None
    for level in range(1, MOST_LEVELS + 1):
        above = [name.split("/")[:level] for name in names if reader.fits("/".join(name.split("/")[level:]))]
        if 2 * len(above) > len(names):
            folders = Counter("/".join(parts) for parts in above).most_common()
            roots = " or ".join(str(reader.root / folder) for folder, _ in folders[:SHOWN])
            more = f" … ({len(folders)} such folders)" if len(folders) > SHOWN else ""
            deeper = "a level" if level == 1 else f"{level} levels"
            return f"captures lie {deeper} deeper: set root to {roots}{more}, or pattern"
    here = reader.root.absolute()
    for level in range(1, min(MOST_LEVELS, len(here.parts) - 1) + 1):
        inside = "/".join(here.parts[-level:])
        if 2 * sum(reader.fits(f"{inside}/{name}" if name else inside) for name in names) > len(names):
            higher = "a level" if level == 1 else f"{level} levels"
            return f"the root is {higher} too deep: set root to {here.parents[level - 1]}, or pattern"
    return None

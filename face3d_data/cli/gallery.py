"""`face3d gallery`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.plurals import counted

DIGEST_CHARS = 12


@click.command(short_help="List the people of a gallery, their captures and its network.")
@click.argument("gallery", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--files", is_flag=True, help="Also list the captures of each person.")
@json_option
def command(gallery: Path, files: bool, as_json: bool) -> None:
    """List who is enrolled in GALLERY, a file of `face3d enroll`, with how many captures, and by which network.

    The digest is that of the network's weights: embeddings of a network with another one are refused.
    """
    with needing_training("galleries"):
        from face3d_training.recognition.gallery import read_gallery
    found = read_gallery(gallery)
    if as_json:
        people = [
            {"name": name, "captures": len(one.files), **({"files": list(one.files)} if files else {})}
            for name, one in found.people.items()
        ]
        network = {"name": found.network, "file": found.file, "digest": found.digest}
        echo_json({"gallery": str(gallery), "network": network, "embedding_length": found.length, "people": people})
        return
    captures = sum(len(one.files) for one in found.people.values())
    echo(f"{gallery}: {counted(len(found.people), 'person')}, {counted(captures, 'capture')}")
    made = f" ({found.file})" if found.file != found.network else ""
    echo(f"network {found.network}{made}, digest {found.digest[:DIGEST_CHARS]}, embeddings of {found.length} numbers")
    width = max((len(name) for name in found.people), default=0)
    for name, one in found.people.items():
        echo(f"  {name:{width}}  {counted(len(one.files), 'capture')}")
        for file in one.files if files else ():
            echo(f"    {file}")

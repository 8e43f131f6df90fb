"""`face3d pipelines`: the pipelines that come with the package, listed, printed or copied."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.completion import complete_packaged_pipeline
from face3d_data.cli.options import out_option
from face3d_data.cli.output import echo, echo_page
from face3d_data.errors import UserError


@click.command(short_help="List, print or copy the pipelines that come with the package.")
@click.argument("name", required=False, shell_complete=complete_packaged_pipeline)
@out_option("a copy of the pipeline NAME (.yaml), a new file")
def command(name: str | None, out: Path | None) -> None:
    """List the pipelines that come with the package, or print the one called NAME; --out copies it to a file.

    To change a pipeline, copy it: face3d pipelines quickstart --out mine.yaml, then face3d run mine.yaml.
    """
    from face3d_data.resources import find_pipeline, pipeline_names, pipeline_summary

    if name is None:
        if out is not None:
            raise UserError("--out: name the pipeline to copy: face3d pipelines NAME --out FILE")
        names = pipeline_names()
        width = max(map(len, names))
        for each in names:
            echo(f"{each:<{width}}  {pipeline_summary(each)}")
        return
    if name not in pipeline_names():
        find_pipeline(f"{name}.yaml" if "." not in name else name)  # raises, naming those that there are
    text = find_pipeline(name).read_text("utf-8")
    if out is None:
        echo_page(text.rstrip("\n"))
        return
    if out.exists():
        raise UserError(f"--out {out}: is there already: remove it, or give another path")
    from face3d_data.atomic import write_atomic

    write_atomic(out, text)
    echo(f"pipeline {out}")

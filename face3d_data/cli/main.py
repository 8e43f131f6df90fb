"""The `face3d` command: finds its commands by file, and reports each error as one line and an exit code."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from face3d_data.atomic import MASKS, SHARE
from face3d_data.cli import output
from face3d_data.cli.options import LOG_HELP, output_options
from face3d_data.cli.output import TerminalHandler, echo, echo_page
from face3d_data.errors import (
    Face3dError,
    MissingDependency,
    RunStopped,
    UserError,
    did_you_mean,
    is_full_disk,
    is_no_memory,
)
from face3d_data.version import __version__

NOT_COMMANDS = (
    *(
        "camera_options",
        "catalogue_output",
        "completion",
        "config_options",
        "main",
        "network_options",
        "options",
        "output",
    ),
    *("reader_options", "recognition_options"),
)
GROUPS = (
    (
        "Data",
        "face3d run quickstart",
        ("run", "chain", "pipelines", "readers", "stages", "components", "synth", "split"),
    ),
    ("Look", "face3d show --sheet quickstart", ("status", "dirty", "show", "domains", "verify", "masks", "doctor")),
    ("Train", "face3d train quickstart --config demo", ("models", "train", "evaluate", "embed", "cleanup")),
    (
        "Recognise",
        "face3d identify captures --gallery people.h5",
        ("record", "enroll", "gallery", "identify", "compare", "calibrate"),
    ),
    ("Keep", "face3d export quickstart out --format rgbd", ("export", "export-model", "model", "gc")),
)
"""Title, an example, and the commands of each group of the help."""
STOPPED, WRONG_USE, INTERRUPTED = 1, 2, 130


class CommandsByFile(click.Group):
    """A group whose commands are the modules beside this file; each is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the command files."""
        package = importlib.import_module("face3d_data.cli")
        files = (module.name for module in pkgutil.iter_modules(package.__path__))
        return sorted(name.replace("_", "-") for name in files if name not in NOT_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, None if there is no such file."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"face3d_data.cli.{cmd_name.replace('-', '_')}").command
        mine = {option.name for option in command.params}
        command.params += [option for option in output_options() if option.name not in mine]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands group by group, each group with an example."""
        for title, example, names in GROUPS:
            with formatter.section(f"{title} ({example})"):
                commands = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl([(name, command.get_short_help_str(90)) for name, command in commands if command])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for an unknown name, list the commands that exist."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            raise click.UsageError(
                f"no command {name!r} (commands: {', '.join(known)}){did_you_mean(name, known)}", ctx
            )
        return super().resolve_command(ctx, args)


@click.group(cls=CommandsByFile, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="face3d")
@click.option("-q", "--quiet", is_flag=True, help="Print only results, notes and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Also print times, files and folders used, and workers.")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=LOG_HELP)
@click.option(
    "--share",
    type=click.Choice(list(MASKS)),
    default="private",
    show_default=True,
    envvar=SHARE,
    help=f"Who may read the files written: you, your group, or everybody. [{SHARE}]",
)
def face3d(quiet: bool, verbose: bool, log: Path | None, share: str) -> None:
    """Build data sets for 3D face recognition: from raw captures to identity-safe CSVs and HDF5 shards.

    Run face3d COMMAND --help for the options of a command. -q, -v and --log can also follow the command.
    """
    output.be(quiet or None, verbose or None, log)
    os.environ[SHARE] = share  # workers inherit both
    os.umask(MASKS[share])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 stopped or found something, 2 wrong use, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is half-written is removed, as by Ctrl-C
    for name in ("face3d_data", "face3d_training"):
        logger = logging.getLogger(name)
        if not any(isinstance(handler, TerminalHandler) for handler in logger.handlers):
            logger.addHandler(TerminalHandler())
    output.reset()
    try:
        code = _answer(arguments)
    finally:
        output.reset()
    sys.exit(code)


def _answer(arguments: Sequence[str] | None) -> int:
    try:
        code = face3d.main(args=arguments, prog_name="face3d", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except SystemExit as stop:
        if Path(traceback.extract_tb(stop.__traceback__)[-1].filename).parent == Path(click.__file__).parent:
            raise  # click itself ends so after a completion, and where nobody reads its output any more
        _say(f"a component called sys.exit({stop.code!r}), which ended the command: remove that call")
        return STOPPED
    except (KeyboardInterrupt, click.Abort):
        _say("stopped; finished parts stay, run again to go on")
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        echo_page(error.ctx.get_help() if error.ctx else "", err=True)
        return WRONG_USE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "face3d"
        message = " ".join(error.format_message().split()).rstrip(".")
        _say(f"{message} (see {where} --help)", where)
        return WRONG_USE
    except (UserError, MissingDependency) as error:
        _say(str(error))
        return WRONG_USE
    except RunStopped as error:
        _say(str(error))
        return STOPPED
    except Face3dError as error:
        _say(_of_damage(error) or f"{type(error).__name__}: {error}")
        return STOPPED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (OSError, RuntimeError, MemoryError) as error:
        return _of_the_machine(error)


def _of_the_machine(error: OSError | RuntimeError | MemoryError) -> int:
    """Say what the machine refused, and return the exit code; raise what is a defect of this program."""
    if is_full_disk(error):
        _say("no disk space left: make room and run again; what was finished stays")
        return STOPPED
    if is_no_memory(error):
        _say("no memory left: ask for less at a time (smaller batches or networks, fewer --jobs or --workers)")
        return STOPPED
    if not isinstance(error, OSError) or error.errno is None:
        raise error
    _say(": ".join(str(part) for part in (error.filename, error.strerror) if part))
    return WRONG_USE


def _of_damage(error: Face3dError) -> str:
    """Return what is said of a damaged part outside of a run, having removed it; nothing for other errors."""
    from face3d_data.store.part import BadPart

    if not isinstance(error, BadPart):
        return ""
    error.discard()
    return f"{error}: it was removed: `face3d run` makes it again"


def _say(message: str, who: str = "face3d") -> None:
    echo(f"{who}: {message}", err=True)


if __name__ == "__main__":
    main()

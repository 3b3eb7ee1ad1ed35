"""The command `vscolor`: parses arguments and runs commands."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, Final, NoReturn

import typer
import vapoursynth as vs

from vscolor import console
from vscolor.cli import films, fits, inspection, measuring, models, training
from vscolor.errors import SettingError, VscolorError
from vscolor.versions import installed_version

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130
# The parser's base exception, whose module differs between releases of typer.
PARSER_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vscolor {installed_version('vscolor') or 'from a source tree'}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Colour black-and-white film. The picture's luma is never changed.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(MISUSED)


app.command("colorize")(films.colorize_command)
app.command("stabilize")(films.stabilize_command)
app.command("fit")(fits.fit_command)
app.command("scenes")(inspection.scenes_command)
app.command("keyframes")(inspection.keyframes_command)
app.command("metrics")(measuring.metrics_command)
app.command("timeline")(measuring.timeline_command)
app.command("compare")(measuring.compare_command)
app.command("pipe")(films.pipe_command)
app.command("demo")(films.demo_command)
app.add_typer(models.app, name="models")
app.add_typer(training.app, name="train")
app.command("doctor")(inspection.doctor_command)


def _stop(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; return its exit code. Ends the process if interrupted."""
    try:
        code = int(app(arguments, prog_name="vscolor", standalone_mode=False) or 0)
    except PARSER_ERROR as error:
        console.complain(error.format_message())  # type: ignore[attr-defined]
        return int(getattr(error, "exit_code", MISUSED))
    except (VscolorError, vs.Error, OSError) as error:
        console.complain(str(error))
        misuse = isinstance(error, SettingError) or isinstance(error.__cause__, SettingError)
        return MISUSED if misuse else FAILED
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer turns the exception into the code, from 0.16 on
        console.complain("interrupted")
        # Native threads may still be computing frames; our own cleanup is done.
        os._exit(INTERRUPTED)
    return code

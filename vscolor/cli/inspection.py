"""Commands that inspect: scenes, keyframes, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vscolor.cli.options import Device, Overwrite, Quiet, Source
from vscolor.commands import doctor
from vscolor.commands import scenes as listing
from vscolor.commands.treatment import ColorizeSettings
from vscolor.errors import SettingError


def scenes_command(
    source: Source,
    *,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write the first frame of each scene to this PNG.", show_default=False),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """List the cuts of IN, one frame number per line, as --scenes reads them."""
    listing.run(source, sheet, overwrite=overwrite, quiet=quiet)


def keyframes_command(
    source: Source,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder for the pictures; created if absent.")
    ],
    *,
    scenes: Annotated[
        Path | None,
        typer.Option(help="List of cuts; default: they are detected.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Colour them by this model, to be corrected; default: they stay as they are.",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write one frame of each scene of IN as ref_000123.png, to colour and give to --reference."""
    if device is not None and model is None:
        raise SettingError("--device needs --model")
    colorizing = None if model is None else ColorizeSettings(model=model, device=device)
    listing.export_keyframes(source, folder, scenes, colorizing, overwrite=overwrite, quiet=quiet)


def doctor_command() -> None:
    """Check versions, devices, ffmpeg and plugins, and show how to fix problems."""
    if not doctor.print_report():
        raise typer.Exit(1)

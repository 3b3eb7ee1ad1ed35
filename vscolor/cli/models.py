"""Commands around models: list them, fetch and check their weights, export them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from vscolor import console, showcase
from vscolor.cli.options import Quiet
from vscolor.errors import SettingError
from vscolor.models.registry import registry
from vscolor.weights import fetch, keeping
from vscolor.weights.catalog import serving

MARKS: Final = {True: "ok", False: "!!", None: "--"}

app = typer.Typer(rich_markup_mode="rich")


@app.callback(invoke_without_command=True)
def models_command(context: typer.Context) -> None:
    """List the models: size, licence, and whether they are installed."""
    if context.invoked_subcommand is None:
        showcase.print_models()


Name = Annotated[str, typer.Argument(metavar="NAME", help="A model.")]


@app.command("show")
def show_command(name: Name) -> None:
    """Tell all of one model: paper, licences, settings, files."""
    showcase.print_model(name)


@app.command("fetch")
def fetch_command(name: Name, *, quiet: Quiet = False) -> None:
    """Download a model's weights, check them, and keep them in the cache."""
    entry = registry.get(name)
    for need in entry.needs:
        kept = serving(need)
        for path in fetch.fetch(kept, fetch.no_bar if quiet else console.BytesBar):
            _say(quiet, f"fetched {path}")
    if entry.installed():
        _say(quiet, f"model {name} is installed")


@app.command("add")
def add_command(
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A weight file, or the archive it came in.")
    ],
    *,
    quiet: Quiet = False,
) -> None:
    """Put a weight file you have in the cache; it is checked against the model."""
    entry = registry.get(name)
    if not entry.needs:
        raise SettingError(f"model {name} keeps no weights in the cache; give --weights instead")
    for path in keeping.add(entry.sets, file):
        _say(quiet, f"added {path}")
    if not entry.installed():
        _say(quiet, f"model {name} needs more files: vscolor models show {name}")


@app.command("verify")
def verify_command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model; default: all installed.")
    ] = None,
) -> None:
    """Check the hash of every weight file in the cache. Exits 1 if one is wrong."""
    entries = list(registry) if name is None else [registry.get(name)]
    good = True
    for state in (s for entry in entries for s in keeping.verify(entry.sets)):
        if state.good is None and name is None:
            continue
        typer.echo(f"{MARKS[state.good]} {state.path}: {state.told}")
        good = good and state.good is not False
    if name is not None:
        good = good and entries[0].installed()
    if not good:
        raise typer.Exit(1)


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        console.note(line)

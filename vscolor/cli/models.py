"""Commands around models: list them, fetch and check their weights, export them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from vscolor import console
from vscolor.cli.options import ModelOptions, Overwrite, Quiet, Weights
from vscolor.commands import models as listing
from vscolor.errors import SettingError
from vscolor.metrics import published
from vscolor.models import export
from vscolor.models.options import read_words
from vscolor.models.registry import registry
from vscolor.weights import fetch, keeping
from vscolor.weights.catalog import WeightAlternatives, serving

MARKS: Final = {True: "ok", False: "!!", None: "--"}

app = typer.Typer(rich_markup_mode="rich")


@app.callback(invoke_without_command=True)
def models_command(context: typer.Context) -> None:
    """List the models: size, licence, and whether they are installed."""
    if context.invoked_subcommand is None:
        listing.print_models()


Name = Annotated[str, typer.Argument(metavar="NAME", help="A model.")]


@app.command("show")
def show_command(name: Name) -> None:
    """Show everything about one model: paper, licences, settings, files."""
    listing.print_model(name)


@app.command("fetch")
def fetch_command(name: Name, *, quiet: Quiet = False) -> None:
    """Download a model's weights, check them, and keep them in the cache.

    NAME may also be a metric's network: lpips-alex, lpips-vgg, lpips-squeeze, fid, raft.
    """
    for need in _needs(name):
        kept = serving(need)
        for path in fetch.fetch(kept, fetch.no_bar if quiet else console.BytesBar):
            _say(quiet, f"fetched {path}")
    if name not in published.SETS and registry.get(name).installed():
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
    """Check a weight file you already have, and add it to the cache."""
    needs = _needs(name)
    if not needs:
        raise SettingError(f"model {name} keeps no weights in the cache; give --weights instead")
    for path in keeping.add([kept for need in needs for kept in need], file):
        _say(quiet, f"added {path}")
    if name not in published.SETS and not registry.get(name).installed():
        _say(quiet, f"model {name} needs more files: vscolor models show {name}")


@app.command("verify")
def verify_command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model; default: all installed.")
    ] = None,
) -> None:
    """Check the hash of every weight file in the cache. Exits 1 if one is wrong."""
    named = [name] if name is not None else [*(e.card.name for e in registry), *published.SETS]
    good = True
    sets = [kept for one in named for need in _needs(one) for kept in need]
    states = [s for s in keeping.verify(sets) if s.good is not None or name is not None]
    if not states:
        console.note("no weight file is in the cache: there is nothing to verify")
    for state in states:
        typer.echo(f"{MARKS[state.good]} {state.path}: {state.told}")
        good = good and state.good is not False
    if name is not None:
        metric = published.SETS.get(name)
        good = good and (metric.installed if metric else registry.get(name).installed())
    if not good:
        raise typer.Exit(1)


def _needs(name: str) -> tuple[WeightAlternatives, ...]:
    """Weights that a model or a metric's network needs."""
    if name in published.SETS:
        return ((published.SETS[name],),)
    if name not in registry.names():
        known = ", ".join([*registry.names(), *published.SETS])
        raise SettingError(f"NAME is {name!r}, expected one of {known}")
    return registry.get(name).needs


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        console.note(line)


@app.command("export")
def export_command(
    name: Name,
    target: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="What to write.")],
    *,
    layout: Annotated[
        str,
        typer.Option(
            help="rgb: a grey picture in, the coloured one out, as vs-mlrt takes it; "
            "lab: L* in, a* and b* out. Default rgb.",
            show_default=False,
        ),
    ] = "rgb",
    size: Annotated[
        str | None,
        typer.Option(help="WIDTHxHEIGHT to fix in the file; default: open.", show_default=False),
    ] = None,
    weights: Weights = None,
    model_options: ModelOptions = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Export a still model to ONNX, for vs-mlrt and others. Needs the extra `export`."""
    options = read_words(registry.get(name).options, model_options or ())
    export.export(
        name,
        target,
        layout,
        weights=weights,
        options=options,
        size=None if size is None else _size_of(size),
        overwrite=overwrite,
    )
    _say(quiet, f"wrote {target}")


def _size_of(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise SettingError(f"--size is {text!r}, expected WIDTHxHEIGHT such as 448x256")
    return int(width), int(height)

"""Commands around models: list them, fetch and check their weights, export them."""

from __future__ import annotations

from typing import Annotated

import typer

from vscolor import showcase

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

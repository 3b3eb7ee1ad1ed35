"""Prints the available models, and the details of one."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table

from vscolor.models.registry import Entry, registry

MEGABYTE: Final = 1_000_000
COLUMNS: Final = ("model", "kind", "weights", "code", "supports", "what it is")
# Minimum widths in characters: with the other columns they fit an 80-column terminal.
WRAPPED: Final = {"supports": 11, "what it is": 16}
ABSENT: Final = "not here"


def print_models() -> None:
    """Print the models, and the plugins that cannot be used."""
    console = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in COLUMNS:
        wraps = name in WRAPPED
        table.add_column(name, no_wrap=not wraps, min_width=WRAPPED.get(name))
    for entry in registry:
        card = entry.card
        supports = ", ".join(sorted(card.supports))
        table.add_row(
            card.name,
            card.kind,
            _weights(entry),
            card.code_licence,
            supports,
            card.summary,
        )
    console.print(table, crop=False)
    for broken in registry.broken():
        console.print(str(broken), soft_wrap=True)
    console.print("vscolor models show NAME tells more of one, its settings and its files.")


def print_model(name: str) -> None:
    """Print everything known about one model.

    Raises:
        SettingError: There is no model of that name, or it is broken.
    """
    entry = registry.get(name)
    card = entry.card
    console = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for label, text in (
        (card.name, card.summary),
        ("paper", card.paper),
        ("code", card.code_licence),
        ("weights", card.weights_licence),
        ("score", card.score),
        ("supports", ", ".join(sorted(card.supports)) or "luma alone"),
        ("runs on", " or ".join(entry.runtimes)),
        ("installed", "no" if (held := _weights(entry)) == ABSENT else f"yes {held}".strip()),
        ("more", card.page),
    ):
        table.add_row(label, text)
    for option in entry.options:
        table.add_row(
            f"{option.name}={'' if option.default is None else option.default}",
            "; ".join(dict.fromkeys((option.summary, option.expected))),
        )
    console.print(table, crop=False)
    for kept in entry.sets:
        for file in kept.files:  # not folded, so that paths and addresses can be copied
            console.print(f"file  {kept.path(file)}\n      from {file.source}", soft_wrap=True)


def _weights(entry: Entry) -> str:
    """Size of the installed weights, empty if unknown; `ABSENT` if not installed."""
    if not entry.installed():
        return ABSENT
    return f"{entry.size / MEGABYTE:.1f} MB" if entry.size else ""

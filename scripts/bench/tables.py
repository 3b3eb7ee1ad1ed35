"""A row of figures for each film, and their mean."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

type Rows = Mapping[str, Mapping[str, float]]


def with_mean(rows: Rows) -> dict[str, dict[str, float]]:
    """The rows, and one named `mean`."""
    columns = next(iter(rows.values()))
    mean = {c: float(np.mean([row[c] for row in rows.values()])) for c in columns}
    return {**{name: dict(row) for name, row in rows.items()}, "mean": mean}


def print_table(rows: Rows) -> None:
    """Print rows of the same columns as a Markdown table, two places after the point."""
    columns = list(next(iter(rows.values())))
    print(f"| clip | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{row[c]:.2f}' for c in columns)} |")

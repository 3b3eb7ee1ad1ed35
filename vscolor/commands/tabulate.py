"""Writes measurements as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TextIO

from vscolor import files
from vscolor.errors import SettingError
from vscolor.metrics.table import FIGURES, Measurement

STDOUT: Final = Path("-")
LINE_DIGITS: Final = 6


class Per(StrEnum):
    """What a row covers."""

    CLIP = "clip"
    SCENE = "scene"
    FRAME = "frame"


@dataclass(frozen=True)
class Output:
    """Where the numbers go.

    Attributes:
        per: What a row covers; None: the clip in the table, a frame in the CSV.
        json: A file, `-` for stdout; None for none.
        csv: As above.
        overwrite: Whether existing files may be replaced.
        quiet: Whether to print only errors and what goes to stdout.
    """

    per: Per | None = None
    json: Path | None = None
    csv: Path | None = None
    overwrite: bool = False
    quiet: bool = False

    def check(self, *read: Path | None) -> None:
        """Refuse files that are in the way, and JSON and CSV both on stdout.

        Args:
            read: Files that are read, which must not be replaced.

        Raises:
            SettingError: A file is in the way, or both go to stdout.
        """
        if STDOUT == self.json == self.csv:
            raise SettingError("--json and --csv are both -, expected a file for one of them")
        for target in (self.json, self.csv):
            if target != STDOUT:
                files.refuse_existing(target, self.overwrite)
        files.refuse_twins((t for t in (self.json, self.csv) if t != STDOUT), read)


def write(found: Measurement, output: Output, about: Mapping[str, Any]) -> None:
    """Write the files asked for, and the table unless stdout is taken."""
    if output.json:
        with _opened(output.json) as file:
            write_json(file, found, about)
    if output.csv:
        with _opened(output.csv) as file:
            write_csv(file, found, output.per or Per.FRAME)
    if STDOUT not in (output.json, output.csv):
        for line in lines(found, output.per or Per.CLIP):
            print(line)


@contextmanager
def _opened(target: Path) -> Iterator[TextIO]:
    """A file that appears only when complete, or stdout."""
    if target == STDOUT:
        yield sys.stdout
        return
    with files.atomic_write(target) as part, part.open("w", encoding="utf-8", newline="") as file:
        yield file


def rows_of(found: Measurement, per: Per) -> Iterator[dict[str, float]]:
    """The numbers per clip (one row), per scene or per frame."""
    if per is Per.CLIP:
        yield {"frames": len(found.table), **found.figures()}
    elif per is Per.SCENE:
        for number, frames in enumerate(found.table.scenes()):
            place = {
                "scene": number,
                "first": found.table.first + frames.start,
                "frames": len(frames),
            }
            yield {**place, **found.table.figures(frames)}
    else:
        yield from found.table.rows()


def write_csv(file: TextIO, found: Measurement, per: Per) -> None:
    """Write a header, and a row per clip, scene or frame; missing numbers are left empty."""
    rows = list(rows_of(found, per)) if per is not Per.FRAME else rows_of(found, per)
    names = ["frame", "scene", *found.table.columns] if per is Per.FRAME else _names(rows)
    writer = csv.DictWriter(file, names, lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: v for k, v in row.items() if not _absent(v)})


def write_json(file: TextIO, found: Measurement, about: Mapping[str, Any]) -> None:
    """Write everything, frame by frame so that a feature film fits in memory."""
    head = dict(about) | {"frames": len(found.table), "clip": found.figures()}
    head["scenes"] = list(rows_of(found, Per.SCENE))
    text = json.dumps(head, indent=1, default=str, allow_nan=False)
    file.write(text.removesuffix("\n}") + ',\n "by_frame": [')
    for n, row in enumerate(found.table.rows()):
        known = {k: v for k, v in row.items() if not _absent(v)}
        file.write((",\n  " if n else "\n  ") + json.dumps(known, allow_nan=False))
    file.write("\n ]\n}\n")


def lines(found: Measurement, per: Per) -> Iterator[str]:
    """The table for a terminal."""
    if per is Per.CLIP:
        for name, value in found.figures().items():
            figure = FIGURES[name]
            yield f"{figure.title:<13} {value:>11.{figure.digits}f}  {figure.explained}"
        return
    rows: Iterable[dict[str, float]] = rows_of(found, per)
    if per is Per.SCENE:
        rows = list(rows)
        names = _names(rows)
    else:
        names = ["frame", "scene", *found.table.columns]
    widths = [max(len(name), LINE_DIGITS + 4) for name in names]
    yield " ".join(f"{name:>{w}}" for name, w in zip(names, widths, strict=True))
    for row in rows:
        yield " ".join(
            f"{_cell(row.get(name, math.nan)):>{w}}" for name, w in zip(names, widths, strict=True)
        )


def _names(rows: Iterable[Mapping[str, float]]) -> list[str]:
    """Names in all rows, in order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: float) -> str:
    if _absent(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{LINE_DIGITS}g}"


def _absent(value: float) -> bool:
    return isinstance(value, float) and math.isnan(value)

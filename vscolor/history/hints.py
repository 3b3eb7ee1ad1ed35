"""Colours a user gives at points of a frame."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final

import numpy as np

from vscolor.arguments import given_path
from vscolor.color import srgb_to_lab
from vscolor.errors import SettingError
from vscolor.files import expanded
from vscolor.models.base import Array

MAX_AB = 128.0

NUMBERS: Final = {"frame", "x", "y", "radius"}
"""Fields of a hint that are numbers."""


@dataclass(frozen=True)
class Hint:
    """A colour at a point of a frame; one of `rgb` and `ab` is given.

    Attributes:
        frame: Number of the frame.
        x: Pixels of the film from its left edge.
        y: Pixels from its top.
        rgb: R'G'B' as three numbers 0..255, or `#rrggbb`.
        ab: a* and b*, -128..127.
        radius: Pixels around the point within which the colour is certain; None for a hundredth
            of the film's short side.
    """

    frame: int
    x: float
    y: float
    rgb: tuple[float, float, float] | str | None = None
    ab: tuple[float, float] | None = None
    radius: float | None = None

    def colour(self) -> Array:
        """The hint's a* and b* `[2]`.

        Raises:
            SettingError: The colour cannot be used.
        """
        if (self.rgb is None) == (self.ab is None):
            raise SettingError(f"{self} has rgb {self.rgb} and ab {self.ab}, expected one of them")
        if self.ab is not None:
            values = _numbers(self.ab, "ab", (-MAX_AB, MAX_AB), 2, self.frame)
            return np.array(values, np.float32)
        rgb = _numbers(_from_hex(self.rgb), "rgb", (0, 255), 3, self.frame)
        return np.asarray(srgb_to_lab(np.array(rgb) / 255)[1:], np.float32)


def _from_hex(rgb: Any) -> Any:
    if isinstance(rgb, str) and re.fullmatch(r"#?[0-9a-fA-F]{6}", rgb):
        digits = rgb.lstrip("#")
        return [int(digits[i : i + 2], 16) for i in (0, 2, 4)]
    if isinstance(rgb, str) and re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*){2}", rgb):
        return [int(part) for part in rgb.split(",")]
    return rgb


def _numbers(
    given: Any, name: str, bounds: tuple[float, float], count: int, frame: int
) -> list[float]:
    low, high = bounds
    right = (
        isinstance(given, list | tuple | np.ndarray)
        and len(given) == count
        and all(isinstance(v, Real) and low <= float(v) <= high for v in given)
    )
    if not right:
        raise SettingError(
            f"hint at frame {frame} has {name} {given!r}, expected {count} numbers from "
            f"{low:g} to {high:g}{' or #rrggbb' if name == 'rgb' else ''}"
        )
    return [float(v) for v in given]


def listed(given: Hint | Iterable[Hint] | str | Path | None) -> list[Hint]:
    """Read what a caller gave as `hints=`: hints, or the path of a `.json` or `.csv` file.

    Raises:
        SettingError: It is none of these.
    """
    if given is None:
        return []
    if isinstance(given, Hint):
        given = [given]
    if isinstance(given, str | Path):
        return read_hint_file(given_path("hints", given))
    if not isinstance(given, Iterable):
        raise SettingError(f"hints= is {given!r}, expected Hints or the path of a file")
    return [_checked(hint, "hints=") for hint in given]


def _checked(hint: Any, where: str) -> Hint:
    """The hint, its types checked; whether the film has such a point is checked later."""
    if not isinstance(hint, Hint):
        raise SettingError(f"{where} has {hint!r}, expected a Hint")
    if not isinstance(hint.frame, Integral):
        raise SettingError(f"{where} has frame {hint.frame!r}, expected a whole number")
    for name in ("x", "y", "radius"):
        value = getattr(hint, name)
        if not isinstance(value, Real) and (name != "radius" or value is not None):
            raise SettingError(f"{where} has {name} {value!r}, expected a number")
    return replace(hint, frame=int(hint.frame))


def read_hint_file(path: str | Path) -> list[Hint]:
    """Read hints from a file.

    JSON holds a list of objects with the names of `Hint`'s fields. CSV has these names as its
    header line, `rgb` as `#rrggbb` or `"190,140,90"`, or the columns `a` and `b` instead; columns
    are separated by commas or semicolons.

    Raises:
        SettingError: The file cannot be read; the message names the entry.
    """
    path = expanded(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = json.loads(text) if path.suffix.lower() == ".json" else _csv_rows(text)
    except (OSError, ValueError) as error:
        raise SettingError(f"hint file {path} cannot be read: {error}") from None
    if not isinstance(rows, list):
        raise SettingError(f"hint file {path} holds a {type(rows).__name__}, expected a list")
    if not rows:
        raise SettingError(
            f"hint file {path} holds no hint, expected one at least"
            f"{'' if path.suffix.lower() == '.json' else ' below a line of names: frame,x,y,rgb'}"
        )
    return [_hint(row, f"hint file {path}, entry {number}") for number, row in enumerate(rows, 1)]


def _csv_rows(text: str) -> list[dict[str, Any]]:
    rows, lines = [], text.splitlines()
    # Spreadsheets separate by semicolons in locales with a decimal comma.
    sign = ";" if lines and ";" in lines[0] else ","
    for row in csv.DictReader(lines, skipinitialspace=True, delimiter=sign):
        given: dict[str, Any] = {k: v for k, v in row.items() if k and v not in (None, "")}
        if "a" in given and "b" in given:
            given["ab"] = [_number(given.pop(name), sign) for name in ("a", "b")]
        rows.append({k: _number(v, sign) if k in NUMBERS else v for k, v in given.items()})
    return rows


def _number(text: str, sign: str) -> int | float | str:
    """The text as a number; if it is none, the text itself, which `_checked` refuses."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text.replace(",", ".") if sign == ";" else text)
    return text


def _hint(row: Any, where: str) -> Hint:
    fields = ("frame", "x", "y", "rgb", "ab", "radius")
    if not isinstance(row, Mapping) or not {"frame", "x", "y"} <= set(row) <= set(fields):
        raise SettingError(
            f"{where} is {row!r}, expected frame, x, y, and rgb or ab, and radius if wanted"
        )
    values = dict(row)
    for name in ("rgb", "ab"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    hint = _checked(Hint(**values), where)
    try:
        hint.colour()
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None
    return hint

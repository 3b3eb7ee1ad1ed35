"""Checks of arguments that filters share: numbers, words, switches, scenes, the guide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import vapoursynth as vs

from vscolor import nodes
from vscolor.batching import guarded
from vscolor.errors import SettingError
from vscolor.files import expanded
from vscolor.film import Film, check_frame, inspect
from vscolor.scenes import check_cuts, read_scene_file, with_marks_of


def in_range(name: str, value: float, low: float, high: float) -> float:
    """Check a number.

    Raises:
        SettingError: It is no number, or out of range.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and low <= value <= high):
        raise SettingError(f"{name}= is {value!r}, expected {low:g} to {high:g}")
    return float(value)


def whole_in_range(name: str, value: int, low: int, high: int) -> int:
    """Check a whole number.

    Raises:
        SettingError: It is no whole number, or out of range.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and low <= value <= high):
        raise SettingError(f"{name}= is {value!r}, expected a whole number from {low} to {high}")
    return int(value)


def one_of(name: str, value: object, words: Sequence[str]) -> str:
    """Check a word against the accepted ones.

    Raises:
        SettingError: It is not one of them.
    """
    if value not in words:
        raise SettingError(f"{name}= is {value!r}, expected one of {', '.join(words)}")
    return str(value)


def yes_or_no(name: str, value: bool) -> bool:
    """Check a switch; strings are refused, since "no" would count as true.

    Raises:
        SettingError: It is neither True nor False.
    """
    if not (isinstance(value, bool | np.bool_ | Integral) and value in (0, 1)):
        raise SettingError(f"{name}= is {value!r}, expected True or False")
    return bool(value)


def given_path(name: str, given: str | Path) -> Path:
    """A path that a caller gave, `~` expanded.

    Raises:
        SettingError: It is an empty text, which would mean the current folder.
    """
    if given == "":
        raise SettingError(f"{name}= is '', expected a path")
    return expanded(given)


def read_cuts(scenes: Iterable[int] | str | Path | None, length: int) -> tuple[int, ...] | None:
    """Read the argument `scenes=`: frame numbers, the path of a list, or None.

    Raises:
        SettingError: It is neither, the list cannot be read, or a number is no frame of a clip of
            this length.
    """
    if scenes is None:
        return None
    if isinstance(scenes, str | Path):
        scenes = read_scene_file(given_path("scenes", scenes))
    if not isinstance(scenes, Iterable):
        raise SettingError(f"scenes= is {scenes!r}, expected frame numbers or the path of a list")
    return check_cuts(scenes, length)


def inspect_guide(guide: vs.VideoNode, clip: vs.VideoNode, caller: str) -> Film:
    """The guide, checked and as YUV or GRAY, with the cuts marked on the film itself.

    Raises:
        SettingError: It has another length or an unsupported format.
    """
    seen = inspect(guide, "guide")
    if guide.num_frames != clip.num_frames:
        raise SettingError(
            f"guide has {guide.num_frames} frames, expected {clip.num_frames} as the clip"
        )
    canvas, check = nodes.to_yuv(seen), partial(check_frame, seen)
    passed = guarded(canvas.clip, guide, check, caller, "guide frame")
    return replace(canvas, clip=with_marks_of(clip, passed))

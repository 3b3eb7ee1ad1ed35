"""Arguments that filters share: numbers within bounds, scenes, and a clip to look at instead."""

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
from vscolor.film import Film, check_frame, inspect
from vscolor.scenes import check_cuts, read_scene_file, with_marks_of


def in_range(name: str, value: float, low: float, high: float) -> float:
    """A number within bounds.

    Raises:
        SettingError: It is none, or outside.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and low <= value <= high):
        raise SettingError(f"{name}= is {value!r}, expected {low:g} to {high:g}")
    return float(value)


def whole_in_range(name: str, value: int, low: int, high: int) -> int:
    """A whole number within bounds.

    Raises:
        SettingError: It is none, or outside.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and low <= value <= high):
        raise SettingError(f"{name}= is {value!r}, expected a whole number from {low} to {high}")
    return int(value)


def one_of(name: str, value: object, words: Sequence[str]) -> str:
    """A word that is one of a few.

    Raises:
        SettingError: It is another.
    """
    if value not in words:
        raise SettingError(f"{name}= is {value!r}, expected one of {', '.join(words)}")
    return str(value)


def yes_or_no(name: str, value: bool) -> bool:
    """A switch; words are refused, since "no" would be taken for yes.

    Raises:
        SettingError: It is neither True nor False.
    """
    if not (isinstance(value, bool | np.bool_ | Integral) and value in (0, 1)):
        raise SettingError(f"{name}= is {value!r}, expected True or False")
    return bool(value)


def read_cuts(scenes: Iterable[int] | str | Path | None, length: int) -> tuple[int, ...] | None:
    """Read what a caller gave as `scenes=`: frame numbers or the path of a list; None for none.

    Raises:
        SettingError: It is neither, the list cannot be read, or a number is no frame of a clip of
            this length.
    """
    if scenes is None:
        return None
    if isinstance(scenes, str | Path):
        scenes = read_scene_file(scenes)
    if not isinstance(scenes, Iterable):
        raise SettingError(f"scenes= is {scenes!r}, expected frame numbers or the path of a list")
    return check_cuts(scenes, length)


def inspect_guide(guide: vs.VideoNode, clip: vs.VideoNode, caller: str) -> Film:
    """The clip that a filter looks at, checked and ready, with the cuts that the film itself marks.

    Raises:
        SettingError: It is of another length, or of a format that cannot be looked at.
    """
    seen = inspect(guide, "guide")
    if guide.num_frames != clip.num_frames:
        raise SettingError(
            f"guide has {guide.num_frames} frames, expected {clip.num_frames} as the clip"
        )
    canvas, check = nodes.to_yuv(seen), partial(check_frame, seen)
    passed = guarded(canvas.clip, guide, check, caller, "guide frame")
    return replace(canvas, clip=with_marks_of(clip, passed))

"""Coloured pictures that the user gives to take colours from.

A reference may show the frame itself, another frame or shot, or another film. The model sees it at
the film's aspect ratio; one of another aspect ratio is centre-cropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Integral
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor import nodes
from vscolor.arguments import given_path
from vscolor.color import (
    Colorimetry,
    decode_srgb,
    encode_srgb,
    lab_for_merge,
    rgb_to_xyz_matrix,
)
from vscolor.errors import SettingError
from vscolor.files import expanded
from vscolor.film import COLOR_PROPS, Film, inspect, with_matrix
from vscolor.media.source import SCRIPT_SUFFIXES, STILL_SUFFIXES, open_source
from vscolor.models.base import Array

NEARLY: Final = 0.03
"""A picture whose aspect ratio differs by at most this part is stretched, not cropped."""

GREY: Final = 0.012
"""R', G' and B' (0..1) that differ by at most this are grey; in a JPEG of grey they do by 0.004."""
GLANCE: Final = 256
"""Height and width at which a picture is checked for any colour."""


class ColourlessError(SettingError):
    """A reference is grey: nobody has coloured it yet."""


@dataclass(frozen=True)
class Reference:
    """A coloured picture to take colours from.

    Attributes:
        picture: The path of a picture, or a YUV or RGB clip whose first frame is used.
        frame: The frame of the film it belongs to. Its colours are used throughout that frame's
            scene, more the nearer in time, and by feature correspondence in scenes without a
            reference.
        scene: Instead of `frame`: the scene it belongs to, counted from 0; needs `scenes=`.
            With neither, it applies to the whole film, by feature correspondence alone.
    """

    picture: str | Path | vs.VideoNode
    frame: int | None = None
    scene: int | None = None

    @property
    def name(self) -> str:
        """Name in messages: the file's, or `clip`."""
        return "clip" if isinstance(self.picture, vs.VideoNode) else Path(self.picture).name


type Given = Reference | str | Path | vs.VideoNode


def listed(given: Given | Iterable[Given] | None) -> list[Reference]:
    """Read what a caller gave as `references=`; a path or clip that is given twice counts once.

    Args:
        given: A reference, a picture's path, a clip; several of them; or the path of a folder of
            pictures whose names end in the frame's number (`ref_000123.png`).

    Raises:
        SettingError: It is none of these, or the folder holds no such picture.
    """
    if given is None:
        return []
    if isinstance(given, Reference | str | Path | vs.VideoNode):
        given = [given]
    if not isinstance(given, Iterable):
        raise SettingError(
            f"references= is {given!r}, expected References, pictures, clips or a folder"
        )
    found = [reference for one in given for reference in _read(one)]
    return list({_identity(reference): reference for reference in found}.values())


def _identity(reference: Reference) -> tuple[object, ...]:
    picture = reference.picture
    if not isinstance(picture, vs.VideoNode):
        picture = expanded(picture).resolve()
    return picture, reference.frame, reference.scene


def _read(given: Given) -> Iterator[Reference]:
    if isinstance(given, Reference):
        yield _checked(given)
    elif isinstance(given, vs.VideoNode):
        yield Reference(given)
    elif isinstance(given, str | Path):
        path = given_path("references", given)
        yield from _folder(path) if path.is_dir() else [Reference(path)]
    else:
        raise SettingError(
            f"references= has {given!r}, expected a picture, a clip, a folder, or "
            "Reference(picture, frame=...)"
        )


def _checked(reference: Reference) -> Reference:
    """The reference, its types checked and NumPy's integers made Python's."""
    if not isinstance(reference.picture, str | Path | vs.VideoNode):
        raise SettingError(f"reference is {reference.picture!r}, expected a picture or a clip")
    numbers: dict[str, int] = {}
    for name in ("frame", "scene"):
        value = getattr(reference, name)
        if value is not None and not isinstance(value, Integral):
            raise SettingError(f"reference has {name} {value!r}, expected a whole number")
        if value is not None:
            numbers[name] = int(value)
    return replace(reference, **numbers)


def _folder(folder: Path) -> list[Reference]:
    """The pictures of a folder, whose names must end in a frame's number."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in STILL_SUFFIXES:
            number = re.search(r"(\d+)$", path.stem)
            if number is None:
                raise SettingError(
                    f"reference {path} has no frame number in its name, expected one at the end, "
                    "as in ref_000123.png"
                )
            found.append(Reference(path, frame=int(number[1])))
    if not found:
        raise SettingError(
            f"references= is {folder}, which holds no picture such as ref_000123.png"
        )
    return found


def shown(reference: Reference, width: int, height: int, colorimetry: Colorimetry) -> vs.VideoNode:
    """The reference's picture at the model's size.

    Args:
        reference: The reference.
        width: Of the model's picture.
        height: Likewise.
        colorimetry: The film's.

    Returns:
        One frame of YUV444PS whose planes are L*, a* and b* (not nominal YUV).

    Raises:
        ColourlessError: It has no colour.
        SettingError: It cannot be read.
    """
    role = f"reference {reference.name}"
    film = inspect(_opened(reference.picture)[0], role)
    if film.clip.format.color_family == vs.GRAY:
        raise ColourlessError(f"{role} is GRAY, expected a coloured picture")
    if not _has_colour(film.clip):
        raise ColourlessError(f"{role} has no colour anywhere, expected a coloured picture")
    left, top, wide, tall = _window(film, Fraction(width, height))
    # `inspect` has read the colour properties, which are applied below; the resizer rejects some.
    is_rgb = film.clip.format.color_family == vs.RGB
    said = [p for p in COLOR_PROPS if is_rgb or p != "_ChromaLocation"]
    bare = film.clip.std.RemoveFrameProps(said)
    matrix = {} if is_rgb else {"matrix_in": film.colorimetry.matrix}
    rgb = bare.resize.Bicubic(
        width,
        height,
        vs.RGBS,
        src_left=left,
        src_top=top,
        src_width=wide,
        src_height=tall,
        **matrix,
        **nodes.MITCHELL,
    )
    blank = vs.core.std.BlankClip(rgb, format=vs.YUV444PS, keep=True)

    def write_lab(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
        frame = f[0].copy()
        seen = np.stack([np.asarray(f[1][plane]) for plane in range(3)], axis=-1)
        brought = _brought(seen, film.colorimetry, colorimetry)
        lab: Array = np.asarray(lab_for_merge(brought, colorimetry), np.float32)
        for plane in range(3):
            np.copyto(np.asarray(frame[plane]), lab[..., plane])
        return frame

    return blank.std.ModifyFrame([blank, rgb], write_lab)


def _has_colour(clip: vs.VideoNode) -> bool:
    """Whether frame 0 is anything but grey."""
    small = with_matrix(clip[0]).resize.Bicubic(GLANCE, GLANCE, vs.RGBS)
    with small.get_frame(0) as frame:
        planes = np.stack([np.asarray(frame[plane]) for plane in range(3)])
    return bool((planes.max(axis=0) - planes.min(axis=0)).max() > GREY)


def _brought(rgb: Array, source: Colorimetry, target: Colorimetry) -> Array:
    """R'G'B' `[h,w,3]` converted to the target's transfer and primaries."""
    if (source.linear, source.primaries) == (target.linear, target.primaries):
        return rgb
    light = rgb if source.linear else decode_srgb(rgb)
    to_xyz = rgb_to_xyz_matrix(source.primaries)
    light = light @ np.linalg.solve(rgb_to_xyz_matrix(target.primaries), to_xyz).T
    return np.asarray(light if target.linear else encode_srgb(light), np.float32)


def _opened(picture: str | Path | vs.VideoNode) -> vs.VideoNode:
    if isinstance(picture, vs.VideoNode):
        return picture
    path = expanded(picture)
    if not path.is_file():
        raise SettingError(f"reference {path} does not exist, expected a picture")
    if path.suffix.lower() in SCRIPT_SUFFIXES:  # running it would clear the outputs of the caller's
        raise SettingError(f"reference {path} is a script, expected a picture, or its clip")
    return open_source(path).clip


def _window(film: Film, shape: Fraction) -> tuple[float, float, float, float]:
    """Left, top, width and height of the part that the model sees."""
    width, height = film.clip.width, film.clip.height
    own = width * film.pixel_aspect / height
    ratio = float(shape / own)
    if abs(ratio - 1) <= NEARLY:
        return 0, 0, width, height
    if ratio < 1:
        return (1 - ratio) * width / 2, 0, ratio * width, height
    return 0, (1 - 1 / ratio) * height / 2, width, height / ratio

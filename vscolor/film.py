"""Colorimetry and aspect of a clip: read from its first frame, every frame checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import vapoursynth as vs

from vscolor.color import Colorimetry
from vscolor.errors import SettingError

MIN_SIDE, MAX_SIDE = 16, 8192
UNSPECIFIED = 2
VOID = (0, 3)
"""Codes of transfer and primaries that H.273 reserves; the resizer rejects them."""
SRGB_TRANSFER = 13
MATRIX_OF_RGB = 1
"""RGB has no matrix of its own; its luma is computed with BT.709's weights."""
CHROMA_LOCATIONS = range(6)
COLOR_PROPS = ["_Matrix", "_Transfer", "_Primaries", "_ChromaLocation"]


@dataclass(frozen=True)
class Film:
    """A checked clip and the properties read from its first frame.

    Attributes:
        clip: The clip.
        colorimetry: How its samples encode light.
        location: `_ChromaLocation` of the chroma to be made (0 left, 1 centre, 2 top left, ...).
        pixel_aspect: Width of a pixel over its height.
    """

    clip: vs.VideoNode
    colorimetry: Colorimetry
    location: int
    pixel_aspect: Fraction


def inspect(clip: vs.VideoNode, role: str = "clip") -> Film:
    """Check a clip and read its first frame's properties.

    Args:
        clip: Constant-format YUV, GRAY or RGB, 8 to 16 bits or float, progressive.
        role: What the clip is called in messages: `clip`, `guide`, or a reference's name.

    Raises:
        SettingError: The clip cannot be coloured; the message says why and what to do.
    """
    if not isinstance(clip, vs.VideoNode):
        raise SettingError(f"{role} is {type(clip).__name__}, expected a VideoNode")
    if clip.format is None or clip.format.id == 0 or not clip.width or not clip.height:
        raise SettingError(
            f"{role} has a variable format or size, expected a constant one; resize it first"
        )
    _check_format(clip.format, role)
    if min(clip.width, clip.height) < MIN_SIDE or max(clip.width, clip.height) > MAX_SIDE:
        raise SettingError(
            f"{role} is {clip.width}x{clip.height}, "
            f"expected {MIN_SIDE}x{MIN_SIDE} to {MAX_SIDE}x{MAX_SIDE}"
        )
    return _read(clip, clip.get_frame(0).props, role)


def check_frame(film: Film, props: Mapping[str, Any]) -> None:
    """Refuse a frame whose properties differ from those the graph was built for.

    Raises:
        SettingError: The frame is interlaced, or its matrix, range, transfer, primaries, chroma
            location or pixel aspect are not the first frame's.
    """
    now = _read(film.clip, props, "frame")
    if now != film:
        raise SettingError(
            f"{_describe(now)} in mid-clip, expected {_describe(film)} as in frame 0; "
            "convert to one with resize, set the property with std.SetFrameProps if it is wrong, "
            "or treat the parts on their own"
        )


def _read(clip: vs.VideoNode, props: Mapping[str, Any], role: str) -> Film:
    """The film according to a frame's properties."""
    _check_progressive(props, role)
    return Film(
        clip,
        colorimetry=_read_colorimetry(props, clip, role),
        location=_read_location(props, clip.format.color_family, role),
        pixel_aspect=_read_pixel_aspect(props, role),
    )


def _whole(props: Mapping[str, Any], name: str, absent: int, role: str) -> int:
    """A property that is a whole number.

    Raises:
        SettingError: It is no whole number.
    """
    value = props.get(name, absent)
    if not isinstance(value, int):
        raise SettingError(f"{role} has {name} {value!r}, expected a whole number")
    return value


def _read_location(props: Mapping[str, Any], family: vs.ColorFamily, role: str) -> int:
    if family == vs.RGB:
        return 0
    location = _whole(props, "_ChromaLocation", 0, role)
    if location not in CHROMA_LOCATIONS:
        raise SettingError(f"{role} has _ChromaLocation {location}, expected 0 to 5")
    return location


def _describe(film: Film) -> str:
    c, aspect = film.colorimetry, film.pixel_aspect
    span = "full" if c.full_range else "limited"
    return (
        f"matrix {c.matrix}, transfer {c.transfer}, primaries {c.primaries}, {span} range, "
        f"chroma location {film.location}, pixel aspect {aspect.numerator}:{aspect.denominator}"
    )


def _check_format(fmt: vs.VideoFormat, role: str) -> None:
    known = fmt.color_family in (vs.YUV, vs.GRAY, vs.RGB)
    integer = fmt.sample_type == vs.INTEGER and 8 <= fmt.bits_per_sample <= 16
    floating = fmt.sample_type == vs.FLOAT and fmt.bits_per_sample in (16, 32)
    if not (known and (integer or floating)):
        raise SettingError(
            f"{role} is {fmt.name}, expected YUV, GRAY or RGB of 8 to 16 bits integer, "
            "or half or single float"
        )


def _check_progressive(props: Mapping[str, Any], role: str) -> None:
    field = _whole(props, "_FieldBased", 0, role)
    if field:
        raise SettingError(
            f"{role} is interlaced (_FieldBased {field}), expected progressive frames; deinterlace "
            "it first (bwdif.Bwdif), or std.SetFrameProps(_FieldBased=0) if the flag is wrong"
        )


def _read_colorimetry(props: Mapping[str, Any], clip: vs.VideoNode, role: str) -> Colorimetry:
    """Read the properties; absent or void ones get defaults (matrix: see `guess_matrix`)."""
    family = clip.format.color_family
    matrix = _whole(props, "_Matrix", UNSPECIFIED, role)
    if family == vs.RGB:
        matrix = MATRIX_OF_RGB
    elif matrix == UNSPECIFIED or (family == vs.GRAY and matrix == vs.MATRIX_RGB):
        matrix = guess_matrix(clip.width, clip.height)
    transfer = _whole(props, "_Transfer", UNSPECIFIED, role)
    primaries = _whole(props, "_Primaries", UNSPECIFIED, role)
    full_range = _read_full_range(props, family, role)
    try:
        return Colorimetry(
            matrix=matrix,
            transfer=SRGB_TRANSFER if transfer in VOID else transfer,
            primaries=1 if primaries in (UNSPECIFIED, *VOID) else primaries,
            full_range=full_range,
        )
    except SettingError as error:
        raise SettingError(f"{role} has {error}") from None


def _read_full_range(props: Mapping[str, Any], family: vs.ColorFamily, role: str) -> bool:
    """`_Range` 1 is full; the older `_ColorRange` 1 is limited; absent: full for RGB alone."""
    for name, full in (("_Range", 1), ("_ColorRange", 0)):
        if name in props:
            said = _whole(props, name, full, role)
            if said not in (0, 1):
                raise SettingError(f"{role} has {name} {said}, expected 0 or 1")
            return said == full
    return bool(family == vs.RGB)


def _read_pixel_aspect(props: Mapping[str, Any], role: str) -> Fraction:
    num, den = (_whole(props, name, 1, role) for name in ("_SARNum", "_SARDen"))
    return Fraction(num, den) if num > 0 and den > 0 else Fraction(1)


def with_matrix(clip: vs.VideoNode, first: int = 0) -> vs.VideoNode:
    """A clip that the core's resizer can convert to RGB, its samples untouched.

    The properties of frame `first` decide. YUV without a matrix gets the usual one for its size.
    Void codes are removed. RGB gets RGB's matrix, whatever its property is, and loses its chroma
    location. GRAY loses all colour properties: a plane taken out of RGB still has RGB's matrix,
    which the resizer refuses for GRAY.
    """
    if clip.format.color_family == vs.GRAY:
        return clip.std.RemoveFrameProps(COLOR_PROPS)
    with clip.get_frame(first) as frame:
        said = dict(frame.props)
    void = [name for name in ("_Transfer", "_Primaries") if said.get(name) in VOID]
    if void:
        clip = clip.std.RemoveFrameProps(void)
    if clip.format.color_family == vs.RGB:
        return clip.std.RemoveFrameProps("_ChromaLocation").std.SetFrameProps(_Matrix=0)
    if said.get("_Matrix", UNSPECIFIED) == UNSPECIFIED:
        return clip.std.SetFrameProps(_Matrix=guess_matrix(clip.width, clip.height))
    return clip


def yuv_of_rgb(clip: vs.VideoNode) -> vs.VideoNode:
    """RGB as float YUV 4:4:4, to be coloured and searched for cuts; other formats unchanged."""
    if clip.format.color_family != vs.RGB:
        return clip
    return with_matrix(clip).resize.Bicubic(format=vs.YUV444PS, matrix=MATRIX_OF_RGB)


def guess_matrix(width: int, height: int) -> int:
    """The usual default for an unspecified matrix: BT.601 up to 1024x576, else BT.709."""
    if width <= 1024 and height <= 576:
        return 5 if height > 486 else 6
    return 1

"""The core's side: check the clip, bring its luma down, bring ab up and merge it.

No full-size plane is ever seen by Python: everything here builds nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import vapoursynth as vs
import vsutil

from vscolor.color import (
    LINE_EXPR,
    Colorimetry,
    chroma_code_range,
    chroma_exprs,
    encoded_rgb_exprs,
    lab_f_expr,
    lightness_expr,
    luma_code_range,
    luma_to_lab_f,
)
from vscolor.errors import SettingError

MIN_SIDE, MAX_SIDE = 16, 8192
UNSPECIFIED = 2
SRGB_TRANSFER = 13
LONGEST_ASPECT = 4
LEAST_SEEN = 16
"""Shortest side of what a model sees, in pixels; below it there is no motion to be found."""

CHROMA_LOCATIONS = range(6)
# ab and luma are interpolated without overshoot: ringing in chroma shows as coloured outlines.
MITCHELL = {"filter_param_a": 1 / 3, "filter_param_b": 1 / 3}
COLOR_PROPS = ["_Matrix", "_Transfer", "_Primaries", "_ChromaLocation"]


@dataclass(frozen=True)
class Film:
    """A checked clip and what its first frame says of it.

    Attributes:
        clip: The clip.
        colorimetry: How its samples stand for light.
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
        role: What the clip is called in messages: `clip` or `guide`.

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
    """Refuse a frame that is not of the kind the graph was built for.

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
    """What a frame says of its clip."""
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
        SettingError: It is something else.
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
    """Take the frame's word, else the usual guess by resolution (see `guess_matrix`)."""
    family = clip.format.color_family
    matrix = _whole(props, "_Matrix", UNSPECIFIED, role)
    if family == vs.RGB:
        matrix = 1  # RGB has no matrix of its own; its luma is taken by BT.709's weights
    elif matrix == UNSPECIFIED or (family == vs.GRAY and matrix == vs.MATRIX_RGB):
        matrix = guess_matrix(clip.width, clip.height)
    transfer = _whole(props, "_Transfer", UNSPECIFIED, role)
    primaries = _whole(props, "_Primaries", UNSPECIFIED, role)
    full_range = _read_full_range(props, family, role)
    try:
        return Colorimetry(
            matrix=matrix,
            transfer=SRGB_TRANSFER if transfer in (0, 3) else transfer,
            primaries=1 if primaries in (0, UNSPECIFIED, 3) else primaries,
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
    """A clip that the core's resizer can make RGB of, its samples untouched.

    YUV whose frame `first` does not say its matrix gets the usual guess. RGB has no other matrix
    than its own, whatever it says, and no place of chroma. GRAY loses what it says of colour: a
    plane taken out of RGB still names RGB's, which no GRAY may have.
    """
    if clip.format.color_family == vs.GRAY:
        return clip.std.RemoveFrameProps(COLOR_PROPS)
    if clip.format.color_family == vs.RGB:
        with clip.get_frame(first) as frame:
            void = [name for name in ("_Transfer", "_Primaries") if frame.props.get(name) == 0]
        return clip.std.RemoveFrameProps(["_ChromaLocation", *void]).std.SetFrameProps(_Matrix=0)
    if clip.format.color_family == vs.YUV:
        with clip.get_frame(first) as frame:
            said = frame.props.get("_Matrix", UNSPECIFIED)
        if said == UNSPECIFIED:
            return clip.std.SetFrameProps(_Matrix=guess_matrix(clip.width, clip.height))
    return clip


def guess_matrix(width: int, height: int) -> int:
    """The usual guess for an unspecified matrix: BT.601 up to 1024x576, else BT.709."""
    if width <= 1024 and height <= 576:
        return 5 if height > 486 else 6
    return 1


def merge_format(film: Film, wanted: int | vs.VideoFormat | None) -> vs.VideoFormat:
    """Choose the YUV format chroma is made in.

    Args:
        film: The source.
        wanted: The caller's `format=`, a preset or a format; None for the rule: YUV keeps its own,
            GRAY becomes 4:2:0 of its depth, 4:4:4 where a dimension is odd. RGB is coloured as
            float 4:4:4 and keeps its own format in the end.

    Raises:
        SettingError: The format is no YUV of the source's depth (luma would have to change), or
            its subsampling does not divide the frame.
    """
    fmt, (w, h) = film.clip.format, (film.clip.width, film.clip.height)
    out = fmt if wanted is None else _as_format(wanted)
    if fmt.color_family == vs.RGB and out.id == fmt.id:
        return vs.core.get_video_format(vs.YUV444PS)
    if fmt.color_family == vs.GRAY and wanted is None:
        sub = 0 if w % 2 or h % 2 else 1
        return vs.core.query_video_format(vs.YUV, fmt.sample_type, fmt.bits_per_sample, sub, sub)
    same_depth = (out.sample_type, out.bits_per_sample) == (fmt.sample_type, fmt.bits_per_sample)
    if out.color_family != vs.YUV or fmt.color_family == vs.RGB or not same_depth:
        raise SettingError(
            f"format= is {out.name}, expected a YUV format of the clip's own depth ({fmt.name}) so "
            "that luma stays bit for bit; use resize after the filter for any other"
        )
    if w % (1 << out.subsampling_w) or h % (1 << out.subsampling_h):
        raise SettingError(f"format= is {out.name}, which a frame of {w}x{h} cannot have")
    return out


def _as_format(wanted: int | vs.VideoFormat) -> vs.VideoFormat:
    try:
        return vs.core.get_video_format(int(getattr(wanted, "id", wanted)))
    except (vs.Error, TypeError, ValueError, OverflowError):
        raise SettingError(f"format= is {wanted!r}, expected a VapourSynth format") from None


def model_size(film: Film, size: int, multiple: int) -> tuple[int, int]:
    """Height and width the model sees: the display aspect, `size` its short side.

    A strip longer than 4:1 is made smaller, so that memory stays bounded by `size`; no side
    is below `LEAST_SEEN`.
    """
    width = film.clip.width * film.pixel_aspect
    height = Fraction(film.clip.height)
    scale = min(size / min(width, height), LONGEST_ASPECT * size / max(width, height))
    least = -(-LEAST_SEEN // multiple) * multiple
    fit = (max(least, round(side * scale / multiple) * multiple) for side in (height, width))
    return next(fit), next(fit)


def luma_of(film: Film) -> vs.VideoNode:
    """The luma plane as a GRAY clip, bit for bit, with all frame properties."""
    return vsutil.get_y(film.clip)


def _bare_luma(film: Film) -> vs.VideoNode:
    """Luma for the resizer, which would trip over a colour property that GRAY cannot have."""
    return luma_of(film).std.RemoveFrameProps(COLOR_PROPS)


def model_luma(film: Film, height: int, width: int) -> vs.VideoNode:
    """Scale luma to the model's size, as L* 0..100 (GRAYS)."""
    small = _bare_luma(film).resize.Bicubic(width, height, vs.GRAYS, **MITCHELL)
    return small.std.Expr(lightness_expr(film.colorimetry.linear))


def to_yuv(film: Film) -> Film:
    """Turn an RGB film into float YUV 4:4:4, in which it is coloured; others pass."""
    if film.clip.format.color_family != vs.RGB:
        return film
    rgb = with_matrix(film.clip)
    yuv = rgb.resize.Bicubic(format=vs.YUV444PS, matrix=film.colorimetry.matrix)
    return replace(film, clip=yuv)


def from_yuv(coloured: vs.VideoNode, film: Film) -> vs.VideoNode:
    """Undo `to_yuv`, with the properties of the RGB source."""
    if film.clip.format.color_family != vs.RGB:
        return coloured
    rgb = coloured.resize.Bicubic(
        format=film.clip.format.id,
        range=vs.RANGE_FULL if film.colorimetry.full_range else vs.RANGE_LIMITED,
    )
    return rgb.std.CopyFrameProps(film.clip)


def merge(
    film: Film, seen: Film, lines: vs.VideoNode, gain: float, fmt: vs.VideoFormat
) -> vs.VideoNode:
    """Put predicted colour under the film's untouched luma.

    Args:
        film: The source, YUV or GRAY.
        seen: What the model saw: the film itself or its guide. Colour is drawn along its luma.
        lines: Colour as lines in f(Y) of `seen`, as `blocks.predict_lines` makes it.
        gain: Factor on a* and b*; 0 makes chroma exactly neutral.
        fmt: YUV format of the result, of the film's depth.
    """
    bits = fmt.bits_per_sample if fmt.sample_type == vs.INTEGER else None
    gray = vs.core.query_video_format(vs.GRAY, fmt.sample_type, fmt.bits_per_sample).id
    grid = _to_chroma_grid(film, _bare_luma(film), fmt)
    f = _lab_f(grid, film.colorimetry)
    if seen is film:
        ab = _draw_lines(film, f, lines, fmt)
    else:
        guide = _to_chroma_grid(film, _bare_luma(seen), fmt)
        ab = _draw_lines(film, _lab_f(guide, seen.colorimetry), lines, fmt)
    if gain == 0:
        # Exactly neutral, where the arithmetic would leave float chroma at 1e-8. It still asks
        # for colour, so that a frame which must be refused is.
        neutral = 0.0 if bits is None else chroma_code_range(bits, film.colorimetry.full_range)[0]
        planes = [vs.core.std.Expr([grid, *ab], f"{neutral}", gray)] * 2
    else:
        rgb = [vs.core.std.Expr([f, *ab], e) for e in encoded_rgb_exprs(film.colorimetry, gain)]
        planes = [
            vs.core.std.Expr([*rgb, grid], e, gray) for e in chroma_exprs(film.colorimetry, bits)
        ]
    return _tag(vs.core.std.ShufflePlanes([luma_of(film), *planes], [0, 0, 0], vs.YUV), film)


def add_chroma(film: Film, change: list[vs.VideoNode], gain: float) -> vs.VideoNode:
    """Add small planes to a film's chroma and leave everything else as it is.

    Args:
        film: A YUV film.
        change: For U and V, GRAYS clips of any size, in units of the nominal span (-0.5..0.5).
        gain: Factor on them.
    """
    fmt = film.clip.format
    gray = vs.core.query_video_format(vs.GRAY, fmt.sample_type, fmt.bits_per_sample).id
    integer = fmt.sample_type == vs.INTEGER
    span = chroma_code_range(fmt.bits_per_sample, film.colorimetry.full_range)[1] if integer else 1
    planes = [
        vs.core.std.Expr(
            [vsutil.plane(film.clip, p), _to_chroma_grid(film, small, fmt)],
            f"x y {gain * span!r} * +",
            gray,
        )
        for p, small in zip((1, 2), change, strict=True)
    ]
    return vs.core.std.ShufflePlanes([film.clip, *planes], [0, 0, 0], vs.YUV)


def _draw_lines(
    film: Film, f: vs.VideoNode, lines: vs.VideoNode, fmt: vs.VideoFormat
) -> list[vs.VideoNode]:
    """a* and b* on the chroma grid: the lines scaled up and evaluated at f."""
    half = lines.height // 2
    tops = [lines.std.CropAbs(lines.width, half, top=top) for top in (0, half)]
    drawn = []
    for plane in (1, 2):
        terms = [_to_chroma_grid(film, t.std.ShufflePlanes(plane, vs.GRAY), fmt) for t in tops]
        drawn.append(vs.core.std.Expr([f, *terms], LINE_EXPR))
    return drawn


def _to_chroma_grid(film: Film, clip: vs.VideoNode, fmt: vs.VideoFormat) -> vs.VideoNode:
    """Resample a GRAY clip that covers the picture to where the chroma samples lie."""
    width, height = film.clip.width >> fmt.subsampling_w, film.clip.height >> fmt.subsampling_h
    if (clip.width, clip.height) == (film.clip.width, film.clip.height) == (width, height):
        return clip
    left, top = _siting(film.location, fmt)
    return clip.resize.Bicubic(
        width,
        height,
        src_left=left * clip.width / film.clip.width,
        src_top=top * clip.height / film.clip.height,
        **MITCHELL,
    )


def _siting(location: int, fmt: vs.VideoFormat) -> tuple[float, float]:
    """How far chroma samples lie right of and below the middle of their luma samples.

    In luma samples (H.273, figure 1): at the outermost of 2^s samples on the left, top or bottom.
    """
    side_x = 0.5 - 0.5 * (1 << fmt.subsampling_w)
    side_y = 0.5 - 0.5 * (1 << fmt.subsampling_h)
    left = side_x if location in (vs.CHROMA_LEFT, vs.CHROMA_TOP_LEFT, vs.CHROMA_BOTTOM_LEFT) else 0
    if location in (vs.CHROMA_TOP, vs.CHROMA_TOP_LEFT):
        return left, side_y
    return left, -side_y if location in (vs.CHROMA_BOTTOM, vs.CHROMA_BOTTOM_LEFT) else 0


def _lab_f(luma: vs.VideoNode, colorimetry: Colorimetry) -> vs.VideoNode:
    """f(Y) of a GRAY clip as GRAYS: by table for integers, by expression for float."""
    if luma.format.sample_type == vs.FLOAT:
        return luma.std.Expr(lab_f_expr(colorimetry.linear), vs.GRAYS)
    bits = luma.format.bits_per_sample
    black, span = luma_code_range(bits, colorimetry.full_range)
    nominal = [(code - black) / span for code in range(1 << bits)]
    table = luma_to_lab_f(nominal, colorimetry.linear).tolist()
    return luma.std.Lut(lutf=table, floatout=True)


def _tag(coloured: vs.VideoNode, film: Film) -> vs.VideoNode:
    """State what the new chroma assumes where the source left it open; keep everything else."""
    fmt = coloured.format
    tags = {"_Matrix": film.colorimetry.matrix}
    if fmt.sample_type == vs.INTEGER:
        tags["_Range"] = int(film.colorimetry.full_range)
    if fmt.subsampling_w or fmt.subsampling_h:
        tags["_ChromaLocation"] = film.location
    return coloured.std.SetFrameProps(**tags)

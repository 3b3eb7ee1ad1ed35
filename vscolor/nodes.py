"""The VapourSynth graph: downscale luma, upscale ab, merge chroma.

Everything here only builds nodes: Python never sees a full-size plane.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import vapoursynth as vs
import vsutil

from vscolor.color import (
    LINEAR_EXPR,
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
from vscolor.film import COLOR_PROPS, Film, yuv_of_rgb

MAX_ASPECT = 4
MIN_MODEL_SIDE = 16
"""Least side of the model's picture, in pixels; below it optical flow cannot be found."""

# ab and luma are interpolated without overshoot: ringing in chroma shows as coloured outlines.
MITCHELL = {"filter_param_a": 1 / 3, "filter_param_b": 1 / 3}


def merge_format(film: Film, wanted: int | str | vs.VideoFormat | None) -> vs.VideoFormat:
    """Choose the YUV format chroma is made in.

    Args:
        film: The source.
        wanted: The caller's `format=`: a preset, its name, or a format; None for the default: YUV
            keeps its format, GRAY becomes 4:2:0 of its depth, or 4:4:4 if a dimension is odd. RGB
            is coloured as float 4:4:4 and converted back in the end.

    Raises:
        SettingError: The format is not YUV of the source's depth (luma would have to change), or
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


def _as_format(wanted: int | str | vs.VideoFormat) -> vs.VideoFormat:
    try:
        preset = vs.PresetVideoFormat[wanted.upper()] if isinstance(wanted, str) else wanted
        found = vs.core.get_video_format(int(getattr(preset, "id", preset)))
        if found.color_family == vs.UNDEFINED:
            raise ValueError
        return found
    except (vs.Error, KeyError, TypeError, ValueError, OverflowError):
        raise SettingError(
            f"format= is {wanted!r}, expected a VapourSynth format such as YUV444P8"
        ) from None


def model_size(film: Film, size: int, multiple: int) -> tuple[int, int]:
    """Height and width the model sees: the display aspect, `size` its short side.

    A picture longer than 4:1 is made smaller, so that memory stays bounded by `size`; no side is
    below `MIN_MODEL_SIDE`.
    """
    width = film.clip.width * film.pixel_aspect
    height = Fraction(film.clip.height)
    scale = min(size / min(width, height), MAX_ASPECT * size / max(width, height))
    least = -(-MIN_MODEL_SIDE // multiple) * multiple
    fit = (max(least, round(side * scale / multiple) * multiple) for side in (height, width))
    return next(fit), next(fit)


def luma_of(film: Film) -> vs.VideoNode:
    """The luma plane as a GRAY clip, bit for bit, with all frame properties."""
    return vsutil.get_y(film.clip)


def _bare_luma(film: Film) -> vs.VideoNode:
    """Luma for the resizer, without colour properties: it rejects some of them for GRAY."""
    return luma_of(film).std.RemoveFrameProps(COLOR_PROPS)


def model_luma(film: Film, height: int, width: int) -> vs.VideoNode:
    """Scale luma to the model's size, as L* 0..100 (GRAYS)."""
    small = _bare_luma(film).resize.Bicubic(width, height, vs.GRAYS, **MITCHELL)
    return small.std.Expr(lightness_expr(film.colorimetry.linear))


def to_yuv(film: Film) -> Film:
    """Turn an RGB film into float YUV 4:4:4, to be coloured; other formats stay unchanged."""
    return replace(film, clip=yuv_of_rgb(film.clip))


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
    film: Film, seen: Film, coefficients: vs.VideoNode, gain: float, fmt: vs.VideoFormat
) -> vs.VideoNode:
    """Put predicted colour under the film's untouched luma.

    Args:
        film: The source, YUV or GRAY.
        seen: What the model saw: the film itself or its guide. Colour follows its luma's edges.
        coefficients: Linear in f(Y) of `seen`, as `batching.predict_coefficients` returns them.
        gain: Factor on a* and b*; 0 makes chroma exactly neutral.
        fmt: YUV format of the result, of the film's depth.
    """
    bits = fmt.bits_per_sample if fmt.sample_type == vs.INTEGER else None
    gray = vs.core.query_video_format(vs.GRAY, fmt.sample_type, fmt.bits_per_sample).id
    grid = _to_chroma_grid(film, _bare_luma(film), fmt)
    f = _lab_f(grid, film.colorimetry)
    if seen is film:
        ab = _evaluate(film, f, coefficients, fmt)
    else:
        guide = _to_chroma_grid(film, _bare_luma(seen), fmt)
        ab = _evaluate(film, _lab_f(guide, seen.colorimetry), coefficients, fmt)
    if gain == 0:
        # Exactly neutral, whereas the arithmetic would leave float chroma at 1e-8. The colour is
        # still requested, so that frames which must be refused are.
        neutral = 0.0 if bits is None else chroma_code_range(bits, film.colorimetry.full_range)[0]
        planes = [vs.core.std.Expr([grid, *ab], f"{neutral}", gray)] * 2
    else:
        rgb = [vs.core.std.Expr([f, *ab], e) for e in encoded_rgb_exprs(film.colorimetry, gain)]
        planes = [
            vs.core.std.Expr([*rgb, grid], e, gray) for e in chroma_exprs(film.colorimetry, bits)
        ]
    return _tag(vs.core.std.ShufflePlanes([luma_of(film), *planes], [0, 0, 0], vs.YUV), film)


def add_chroma(film: Film, correction: list[vs.VideoNode], gain: float) -> vs.VideoNode:
    """Add small planes, scaled up, to a film's chroma; everything else stays unchanged.

    Args:
        film: A YUV film.
        correction: For U and V, GRAYS clips of any size, in units of the nominal span (-0.5..0.5).
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
        for p, small in zip((1, 2), correction, strict=True)
    ]
    return vs.core.std.ShufflePlanes([film.clip, *planes], [0, 0, 0], vs.YUV)


def _evaluate(
    film: Film, f: vs.VideoNode, coefficients: vs.VideoNode, fmt: vs.VideoFormat
) -> list[vs.VideoNode]:
    """a* and b* on the chroma grid: the coefficients scaled up and evaluated at f."""
    half = coefficients.height // 2
    tops = [coefficients.std.CropAbs(coefficients.width, half, top=top) for top in (0, half)]
    drawn = []
    for plane in (1, 2):
        terms = [_to_chroma_grid(film, t.std.ShufflePlanes(plane, vs.GRAY), fmt) for t in tops]
        drawn.append(vs.core.std.Expr([f, *terms], LINEAR_EXPR))
    return drawn


def _to_chroma_grid(film: Film, clip: vs.VideoNode, fmt: vs.VideoFormat) -> vs.VideoNode:
    """Resample a GRAY clip that covers the picture to the positions of the chroma samples."""
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
    """How far chroma samples lie right of and below the centre of their luma samples.

    In luma samples (H.273, figure 1): left, top and bottom are the outermost of 2^s samples.
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
    """Set the properties the new chroma was made for, as some may be absent; keep all others."""
    fmt = coloured.format
    tags = {"_Matrix": film.colorimetry.matrix}
    if fmt.sample_type == vs.INTEGER:
        tags["_Range"] = int(film.colorimetry.full_range)
    if fmt.subsampling_w or fmt.subsampling_h:
        tags["_ChromaLocation"] = film.location
    return coloured.std.SetFrameProps(**tags)

"""Raw frames on a pipe to ffmpeg, each with its own presentation time.

Y4M carries neither timestamps nor RGB, so frames are sent as IVF: a header of 32 bytes, then before
each frame 12 bytes with its size and a 64-bit timestamp in any rational time base. The FourCCs are
FFmpeg's own for raw video (libavcodec/raw.c), the same in FFmpeg 5 to 9.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import vapoursynth as vs

DEPTHS: Final = (9, 10, 12, 14, 16)
MAX_SIDE: Final = 0xFFFF


class Sink(Protocol):
    """Anything bytes can be written to."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Write all of `data`."""
        ...


@dataclass(frozen=True)
class Layout:
    """A pixel format as VapourSynth and FFmpeg both know it.

    Attributes:
        pix_fmt: FFmpeg's name.
        fourcc: FFmpeg's tag for it in raw video.
        family: Colour family.
        bits: Bits per sample, which is an integer.
        shift: Chroma subsampling, log2 of width and height.
        equals: Other FFmpeg formats that hold the same samples in another order, best first.
    """

    pix_fmt: str
    fourcc: bytes
    family: vs.ColorFamily
    bits: int
    shift: tuple[int, int]
    equals: tuple[str, ...] = ()

    @property
    def planes(self) -> tuple[int, ...]:
        """VapourSynth's plane numbers in the order FFmpeg stores them."""
        if self.family == vs.GRAY:
            return (0,)
        return (1, 2, 0) if self.family == vs.RGB else (0, 1, 2)

    @property
    def format_id(self) -> int:
        """The id `resize` takes as `format=`."""
        made = vs.core.query_video_format(self.family, vs.INTEGER, self.bits, *self.shift)
        return int(made.id)

    def matches(self, fmt: vs.VideoFormat) -> bool:
        """Whether frames of `fmt` can be written as they are."""
        return (
            fmt.sample_type == vs.INTEGER
            and fmt.color_family == self.family
            and fmt.bits_per_sample == self.bits
            and (fmt.subsampling_w, fmt.subsampling_h) == self.shift
        )


def _layouts() -> tuple[Layout, ...]:
    """Every format that VapourSynth and FFmpeg share, simplest first."""
    eight = (
        ("yuv420p", b"I420", (1, 1)),
        ("yuv422p", b"422P", (1, 0)),
        ("yuv444p", b"444P", (0, 0)),
        ("yuv440p", b"440P", (0, 1)),
        ("yuv411p", b"411P", (2, 0)),
        ("yuv410p", b"YUV9", (2, 2)),
    )
    deep = (("yuv420p", 11, (1, 1)), ("yuv422p", 10, (1, 0)), ("yuv444p", 0, (0, 0)))
    found = [Layout(name, tag, vs.YUV, 8, shift) for name, tag, shift in eight]
    for bits in DEPTHS:
        found += [
            Layout(f"{name}{bits}le", bytes((0x59, 0x33, code, bits)), vs.YUV, bits, shift)
            for name, code, shift in deep
        ]
    found.append(Layout("gray", b"Y800", vs.GRAY, 8, (0, 0)))
    found += [
        Layout(f"gray{b}le", bytes((0x59, 0x31, 0, b)), vs.GRAY, b, (0, 0), (f"gray{b}be",))
        for b in DEPTHS
    ]
    packed = ("rgb24", "bgr24", "bgr0", "rgb0")
    found.append(Layout("gbrp", b"G3\x00\x08", vs.RGB, 8, (0, 0), packed))
    found += [
        Layout(
            f"gbrp{b}le",
            bytes((0x47, 0x33, 0, b)),
            vs.RGB,
            b,
            (0, 0),
            ("rgb48le", "rgb48be") if b == DEPTHS[-1] else (),
        )
        for b in DEPTHS
    ]
    return tuple(found)


LAYOUTS: Final = _layouts()


def by_name(pix_fmt: str) -> Layout | None:
    """The layout of FFmpeg's `pix_fmt`, with or without byte order; None if there is none."""
    names = (pix_fmt, f"{pix_fmt}le")
    return next((x for x in LAYOUTS if x.pix_fmt in names or pix_fmt in x.equals), None)


def stored_name(layout: Layout, supported: Iterable[str] | None) -> str | None:
    """The format name with which an encoder stores `layout` losslessly; None if it cannot.

    Args:
        layout: Format of the frames.
        supported: FFmpeg format names the encoder accepts; None if unknown.
    """
    if supported is None:
        return layout.pix_fmt
    known = set(supported)
    return next((name for name in (layout.pix_fmt, *layout.equals) if name in known), None)


def nearest(fmt: vs.VideoFormat, supported: Iterable[str] | None) -> Layout | None:
    """The layout for an encoder that loses least of `fmt`: colour, then chroma size, then depth.

    Args:
        fmt: The clip's format, of any sample type.
        supported: FFmpeg format names the encoder accepts; None if unknown.
    """
    bits = fmt.bits_per_sample if fmt.sample_type == vs.INTEGER else DEPTHS[-1]

    def loss(layout: Layout) -> tuple[int, ...]:
        width, height = layout.shift
        family = layout.family
        coarser = max(0, width - fmt.subsampling_w) + max(0, height - fmt.subsampling_h)
        finer = max(0, fmt.subsampling_w - width) + max(0, fmt.subsampling_h - height)
        return (
            int(vs.GRAY in (family, fmt.color_family) and family != fmt.color_family),
            coarser,
            max(0, bits - layout.bits),
            int(family != fmt.color_family),
            finer,
            max(0, layout.bits - bits),
        )

    fitting = [x for x in LAYOUTS if stored_name(x, supported)]
    return min(fitting, key=loss, default=None)


def ivf_header(layout: Layout, width: int, height: int, time_base: Fraction) -> bytes:
    """The 32 bytes that open the stream.

    Args:
        layout: Pixel format of the frames.
        width: In pixels, up to `MAX_SIDE`.
        height: In pixels, up to `MAX_SIDE`.
        time_base: Seconds per tick.
    """
    rate = (time_base.denominator, time_base.numerator)
    return b"DKIF" + struct.pack("<HH4sHHIIII", 0, 32, layout.fourcc, width, height, *rate, 0, 0)


def write_planes(sink: Sink, frame: vs.VideoFrame, planes: Iterable[int]) -> None:
    """Write the samples of `planes` without the padding between rows."""
    for plane in planes:
        view = memoryview(frame[plane])
        sink.write(view.cast("B") if view.c_contiguous else view.tobytes())


def write_frame(sink: Sink, frame: vs.VideoFrame, layout: Layout, tick: int) -> None:
    """Write one frame with the timestamp `tick`, in units of the time base."""
    size = sum(memoryview(frame[plane]).nbytes for plane in layout.planes)
    sink.write(struct.pack("<Iq", size, tick))
    write_planes(sink, frame, layout.planes)

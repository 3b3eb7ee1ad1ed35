"""YUV4MPEG2, the frame stream of mjpegtools, as FFmpeg and VapourSynth write it.

A header line, then for each frame a line `FRAME` and the planes. Samples over 8 bits take two
bytes, least significant first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import vapoursynth as vs

from vscolor.errors import VscolorError

MAGIC: Final = "YUV4MPEG2"
FRAME: Final = b"FRAME"
MAX_LINE: Final = 4096
DEPTHS: Final = (9, 10, 12, 14, 16)
LEFT, CENTRE, TOP_LEFT = 0, 1, 2

_SHIFTS: Final = {"410": (2, 2), "411": (2, 0), "420": (1, 1), "422": (1, 0), "440": (0, 1)} | {
    "444": (0, 0)
}
# C420 without a suffix, or no C at all, means JPEG siting, the only one the format had at first.
_SITED: Final = {"420": CENTRE, "420jpeg": CENTRE, "420mpeg2": LEFT, "420paldv": TOP_LEFT}
_CHROMA: Final = re.compile(r"(410|411|420|422|440|444)(?:p(\d+))?|mono(\d+)?")
_FIELDS: Final = {"p": 0, "b": 1, "t": 2}
_RANGES: Final = {"LIMITED": 0, "FULL": 1}


class Y4MError(VscolorError):
    """The stream is not Y4M or is truncated, or its format is not supported."""


@dataclass(frozen=True)
class Header:
    """The parsed first line.

    Attributes:
        width: In pixels.
        height: In pixels.
        rate: Frames per second; None if unknown.
        family: `vs.GRAY` or `vs.YUV`.
        bits: Bits per sample.
        shift: Chroma subsampling, log2 of width and height.
        interlacing: The letter of `I`: p, t, b, m or ?.
        sar: Sample aspect ratio; None if unknown.
        chroma_location: As `_ChromaLocation`; None if unspecified.
        full_range: Whether samples use the full range; None if unspecified.
        comments: The `X` words that the other fields do not cover.
    """

    width: int
    height: int
    rate: Fraction | None
    family: vs.ColorFamily
    bits: int
    shift: tuple[int, int] = (0, 0)
    interlacing: str = "?"
    sar: tuple[int, int] | None = None
    chroma_location: int | None = None
    full_range: bool | None = None
    comments: tuple[str, ...] = field(default=())

    @property
    def format_id(self) -> int:
        """VapourSynth's id of the format."""
        made = vs.core.query_video_format(self.family, vs.INTEGER, self.bits, *self.shift)
        return int(made.id)

    def props(self) -> dict[str, int]:
        """The header's values as frame properties."""
        told: dict[str, int] = {}
        if self.rate:
            told |= {"_DurationNum": self.rate.denominator, "_DurationDen": self.rate.numerator}
        if self.interlacing in _FIELDS:
            told["_FieldBased"] = _FIELDS[self.interlacing]
        if self.sar:
            told |= {"_SARNum": self.sar[0], "_SARDen": self.sar[1]}
        if self.chroma_location is not None and self.family == vs.YUV:
            told["_ChromaLocation"] = self.chroma_location
        if self.full_range is not None:
            told["_Range"] = int(self.full_range)
        return told


def parse_header(line: bytes) -> Header:
    """Parse the first line, given without its line feed.

    Raises:
        Y4MError: It is no Y4M header, or describes an unsupported picture.
    """
    words = line.decode("ascii", "replace").split(" ")
    if words[0] != MAGIC:
        raise Y4MError(f"stdin starts with {line[:16]!r}, expected a Y4M stream ({MAGIC!r})")
    tags = {word[0]: word[1:] for word in words[1:] if word and word[0] != "X"}
    comments = [word[1:] for word in words[1:] if word.startswith("X")]
    chroma = tags.get("C", "420")
    family, bits, shift = _parse_chroma(chroma)
    if tags.get("I") == "m":
        raise Y4MError("the stream is of mixed interlacing, expected progressive frames")
    for side, name in zip(shift, ("W", "H"), strict=True):
        if _whole(tags, name) % (1 << side):
            raise Y4MError(
                f"the stream is {_whole(tags, 'W')}x{_whole(tags, 'H')} in {chroma}, which "
                "VapourSynth holds in even sizes alone; crop or pad it first, or send C444"
            )
    ranges = [c.partition("=")[2] for c in comments if c.startswith("COLORRANGE=")]
    return Header(
        width=_whole(tags, "W"),
        height=_whole(tags, "H"),
        rate=_ratio(tags, "F"),
        family=family,
        bits=bits,
        shift=shift,
        interlacing=tags.get("I", "?") or "?",
        sar=_pair(tags, "A"),
        chroma_location=_SITED.get(chroma),
        full_range=bool(_RANGES[ranges[0]]) if ranges and ranges[0] in _RANGES else None,
        comments=tuple(c for c in comments if not c.startswith(("COLORRANGE=", "YSCSS="))),
    )


def format_header(header: Header) -> bytes:
    """Format the first line, with its line feed.

    Raises:
        Y4MError: Y4M has no name for the format.
    """
    rate = header.rate or Fraction(0)
    words = [
        MAGIC,
        f"W{header.width}",
        f"H{header.height}",
        f"F{rate.numerator}:{rate.denominator if rate else 0}",
        f"I{header.interlacing}",
        "A{}:{}".format(*(header.sar or (0, 0))),
        f"C{_chroma_name(header)}",
    ]
    if header.bits > 8 and header.family == vs.YUV:
        words.append(f"XYSCSS={_chroma_name(header).upper()}")
    if header.full_range is not None:
        words.append("XCOLORRANGE=" + ("FULL" if header.full_range else "LIMITED"))
    words += [f"X{comment}" for comment in header.comments]
    return " ".join(words).encode() + b"\n"


def _parse_chroma(name: str) -> tuple[vs.ColorFamily, int, tuple[int, int]]:
    if name in _SITED:
        return vs.YUV, 8, _SHIFTS["420"]
    found = _CHROMA.fullmatch(name)
    bits = int((found and (found.group(2) or found.group(3))) or 8)
    if found is None or (bits != 8 and bits not in DEPTHS):
        raise Y4MError(
            f"the stream's C is {name!r}, expected 410, 411, 420, 422, 440, 444 or mono of 8, 9, "
            "10, 12, 14 or 16 bits (420jpeg, 422p10, mono16)"
        )
    if found.group(1) is None:
        return vs.GRAY, bits, (0, 0)
    return vs.YUV, bits, _SHIFTS[found.group(1)]


def _chroma_name(header: Header) -> str:
    depth = f"p{header.bits}" if header.bits > 8 else ""
    if header.family == vs.GRAY:
        return f"mono{depth[1:]}"
    name = next((n for n, shift in _SHIFTS.items() if shift == header.shift), None)
    known = header.family == vs.YUV and (header.bits == 8 or header.bits in DEPTHS)
    if name is None or not known:
        raise Y4MError(f"Y4M has no name for {header.family!r} of {header.bits} bits")
    if name == "420" and not depth:
        sited = {place: word for word, place in _SITED.items()}
        return sited.get(LEFT if header.chroma_location is None else header.chroma_location, name)
    return name + depth


def _whole(tags: dict[str, str], letter: str) -> int:
    text = tags.get(letter, "")
    if not text.isdecimal() or int(text) == 0:
        raise Y4MError(f"the stream's {letter} is {text!r}, expected a whole number of pixels")
    return int(text)


def _pair(tags: dict[str, str], letter: str) -> tuple[int, int] | None:
    text = tags.get(letter, "0:0")
    above, _, below = text.partition(":")
    if not (above.isdecimal() and below.isdecimal()):
        raise Y4MError(f"the stream's {letter} is {text!r}, expected two numbers as 4:3")
    pair = int(above), int(below)
    return pair if all(pair) else None


def _ratio(tags: dict[str, str], letter: str) -> Fraction | None:
    pair = _pair(tags, letter)
    return Fraction(*pair) if pair else None

"""A frame's colour and aspect tags, and the ffmpeg filters that write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import vapoursynth as vs

UNSPECIFIED: Final = 2


@dataclass(frozen=True)
class Tags:
    """Codes of ITU-T H.273 and the aspect ratio; None where the frame leaves them unspecified.

    Attributes:
        matrix: Matrix coefficients.
        transfer: Transfer characteristics.
        primaries: Colour primaries.
        full_range: Whether samples use the full range.
        chroma_location: 0 left, 1 centre, 2 top left and so on, as `_ChromaLocation`.
        sar: Sample aspect ratio.
    """

    matrix: int | None = None
    transfer: int | None = None
    primaries: int | None = None
    full_range: bool | None = None
    chroma_location: int | None = None
    sar: tuple[int, int] | None = None

    @classmethod
    def of(cls, frame: vs.VideoFrame) -> Self:
        """Read a frame's properties."""
        props = frame.props
        width, height = _number(props, "_SARNum"), _number(props, "_SARDen")
        return cls(
            matrix=_specified(props, "_Matrix"),
            transfer=_specified(props, "_Transfer"),
            primaries=_specified(props, "_Primaries"),
            full_range=_full_range(props),
            chroma_location=_number(props, "_ChromaLocation"),
            sar=(width, height) if width and height else None,
        )

    def filters(self) -> str:
        """An ffmpeg filter chain that sets the tags on raw frames; empty if there are none."""
        words = {
            "range": None if self.full_range is None else ("tv", "pc")[self.full_range],
            "color_primaries": self.primaries,
            "color_trc": self.transfer,
            "colorspace": self.matrix,
        }
        said = ":".join(f"{key}={word}" for key, word in words.items() if word is not None)
        chain = [f"setparams={said}"] if said else []
        if self.sar is not None:
            chain.append(f"setsar={self.sar[0]}/{self.sar[1]}")
        return ",".join(chain)


def _number(props: Mapping[str, object], name: str) -> int | None:
    value = props.get(name)
    return int(value) if isinstance(value, int) else None


def _specified(props: Mapping[str, object], name: str) -> int | None:
    value = _number(props, name)
    return None if value == UNSPECIFIED else value


def _full_range(props: Mapping[str, object]) -> bool | None:
    """`_Range` 1 is full; the older `_ColorRange` 1 is limited."""
    now = _number(props, "_Range")
    if now is not None:
        return now == 1 if now in (0, 1) else None
    # Reading the older one makes VapourSynth warn, so it is read only where it exists.
    before = _number(props, "_ColorRange") if "_ColorRange" in props else None
    return None if before is None else before == 0

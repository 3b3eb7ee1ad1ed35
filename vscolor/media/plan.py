"""Plans an encode before the first frame is made.

Format, tags, streams and times are chosen here and tried on one black frame, so that whatever
ffmpeg, the encoder or the container would refuse is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import vapoursynth as vs

from vscolor import files
from vscolor.errors import SettingError
from vscolor.film import with_matrix
from vscolor.media import ffmpeg, rawvideo, streams
from vscolor.media.encode import Job
from vscolor.media.ffmpeg import FfmpegError
from vscolor.media.rawvideo import Layout
from vscolor.media.source import Source, is_still, is_still_series, numbered
from vscolor.media.streams import MATROSKA, MP4, Copy
from vscolor.media.tags import Tags
from vscolor.media.timing import Timeline, microseconds_down

ALIASES: Final = {
    "h264": "libx264",
    "x264": "libx264",
    "h265": "libx265",
    "hevc": "libx265",
    "x265": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
}
DEFAULT_CODECS: Final = {".webm": "libvpx-vp9"}
# About visually lossless at normal viewing distance.
DEFAULT_CRF: Final = {
    "libx264": 16.0,
    "libx265": 18.0,
    "libvpx-vp9": 22.0,
    "libaom-av1": 20.0,
    "libsvtav1": 20.0,
}
# Encoders whose crf 0 is lossless only at 8 bits, or not at all.
LOSSLESS: Final = {"libx264": ("-qp", "0"), "libx265": ("-x265-params", "lossless=1")}
# Encoders that write limited range only with other colour tags, and filters that write it alone.
RANGE_FILTERS: Final = {"libx264": "h264_metadata", "libx265": "hevc_metadata"}
STILL_CODECS: Final = {
    ".png": "png",
    ".bmp": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "mjpeg",
    ".jpeg": "mjpeg",
}
MPEG_TS: Final = (".ts", ".m2ts", ".mts")
MATRIX_601: Final = 5
RANGELESS: Final = frozenset(
    {"mpeg1video", "mpeg2video", "mpeg4", "msmpeg4", "prores", "prores_aw", "prores_ks"}
)
"""Encoders whose streams cannot signal full range: players assume limited."""


@dataclass(frozen=True)
class Settings:
    """How to encode.

    Attributes:
        codec: An ffmpeg encoder or a name in `ALIASES`; default: by the file's suffix.
        crf: Quality; default: `DEFAULT_CRF`. 0 is lossless with x264 and x265.
        preset: Encoder preset; default: the encoder's own.
        pix_fmt: FFmpeg's name of the pixel format; default: the nearest the encoder accepts.
        extra: More arguments for the encoder, as ffmpeg takes them.
        copy: Which streams of the source are copied.
        overwrite: Whether an existing file may be replaced.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    extra: tuple[str, ...] = ()
    copy: Copy = Copy.ALL
    overwrite: bool = False


def plan(
    clip: vs.VideoNode,
    source: Source,
    target: Path,
    settings: Settings,
    span: range,
    *,
    read: Iterable[Path] = (),
    series: bool | None = None,
) -> Job:
    """Settle format, tags, streams and times, and try them on one black frame.

    Args:
        clip: The coloured clip, as long as the source.
        source: Where times, tags and other streams come from.
        target: A video file, a picture, or a pattern such as `out_%04d.png`.
        settings: How to encode.
        span: Which frames to write.
        read: Files read besides the source, which the target must not replace.
        series: Whether the target is a pattern of pictures; None: decided by its name.

    Raises:
        SettingError: The settings contradict each other or the target.
        FfmpegError: ffmpeg, the encoder or the container refuses.
        vapoursynth.Error: The first frame cannot be made.
    """
    is_series = is_still_series(target) if series is None else series
    first = _first_number(source, span) if is_series else None
    _check_target(source, target, settings, span, first=first, read=read)
    codec = _codec(target, settings)
    _check_quality(codec, settings)
    layout, stored, notices = _choose_layout(clip, target, codec, settings)
    written = _convert(clip, layout, codec, span.start)
    if _loses_full_range(clip, layout, codec, span.start):
        notices.append(f"{codec} cannot signal full range: written as limited")
    tags = _tags(written, source.clip, span.start)
    picture = (
        *("-c:v:0", codec, *_quality(codec, settings, source.timeline)),
        *_tag_arguments(tags, codec),
        *(("-tag:v:0", "hvc1") if _is_apples(target, codec) else ()),
        *("-pix_fmt", stored, *settings.extra),
    )
    _try_out(written, layout, target, picture)
    mapping = streams.map_streams(source.container, target, settings.copy, cut=span.start > 0)
    silent = source.is_script and source.container is None and settings.copy != Copy.NONE
    if silent and not is_still(target):
        notices.append("a script has no sound: --streams-from FILE takes along that of its film")
    if first is not None:
        following = numbered(target, first + len(span))
        if following.exists():
            notices.append(f"{following.name} and what follows it remain from an earlier run")
    unsaid = tags.full_range is None and target.suffix.lower() in MATROSKA
    return Job(
        clip=written[span.start : span.stop],
        layout=layout,
        timeline=source.timeline,
        first=span.start,
        outputs=(
            *(*mapping.words, *picture, *_clock(source, target, span), *_muxing(target, first)),
            *(("-write_crc32", "0") if unsaid else ()),
        ),
        target=target,
        numbered=first,
        mapping=mapping,
        overwrite=settings.overwrite,
        forget_range=unsaid,
        notices=tuple(filter(None, (source.timeline.note, *notices, *mapping.remarks))),
    )


def _first_number(source: Source, span: range) -> int:
    """Number of a series' first still: the source's number if it is a series too, else 1."""
    return 1 if source.first_number is None else source.first_number + span.start


def _check_target(
    source: Source,
    target: Path,
    settings: Settings,
    span: range,
    *,
    first: int | None,
    read: Iterable[Path],
) -> None:
    """Refuse a bad span, a target that cannot be written, and files in the way."""
    length = source.clip.num_frames
    if not 0 <= span.start < span.stop <= length:
        raise SettingError(
            f"--start and --end give frames {span.start} to {span.stop}, expected an order within "
            f"0 to {length}"
        )
    if not target.parent.is_dir():
        raise SettingError(f"{target.parent} is not a folder to write in")
    if target.exists() and source.path.exists() and target.samefile(source.path):
        raise SettingError(f"output {target} is the input; expected another name")
    if is_still(target) and first is None and len(span) > 1:
        raise SettingError(
            f"{target} is one picture for {len(span)} frames; expected a pattern such "
            f"as {target.stem}_%04d{target.suffix}, or a video file"
        )
    taken = [name for name in _written(target, span, first) if name.exists()]
    files.refuse_existing(next(iter(taken), None), settings.overwrite)
    files.refuse_twins(taken, [*source.files, *read])


def _written(target: Path, span: range, first: int | None) -> list[Path]:
    """The files that will be written, numbered from `first` if they are a series."""
    if first is None:
        return [target]
    return [numbered(target, number) for number in range(first, first + len(span))]


def _codec(target: Path, settings: Settings) -> str:
    """The ffmpeg encoder to use."""
    if is_still(target):
        if settings.codec is not None:
            raise SettingError(f"--codec is for video, got it with the picture {target}")
        return STILL_CODECS[target.suffix.lower()]
    named = settings.codec or DEFAULT_CODECS.get(target.suffix.lower(), "libx264")
    return ALIASES.get(named, named)


def _check_quality(codec: str, settings: Settings) -> None:
    """Refuse --crf or --preset if the encoder has none: ffmpeg would ignore it."""
    for option, given in (("crf", settings.crf), ("preset", settings.preset)):
        if given is not None and option not in ffmpeg.encoder_options(codec):
            raise SettingError(
                f"--{option} is {given}, but codec {codec} has none; --encoder-args takes its own"
            )


def _choose_layout(
    clip: vs.VideoNode, target: Path, codec: str, settings: Settings
) -> tuple[Layout, str, list[str]]:
    """The format to write frames in, the encoder's name for it, and notices of conversions."""
    supported = _supported(target, codec)
    is_grey = clip.format.color_family == vs.GRAY
    if settings.pix_fmt is not None:
        layout = rawvideo.by_name(settings.pix_fmt)
        stored = rawvideo.stored_name(layout, supported) if layout else None
        if layout is None or stored is None or (layout.family == vs.GRAY and not is_grey):
            raise SettingError(
                f"--pix-fmt is {settings.pix_fmt!r}, expected one that {codec} takes in colour: "
                + ", ".join(_offers(supported, is_grey))
            )
        return layout, stored, []
    nearest = rawvideo.nearest(clip.format, supported)
    stored = rawvideo.stored_name(nearest, supported) if nearest else None
    if nearest is None or stored is None:
        raise SettingError(f"codec {codec} takes no format this program writes")
    if nearest.family == vs.GRAY and clip.format.color_family != vs.GRAY:
        raise SettingError(f"codec {codec} takes no colour that this program writes")
    if nearest.matches(clip.format) or is_still(target):
        return nearest, stored, []
    notice = f"{codec} does not take {clip.format.name}: written as {stored}"
    if clip.format.color_family == vs.RGB and nearest.family == vs.YUV:
        notice += "; more players take --pix-fmt yuv420p"
    return nearest, stored, [notice]


def _supported(target: Path, codec: str) -> tuple[str, ...] | None:
    """Formats an encoder accepts whose files are shown correctly; None if it lists none."""
    formats = ffmpeg.encoder_formats(codec)
    if formats is None or not is_still(target):
        return formats
    # Readers mistake YUV in TIFF for RGB or refuse it; JPEG is full range by its standard.
    wanted = "yuvj" if codec == "mjpeg" else "rgb"
    kept = [name for name in formats if name.startswith(wanted) or name == "bgr24"]
    return tuple(name.replace("yuvj", "yuv") for name in kept)


def _offers(supported: Sequence[str] | None, grey: bool) -> list[str]:
    layouts = (x for x in rawvideo.LAYOUTS if grey or x.family != vs.GRAY)
    return [x.pix_fmt for x in layouts if rawvideo.stored_name(x, supported)]


def _convert(clip: vs.VideoNode, layout: Layout, codec: str, first: int) -> vs.VideoNode:
    """Convert the clip to the format to be written; samples that already fit are unchanged.

    Args:
        clip: The clip to write.
        layout: The format to write.
        codec: The encoder.
        first: The first frame to write, the only one whose properties are read.
    """
    wanted: dict[str, int | str] = {"format": layout.format_id}
    props = clip.get_frame(first).props
    if codec == "mjpeg" and not (props.get("_Range") == 1 and props.get("_Matrix") in (5, 6)):
        wanted |= {"range": 1, "matrix": MATRIX_601}
    elif layout.family == vs.YUV and clip.format.color_family == vs.RGB:
        wanted |= {"range": 0, "matrix": 1}
    elif layout.family == vs.RGB:
        wanted |= {"range": 1}
    elif _loses_full_range(clip, layout, codec, first):
        wanted |= {"range": 0}
    if vs.RGB in (layout.family, clip.format.color_family):
        clip = with_matrix(clip, first)
    if layout.bits < clip.format.bits_per_sample:
        wanted["dither_type"] = "error_diffusion"
    return clip.resize.Spline36(**wanted)


def _loses_full_range(clip: vs.VideoNode, layout: Layout, codec: str, first: int) -> bool:
    """Whether full-range YUV would be taken for limited in the new file."""
    if codec not in RANGELESS or {layout.family, clip.format.color_family} != {vs.YUV}:
        return False
    return bool(Tags.of(clip.get_frame(first)).full_range)


def _tags(written: vs.VideoNode, original: vs.VideoNode, first: int) -> Tags:
    """The source's tags where YUV stays YUV, else those of the written clip.

    Grey sources keep transfer and primaries. A tag that the source lacks stays out of the new file,
    so that players guess the same for both.
    """
    new = Tags.of(written.get_frame(first))
    if vs.RGB in (written.format.color_family, original.format.color_family):
        return new
    old = Tags.of(original.get_frame(first))
    if original.format.color_family == vs.GRAY:
        return replace(new, transfer=old.transfer, primaries=old.primaries)
    if new.matrix == MATRIX_601 and new.full_range and not old.full_range:
        return new  # converted for JPEG
    if old.full_range and not new.full_range:
        old = replace(old, full_range=new.full_range)  # converted: no tag for full range
    if written.format.subsampling_w == original.format.subsampling_w:
        return replace(old, sar=new.sar)
    return replace(old, sar=new.sar, chroma_location=new.chroma_location)


def _tag_arguments(tags: Tags, codec: str) -> tuple[str, ...]:
    """Arguments that put the tags on the encoded stream."""
    chain = tags.filters()
    words = ["-filter:v:0", chain] if chain else []
    if tags.full_range is not None:
        # Recent ffmpeg converts full range for encoders that do not ask for it: FFV1, ProRes.
        words += ["-color_range:v:0", ("tv", "pc")[tags.full_range]]
    if tags.chroma_location is not None:
        # FFmpeg counts from 1, 0 being unspecified.
        words += ["-chroma_sample_location:v:0", str(tags.chroma_location + 1)]
    colourless = (tags.matrix, tags.transfer, tags.primaries) == (None, None, None)
    if tags.full_range is False and colourless and codec in RANGE_FILTERS:
        words += ["-bsf:v:0", f"{RANGE_FILTERS[codec]}=video_full_range_flag=0"]
    return tuple(words)


def _is_apples(target: Path, codec: str) -> bool:
    """Whether this is H.265 in MP4: Apple's players expect the tag `hvc1`, not ffmpeg's default."""
    return target.suffix.lower() in MP4 and ("265" in codec or codec.startswith("hevc"))


def _quality(codec: str, settings: Settings, timeline: Timeline) -> tuple[str, ...]:
    """Arguments for quality and speed."""
    crf = DEFAULT_CRF.get(codec) if settings.crf is None else settings.crf
    words: list[str] = []
    if crf == 0 and codec in LOSSLESS:
        words += LOSSLESS[codec]
    elif crf is not None:
        words += ["-crf:v:0", f"{crf:g}"]
        words += ["-b:v:0", "0"] if codec.startswith("libvpx") else []
    if settings.preset is not None:
        words += ["-preset:v:0", settings.preset]
    if codec == "mjpeg":
        words += ["-q:v:0", "1", "-qmin:v:0", "1"]
    if codec == "libx264" and not timeline.constant and timeline.rate:
        # ffmpeg passes the time base as the rate, so x264 would declare a far too high level.
        mean = timeline.rate.limit_denominator(1001)
        words += ["-x264-params", f"fps={mean.numerator}/{mean.denominator}"]
    return tuple(words)


def _clock(source: Source, target: Path, span: range) -> tuple[str, ...]:
    """Arguments that cut all streams at the span and keep the source's times."""
    base = source.timeline.time_base
    words = ["-fps_mode:v:0", "passthrough"]
    words += ["-enc_time_base:v:0", f"{base.numerator}:{base.denominator}"]
    begin, end = source.timeline.seconds(span.start), source.timeline.seconds(span.stop)
    if span.start > 0 and begin is not None:
        words += ["-ss", microseconds_down(begin)]
    if span.stop < source.clip.num_frames and end is not None:
        words += ["-to", microseconds_down(end)]
    if target.suffix.lower() in MATROSKA:
        # Audio may begin a few milliseconds before zero; shifting all by that would move the film.
        words += ["-avoid_negative_ts", "disabled"]
        if span.start == 0 and begin is not None and begin < 0:
            words += ["-output_ts_offset", microseconds_down(-begin + Fraction(1, 10**6))]
    if target.suffix.lower() in MPEG_TS:
        words += ["-mpegts_copyts", "1"]  # else 1.4 s are added
    return tuple(words)


def _muxing(target: Path, first: int | None) -> tuple[str, ...]:
    """Muxer arguments for stills; none for video."""
    if first is not None:
        return ("-f", "image2", "-start_number", str(first))
    return ("-f", "image2", "-update", "1") if is_still(target) else ()


def _try_out(clip: vs.VideoNode, layout: Layout, target: Path, picture: Sequence[str]) -> None:
    """Encode one black frame with the same settings, so that bad ones fail early."""
    size = f"{clip.width}x{clip.height}"
    black = f"color=black:s={size}:r=25:d=0.04,format={layout.pix_fmt}"
    place = files.trial_name(target)
    try:
        done = ffmpeg.run(
            *("-v", "error", "-y", "-f", "lavfi", "-i", black, "-frames:v", "1"),
            *picture,
            *_muxing(target, None),
            str(place),
        )
    finally:
        place.unlink(missing_ok=True)
    if done.returncode or not place.parent.is_dir():
        raise FfmpegError(f"ffmpeg refuses to write {target}: {ffmpeg.cause_of(done.stderr)}")

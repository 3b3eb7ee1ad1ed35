"""Metrics in VapourSynth: frames of clips as views, and metrics as frame properties."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import vapoursynth as vs
import vsutil

from vscolor import memory
from vscolor.arguments import read_cuts
from vscolor.errors import MeasureError, SettingError, VscolorError
from vscolor.film import guess_matrix, with_matrix
from vscolor.metrics.meters import Metric, chosen
from vscolor.metrics.temporal import FlowFinder, Motion, Tracker, find_backward_flow, find_flow
from vscolor.metrics.views import Sample, View
from vscolor.scenes import mark_detected, mark_listed, shift, starts_scene

PREFIX: Final = "vscolor_"
MIN_SIDE, MAX_SIDE = 16, 8192


@dataclass(frozen=True)
class Requirements:
    """Inputs that a set of metrics needs.

    Attributes:
        lab: Lab of each frame.
        motion: Optical flow of the source.
        luma: Luma as the clips hold it.
    """

    lab: bool
    motion: bool
    luma: bool

    @classmethod
    def of(cls, metrics: Iterable[Metric]) -> Requirements:
        """The inputs that several metrics need together."""
        wanted = list(metrics)
        return cls(*(any(getattr(m, k) for m in wanted) for k in ("lab", "motion", "luma")))


def check_pair(result: vs.VideoNode, truth: vs.VideoNode | None, need: Requirements) -> None:
    """Refuse clips that cannot be measured.

    Raises:
        MeasureError: An argument is no clip; a clip is variable, too small or too large; the two
            differ in length or size; or luma is to be compared and they differ in depth or are RGB.
    """
    for role, clip in (("result", result), ("truth", truth)):
        if clip is None:
            continue
        if not isinstance(clip, vs.VideoNode):
            raise MeasureError(f"{role} is {type(clip).__name__}, expected a VideoNode")
        if clip.format is None or clip.format.id == 0 or not clip.width or not clip.height:
            raise MeasureError(f"{role} has a variable format or size, expected a constant one")
        sides = (clip.width, clip.height)
        if min(sides) < MIN_SIDE or max(sides) > MAX_SIDE:
            raise MeasureError(
                f"{role} is {clip.width}x{clip.height}, "
                f"expected {MIN_SIDE}x{MIN_SIDE} to {MAX_SIDE}x{MAX_SIDE}"
            )
    if truth is None:
        return
    if result.num_frames != truth.num_frames:
        raise MeasureError(
            f"result has {result.num_frames} frames and truth {truth.num_frames}, "
            "expected as many of each"
        )
    if (result.width, result.height) != (truth.width, truth.height):
        raise MeasureError(
            f"result is {result.width}x{result.height} and truth {truth.width}x{truth.height}, "
            "expected one size"
        )
    if need.luma and not same_luma(result, truth):
        raise MeasureError(
            f"result is {result.format.name} and truth {truth.format.name}, expected YUV or GRAY "
            "of one depth to compare luma"
        )


def same_luma(first: vs.VideoNode, second: vs.VideoNode) -> bool:
    """Whether the luma of two clips can be compared sample by sample."""
    kinds = [
        (c.format.sample_type, c.format.bits_per_sample)
        for c in (first, second)
        if c.format.color_family != vs.RGB
    ]
    return len(kinds) == 2 and kinds[0] == kinds[1]


def scaled(clip: vs.VideoNode, short_side: int | None) -> vs.VideoNode:
    """A clip scaled down to a short side, in its own format; never scaled up."""
    if short_side is None or short_side >= min(clip.width, clip.height):
        return clip
    scale = short_side / min(clip.width, clip.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (clip.width, clip.height))
    return clip.resize.Bicubic(width, height)


def to_rgb(clip: vs.VideoNode, format_id: int) -> vs.VideoNode:
    """A clip as integer RGB, by its own matrix or the usual guess."""
    return with_matrix(clip).resize.Bicubic(format=format_id)


def to_luma(clip: vs.VideoNode) -> vs.VideoNode:
    """A clip's luma in 8 bits, on which optical flow is computed."""
    wanted = {"matrix": guess_matrix(clip.width, clip.height)}
    options = wanted if clip.format.color_family == vs.RGB else {}
    return with_matrix(clip).resize.Bicubic(format=vs.GRAY8, **options)


def nodes_of(clip: vs.VideoNode, need: Requirements) -> list[vs.VideoNode]:
    """The clips of which `view_of` takes one frame each."""
    nodes = [to_rgb(clip, vs.RGB24)]
    if need.lab:
        nodes.append(to_rgb(clip, vs.RGB48))
    if need.luma:
        nodes.append(vsutil.get_y(clip))
    return nodes


def view_of(frames: Sequence[vs.VideoFrame], need: Requirements) -> View:
    """A view of the frames of `nodes_of`, its pixels copied."""
    rest = iter(frames)
    rgb8 = _packed(next(rest))
    rgb16 = _packed(next(rest)) if need.lab else None
    luma = np.array(next(rest)[0]) if need.luma else None
    if luma is not None and luma.dtype.kind == "f" and not np.isfinite(luma).all():
        raise MeasureError("luma holds NaN or infinity, expected finite samples")
    return View(rgb8, rgb16, luma)


def _packed(frame: vs.VideoFrame) -> Any:
    """The planes of an RGB frame as one array `[h,w,3]`."""
    return np.stack([np.asarray(frame[p]) for p in range(3)], axis=-1)


def views(clip: vs.VideoNode, need: Requirements) -> Iterator[View]:
    """Views of all frames in order."""
    for frames in together(nodes_of(clip, need)):
        yield view_of(frames, need)


def together(nodes: Sequence[vs.VideoNode]) -> Iterator[list[vs.VideoFrame]]:
    """Frames of clips of the same length, in step, prefetched."""
    streams = [node.frames(close=True) for node in nodes]
    try:
        for row in zip(*streams, strict=True):
            memory.tidy()
            yield list(row)
    finally:
        for stream in streams:
            stream.close()


def marked(clip: vs.VideoNode, cuts: Iterable[int] | None) -> vs.VideoNode:
    """A clip with its cuts as properties: the given ones, or detected ones."""
    return mark_detected(clip) if cuts is None else mark_listed(clip, cuts)


def samples(
    results: Sequence[vs.VideoNode],
    truth: vs.VideoNode | None,
    source: vs.VideoNode,
    need: Requirements,
    *,
    cuts: Iterable[int] | None = None,
    far: bool = False,
    find: FlowFinder = find_flow,
) -> Iterator[list[Sample]]:
    """Read several results together: for each frame, a `Sample` of each result.

    Optical flow is computed once, whatever the number of results.

    Args:
        results: The clips to measure, of the same length and size.
        truth: The true clip.
        source: The clip on whose luma flow and cuts are found.
        need: Inputs that the metrics need.
        cuts: First frames of scenes; default: they are detected.
        far: Whether flow to each scene's first frame is needed too.
        find: Estimates flow.
    """
    clips = [*results, *([] if truth is None else [truth])]
    groups = [nodes_of(clip, need) for clip in clips]
    grey = to_luma(source)
    rows = together([marked(grey, cuts), *(node for group in groups for node in group)])
    tracker = Tracker(find, far)
    for n, (flags, *frames) in enumerate(rows):
        cut = starts_scene(n, flags)
        motion = tracker.add(np.array(flags[0]), cut) if need.motion else None
        size = len(frames) // len(clips)
        seen = [view_of(frames[i : i + size], need) for i in range(0, len(frames), size)]
        true = seen.pop() if truth is not None else None
        yield [Sample(cut, view, true, motion) for view in seen]


def write_metrics(
    clip: vs.VideoNode,
    truth: vs.VideoNode | None = None,
    metrics: Sequence[str] = ("psnr", "ssim"),
    *,
    scenes: Iterable[int] | str | Path | None = None,
) -> vs.VideoNode:
    """Write metrics as frame properties: `vscolor_psnr`, `vscolor_ssim`, ...

    The picture is passed through. A frame's numbers depend only on it and the four frames before
    and, if cuts are detected, on the few frames around these that the detector reads, in whatever
    order frames are requested. A number that a frame does not have (the warp error of a scene's
    first frame) is not written.

    Args:
        clip: The result, of constant format.
        truth: The true clip, of the same length and size; for metrics that compare.
        metrics: Names of `vscolor.metrics.meters.METRICS`; properties are named by their columns.
        scenes: First frames of scenes, or the path of a list; default: they are detected.

    Returns:
        The clip with the properties.

    Raises:
        vapoursynth.Error: An argument cannot be used, or a requested frame cannot be measured.
    """
    try:
        wanted = chosen(metrics, truth is not None)
        need = Requirements.of(wanted.values())
        if not isinstance(clip, vs.VideoNode):
            raise SettingError(f"clip is {type(clip).__name__}, expected a VideoNode")
        check_pair(clip, truth, need)
        cuts = read_cuts(scenes, clip.num_frames)
        grey = marked(to_luma(clip if truth is None else truth), cuts)
    except VscolorError as error:
        raise vs.Error(f"write_metrics: {error}") from error
    pair = [clip] if truth is None else [clip, truth]
    nodes = [grey, *(node for each in pair for node in nodes_of(each, need))]
    reach = max(metric.reach for metric in wanted.values())
    window = [shift(node, d) for d in range(-reach, 1) for node in nodes]
    width = len(nodes)

    def write(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        steps = [f[1 + i : 1 + i + width] for i in range(0, len(f) - 1, width)]
        try:
            row = _measured(n, steps[max(0, reach - n) :], wanted, need, truth is not None)
        except VscolorError as error:
            raise vs.Error(f"write_metrics: frame {n}: {error}") from error
        memory.tidy()
        frame = f[0].copy()
        for name, value in row.items():
            if not math.isnan(value):
                frame.props[PREFIX + name] = value
        return frame

    return clip.std.ModifyFrame([clip, *window], write)


def _measured(
    n: int,
    steps: list[list[vs.VideoFrame]],
    wanted: dict[str, Metric],
    need: Requirements,
    paired: bool,
) -> dict[str, float]:
    """Run fresh meters over the frames up to frame n; their numbers for the last."""
    seen = [
        _sample(n - ago, step, need, paired)
        for ago, step in zip(range(len(steps) - 1, -1, -1), steps, strict=True)
    ]
    if need.motion:
        seen[-1] = replace(seen[-1], motion=_motion(steps[-2:], seen[-1].cut))
    found: dict[str, float] = {}
    for metric in wanted.values():
        meter = metric.make()
        row = [meter.add(sample) for sample in seen[-1 - metric.reach :]][-1]
        found |= dict(zip(meter.columns, row, strict=True))
    return found


def _sample(n: int, step: list[vs.VideoFrame], need: Requirements, paired: bool) -> Sample:
    flags, *frames = step
    size = len(frames) // 2 if paired else len(frames)
    true = view_of(frames[size:], need) if paired else None
    return Sample(starts_scene(n, flags), view_of(frames[:size], need), true, Motion(None, None))


def _motion(steps: list[list[vs.VideoFrame]], cut: bool) -> Motion:
    """Flow from the last frame to the one before; none at a cut or for the first frame."""
    if cut or len(steps) < 2:
        return Motion(None, None)
    earlier, later = (np.array(flags[0]) for flags, *_ in steps)
    return Motion(find_backward_flow(earlier, later), None)

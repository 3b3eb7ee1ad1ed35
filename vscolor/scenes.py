"""Cuts: detected, read from the files of other tools, written as frame properties.

A cut is the number of the first frame of a new scene. Frame 0 starts the first scene and is not
listed.

The detector is PySceneDetect's adaptive one (a frame's change against the mean of its neighbours')
with another measure of change, because differences of pixels or histograms take flicker, flashes
and fast pans of old film for cuts: each block of the frame is searched for in the earlier frame by
normalised cross-correlation, which is invariant to brightness, contrast and motion. One minus the
best match, weighted by the block's texture, is the change, 0 to 1. The change at t is the smallest
over the pairs (frame before t, frame from t on) that are at most three apart: after a flash or
damage of one or two frames the picture returns, after a cut it does not. So a frame's verdict
depends only on the frames near it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from numbers import Integral
from pathlib import Path

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor.errors import SettingError
from vscolor.files import expanded
from vscolor.film import yuv_of_rgb

type Plane = NDArray[np.float32]

# Measured on tests/test_scenes.py's material and two dozen real clips: cuts change by 0.5 and
# more, or, between two nearly still shots of one place, by 0.2 where neighbours change by 0.001;
# the fastest pans by 0.3 with neighbours of 0.2.
CERTAIN_CHANGE = 0.42
MIN_CHANGE = 0.12
MIN_RATIO = 5.0
NEIGHBOURS = 5
SMALL_WIDTH, SMALL_HEIGHT = 128, 72
BLOCK = 24
REACH_DOWN, REACH_ACROSS = 12, 16
"""Search range in pixels, in each direction; an eighth of the width, for whip pans."""
MAX_FLASH = 2
"""Frames of a flash or of damage that are no cut."""
FLAT = 2.0
TEXTURED = 20.0
CHANGE_PROP = "_vscolor_change"
REACH_PROPS = ("_vscolor_behind", "_vscolor_ahead")


def change(earlier: Plane, later: Plane) -> float:
    """The part of `later` that is not found in `earlier`.

    Args:
        earlier: Small luma `[72,128]`, 0..255.
        later: Likewise.

    Returns:
        From 0, all of it found, to 1; 0 for a frame without texture.
    """
    import cv2

    lost = weight = 0.0
    for top, left in _block_corners():
        block = later[top : top + BLOCK, left : left + BLOCK]
        texture = min(float(block.std()), TEXTURED)
        if texture < FLAT:
            continue
        near = earlier[
            max(0, top - REACH_DOWN) : top + BLOCK + REACH_DOWN,
            max(0, left - REACH_ACROSS) : left + BLOCK + REACH_ACROSS,
        ]
        found = float(cv2.matchTemplate(near, block, cv2.TM_CCOEFF_NORMED).max())
        lost += texture * (1 - min(1.0, max(0.0, found)))
        weight += texture
    return lost / weight if weight else 0.0


def _block_corners() -> Iterator[tuple[int, int]]:
    margin = (SMALL_WIDTH % BLOCK) // 2
    for top in range(0, SMALL_HEIGHT - BLOCK + 1, BLOCK):
        for left in range(margin, SMALL_WIDTH - BLOCK + 1, BLOCK):
            yield top, left


def lasting_change(past: Sequence[Plane], coming: Sequence[Plane]) -> float:
    """The change at frame t that outlasts a flash: the smallest of all measurements.

    Args:
        past: Frames t-1, t-2 and t-3, as in `change`.
        coming: Frames t, t+1 and t+2.
    """
    least = 1.0
    for apart in range(MAX_FLASH + 1):
        for back in range(apart + 1):
            if least < MIN_CHANGE:
                return least
            least = min(least, change(past[back], coming[apart - back]))
    return least


def is_cut(changes: Sequence[float]) -> bool:
    """Decide by the lasting change of a frame and of its neighbours.

    Args:
        changes: Of the frames t-5 to t+5, t in the middle.
    """
    middle = len(changes) // 2
    now, around = changes[middle], [*changes[:middle], *changes[middle + 1 :]]
    if now >= CERTAIN_CHANGE:
        return now >= max(around[middle - 1 : middle + 1])
    return now >= MIN_CHANGE and now >= MIN_RATIO * (sum(around) / len(around))


def mark_detected(clip: vs.VideoNode) -> vs.VideoNode:
    """Detect cuts and set `_SceneChangePrev` and `_SceneChangeNext`.

    Args:
        clip: YUV or GRAY of constant format.
    """
    return _apply(clip, _detected_flags(clip))


def flags(clip: vs.VideoNode, cuts: Iterable[int] | None = None) -> vs.VideoNode:
    """A clip of tiny frames with `_SceneChangePrev`, from the first available of three sources.

    These are a list; the clip's own `_SceneChangePrev`, as scene filters set it, if frame 0 has it
    (a later frame without it begins no scene); the detector.

    Args:
        clip: YUV or GRAY of constant format.
        cuts: First frames of scenes, or None.

    Raises:
        SettingError: A cut is no frame of the clip.
    """
    if cuts is not None:
        return _listed_flags(clip, cuts)
    if "_SceneChangePrev" in clip.get_frame(0).props:
        return _own_flags(clip)
    return _detected_flags(clip)


def with_marks_of(film: vs.VideoNode, seen: vs.VideoNode) -> vs.VideoNode:
    """`seen` with the film's own `_SceneChangePrev`, if the film's frame 0 has it."""
    if "_SceneChangePrev" not in film.get_frame(0).props:
        return seen
    return seen.std.CopyFrameProps(film, props=["_SceneChangePrev"])


def _own_flags(clip: vs.VideoNode) -> vs.VideoNode:
    """A small clip with the clip's own `_SceneChangePrev`, on every frame."""
    blank = carrier(clip)

    def write(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        frame = f[0].copy()
        frame.props["_SceneChangePrev"] = int(n > 0 and starts_scene(n, f[1]))
        return frame

    return blank.std.ModifyFrame([blank, clip], write)


def starts_scene(n: int, frame: vs.VideoFrame) -> bool:
    """Whether frame n of a clip with `_SceneChangePrev` is the first of its scene."""
    return n == 0 or bool(frame.props.get("_SceneChangePrev", 0))


def _detected_flags(clip: vs.VideoNode) -> vs.VideoNode:
    """A small clip with the detector's `_SceneChangePrev`."""
    small = (
        yuv_of_rgb(clip)
        .std.ShufflePlanes(0, vs.GRAY)
        .resize.Bilinear(SMALL_WIDTH, SMALL_HEIGHT, vs.GRAY8, range=vs.RANGE_FULL)
    )
    seen = [shift(small, d) for d in range(-1 - MAX_FLASH, MAX_FLASH + 1)]
    measured = small.std.ModifyFrame([small, *seen], _write_change)
    around = [shift(measured, d) for d in range(-NEIGHBOURS, NEIGHBOURS + 1)]
    blank = carrier(clip)
    return blank.std.ModifyFrame([blank, *around], _write_cut)


def carrier(clip: vs.VideoNode) -> vs.VideoNode:
    """A clip of tiny frames, as long as another, to carry properties."""
    return vs.core.std.BlankClip(clip, 16, 16, vs.GRAY8, keep=True)


def _write_change(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
    frame = f[0].copy()
    seen = [np.array(x[0], np.float32) for x in f[1:]]
    here = MAX_FLASH + 1
    frame.props[CHANGE_PROP] = lasting_change(seen[:here][::-1], seen[here:]) if n else 0.0
    return frame


def _write_cut(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
    frame = f[0].copy()
    changes = [float(x.props[CHANGE_PROP]) for x in f[1:]]
    frame.props["_SceneChangePrev"] = int(n > 0 and is_cut(changes))
    return frame


def mark_listed(clip: vs.VideoNode, cuts: Iterable[int]) -> vs.VideoNode:
    """Set `_SceneChangePrev` and `_SceneChangeNext` from a list.

    Raises:
        SettingError: A number is no frame of the clip.
    """
    return _apply(clip, _listed_flags(clip, cuts))


def check_cuts(cuts: Iterable[int], length: int) -> tuple[int, ...]:
    """First frames of all scenes but the first, ascending, each once.

    Raises:
        SettingError: One is no frame of a clip of this length.
    """
    cuts = tuple(cuts)
    for n in cuts:
        if not isinstance(n, Integral):
            raise SettingError(f"scenes= has {n!r}, expected whole numbers of frames")
        if not 0 <= n < length:
            raise SettingError(
                f"scenes= has frame {n}, expected 0 to {length - 1}; numbers count from the first "
                "frame of the clip"
            )
    return tuple(sorted({int(n) for n in cuts if n}))


def _listed_flags(clip: vs.VideoNode, cuts: Iterable[int]) -> vs.VideoNode:
    """A small clip with a list's `_SceneChangePrev`."""
    wanted = frozenset(check_cuts(cuts, clip.num_frames))
    blank = carrier(clip)

    def write(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        frame.props["_SceneChangePrev"] = int(n > 0 and n in wanted)
        return frame

    return blank.std.ModifyFrame(blank, write)


def reach(clip: vs.VideoNode, radius: int, cuts: Iterable[int] | None = None) -> vs.VideoNode:
    """The number of frames of the same scene before and after each frame.

    Args:
        clip: YUV or GRAY of constant format.
        radius: The largest number to count.
        cuts: First frames of scenes; None for what `flags` finds.

    Returns:
        A clip of tiny frames whose properties `REACH_PROPS` are these numbers, 0 to `radius`; a
        scene ends where the clip ends.

    Raises:
        SettingError: A cut is no frame of the clip.
    """
    cut = flags(clip, cuts)
    blank = carrier(clip)

    last = clip.num_frames - 1

    def write(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        frame = f[0].copy()
        starts = [bool(x.props["_SceneChangePrev"]) for x in f[1:]]
        back, ahead = [*starts[:radius][::-1], True], [*starts[radius:], True]
        counts = (min(back.index(True), n), min(ahead.index(True), last - n))
        for prop, count in zip(REACH_PROPS, counts, strict=True):
            frame.props[prop] = count
        return frame

    near = [shift(cut, d) for d in range(1 - radius, radius + 1)]
    return blank.std.ModifyFrame([blank, *near], write)


def _apply(clip: vs.VideoNode, cuts: vs.VideoNode) -> vs.VideoNode:
    """Copy the flags of `cuts`; the frame before a cut gets `_SceneChangeNext`."""
    following = shift(cuts, 1)
    last = clip.num_frames - 1

    def write(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        frame = f[0].copy()
        frame.props["_SceneChangePrev"] = f[1].props["_SceneChangePrev"]
        frame.props["_SceneChangeNext"] = f[2].props["_SceneChangePrev"] if n < last else 0
        return frame

    return clip.std.ModifyFrame([clip, cuts, following], write)


def shift(clip: vs.VideoNode, by: int) -> vs.VideoNode:
    """Frame n + by in place of frame n; beyond the ends the first or last frame."""
    by = max(-clip.num_frames + 1, min(by, clip.num_frames - 1))
    if by < 0:
        return clip[0] * -by + clip[:by]
    return clip[by:] + clip[-1] * by if by else clip


def scenes_between(cuts: Iterable[int], length: int) -> list[range]:
    """The scenes of a clip of this length, from the first frames of all scenes but the first."""
    return [range(first, stop) for first, stop in pairwise([0, *cuts, length])]


def marked_cuts(clip: vs.VideoNode) -> Iterator[tuple[int, bool]]:
    """Iterate over a clip: each frame's number and whether `_SceneChangePrev` is set."""
    for n, frame in enumerate(clip.frames(close=True)):
        yield n, n > 0 and bool(frame.props.get("_SceneChangePrev", 0))


def read_scene_file(path: str | Path) -> tuple[int, ...]:
    """Read cuts from a file of another tool.

    Formats: x264's qpfile (`123 I -1` or `K`), a keyframe list (`# keyframe format v1`), bare
    frame numbers, PySceneDetect's CSV (whose frames count from 1), and the log of scxvid or
    XviD's first pass (a line a frame, `i` at cuts).

    Returns:
        The first frames of scenes, ascending, without frame 0.

    Raises:
        SettingError: The file cannot be read or is none of these; the message names the line.
    """
    path = expanded(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"scene file {path} cannot be read: {error}") from None
    meaningful = [line for line in lines if line.strip()]
    if not meaningful:
        return ()  # as `vscolor scenes` writes it for a film without a cut
    if any("Start Frame" in line for line in meaningful[:2]):
        found = _from_pyscenedetect(path, lines)
    elif "xvid" in meaningful[0].lower():
        found = _from_xvid(meaningful)
    else:
        found = _from_numbers(path, lines)
    return tuple(sorted({n for n in found if n > 0}))


def _from_pyscenedetect(path: Path, lines: list[str]) -> Iterator[int]:
    start = next(i for i, line in enumerate(lines) if "Start Frame" in line)
    # Spreadsheets separate by semicolons in locales with a decimal comma.
    sign = ";" if ";" in lines[start] else ","
    rows = csv.DictReader(lines[start:], skipinitialspace=True, delimiter=sign)
    if "Start Frame" not in (rows.fieldnames or ()):
        raise SettingError(
            f"scene file {path}, line {start + 1} names {rows.fieldnames}, expected a column "
            "Start Frame"
        )
    for row in rows:
        text = row["Start Frame"]
        if not (text or "").strip().isdecimal():
            raise SettingError(
                f"scene file {path}, line {start + rows.line_num} has Start Frame {text!r}, "
                "expected a frame number"
            )
        yield int(text) - 1


def _from_xvid(lines: list[str]) -> Iterator[int]:
    frames = (line for line in lines if line[:1] in "ipbs" and not line.startswith("#"))
    return (n for n, line in enumerate(frames) if line.startswith("i"))


def _from_numbers(path: Path, lines: list[str]) -> Iterator[int]:
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text or re.fullmatch(r"fps\s+[\d.]+", text):
            continue
        match = re.fullmatch(r"(\d+)(?:\s+([IiKkPpBb])(?:\s+-?\d+)?)?", text)
        if match is None:
            raise SettingError(
                f"scene file {path}, line {number} is {text[:40]!r}, expected a frame number, a "
                "line of an x264 qpfile, PySceneDetect's CSV or an scxvid log"
            )
        if (match[2] or "I") in "IKk":
            yield int(match[1])

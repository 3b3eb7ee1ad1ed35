"""Colours a folder of photographs into another folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import vapoursynth as vs

from vscolor import console, process
from vscolor.commands.treatment import Treatment
from vscolor.console import counted
from vscolor.errors import SettingError, VscolorError
from vscolor.media import encode, plan
from vscolor.media.plan import Settings
from vscolor.media.source import STILL_SUFFIXES, SourceError, is_still, open_source
from vscolor.media.streams import MATROSKA, MP4

NO_FOLDERS: Final = (*STILL_SUFFIXES, *MATROSKA, *MP4, ".avi", ".ts", ".mpg")


def convert(
    folder: Path, target: Path, treatment: Treatment, settings: Settings, *, quiet: bool = False
) -> None:
    """Treat each picture of a folder and write it under the same name into another folder.

    A picture that cannot be read or written is reported, and the rest go on. Existing results are
    kept unless `settings.overwrite`, so an interrupted run can be resumed.

    Args:
        folder: Folder to read; anything but pictures is ignored.
        target: Folder to write into; created if absent.
        treatment: What to do to each picture.
        settings: How to encode.
        quiet: Whether to print only errors.

    Raises:
        SettingError: There is no picture, the target is no other folder, or a setting is wrong.
        SourceError: Some pictures failed.
        vapoursynth.Error: The treatment fails on every picture.
    """
    found = sorted(path.name for path in _visible(folder) if is_still(path))
    if not found:
        raise SettingError(f"{folder} holds no picture")
    if target.exists() and (not target.is_dir() or target.samefile(folder)):
        raise SettingError(
            f"output {target} is a file or the folder of the pictures, expected another folder"
        )
    if not target.exists() and target.suffix.lower() in NO_FOLDERS:
        raise SettingError(f"output {target} is the name of a film, expected one for a folder")
    there = [] if settings.overwrite else [n for n in found if (target / n).exists()]
    names = [name for name in found if name not in there]
    process.limit_core_cache()
    with console.core_log(quiet):  # warnings about settings are logged only here
        _try_settings(folder, found, treatment)
    if not quiet:
        _tell_what_stays(folder, target, found, there)
    if not names:
        return
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
        console.note(f"{target}: {counted(len(names) - failed, 'picture')} in {watch}")
    if failed:
        raise SourceError(f"{failed} of {len(names)} pictures of {folder} were not coloured")


def _visible(folder: Path) -> list[Path]:
    """Entries of a folder except hidden ones (macOS puts a `._name` beside a picture)."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _tell_what_stays(
    folder: Path, target: Path, found: Sequence[str], there: Sequence[str]
) -> None:
    """Report pictures that exist already and entries that are left out."""
    if there:
        console.note(f"{target}: {counted(len(there), 'picture')} there already, left as they are")
    others = len(_visible(folder)) - len(found)
    if others > 0:
        console.note(f"{folder}: left out {counted(others, 'file or folder', 'files and folders')}")


def _try_settings(folder: Path, names: Sequence[str], treatment: Treatment) -> None:
    """Raise the treatment's first error if it fails on every readable picture."""
    failure: Exception | None = None
    for name in names:
        try:
            clip = open_source(folder / name).clip
        except SourceError:
            continue
        try:
            treatment.apply(clip)
        except (VscolorError, vs.Error) as error:
            failure = failure or error
        else:
            return
    if failure is not None:
        raise failure


def _convert_one(
    path: Path, target: Path, treatment: Treatment, settings: Settings
) -> Iterable[str]:
    """Treat and write a picture; return messages for the user."""
    source = open_source(path)
    treated = treatment.apply(source.clip)
    whole = range(source.clip.num_frames)
    read = treatment.reads
    job = plan.plan(treated, source, target, settings, whole, read=read, series=False)
    return (*job.notices, *encode.run(job, lambda _done: None))

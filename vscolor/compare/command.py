"""Runs the command `compare`, from its arguments to the page."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import vapoursynth as vs

from vscolor import console, process
from vscolor.commands import inputs
from vscolor.commands.measure import ALONE, PAIRED, MetricsRequest, settings_of
from vscolor.compare import contestants, evidence, page
from vscolor.compare.contestants import TRUE, Contestant
from vscolor.compare.evidence import Choice
from vscolor.errors import MeasureError, SettingError
from vscolor.files import atomic_write, refuse_existing
from vscolor.metrics import clips


def run(
    path: Path,
    words: Sequence[str],
    target: Path,
    *,
    truth: Path | None,
    ignore_colour: bool,
    wanted: MetricsRequest,
    choice: Choice,
    start: str | None = None,
    end: str | None = None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Compare results of a film and write the page.

    Args:
        path: The film; if it is in colour, also the truth, unless `truth` or `ignore_colour`.
        words: The results, see `contestants.gather`.
        target: An HTML file; it appears only when complete.
        truth: A film of the true colours.
        ignore_colour: Whether the film's own colour is not the truth, as in a tinted print.
        wanted: What to measure.
        choice: What to show.
        start: First frame or time to compare; default: the first frame.
        end: End frame or time, exclusive; default: the end of the film.
        overwrite: Whether an existing page may be replaced.
        quiet: Whether to print only errors.

    Raises:
        VscolorError: Input, output or settings are at fault.
        vapoursynth.Error: A frame cannot be made.
    """
    if target.suffix.lower() not in {".html", ".htm"}:
        raise SettingError(f"{target} is no page, expected a name that ends in .html")
    refuse_existing(target, overwrite)
    process.limit_core_cache()
    film = inputs.opened(path, None, quiet)
    source, span = film.clip, inputs.span_of(film, start, end)
    clips.check_pair(source, None, clips.Requirements.of([]))
    results = contestants.gather(words, source, quiet)
    true = _truth(path, source, truth, ignore_colour, quiet)
    measured = replace(wanted, metrics=metrics_of(wanted, results, true))
    with console.frames_bar("comparing", len(span), quiet) as advance:
        shown = evidence.collect(
            source, results, true, measured, choice, span=span, advance=advance
        )
    about = page.About(path.name, source, settings_of(measured))
    with atomic_write(target) as part:
        part.write_text(page.render(shown, about), encoding="utf-8")
    if not quiet:
        size = target.stat().st_size / 1e6
        console.note(f"{target}: {', '.join(shown.views)}, {size:.1f} MB")


def _truth(
    path: Path, source: vs.VideoNode, given: Path | None, ignore_colour: bool, quiet: bool
) -> Contestant | None:
    """The true colours: those given, or the source's own where it has any."""
    if given is not None:
        clip = inputs.opened(given, None, quiet).clip
        try:
            clips.check_pair(source, clip, clips.Requirements.of([]))
        except MeasureError as error:
            raise MeasureError(f"{path.name} and {given.name}: {error}") from None
        return Contestant(TRUE, clip, str(given))
    if ignore_colour or not contestants.has_colour(source):
        return None
    return Contestant(TRUE, source, f"{path}, its own colour")


def metrics_of(
    wanted: MetricsRequest, results: Sequence[Contestant], true: Contestant | None
) -> tuple[str, ...]:
    """Metrics the page needs: those requested or the default ones, and those it plots."""
    usual = [*(PAIRED if true else ALONE)]
    if true and importlib.util.find_spec("skimage"):
        usual.append("ciede2000")
    if true and wanted.size is None and all(clips.same_luma(r.clip, true.clip) for r in results):
        usual.append("luma")
    drawn = ["chroma", "warp", *(["pulsing"] if true else [])]
    return tuple(dict.fromkeys([*(wanted.metrics or usual), *drawn]))

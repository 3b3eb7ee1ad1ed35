"""Commands that evaluate results: metrics, timeline, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from vscolor.cli.options import End, Overwrite, Quiet, Source, Start, option
from vscolor.commands import measure, timeline
from vscolor.commands.measure import MetricsRequest
from vscolor.commands.tabulate import Output, Per
from vscolor.compare import command as compare
from vscolor.compare.evidence import Choice
from vscolor.errors import SettingError

WHAT: Final = "What"
WHERE: Final = "Where to"
MAX_SECONDS, MAX_STILLS = 30, 24

Metrics = Annotated[
    str,
    option(
        "Comma-separated: psnr, ssim, ciede2000, colourfulness, cdc, warp, pulsing, chroma, luma, "
        "lpips, fid. Default: psnr, ssim, colourfulness, cdc, warp, pulsing, luma; without TRUTH "
        "colourfulness, cdc, warp.",
        WHAT,
    ),
]
JudgedSize = Annotated[
    int | None,
    option(
        "Short side that everything is scaled down to first; default: the film's.", WHAT, min=11
    ),
]
Cuts = Annotated[
    Path | None,
    option("List of cuts, as for `colorize --scenes`; default: they are detected.", WHAT),
]
LpipsFile = Annotated[
    Path | None,
    option("Weight file of LPIPS's network, which turns lpips on; default: the cache's.", WHAT),
]
LpipsNet = Annotated[str, option("LPIPS's network: alex (default), vgg or squeeze.", WHAT)]
FidFile = Annotated[
    Path | None,
    option("Weight file of Inception v3, which turns fid on; default: the cache's.", WHAT),
]
Flow = Annotated[
    str,
    option(
        "Optical flow: dis (OpenCV's, default), raft (weights from the cache), or a weight "
        "file of RAFT (large).",
        WHAT,
    ),
]
Far = Annotated[
    bool,
    option("Warp error from each scene's first frame too; costs as much again.", WHAT, "--far"),
]


def metrics_command(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="The film to judge.")],
    truth: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TRUTH]", help="The film in its true colours, of the same length and size."
        ),
    ] = None,
    *,
    metrics: Metrics = "",
    per: Annotated[
        Per | None,
        option("A row for each clip, scene or frame; default: clip, in the CSV frame.", WHERE),
    ] = None,
    json: Annotated[
        Path | None, option("Write all figures to this file as JSON; - for stdout.", WHERE)
    ] = None,
    csv: Annotated[
        Path | None, option("Write the rows to this file as CSV; - for stdout.", WHERE)
    ] = None,
    size: JudgedSize = None,
    far: Far = False,
    scenes: Cuts = None,
    lpips: LpipsFile = None,
    lpips_net: LpipsNet = "alex",
    fid: FidFile = None,
    flow: Flow = "dis",
    start: Start = None,
    end: End = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure RESULT against TRUTH or on its own; print a table, write JSON or CSV."""
    wanted = MetricsRequest(names_of(metrics), size, far, scenes, lpips, lpips_net, fid, flow)
    output = Output(per, json, csv, overwrite, quiet)
    measure.run(result, truth, wanted, output, start=start, end=end)


def names_of(text: str) -> tuple[str, ...]:
    """Parse `--metrics`."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def timeline_command(
    source: Source,
    target: Annotated[Path, typer.Argument(metavar="OUT.png", help="The picture to write.")],
    *,
    scenes: Cuts = None,
    start: Start = None,
    end: End = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Plot the mean colour of IN, its steps and the cuts over time, to show flicker."""
    timeline.run(
        source, target, start=start, end=end, scenes=scenes, overwrite=overwrite, quiet=quiet
    )


def compare_command(
    source: Source,
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=RESULT]...",
            help="A film, or a model to run and perhaps a method of stabilize: ours=mini+motion. "
            "Default: mini and mini+motion.",
        ),
    ] = None,
    *,
    out: Annotated[Path, option("The page to write.", WHERE, "--out", "-o")] = Path("report.html"),
    truth: Annotated[
        Path | None, option("A film of the true colours; default: IN's own, if it has any.", WHAT)
    ] = None,
    ignore_colour: Annotated[
        bool,
        option("IN's own colour is not the truth (a tinted print).", WHAT, "--ignore-colour"),
    ] = False,
    metrics: Metrics = "",
    size: JudgedSize = None,
    far: Far = False,
    scenes: Cuts = None,
    lpips: LpipsFile = None,
    lpips_net: LpipsNet = "alex",
    flow: Flow = "dis",
    frames: Annotated[
        str, option("Stills: how many (5), or their numbers: 12,40,99.", WHERE)
    ] = "5",
    film_seconds: Annotated[
        float, option("Length of the short films; 4. 0 for none.", WHERE)
    ] = 4.0,
    film_start: Annotated[
        int | None,
        option("First frame of the films; default: where colour is least steady.", WHERE),
    ] = None,
    start: Start = None,
    end: End = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compare results of IN on one HTML page that works offline: slider, films, plots, figures."""
    wanted = MetricsRequest(
        names_of(metrics), size, far, scenes, lpips=lpips, lpips_net=lpips_net, flow=flow
    )
    compare.run(
        source,
        results or [],
        out,
        truth=truth,
        ignore_colour=ignore_colour,
        wanted=wanted,
        choice=choice_of(frames, film_seconds, film_start),
        start=start,
        end=end,
        overwrite=overwrite,
        quiet=quiet,
    )


def choice_of(frames: str, seconds: float, start: int | None) -> Choice:
    """Parse `--frames`, `--film-seconds` and `--film-start`.

    Raises:
        SettingError: `frames` is neither a number nor a list, or a value is out of range.
    """
    parts = [part.strip() for part in frames.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise SettingError(f"--frames is {frames!r}, expected a number, or numbers as 12,40,99")
    if not 0 <= seconds <= MAX_SECONDS:
        raise SettingError(f"--film-seconds is {seconds:g}, expected 0 to {MAX_SECONDS}")
    if "," in frames:
        return Choice(frames=tuple(map(int, parts)), seconds=seconds, start=start)
    if not 1 <= int(parts[0]) <= MAX_STILLS:
        raise SettingError(f"--frames is {frames}, expected 1 to {MAX_STILLS} frames")
    return Choice(int(parts[0]), seconds=seconds, start=start)

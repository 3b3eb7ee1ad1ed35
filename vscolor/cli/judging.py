"""Commands that judge: metrics, timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from vscolor import measure, timeline
from vscolor.cli.options import End, Overwrite, Quiet, Source, Start, option
from vscolor.measure import Wanted
from vscolor.tabulate import Output, Per

WHAT: Final = "What"
WHERE: Final = "Where to"

Metrics = Annotated[
    str,
    option(
        "Comma-separated: psnr, ssim, ciede2000, colourfulness, cdc, warp, pulsing, chroma, luma, "
        "lpips, fid. Default: what can be had without extras.",
        WHAT,
    ),
]
JudgedSize = Annotated[
    int | None,
    option("Short side that everything is made smaller to first; default: the film's.", WHAT),
]
Cuts = Annotated[
    Path | None,
    option("List of cuts, as `colorize --scenes` reads it; default: they are found.", WHAT),
]
LpipsFile = Annotated[
    Path | None, option("Weight file of the network LPIPS looks through; turns lpips on.", WHAT)
]
LpipsNet = Annotated[str, option("That network: alex (default), vgg or squeeze.", WHAT)]
FidFile = Annotated[Path | None, option("Weight file of Inception v3; turns fid on.", WHAT)]
RaftFile = Annotated[
    Path | None, option("Weight file of RAFT (large) for motion; default: OpenCV's DIS.", WHAT)
]
Far = Annotated[
    bool,
    option("Warp error from each scene's first frame too; costs as much again.", WHAT, "--far"),
]


def metrics_command(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="The film judged.")],
    truth: Annotated[
        Path | None,
        typer.Argument(metavar="[TRUTH]", help="The true one, as long and of the same size."),
    ] = None,
    *,
    metrics: Metrics = "",
    per: Annotated[
        Per | None,
        option("A row for each clip, scene or frame; default: clip, in the CSV frame.", WHERE),
    ] = None,
    json: Annotated[
        Path | None, option("Write everything to this file; - for stdout.", WHERE)
    ] = None,
    csv: Annotated[Path | None, option("Write rows to this file; - for stdout.", WHERE)] = None,
    size: JudgedSize = None,
    far: Far = False,
    scenes: Cuts = None,
    lpips: LpipsFile = None,
    lpips_net: LpipsNet = "alex",
    fid: FidFile = None,
    raft: RaftFile = None,
    start: Start = None,
    end: End = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure RESULT against TRUTH, or on its own: a table, JSON, CSV."""
    wanted = Wanted(names_of(metrics), size, far, scenes, lpips, lpips_net, fid, raft)
    output = Output(per, json, csv, overwrite, quiet)
    measure.run(result, truth, wanted, output, start=start, end=end)


def names_of(text: str) -> tuple[str, ...]:
    """Read `--metrics`."""
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
    """Draw the colour of IN over time, its steps and its cuts: flicker at a glance."""
    timeline.run(
        source, target, start=start, end=end, scenes=scenes, overwrite=overwrite, quiet=quiet
    )

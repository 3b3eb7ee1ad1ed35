"""Typer options shared by several commands."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vscolor.errors import SettingError
from vscolor.media.streams import Copy

LOOK: Final = "Colour"
GUIDING: Final = "History and references"
ENCODING: Final = "Encoding"


def option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    """An option in a panel of the help page, without a printed default."""
    return typer.Option(*names, help=help_text, rich_help_panel=panel, show_default=False, **more)


Model = Annotated[
    str | None,
    option("A model that `vscolor models` lists; default mini, with history mini-video.", LOOK),
]
StillModel = Annotated[
    str | None, option("A model that `vscolor models` lists; default mini.", LOOK)
]
Size = Annotated[
    int | None,
    option("Short side of the model's input, in pixels; default: the model's own.", LOOK),
]
Batch = Annotated[
    int | None, option("Frames per run of the model; default 1 on a CPU, 8 on CUDA.", LOOK)
]
Strength = Annotated[
    float, option("From 0, neutral grey, to 1, the model's colour; default 1.", LOOK)
]
Saturation = Annotated[float, option("Factor on colourfulness, 0 to 4; default 1.", LOOK)]
Temperature = Annotated[
    float | None,
    option(
        "Temperature of the annealed mean: lower takes the likeliest colour, higher the mean.", LOOK
    ),
]
EdgeAware = Annotated[
    bool,
    option(
        "Upscale colour along the film's edges (default), or by plain interpolation.",
        LOOK,
        "--edge-aware/--no-edge-aware",
    ),
]
Device = Annotated[
    str | None,
    option("cpu, cuda, cuda:N, dml, dml:N or coreml; default: the best available.", LOOK),
]
Runtime = Annotated[str | None, option("onnx or torch; default: what fits the device.", LOOK)]
Format = Annotated[
    str | None,
    option(
        "VapourSynth format of the coloured clip, such as YUV444P8; default: IN's, for grey 4:2:0.",
        LOOK,
        "--format",
    ),
]
Weights = Annotated[
    Path | None,
    option(
        "A weight file to use in place of the model's own; a folder where it has several.", LOOK
    ),
]
ModelOptions = Annotated[
    list[str] | None,
    option(
        "NAME=VALUE, a setting of the model, listed by `vscolor models show`; may be repeated.",
        LOOK,
        "--option",
        "-o",
    ),
]
History = Annotated[
    bool | None,
    option(
        "Whether each frame takes colour from the frame before; default: if references or "
        "hints are given, or the model has history.",
        GUIDING,
        "--history/--no-history",
    ),
]
References = Annotated[
    list[str] | None,
    option(
        "A coloured picture to take colours from: PICTURE for the whole film, PICTURE@FRAME for "
        "the scene of a frame, or a folder of ref_000123.png; may be repeated.",
        GUIDING,
        "--reference",
    ),
]
Hints = Annotated[
    Path | None, option("Colours at points: a JSON or CSV file of frame, x, y, rgb.", GUIDING)
]
HistoryStrength = Annotated[
    float, option("How much the frame before counts, 0 to 10; default 1.", GUIDING)
]
ReferenceStrength = Annotated[
    float, option("How much references, hints and keyframes count, 0 to 10; default 1.", GUIDING)
]
ReferenceReach = Annotated[
    str,
    option(
        "film (default): scenes without a reference take colours from those of other scenes; "
        "scene: PICTURE@FRAME is used in its own scene alone.",
        GUIDING,
    ),
]
StillStrength = Annotated[
    float,
    option(
        "How much the model's colours for the frame on its own count, 0 to 10; default 1.", GUIDING
    ),
]
Debug = Annotated[
    str | None,
    option(
        "With history: marks writes scene, keyframes and references on each frame; sources shows "
        "where its colours come from in place of the colours.",
        GUIDING,
    ),
]
FitSize = Annotated[
    int | None,
    option("Short side of the network's input, 64 to 1024; default 128.", LOOK),
]
FitDevice = Annotated[str | None, option("cpu, cuda or cuda:N; default: the best available.", LOOK)]
SteadySize = Annotated[
    int | None,
    option("Short side of the network's input, 64 to 1024; default: blind 256, dvp 128.", LOOK),
]
FitSeed = Annotated[int | None, option("dvp: random seed; default 0.", LOOK)]
Irt = Annotated[
    bool | None,
    option(
        "dvp: where a pixel jumps between two colours, keep the more frequent one (default) or "
        "their mean.",
        LOOK,
        "--irt/--no-irt",
    ),
]
WithReference = Annotated[
    bool,
    option(
        "dvp: use the authors' network and training loop, many times slower.", LOOK, "--reference"
    ),
]
Codec = Annotated[
    str | None,
    option(
        "An ffmpeg encoder, or h264, h265, av1, vp9, prores; default h264, in .webm vp9.", ENCODING
    ),
]
Crf = Annotated[
    float | None,
    option("Quality, lower is better; 0 is lossless with h264 and h265.", ENCODING, min=0, max=63),
]
Preset = Annotated[str | None, option("The encoder's speed.", ENCODING)]
PixFmt = Annotated[
    str | None, option("FFmpeg's name of the pixel format; default: the source's.", ENCODING)
]
EncoderArgs = Annotated[
    str, option('More arguments for the encoder, such as "-tune grain".', ENCODING)
]
StreamsFrom = Annotated[
    Path | None,
    option(
        "If IN is a script: a film whose sound, subtitles, chapters and times are taken over.",
        ENCODING,
    ),
]
CopyStreams = Annotated[
    Copy, option("Streams to copy from IN: all (default), audio or none.", ENCODING)
]
Start = Annotated[
    str | None,
    typer.Option(
        help="First frame (120) or time (1:02.5, 12s) to take; times count from the film's first "
        "frame.",
        show_default=False,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        help="First frame or time not to take; default: the film's end.", show_default=False
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(
        help="Rate of a numbered series, as 24 or 24000/1001; default 25.", show_default=False
    ),
]
Scenes = Annotated[
    Path | None,
    option(
        "List of cuts, at which history and steadying stop (qpfile, PySceneDetect CSV, scxvid log, "
        "numbers); default: they are detected.",
        LOOK,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", "-y", help="Replace OUT.", show_default=False)
]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="IN",
        help="A film, a picture, a numbered series (frame_%04d.png) or a script (.vpy).",
    ),
]
Target = Annotated[
    Path, typer.Argument(metavar="OUT", help="A film, a picture or a numbered series.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors only.", show_default=False)
]


def rate_of(text: str | None) -> Fraction | None:
    """Parse `--fps`."""
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise SettingError(f"--fps is {text!r}, expected a rate such as 24 or 24000/1001")
    return rate

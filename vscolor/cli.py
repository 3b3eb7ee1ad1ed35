"""The command `vscolor`: parses and calls."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
import vapoursynth as vs

from vscolor import console, convert, demo, doctor, pipe, shots
from vscolor.convert import Look, Steadiness
from vscolor.errors import SettingError, VscolorError
from vscolor.plan import Copy, Settings

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130
# The parser's own classes; typer keeps them in different places from release to release.
PARSER_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

LOOK: Final = "Colour"
ENCODING: Final = "Encoding"


def _option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, show_default=False, **more)


Model = Annotated[str, _option("A name `vscolor models` lists; default mini.", LOOK)]
Size = Annotated[int, _option("Short side of what the model sees, in pixels; default 192.", LOOK)]
Batch = Annotated[
    int | None, _option("Frames per run of the model; default 1 on a CPU, 8 on CUDA.", LOOK)
]
Strength = Annotated[float, _option("0 neutral grey to 1 the model's colour; default 1.", LOOK)]
Saturation = Annotated[float, _option("Factor on colourfulness, 0 to 4; default 1.", LOOK)]
Temperature = Annotated[float | None, _option("Of the annealed mean; lower is more decided.", LOOK)]
EdgeAware = Annotated[
    bool,
    _option(
        "Whether colour follows the film's own edges; default: it does.",
        LOOK,
        "--edge-aware/--no-edge-aware",
    ),
]
Device = Annotated[
    str | None, _option("cpu, cuda, cuda:N, dml or coreml; default: the best there is.", LOOK)
]
Runtime = Annotated[str | None, _option("onnx or torch; default: what fits the device.", LOOK)]
Format = Annotated[
    str | None,
    _option(
        "VapourSynth format of the coloured clip for grey input, such as YUV444P8.",
        LOOK,
        "--format",
    ),
]
Weights = Annotated[Path | None, _option("A weight file in place of the model's own.", LOOK)]
Codec = Annotated[
    str | None,
    _option("An ffmpeg encoder, or h264, h265, av1, vp9, prores; default h264.", ENCODING),
]
Crf = Annotated[
    float | None, _option("Quality, lower is better; 0 is lossless with h264 and h265.", ENCODING)
]
Preset = Annotated[str | None, _option("The encoder's speed.", ENCODING)]
PixFmt = Annotated[
    str | None, _option("FFmpeg's name of the pixel format; default: the source's.", ENCODING)
]
EncoderArgs = Annotated[str, _option('More for the encoder, such as "-tune grain".', ENCODING)]
CopyStreams = Annotated[
    Copy, _option("Streams that go along: all (default), audio or none.", ENCODING)
]
Start = Annotated[
    str | None,
    typer.Option(
        help="First frame (120) or time (1:02.5, 12s) to write. Times count from the first "
        "frame; the new file begins at zero there.",
        show_default=False,
    ),
]
End = Annotated[
    str | None, typer.Option(help="First frame or time not to write.", show_default=False)
]
Fps = Annotated[
    str | None,
    typer.Option(
        help="Rate of a numbered series, as 24 or 24000/1001; default 25.", show_default=False
    ),
]
Scenes = Annotated[
    Path | None,
    _option(
        "List of cuts that steadying stops at (qpfile, PySceneDetect CSV, scxvid log, numbers); "
        "default: they are found.",
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
    bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", show_default=False)
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vscolor {doctor.installed_version('vscolor') or 'from a source tree'}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Colour black-and-white film. The picture's luma is never touched.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(MISUSED)


@app.command("colorize")
def colorize_command(
    source: Source,
    target: Target,
    *,
    model: Model = "mini",
    size: Size = 192,
    batch: Batch = None,
    strength: Strength = 1.0,
    saturation: Saturation = 1.0,
    temperature: Temperature = None,
    edge_aware: EdgeAware = True,
    device: Device = None,
    runtime: Runtime = None,
    format_name: Format = None,
    weights: Weights = None,
    guide: Annotated[
        Path | None,
        _option("A cleaned version of IN, as long, that the model looks at instead.", LOOK),
    ] = None,
    stabilize: Annotated[
        str | None,
        _option("Steady the colour afterwards: motion. Default: each frame on its own.", LOOK),
    ] = None,
    scenes: Scenes = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    pix_fmt: PixFmt = None,
    encoder_args: EncoderArgs = "",
    copy: CopyStreams = Copy.ALL,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Colour IN into OUT; sound, subtitles, chapters, times and tags are kept."""
    steadiness = None if stabilize is None else Steadiness(method=stabilize, scenes=scenes)
    if scenes is not None and steadiness is None:
        raise SettingError("--scenes is for steadying, expected --stabilize beside it")
    look = Look(
        model=model,
        size=size,
        batch=batch,
        strength=strength,
        saturation=saturation,
        temperature=temperature,
        edge_aware=edge_aware,
        device=device,
        runtime=runtime,
        format=format_name,
        weights=weights,
        steadiness=steadiness,
    )
    settings = Settings(
        codec, crf, preset, pix_fmt, tuple(shlex.split(encoder_args)), copy, overwrite
    )
    convert.convert(
        source,
        target,
        look,
        settings,
        start=start,
        end=end,
        rate=_rate(fps),
        guide=guide,
        quiet=quiet,
    )


@app.command("stabilize")
def stabilize_command(
    source: Source,
    target: Target,
    *,
    method: Annotated[str, _option("How; default and only one: motion.", LOOK)] = "motion",
    radius: Annotated[int, _option("Frames to look at on each side, 1 to 5; default 4.", LOOK)] = 4,
    match: Annotated[
        float,
        _option("Largest luma difference of two blocks taken for the same, 1 to 50; 8.", LOOK),
    ] = 8.0,
    slow: Annotated[bool, _option("Take away slow pulsing too; slower.", LOOK, "--slow")] = False,
    strength: Annotated[float, _option("0 to 1; default 1.", LOOK)] = 1.0,
    scenes: Scenes = None,
    guide: Annotated[
        Path | None, _option("A film as long whose luma tells what moved.", LOOK)
    ] = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    pix_fmt: PixFmt = None,
    encoder_args: EncoderArgs = "",
    copy: CopyStreams = Copy.ALL,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Steady the colour of IN, whoever coloured it, into OUT."""
    settings = Settings(
        codec, crf, preset, pix_fmt, tuple(shlex.split(encoder_args)), copy, overwrite
    )
    convert.convert(
        source,
        target,
        Steadiness(method, radius, match, slow, strength, scenes),
        settings,
        start=start,
        end=end,
        rate=_rate(fps),
        guide=guide,
        quiet=quiet,
    )


@app.command("scenes")
def scenes_command(
    source: Source,
    *,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write the first frame of each scene to this PNG.", show_default=False),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """List the cuts of IN: a frame number a line, as --scenes reads it."""
    shots.run(source, sheet, overwrite=overwrite, quiet=quiet)


@app.command("pipe")
def pipe_command(
    *,
    model: Model = "mini",
    size: Size = 192,
    batch: Batch = None,
    strength: Strength = 1.0,
    saturation: Saturation = 1.0,
    temperature: Temperature = None,
    edge_aware: EdgeAware = True,
    device: Device = None,
    runtime: Runtime = None,
    format_name: Format = None,
    weights: Weights = None,
) -> None:
    """Colour Y4M from stdin to stdout: ffmpeg ... | vscolor pipe | ffmpeg ..."""
    look = Look(
        model=model,
        size=size,
        batch=batch,
        strength=strength,
        saturation=saturation,
        temperature=temperature,
        edge_aware=edge_aware,
        device=device,
        runtime=runtime,
        format=format_name,
        weights=weights,
    )
    if not pipe.run_on_stdio(look):
        raise typer.Exit(FAILED)


@app.command("demo")
def demo_command(
    target: Annotated[
        Path, typer.Argument(metavar="[OUT]", help="Video to write.", show_default=False)
    ] = Path("vscolor-demo.mp4"),
    model: Model = "mini",
    device: Device = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Replace OUT.", show_default=False)
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Take a real colour clip, drop its colour, colour it: grey, ours and true side by side."""
    demo.run(target, Look(model=model, device=device), overwrite=overwrite, quiet=quiet)


@app.command("models")
def models_command() -> None:
    """List the models: size, licence, score and whether they are installed."""
    doctor.print_models()


@app.command("doctor")
def doctor_command() -> None:
    """Check versions, devices, ffmpeg and plugins, and say what to do about what is missing."""
    if not doctor.print_report():
        raise typer.Exit(FAILED)


def _rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise SettingError(f"--fps is {text!r}, expected a rate such as 24 or 24000/1001")
    return rate


def _stop(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; return its exit code. Ends the process if interrupted."""
    try:
        code = int(app(arguments, prog_name="vscolor", standalone_mode=False) or 0)
    except PARSER_ERROR as error:
        console.complain(error.format_message())  # type: ignore[attr-defined]
        return int(getattr(error, "exit_code", MISUSED))
    except (VscolorError, vs.Error, OSError) as error:
        console.complain(str(error))
        misuse = isinstance(error, SettingError) or isinstance(error.__cause__, SettingError)
        return MISUSED if misuse else FAILED
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer turns the exception into the code, from 0.16 on
        console.complain("interrupted")
        # Frames may still be under way in native threads; nothing of ours is left to tidy up.
        os._exit(INTERRUPTED)
    return code

"""Commands that make a film: colorize, stabilize, pipe, demo."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from vscolor import files
from vscolor.cli.options import (
    LOOK,
    Batch,
    Codec,
    CopyStreams,
    Crf,
    Debug,
    Device,
    EdgeAware,
    EncoderArgs,
    End,
    FitSeed,
    Format,
    Fps,
    Hints,
    History,
    HistoryStrength,
    Irt,
    Model,
    ModelOptions,
    Overwrite,
    PixFmt,
    Preset,
    Quiet,
    ReferenceReach,
    References,
    ReferenceStrength,
    Runtime,
    Saturation,
    Scenes,
    Size,
    Source,
    Start,
    SteadySize,
    StillModel,
    StillStrength,
    StreamsFrom,
    Strength,
    Target,
    Temperature,
    Weights,
    WithReference,
    option,
    rate_of,
)
from vscolor.commands import album, convert, demo, pipe
from vscolor.commands.treatment import ColorizeSettings, GuidanceSettings, StabilizeSettings
from vscolor.errors import SettingError
from vscolor.media.plan import Settings
from vscolor.media.streams import Copy
from vscolor.steadying.stabilizers import Options


def colorize_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A film, a picture, a numbered series (frame_%04d.png), a script (.vpy), or a "
            "folder of pictures.",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="A film, a picture, a numbered series, or a folder for pictures."
        ),
    ],
    *,
    model: Model = None,
    size: Size = None,
    batch: Batch = None,
    strength: Strength = 1.0,
    saturation: Saturation = 1.0,
    temperature: Temperature = None,
    edge_aware: EdgeAware = True,
    device: Device = None,
    runtime: Runtime = None,
    format_name: Format = None,
    weights: Weights = None,
    model_options: ModelOptions = None,
    guide: Annotated[
        Path | None,
        option("A cleaned version of IN, of the same length, for the model to look at.", LOOK),
    ] = None,
    stabilize: Annotated[
        str | None,
        option("Steady the colour afterwards: motion, blind or dvp. Off by default.", LOOK),
    ] = None,
    scenes: Scenes = None,
    history: History = None,
    reference: References = None,
    hints: Hints = None,
    history_strength: HistoryStrength = 1.0,
    reference_strength: ReferenceStrength = 1.0,
    reference_reach: ReferenceReach = "film",
    still_strength: StillStrength = 1.0,
    debug: Debug = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    pix_fmt: PixFmt = None,
    encoder_args: EncoderArgs = "",
    copy: CopyStreams = Copy.ALL,
    streams_from: StreamsFrom = None,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Colour IN and write OUT; sound, subtitles, chapters, timestamps and tags are kept."""
    stabilizing = (
        None if stabilize is None else StabilizeSettings.after(stabilize, scenes, device, runtime)
    )
    guiding = GuidanceSettings(
        history=history,
        references=tuple(reference or ()),
        hints=hints,
        scenes=scenes,
        history_strength=history_strength,
        reference_strength=reference_strength,
        reference_reach=reference_reach,
        still_strength=still_strength,
        debug=debug,
    )
    colorizing = ColorizeSettings(
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
        options=tuple(model_options or ()),
        guiding=guiding,
        stabilizing=stabilizing,
    )
    if scenes is not None and stabilizing is None and not colorizing.needs_neighbours:
        raise SettingError("--scenes needs --history, --stabilize, or a model that uses neighbours")
    settings = Settings(codec, crf, preset, pix_fmt, words_of(encoder_args), copy, overwrite)
    if source.is_dir():
        of_films: dict[str, object] = {"--start": start, "--end": end, "--fps": fps}
        of_films |= {"--guide": guide, "--streams-from": streams_from, "--scenes": scenes}
        of_films |= {"--codec": codec, "--crf": crf, "--preset": preset}
        of_films |= {"--stabilize": stabilize, "--hints": hints}
        if foreign := [name for name, given in of_films.items() if given is not None]:
            raise SettingError(f"{foreign[0]} is for films, got it with the folder {source}")
        album.convert(source, target, colorizing, settings, quiet=quiet)
        return
    convert.convert(
        source,
        target,
        colorizing,
        settings,
        start=start,
        end=end,
        rate=rate_of(fps),
        guide=guide,
        streams_from=streams_from,
        quiet=quiet,
    )


def stabilize_command(
    source: Source,
    target: Target,
    *,
    method: Annotated[
        str, option("How: motion, blind, or dvp, which fits first; default motion.", LOOK)
    ] = "motion",
    radius: Annotated[
        int | None, option("motion: frames to look at on each side, 1 to 5; default 4.", LOOK)
    ] = None,
    match: Annotated[
        float | None,
        option("motion: largest luma difference of two matching blocks, 1 to 50; default 8.", LOOK),
    ] = None,
    slow: Annotated[
        bool, option("motion: remove slow pulsing too; slower.", LOOK, "--slow")
    ] = False,
    size: SteadySize = None,
    device: Device = None,
    runtime: Runtime = None,
    weights: Annotated[
        Path | None,
        option("blind: a weight file, or the checkpoint of Lai et al. 2018 (.pth).", LOOK),
    ] = None,
    seed: FitSeed = None,
    irt: Irt = None,
    reference: WithReference = False,
    strength: Annotated[
        float, option("From 0, colour as it is, to 1, fully steadied; default 1.", LOOK)
    ] = 1.0,
    scenes: Scenes = None,
    guide: Annotated[
        Path | None,
        option("A cleaned version of IN, of the same length, to analyse instead.", LOOK),
    ] = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    pix_fmt: PixFmt = None,
    encoder_args: EncoderArgs = "",
    copy: CopyStreams = Copy.ALL,
    streams_from: StreamsFrom = None,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write six frames before and after to this PNG.", show_default=False),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Steady the colour of IN, however it was coloured, and write OUT."""
    settings = Settings(codec, crf, preset, pix_fmt, words_of(encoder_args), copy, overwrite)
    read = (source, guide, scenes, weights, streams_from)
    files.check_png(sheet, overwrite, target, *read)
    options = Options(
        radius=radius,
        match=match,
        slow=slow or None,
        size=size,
        device=device,
        runtime=runtime,
        weights=weights,
        seed=seed,
        irt=irt,
        reference=reference or None,
    )
    stabilizing = StabilizeSettings(method, options, strength, scenes)
    made = convert.convert(
        source,
        target,
        stabilizing,
        settings,
        start=start,
        end=end,
        rate=rate_of(fps),
        guide=guide,
        streams_from=streams_from,
        quiet=quiet,
    )
    if sheet is not None:
        convert.write_before_after(sheet, made)


def words_of(encoder_args: str) -> tuple[str, ...]:
    """Split `--encoder-args` as a shell would.

    Raises:
        SettingError: A quotation mark is not closed, or a word is neither an option nor the value
            of the one before it. ffmpeg would take it for the name of another file to write.
    """
    try:
        words = shlex.split(encoder_args)
    except ValueError as error:
        raise SettingError(f"--encoder-args is {encoder_args!r}: {error}") from None
    for before, word in pairwise(["", *words]):
        if not word.startswith("-") and not before.startswith("-"):
            raise SettingError(f"--encoder-args has {word!r}, expected options and their values")
    return tuple(words)


def pipe_command(
    *,
    model: StillModel = None,
    size: Size = None,
    batch: Batch = None,
    strength: Strength = 1.0,
    saturation: Saturation = 1.0,
    temperature: Temperature = None,
    edge_aware: EdgeAware = True,
    device: Device = None,
    runtime: Runtime = None,
    format_name: Format = None,
    weights: Weights = None,
    model_options: ModelOptions = None,
) -> None:
    """Colour Y4M from stdin to stdout: ffmpeg ... | vscolor pipe | ffmpeg ..."""
    colorizing = ColorizeSettings(
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
        options=tuple(model_options or ()),
    )
    if not pipe.run_on_stdio(colorizing):
        raise typer.Exit(1)


def demo_command(
    target: Annotated[
        Path, typer.Argument(metavar="[OUT]", help="Video to write.", show_default=False)
    ] = Path("vscolor-demo.mp4"),
    model: StillModel = None,
    device: Device = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Replace OUT.", show_default=False)
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Recolour a real colour clip from its luma, and show grey, ours and true side by side."""
    demo.run(target, ColorizeSettings(model=model, device=device), overwrite=overwrite, quiet=quiet)

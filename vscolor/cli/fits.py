"""The command that fits ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from vscolor import console, process
from vscolor.cli.options import LOOK, Quiet, Scenes, Source, option
from vscolor.commands import inputs
from vscolor.steadying import fitting, stabilizers

Size = Annotated[
    int | None,
    option("Short side of what the network sees, 64 to 1024; default 128.", LOOK),
]
Device = Annotated[str | None, option("cpu, cuda or cuda:N; default: the best there is.", LOOK)]
SteadySize = Annotated[
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
    clip = inputs.opened(source, None, quiet).clip
    shown = None if guide is None else inputs.opened(guide, None, quiet).clip
    options = stabilizers.Options(
        size=size, device=device, seed=seed, irt=irt, reference=reference or None
    )
    task = stabilizers.fit_task(stabilizers.checked_work_of(clip, shown, scenes), options)
    span = range(clip.num_frames)
    fitted = console.interruptible(lambda: fitting.fit_with_bar(task, span, quiet))
    if not quiet:
        count = f"{fitted} scene{'' if fitted == 1 else 's'} fitted"
        console.note(f"{source}: {count}, kept in {task.store.folder}")

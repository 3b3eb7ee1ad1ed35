"""The command `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from vscolor.cli.options import (
    LOOK,
    FitDevice,
    FitSeed,
    FitSize,
    Irt,
    Quiet,
    Scenes,
    Source,
    WithReference,
    option,
)
from vscolor.commands import fit
from vscolor.steadying.stabilizers import Options


def fit_command(
    source: Source,
    *,
    size: FitSize = None,
    seed: FitSeed = None,
    irt: Irt = None,
    reference: WithReference = False,
    device: FitDevice = None,
    scenes: Scenes = None,
    guide: Annotated[
        Path | None,
        option("A cleaned version of IN, of the same length, to analyse instead.", LOOK),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fit Deep Video Prior to IN, a coloured film, for use by stabilize --method dvp."""
    options = Options(size=size, device=device, seed=seed, irt=irt, reference=reference or None)
    fit.run(source, options, scenes=scenes, guide=guide, quiet=quiet)

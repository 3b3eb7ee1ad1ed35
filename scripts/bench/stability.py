"""Measure how much colour flicker each method of `stabilize` removes, on films in true colour.

`python scripts/bench/stability.py --clips DIR [--methods motion,blind,dvp] [--json OUT]`

Prints one row per clip, kind of flicker and method. Kinds (seeded) added to the true colour:
`global`, shifts of the whole frame by up to 12 levels; `modes`, a third of the picture jumps to
another colour in about three of ten frames; `pulse`, a slow sine of 8 levels. `mini` is the clip
coloured from its own luma by `mini`, frame by frame. `still` is the true colour without flicker;
there `moved` shows how far a method changes chroma that needs no change.

Methods: those of `stabilize`; `motion-slow` is slow=True, `dvp-plain` irt=False, `dvp-reference`
the authors' loop. Columns: `warp` is the warp error of ab along the source's motion, without cuts,
over mean squared chroma; `gone` the part of the flicker's excess over true colour that was removed;
`RGB` the usual warp error, nine tenths of which is luma; `pulsing` the amplitude of the mean ab
error's drift; `moved` the mean change of chroma in 8-bit levels; `ms` the processor time of all
threads per frame, including any fitting.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import vapoursynth as vs
from films import SHORT_SIDE, small
from numpy.typing import NDArray

from vscolor import color, colorize, stabilize
from vscolor.metrics import temporal
from vscolor.scenes import mark_detected, marked_cuts

SEED = 1
KINDS = ("global", "modes", "pulse", "mini", "still")

type Frames = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Row:
    """One clip, kind and method."""

    clip: str
    kind: str
    method: str
    warp_true: float
    warp_before: float
    warp_after: float
    rgb_before: float
    rgb_after: float
    psnr_before: float
    psnr_after: float
    pulsing_before: float
    pulsing_after: float
    moved: float
    milliseconds: float

    @property
    def excess_gone(self) -> float:
        """Fraction of the flicker's excess warp error that was removed."""
        excess = self.warp_before - self.warp_true
        return (self.warp_before - self.warp_after) / excess if excess > 0 else float("nan")


def flicker(clip: vs.VideoNode, kind: str) -> vs.VideoNode:
    """Add flicker of a kind to a clip's chroma."""
    if kind == "still":
        return clip
    if kind == "mini":
        return colorize(clip)
    rng = np.random.default_rng(SEED)
    shifts = rng.uniform(-12, 12, (clip.num_frames, 2))
    other = rng.random(clip.num_frames) < 0.3
    angle = 2 * np.pi * np.arange(clip.num_frames) / 40
    waves = 8 * np.stack([np.sin(angle), np.cos(angle)], axis=1)

    def disturb(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for p, sign in ((1, 1), (2, -1)):
            plane = np.asarray(frame[p])
            moved = plane.astype(np.float32)
            if kind == "modes":
                third = plane.shape[1] // 3
                moved[:, third : 2 * third] += 25 * 256 * sign * other[n]
            else:
                moved += 256 * (shifts if kind == "global" else waves)[n, p - 1]
            plane[...] = np.clip(np.round(moved), 0, 65535)
        return frame

    return clip.std.ModifyFrame(clip, disturb)


def read(clip: vs.VideoNode) -> tuple[Frames, Frames]:
    """RGB 0..1 and ab of all frames."""
    rgb = []
    for frame in clip.resize.Bicubic(format=vs.RGBS, matrix_in=1).frames(close=True):
        planes = [np.asarray(frame[p]) for p in range(3)]
        rgb.append(np.clip(np.stack(planes, -1), 0, 1).astype(np.float32))
    return rgb, [color.srgb_to_lab(f)[..., 1:].astype(np.float32) for f in rgb]


def steadied(clip: vs.VideoNode, method: str) -> vs.VideoNode:
    """Run a method, in the variant named after the dash."""
    name, _, variant = method.partition("-")
    return stabilize(
        clip,
        name,
        slow=True if variant == "slow" else None,
        irt=False if variant == "plain" else None,
        reference=True if variant == "reference" else None,
        fit=True if name == "dvp" else None,
    )


def psnr(frames: Frames, truth: Frames) -> float:
    """PSNR of RGB, dB, of the error pooled over all frames, since some frames have none."""
    error = np.mean([float(((f - t) ** 2).mean()) for f, t in zip(frames, truth, strict=True)])
    return float(10 * np.log10(1 / max(error, 1e-10)))


class Judge:
    """A clip's true colour, luma and cuts, against which results are measured."""

    def __init__(self, clip: vs.VideoNode) -> None:
        """Read the clip once."""
        self.rgb, self.ab = read(clip)
        grey = clip.resize.Bicubic(format=vs.GRAY8)
        self.lumas = [np.array(frame[0]) for frame in grey.frames(close=True)]
        self.cuts = {n for n, cut in marked_cuts(mark_detected(clip)) if cut}

    def warp(self, ab: Frames) -> float:
        """Warp error over mean squared chroma."""
        error = temporal.warp_error(ab, self.lumas, self.cuts)
        return error / max(temporal.mean_squared_chroma(ab), 1e-6)

    def warp_rgb(self, rgb: Frames) -> float:
        """The usual warp error, RGB 0..1."""
        return temporal.warp_error(rgb, self.lumas, self.cuts)


def moved(after: vs.VideoNode, before: vs.VideoNode) -> float:
    """Mean absolute difference of chroma, 8-bit levels."""
    pairs = zip(after.frames(close=True), before.frames(close=True), strict=True)
    gaps = [
        np.abs(np.asarray(a[p]).astype(np.float32) - np.asarray(b[p])).mean()
        for a, b in pairs
        for p in (1, 2)
    ]
    return float(np.mean(gaps)) / 256


def measure(
    path: Path, frames: int, short_side: int, methods: list[str], kinds: list[str]
) -> Iterator[Row]:
    """All kinds and methods on one clip."""
    clip = small(path, frames, short_side)
    judge = Judge(clip)
    true = judge.warp(judge.ab)
    for kind in kinds:
        given = flicker(clip, kind)
        rgb, ab = read(given)
        before = (judge.warp(ab), judge.warp_rgb(rgb), psnr(rgb, judge.rgb))
        for method in methods:
            begin = time.process_time()
            steady = steadied(flicker(clip, kind), method)
            steady_rgb, steady_ab = read(steady)
            seconds = time.process_time() - begin
            yield Row(
                clip=path.stem,
                kind=kind,
                method=method,
                warp_true=true,
                warp_before=before[0],
                warp_after=judge.warp(steady_ab),
                rgb_before=before[1],
                rgb_after=judge.warp_rgb(steady_rgb),
                psnr_before=before[2],
                psnr_after=psnr(steady_rgb, judge.rgb),
                pulsing_before=temporal.pulsing(ab, judge.ab),
                pulsing_after=temporal.pulsing(steady_ab, judge.ab),
                moved=moved(steady, given),
                milliseconds=1000 * seconds / len(rgb),
            )


HEADER = (
    "| clip | kind | method | warp true | before | after | gone | RGB before | after "
    "| PSNR before | after | pulsing before | after | moved | ms |\n" + "|---" * 15 + "|"
)


def line(row: Row) -> str:
    """A row in Markdown."""
    return (
        f"| {row.clip} | {row.kind} | {row.method} | {row.warp_true:.4f} | {row.warp_before:.4f} "
        f"| {row.warp_after:.4f} | {row.excess_gone:.0%} | {row.rgb_before:.5f} "
        f"| {row.rgb_after:.5f} | {row.psnr_before:.2f} | {row.psnr_after:.2f} "
        f"| {row.pulsing_before:.2f} | {row.pulsing_after:.2f} | {row.moved:.2f} "
        f"| {row.milliseconds:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, required=True, help="folder of colour films")
    parser.add_argument("--methods", default="motion,motion-slow,blind", help="comma-separated")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of flicker, comma-separated")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these films alone")
    parser.add_argument("--frames", type=int, default=48, help="of each film")
    parser.add_argument("--short-side", type=int, default=SHORT_SIDE, help="of each film, pixels")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    options = parser.parse_args()
    rows: list[Row] = []
    print(HEADER)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["VSCOLOR_CACHE"] = cache  # a cached fit of an earlier run would cost no time
        for path in sorted(options.clips.glob("*.mp4")):
            if options.only and path.stem not in options.only:
                continue
            methods, kinds = options.methods.split(","), options.kinds.split(",")
            for row in measure(path, options.frames, options.short_side, methods, kinds):
                print(line(row), flush=True)
                rows.append(row)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()

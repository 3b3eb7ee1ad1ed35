"""Colour a film and do nothing else: `hosted.py FILM FRAMES CACHE_MB ours|bare`.

vspipe runs it as a script, with `--arg film=FILM --arg frames=FRAMES --arg cache=CACHE_MB`.
"""

import sys

import vapoursynth as vs

from vscolor import colorize, process


def coloured(film: str, frames: str, cache_mb: str) -> vs.VideoNode:
    """The coloured clip that every host renders."""
    vs.core.max_cache_size = int(cache_mb)
    clip: vs.VideoNode = vs.core.bs.VideoSource(film, cachemode=0)[: int(frames)]
    return colorize(clip, device="cpu", runtime="onnx")


def main(film: str, frames: str, cache_mb: str, manners: str) -> None:
    """Request all frames in order and print progress like vspipe."""
    if manners == "ours":
        process.limit_core_cache()
    for n, frame in enumerate(coloured(film, frames, cache_mb).frames(close=True), 1):
        del frame
        print(f"Frame: {n}/{frames}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
else:
    asked = globals()
    coloured(asked["film"], asked["frames"], asked["cache"]).set_output()

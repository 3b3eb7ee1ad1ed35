"""Speed of the merge, the filter, the bare model, and a whole encode."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import films
import numpy as np
import onnxruntime as ort
import vapoursynth as vs

from vscolor import Reference, colorize, nodes, stabilize
from vscolor.film import inspect
from vscolor.models.mini.adapter import ONNX_FILE, TORCH_FILE
from vscolor.models.mini.architecture import DEFAULT_TEMPERATURE

MODEL_SIZE, SIZE = (448, 256), 256
HD = (1920, 1080)
TEMPERATURE = np.array(DEFAULT_TEMPERATURE, np.float32)

type Luma = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
type Measures = dict[str, Cost]


@dataclass(frozen=True)
class Cost:
    """Best speed and processor time of a task.

    Attributes:
        rate: Frames per second.
        processor: Processor time of all threads per frame, in milliseconds; less disturbed by other
            programs than `rate`.
    """

    rate: float
    processor: float

    def better(self, other: Cost) -> Cost:
        """The better value of each."""
        return Cost(max(self.rate, other.rate), min(self.processor, other.processor))


@dataclass(frozen=True)
class Task:
    """Work to be timed.

    Attributes:
        prepare: Prepares one round, untimed, and returns the function to time.
        frames: Number of frames per round.
    """

    prepare: Callable[[], Callable[[], None]]
    frames: int


def best_of(rounds: int, tasks: dict[str, Task]) -> Measures:
    """The best cost of each task.

    Tasks take turns in short rounds, so that a disturbance affects all of them and not one.
    """
    for task in tasks.values():
        task.prepare()()
    best = dict.fromkeys(tasks, Cost(0, math.inf))
    for _ in range(rounds):
        for name, task in tasks.items():
            best[name] = best[name].better(cost(task.prepare(), task.frames))
    return best


def cost(work: Callable[[], None], frames: int) -> Cost:
    """The cost per frame of work on `frames` frames."""
    busy, start = time.process_time(), time.perf_counter()
    work()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    return Cost(frames / seconds, 1000 * busy / frames)


def drain(clip: vs.VideoNode) -> None:
    """Request all frames in order, with as many in flight as there are threads."""
    for frame in clip.frames(close=True):
        del frame


def merge_only(film: vs.VideoNode) -> Task:
    """The merge alone, on fresh nodes, with luma and colour from memory."""
    seen = inspect(film)
    width, height = MODEL_SIZE
    colour = vs.core.std.BlankClip(
        None, width // 4, height // 2, vs.YUV444PS, film.num_frames, color=[0, 20, -30], keep=True
    )
    return Task(lambda: partial(drain, nodes.merge(seen, seen, colour, 1, film.format)), len(film))


def whole_filter(film: vs.VideoNode) -> Task:
    """`colorize` on fresh nodes, as a second pass over the same one would read its cache."""
    return Task(lambda: partial(drain, _coloured(film)), len(film))


def _coloured(film: vs.VideoNode, reference: Reference | None = None) -> vs.VideoNode:
    return colorize(film, references=reference, size=min(MODEL_SIZE), device="cpu", runtime="onnx")


def steadied(film: vs.VideoNode, *, slow: bool) -> Task:
    """`stabilize` by motion on fresh nodes."""
    return Task(lambda: partial(drain, stabilize(film, slow=slow)), len(film))


def with_history(film: vs.VideoNode) -> Task:
    """`colorize` with history on fresh nodes, frame 0 in its own colours as the reference."""
    given = Reference(film[0], frame=0)
    return Task(lambda: partial(drain, _coloured(film, given)), len(film))


def lumas_of(film: vs.VideoNode) -> list[Luma]:
    """The model's input for the first frames."""
    width, height = MODEL_SIZE
    seen = nodes.model_luma(inspect(film), height, width)[: films.HELD_FRAMES]
    return [np.array(f[0])[None, None] for f in seen.frames(close=True)]


def bare_default(lumas: list[Luma], model: bytes, frames: int) -> Task:
    """The usual loop: one session with default options, one frame after another."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])

    def loop() -> None:
        for n in range(frames):
            _predict(session, lumas[n % len(lumas)])

    return Task(lambda: loop, frames)


def bare_threads(lumas: list[Luma], model: bytes, frames: int, threads: int) -> Task:
    """The fastest plain loop: frames in parallel, each on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def loop() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda n: _predict(session, lumas[n % len(lumas)]), range(frames)))

    return Task(lambda: loop, frames)


def _predict(session: ort.InferenceSession, luma: Luma) -> None:
    session.run(["ab"], {"luma": luma, "temperature": TEMPERATURE})


def filter_rates(path: Path, frames: int, rounds: int) -> Measures:
    """Merge, bare model and filter, at the model's size and at 1080p, in one run."""
    small, large = films.held(path, *MODEL_SIZE, frames), films.held(path, *HD, frames)
    lumas, model = lumas_of(small), ONNX_FILE.read_bytes()
    return best_of(
        rounds,
        {
            "merge_1080p": merge_only(large),
            "bare_default": bare_default(lumas, model, frames),
            "bare_threads": bare_threads(lumas, model, frames, vs.core.num_threads),
            "colorize_448x256": whole_filter(small),
            "colorize_1080p": whole_filter(large),
        },
    )


def head_rates(path: Path, frames: int, rounds: int) -> Measures:
    """The embedded model, and the same network with a plain 2-channel head."""
    from vscolor.models.mini import graph

    lumas = lumas_of(films.held(path, *MODEL_SIZE, films.HELD_FRAMES))
    plain = graph.build(TORCH_FILE, plain_head=True).SerializeToString()
    bins = ONNX_FILE.read_bytes()
    return best_of(
        rounds,
        {
            "bins": bare_default(lumas, bins, frames),
            "plain": bare_default(lumas, plain, frames),
            "bins_one_thread": bare_threads(lumas, bins, frames, 1),
            "plain_one_thread": bare_threads(lumas, plain, frames, 1),
        },
    )


def steady_rates(path: Path, frames: int, rounds: int) -> Measures:
    """`stabilize` by motion at 1080p, without and with slow=True."""
    film = films.held(path, *HD, frames)
    return best_of(
        rounds, {"motion": steadied(film, slow=False), "slow": steadied(film, slow=True)}
    )


def history_rate(path: Path, frames: int) -> Cost:
    """`colorize` with history over one run of frames that differ, at the model's size."""
    task = with_history(films.in_memory(path, *MODEL_SIZE, frames))
    return cost(task.prepare(), task.frames)


def encode_cost(film: Path, target: Path, frames: int) -> Cost:
    """The cost per frame of the user's command, from its start to the finished file."""
    command = [sys.executable, "-c", "from vscolor.cli import main; main()", "colorize"]
    options = ["--codec", "h264", "--preset", "veryfast", "--crf", "18", "--quiet"]
    where = ["--device", "cpu", "--runtime", "onnx"]
    call = [*command, *options, *where, str(film), str(target)]
    before, start = os.times(), time.perf_counter()
    subprocess.run(call, check=True)
    seconds, after = time.perf_counter() - start, os.times()
    busy = after.children_user + after.children_system
    busy -= before.children_user + before.children_system
    return Cost(frames / seconds, 1000 * busy / frames)

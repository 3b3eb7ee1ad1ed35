"""Batches for the video model: scenes with the motion that the filter would find in them.

Batch number n is a pure function of (photographs, settings, n), as for the still model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vscolor.device import Device, onnx_session
from vscolor.models.mini.architecture import DEFAULT_TEMPERATURE as TEMPERATURE
from vscolor.models.mini.graph import build
from vscolor.models.mini_video.architecture import TAPS
from vscolor.models.mini_video.motion import Motion, find_motion
from vscolor.training.photographs import Photographs
from vscolor.training.scenery import SHAPES, Bytes, Scene, film_scene, make_scene


class Episodes(NamedTuple):
    """What one step trains on: B scenes of F frames (the reference, the one before, the rest).

    Attributes:
        luma: L* `[B,F,1,h,w]`.
        ab: True colours `[B,F,2,h,w]`.
        places: Where each place is in the reference, in pixels, `[B,F,2,h,w]`, x then y.
        visible: Whether it could be seen there `[B,F,1,h,w]`, 0 or 1; 0 throughout where nobody
            knows.
        back: Flow of frames 2.. to the frame before `[B,F-2,2,h/2,w/2]`.
        back_residual: What it leaves `[B,F-2,1,h/4,w/4]`, L* units.
        direct: Flow of frames 2.. to the reference.
        direct_residual: What it leaves.
        still: `mini`'s colours of every frame `[B,F,2,h/4,w/4]`.
        taps: Its encoder's features of every frame, `[B,F,C,h/s,w/s]` for each of
            `architecture.TAPS`.
    """

    luma: Tensor
    ab: Tensor
    places: Tensor
    visible: Tensor
    back: Tensor
    back_residual: Tensor
    direct: Tensor
    direct_residual: Tensor
    still: Tensor
    taps: tuple[Tensor, ...]


@dataclass(frozen=True)
class EpisodeSettings:
    """How batches are drawn.

    Attributes:
        size: Scenes in a batch.
        frames: Frames to colour in each.
        film_share: Part of the scenes that come from films, where there are any.
        seed: Of all chance.
    """

    size: int = 6
    frames: int = 3
    film_share: float = 0.6
    seed: int = 0


class EpisodeBatches(Dataset[Episodes]):
    """Batches by number."""

    def __init__(
        self,
        photographs: Photographs,
        chances: NDArray[np.float64],
        settings: EpisodeSettings,
        mini: Path,
        shots: Sequence[Bytes] = (),
    ) -> None:
        self.photographs, self.chances, self.settings = photographs, chances, settings
        self.mini, self.shots = mini, shots

    def __getitem__(self, step: int) -> Episodes:
        """Batch number `step`."""
        cv2.setNumThreads(1)
        s = self.settings
        rng = np.random.default_rng((s.seed, step))
        shape = SHAPES[rng.integers(len(SHAPES))]
        rows = [_observe(self._scene(shape, rng)) for _ in range(s.size)]
        seen = {
            name: torch.from_numpy(np.stack(field))
            for name, field in zip(Episodes._fields, zip(*rows, strict=True), strict=False)
        }
        still, *taps = self._ask_mini(seen["luma"])
        return Episodes(**seen, still=still, taps=tuple(taps))

    def _scene(self, shape: tuple[int, int], rng: np.random.Generator) -> Scene:
        s = self.settings
        if self.shots and rng.random() < s.film_share:
            return film_scene(self.shots, shape, s.frames, rng)
        return make_scene(self.photographs, self.chances, shape, s.frames, rng)

    def _ask_mini(self, luma: Tensor) -> list[Tensor]:
        """`mini`'s colours and its taps, of `[B,F,1,h,w]`."""
        feeds = {
            "luma": luma.flatten(0, 1).numpy(),
            "temperature": np.array(TEMPERATURE, np.float32),
        }
        found = (torch.from_numpy(x) for x in _session(self.mini).run(None, feeds))
        return [x.unflatten(0, luma.shape[:2]) for x in found]


@cache
def _session(mini: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread, in the process that makes batches: a third of torch's time."""
    return onnx_session(build(mini, taps=tuple(TAPS)).SerializeToString(), Device("onnx", "cpu"))


def _observe(scene: Scene) -> list[NDArray[np.float32]]:
    """One scene's fields of `Episodes`, channels first."""
    luma = scene.luma
    pairs = range(2, len(luma))
    back = [find_motion(luma[n], luma[n - 1]) for n in pairs]
    direct = [find_motion(luma[n], luma[0]) for n in pairs]
    return [
        luma[:, None],
        _channels_first(scene.ab),
        _channels_first(scene.places),
        scene.visible[:, None].astype(np.float32),
        *_planes(back),
        *_planes(direct),
    ]


def _channels_first(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(frames.transpose(0, 3, 1, 2))


def _planes(motions: list[Motion]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    flow = np.stack([m.flow.transpose(2, 0, 1) for m in motions]).astype(np.float32)
    return flow, np.stack([m.residual[None] for m in motions]).astype(np.float32)

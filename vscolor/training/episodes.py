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
from vscolor.models.base import Array
from vscolor.models.mini.architecture import DEFAULT_TEMPERATURE as TEMPERATURE
from vscolor.models.mini.graph import build
from vscolor.models.mini_video.architecture import TAPS
from vscolor.models.mini_video.graph import build as build_video
from vscolor.models.mini_video.matching import initial_flow
from vscolor.models.mini_video.motion import find_motion, flow_candidates, weigh
from vscolor.training.photographs import Bytes, Photographs
from vscolor.training.scenery import SHAPES, Scene, film_scene, make_scene


class Episodes(NamedTuple):
    """What one step trains on: B scenes of F frames (the reference, the one before, the rest).

    Attributes:
        luma: L* `[B,F,1,h,w]`.
        ab: True colours `[B,F,2,h,w]`.
        places: Where each place is in the reference, in pixels, `[B,F,2,h,w]`, x then y.
        visible: Whether it could be seen there `[B,F,1,h,w]`, 0 or 1; 0 throughout where nobody
            knows.
        back: Flow of frames 2.. to the frame before, in pixels, `[B,F-2,2,h,w]`.
        back_residual: What it leaves `[B,F-2,1,h/4,w/4]`, L* units.
        direct: Flow of frames 2.. to the reference, along two routes, `[B,F-2,2,2,h,w]`.
        direct_shares: What each route counts `[B,F-2,2,h/4,w/4]`.
        direct_residual: What they leave together `[B,F-2,1,h/4,w/4]`.
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
    direct_shares: Tensor
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


class NetworkFiles(NamedTuple):
    """The weights of what a batch tells the answers of.

    Attributes:
        mini: The still model.
        video: The video model whose embedding leads flow to the reference, as the filter's does;
            None for flow that starts from nothing.
    """

    mini: Path
    video: Path | None = None


class EpisodeBatches(Dataset[Episodes]):
    """Batches by number."""

    def __init__(
        self,
        photographs: Photographs,
        chances: NDArray[np.float64],
        settings: EpisodeSettings,
        networks: NetworkFiles,
        shots: Sequence[Bytes] = (),
    ) -> None:
        self.photographs, self.chances, self.settings = photographs, chances, settings
        self.networks, self.shots = networks, shots

    def __getitem__(self, step: int) -> Episodes:
        """Batch number `step`."""
        cv2.setNumThreads(1)
        s = self.settings
        rng = np.random.default_rng((s.seed, step))
        shape = SHAPES[rng.integers(len(SHAPES))]
        scenes = [self._scene(shape, rng) for _ in range(s.size)]
        luma = np.stack([scene.luma for scene in scenes])[:, :, None]
        still, *taps = self._ask_mini(luma)
        vectors = self._vectors(taps)
        rows = [_observe(scene, v) for scene, v in zip(scenes, vectors, strict=True)]
        seen = {
            name: torch.from_numpy(np.stack(field))
            for name, field in zip(Episodes._fields, zip(*rows, strict=True), strict=False)
        }
        asked = [torch.from_numpy(x).unflatten(0, luma.shape[:2]) for x in (still, *taps)]
        return Episodes(**seen, still=asked[0], taps=tuple(asked[1:]))

    def _scene(self, shape: tuple[int, int], rng: np.random.Generator) -> Scene:
        s = self.settings
        if self.shots and rng.random() < s.film_share:
            return film_scene(self.shots, shape, s.frames, rng)
        return make_scene(self.photographs, self.chances, shape, s.frames, rng)

    def _ask_mini(self, luma: Array) -> list[Array]:
        """`mini`'s colours and its taps, of `[B,F,1,h,w]`, each `[B*F,...]`."""
        feeds = {
            "luma": luma.reshape(-1, *luma.shape[2:]),
            "temperature": np.array(TEMPERATURE, np.float32),
        }
        return list(_session(self.networks.mini).run(None, feeds))

    def _vectors(self, taps: list[Array]) -> Sequence[Array | None]:
        """For each scene the embedding of its frames, `[F,64,h/8,w/8]`."""
        if self.networks.video is None:
            return [None] * self.settings.size
        feeds = {f"tap.{index}": tap for index, tap in zip(TAPS, taps, strict=True)}
        (vectors,) = _embedding(self.networks.video).run(["vectors"], feeds)
        return np.split(vectors, self.settings.size)


@cache
def _session(mini: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread, in the process that makes batches: a third of torch's time."""
    return onnx_session(build(mini, taps=tuple(TAPS)).SerializeToString(), Device("onnx", "cpu"))


@cache
def _embedding(video: Path) -> onnxruntime.InferenceSession:
    """Likewise."""
    return onnx_session(build_video(video)["embed"].SerializeToString(), Device("onnx", "cpu"))


def _observe(scene: Scene, vectors: Array | None) -> list[Array]:
    """One scene's fields of `Episodes`, channels first; `vectors` embed its frames."""
    luma = scene.luma
    later = range(2, len(luma))
    back = [find_motion(luma[n], luma[n - 1], near=True) for n in later]
    routes = [flow_candidates(luma[n], luma[0], _start(vectors, n)) for n in later]
    equal = np.ones(len(routes[0]), np.float32)
    weighed = [weigh(np.stack([m.residual for m in two]), equal) for two in routes]
    return [
        luma[:, None],
        _channels_first(scene.ab),
        _channels_first(scene.places),
        scene.visible[:, None].astype(np.float32),
        _channels_first(np.stack([m.flow for m in back])),
        np.stack([m.residual[None] for m in back]),
        np.stack([_channels_first(np.stack([m.flow for m in two])) for two in routes]),
        np.stack([w.shares for w in weighed]),
        np.stack([w.residual[None] for w in weighed]),
    ]


def _start(vectors: Array | None, n: int) -> Array | None:
    """Where flow from frame n to the reference starts."""
    return None if vectors is None else initial_flow(vectors[n], vectors[0], _nearest)


def _nearest(query: Array, keys: Array) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (query[0] @ keys[0].T).argmax(axis=1)[None]
    return found


def _channels_first(frames: Array) -> Array:
    return np.ascontiguousarray(frames.transpose(0, 3, 1, 2))

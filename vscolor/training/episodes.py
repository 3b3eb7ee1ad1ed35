"""Batches for the video model: scenes with the optical flow that the filter would find in them.

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
from vscolor.models.mini_video.motion import find_motion, flow_estimates, weigh
from vscolor.training.photographs import Bytes, Photographs
from vscolor.training.scenery import SHAPES, Scene, film_scene, make_scene


class Episodes(NamedTuple):
    """What one step trains on: B scenes of F frames.

    Frame 0 is the reference, frame 1 precedes the first to be coloured, frames 2.. are coloured.

    Attributes:
        luma: L* `[B,F,1,h,w]`.
        ab: True colours `[B,F,2,h,w]`.
        places: Position of each pixel in the reference, in pixels, `[B,F,2,h,w]`, x then y.
        visible: Whether the pixel is visible in the reference `[B,F,1,h,w]`, 0 or 1; all 0 if
            positions are unknown.
        back: Flow from frames 2.. to the frame before, in pixels, `[B,F-2,2,h,w]`.
        back_residual: Its luma residual `[B,F-2,1,h/4,w/4]`, L* units.
        direct: Two candidate flows from frames 2.. to the reference, `[B,F-2,2,2,h,w]`.
        direct_shares: Weight of each candidate `[B,F-2,2,h/4,w/4]`.
        direct_residual: Their weighted luma residual `[B,F-2,1,h/4,w/4]`, L* units.
        still: `mini`'s colours of every frame `[B,F,2,h/4,w/4]`.
        taps: Features of `mini`'s encoder for every frame, `[B,F,C,h/s,w/s]` for each of
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
        film_share: Fraction of the scenes that come from films, if there are any.
        seed: Random seed.
    """

    size: int = 6
    frames: int = 3
    film_share: float = 0.6
    seed: int = 0


class NetworkFiles(NamedTuple):
    """Weight files of the networks that are run to make a batch.

    Attributes:
        mini: The still model.
        video: The video model whose embedding gives the initial estimate of flow to the reference,
            as in the filter; None for flow that starts from zero.
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
        """`mini`'s colours and encoder taps for luma `[B,F,1,h,w]`, each `[B*F,...]`."""
        feeds = {
            "luma": luma.reshape(-1, *luma.shape[2:]),
            "temperature": np.array(TEMPERATURE, np.float32),
        }
        return list(_session(self.networks.mini).run(None, feeds))

    def _vectors(self, taps: list[Array]) -> Sequence[Array | None]:
        """Embedding of each scene's frames, `[F,64,h/8,w/8]`; None without a video model."""
        if self.networks.video is None:
            return [None] * self.settings.size
        feeds = {f"tap.{index}": tap for index, tap in zip(TAPS, taps, strict=True)}
        (vectors,) = _embedding(self.networks.video).run(["vectors"], feeds)
        return np.split(vectors, self.settings.size)


@cache
def _session(mini: Path) -> onnxruntime.InferenceSession:
    """`mini` in ONNX Runtime, one thread in each batch worker: a third of torch's time."""
    return onnx_session(build(mini, taps=tuple(TAPS)).SerializeToString(), Device("onnx", "cpu"))


@cache
def _embedding(video: Path) -> onnxruntime.InferenceSession:
    """The embedding of the video model, likewise."""
    return onnx_session(build_video(video)["embed"].SerializeToString(), Device("onnx", "cpu"))


def _observe(scene: Scene, vectors: Array | None) -> list[Array]:
    """One scene's fields of `Episodes`, channels first; `vectors` is its frames' embedding."""
    luma = scene.luma
    later = range(2, len(luma))
    back = [find_motion(luma[n], luma[n - 1], near=True) for n in later]
    routes = [flow_estimates(luma[n], luma[0], _start(vectors, n)) for n in later]
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
    """Initial estimate of the flow from frame n to the reference."""
    return None if vectors is None else initial_flow(vectors[n], vectors[0], _nearest)


def _nearest(query: Array, keys: Array) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (query[0] @ keys[0].T).argmax(axis=1)[None]
    return found


def _channels_first(frames: Array) -> Array:
    return np.ascontiguousarray(frames.transpose(0, 3, 1, 2))

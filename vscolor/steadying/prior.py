"""Deep Video Prior in the graph: which fit belongs to a clip, and the chroma it makes.

A clip is identified by a sample of its frames, so that a filter finds its fit at once. Each fit
holds thumbnails of its frames; a frame that differs from its thumbnail is refused.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor import device as devices
from vscolor.batching import pack
from vscolor.color import yuv_matrix
from vscolor.errors import SettingError, VscolorError
from vscolor.memory import tidy
from vscolor.models import running
from vscolor.models.base import Array
from vscolor.models.dvp.architecture import STRIDE
from vscolor.models.stepper import Picture
from vscolor.steadying.fits import SceneEntry, Store, digest
from vscolor.steadying.pictures import read_picture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vscolor.device import Device

VERSION: Final = 3
"""Of everything that decides a fit; raising it invalidates older fits."""

SAMPLED: Final = 12
"""Frames by which a clip is identified."""

THUMBNAIL: Final = 4
TOLERANCE: Final = 3
"""8-bit levels by which a frame may differ from its thumbnail: processors round differently."""

NETWORKS_KEPT: Final = 4
SMOOTHING: Final = 1 / 32
"""Sigma of the blur that parts fine detail from the rest, over chroma's short side."""

DETAIL: Final = 3 / 224
"""Largest fine detail of a correction that is suppressed, in nominal units (3 levels)."""

REMEDY: Final = (
    "fit it first, which takes minutes: `vscolor fit IN` (give it the settings of the filter), "
    "stabilize(..., fit=True), or `vscolor stabilize --method dvp`, which fits by itself"
)


@dataclass(frozen=True)
class Prior:
    """What decides a fit, apart from the clip.

    Attributes:
        size: Short side of the luma the network sees, pixels.
        seed: Random seed.
        irt: Whether to use iteratively reweighted training.
        reference: Whether to use the authors' network and training loop.
    """

    size: int = 128
    seed: int = 0
    irt: bool = True
    reference: bool = False

    @property
    def stride(self) -> int:
        """How many times smaller chroma is than luma."""
        return 1 if self.reference else STRIDE

    def identity(self) -> str:
        """The settings and the version as text, for keys."""
        return json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)


def thumbnail(picture: Picture) -> NDArray[np.uint8]:
    """A picture averaged to 4x4 pixels, as 8-bit levels `[3,4,4]`."""
    small = [
        plane.reshape(THUMBNAIL, plane.shape[0] // THUMBNAIL, THUMBNAIL, -1).mean(axis=(1, 3))
        for plane in (picture.luma[0, 0], *picture.chroma[0])
    ]
    levels = 255 * (np.stack(small) + np.array([0, 0.5, 0.5])[:, None, None])
    return np.asarray(np.clip(np.round(levels), 0, 255), np.uint8)


def clip_key(pictures: vs.VideoNode, prior: Prior, cuts: Iterable[int] | None, matrix: int) -> str:
    """The key of a clip: of settings, matrix, length, cuts and a sample of its frames."""
    count = pictures.num_frames
    numbers = sorted({round(i * (count - 1) / (SAMPLED - 1)) for i in range(SAMPLED)})
    looks = [thumbnail(read_picture(pictures.get_frame(n))).tobytes() for n in numbers]
    listed = "found" if cuts is None else str(sorted(set(cuts)))
    return digest(prior.identity(), matrix, count, listed, *looks)


def correction_by_fit(
    pictures: vs.VideoNode, scenes: list[SceneEntry], prior: Prior, maker: Maker, caller: str
) -> vs.VideoNode:
    """What to add to chroma, by networks fitted before.

    Args:
        pictures: As `vscolor.steadying.pictures.small_pictures` makes them.
        scenes: The clip's.
        prior: How they were fitted.
        maker: Runs the networks.
        caller: The filter's name, for messages.

    Returns:
        YUV444PS of the size of the pictures' chroma; U and V in nominal units.
    """
    fmt = pictures.format
    size = (pictures.width >> fmt.subsampling_w, pictures.height >> fmt.subsampling_h)
    blank = vs.core.std.BlankClip(pictures, *size, vs.YUV444PS, keep=True)
    firsts = [scene.first for scene in scenes]

    def steady(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        scene = scenes[bisect_right(firsts, n) - 1] if scenes else None
        try:
            if scene is None or not scene.first <= n < scene.stop:
                raise SettingError(f"its scene has no fit; {REMEDY}")
            picture = read_picture(f[1])
            made = maker.steady(picture, scene.key, n - scene.first)
        except VscolorError as error:
            raise vs.Error(f"{caller}: frame {n}: {error}") from None
        tidy()
        correction = made - picture.chroma
        return pack(f[0], correction if prior.reference else smoothed(correction))

    return blank.std.ModifyFrame([blank, pictures], steady)


def smoothed(correction: Array) -> Array:
    """A correction `[1,2,h,w]` without fine detail of up to `DETAIL`.

    A network's colours are soft: small fine detail in a correction would remove the film's own,
    whereas flicker with sharp edges is large.
    """
    import cv2

    spread = SMOOTHING * min(correction.shape[2:])
    broad = np.stack(
        [
            cv2.GaussianBlur(plane, (0, 0), spread, borderType=cv2.BORDER_REFLECT_101)
            for plane in correction[0]
        ]
    )[None]
    return np.asarray(correction - np.clip(correction - broad, -DETAIL, DETAIL), np.float32)


class Maker:
    """Runs fitted networks and keeps a few of them in memory.

    Args:
        store: Where they are.
        prior: How they were fitted.
        device: A device of the runtime torch.
        matrix: The clip's, an H.273 number; converts the RGB that the authors' network returns.
    """

    def __init__(self, store: Store, prior: Prior, device: Device, matrix: int) -> None:
        self._store, self._prior, self._device = store, prior, device
        self._yuv = yuv_matrix(matrix)
        self._held: OrderedDict[str, tuple[nn.Module, NDArray[np.uint8]]] = OrderedDict()
        self._lock = threading.Lock()

    def steady(self, picture: Picture, key: str, number: int) -> Array:
        """Chroma `[1,2,h,w]` of a frame of a scene.

        Raises:
            SettingError: The fit is gone or damaged, or was made from another frame.
        """
        with self._lock:
            network, looks = self._network(key)
        gap = np.abs(thumbnail(picture).astype(int) - looks[number]).max()
        if gap > TOLERANCE:
            raise SettingError(
                f"it is not the one its scene was fitted to: they differ by {gap} levels; {REMEDY}"
            )
        return self._run(network, picture)

    def _network(self, key: str) -> tuple[nn.Module, NDArray[np.uint8]]:
        if key not in self._held:
            state, looks = self._store.read_scene(key)
            network = self._empty()
            network.load_state_dict({name: value.float() for name, value in state.items()})
            where = devices.torch_device(self._device)
            self._held[key] = network.eval().to(where), looks
            while len(self._held) > NETWORKS_KEPT:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    def _empty(self) -> nn.Module:
        if self._prior.reference:
            from vscolor.models.dvp.reference import TorchNet

            return TorchNet(6 if self._prior.irt else 3)
        from vscolor.models.dvp.network import PriorNet

        return PriorNet(irt=self._prior.irt)

    def _run(self, network: Callable[[Tensor], Tensor], picture: Picture) -> Array:
        import torch

        from vscolor.models.dvp.network import select_mode

        size = picture.luma.shape[2:]
        with running.inference(self._device, 1, *size):
            luma = torch.from_numpy(picture.luma).to(devices.torch_device(self._device))
            if not self._prior.reference:
                made: Array = select_mode(network(luma)).cpu().numpy()
                return made
            rgb = network(luma.expand(-1, 3, -1, -1))[:, :3].clamp(0, 1).cpu().numpy()
        return np.asarray(np.einsum("kc,bchw->bkhw", self._yuv[1:], rgb), np.float32)

"""`devc` as a `VideoModel`.

`encode`, `match` and `step` exchange flat rows of floats, whose layouts are `Parts`. Pictures are
padded on the right to a width that the networks accept.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vscolor import device as devices
from vscolor.device import Device
from vscolor.errors import SettingError
from vscolor.models import running
from vscolor.models.base import Array, Card, Grid, Option, StillModel
from vscolor.models.devc import post
from vscolor.models.parts import Parts
from vscolor.models.video import BlockPlan, Exemplar, ScaledHint, Strengths
from vscolor.weights.catalog import WeightAlternatives, WeightFile, WeightSet

if TYPE_CHECKING:
    from torch import Tensor

    from vscolor.models.devc.network import Devc

WIDTH_MULTIPLE: Final = 16
HEIGHT_MULTIPLE: Final = 8
STRIDE: Final = 4
"""Stride of the matching, in luma pixels."""
CHANNELS: Final = 256
PREFERENCE: Final = 0.05
"""Cosine advantage of an exemplar with e times the weight. Within a shot correspondence decides;
the user's picture wins over the scene's own keyframe, which resembles the frame most."""
MIN_SHARE: Final = 1e-6
KEYS_KEPT: Final = 8
L_CENTRE: Final = 50.0
AB_LIMIT: Final = 128.0
RELEASE: Final = (
    "https://github.com/zhangmozhe/Deep-Exemplar-based-Video-Colorization/releases/download/v1.0"
)
ARCHIVE: Final = f"{RELEASE}/colorization_checkpoint.zip"
NETS: Final = {
    "vgg19_conv.pth": ("vgg", "data/vgg19_conv.pth"),
    "nonlocal_net_iter_76000.pth": (
        "warp",
        "checkpoints/video_moredata_l1/nonlocal_net_iter_76000.pth",
    ),
    "colornet_iter_76000.pth": ("color", "checkpoints/video_moredata_l1/colornet_iter_76000.pth"),
}

CARD = Card(
    name="devc",
    kind="video",
    summary="the paper's own history and exemplars; slow on a CPU",
    paper="Zhang et al. 2019, arXiv:1906.09909",
    code_licence="MIT",
    weights_licence="not stated; trained on ImageNet and Videvo clips",
    score="in the paper",
    page="docs/models.md",
    supports=frozenset({"history", "references"}),
)
OPTIONS = (
    Option(
        "temperature",
        float,
        1e-10,
        "of the softmax over positions of the reference; 1e-10 takes the best one alone",
        low=1e-12,
        high=1.0,
    ),
    Option("boost", float, post.BOOST, "factor on the colour shown, as published", low=0, high=4),
    Option(
        "smooth", bool, False, "the authors' smoothing of the colour shown; needs the extra devc"
    ),
    Option("still", str, "mini", "the still model that colours a scene's keyframes"),
)
BLOCKS: Final = BlockPlan(length=24, warm_up=8)


def check(name: str, path: Path) -> None:
    """Raise `WeightsError` if a file is not of these networks."""
    from vscolor.models.devc.network import Devc
    from vscolor.weights.checkpoint import load_strictly, read_state

    load_strictly(Devc().get_submodule(NETS[name][0]), read_state(path), path)


WEIGHTS = WeightSet(
    "devc",
    tuple(WeightFile(name, url=ARCHIVE, member=member) for name, (_, member) in NETS.items()),
    check,
)
NEEDS: tuple[WeightAlternatives, ...] = ((WEIGHTS,),)


def build(paths: Mapping[str, Path]) -> Devc:
    """Load the three networks, on the CPU."""
    from vscolor.models.devc.network import Devc
    from vscolor.weights.checkpoint import load_strictly, read_state

    network = Devc()
    for name, (part, _) in NETS.items():
        load_strictly(network.get_submodule(part), read_state(paths[name]), paths[name])
    return network.eval()


def load(
    device: Device,
    weights: str | Path | None,
    options: Mapping[str, Any],
    strengths: Strengths,
    *,
    open_still: Callable[[str, Device], StillModel],
) -> DevcVideo:
    """Load the model; see `vscolor.models.video.VideoLoader`.

    Args:
        device: Of the runtime torch.
        weights: A folder with the three files; None for the cache's.
        options: `temperature`, `boost`, `smooth`, `still`.
        strengths: `history` and `reference`; the model has no still colour of its own to weight.
        open_still: Loads the model named by `still`; see
            `vscolor.models.registry.Registry.open_still`.

    Raises:
        SettingError: `still` does not name a still model, or `still_strength` is set.
    """
    if strengths.still != 1:
        raise SettingError(
            f"still_strength= is {strengths.still:g}, but model devc takes still colours only as "
            "its scenes' references; use reference_strength="
        )
    if options["smooth"]:
        post.require_smoother()
    still = open_still(options["still"], device)

    def ready(paths: dict[str, Path]) -> Devc:
        return build(paths).to(devices.torch_device(device))

    return DevcVideo(WEIGHTS.open(weights, device, ready), device, still, options, strengths)


def feature_parts(height: int, width: int) -> Parts:
    """Layout of `encode`'s result: WarpNet's description and the still model's colours."""
    h, w = height // STRIDE, _padded_width(width) // STRIDE
    return Parts(described=(CHANNELS, h, w), still=(2, h, width // STRIDE))


def match_parts(height: int, width: int) -> Parts:
    """Layout of `match`'s result: the frame's luma, the matched ab and its similarity."""
    h, w = height // STRIDE, _padded_width(width) // STRIDE
    return Parts(luma=(1, height, width), carried=(2, h, w), similarity=(1, h, w))


def _padded_width(width: int) -> int:
    return width + -width % WIDTH_MULTIPLE


class DevcVideo:
    """Deep Exemplar-based Video Colorization. Its state is the Lab of the frame before."""

    grid = Grid(multiple=HEIGHT_MULTIPLE, ab_stride=1, size=216)
    blocks = BLOCKS

    def __init__(
        self,
        network: Devc,
        device: Device,
        still: StillModel,
        options: Mapping[str, Any],
        strengths: Strengths,
    ) -> None:
        self._network = network
        self._device = device
        self._still = still
        self._temperature: float = options["temperature"]
        self._boost: float = options["boost"]
        self._smooth: bool = options["smooth"]
        self._strengths = strengths
        # Cache of exemplars' keys, which depend only on their pixels: one exemplar serves a whole
        # scene.
        self._keys: OrderedDict[bytes, Array] = OrderedDict()
        self._lock = Lock()

    def feature_size(self, height: int, width: int) -> int:
        """See `VideoModel`."""
        return feature_parts(height, width).size

    def match_size(self, height: int, width: int) -> int:
        """See `VideoModel`."""
        return match_parts(height, width).size

    def encode(self, luma: Array) -> Array:
        """See `VideoModel`."""
        described = running.on_torch(self._device, self._describe, _padded(luma))
        still = _small(_still_colour(self._still, luma), *luma.shape[2:])
        return np.concatenate([x.reshape(len(luma), -1) for x in (described, still)], axis=1)

    def _describe(self, luma: Tensor) -> Tensor:
        import torch

        # Similar positions have nearly equal cosines: half precision would change the best match.
        with torch.autocast(luma.device.type, enabled=False):
            return self._network.describe(luma.float() - L_CENTRE)

    def still(self, features: Array, height: int, width: int) -> Array:
        """See `VideoModel`."""
        return _large(feature_parts(height, width).unpack(features)["still"], STRIDE)

    def spread(self, luma: Array, features: Array, hints: list[ScaledHint]) -> tuple[Array, Array]:  # noqa: ARG002
        """See `VideoModel`; this model takes no hints.

        Raises:
            SettingError: Always.
        """
        raise SettingError("model devc takes no hints")

    def match(
        self,
        luma: Array,
        before: Array,  # noqa: ARG002
        features: Array,
        exemplars: Sequence[Exemplar],
    ) -> Array:
        """See `VideoModel`."""
        height, width = luma.shape
        parts = match_parts(height, width)
        described = feature_parts(height, width).unpack(features)["described"]
        if exemplars and self._strengths.reference:
            carried, similarity = self._carried(described, exemplars)
        else:
            carried = np.zeros((2, *described.shape[1:]), np.float32)
            similarity = np.zeros((1, *described.shape[1:]), np.float32)
        return parts.pack(luma=luma, carried=carried, similarity=similarity)

    def _carried(self, described: Array, exemplars: Sequence[Exemplar]) -> tuple[Array, Array]:
        """Ab of the best-matching positions and their similarity, at the matching's stride."""
        keys = np.concatenate([self._key(e) for e in exemplars], axis=1)
        values = np.concatenate([_pooled(e.ab) for e in exemplars])
        heaviest = max(e.weight for e in exemplars)
        bias = np.concatenate([_bias(e, e.weight / heaviest) for e in exemplars])
        made = running.on_torch(
            self._device, self._search, described[None], keys[None], values[None], bias[None]
        )
        similarity = np.clip(made[0, 2:] * self._strengths.reference, -1, 1)
        return made[0, :2], similarity

    def _search(self, described: Tensor, key: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        import torch

        from vscolor.models.devc.network import search

        with torch.autocast(described.device.type, enabled=False):
            query = self._network.warp.query(described)
            ab, similar = search(query, key, values, self._temperature, bias)
            made = torch.cat([ab, similar[:, :, None]], 2).transpose(1, 2)
            return made.reshape(1, 3, *described.shape[2:])

    def _key(self, exemplar: Exemplar) -> Array:
        """An exemplar's matching key; unlike a frame, an exemplar is encoded in colour."""
        name = hashlib.sha256(exemplar.luma.tobytes() + exemplar.ab.tobytes()).digest()
        with self._lock:
            if name in self._keys:
                self._keys.move_to_end(name)
                return self._keys[name]
        lab = np.concatenate([exemplar.luma[None] - L_CENTRE, exemplar.ab])[None]
        key: Array = running.on_torch(self._device, self._encode_reference, _padded(lab))[0]
        with self._lock:
            self._keys[name] = key
            while len(self._keys) > KEYS_KEPT:
                self._keys.popitem(last=False)
        return key

    def _encode_reference(self, lab: Tensor) -> Tensor:
        import torch

        with torch.autocast(lab.device.type, enabled=False):
            return self._network.encode_reference(lab.float()).key

    def state_shape(self, height: int, width: int) -> tuple[int, ...]:
        """See `VideoModel`."""
        return (3, height, _padded_width(width))

    def step(
        self, matched: Array, state: Array | None, height: int, width: int
    ) -> tuple[Array, Array]:
        """See `VideoModel`.

        The state is L - 50 and the network's own ab of the frame before, padded, without boost and
        smoothing. A `history_strength` above 1 acts as 1.
        """
        parts = match_parts(height, width).unpack(matched)
        luma = _padded(parts["luma"][None]) - L_CENTRE
        last = np.zeros((3, *luma.shape[2:]), np.float32)
        if state is not None:
            last = state * np.float32(min(self._strengths.history, 1.0))
        ab = running.on_torch(
            self._device,
            self._color,
            luma,
            _repeated(parts["carried"])[None],
            _repeated(parts["similarity"])[None],
            last[None],
        )[0]
        return self._shown(parts["luma"][0], ab[:, :, :width]), np.concatenate([luma[0], ab])

    def _color(self, *inputs: Tensor) -> Tensor:
        import torch

        ab: Tensor = self._network.color(torch.cat(inputs, 1))
        return ab

    def _shown(self, luma: Array, ab: Array) -> Array:
        """The colour as the authors display it: boosted, optionally smoothed."""
        raised = np.clip(ab * np.float32(self._boost), -AB_LIMIT, AB_LIMIT)
        return post.smooth(post.edge_guide(luma), raised) if self._smooth else raised


def _padded(planes: Array) -> Array:
    """Pad `[B,C,h,w]` on the right to a width the networks accept, repeating the last column."""
    beside = -planes.shape[3] % WIDTH_MULTIPLE
    return np.pad(planes, ((0, 0), (0, 0), (0, 0), (0, beside)), mode="edge") if beside else planes


def _still_colour(still: StillModel, luma: Array) -> Array:
    """Ab of a still model with any grid, cropped to the picture, `[B,2,h/s,w/s]`."""
    h, w = (-(-side // still.grid.ab_stride) for side in luma.shape[2:])
    return still.predict(running.padded(luma, still.grid.multiple))[:, :, :h, :w]


def _small(planes: Array, height: int, width: int) -> Array:
    """Resize planes of any stride to the matching's, `[B,C,h,w]` to `[B,C,height/4,width/4]`."""
    import cv2

    size = (width // STRIDE, height // STRIDE)
    return np.stack(
        [[cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in row] for row in planes]
    )


def _large(planes: Array, factor: int) -> Array:
    """Upscale `[C,h,w]` by a factor, bilinear."""
    import cv2

    size = (planes.shape[2] * factor, planes.shape[1] * factor)
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in planes])


def _repeated(planes: Array) -> Array:
    """Upscale `[C,h,w]` by `STRIDE`, nearest neighbour."""
    return np.asarray(planes.repeat(STRIDE, axis=1).repeat(STRIDE, axis=2))


def _pooled(planes: Array) -> Array:
    """Average pooling of padded planes over 4x4 blocks, `[C,h,w]` to `[h/4*w/4,C]`."""
    whole = _padded(planes[None])[0]
    channels, height, width = whole.shape
    cells = whole.reshape(channels, height // STRIDE, STRIDE, width // STRIDE, STRIDE)
    return np.asarray(cells.mean(axis=(2, 4)).reshape(channels, -1).T, np.float32)


def _bias(exemplar: Exemplar, share: float) -> Array:
    """Bias of the cosines of an exemplar's positions, `[m]`."""
    standing = np.maximum(_pooled(exemplar.confidence[None])[:, 0] * share, MIN_SHARE)
    return np.asarray(PREFERENCE * np.log(standing), np.float32)

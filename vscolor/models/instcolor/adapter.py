"""`instcolor` as a `WindowedModel`: it detects objects in every frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vscolor import device as devices
from vscolor.device import Device
from vscolor.errors import SettingError
from vscolor.files import expanded
from vscolor.models import running
from vscolor.models.base import WINDOW_OPTION, Analysis, Array, Card, Grid, Option, StillModel
from vscolor.models.instcolor import boxes, detector
from vscolor.models.instcolor.boxes import Boxes
from vscolor.models.instcolor.detector import Detector
from vscolor.weights.catalog import WeightAlternatives, WeightFile, WeightSet, serving

if TYPE_CHECKING:
    from torch import Tensor

    from vscolor.models.instcolor.network import InstColor, Placement

PADDING: Final = 8
STRIDES: Final = (1, 2, 4, 8)
NETS: Final = {"G": "latest_net_G.pth", "GComp": "latest_net_GComp.pth", "GF": "latest_net_GF.pth"}
ZIP_FOLDER: Final = "coco_finetuned_mask_256_ffs"
DRIVE: Final = "https://drive.google.com/open?id=1Xb-DKAA9ibCVLqm8teKd1MWk6imjwTBh"
MMLAB: Final = "inst-colorizatioon_full_official_cocostuff-256x256-5b9d4eee.pth"
MMLAB_URL: Final = "https://download.openmmlab.com/mmediting/inst_colorization"
MMLAB_NETS: Final = {"G": "instance_model.", "GComp": "image_model.", "GF": "fusion_model."}
MMLAB_BARE: Final = (
    "model8up",
    "model3short8",
    "model9up",
    "model2short9",
    "model10up",
    "model1short10",
    "model_class",
)
"""Layers that lack the authors' `.0` in the keys of OpenMMLab's file."""

CARD = Card(
    name="instcolor",
    kind="still",
    summary="finds objects and colours them on their own; slow",
    paper="Su, Chu, Huang 2020, arXiv:2005.10825",
    code_licence="MIT",
    weights_licence="not stated; trained on COCO-Stuff",
    score="in the paper",
    page="docs/models.md",
)
OPTIONS = (
    Option("score", float, 0.7, "least score of an object", low=0.0, high=1.0),
    Option("count", int, 8, "the most objects in a frame", low=0, high=64),
    Option(WINDOW_OPTION, int, 2, "frames on each side that steady the boxes", low=0, high=8),
    Option("crop", int, 256, "side of an object's square crop in pixels", low=16, high=1024),
    Option("detector_size", int, 800, "short side the detector sees", low=64, high=1600),
    Option(
        "detector",
        object,
        "maskrcnn",
        "'maskrcnn', 'none' for the whole picture alone, or a function from L* [h,w] to boxes",
    ),
)


def check(name: str, path: Path) -> None:
    """Raise `WeightsError` if a file is not of these networks."""
    if name == MMLAB:
        build({name: path})
        return
    from vscolor.models.instcolor.network import InstColor
    from vscolor.weights.checkpoint import load_strictly, read_state

    net = next(net for net, file in NETS.items() if file == name)
    load_strictly(InstColor().get_submodule(net), read_state(path), path)


OPENMMLAB = WeightSet(
    "instcolor", (WeightFile(MMLAB, url=f"{MMLAB_URL}/{MMLAB}", sha256="5b9d4eee"),), check
)
AUTHORS = WeightSet(
    "instcolor",
    tuple(
        WeightFile(
            name, page=f"checkpoints.zip at {DRIVE}", member=f"{ZIP_FOLDER}/{name}", sha256=digest
        )
        for name, digest in (
            (NETS["G"], "91c2812f62095526612e85ed6eeafaab55f31bcec6b1e97e4d7299c442f490ab"),
            (NETS["GComp"], "8b5d727597138615b40408d69f49f6917d900ae0f1d39c692b885c16d47e2e69"),
            (NETS["GF"], "c76656d5c0785fd9cf79b6deb67f015de8753bfbce351c05ff5f965f73861586"),
        )
    ),
    check,
)
NEEDS: tuple[WeightAlternatives, ...] = ((OPENMMLAB, AUTHORS), (detector.WEIGHTS,))


def build(paths: Mapping[str, Path]) -> InstColor:
    """Load the three networks from OpenMMLab's file or the authors' three, on the CPU."""
    from vscolor.models.instcolor.network import InstColor
    from vscolor.weights.checkpoint import load_strictly, read_state

    network = InstColor()
    if len(paths) == 1:
        (path,) = paths.values()
        whole = read_state(path)
        for net, prefix in MMLAB_NETS.items():
            state = {_authors_key(k, prefix): v for k, v in whole.items() if k.startswith(prefix)}
            load_strictly(network.get_submodule(net), state, f"{path} ({prefix[:-1]})")
    else:
        for net, name in NETS.items():
            load_strictly(network.get_submodule(net), read_state(paths[name]), paths[name])
    return network.eval()


def _authors_key(key: str, prefix: str) -> str:
    """The authors' key for one of OpenMMLab's."""
    layer, _, rest = key.removeprefix(prefix).partition(".")
    return f"{layer}.0.{rest}" if layer in MMLAB_BARE and rest[:1] != "0" else f"{layer}.{rest}"


def load(device: Device, weights: str | Path | None, options: Mapping[str, Any]) -> StillModel:
    """Load the model; see `vscolor.models.base.StillLoader`.

    Args:
        device: Of the runtime torch.
        weights: OpenMMLab's file, or a folder with the authors' three; None for those in the cache.
        options: `score`, `count`, `radius`, `crop`, `detector_size`, `detector`.

    Raises:
        SettingError: `detector` is neither a known name nor a function.
    """
    find = _detector(device, options)
    chosen = serving((OPENMMLAB, AUTHORS))
    if weights is not None:
        chosen = AUTHORS if expanded(weights).is_dir() else OPENMMLAB

    def ready(paths: dict[str, Path]) -> InstColor:
        return build(paths).to(devices.torch_device(device))

    return InstColorStill(chosen.open(weights, device, ready), device, find, options)


def _detector(device: Device, options: Mapping[str, Any]) -> Detector:
    wanted = options["detector"]
    if wanted == "none":
        return detector.whole_picture_only
    if wanted == "maskrcnn":
        return detector.load(device, options["detector_size"])
    if not callable(wanted):
        raise SettingError(
            f"detector= is {wanted!r}, expected maskrcnn, none, or a function that is given L* "
            "[h,w] and returns boxes"
        )
    return wanted  # type: ignore[no-any-return]


class InstColorStill:
    """Colours luma of any even size. A `WindowedModel` whose analyses are boxes."""

    grid = Grid(multiple=2, ab_stride=1, size=256)

    def __init__(
        self, network: InstColor, device: Device, find: Detector, options: Mapping[str, Any]
    ) -> None:
        self._network = network
        self._device = device
        self._find = find
        self._score: float = options["score"]
        self._count: int = options["count"]
        self._crop: int = options["crop"]
        self.radius: int = options[WINDOW_OPTION]

    def analyse(self, luma: Array) -> Analysis:
        """See `WindowedModel.analyse`.

        Raises:
            SettingError: The caller's detector did not return boxes.
        """
        if self._count == 0:
            return np.zeros(0, np.float32)
        try:
            found = boxes.as_boxes(self._find(luma[0, 0]))
        except (ValueError, TypeError) as error:
            raise SettingError(f"detector= returned no boxes: {error}") from error
        return boxes.best(found, self._score, self._count).reshape(-1)

    def predict(self, luma: Array) -> Array:
        """See `StillModel.predict`: each frame with its own objects, not stabilised."""
        alone = [{0: self.analyse(frame[None])} for frame in luma]
        return self.predict_windowed(luma, alone)

    def predict_windowed(self, luma: Array, analyses: Sequence[Mapping[int, Analysis]]) -> Array:
        """See `WindowedModel.predict_windowed`."""
        return np.concatenate(
            [
                self._color(frame[None], {d: boxes.as_boxes(v) for d, v in window.items()})
                for frame, window in zip(luma, analyses, strict=True)
            ]
        )

    def _color(self, luma: Array, window: dict[int, Boxes]) -> Array:
        """Colour one frame; the fusion network accepts only one at a time."""
        h, w = luma.shape[2:]
        objects = boxes.smoothed(window, self._score, self._count)
        objects = boxes.clipped(objects, w, h)
        made = running.on_torch(
            self._device, lambda x: self._run(x, objects, (h, w)), running.padded(luma, PADDING)
        )
        return made[:, :, :h, :w]

    def _run(self, luma: Tensor, objects: Boxes, size: tuple[int, int]) -> Tensor:
        import torch
        from torch.nn import functional

        if not len(objects):
            alone: Tensor = self._network(luma)
            return alone
        places = placements(objects, (luma.shape[2], luma.shape[3]))
        side = (self._crop // PADDING) * PADDING
        crops = [
            functional.interpolate(
                luma[:, :, p.top : p.top + p.height, p.left : p.left + p.width],
                size=(side, side),
                mode="bilinear",
                antialias=True,
            )
            for p in (placements(objects, size)[1])
        ]
        fused: Tensor = self._network(luma, torch.cat(crops), places)
        return fused


def placements(objects: Boxes, size: tuple[int, int]) -> dict[int, list[Placement]]:
    """Where boxes lie in the feature maps of a picture, by stride.

    Args:
        objects: In pixels of the picture.
        size: The picture's height and width.
    """
    from vscolor.models.instcolor.network import Placement

    height, width = size
    places: dict[int, list[Placement]] = {}
    for stride in STRIDES:
        h, w = height // stride, width // stride
        row = []
        for x0, y0, x1, y1 in objects[:, :4].tolist():
            left, right = boxes.span(x0, x1, width, w)
            top, bottom = boxes.span(y0, y1, height, h)
            row.append(Placement(left, w - right, top, h - bottom, right - left, bottom - top))
        places[stride] = row
    return places

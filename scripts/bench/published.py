"""Run every published model on a real film, with generated weights; check bytes, measure time.

    python scripts/bench/published.py --rule tests/models/published.py

No checkpoint is needed: the rule, a Python file, generates weights of the published shapes. The
colours are meaningless, but memory and time are those of the real weights. Each model colours a few
frames at each size, in order and in random order; the results must be the same bytes and keep the
film's luma. The second run's processor time per frame is printed, in seconds over all cores; other
programs disturb it less than wall-clock time. `--frames 40` covers more than one block of `devc`.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import vapoursynth as vs
from numpy.typing import NDArray
from torch import nn

from vscolor import Reference, colorize
from vscolor.commands.demo import find_clip
from vscolor.models.devc.adapter import NETS as DEVC_NETS
from vscolor.models.devc.network import Devc
from vscolor.models.eccv16.adapter import CHECKPOINT as ECCV16_FILE
from vscolor.models.eccv16.network import Eccv16
from vscolor.models.instcolor.adapter import NETS
from vscolor.models.instcolor.network import InstColor
from vscolor.models.siggraph17.adapter import CHECKPOINT as SIGGRAPH17_FILE
from vscolor.models.siggraph17.network import Siggraph17
from vscolor.testing import planes_of

SIZES = ((64, 48), (640, 272), (1920, 1080))
FRAMES = 4
SEED = 0
DEVC_SEEDS = {"vgg": "vgg:", "warp": "nonlocal:", "color": "color:"}


def two_objects(luma: NDArray[np.float32]) -> list[list[float]]:
    """Two boxes, so that the fusion of objects runs."""
    h, w = luma.shape
    return [[w * 0.1, h * 0.1, w * 0.5, h * 0.9, 0.9], [w * 0.4, h * 0.3, w * 0.95, h * 0.95, 0.8]]


@dataclass(frozen=True)
class Model:
    """One model to run.

    Attributes:
        networks: Its networks by their weight files.
        prefixes: Prefixes of the rule's seeds, likewise.
        output: Name of the last layer's weight, and the factor it is multiplied by so that colours
            stay in range.
        options: Value of `options=`.
        name: Name as registered; default: its key in `MODELS`.
        guided: Whether two frames of the film are given as references.
    """

    networks: dict[str, Callable[[], nn.Module]]
    prefixes: dict[str, str] = field(default_factory=dict)
    output: tuple[str, float] = ("model_out.0.weight", 0.25)
    options: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    guided: bool = False


def _instance(net: str) -> Callable[[], nn.Module]:
    return lambda: InstColor().get_submodule(net)


def _part(part: str) -> Callable[[], nn.Module]:
    return lambda: Devc().get_submodule(part)


def _instcolor(detector: object) -> Model:
    return Model(
        {file: _instance(net) for net, file in NETS.items()},
        {file: f"{net}:" for net, file in NETS.items()},
        options={"detector": detector},
        name="instcolor",
    )


def _devc(guided: bool) -> Model:
    return Model(
        {file: _part(part) for file, (part, _) in DEVC_NETS.items()},
        {file: DEVC_SEEDS[part] for file, (part, _) in DEVC_NETS.items()},
        output=("conv10_ab.weight", 0.1),
        name="devc",
        guided=guided,
    )


MODELS = {
    "eccv16": Model({ECCV16_FILE: Eccv16}, output=("model_out.weight", 10.0)),
    "siggraph17": Model({SIGGRAPH17_FILE: Siggraph17}),
    "instcolor": _instcolor("none"),
    "instcolor, 2 objects": _instcolor(two_objects),
    "devc": _devc(guided=False),
    "devc, 2 references": _devc(guided=True),
}


def rule_of(path: Path) -> ModuleType:
    """Import the weight rule."""
    spec = importlib.util.spec_from_file_location("rule", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python file")
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    return rule


def write_weights(model: Model, rule: ModuleType, folder: Path) -> Path:
    """Generate a model's weight files; returns the value for `weights=`."""
    for file, build in model.networks.items():
        shapes = {
            key: (tuple(value.shape), value.is_floating_point())
            for key, value in build().state_dict().items()
        }
        prefix, (layer, gain) = model.prefixes.get(file, ""), model.output
        state = rule.make_state(shapes, prefix, {prefix + layer: gain})
        tensors = {key: torch.from_numpy(np.array(value)) for key, value in state.items()}
        torch.save(tensors, folder / file)
    return folder / next(iter(model.networks)) if len(model.networks) == 1 else folder


def run(label: str, model: Model, weights: Path, clip: vs.VideoNode) -> bool:
    """Colour a clip in order and in random order; print a line; return whether all was good."""
    references = [Reference(clip[n], n) for n in (0, clip.num_frames - 1)] if model.guided else None

    def coloured() -> vs.VideoNode:
        return colorize(
            clip,
            model.name or label,
            weights=weights,
            options=model.options,
            references=references,
            device="cpu",
        )

    out = coloured()
    straight = [planes_of(out, n) for n in range(clip.num_frames)]
    order = np.random.default_rng(SEED).permutation(clip.num_frames).tolist()
    start = time.process_time()
    fresh = coloured()
    mixed = {n: planes_of(fresh, n) for n in order}
    seconds = (time.process_time() - start) / clip.num_frames
    same = all(
        np.array_equal(a, b) for n in order for a, b in zip(mixed[n], straight[n], strict=True)
    )
    kept = all(np.array_equal(mixed[n][0], planes_of(clip, n)[0]) for n in order)
    verdict = "ok" if same and kept else f"FAIL (order {same}, luma {kept})"
    size = f"{clip.width}x{clip.height}"
    print(
        f"{label:22} {size:>10} {seconds:7.2f} s a frame of processor time  {verdict}", flush=True
    )
    return same and kept


def main() -> int:
    """Run all models; returns 1 if bytes differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rule", type=Path, required=True, help="the weight rule, a Python file")
    parser.add_argument("--clip", type=Path, help="a film; default: the demo's")
    parser.add_argument("--only", nargs="+", metavar="MODEL", choices=list(MODELS))
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"of the film; {FRAMES}")
    parser.add_argument("--sizes", nargs="+", metavar="WxH", help="default: all three")
    wanted = parser.parse_args()
    sizes = [tuple(map(int, s.split("x"))) for s in wanted.sizes] if wanted.sizes else SIZES
    rule = rule_of(wanted.rule)
    film = vs.core.bs.VideoSource(str(wanted.clip or find_clip()), cachemode=0)[: wanted.frames]
    good = True
    for label in wanted.only or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            weights = write_weights(MODELS[label], rule, Path(folder))
            for width, height in sizes:
                clip = film.resize.Bicubic(width, height)
                good = run(label, MODELS[label], weights, clip) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

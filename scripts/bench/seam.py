"""Measure whether the block boundaries of `devc` are visible, for several block lengths.

    python scripts/bench/seam.py --rule tests/models/published.py
    python scripts/bench/seam.py --weights FOLDER

`devc` colours a film in blocks, each of which is cross-faded into the next. Here a clip is coloured
with blocks of several lengths and warm-ups, each twice, the second time with the blocks shifted by
half their length. The mean change of ab from frame to frame, over the frames of the cross-fades, is
divided by that of the same frames with the blocks shifted. 1 means that boundaries are invisible.
--weights takes the published files; --rule a Python file that generates weights, which react to
history more strongly than trained ones.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import vapoursynth as vs
from numpy.typing import NDArray
from published import rule_of

from vscolor import nodes
from vscolor.commands.demo import find_clip
from vscolor.device import Device
from vscolor.film import inspect
from vscolor.models.devc import adapter
from vscolor.models.devc.network import Devc
from vscolor.models.registry import registry
from vscolor.models.video import BlockPlan, Exemplar, Strengths, VideoModel

PLANS = (BlockPlan(16, 4), BlockPlan(24, 4), BlockPlan(24, 8), BlockPlan(32, 8), BlockPlan(48, 8))
SEEDS = {"vgg": "vgg:", "warp": "nonlocal:", "color": "color:"}
OUTPUT_GAIN = {"color:conv10_ab.weight": 0.1}

type Ab = NDArray[np.float32]


def write_weights(rule_path: Path, folder: Path) -> None:
    """Generate the three weight files by the rule."""
    rule, network = rule_of(rule_path), Devc()
    for name, (part, _) in adapter.NETS.items():
        own = network.get_submodule(part).state_dict()
        shapes = {k: (tuple(v.shape), v.is_floating_point()) for k, v in own.items()}
        state = rule.make_state(shapes, SEEDS[part], OUTPUT_GAIN)
        torch.save({k: torch.from_numpy(np.array(v)) for k, v in state.items()}, folder / name)


def matched_frames(model: VideoModel, film: vs.VideoNode, size: int) -> list[Ab]:
    """Output of `match` for each frame, with frame 0 as the scene's keyframe."""
    seen = inspect(film)
    height, width = nodes.model_size(seen, size, model.grid.multiple)
    small = nodes.model_luma(seen, height, width)
    lumas = [np.array(frame[0]) for frame in small.frames(close=True)]
    rows = [model.encode(luma[None, None])[0] for luma in lumas]
    confidence = np.ones((height, width), np.float32)
    key = Exemplar(lumas[0], model.still(rows[0], height, width), confidence, rows[0], 1.0, True)
    return [
        model.match(luma, lumas[max(n - 1, 0)], row, [key])
        for n, (luma, row) in enumerate(zip(lumas, rows, strict=True))
    ]


class Chain:
    """Colours of a clip in blocks; runs of the recurrence are cached, as plans share them."""

    def __init__(self, model: VideoModel, matched: list[Ab], height: int, width: int) -> None:
        self._model, self._matched, self._size = model, matched, (height, width)
        self._runs: dict[int, list[Ab]] = {}
        self._states: dict[int, Ab] = {}

    def _run(self, first: int, stop: int) -> list[Ab]:
        """Ab of the frames from `first` on, starting without a state."""
        first = max(first, 0)
        found = self._runs.setdefault(first, [])
        for n in range(first + len(found), min(stop, len(self._matched))):
            ab, state = self._model.step(self._matched[n], self._states.get(first), *self._size)
            self._states[first] = state
            found.append(ab)
        return found[: stop - first]

    def colours(self, plan: BlockPlan, shift: int) -> list[Ab]:
        """Ab of all frames; blocks begin at multiples of the plan's length plus `shift`."""
        result = []
        for n in range(len(self._matched)):
            start = (n - shift) // plan.length * plan.length + shift
            fade = start + plan.length - plan.warm_up
            own = self._run(start - plan.warm_up, n + 1)[-1]
            if n >= fade:
                share = np.float32((n - fade + 1) / (plan.warm_up + 1))
                own = own + (self._run(fade, n + 1)[-1] - own) * share
            result.append(own)
        return result


def seam(chain: Chain, plan: BlockPlan, length: int) -> float:
    """Mean change of ab at boundaries, over that of the same frames with the blocks shifted."""
    half = plan.length // 2
    steps = [
        np.array([np.abs(b - a).mean() for a, b in pairwise(ab)])
        for ab in (chain.colours(plan, 0), chain.colours(plan, half))
    ]
    meets = [
        t - 1
        for t in range(1, length)
        if t >= plan.length
        and (t % plan.length == 0 or t % plan.length >= plan.length - plan.warm_up)
    ]
    return float(steps[0][meets].mean() / steps[1][meets].mean())


def main() -> int:
    """Measure every plan and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="a folder with the published files")
    parser.add_argument("--rule", type=Path, help="else: a weight rule, a Python file")
    parser.add_argument("--clip", type=Path, help="a film; default: the demo's")
    parser.add_argument("--frames", type=int, default=145)
    parser.add_argument("--size", type=int, default=64)
    wanted = parser.parse_args()
    if (wanted.weights is None) == (wanted.rule is None):
        parser.error("give one of --weights and --rule")
    film = vs.core.bs.VideoSource(str(wanted.clip or find_clip()), cachemode=0)[: wanted.frames]
    with tempfile.TemporaryDirectory() as folder:
        if wanted.rule is not None:
            write_weights(wanted.rule, Path(folder))
        weights = wanted.weights or Path(folder)
        place = Device("torch", "cpu")
        model = registry.get("devc").open_video(place, weights, None, Strengths())
    seen = inspect(film)
    height, width = nodes.model_size(seen, wanted.size, model.grid.multiple)
    chain = Chain(model, matched_frames(model, film, wanted.size), height, width)
    for plan in PLANS:
        ratio = seam(chain, plan, film.num_frames)
        cost = 1 + 2 * plan.warm_up / plan.length
        print(
            f"length {plan.length}, warm-up {plan.warm_up}: step where blocks meet {ratio:.3f} of "
            f"elsewhere, {cost:.2f} steps a frame",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

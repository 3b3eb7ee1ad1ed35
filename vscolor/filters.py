"""The filters `colorize` and `stabilize`: they check their arguments and build the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import vapoursynth as vs

from vscolor import device as devices
from vscolor import nodes, windows
from vscolor.arguments import (
    in_range,
    inspect_guide,
    one_of,
    read_cuts,
    whole_in_range,
    yes_or_no,
)
from vscolor.batching import FramePass, guarded, predict_coefficients
from vscolor.errors import SettingError, VscolorError
from vscolor.film import Film, check_frame, inspect
from vscolor.history import debug as debugging
from vscolor.history.guidance import REACHES, Guidance, guided_coefficients
from vscolor.history.hinted import hinted_coefficients
from vscolor.history.hints import Hint
from vscolor.history.hints import listed as read_hints
from vscolor.history.propagation import Propagated
from vscolor.history.references import Given
from vscolor.history.references import listed as read_references
from vscolor.models.base import Grid, HintedModel, StillModel
from vscolor.models.video import Strengths, VideoModel
from vscolor.steadying import stabilizers
from vscolor.steadying.stabilizers import Options

MIN_SIZE, MAX_SIZE = 64, 2048
MAX_SATURATION = 4.0
MAX_STRENGTH = 10.0


def colorize(
    clip: vs.VideoNode,
    model: str | None = None,
    *,
    size: int | None = None,
    batch: int | None = None,
    strength: float = 1.0,
    saturation: float = 1.0,
    temperature: float | None = None,
    edge_aware: bool = True,
    device: str | None = None,
    runtime: str | None = None,
    format: int | str | vs.VideoFormat | None = None,
    guide: vs.VideoNode | None = None,
    weights: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    history: bool | None = None,
    references: Given | Iterable[Given] | None = None,
    hints: Hint | Iterable[Hint] | str | Path | None = None,
    scenes: Iterable[int] | str | Path | None = None,
    history_strength: float = 1.0,
    reference_strength: float = 1.0,
    reference_reach: str = "film",
    still_strength: float = 1.0,
    debug: str | None = None,
) -> vs.VideoNode:
    """Colour a black-and-white clip.

    Luma of YUV and GRAY input is returned bit for bit; only chroma is written, and any chroma the
    input had is replaced. Frame n depends only on the clip, the settings and n.

    Matrix, transfer, primaries, range and chroma location are read from the first frame's
    properties. Defaults where they are absent: BT.601 up to 1024x576, else BT.709; limited range
    (RGB: full); chroma on the left. Linear transfer is linear; every other standard-dynamic-range
    transfer is treated as the sRGB curve. Colours are computed for the clip's primaries (absent:
    BT.709's).

    Args:
        clip: Progressive YUV, GRAY or RGB of constant format, 8 to 16 bits integer, half or single
            float, 16x16 to 8192x8192.
        model: A name that `vscolor models` lists. Default: `mini`, or `mini-video` if history,
            references or hints are given.
        size: Short side of the picture the model sees, in pixels, 64 to 2048, rounded to the
            model's multiple; the picture has the display aspect. Default: the model's own, 192 for
            `mini`, 256 for most.
        batch: Frames per run of the model, 1 to 64. Default: 1 on a CPU, 8 on CUDA.
        strength: From 0, neutral grey, to 1, the model's colour.
        saturation: Factor on a* and b*, 0 to 4.
        temperature: Of the annealed mean, for models that have one: lower is nearer the single most
            likely colour, higher nearer the mean of all. (For `devc`: of the softmax over
            positions of the reference.)
        edge_aware: Whether colour is upscaled along the luma's edges (a fast guided filter) or by
            plain interpolation.
        device: `cpu`, `cuda`, `cuda:N`, `dml`, `dml:N`, `coreml`; default: the best there is.
        runtime: `onnx` or `torch`; default: the one that fits the device.
        format: For YUV and GRAY input, a YUV format of the same depth. Default: the input's; for
            GRAY 4:2:0, or 4:4:4 if a dimension is odd.
        guide: A clip of the same length, of any format and size, that the model sees in place of
            `clip`: a denoised or descratched version, so that the result keeps `clip`'s grain.
        weights: A weight file to use in place of the model's own, or a folder of them.
        options: More settings of the model, by name; `vscolor models show NAME` lists them.
        history: Whether each frame takes colours from the frame before; needs a model with history,
            which takes from its scene's keyframes too. False leaves out the frame before. Default:
            True if the model has history.
        references: Coloured pictures to take colours from: `Reference`s, paths, clips, or a
            folder of pictures named after frames (`ref_000123.png`).
        hints: Colours at points: `Hint`s, or the path of a JSON or CSV file (see
            `vscolor.history.hints`). With a still model (`siggraph17`) each colours its own frame
            alone.
        scenes: First frames of scenes, or the path of a list (see
            `vscolor.scenes.read_scene_file`). Default: the clip's `_SceneChangePrev` if frame 0 has
            it, otherwise cuts are detected.
        history_strength: How much the frame before counts, from 0, not at all, to 10; 1 is the
            model's own weighting.
        reference_strength: How much references, hints and the scene's keyframes count, as above.
        reference_reach: `film`: scenes without a reference take from those of other scenes, by
            feature correspondence. `scene`: a reference that belongs to a frame or scene is used in
            its scene alone.
        still_strength: How much the model's colours for the frame on its own count, as above.
        debug: For models with history. `marks` writes on each frame its number, the start of its
            scene, and the keyframes and references it takes from with their weights. `sources`
            shows, in place of the colours and on dimmed luma, where they come from: blue from the
            frame before, green from references or keyframes along the motion, red from these by
            feature correspondence, grey from the frame on its own. Default: neither.

    Returns:
        The coloured clip, in the input's format unless `format` names another (GRAY becomes YUV),
        with its properties.

    Raises:
        vapoursynth.Error: An argument cannot be used; or, when a frame is requested, the frame is
            interlaced, differs from frame 0 in colorimetry, chroma location or pixel aspect, or the
            device failed.
    """
    try:
        film = inspect(clip)
        canvas = nodes.to_yuv(film)
        seen = canvas if guide is None else inspect_guide(guide, clip, "colorize")
        fmt = nodes.merge_format(film, format)
        gain = in_range("strength", strength, 0, 1) * in_range(
            "saturation", saturation, 0, MAX_SATURATION
        )
        guidance = Guidance(
            None if history is None else yes_or_no("history", history),
            tuple(read_references(references)),
            tuple(read_hints(hints)),
            read_cuts(scenes, clip.num_frames),
            Strengths(
                in_range("history_strength", history_strength, 0, MAX_STRENGTH),
                in_range("reference_strength", reference_strength, 0, MAX_STRENGTH),
                in_range("still_strength", still_strength, 0, MAX_STRENGTH),
            ),
            debug,
            one_of("reference_reach", reference_reach, REACHES),
        )
        entry = guidance.entry(model)
        where = entry.resolve_device(device, runtime)
        colouring = _Colouring(
            film=film,
            seen=seen,
            guidance=guidance,
            size=None if size is None else whole_in_range("size", size, MIN_SIZE, MAX_SIZE),
            batch=whole_in_range(
                "batch", where.default_batch if batch is None else batch, 1, devices.MAX_BATCH
            ),
            lanes=where.lanes(vs.core.num_threads),
            edge_aware=yes_or_no("edge_aware", edge_aware),
        )
        settings = _with_temperature(options, temperature)
        if guidance.cuts is not None and not entry.needs_neighbours(settings):
            raise SettingError(
                f"scenes= does not apply to model {entry.card.name}, which colours each frame on "
                "its own, expected a model that uses other frames, such as mini-video"
            )
        annotated = None
        if entry.card.kind == "video":
            video = entry.open_video(where, weights, settings, guidance.effective_strengths)
            coefficients, annotated = colouring.propagate(video)
        else:
            coefficients = colouring.frame_by_frame(entry.open(where, weights, settings))
        if debug == debugging.SOURCES:
            canvas = seen = debugging.dimmed(canvas)
            gain = 1.0
    except VscolorError as error:
        raise vs.Error(f"colorize: {error}") from error
    coloured = nodes.from_yuv(nodes.merge(canvas, seen, coefficients, gain, fmt), film)
    if debug is None or annotated is None:
        return coloured
    return debugging.written(debug, coloured, annotated)


@dataclass(frozen=True)
class _Colouring:
    """The arguments of `colorize`, read and checked.

    Attributes:
        film: The clip.
        seen: What the model sees: the clip, or its guide.
        guidance: What guides colour beside luma.
        size: Short side of the model's picture; None for the model's own.
        batch: Frames that go through the model together.
        lanes: Nodes that work at the same time.
        edge_aware: Whether colour follows the luma's edges.
    """

    film: Film
    seen: Film
    guidance: Guidance
    size: int | None
    batch: int
    lanes: int
    edge_aware: bool

    def propagate(self, model: VideoModel) -> Propagated:
        """Linear coefficients by a model with history, and what each frame took from."""
        return guided_coefficients(
            self._frames(model.grid),
            model,
            nodes.luma_of(self.seen),
            self.guidance,
            film=self.film,
            batch=self.batch,
            lanes=self.lanes,
            edge_aware=self.edge_aware,
        )

    def frame_by_frame(self, model: StillModel) -> vs.VideoNode:
        """Linear coefficients by a model that colours each frame on its own."""
        frames = self._frames(model.grid)
        if self.guidance.hints and isinstance(model, HintedModel):
            return hinted_coefficients(
                frames,
                model,
                self.guidance.hints,
                film=(self.film.clip.width, self.film.clip.height),
                batch=self.batch,
                lanes=self.lanes,
                edge_aware=self.edge_aware,
            )
        picture = nodes.luma_of(self.seen)
        analyses = windows.analyses_of(model, frames.luma, picture, self.guidance.cuts, "colorize")
        return predict_coefficients(
            replace(frames, analyses=analyses),
            model,
            self.batch,
            self.lanes,
            edge_aware=self.edge_aware,
        )

    def _frames(self, grid: Grid) -> FramePass:
        """The film at the size of a model with this grid."""
        height, width = nodes.model_size(self.seen, self.size or grid.size, grid.multiple)
        luma = nodes.model_luma(self.seen, height, width)
        return FramePass("colorize", luma, self.film.clip, partial(check_frame, self.film))


def stabilize(
    clip: vs.VideoNode,
    method: str = "motion",
    *,
    guide: vs.VideoNode | None = None,
    radius: int | None = None,
    match: float | None = None,
    slow: bool | None = None,
    size: int | None = None,
    device: str | None = None,
    runtime: str | None = None,
    weights: str | Path | None = None,
    seed: int | None = None,
    irt: bool | None = None,
    reference: bool | None = None,
    fit: bool | None = None,
    strength: float = 1.0,
    scenes: Iterable[int] | str | Path | None = None,
) -> vs.VideoNode:
    """Steady the chroma of a coloured clip, whatever coloured it.

    Luma of YUV input is returned bit for bit. Each frame's chroma is moved towards that of the
    same part of the same object in the frames around it, within its scene. Frame n depends only on
    the settings and on frames up to 7 + 2 `radius` away from n, with `slow` 60, with `blind` 47;
    with `dvp` on the frames of its scene.

    Args:
        clip: Progressive YUV or RGB of constant format, 8 to 16 bits integer, half or single float.
        method: `motion`: neighbours warped along motion found by block matching; the densest of the
            candidates, then their mean (see `vscolor.steadying.motion`). `blind`: a small recurrent
            network (see `vscolor.models.blind`). `dvp`: Deep Video Prior, a network fitted to each
            scene ahead of time; needs torch (see `fit`).
        guide: A clip of the same length, of any format and size, whose luma is analysed in place of
            the clip's: a denoised version, for example.
        radius: Of `motion`, frames to look at on each side, 1 to 5; default 4.
        match: Of `motion`, largest mean luma difference of two matching blocks, in 8-bit levels, 1
            to 50; default 8. Raise it for noisy film.
        slow: Of `motion`, whether to remove slow pulsing too, which costs more: it looks at frames
            up to 24 away.
        size: Of `blind` and `dvp`, short side of the luma the network sees, 64 to 1024; default
            256, with `dvp` 128.
        device: Of `blind`, as for `colorize`; of `dvp`, `cpu`, `cuda` or `cuda:N`; default: the
            best there is.
        runtime: Of `blind`, `onnx` or `torch`; default: the one that fits the device.
        weights: Of `blind`, a weight file for its network, or the checkpoint that Lai et al.
            published (`.pth`), whose network then runs on torch.
        seed: Of `dvp`, random seed of the fit; default 0.
        irt: Of `dvp`, whether to use iteratively reweighted training, by which a pixel that jumps
            between two colours gets the more frequent one; default: yes. Without it, it gets their
            mean.
        reference: Of `dvp`, whether to use the authors' network and training loop, many times
            slower; without `irt`, L1 replaces their perceptual loss.
        fit: Of `dvp`, whether to fit now the scenes that are not fitted yet, which takes minutes
            before the filter returns. Without it a clip that was never fitted is refused.
        strength: From 0, chroma unchanged, to 1, steadied fully.
        scenes: First frames of scenes, or the path of a list (see
            `vscolor.scenes.read_scene_file`); default: the clip's `_SceneChangePrev` if frame 0 has
            it, otherwise cuts are detected.

    Returns:
        The steadied clip, in the input's format, with its properties.

    Raises:
        vapoursynth.Error: An argument cannot be used; or, when a frame is requested, the frame is
            interlaced, differs from frame 0 in colorimetry, chroma location or pixel aspect, or
            (`dvp`) from the one its scene was fitted to, or the device failed.
    """
    try:
        gain = in_range("strength", strength, 0, 1)
        film, work = stabilizers.stabilize_input(clip, guide, scenes)
        options = Options(
            radius=radius,
            match=match,
            slow=slow,
            size=size,
            device=device,
            runtime=runtime,
            weights=weights,
            seed=seed,
            irt=irt,
            reference=reference,
            fit=fit,
        )
        u, v = stabilizers.correction(method, work, options)
    except VscolorError as error:
        raise vs.Error(f"stabilize: {error}") from error
    u = guarded(u, clip, partial(check_frame, film), "stabilize")
    return nodes.from_yuv(nodes.add_chroma(work.canvas, [u, v], gain), film)


def _with_temperature(
    options: Mapping[str, Any] | None, temperature: float | None
) -> Mapping[str, Any] | None:
    """The options, including the temperature if it is given as its own argument."""
    if options is not None and not isinstance(options, Mapping):
        raise SettingError(f"options= is {options!r}, expected a dict of settings by name")
    if temperature is None:
        return options
    if options and "temperature" in options:
        raise SettingError("temperature= is given twice, in options= too")
    return {**(options or {}), "temperature": temperature}

"""The command `metrics`: measures a film against the true one, or on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import vapoursynth as vs

from vscolor import console, process
from vscolor.arguments import read_cuts
from vscolor.commands import inputs, tabulate
from vscolor.commands.tabulate import Output
from vscolor.errors import SettingError
from vscolor.metrics import clips, perceptual, published
from vscolor.metrics.meters import METRICS, Meter, PairMeter, chosen
from vscolor.metrics.table import Measurement, Table
from vscolor.metrics.temporal import find_flow
from vscolor.metrics.views import Sample
from vscolor.versions import installed_version

LPIPS, FID = "lpips", "fid"
ALONE: Final = ("colourfulness", "cdc", "warp")
PAIRED: Final = ("psnr", "ssim", *ALONE, "pulsing")


def ignore(_what: object) -> None:
    """A callback that does nothing."""


@dataclass(frozen=True)
class MetricsRequest:
    """What to measure and how.

    Attributes:
        metrics: Names of `METRICS`, `lpips` or `fid`; empty for the default ones.
        size: Short side to which everything is scaled down; None for the film's own.
        far: Whether to measure warp error from each scene's first frame too.
        scenes: File of cuts; None to find them.
        lpips: Checkpoint of LPIPS's network; None for the one in the cache.
        lpips_net: Which network LPIPS uses.
        fid: Checkpoint of Inception v3; None for the one in the cache.
        flow: Optical flow: `dis`, `raft`, or a checkpoint of RAFT (large).
    """

    metrics: tuple[str, ...] = ()
    size: int | None = None
    far: bool = False
    scenes: Path | None = None
    lpips: Path | None = None
    lpips_net: str = "alex"
    fid: Path | None = None
    flow: str = published.DIS

    def names(self, paired: bool, luma: bool) -> tuple[str, ...]:
        """The metrics requested, or the default ones, and those whose checkpoint is given.

        Args:
            paired: Whether there is a true clip.
            luma: Whether its luma can be compared.
        """
        usual = (*PAIRED, *(["luma"] if luma else [])) if paired else ALONE
        files_given = [name for name in (LPIPS, FID) if getattr(self, name)]
        return tuple(dict.fromkeys([*(self.metrics or usual), *files_given]))


class _Judge:
    """The meters of one result."""

    def __init__(
        self, names: Sequence[str], distance: perceptual.Lpips | None, fid: Path | None, first: int
    ) -> None:
        self._meters: list[Meter] = [METRICS[n].make() for n in names if n in METRICS]
        if distance is not None:
            self._meters.append(PairMeter(LPIPS, distance))
        self._fid = perceptual.Fid(fid) if fid is not None else None
        self.table = Table([column for meter in self._meters for column in meter.columns], first)

    def add(self, sample: Sample) -> None:
        row = [value for meter in self._meters for value in meter.add(sample)]
        self.table.add(row, sample.cut)
        if self._fid is not None and sample.truth is not None:
            self._fid.add(sample.result.rgb8, sample.truth.rgb8)

    def finish(self) -> Measurement:
        return Measurement(self.table, {FID: self._fid.value()} if self._fid else {})


def measure(
    results: Sequence[vs.VideoNode],
    truth: vs.VideoNode | None,
    wanted: MetricsRequest,
    *,
    source: vs.VideoNode | None = None,
    first: int = 0,
    total: int | None = None,
    advance: Callable[[int], object] = ignore,
    watch: Callable[[Sequence[Sample]], object] = ignore,
) -> list[Measurement]:
    """Measure several results side by side; motion and cuts are found once.

    Args:
        results: Clips of one length and size.
        truth: The true clip, of the same length and size.
        wanted: What to measure.
        source: The clip whose luma is used to find motion and cuts; default: the truth, or the
            first result.
        first: Number of the clips' first frame in the film, to whose frames cut lists refer.
        total: Frames of that film; default: the clips are all of it.
        advance: Called with the number of frames done.
        watch: Called with each frame's samples, one per result.

    Raises:
        MeasureError: The clips do not fit together, or cannot be measured.
        SettingError: A metric is unknown or needs a true clip that is not there.
        MissingExtraError: A package is not installed.
        WeightsError: A weight file is missing or wrong.
    """
    film = source or truth or results[0]
    paired = truth is not None
    luma = truth is not None and all(clips.same_luma(r, truth) for r in results)
    names = wanted.names(paired, luma and wanted.size is None)
    ours = [n for n in names if n not in (LPIPS, FID)] or ["colourfulness"]
    metrics = chosen(ours, paired, (LPIPS, FID))
    need = clips.Requirements.of(metrics.values())
    for clip in results:
        clips.check_pair(clip, truth, need)
    judges = _judges(len(results), names, paired, wanted, first)
    find = published.flow(wanted.flow) if need.motion else find_flow
    cuts = _cuts(wanted.scenes, first, film.num_frames, total)
    small = [clips.scaled(clip, wanted.size) for clip in results]
    true = None if truth is None else clips.scaled(truth, wanted.size)
    steps = clips.samples(
        small,
        true,
        clips.scaled(film, wanted.size),
        need,
        cuts=cuts,
        far=wanted.far,
        find=find,
    )
    for n, row in enumerate(steps):
        for judge, sample in zip(judges, row, strict=True):
            judge.add(sample)
        watch(row)
        advance(n + 1)
    return [judge.finish() for judge in judges]


def _cuts(scenes: Path | None, first: int, length: int, total: int | None) -> list[int] | None:
    """Cuts within a part of a film, read from a list for the whole film; None to find them."""
    cuts = read_cuts(scenes, first + length if total is None else total)
    return None if cuts is None else [n - first for n in cuts if first < n < first + length]


def _judges(
    count: int, names: Sequence[str], paired: bool, wanted: MetricsRequest, first: int
) -> list[_Judge]:
    """Create the meters for each result; LPIPS's network is shared."""
    compared = next((name for name in (LPIPS, FID) if name in names), None)
    if compared and not paired:
        raise SettingError(f"metric {compared} compares with a true clip, expected one")
    distance = published.lpips(wanted.lpips, wanted.lpips_net) if LPIPS in names else None
    fid = published.fid_file(wanted.fid) if FID in names else None
    return [_Judge(names, distance, fid, first) for _ in range(count)]


def run(
    result: Path,
    truth: Path | None,
    wanted: MetricsRequest,
    output: Output,
    *,
    start: str | None = None,
    end: str | None = None,
) -> None:
    """Measure a film, and print or write the results.

    Args:
        result: The film to evaluate.
        truth: The true one.
        wanted: What to measure.
        output: Where the numbers go.
        start: First frame or time; default: the first frame.
        end: End frame or time, exclusive; default: the end of the film.

    Raises:
        VscolorError: Input, output or settings are at fault.
        vapoursynth.Error: A frame cannot be made.
    """
    output.check(result, truth, wanted.scenes)
    process.limit_core_cache()
    opened = [inputs.opened(p, None, output.quiet) for p in (result, truth) if p is not None]
    clips.check_pair(opened[0].clip, opened[1].clip if truth else None, clips.Requirements.of([]))
    span = inputs.span_of(opened[0], start, end)
    ours, *true = [source.clip[span.start : span.stop] for source in opened]
    with console.frames_bar("measuring", ours.num_frames, output.quiet) as advance:
        truths = true[0] if true else None
        (found,) = measure(
            [ours],
            truths,
            wanted,
            first=span.start,
            total=opened[0].clip.num_frames,
            advance=advance,
        )
    about = {
        "vscolor": installed_version("vscolor"),
        "result": str(result),
        "truth": str(truth) if truth else None,
        "width": ours.width,
        "height": ours.height,
        "first_frame": span.start,
        "settings": settings_of(wanted),
    }
    tabulate.write(found, output, about)


def settings_of(wanted: MetricsRequest) -> dict[str, Any]:
    """The request as a dictionary to be written to a file; paths as text."""
    told = {k: str(v) if isinstance(v, Path) else v for k, v in vars(wanted).items()}
    if LPIPS not in wanted.metrics and wanted.lpips is None:
        del told["lpips_net"]
    return told

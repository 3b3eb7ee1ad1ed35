"""Renders the page, one self-contained HTML file."""

from __future__ import annotations

import base64
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from html import escape
from importlib import resources
from typing import Any, Final

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor import plot
from vscolor.compare.contestants import GREY, TRUE
from vscolor.compare.evidence import REACH, Evidence
from vscolor.media import ffmpeg
from vscolor.metrics.table import FIGURES, Measurement
from vscolor.plot import Line, Panel
from vscolor.versions import installed_version

LEFT_OUT: Final = ("psnr_pooled", "cdc_true", "warp_ab_true", "mean_a", "mean_b", "chroma_step")
TRUE_FIGURES: Final = {"cdc": "cdc_true", "warp_ab": "warp_ab_true"}
PACKAGES: Final = ("vscolor", "VapourSynth", "vapoursynth-bestsource", "numpy", "onnxruntime")
PARTS: Final = ("page.html", "page.css", "page.js")


@dataclass(frozen=True)
class About:
    """What was compared, and how.

    Attributes:
        title: The film's name.
        source: The film.
        settings: What to measure, as requested.
    """

    title: str
    source: vs.VideoNode
    settings: Mapping[str, Any]


def render(shown: Evidence, about: About) -> str:
    """The page as HTML."""
    html, css, js = (resources.files(__package__).joinpath(p).read_text("utf-8") for p in PARTS)
    fills = {
        "STYLE": css,
        "SCRIPT": js,
        "TITLE": escape(about.title),
        "SUMMARY": escape(_summary(shown, about.source)),
        "TABLE": _table(shown),
        "LEGEND": _legend(shown),
        "PLOTS": "".join(plot.svg(panel) for panel in panels(shown)),
        "STAGE": _stage(shown),
        "SHEET": _sheet(shown),
        "FILMS": _films(shown),
        "HISTOGRAMS": _histograms(shown),
        "ABOUT": _about(shown, about),
    }
    for name, text in fills.items():
        html = html.replace(f"<!--{name}-->", text).replace(f"/*{name}*/", text)
    return html


def _summary(shown: Evidence, source: vs.VideoNode) -> str:
    cuts, span = len(next(iter(shown.found.values())).table.cuts), shown.span
    truth = "true colours known" if shown.has_truth else "true colours not known"
    scenes = f"{cuts + 1} scene{'s' * (cuts > 0)}"
    frames = f"{source.num_frames} frames"
    if len(span) < source.num_frames:
        frames = f"frames {span.start} to {span.stop - 1} of {source.num_frames}"
    return f"{source.width}×{source.height}, {frames}, {scenes}, {truth}"


def panels(shown: Evidence) -> Iterator[Panel]:
    """Plots over time: mean a and b, warp error of ab, and PSNR where the truth is known."""
    tables = {name: m.table for name, m in shown.found.items()}
    first = next(iter(tables.values()))
    drawn = partial(Panel, x=first.numbers, cuts=first.cut_numbers)
    for axis, words in (("a", "green − to red +"), ("b", "blue − to yellow +")):
        lines = [Line(n, t.column(f"mean_{axis}"), i) for i, (n, t) in enumerate(tables.items())]
        if shown.has_truth:
            # The truth's own mean is the result's minus its error.
            true = first.column(f"mean_{axis}") - first.column(f"error_{axis}")
            lines.append(Line(TRUE, true, None, dashed=True))
        yield drawn(f"Mean {axis}* ({words})", lines)
    lines = [
        Line(n, _relative(t.column("warp_ab_raw"), t.column("chroma_square")), i)
        for i, (n, t) in enumerate(tables.items())
    ]
    if shown.has_truth:
        true = _relative(first.column("warp_ab_raw_true"), first.column("chroma_square_true"))
        lines.append(Line(TRUE, true, None, dashed=True))
    title = "Warp error of ab over its mean square: change along motion (less is steadier)"
    yield drawn(title, lines, zero=True, peaks=True)
    if "psnr" in first.columns:
        lines = [Line(n, t.column("psnr"), i) for i, (n, t) in enumerate(tables.items())]
        yield drawn("PSNR, dB (more is nearer to the truth)", lines)


def _relative(values: NDArray[np.float64], square: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / max(float(np.nanmean(square)), 1e-6)


def _table(shown: Evidence) -> str:
    """Figures, the best of each column marked."""
    rows = {name: m.figures() for name, m in shown.found.items()}
    keys = [k for k in FIGURES if k not in LEFT_OUT and any(k in row for row in rows.values())]
    best = {key: _best(rows, key) for key in keys}
    head = "".join(
        f'<th scope="col" title="{escape(FIGURES[k].explained)}">{escape(FIGURES[k].title)}'
        f"<small>{('', 'more', 'less')[FIGURES[k].best]}</small></th>"
        for k in keys
    )
    body = "".join(_row(name, row, keys, best, i) for i, (name, row) in enumerate(rows.items()))
    if shown.has_truth:
        body += _row(TRUE, _true_row(shown), keys, {}, None)
    notes = "".join(
        f"<dt>{escape(FIGURES[k].title)}</dt><dd>{escape(FIGURES[k].explained)}</dd>" for k in keys
    )
    return (
        f'<div class="scroll"><table><thead><tr><th scope="col">result</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div><details><summary>What the columns are</summary>"
        f"<dl>{notes}</dl></details>"
    )


def _row(
    name: str,
    row: Mapping[str, float],
    keys: Sequence[str],
    best: Mapping[str, set[str]],
    colour: int | None,
) -> str:
    cells = []
    for key in keys:
        text = f"{row[key]:.{FIGURES[key].digits}f}" if key in row else "–"
        won = name in best.get(key, ())
        cells.append(
            f'<td class="best">{text}<b title="best"> ★</b></td>' if won else f"<td>{text}</td>"
        )
    return f'<tr><th scope="row">{_mark(name, colour)}</th>{"".join(cells)}</tr>'


def _best(rows: Mapping[str, Mapping[str, float]], key: str) -> set[str]:
    """The best results in a column; none without a rival, or if all are equal as shown."""
    sign, digits = FIGURES[key].best, FIGURES[key].digits
    values = {name: sign * round(row[key], digits) for name, row in rows.items() if key in row}
    if not sign or len(values) < 2 or len(set(values.values())) == 1:
        return set()
    top = max(values.values())
    return {name for name, value in values.items() if value == top}


def _true_row(shown: Evidence) -> dict[str, float]:
    """Figures of the true clip itself."""
    measured: Measurement = next(iter(shown.found.values()))
    figures = measured.figures()
    found = {key: figures[theirs] for key, theirs in TRUE_FIGURES.items() if theirs in figures}
    if figures.get("colour_ratio"):
        found |= {
            "colourfulness": figures["colourfulness"] / figures["colour_ratio"],
            "colour_ratio": 1.0,
        }
    return found


def _mark(name: str, colour: int | None) -> str:
    """A name after a stroke in the style of its curves."""
    style = plot.style_of(Line("", np.empty(0), colour, dashed=colour is None))
    stroke = f'<svg class="mark" viewBox="0 0 24 6"><path class="{style}" d="M1 3H23"/></svg>'
    return f"{stroke}{escape(name)}"


def _legend(shown: Evidence) -> str:
    marks = [_mark(name, i) for i, name in enumerate(shown.found)]
    if shown.has_truth:
        marks.append(_mark(TRUE, None))
    return "".join(f"<li>{mark}</li>" for mark in marks)


def _stage(shown: Evidence) -> str:
    """The slider's choices as JSON; its pictures are taken from the contact sheet."""
    left = GREY if len(shown.found) == 1 and not shown.has_truth else next(iter(shown.found))
    others = [v for v in shown.views if v != left]
    right = TRUE if shown.has_truth else others[-1]
    return json.dumps(
        {"views": shown.views, "frames": shown.frames, "left": left, "right": right}
    ).replace("<", "\\u003c")


def _sheet(shown: Evidence) -> str:
    """The contact sheet: a row per frame, a column per view."""
    head = "".join(f'<th scope="col">{escape(v)}</th>' for v in shown.views)
    rows = []
    for i, number in enumerate(shown.frames):
        cells = "".join(_still(v, i, number, shown.stills[v][i]) for v in shown.views)
        rows.append(f'<tr><th scope="row">{number}</th>{cells}</tr>')
    return f"<thead><tr><th scope='col'>frame</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"


def _still(view: str, index: int, number: int, jpeg: bytes) -> str:
    """One picture of the sheet, which the slider finds by its view and index."""
    return (
        f'<td><button type="button" data-view="{escape(view)}" data-frame="{index}">'
        f'<img alt="{escape(view)}, frame {number}" src="{_data("image/jpeg", jpeg)}">'
        "</button></td>"
    )


def _films(shown: Evidence) -> str:
    return "".join(
        f'<figure><video muted loop playsinline preload="auto" src="{_data("video/mp4", film)}">'
        f"</video><figcaption>{escape(view)}</figcaption></figure>"
        for view, film in shown.films.items()
    )


def _histograms(shown: Evidence) -> str:
    reach = f"{REACH:g}"
    return "".join(
        f'<figure><div class="plane"><img alt="how often each ab is, {escape(name)}" '
        f'src="{_data("image/png", png)}"></div><figcaption>{escape(name)}'
        f"<small>a* and b*, −{reach} to {reach}</small></figcaption></figure>"
        for name, png in shown.histograms.items()
    )


def _about(shown: Evidence, about: About) -> str:
    """Settings and versions."""
    clip = about.source
    packages = [f"{p} {installed_version(p) or 'not installed'}" for p in PACKAGES]
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    film = shown.film
    rows = {
        "Source": f"{about.title}, {clip.format.name}, {float(clip.fps or 0):.6g} frames/s",
        **{f"Result {name}": shown.origins[name] for name in shown.found},
        **({"True colours": shown.origins[TRUE]} if shown.has_truth else {}),
        "Stills": f"frames {', '.join(map(str, shown.frames))}",
        **({"Films": f"frames {film.start} to {film.stop - 1}"} if len(film) else {}),
        "Measured": ", ".join(
            f"{k} {', '.join(v) if isinstance(v, tuple) else v}"
            for k, v in about.settings.items()
            if v not in (None, False)
        ),
        "Versions": ", ".join([*packages, f"ffmpeg {ffmpeg.version()}", system]),
        "Made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows.items())


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"

"""Reports what is installed and used, and how to fix problems."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import platformdirs
import vapoursynth as vs
from rich.console import Console
from rich.table import Table

from vscolor import device
from vscolor.errors import VscolorError
from vscolor.media import ffmpeg
from vscolor.models.registry import registry
from vscolor.steadying import fits
from vscolor.versions import installed_version
from vscolor.weights import catalog

PLUGINS: Final = {
    "bs": ("vapoursynth-bestsource", "to open films"),
    "mvu": ("vapoursynth-mvutensils", "to steady colour along motion"),
    "scd": ("vapoursynth-scenechange", "for scene changes, in your own scripts"),
}
NEEDED_PLUGINS: Final = ("bs", "mvu")
ENCODERS: Final = ("libx264", "libx265", "libsvtav1", "ffv1")


class Verdict(StrEnum):
    """Severity of a finding."""

    GOOD = "ok"
    OPTIONAL = "--"
    BAD = "!!"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        verdict: Whether something must be fixed.
        what: The component examined.
        state: What was found.
        remedy: How to fix it; may be empty.
    """

    verdict: Verdict
    what: str
    state: str
    remedy: str = ""


def print_report() -> bool:
    """Print all findings; return whether everything needed is there."""
    findings = list(examine())
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for found in findings:
        table.add_row(found.verdict, found.what, found.state)
        if found.remedy:
            table.add_row("", "", f"→ {found.remedy}")
    Console(highlight=False, markup=False).print(table)
    return all(found.verdict != Verdict.BAD for found in findings)


def examine() -> Iterator[Finding]:
    """Check everything the program uses."""
    yield Finding(
        Verdict.GOOD,
        "vscolor",
        f"{installed_version('vscolor') or 'from a source tree'}, Python {_python()}",
    )
    yield Finding(Verdict.GOOD, "VapourSynth", f"{vs.__version__}, {vs.core.num_threads} threads")
    yield from _plugins()
    yield from _models()
    yield from _devices()
    yield from _ffmpeg()
    yield _vspipe()
    yield _cache()


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _plugins() -> Iterator[Finding]:
    loaded = {plugin.namespace for plugin in vs.core.plugins()}
    for space, (package, purpose) in PLUGINS.items():
        if space in loaded:
            yield Finding(Verdict.GOOD, package, installed_version(package) or "loaded")
            continue
        verdict = Verdict.BAD if space in NEEDED_PLUGINS else Verdict.OPTIONAL
        yield Finding(verdict, package, f"absent; {purpose}", f"pip install {package}")


def _models() -> Iterator[Finding]:
    for entry in registry:
        if entry.installed():
            yield Finding(Verdict.GOOD, f"model {entry.card.name}", "installed")
        elif entry.needs:
            remedy = f"vscolor models fetch {entry.card.name}"
            yield Finding(
                Verdict.OPTIONAL, f"model {entry.card.name}", "weights not fetched", remedy
            )
        else:
            state, remedy = "its weights are absent", f"see {entry.card.page}"
            yield Finding(Verdict.BAD, f"model {entry.card.name}", state, remedy)
    for broken in registry.broken():
        remedy = f"pip install --upgrade {broken.package.partition(' ')[0]}, or uninstall it"
        yield Finding(Verdict.BAD, f"model {broken.name}", str(broken), remedy)


def _devices() -> Iterator[Finding]:
    yield _onnxruntime()
    torch = installed_version("torch")
    state = torch or "absent; needed for torch models and for CUDA by torch"
    remedy = "" if torch else 'pip install "vscolor[torch]"'
    yield Finding(Verdict.GOOD if torch else Verdict.OPTIONAL, "torch", state, remedy)
    try:
        used = device.resolve(None, None)
    except VscolorError as error:
        yield Finding(Verdict.BAD, "device", str(error))
        return
    yield Finding(Verdict.GOOD, "device", f"{used} is used")
    if used.kind == "cpu":
        yield from _no_gpu()


def _no_gpu() -> Iterator[Finding]:
    """Why each kind of GPU is not used."""
    reasons = {"cuda (torch)": device.why_no_torch_cuda()}
    reasons |= {k: device.why_no_provider(k) for k in device.PROVIDERS if k != "cpu"}
    for kind, reason in reasons.items():
        if reason:
            yield Finding(Verdict.OPTIONAL, kind, f"not used: {reason}")


def _ffmpeg() -> Iterator[Finding]:
    try:
        path = ffmpeg.executable()
    except VscolorError as error:
        yield Finding(Verdict.BAD, "ffmpeg", str(error), "pip install imageio-ffmpeg")
        return
    own = "yours" if shutil.which("ffmpeg") else "imageio-ffmpeg's"
    yield Finding(Verdict.GOOD, "ffmpeg", f"{ffmpeg.version()}, {own}: {path}")
    missing = [name for name in ENCODERS if not _has_encoder(name)]
    if missing:
        state = f"no {', '.join(missing)}"
        yield Finding(Verdict.OPTIONAL, "encoders", state, "use --codec, or another ffmpeg")


def _has_encoder(name: str) -> bool:
    try:
        ffmpeg.encoder_formats(name)
    except VscolorError:
        return False
    return True


def _vspipe() -> Finding:
    """Whether vspipe runs, which is optional."""
    beside = Path(sys.executable).with_name("vspipe")
    found = shutil.which("vspipe") or (str(beside) if beside.exists() else None)
    if found is None:
        remedy = "it comes with VapourSynth; put its folder on PATH"
        return Finding(Verdict.OPTIONAL, "vspipe", "not on PATH", remedy)
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    if told.returncode:
        remedy = "run: vapoursynth config"
        return Finding(Verdict.OPTIONAL, "vspipe", f"{found} does not start", remedy)
    core = next((line for line in told.stdout.splitlines() if line.startswith("Core ")), "starts")
    return Finding(Verdict.GOOD, "vspipe", f"{core.removeprefix('Core ')}: {found}")


def _cache() -> Finding:
    index = platformdirs.user_cache_path("vscolor") / "index"
    places = f"index of films, may be deleted: {index}; weights: {catalog.folder()}"
    return Finding(Verdict.GOOD, "cache", f"{places}; fits of dvp: {fits.default_folder()}")


def _onnxruntime() -> Finding:
    try:
        import onnxruntime
    except ImportError as error:
        state = f"cannot be imported: {error}"
        return Finding(Verdict.BAD, "onnxruntime", state, "pip install --upgrade onnxruntime")
    offered = (p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers())
    state = f"{onnxruntime.__version__} with {', '.join(offered)}"
    return Finding(Verdict.GOOD, "onnxruntime", state)

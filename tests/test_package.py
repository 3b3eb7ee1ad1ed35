"""The public face, what importing it costs, and the wheel in an empty environment."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import vscolor

ROOT = Path(__file__).parents[1]
HEAVY = frozenset(
    ["cv2", "onnx", "onnxruntime", "scipy", "skimage", "skvideo", "torch", "torchvision", "typer"]
)
MANY_MODULES = 700
SECONDS = 2.0  # the aim is 0.3 on a quiet machine; a busy one must not fail the tests

IMPORTED = """
import json, sys, time
import numpy, vapoursynth
before = set(sys.modules)
start = time.perf_counter()
import vscolor
print(json.dumps([time.perf_counter() - start, sorted(set(sys.modules) - before)]))
"""

COLOURED = """
import numpy as np
import vapoursynth as vs
from vscolor import colorize
grey = vs.core.std.BlankClip(None, 320, 240, vs.GRAY8, 3, color=90)
ramp = grey.resize.Bicubic(320, 240, src_left=-40)
frame = colorize(ramp).get_frame(1)
assert frame.format.id == vs.YUV420P8
assert np.array_equal(frame[0], ramp.get_frame(1)[0])
assert any(np.asarray(frame[p]).std() > 0 for p in (1, 2))
"""


def test_face_is_sorted_and_whole():
    assert list(vscolor.__all__) == sorted(vscolor.__all__)
    assert all(hasattr(vscolor, name) for name in vscolor.__all__)


def test_nothing_else_shows():
    modules = {name for name in vars(vscolor) if isinstance(getattr(vscolor, name), type(vscolor))}
    public = {name for name in vars(vscolor) if not name.startswith("_")}
    assert public - modules <= set(vscolor.__all__)


def test_nothing_is_told_to_anybody(tmp_path):
    """ONNX Runtime would keep an identity in the cache, and report from it."""
    quiet = {"ORT_DISABLE_TELEMETRY", "CI", "GITHUB_ACTIONS"}
    kept = {name: value for name, value in os.environ.items() if name not in quiet}
    for program in (COLOURED, "import vscolor.training.evaluate"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=kept | {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
            check=False,
        )
        assert done.returncode == 0
    assert not list(tmp_path.rglob("*onnxruntime*"))


def test_import_is_light():
    told = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, check=True)
    seconds, modules = json.loads(told.stdout)
    roots = {name.partition(".")[0] for name in modules}
    assert not roots & HEAVY
    assert len(modules) < MANY_MODULES
    assert seconds < SECONDS


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel made from it, as `python -m build` makes them."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_wheel_carries_the_model(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("mini.onnx", "mini.safetensors", "card.md"):
        assert f"vscolor/models/mini/{name}" in names
    assert "vscolor/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests", "scripts")) for name in names)


def test_sdist_carries_one_set_of_weights(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "scripts/build_onnx.py", "vscolor/models/mini/mini.safetensors"} <= names
    assert "vscolor/models/mini/mini.onnx" not in names


def test_wheel_colours_in_an_empty_environment(built, tmp_path):
    place = tmp_path / "empty"
    venv.create(place, with_pip=True)
    programs = place / ("Scripts" if sys.platform == "win32" else "bin")
    (wheel,) = built.glob("*.whl")
    pip = [programs / "python", "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(pip, check=True)
    run = [programs / "python", "-I", "-c", COLOURED]
    subprocess.run(run, check=True, cwd=tmp_path)
    version = subprocess.run(
        [programs / "vscolor", "--version"], capture_output=True, text=True, check=True
    )
    assert vscolor.__version__ in version.stdout
    shutil.rmtree(place)

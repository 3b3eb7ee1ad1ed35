"""The packages under plugins/, installed by pip as users install them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(p.name for p in (ROOT / "plugins").iterdir() if (p / "pyproject.toml").is_file())


@pytest.fixture(scope="module", params=PLUGINS)
def installed(request, tmp_path_factory):
    """The plugin's name, and an environment that sees it beside this vscolor."""
    place = tmp_path_factory.mktemp(request.param)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    source = ROOT / "plugins" / request.param
    subprocess.run([*pip, "--disable-pip-version-check", "--target", place, source], check=True)
    return request.param, {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])}


def test_it_shows_up(installed):
    _, environment = installed
    command = [sys.executable, "-m", "vscolor", "models"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "ddcolor-tiny" in done.stdout
    assert "is broken" not in done.stdout


def test_its_own_tests_pass(installed):
    name, environment = installed
    pytest.importorskip("torch")
    tests = ROOT / "plugins" / name / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_it_uses_public_names_alone(installed):
    """No name with an underscore in front, and of vscolor only its faces."""
    name, _ = installed
    allowed = ("vscolor.plugin", "vscolor.testing", "vscolor.models.base")
    for source in (ROOT / "plugins" / name).rglob("vscolor_*/*.py"):
        for line in source.read_text().splitlines():
            words = line.split()
            if words[:1] == ["from"] and words[1].split(".")[0] == "vscolor":
                assert words[1] in allowed, f"{source}: {line}"
                assert not any(word.startswith("_") for word in words[3:]), f"{source}: {line}"

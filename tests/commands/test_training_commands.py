"""`vscolor train`: tiny runs of each kind, what is refused, and how Ctrl-C leaves a run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import films
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from skimage import data

from vscolor import cli
from vscolor.cli import training as commands
from vscolor.models.blind.adapter import TORCH_FILE as BLIND_FILE
from vscolor.models.mini.adapter import TORCH_FILE
from vscolor.training import blind, still, video
from vscolor.training.record import alone_in, hash_of

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("stills")
    for name in ("astronaut", "chelsea", "coffee"):
        Image.fromarray(getattr(data, name)()[:160, :200]).save(where / f"{name}.png")
    return where


def ran(capsys, *words):
    """What a command that must succeed says."""
    code = cli.run([str(word) for word in words])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert told.out == ""
    return told.err


def refused(capsys, *words):
    code = cli.run([str(word) for word in words])
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return code, told


def test_fine_tuning_still(capsys, folder, tmp_path):
    run = tmp_path / "run"
    said = ran(
        capsys, *("train", "still", folder, run, "--init", "mini", "--samples", 4, "--batch", 2)
    )
    assert f"wrote {run / 'mini.safetensors'}" in said
    record = json.loads((run / "recipe.json").read_text())
    assert record["recipe"]["rate"] == still.TUNING.rate
    assert record["recipe"]["frozen_blocks"] == 11
    assert len((run / "log.jsonl").read_text().splitlines()) == 2
    assert abs((run / "mini.safetensors").stat().st_size - TORCH_FILE.stat().st_size) < 1000


def test_still_from_teachers(capsys, folder, tmp_path):
    run = tmp_path / "run"
    words = ("train", "still", folder, run, "--init", "mini", "--samples", 2, "--batch", 2)
    told = ("--teacher", "mini", "--teacher", TORCH_FILE, "--teaching", 0.6, "--power", 0.8)
    ran(capsys, *words, *told)
    record = json.loads((run / "recipe.json").read_text())
    assert record["teachers"] == [hash_of(TORCH_FILE)] * 2
    assert (record["recipe"]["teaching"], record["recipe"]["power"]) == (0.6, 0.8)
    other = tmp_path / "other"
    code, told = refused(capsys, *words[:3], other, *words[4:], "--teacher", "mini-video")
    assert code == 2
    assert "--teacher is 'mini-video', expected mini" in told


@pytest.mark.parametrize("weights", ['{"x": -1}', '{"": NaN}', '{"x": "much"}', "[1]"])
def test_wrong_weights_of_collections_are_one_line(capsys, folder, tmp_path, weights):
    (tmp_path / "c.json").write_text(weights)
    code, told = refused(
        capsys, *("train", "still", folder, tmp_path / "run", "--collections", tmp_path / "c.json")
    )
    assert code == 2
    assert "expected JSON that gives each collection's name a number" in told


def test_teaching_without_teachers_is_refused(capsys, folder, tmp_path):
    code, told = refused(capsys, "train", "still", folder, tmp_path / "run", "--teaching", 0.5)
    assert code == 2
    assert "--teaching needs --teacher" in told


def test_video(capsys, folder, tmp_path):
    run, cache = tmp_path / "run", tmp_path / "cache"
    words = ("train", "video", folder, run, "--cache", cache, "--init", "mini-video")
    said = ran(capsys, *words, "--samples", 4, "--batch", 2, "--seed", 5, "--quiet")
    assert said == ""
    assert (run / "mini_video.safetensors").is_file()
    assert (cache / "names.json").is_file()
    assert json.loads((run / "recipe.json").read_text())["recipe"]["batches"]["seed"] == 5


def test_blind(capsys, folder, tmp_path):
    film, run = films.make(tmp_path / "film.mkv"), tmp_path / "run"
    words = ("train", "blind", folder, film, "--run", run, "--cache", tmp_path / "cache")
    ran(capsys, *words, "--init", "blind", "--rate", 1e-4, "--steps", 1)
    made, published = (load_file(p) for p in (run / "blind.safetensors", BLIND_FILE))
    assert made.keys() == published.keys()
    assert all(np.abs(made[k].astype(float) - published[k]).max() < 2e-3 for k in made)
    assert not all(np.array_equal(made[k], published[k]) for k in made)
    shots = run / "shots.npz"
    assert len(json.loads((run / "recipe.json").read_text())["shots"]) >= 1
    kept = shots.stat().st_mtime_ns
    code, told = refused(capsys, *words)
    assert code == 2
    assert "resume that run" in told
    assert shots.stat().st_mtime_ns == kept, "a refused run keeps its films"
    again = ("--init", "blind", "--rate", 1e-4, "--steps", 1, "--resume")
    ran(capsys, *words, *again)
    other = films.make(tmp_path / "other.mkv")
    code, told = refused(capsys, *words[:3], other, *words[4:], *again)
    assert code == 2
    assert "begun with films ['film.mkv'], not ['other.mkv']" in told
    assert shots.stat().st_mtime_ns == kept


def test_one_run_at_a_time_in_a_folder(capsys, folder, tmp_path):
    run = tmp_path / "run"
    with alone_in(run):
        # Another process: within one, a lock may be had twice.
        words = ("train", "still", folder, run, "--samples", 2, "--batch", 2)
        command = [sys.executable, "-m", "vscolor", *map(str, words)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"another process is training in {run}" in " ".join(done.stderr.split())
    assert not (run / "recipe.json").exists()
    ran(capsys, *words)


def test_interrupted_and_resumed(capsys, folder, tmp_path):
    run = tmp_path / "run"
    words = [*("train", "still", folder, run, "--samples", 400, "--batch", 2, "--threads", 1)]
    command = [sys.executable, "-m", "vscolor", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    log = run / "log.jsonl"
    until = time.monotonic() + 120
    while not log.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the workers too
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "--resume goes on" in said
    assert "Traceback" not in said
    assert (run / "checkpoint.pt").is_file()
    assert not list(run.glob(".*"))
    done = len(log.read_text().splitlines())
    code, told = refused(capsys, *words)
    assert code == 2
    assert "resume that run" in told
    code, told = refused(capsys, *words, "--resume", "--rate", 0.5)
    assert code == 2
    assert "recipe.rate 0.002, not 0.5" in told
    still_process = subprocess.Popen(
        [*command, "--resume"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(log.read_text().splitlines()) <= done and still_process.poll() is None:
        time.sleep(0.1)
    os.killpg(still_process.pid, signal.SIGTERM)  # as `timeout` and job schedulers do
    still_process.communicate(timeout=120)
    assert still_process.returncode == 130
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > done


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("still", "{here}/nowhere", "{here}/run"), 2, "nowhere is not a folder"),
        (("still", "{here}", "{here}/run"), 2, "has no picture"),
        (("still", "{folder}", "{here}/run", "--init", "none.pt"), 1, "none.pt does not exist"),
        (("still", "{folder}", "{here}/run", "--init", "{here}/bad"), 1, "not hold mini's"),
        (("still", "{folder}", "{here}/run", "--collections", "{here}/bad"), 2, "--collections"),
        (("still", "{folder}", "{here}/run", "--frozen-blocks", "17"), 2, "--frozen-blocks"),
        (("video", "{folder}", "{here}/run", "--init", "mini"), 2, "expected mini-video"),
        (("video", "{folder}", "{here}/run", "--resume"), 2, "nothing to resume"),
        (("blind", "{folder}"), 2, "--run"),
        (("blind", "{folder}", "{here}/bad", "--run", "{here}/run"), 1, "bad"),
        (("other",), 2, "other"),
    ],
)
def test_refused(capsys, folder, tmp_path, words, code, said):  # noqa: PLR0917
    (tmp_path / "bad").write_text("[nothing good]")
    given = [word.format(here=tmp_path, folder=folder) for word in words]
    got, told = refused(capsys, "train", *given)
    assert got == code, told
    assert said in told
    assert "--resume" not in words or not (tmp_path / "run").exists()


def test_a_missing_extra_is_named(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "find_spec", lambda name: None if name == "onnx" else object())
    code, told = refused(capsys, "train", "still", folder, tmp_path / "run")
    assert code == 1
    assert told == 'vscolor: onnx is not installed; run: pip install "vscolor[train]"\n'


def test_without_a_kind_help_is_shown(capsys):
    assert cli.run(["train"]) == 2
    told = capsys.readouterr().out
    assert all(word in told for word in ("still", "video", "blind"))


def test_help_tells_the_recipes_own_defaults(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    defaults = {
        "still": (
            f"default {still.Recipe.samples}, with --init and no --hours {still.TUNING.samples}",
            f"default {still.Recipe.rate}, with --init {still.TUNING.rate}",
            f"default {still.Recipe().batches.size}.",
            f"default {still.Recipe.frozen_blocks}, with --init {still.TUNING.frozen_blocks}",
            f"default {still.Recipe.frozen_share}, with --init {still.TUNING.frozen_share:g}",
        ),
        "video": (
            f"default {video.VideoRecipe.samples}.",
            f"default {video.VideoRecipe.rate}.",
            f"default {video.VideoRecipe().batches.size}.",
        ),
        "blind": (
            f"default {blind.Recipe.minutes:g}.",
            f"default {blind.Recipe.steps}.",
        ),
    }
    for kind, expected in defaults.items():
        assert cli.run(["train", kind, "-h"]) == 0
        told = " ".join(capsys.readouterr().out.replace("│", " ").split())
        assert [words for words in expected if words not in told] == []


@pytest.mark.parametrize("kind", ["still", "video", "blind"])
def test_scripts_are_the_command(kind):
    command = [sys.executable, SCRIPTS / f"train_{kind}.py", "-h"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"vscolor train {kind}" in told

"""stabilize's method dvp: fitted ahead of time, kept, resumed, refused where it does not fit."""

import os
import random
from dataclasses import replace

import numpy as np
import pytest
import vapoursynth as vs
from wheel import wheel_clip

torch = pytest.importorskip("torch")

from vscolor import (  # noqa: E402
    cli,
    nodes,
    stabilize,
)
from vscolor.errors import SettingError  # noqa: E402
from vscolor.film import inspect  # noqa: E402
from vscolor.models.dvp import fitting as loops  # noqa: E402
from vscolor.models.dvp.network import PriorNet  # noqa: E402
from vscolor.steadying import fitting, prior, stabilizers  # noqa: E402
from vscolor.steadying.fits import SceneEntry, Store  # noqa: E402
from vscolor.testing import planes_of  # noqa: E402


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and short fits."""
    monkeypatch.setenv("VSCOLOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(loops, "MAX_STEPS", 8)
    monkeypatch.setattr(loops, "MIN_STEPS", 8)
    monkeypatch.setattr(loops, "EPOCHS", 1)


@pytest.fixture(scope="module")
def film():
    """Sixteen frames of a real shot."""
    clip = wheel_clip("carphone_pristine.mp4")[20:36]
    return clip.resize.Bicubic(format=vs.YUV420P8).std.SetFrameProps(_Range=0, _Matrix=6)


def task_of(clip, cuts=None):
    film = nodes.to_yuv(inspect(clip))
    work = stabilizers.StabilizeInput(film, nodes.luma_of(film), cuts)
    return stabilizers.fit_task(work, stabilizers.Options(size=64))


def test_without_a_fit_the_error_says_how(film):
    with pytest.raises(vs.Error, match=r"stabilize: method dvp has no fit.*vscolor fit.*fit=True"):
        stabilize(film, "dvp", size=64)


def test_a_fit_is_found_again_and_no_order_shows(film):
    fitted = stabilize(film, "dvp", size=64, fit=True, scenes=[8])
    found = stabilize(film, "dvp", size=64, scenes=[8])
    order = list(range(16))
    random.Random(1).shuffle(order)
    seen = {n: planes_of(found, n) for n in order}
    for n in range(16):
        source = planes_of(film, n)
        assert np.array_equal(seen[n][0], source[0])
        for a, b in zip(planes_of(fitted, n), seen[n], strict=True):
            assert np.array_equal(a, b)
    assert any(not np.array_equal(seen[n][1], planes_of(film, n)[1]) for n in range(16))


@pytest.mark.parametrize("span", [range(10, 12), range(7, 9), range(16)])
def test_only_scenes_of_the_span_are_fitted(film, span):
    task, told = task_of(film, (4, 8)), []
    wanted = {
        n for n, part in enumerate((range(4), range(4, 8), range(8, 16))) if {*part} & {*span}
    }
    assert fitting.fit(task, told.append, span) == len(wanted)
    assert {(0, 4, 8).index(entry.first) for entry in task.store.read_clip(task.key())} == wanted
    assert told == sorted(told)
    assert told[-1] == len(span)


def test_parts_of_a_long_scene_before_the_span_are_left_out(film, monkeypatch):
    monkeypatch.setattr(fitting, "MAX_SCENE", 5)
    task, told = task_of(film, ()), []
    assert fitting.fit(task, told.append, range(11, 13)) == 1
    assert [(s.first, s.stop) for s in task.store.read_clip(task.key())] == [(10, 15)]
    assert 0 <= min(told) <= max(told) == 2


def test_a_film_larger_than_the_limit_is_steadied_part_by_part(film):
    task = task_of(film, (8,))
    fitting.fit(task, span=range(8))
    size = task.store.scene_file(task.store.read_clip(task.key())[0].key).stat().st_size
    small = replace(task, store=Store(task.store.folder, limit=int(1.5 * size)))
    assert fitting.fit(small, span=range(8, 16)) == 1
    with pytest.raises(SettingError, match="steady a part"):
        fitting.fit(small)


def test_a_clip_of_another_matrix_is_another_clip(film):
    other = film.std.SetFrameProps(_Matrix=1)
    assert task_of(film).key() != task_of(other).key()


def test_nothing_goes_over_a_cut(film):
    task = task_of(film, (8,))
    assert fitting.fit(task) == 2
    first, second = task.store.read_clip(task.key())
    assert (first.first, first.stop, second.first, second.stop) == (0, 8, 8, 16)
    other = film[:8] + film[8:].std.Expr(["", "x 20 +", ""])
    assert fitting.fit(task_of(other, (8,))) == 1


def test_a_second_fit_has_nothing_to_do(film):
    assert fitting.fit(task_of(film, ())) == 1
    assert fitting.fit(task_of(film, ())) == 0


def test_another_picture_is_refused(film):
    task = task_of(film, ())
    fitting.fit(task)
    scenes = task.store.read_clip(task.key())
    other = task_of(film.std.Expr(["x 20 +", "", ""]), ()).key()
    task.store.add_to_clip(other, scenes[0])
    steady = stabilize(film.std.Expr(["x 20 +", "", ""]), "dvp", size=64, scenes=[])
    with pytest.raises(vs.Error, match="they differ by"):
        steady.get_frame(3)


def test_a_crash_loses_what_came_after_the_checkpoint(film, monkeypatch):
    monkeypatch.setattr(fitting, "SECONDS_AT_RISK", 0.0)
    task = task_of(film, ())

    class CrashError(Exception):
        pass

    def crash(done):
        if done > 10:
            raise CrashError

    with pytest.raises(CrashError):
        fitting.fit(task, crash)
    place = next((task.store.folder / "scenes").glob("*.checkpoint"))
    assert not list((task.store.folder / "scenes").glob("*.safetensors"))
    steps = []
    fitting.fit(task, steps.append)
    assert steps[0] > 16 * 4 / 8
    whole, _ = task.store.read_scene(task.store.read_clip(task.key())[0].key)
    assert not place.exists()
    monkeypatch.setenv("VSCOLOR_CACHE", str(task.store.folder.parent / "straight"))
    straight = task_of(film, ())
    fitting.fit(straight)
    other, _ = straight.store.read_scene(straight.store.read_clip(straight.key())[0].key)
    assert all(torch.equal(whole[name], other[name]) for name in whole)


@pytest.mark.parametrize("damage", ["torn", "half"])
def test_a_damaged_checkpoint_does_not_count(film, damage):
    task = task_of(film, ())
    fitting.fit(task)
    key = task.store.read_clip(task.key())[0].key
    whole, _ = task.store.read_scene(key)
    task.store.scene_file(key).unlink()
    place = task.store.checkpoint(key)
    if damage == "torn":
        place.write_bytes(b"torn")
    else:
        other = loops.PriorFit(
            loops.Scene(torch.rand(8, 1, 64, 64), torch.rand(8, 2, 32, 32)),
            irt=True,
            seed=9,
            device=torch.device("cpu"),
        )
        state = other.state()
        del state["optimizer"]
        torch.save(state, place)
    assert fitting.fit(task) == 1
    again, _ = task.store.read_scene(key)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_checkpoint_of_a_gpu_goes_on_elsewhere(film, monkeypatch):
    monkeypatch.setattr(fitting, "SECONDS_AT_RISK", 0.0)
    task = task_of(film, ())

    def crash(done):
        if done > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitting.fit(task, crash)
    load = torch.load

    def without_gpu(place, map_location=None, **more):
        if map_location != "cpu":
            raise RuntimeError("Attempting to deserialize object on a CUDA device")
        return load(place, map_location=map_location, **more)

    monkeypatch.setattr(torch, "load", without_gpu)
    steps = []
    fitting.fit(task, steps.append)
    assert steps[0] > 16 * 4 / 8


def test_a_process_waits_for_the_one_that_fits_the_scene(film):
    from threading import Thread

    task = task_of(film, ())
    fitting.fit(task)
    key = task.store.read_clip(task.key())[0].key
    task.store.scene_file(key).unlink()
    with task.store.lock(key):
        waiting = Thread(target=fitting.fit, args=(task,))
        waiting.start()
        waiting.join(1.0)
        assert waiting.is_alive()
    waiting.join(60)
    assert task.store.scene_file(key).exists()


def test_the_store_drops_what_was_used_longest_ago(tmp_path):
    store = Store(tmp_path, limit=100_000)
    state = {k: v.half() for k, v in PriorNet().state_dict().items()}
    looks = np.zeros((1, 3, 4, 4), np.uint8)
    store.write_scene("old", state, looks)
    store.write_scene("new", state, looks)
    size = store.scene_file("old").stat().st_size
    os.utime(store.scene_file("old"), (1, 1))
    Store(tmp_path, limit=size).prune(["new"])
    assert not store.scene_file("old").exists()
    assert store.scene_file("new").exists()
    store.write_scene("other", state, looks)
    with pytest.raises(SettingError, match="VSCOLOR_FIT_LIMIT"):
        Store(tmp_path, limit=1).prune(["new"])
    assert store.scene_file("other").exists(), "what is refused must cost no other clip its fits"


def test_a_checkpoint_that_nobody_is_at_counts_and_goes_first(tmp_path):
    store = Store(tmp_path, limit=150)
    for key in ("left", "going"):
        with store.lock(key):
            store.checkpoint(key).write_bytes(bytes(100))
    with store.lock("going"):
        Store(tmp_path, limit=150).prune([])
        Store(tmp_path, limit=10).prune([])
        assert not store.checkpoint("left").exists()
        assert store.checkpoint("going").exists()
    Store(tmp_path, limit=10).prune([])
    assert not store.checkpoint("going").exists()


def test_processes_add_to_the_list_of_a_clip_at_once(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    entries = [SceneEntry(n, n + 1, f"key{n}") for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda entry: Store(tmp_path, limit=1).add_to_clip("c", entry), entries))
    assert Store(tmp_path, limit=1).read_clip("c") == entries


def test_a_scene_takes_the_place_of_those_it_overlaps(tmp_path):
    store = Store(tmp_path, limit=1)
    for first, last in ((0, 5), (5, 9), (9, 12), (4, 9)):
        store.add_to_clip("c", SceneEntry(first, last, f"{first} to {last}"))
    assert [entry.key for entry in store.read_clip("c")] == ["4 to 9", "9 to 12"]


def test_a_store_of_another_user_serves(film, monkeypatch):
    """Who may not write cannot mark a network as used, and needs not."""
    fitting.fit(task_of(film, ()))

    def refused(*_):
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, "utime", refused)
    stabilize(film, "dvp", size=64, scenes=[]).get_frame(0)


@pytest.mark.parametrize("limit", ["inf", "nan", "-1", "much"])
def test_a_limit_that_is_no_size_is_refused(tmp_path, monkeypatch, limit):
    monkeypatch.setenv("VSCOLOR_FIT_LIMIT", limit)
    with pytest.raises(SettingError, match="VSCOLOR_FIT_LIMIT is"):
        Store(tmp_path)


def test_a_torn_list_is_none_and_a_damaged_network_is_told(film):
    task = task_of(film, ())
    fitting.fit(task)
    place = task.store.scene_file(task.store.read_clip(task.key())[0].key)
    place.write_bytes(place.read_bytes()[:1000])
    with pytest.raises(vs.Error, match=r"stabilize: frame 0: the fit .* is damaged .* delete it"):
        stabilize(film, "dvp", size=64, scenes=[]).get_frame(0)
    listed = task.store.folder / "clips" / f"{task.key()}.json"
    listed.write_text(listed.read_text()[:20])
    with pytest.raises(vs.Error, match="has no fit"):
        stabilize(film, "dvp", size=64, scenes=[])


def test_a_fit_runs_on_one_thread_and_gives_the_others_back(film, monkeypatch):
    monkeypatch.setattr(loops, "MAX_STEPS", 2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen = []
    try:
        fitting.fit(task_of(film, ()), lambda done: seen.append(torch.get_num_threads()))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen[0] == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "dvp", "radius": 2}, "radius= does not apply to method dvp"),
        ({"method": "motion", "fit": True}, "fit= does not apply to method motion"),
        ({"method": "dvp", "size": 10}, "size= is 10, expected a whole number from 64 to 1024"),
        ({"method": "dvp", "device": "dml"}, "dml"),
    ],
)
def test_misuse(film, settings, words):
    with pytest.raises(vs.Error, match=words):
        stabilize(film, **settings)


def test_the_command_fits_what_the_filter_finds(tmp_path, capsys):
    script = tmp_path / "film.vpy"
    script.write_text(
        "import vapoursynth as vs\n"
        "vs.core.std.BlankClip(format=vs.YUV420P8, width=96, height=64, length=7,"
        " color=[90, 110, 150]).set_output()\n"
    )
    assert cli.run(["fit", str(script), "--size", "64"]) == 0
    assert "1 scene fitted" in capsys.readouterr().err.replace("\n", " ")
    clip = vs.core.std.BlankClip(
        format=vs.YUV420P8, width=96, height=64, length=7, color=[90, 110, 150]
    )
    assert stabilize(clip, "dvp", size=64).get_frame(6).width == 96


def test_the_remedy_names_a_command_that_exists(capsys):
    assert "vscolor fit" in prior.REMEDY
    assert cli.run(["fit", "--help"]) == 0
    assert "Deep Video Prior" in capsys.readouterr().out


def test_the_command_refuses_what_has_no_colour(tmp_path, capsys):
    script = tmp_path / "film.vpy"
    script.write_text(
        "import vapoursynth as vs\n"
        "vs.core.std.BlankClip(format=vs.GRAY8, width=96, height=64, length=7).set_output()\n"
    )
    assert cli.run(["fit", str(script), "--size", "64"]) == cli.MISUSED
    assert "clip is GRAY, expected a coloured one" in capsys.readouterr().err


def test_a_damaged_fit_is_made_anew(film):
    task = task_of(film, ())
    fitting.fit(task)
    place = task.store.scene_file(task.store.read_clip(task.key())[0].key)
    whole = place.stat().st_size
    place.write_bytes(place.read_bytes()[:1000])
    assert fitting.fit(task) == 1
    assert place.stat().st_size == whole
    assert fitting.fit(task) == 0


def test_a_folder_that_cannot_be_made_is_named(film, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VSCOLOR_CACHE", str(tmp_path / "file"))
    with pytest.raises(vs.Error, match=r"stabilize: .*cannot be made.*VSCOLOR_CACHE"):
        stabilize(film, "dvp", size=64, fit=True)
    with pytest.raises(vs.Error, match="has no fit"):
        stabilize(film, "dvp", size=64)

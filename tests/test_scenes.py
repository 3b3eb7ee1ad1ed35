"""Cuts on assembled real clips, and what must not be taken for one."""

import numpy as np
import pytest
import vapoursynth as vs
from wheel import wheel_clip

from vscolor import scenes, stabilize
from vscolor.errors import SettingError

W, H = 320, 136


def shot(name, start, length):
    clip = wheel_clip(name)[start : start + length]
    return clip.resize.Bicubic(W, H, vs.GRAY8).std.SetFrameProps(_Range=0)


@pytest.fixture(scope="module")
def shots():
    return [
        shot("carphone_pristine.mp4", 0, 30),
        shot("bigbuckbunny.mp4", 40, 30),
        shot("bikes.mp4", 80, 30),
        shot("carphone_pristine.mp4", 60, 30),
    ]


def cuts(clip):
    return [n for n, cut in scenes.marked_cuts(scenes.mark_detected(clip)) if cut]


def per_frame(clip, function):
    """Apply `function(n, plane)` to each frame's luma."""

    def apply(n, f):
        frame = f.copy()
        made = function(n, np.array(frame[0], np.float32))
        np.asarray(frame[0])[...] = np.clip(np.round(made), 0, 255)
        return frame

    return clip.std.ModifyFrame(clip, apply)


def pan(photo, step, length=30):
    """A camera that sweeps over a still picture by `step` of the frame's width a frame."""
    blank = vs.core.std.BlankClip(None, 256, 144, vs.GRAY8, length, keep=True)
    pixels = round(256 * step)
    room = photo.shape[1] - 256

    def view(n, f):
        frame = f.copy()
        offset = abs((n * pixels + room) % (2 * room) - room)
        np.asarray(frame[0])[...] = photo[:144, offset : offset + 256]
        return frame

    return blank.std.ModifyFrame(blank, view)


def test_assembled_cuts_are_found_to_the_frame(shots):
    assert cuts(vs.core.std.Splice(shots)) == [30, 60, 90]


def test_real_cuts_of_a_film():
    assert cuts(wheel_clip("bikes.mp4")) == [30, 76, 137, 187, 242]


def test_flicker_is_no_cut(shots):
    gains = np.random.default_rng(2).uniform(0.6, 1.4, 120)
    offsets = np.random.default_rng(3).uniform(-25, 25, 120)
    flicker = per_frame(vs.core.std.Splice(shots), lambda n, y: y * gains[n] + offsets[n])
    assert cuts(flicker) == [30, 60, 90]


@pytest.mark.parametrize("where", [(9, 20), (9, 10, 20, 21)], ids=["one frame", "two frames"])
@pytest.mark.parametrize("damage", ["white", "black", "noise", "exposure"])
def test_damage_of_one_or_two_frames_is_no_cut(shots, damage, where):
    rng = np.random.default_rng(4)
    effects = {
        "white": lambda y: y * 0 + 255,
        "black": lambda y: y * 0,
        "noise": lambda y: rng.uniform(0, 255, (H, W)),
        "exposure": lambda y: y * 0.3 + 180,
    }
    flashes = per_frame(shots[2], lambda n, y: effects[damage](y) if n in where else y)
    assert cuts(flashes) == []


@pytest.mark.parametrize("step", [0.02, 0.05, 0.08, 0.12])
def test_a_fast_pan_is_no_cut(step):
    from skimage import data

    photo = np.concatenate([data.brick(), data.grass(), data.gravel()], axis=1)[100:]
    assert cuts(pan(photo, step)) == []


def test_a_dissolve_is_at_most_one_cut_and_near_its_middle(shots):
    a, b = shots[1], shots[2]
    mix = [vs.core.std.Merge(a[10 + i], b[i], weight=[(i + 1) / 13]) for i in range(12)]
    dissolve = vs.core.std.Splice([a[:10], *mix, b[12:]])
    found = cuts(dissolve)
    assert len(found) <= 1
    assert all(10 <= n <= 22 for n in found)


def test_cuts_of_rgb_are_those_the_filters_see():
    """Found in one of its channels alone, a cut in the others would be missed."""
    rng = np.random.default_rng(5)
    first, second = (rng.uniform(20, 235, (1, 48, 64)).astype(np.uint8) for _ in range(2))
    red = vs.core.std.BlankClip(None, 64, 48, vs.GRAY8, 24, color=120)

    def fill(n, f):
        frame = f.copy()
        np.asarray(frame[0])[...] = (first if n < 12 else second)[0]
        return frame

    other = red.std.ModifyFrame(red, fill)
    film = vs.core.std.ShufflePlanes([red, other, other], [0, 0, 0], vs.RGB)
    assert cuts(film) == [12]


def test_verdict_does_not_depend_on_order_or_on_far_frames(shots):
    whole = scenes.mark_detected(vs.core.std.Splice(shots))
    assert whole.get_frame(60).props["_SceneChangePrev"] == 1
    assert whole.get_frame(59).props["_SceneChangeNext"] == 1
    marks = ("_SceneChangePrev", "_SceneChangeNext")
    straight, jumbled = {}, {}
    any_order = [*range(69, 49, -2), *range(50, 70, 2)]
    for seen, order in ((straight, range(50, 70)), (jumbled, any_order)):
        clip = scenes.mark_detected(vs.core.std.Splice(shots))
        for n in order:
            seen[n] = [clip.get_frame(n).props[mark] for mark in marks]
    assert straight == jumbled
    part = scenes.mark_detected(vs.core.std.Splice(shots)[45:75])
    assert [n for n, cut in scenes.marked_cuts(part) if cut] == [15]
    assert part.get_frame(0).props["_SceneChangePrev"] == 0


def test_a_list_marks_its_frames_and_keeps_the_picture(shots):
    marked = scenes.mark_listed(shots[0], [0, 7, 12])
    assert [n for n, cut in scenes.marked_cuts(marked) if cut] == [7, 12]
    assert marked.get_frame(6).props["_SceneChangeNext"] == 1
    assert marked.get_frame(29).props["_SceneChangeNext"] == 0
    assert bytes(marked.get_frame(7)[0]) == bytes(shots[0].get_frame(7)[0])
    with pytest.raises(SettingError, match="frame 30, expected 0 to 29"):
        scenes.mark_listed(shots[0], [30])


def test_a_clip_marked_in_part_has_the_cuts_that_are_marked(shots):
    """As of a splice of a marked and an unmarked clip."""
    length = shots[0].num_frames
    first = shots[0].std.SetFrameProps(_SceneChangePrev=0)
    second = shots[1][0].std.SetFrameProps(_SceneChangePrev=1) + shots[1][1:]
    clip = first + second
    flags = scenes.flags(clip)
    assert [n for n, cut in scenes.marked_cuts(flags) if cut] == [length]
    for n in (length - 1, length + 5):
        assert flags.get_frame(n).props["_SceneChangePrev"] == 0
    grey = clip.std.SetFrameProps(_SARNum=1, _SARDen=1)
    stabilize(grey.resize.Bicubic(format=vs.YUV420P8, matrix=6)).get_frame(length + 5)


def test_a_bad_row_of_pyscenedetect_is_named(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("Scene Number,Start Frame\n1,1\n2,12.5\n")
    with pytest.raises(SettingError, match=r"list\.csv, line 3 has Start Frame '12\.5'"):
        scenes.read_scene_file(path)


def test_a_pyscenedetect_list_from_a_spreadsheet(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "list.csv"
    path.write_text("Scene Number;Start Frame\n1;1\n2;31\n")
    assert scenes.read_scene_file("~/list.csv") == (30,)
    path.write_text("Scene Number, Start Frame\n1, 1\n2, 31\n")
    assert scenes.read_scene_file(path) == (30,)
    path.write_text("Scene Number,First Start Frame\n1,1\n")
    with pytest.raises(SettingError, match=r"list\.csv, line 1 names .*expected a column Start"):
        scenes.read_scene_file(path)


def test_a_one_frame_clip(shots):
    assert cuts(shots[0][:1]) == []
    assert cuts(shots[0][:2]) == []


FILES = {
    "qpfile": "0 I -1\n30 I 20\n45 P -1\n60 K -1\n",
    "annotated": "30 # the trucks\n60 I -1  # back at the sign\n",
    "keyframes": "# keyframe format v1\nfps 0\n0\n30\n60\n",
    "numbers": "60\n\n30\n30\n",
    "pyscenedetect": (
        "Timecode List:,00:00:01.250,00:00:02.500\n"
        "Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame\n"
        "1,1,00:00:00.000,0.000,30\n2,31,00:00:01.250,1.250,60\n3,61,00:00:02.500,2.500,90\n"
    ),
    "scxvid": "# XviD 2pass stat file (core version 1.3.7)\n# Please do not modify this file\n\n"
    + "".join(("i" if n in (0, 30, 60) else "p") + " 2 0 0 0 0 0 0\n" for n in range(90)),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_of_other_tools(tmp_path, kind):
    (tmp_path / "cuts").write_text(FILES[kind])
    assert scenes.read_scene_file(tmp_path / "cuts") == (30, 60)


def test_an_empty_list_has_no_cut(tmp_path):
    """As `vscolor scenes` writes it for a film of one scene."""
    (tmp_path / "cuts").write_text("")
    assert scenes.read_scene_file(tmp_path / "cuts") == ()


@pytest.mark.parametrize("text", ["30\nsixty\n", "1 2 3\n"])
def test_a_file_that_is_none_of_these(tmp_path, text):
    (tmp_path / "cuts").write_text(text)
    with pytest.raises(SettingError, match="scene file"):
        scenes.read_scene_file(tmp_path / "cuts")
    with pytest.raises(SettingError, match="cannot be read"):
        scenes.read_scene_file(tmp_path / "absent")


def test_reach_counts_frames_of_the_same_scene(shots):
    counted = scenes.reach(shots[0], 4, cuts=[10])

    def at(n):
        return tuple(int(counted.get_frame(n).props[p]) for p in scenes.REACH_PROPS)

    assert [at(n) for n in (0, 2, 7, 9, 10, 12, 20, 29)] == [
        (0, 4),
        (2, 4),
        (4, 2),
        (4, 0),
        (0, 4),
        (2, 4),
        (4, 4),
        (4, 0),
    ]

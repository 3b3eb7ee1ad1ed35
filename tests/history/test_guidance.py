"""What a user gives to be followed: references, hints, lists of scenes."""

import json

import cv2
import numpy as np
import pytest
import vapoursynth as vs
from skimage import data

from vscolor import Hint, Reference, colorize
from vscolor.arguments import read_cuts
from vscolor.color import (
    Colorimetry,
    decode_srgb,
    lab_f,
    lab_for_merge,
    rgb_to_xyz_matrix,
    srgb_to_lab,
)
from vscolor.errors import SettingError
from vscolor.history.hints import listed as hints
from vscolor.history.hints import read_hint_file
from vscolor.history.references import listed as references
from vscolor.history.references import shown

BT709 = Colorimetry(1, 1, 1, full_range=False)


def photograph(fmt, matrix):
    """One frame of a real picture, 256 x 192, of a YUV format."""
    pixels = cv2.resize(data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)[:192]
    rgb = vs.core.std.BlankClip(None, 256, 192, vs.RGB24, 1)

    def write(n, f):
        frame = f.copy()
        for p in range(3):
            np.copyto(np.asarray(frame[p]), pixels[..., p])
        return frame

    return rgb.std.ModifyFrame(rgb, write).resize.Bicubic(format=fmt, matrix=matrix)


def write_picture(path, color=(200, 40, 90), size=(40, 60)):
    pixels = np.empty((*size, 3), np.uint8)
    pixels[:] = color[::-1]
    cv2.imwrite(str(path), pixels)
    return path


def test_a_folder_is_read_by_its_numbers(tmp_path):
    for n in (0, 123):
        write_picture(tmp_path / f"ref_{n:06d}.png")
    (tmp_path / "notes.txt").write_text("x")
    assert [r.frame for r in references(tmp_path)] == [0, 123]


def test_a_folder_without_numbers_or_pictures_is_refused(tmp_path):
    with pytest.raises(SettingError, match="holds no picture"):
        references(tmp_path)
    write_picture(tmp_path / "still.png")
    with pytest.raises(SettingError, match=r"still.png has no frame number"):
        references(tmp_path)


def test_paths_clips_and_references_mix(tmp_path):
    path = write_picture(tmp_path / "a.png")
    clip = vs.core.std.BlankClip(None, 16, 16, vs.RGB24, 1)
    found = references([path, clip, Reference(path, frame=4)])
    assert [(r.picture, r.frame) for r in found] == [(path, None), (clip, None), (path, 4)]


def test_a_reference_given_twice_counts_once(tmp_path, monkeypatch):
    path = write_picture(tmp_path / "ref_000004.png")
    clip = vs.core.std.BlankClip(None, 16, 16, vs.RGB24, 1)
    monkeypatch.chdir(tmp_path)
    twice = [tmp_path, Reference("ref_000004.png", frame=4), clip, clip, Reference(clip, frame=1)]
    assert [r.frame for r in references(twice)] == [4, None, 1]
    assert references([path, Reference(path, frame=4)])[0].frame is None


def test_a_picture_is_shown_in_its_colours(tmp_path):
    lab = shown(Reference(write_picture(tmp_path / "a.png")), 96, 64, BT709).get_frame(0)
    expected = lab_for_merge(np.array([200, 40, 90]) / 255, BT709)
    found = [np.asarray(lab[p]).mean() for p in range(3)]
    assert np.allclose(found, expected, atol=0.5)


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("primaries", [1, 6])
def test_a_reference_of_the_very_frame_reproduces_it(matrix, primaries):
    """The promise that is easily lost on the way: through the whole filter, to the eye's limit."""
    true = photograph(vs.YUV444P16, matrix).std.SetFrameProps(_Primaries=primaries)
    grey = true.std.Expr(["", "32768", "32768"])
    coloured = colorize(grey, "mini-video", references=Reference(true, frame=0))
    errors = [
        np.abs(np.asarray(true.get_frame(0)[p], float) - np.asarray(coloured.get_frame(0)[p]))
        for p in (1, 2)
    ]
    assert np.mean(errors) < 0.5 * 256, "in units of the last of 8 bits: a half"
    assert np.quantile(errors, 0.99) < 4 * 256


def test_a_reference_of_other_primaries_and_transfer_is_brought_over():
    wide = photograph(vs.YUV444P16, 9).std.SetFrameProps(_Primaries=9)
    target = Colorimetry(1, 8, 1, full_range=False)
    lab = shown(Reference(wide), 96, 72, target).get_frame(0)
    rgb = wide.resize.Bicubic(96, 72, vs.RGBS, filter_param_a=1 / 3, filter_param_b=1 / 3)
    code = np.stack([np.asarray(rgb.get_frame(0)[p]) for p in range(3)], -1).clip(0, 1)
    to_target = np.linalg.solve(rgb_to_xyz_matrix(1), rgb_to_xyz_matrix(9))
    light = (decode_srgb(code) @ to_target.T).clip(0, 1)
    luma = light @ [0.2126, 0.7152, 0.0722]
    expected = 116 * lab_f(luma) - 16
    assert np.abs(np.asarray(lab[0]) - expected).max() < 0.1


def test_another_shape_is_cropped_about_its_middle(tmp_path):
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, 64:128] = 255
    pixels[:, :32] = (200, 80, 30)
    cv2.imwrite(str(tmp_path / "wide.png"), pixels)
    luma = np.asarray(shown(Reference(tmp_path / "wide.png"), 64, 64, BT709).get_frame(0)[0])
    assert luma.min() > 90


def test_hints_of_a_spreadsheet_with_semicolons(tmp_path):
    (tmp_path / "h.csv").write_text("frame;x;y;rgb\n5;250;190;190,140,90\n6;1;2;#be8c5a\n")
    assert [h.rgb for h in read_hint_file(tmp_path / "h.csv")] == ["190,140,90", "#be8c5a"]
    (tmp_path / "d.csv").write_text("frame;x;y;radius;a;b\n5;10,5;20;2,5;12,5;-3\n")
    assert read_hint_file(tmp_path / "d.csv") == [Hint(5, 10.5, 20, ab=(12.5, -3), radius=2.5)]
    one, other = (h.colour() for h in read_hint_file(tmp_path / "h.csv"))
    assert np.array_equal(one, other)


def test_hints_are_read_from_json_and_csv(tmp_path):
    rows = [
        {"frame": 3, "x": 10, "y": 20.5, "rgb": "#ff0000"},
        {"frame": 4, "x": 1, "y": 2, "ab": [10, -5], "radius": 6},
    ]
    (tmp_path / "h.json").write_text(json.dumps(rows))
    (tmp_path / "h.csv").write_text(
        "frame, x, y, rgb, a, b, radius\n3, 10, 20.5, #ff0000,,,\n4, 1, 2,, 10, -5, 6\n"
    )
    expected = [
        Hint(3, 10, 20.5, rgb="#ff0000"),
        Hint(4, 1, 2, ab=(10, -5), radius=6),
    ]
    assert hints(tmp_path / "h.json") == expected
    assert read_hint_file(tmp_path / "h.csv") == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("h.json", "{", "cannot be read"),
        ("h.json", "{}", "holds a dict"),
        ("h.json", "[]", "holds no hint, expected one at least$"),
        ("h.csv", "", "holds no hint, expected .* names: frame,x,y,rgb"),
        ("h.csv", "5,250,190,#4a6a30\n", "holds no hint, expected .* names: frame,x,y,rgb"),
        ("h.json", '[{"x": 1}]', "entry 1 is"),
        ("h.json", '[{"frame": 1, "x": 1, "y": 1}]', "expected one of them"),
        ("h.json", '[{"frame": 1, "x": 1, "y": 1, "rgb": "red"}]', "expected 3 numbers"),
        ("h.json", '[{"frame": 1, "x": "3", "y": 1, "rgb": "#fff000"}]', "entry 1 has x '3'"),
        ("h.json", '[{"frame": 1, "x": null, "y": 1, "rgb": "#fff000"}]', "entry 1 has x None"),
        (
            "h.json",
            '[{"frame": 1, "x": 3, "y": 1, "radius": "5", "rgb": "#fff000"}]',
            "entry 1 has radius '5'",
        ),
        ("h.json", '[{"frame": 1.5, "x": 3, "y": 1, "rgb": "#fff000"}]', "entry 1 has frame 1.5"),
        ("h.csv", "frame,x,y,colour\n1,2,3,4\n", "entry 1 is"),
        ("h.csv", "frame,x,y,rgb\n1,zwei,3,#ffffff\n", "entry 1 has x 'zwei'"),
        ("h.csv", "frame,x,y,rgb\n1,2,3,#ffffff\n1.5,2,3,#ffffff\n", r"entry 2 has frame 1\.5"),
        ("h.csv", "frame,x,y,a,b\n1,2,3,4,viel\n", "entry 1: .* expected 2 numbers"),
    ],
)
def test_a_bad_hint_file_says_where(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingError, match=message):
        read_hint_file(tmp_path / name)


def test_a_hints_colour():
    assert np.allclose(Hint(0, 0, 0, ab=(3, 4)).colour(), [3, 4])
    expected = srgb_to_lab(np.array([255, 0, 0]) / 255)[1:]
    assert np.allclose(Hint(0, 0, 0, rgb="#ff0000").colour(), expected)
    assert np.allclose(Hint(0, 0, 0, rgb=(255, 0, 0)).colour(), expected)


def test_cuts_are_sorted_and_frame_0_is_no_cut(tmp_path):
    assert read_cuts([30, 0, 10, 30], 100) == (10, 30)
    assert read_cuts(None, 100) is None
    (tmp_path / "cuts.txt").write_text("10\n30\n")
    assert read_cuts(tmp_path / "cuts.txt", 100) == (10, 30)
    with pytest.raises(SettingError, match="frame 100, expected 0 to 99"):
        read_cuts([100], 100)

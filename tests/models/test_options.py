"""Settings of models: what is accepted, and how words of the command line are read."""

from pathlib import Path

import pytest

from vscolor.errors import SettingError
from vscolor.models.options import Option, read_words, resolve_options

DECLARED = (
    Option("share", float, 0.5, "a share", low=0, high=1),
    Option("count", int, 3, "a count", low=1),
    Option("sharp", bool, False, "whether"),
    Option("mode", str, "fast", "how", choices=("fast", "good")),
    Option("thing", object, None, "anything at all"),
    Option("file", Path, None, "a file"),
)


def test_what_is_not_given_has_its_default():
    expected = {
        "share": 0.5,
        "count": 3,
        "sharp": False,
        "mode": "fast",
        "thing": None,
        "file": None,
    }
    assert resolve_options("m", DECLARED, None) == expected
    assert resolve_options("m", DECLARED, {"count": 9}) == {**expected, "count": 9}
    assert resolve_options("m", (), None) == {}


def test_whole_numbers_are_numbers():
    share = resolve_options("m", DECLARED, {"share": 1})["share"]
    assert share == 1
    assert isinstance(share, float)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"share": 1.5}, "share= is 1.5, expected a number from 0 to 1"),
        ({"share": float("nan")}, "share= is nan"),
        ({"share": True}, "share= is True"),
        ({"share": "0.5"}, "share= is '0.5'"),
        ({"count": 0}, "count= is 0, expected a whole number from 1"),
        ({"count": 2.0}, "count= is 2.0"),
        ({"sharp": 1}, "sharp= is 1, expected True or False"),
        ({"mode": "best"}, "mode= is 'best', expected one of fast, good"),
        ({"file": 3}, "file= is 3, expected the path of a file"),
        ({"other": 1}, "model m has no option other=; it has share=, count="),
    ],
)
def test_what_is_refused(given, said):
    with pytest.raises(SettingError) as error:
        resolve_options("m", DECLARED, given)
    assert said in str(error.value)


def test_a_file_may_be_a_text():
    assert resolve_options("m", DECLARED, {"file": "a/b"})["file"] == Path("a/b")
    assert resolve_options("m", DECLARED, {"file": Path("a/b")})["file"] == Path("a/b")


def test_words():
    words = [
        "file=x.y",
        "share=0.25",
        "count=7",
        "sharp=yes",
        "mode=good",
        "thing=x=y",
        "unknown=1",
    ]
    assert read_words(DECLARED, words) == {
        "share": 0.25,
        "count": 7,
        "sharp": True,
        "mode": "good",
        "thing": "x=y",
        "file": Path("x.y"),
        "unknown": "1",
    }


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("share", "--option is 'share', expected NAME=VALUE"),
        ("share=much", "share= is 'much', expected a number from 0 to 1"),
        ("count=1.5", "count= is '1.5', expected a whole number"),
        ("sharp=perhaps", "sharp= is 'perhaps', expected True or False"),
        ("mode=best", "mode= is 'best'"),
    ],
)
def test_words_that_are_refused(word, said):
    with pytest.raises(SettingError) as error:
        read_words(DECLARED, [word])
    assert said in str(error.value)

"""Times of frames, and how a user names one."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vscolor.errors import SettingError
from vscolor.media import timing

RATES = [Fraction(24), Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60)]
BASES = [Fraction(1, 1000), Fraction(1, 90000), Fraction(1, 12800)]


@given(
    rate=st.sampled_from(RATES),
    base=st.sampled_from(BASES),
    start=st.integers(-500, 5000),
    length=st.integers(2, 400),
)
def test_a_constant_rate_is_seen_through_the_containers_rounding(rate, base, start, length):
    told = [round((Fraction(start, 1000) + n / rate) / base) for n in range(length)]
    line = timing.of_file(told, base, rate)
    assert line.constant
    assert len(line.ticks) == length
    times = [tick * line.time_base for tick in line.ticks]
    assert {b - a for a, b in pairwise(times)} == {1 / rate}
    assert max(abs(t - n * base) for t, n in zip(times, told, strict=True)) <= base
    assert line.time_base.denominator < 2**32


@given(st.lists(st.integers(1, 200), min_size=3, max_size=50))
def test_uneven_times_are_kept_to_the_tick(steps):
    told = [sum(steps[:n]) for n in range(len(steps) + 1)]
    line = timing.of_file(told, Fraction(1, 1000), Fraction(25))
    worst = max(abs(line.ticks[n] * line.time_base - Fraction(t, 1000)) for n, t in enumerate(told))
    assert worst <= Fraction(1, 2000) if line.constant else worst == 0


def test_shared_ticks_are_moved_on_and_lost_ones_replaced_with_a_note():
    line = timing.of_file([0, 40, 40, 90], Fraction(1, 1000), Fraction(25))
    assert list(line.ticks) == [0, 40, 41, 90]
    lost = timing.of_file([-(2**63)] * 4, Fraction(1, 1000), Fraction(25))
    assert [lost.seconds(n) for n in range(4)] == [Fraction(n, 25) for n in range(4)]
    assert "do not rise" in lost.note


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("0", 0),
        ("120", 120),
        ("0s", 0),
        ("12s", 300),
        ("12.5", 313),
        ("0:12.5", 313),
        ("1:00", 1500),
        ("1:00:00", 90000),
        (".02", 1),
        (".04", 1),
        ("1.", 25),
    ],
)
def test_places_by_frame_and_by_time(text, frame):
    line = timing.of_rate(Fraction(25), 100_000)
    assert timing.frame_at(text, line, "--start") == frame


@pytest.mark.parametrize("text", ["", "x", "-1", "1:", "1:2:3:4", "12 s", "1,5", "nan"])
def test_a_place_that_cannot_be_read(text):
    with pytest.raises(SettingError, match="--end is"):
        timing.frame_at(text, timing.of_rate(Fraction(25), 10), "--end")


def test_times_count_from_the_first_frame():
    line = timing.of_file([1400 + 40 * n for n in range(50)], Fraction(1, 1000), Fraction(25))
    assert timing.frame_at("1s", line, "--start") == 25


@given(st.fractions(-1000, 100_000))
def test_microseconds_round_down(time):
    assert 0 <= time - Fraction(timing.microseconds_down(time)) < Fraction(1, 10**6)

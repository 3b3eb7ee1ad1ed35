"""Presentation times of frames, and frame numbers and times as the user gives them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd
from typing import Final

import vapoursynth as vs

from vscolor.errors import SettingError

type Stamp = Callable[[vs.VideoFrame], int]

SCRIPT_TIME_BASE: Final = Fraction(1, 90000)
MAX_NUDGED: Final = 2
UNEQUAL: Final = Fraction(3, 1000)
FINE_STEP: Final = 100
_MICROSECONDS: Final = 10**6
_FRAME: Final = re.compile(r"\d+")
_CLOCK: Final = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)s?")


@dataclass(frozen=True)
class Timeline:
    """Presentation times of a clip.

    Attributes:
        time_base: Seconds per tick.
        ticks: One tick per frame, strictly rising; None for a script's clip of variable rate, whose
            frame durations are summed from `begin` instead.
        constant: Whether all frames last equally long.
        rate: Frames per second, the mean where they differ; None where unknown.
        next_tick: When the frame after the last would come, if known.
        note: Message for the user on how the times were found; may be empty.
        rate_unverified: Whether frame durations may contradict `rate`, as in a script's clip.
        begin: Time of the first frame in seconds, where `ticks` is None.
    """

    time_base: Fraction
    ticks: Sequence[int] | None
    constant: bool
    rate: Fraction | None
    next_tick: int | None = None
    note: str = ""
    rate_unverified: bool = False
    begin: Fraction = Fraction(0)

    def seconds(self, frame: int) -> Fraction | None:
        """Time of `frame` in seconds; None without `ticks`, or past an end that is unknown."""
        if self.ticks is None:
            return None
        if frame < len(self.ticks):
            return self.ticks[frame] * self.time_base
        return None if self.next_tick is None else self.next_tick * self.time_base

    def stamps(self, first: int) -> Stamp:
        """A function that returns each frame's tick, to be called in order from frame `first`."""
        if self.ticks is None:
            return _adding_durations(self.time_base, self.begin)
        coming = iter(self.ticks[first:])
        return lambda _frame: next(coming)


def moved(timeline: Timeline, begin: Fraction) -> Timeline:
    """Shift a script's timeline, which starts at zero, to start at `begin` seconds."""
    if begin == 0:
        return timeline
    if timeline.ticks is None:
        return replace(timeline, begin=begin)
    base = _common_measure(timeline.time_base, begin)
    step, first = timeline.time_base / base, begin / base
    count = len(timeline.ticks)
    ticks = range(int(first), int(first + step * count), int(step))
    return replace(timeline, time_base=base, ticks=ticks, next_tick=ticks.stop)


def of_rate(rate: Fraction, length: int) -> Timeline:
    """The timeline of a clip of constant rate that starts at zero."""
    return Timeline(1 / rate, range(length), True, rate, length)


def of_script(clip: vs.VideoNode) -> Timeline:
    """The timeline of a script's clip: its rate, or its frames' durations."""
    if clip.fps > 0:
        return replace(of_rate(Fraction(clip.fps), clip.num_frames), rate_unverified=True)
    return Timeline(SCRIPT_TIME_BASE, None, False, None)


def of_file(told: Sequence[int], time_base: Fraction, rate: Fraction) -> Timeline:
    """The timeline of a file's track.

    Frames that share a tick are moved by one or two ticks; if that is not enough, times follow from
    `rate`. Tracks of constant rate whose container rounds (Matroska: to milliseconds) get their
    exact times back, so that the encoder and the new container know the rate.

    Args:
        told: Ticks as stored in the container, in presentation order.
        time_base: Seconds per tick in the container.
        rate: Frames per second as the source filter reports it.
    """
    ticks = _rising(told)
    if max(abs(tick - kept) for tick, kept in zip(told, ticks, strict=True)) > MAX_NUDGED:
        note = f"the source's times do not rise: {float(rate):.3f} frames/s are taken instead"
        return replace(of_rate(rate, len(told)), note=note)
    if rate > 0 and (start := _constant_start(ticks, rate * time_base)) is not None:
        base = _common_measure(1 / rate, start * time_base)
        if 1 < 1 / (rate * base) < FINE_STEP:  # ffmpeg would take a coarse base for the rate
            base /= FINE_STEP
        step = round(1 / (rate * base))
        first = round(start * time_base / base)
        exact = range(first, first + step * len(ticks), step)
        return Timeline(base, exact, True, rate, exact.stop)
    last = ticks[-1] - ticks[-2] if len(ticks) > 1 else 0
    after = ticks[-1] + last if last else None
    return Timeline(time_base, ticks, False, rate if rate > 0 else None, after)


def _rising(ticks: Sequence[int]) -> list[int]:
    """Strictly rising ticks: a frame whose tick is taken gets the next free one."""
    last = ticks[0] - 1
    kept = []
    for tick in ticks:
        last = max(tick, last + 1)
        kept.append(last)
    return kept


def _constant_start(ticks: Sequence[int], frames_a_tick: Fraction) -> Fraction | None:
    """Exact start, in ticks, of constant-rate frames whose times the container rounded.

    Each time may be off by half a tick. Returns None if no start is consistent with all of them.
    """
    q, p = frames_a_tick.numerator, frames_a_tick.denominator
    drift = [tick * q - n * p for n, tick in enumerate(ticks)]
    low, high = Fraction(2 * max(drift) - q, 2 * q), Fraction(2 * min(drift) + q, 2 * q)
    if low > high:
        return None
    whole_frames = round(ticks[0] * frames_a_tick) / frames_a_tick
    middle = ((low + high) / 2).limit_denominator(16)
    fitting = (x for x in (whole_frames, Fraction(ticks[0]), middle) if low <= x <= high)
    return next(fitting, None)


def _common_measure(a: Fraction, b: Fraction) -> Fraction:
    """The largest fraction of which both are whole multiples."""
    over = a.denominator * b.denominator
    return Fraction(gcd(a.numerator * b.denominator, b.numerator * a.denominator), over)


def _adding_durations(time_base: Fraction, begin: Fraction) -> Stamp:
    """A `Stamp` that sums `_DurationNum/_DurationDen` from `begin`."""
    now = begin

    def stamp(frame: vs.VideoFrame) -> int:
        nonlocal now
        tick = round(now / time_base)
        try:
            now += Fraction(frame.props["_DurationNum"], frame.props["_DurationDen"])
        except (KeyError, ZeroDivisionError):
            raise SettingError(
                "the script's clip has a variable rate and a frame without _DurationNum and "
                "_DurationDen; set them, or give it a rate with std.AssumeFPS"
            ) from None
        return tick

    return stamp


class Durations:
    """Collects the range of frame durations in a clip, frame by frame."""

    def __init__(self) -> None:
        self._shortest, self._longest = Fraction(10**6), Fraction(0)

    def see(self, frame: vs.VideoFrame) -> None:
        """Add a frame's duration, if it has one."""
        numerator, denominator = (frame.props.get(f"_Duration{x}", 0) for x in ("Num", "Den"))
        if numerator and denominator:
            duration = Fraction(numerator, denominator)
            self._shortest = min(self._shortest, duration)
            self._longest = max(self._longest, duration)

    @property
    def differ(self) -> bool:
        """Whether durations differ by more than a container's rounding to milliseconds."""
        return self._longest - self._shortest > UNEQUAL


def frame_at(text: str, timeline: Timeline, option: str) -> int:
    """Read a frame number or a time given by the user.

    Args:
        text: A whole number is a frame, counted from 0; `[[h:]m:]s[.fraction]` with a colon, a
            point or a final `s` is a time, counted from the first frame, and selects the first
            frame at or after it.
        timeline: Times of the clip.
        option: The option's name, for the message.

    Raises:
        SettingError: `text` is neither, or a time where the clip's times are not known in advance.
    """
    if _FRAME.fullmatch(text):
        return int(text)
    parts = _CLOCK.fullmatch(text)
    if parts is None:
        raise SettingError(
            f"{option} is {text!r}, expected a frame number (120) or a time (1:02:03.5, 12.5, 12s)"
        )
    if timeline.ticks is None:
        raise SettingError(
            f"{option} is the time {text!r}, expected a frame number: a script's clip of variable "
            "rate has no times beforehand"
        )
    hours, minutes, seconds = (Fraction(part or 0) for part in parts.groups())
    wanted = (hours * 60 + minutes) * 60 + seconds
    origin = timeline.ticks[0]
    return bisect_left(
        timeline.ticks, wanted, key=lambda tick: (tick - origin) * timeline.time_base
    )


def microseconds_down(time: Fraction) -> str:
    """`time` as seconds with six decimals, rounded down so that a frame at it is not before it."""
    whole = time.numerator * _MICROSECONDS // time.denominator
    sign = "-" if whole < 0 else ""
    return f"{sign}{abs(whole) // _MICROSECONDS}.{abs(whole) % _MICROSECONDS:06d}"

"""Memory under hosts that are not ours."""

import os
import subprocess
import sys

import pytest

from vscolor import memory

BLOCK, BLOCKS = 1 << 20, 200

# Lets glibc hoard 200 MB, as the planes of a long run do: free blocks with held ones between them.
# Then a filter makes two frames, more than a second apart.
HOARDED = f"""
import ctypes, time
import vapoursynth as vs
from vscolor import colorize, stabilize
from vscolor.models.registry import registry
from vscolor.testing import tiny_entry, tiny_video_entry

def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) >> 10

registry.add(tiny_entry())
registry.add(tiny_video_entry())
grey = vs.core.std.BlankClip(None, 128, 96, vs.YUV420P8, 40, color=[90, 120, 130])
clip = CALL
clip.get_frame(0)
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.mallopt(-3, 32 << 20)
libc.mallopt(-1, 1 << 30)
large = []
for _ in range({BLOCKS}):
    large.append(libc.malloc({BLOCK}))
    ctypes.memset(large[-1], 1, {BLOCK})
    libc.malloc(64)
for block in large:
    libc.free(block)
before = resident()
time.sleep({memory.REST} + 0.1)
clip.get_frame(30)
print(before - resident())
"""


class Clock:
    """Seconds that a test lets pass."""

    now = 100.0

    def __call__(self):
        return self.now


class Pools:
    """A C library that takes its time."""

    def __init__(self, clock, took=0.0):
        self.clock, self.took = clock, took
        self.options, self.trimmed = [], []

    def mallopt(self, option, value):
        self.options.append((option, value))

    def malloc_trim(self, pad):
        self.trimmed.append(self.clock.now)
        self.clock.now += self.took


def test_it_is_done_now_and_then_and_the_threshold_set_once():
    clock = Clock()
    pools = Pools(clock)
    tidy = memory.Tidying(pools, clock)
    for n in range(100):
        clock.now = 100 + n / 24
        tidy()
    assert pools.trimmed == pytest.approx([100, 101, 102, 103, 104], abs=0.05)
    assert pools.options == [(memory.M_MMAP_THRESHOLD, memory.MAX_POOLED)]


def test_a_long_round_is_followed_by_a_long_rest():
    clock = Clock()
    pools = Pools(clock, took=0.5)
    tidy = memory.Tidying(pools, clock)
    while clock.now < 140:
        tidy()
        clock.now += 0.01
    assert len(pools.trimmed) * 0.5 <= 40 * memory.MAX_SHARE + 0.5
    assert len(pools.trimmed) > 2


def test_one_round_at_a_time():
    clock = Clock()

    class Meeting(Pools):
        def malloc_trim(self, pad):
            super().malloc_trim(pad)
            self.clock.now += 5
            tidy()  # as another thread would, meanwhile

    pools = Meeting(clock)
    tidy = memory.Tidying(pools, clock)
    tidy()
    assert len(pools.trimmed) == 1


def hoarded(call, **environment):
    """Megabytes that came back while a filter worked."""
    done = subprocess.run(
        [sys.executable, "-c", HOARDED.replace("CALL", call)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(memory.glibc() is None, reason="another C library")
@pytest.mark.parametrize(
    "call",
    [
        "colorize(grey, 'tiny', size=64)",
        "colorize(grey, 'tiny-video', size=64, history=True)",
        "stabilize(grey)",
        "stabilize(grey, 'blind', size=64)",
    ],
)
def test_the_filters_give_back_what_a_host_hoards(call):
    assert hoarded(call) > BLOCKS * 0.7  # the filter itself takes some


@pytest.mark.skipif(memory.glibc() is None, reason="another C library")
def test_a_host_can_keep_it():
    assert hoarded("colorize(grey, 'tiny', size=64)", VSCOLOR_RETURN_MEMORY="0") < BLOCKS * 0.1

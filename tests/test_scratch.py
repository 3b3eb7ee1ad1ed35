"""Arrays of a thread's own."""

import threading

import numpy as np
import vapoursynth as vs

from vscolor import scratch as module
from vscolor.scratch import per_thread, scratch


def address(array):
    return array.__array_interface__["data"][0]


def test_a_thread_gets_its_array_again_until_another_shape_or_dtype_is_asked_for():
    first = scratch("test.a", (3, 4))
    first[:] = 7
    assert scratch("test.a", (3, 4)) is first
    assert (scratch("test.a", (3, 4)) == 7).all()
    assert scratch("test.b", (3, 4)) is not first
    assert scratch("test.a", (4, 3)).shape == (4, 3)
    assert scratch("test.a", (4, 3), np.uint8).dtype == np.uint8


def test_threads_do_not_share():
    meet, found = threading.Barrier(4), []

    def ask():
        array = scratch("test.shared", (64, 64))
        meet.wait()
        found.append(address(array))
        meet.wait()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 4


def test_a_thread_of_the_core_keeps_its_things_from_callback_to_callback():
    """It is a new thread to Python each time, and `threading.local` would have forgotten."""
    made = {}

    def note(n, f):
        kept = per_thread("test.kept", lambda: np.empty(1000))
        made.setdefault(threading.get_ident(), []).append(address(kept))
        return f

    blank = vs.core.std.BlankClip(None, 16, 16, vs.GRAY8, 60)
    for frame in blank.std.ModifyFrame(blank, note).frames(close=True):
        frame.close()
    assert sum(map(len, made.values())) == 60
    assert all(len(set(addresses)) == 1 for addresses in made.values())


def test_the_things_of_threads_long_gone_are_dropped(monkeypatch):
    monkeypatch.setattr(module, "MAX_THREADS", 3)
    monkeypatch.setattr(module, "_held", type(module._held)())
    numbers = iter(range(10))
    monkeypatch.setattr(module.threading, "get_ident", lambda: next(numbers))
    for _ in range(10):
        scratch("test.old", (8,))
    assert list(module._held) == [7, 8, 9]

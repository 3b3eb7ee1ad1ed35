"""What the C library does with the memory the core frees.

glibc keeps it. It raises its threshold for giving large blocks back with the first plane that is
freed; from then on planes allocated in one thread and freed in another fragment its pools, and any
chain of filters grows: by 0.65 MB a frame at 1080p, by 0.2 to 0.6 MB at 320x240, until the machine
is full (R81, glibc 2.36, with vscolor or without). The core's own count of its cache sees none of
this. Nothing here does anything under another C library.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Final

M_MMAP_THRESHOLD: Final = -3
LARGEST_POOLED: Final = 4096
OPT_OUT: Final = "VSCOLOR_MALLOC_TRIM"
"""Set to 0, this variable of the environment leaves the memory of a host alone."""
REST: Final = 1.0
"""Seconds between two rounds at least."""
LARGEST_SHARE: Final = 0.05
"""Of the time that passes; a host that holds a lot is tidied less often."""


@cache
def glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None  # musl has neither call


def return_at_once() -> None:
    """Have every block above `LARGEST_POOLED` given back as soon as it is freed.

    This holds for the rest of the process, and costs 1 to 2 ms a frame at 1080p: only for a
    process that is ours.
    """
    if library := glibc():
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_POOLED)


class Tidying:
    """Gives back what lies free, now and then, and changes no setting of the host.

    Args:
        trim: What gives it back; None where there is nothing to be done.
        clock: Seconds, rising.
    """

    def __init__(
        self, trim: Callable[[], object] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._trim = trim
        self._clock = clock
        self._due = clock() + REST
        self._one_at_a_time = threading.Lock()

    def __call__(self) -> None:
        """Tidy if it is time to; called for every frame, from any thread."""
        start = self._clock()
        if self._trim is None or start < self._due:
            return
        if not self._one_at_a_time.acquire(blocking=False):
            return
        try:
            self._trim()
            end = self._clock()
            self._due = end + max(REST, (end - start) / LARGEST_SHARE)
        finally:
            self._one_at_a_time.release()


def _trim() -> Callable[[], object] | None:
    library = glibc()
    if library is None or os.environ.get(OPT_OUT) == "0":
        return None
    return lambda: library.malloc_trim(0)


tidy: Final = Tidying(_trim())
"""The pools belong to the process, so there is one of these for all clips."""

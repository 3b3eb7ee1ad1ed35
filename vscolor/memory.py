"""What the C library does with the memory the core frees.

glibc keeps it. It raises its threshold for giving large blocks back with the first plane that is
freed; from then on planes allocated in one thread and freed in another fragment its pools, and any
chain of filters grows: by 0.65 MB a frame at 1080p, by 0.2 MB at 320x240, until the machine is full
(R81, glibc 2.36, with vscolor or without). The core's own count of its cache sees none of this.

So with the first frame made the threshold is fixed, for planes and everything larger, and now and
then what lies free in the pools is given back. Either alone was measured and leaves some growth:
the threshold at 320x240, the rounds on a busy machine. Nothing is done under another C library.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

M_MMAP_THRESHOLD: Final = -3
MAX_POOLED: Final = 16384
"""Bytes; glibc starts with 131072, under which the planes of small films fall."""
OPT_OUT: Final = "VSCOLOR_RETURN_MEMORY"
"""Set to 0, this variable of the environment leaves the C library alone."""
REST: Final = 1.0
"""Seconds between two rounds at least."""
MAX_SHARE: Final = 0.05
"""Of the time that passes; a process that holds a lot is tidied less often."""


class Pools(Protocol):
    """The two calls of glibc that are made."""

    def mallopt(self, option: int, value: int, /) -> object:
        """Set an option of the allocator."""
        ...

    def malloc_trim(self, pad: int, /) -> object:
        """Give back what lies free."""
        ...


def glibc() -> Pools | None:
    """The C library of this process, if it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None  # musl has neither call


class Tidying:
    """Keeps the C library from hoarding what the core frees.

    Args:
        pools: The library's; None where it is to be left alone.
        clock: Seconds, rising.
    """

    def __init__(self, pools: Pools | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._clock = clock
        self._due: float | None = None
        self._one_at_a_time = threading.Lock()

    def __call__(self) -> None:
        """Tidy if it is time to; called for every frame, from any thread."""
        start = self._clock()
        if self._pools is None or (self._due is not None and start < self._due):
            return
        if not self._one_at_a_time.acquire(blocking=False):
            return
        try:
            if self._due is None:
                self._pools.mallopt(M_MMAP_THRESHOLD, MAX_POOLED)
            self._pools.malloc_trim(0)
            end = self._clock()
            self._due = end + max(REST, (end - start) / MAX_SHARE)
        finally:
            self._one_at_a_time.release()


tidy: Final = Tidying(None if os.environ.get(OPT_OUT) == "0" else glibc())
"""The pools belong to the process, so there is one of these for all clips."""

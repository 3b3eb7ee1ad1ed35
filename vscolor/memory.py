"""Make glibc return the memory that the core frees to the system.

By default it does not. With the first plane freed, glibc raises the size from which blocks are
returned; from then on planes allocated in one thread and freed in another fragment its pools, and
any chain of filters grows: by 0.65 MB a frame at 1080p, by 0.2 MB at 320x240, until memory is full
(VapourSynth R81, glibc 2.36, with vscolor or without). The core's cache size does not show this.

So at the first frame the threshold is fixed, below the size of planes, and from time to time the
free memory in the pools is returned. Measured, either alone leaves some growth: the threshold at
320x240, the trimming on a busy machine. Nothing is done under another C library.
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
"""Bytes; glibc's default is 131072, which planes of small films do not reach."""
OPT_OUT: Final = "VSCOLOR_RETURN_MEMORY"
"""Environment variable; 0 leaves the C library alone."""
REST: Final = 1.0
"""Least seconds between two trims."""
MAX_SHARE: Final = 0.05
"""Largest part of the time that may go into trimming; slow trims are made less often."""


class Pools(Protocol):
    """The two functions of glibc that are used."""

    def mallopt(self, option: int, value: int, /) -> object:
        """Set an option of the allocator."""
        ...

    def malloc_trim(self, pad: int, /) -> object:
        """Return free memory to the system."""
        ...


def glibc() -> Pools | None:
    """The C library of this process, if it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None  # musl has neither call


class Tidying:
    """Keeps the C library from retaining what the core frees.

    Args:
        pools: The C library; None to leave it alone.
        clock: Returns ascending seconds.
    """

    def __init__(self, pools: Pools | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._clock = clock
        self._due: float | None = None
        self._one_at_a_time = threading.Lock()

    def __call__(self) -> None:
        """Trim if it is due; called for every frame, from any thread."""
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
"""The pools belong to the process, so there is one instance for all clips."""

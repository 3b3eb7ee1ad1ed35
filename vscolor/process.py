"""What a process sets for itself when all it does is colour from the first frame to the last.

The filters never do this: in a previewer or under vspipe these belong to the host.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

import vapoursynth as vs

# A straight run reads each frame once; the core's default, half of all memory, would only fill up.
CACHE_MEGABYTES: Final = 1024
M_MMAP_THRESHOLD: Final = -3
LARGEST_POOLED: Final = 4096


def settle() -> None:
    """Bound the core's cache and the C library's hoard of freed memory."""
    vs.core.max_cache_size = min(vs.core.max_cache_size, CACHE_MEGABYTES)
    _return_freed_memory()


def _return_freed_memory() -> None:
    """Have glibc give freed planes back at once.

    It raises its threshold for doing so with the first plane that is freed; then planes allocated
    in one thread and freed in another fragment its pools, which grow without end: 60 to 600 KB a
    frame at 320x240, any filter, R81. A fixed threshold costs 1 to 2 ms a frame at 1080p.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):  # musl has its own ways and no such call
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_POOLED)

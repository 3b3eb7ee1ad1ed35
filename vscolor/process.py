"""Settings of a process that does nothing but read a film from the first frame to the last.

The filters never change them: in a previewer or under vspipe they are the host's.
"""

from __future__ import annotations

from typing import Final

import vapoursynth as vs

# A straight run reads each frame once, so the core's default, half of all memory, only fills up.
CACHE_MEGABYTES: Final = 1024


def limit_core_cache() -> None:
    """Limit the core's cache."""
    vs.core.max_cache_size = min(vs.core.max_cache_size, CACHE_MEGABYTES)

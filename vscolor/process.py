"""What a process sets for itself when all it does is colour from the first frame to the last.

The filters never do this: in a previewer or under vspipe it belongs to the host.
"""

from __future__ import annotations

from typing import Final

import vapoursynth as vs

# A straight run reads each frame once; the core's default, half of all memory, would only fill up.
CACHE_MEGABYTES: Final = 1024


def limit_core_cache() -> None:
    """Bound the core's cache."""
    vs.core.max_cache_size = min(vs.core.max_cache_size, CACHE_MEGABYTES)

"""Arrays that are written over instead of made anew.

A filter's process gives freed memory back to the system (`vscolor.memory`), so that a fresh array
of a plane's size costs its pages anew: a fifth of the time of colour with history.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

_own = threading.local()


def scratch(name: str, shape: tuple[int, ...], kind: type = np.float32) -> Any:
    """An array of the thread's own, with whatever it held.

    It may be used until the same thread asks for the same name again.

    Args:
        name: What it is for; begins with the asking module's name.
        shape: Its shape; another one than last time gets a new array.
        kind: Its dtype.
    """
    held: dict[Any, Any] = _own.__dict__.setdefault("held", {})
    if name not in held or held[name].shape != shape or held[name].dtype != kind:
        held[name] = np.empty(shape, kind)
    return held[name]

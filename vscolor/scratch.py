"""Arrays that are reused instead of allocated anew.

A filter's process returns freed memory to the system (`vscolor.memory`), so that each new array of
a plane's size has to be mapped again: that was a third of the time of colouring with history.

To Python a thread of the core is a new one in every callback, and `threading.local` loses its
contents with the callback; so objects are kept by thread identifier.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np

MAX_THREADS: Final = 64
"""Threads whose objects are kept; beyond these, the thread that asked longest ago loses its own."""

_held: OrderedDict[int, dict[str, Any]] = OrderedDict()
_turn = threading.Lock()


def scratch(name: str, shape: tuple[int, ...], kind: type = np.float32) -> Any:
    """An array of the calling thread's own, with arbitrary contents.

    It may be used until the same thread asks for the same name again.

    Args:
        name: What it is for; begins with the calling module's name.
        shape: Its shape; if it differs from last time's, a new array is made.
        kind: Its dtype.
    """
    held = _mine()
    array = held.get(name)
    if array is None or array.shape != shape or array.dtype != kind:
        held[name] = array = np.empty(shape, kind)
    return array


def per_thread[T](name: str, make: Callable[[], T]) -> T:
    """The calling thread's object of this name, made by `make` if there is none yet."""
    held = _mine()
    if name not in held:
        held[name] = make()
    return cast(T, held[name])


def _mine() -> dict[str, Any]:
    number = threading.get_ident()
    with _turn:
        held = _held.setdefault(number, {})
        _held.move_to_end(number)
        if len(_held) > MAX_THREADS:
            _held.popitem(last=False)
    return held

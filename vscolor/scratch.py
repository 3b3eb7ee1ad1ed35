"""Arrays that are written over instead of made anew.

A filter's process gives freed memory back to the system (`vscolor.memory`), so that a fresh array
of a plane's size costs its pages anew: a third of the time of colour with history.

A thread of the core is a new one to Python in every callback, and what `threading.local` holds is
gone with the callback; so things are kept by the thread's number.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np

MAX_THREADS: Final = 64
"""The things of so many threads are kept; numbers of threads that have ended come again, or age."""

_held: OrderedDict[int, dict[str, Any]] = OrderedDict()
_turn = threading.Lock()


def scratch(name: str, shape: tuple[int, ...], kind: type = np.float32) -> Any:
    """An array of the thread's own, with whatever it held.

    It may be used until the same thread asks for the same name again.

    Args:
        name: What it is for; begins with the asking module's name.
        shape: Its shape; another one than last time gets a new array.
        kind: Its dtype.
    """
    held = _mine()
    array = held.get(name)
    if array is None or array.shape != shape or array.dtype != kind:
        held[name] = array = np.empty(shape, kind)
    return array


def thread_local[T](name: str, make: Callable[[], T]) -> T:
    """What the thread made under this name, made now if it has none yet."""
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

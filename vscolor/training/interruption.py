"""Defer Ctrl-C and termination signals until a run can stop cleanly."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ENDINGS: Final = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def noting_interruptions() -> Iterator[Callable[[], bool]]:
    """Defer the signals that end the program.

    Yields a function that returns whether one has arrived. If so, `KeyboardInterrupt` is raised
    when the block is left; a second signal raises it at once. Outside the main thread, which alone
    gets signals, nothing is done.
    """
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    numbers = [getattr(signal, name) for name in ENDINGS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    kept = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            signal.signal(number, note)
        yield lambda: bool(asked)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler or signal.SIG_DFL)
    if asked:
        raise KeyboardInterrupt


def leave_interruptions_to_the_parent(_worker: int) -> None:
    """Ignore termination signals in a batch worker.

    A signal to the whole process group must not end the workers before the parent. They end when
    the parent stops them by other means, or exits.
    """
    for name in ENDINGS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

"""Ctrl-C and its like, kept waiting until a run can be left in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ENDINGS: Final = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def noting_interruptions() -> Iterator[Callable[[], bool]]:
    """Let what would end the program wait for a good moment.

    Gives a function that tells whether an end was asked for. When the block is left after that,
    `KeyboardInterrupt` is raised; a second Ctrl-C does not wait. Threads other than the main one
    get no signals, and nothing is done there.
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
    """For processes that make batches: what ends a whole group must not end them first.

    They end when the parent says so by other means, or is gone.
    """
    for name in ENDINGS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

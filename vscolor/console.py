"""What the command line shows the user: progress, notices, errors; all of it on stderr."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

CALLBACK_MARK: Final = "vapoursynth.Error: "

stderr: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and what it counts: `1 frame`, `2 frames`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def note(message: str) -> None:
    """Print a notice, in one line."""
    stderr.print(_one_line(message), markup=False)


def complain(message: str) -> None:
    """Print an error, in one line."""
    stderr.print(f"vscolor: {_one_line(message)}", markup=False)


class _Relay(logging.Handler):
    """Prints log records as notices."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def core_log(quiet: bool) -> Iterator[None]:
    """Print what filters log through the core while a graph is built; if quiet, only errors."""
    logger, relay = logging.getLogger("vapoursynth"), _Relay()
    relay.setLevel(logging.ERROR if quiet else logging.WARNING)
    logger.addHandler(relay)
    try:
        yield
    finally:
        logger.removeHandler(relay)


def _one_line(message: str) -> str:
    """A message without line breaks and without the traceback before a callback's message."""
    return " ".join(message.rsplit(CALLBACK_MARK, 1)[-1].split())


class _Rate(ProgressColumn):
    """Frames a second so far."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} frames/s")


@contextmanager
def frames_bar(label: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left; yields a function that takes the number of frames done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        _Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    hidden = quiet or not stderr.is_terminal
    with Progress(*columns, console=stderr, disable=hidden, speed_estimate_period=10) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def percent_bar(label: str, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar of 100 %, shown from its first step on and removed when done."""
    hidden = quiet or not stderr.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    with Progress(*columns, console=stderr, disable=hidden, transient=True) as bar:
        task = bar.add_task(label, total=100, visible=False)
        yield lambda percent: bar.update(task, completed=percent, visible=True)


@contextmanager
def schedule_bar(label: str, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """A bar with time left; yields a function that takes the part done, 0..1, and a few words."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[words]}"),
    )
    hidden = quiet or not stderr.is_terminal
    with Progress(*columns, console=stderr, disable=hidden, speed_estimate_period=120) as bar:
        task = bar.add_task(label, total=1.0, words="")
        yield lambda share, words: bar.update(task, completed=share, words=words)


def tracked[T](label: str, items: Sequence[T], quiet: bool) -> Iterator[T]:
    """Items one by one, with a bar that is removed when done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    hidden = quiet or not stderr.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=stderr, disable=hidden, transient=True
    ) as bar:
        yield from bar.track(items, description=label)


class BytesBar:
    """A bar of bytes with the interface of pooch's progress bars."""

    def __init__(self, label: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        hidden = not stderr.is_terminal
        self._bar = Progress(*columns, TimeRemainingColumn(), console=stderr, disable=hidden)
        self._task = self._bar.add_task(label, total=None)
        self._bar.start()
        self.total = 0

    def update(self, count: int) -> None:
        """Advance by bytes."""
        self._bar.update(self._task, advance=count, total=self.total or None)

    def reset(self) -> None:
        """Go back to zero."""
        self._bar.reset(self._task)

    def close(self) -> None:
        """Stop drawing."""
        self._bar.stop()


def interruptible[T](work: Callable[[], T]) -> T:
    """Run a call that may stay in native code for long, such that Ctrl-C still ends the program."""
    results: list[T] = []
    failures: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed to the waiting thread as it is
            failures.append(error)

    worker = threading.Thread(target=body, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(0.1)
    if failures:
        raise failures[0]
    return results[0]


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = monotonic()

    def __str__(self) -> str:
        seconds = round(self.seconds)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    @property
    def seconds(self) -> float:
        """Elapsed so far."""
        return monotonic() - self._start

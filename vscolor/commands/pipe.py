"""Y4M in, coloured Y4M out, through the same graph as a file takes.

The graph needs a clip with a length and frames in any order; a stream has neither. So the graph is
built on a practically endless clip whose frames come from a ring: a thread reads the stream into
it, a frame of output is asked for only when its whole batch is there, and what no batch still to
come can want is dropped. At the end of the stream the last frame fills the batch up, as `colorize`
itself does at the end of a clip.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Protocol

import numpy as np
import vapoursynth as vs

from vscolor import process
from vscolor.errors import SettingError
from vscolor.media import y4m
from vscolor.media.rawvideo import Sink, write_planes
from vscolor.media.y4m import Header, Y4MError

ENDLESS: Final = 1 << 30
BUFFER: Final = 1 << 20


class Colourer(Protocol):
    """How to colour, and how many frames belong together while doing so."""

    def apply(self, clip: vs.VideoNode) -> vs.VideoNode:
        """Colour a clip."""
        ...

    @property
    def group(self) -> int:
        """Frames that go through the model together."""
        ...

    @property
    def needs_neighbours(self) -> bool:
        """Whether it wants other frames than the one it colours."""
        ...

    def prefetch(self) -> int:
        """Frames of output to have under way."""
        ...


@dataclass(frozen=True)
class _Arrival:
    """A frame of the stream, and the words after its `FRAME`."""

    frame: vs.VideoFrame
    words: bytes


class Ring:
    """The frames of a stream that are still wanted.

    Args:
        stream: Where they come from, its header read already.
        header: That header.
        group: Frames that go through the model together.
        ahead: Frames of output that may be under way.
    """

    def __init__(self, stream: BinaryIO, header: Header, group: int, ahead: int) -> None:
        self._stream = stream
        self._group = group
        self._capacity = ahead + 3 * group
        self._blank = _blank(header)
        self._arrivals: dict[int, _Arrival] = {}
        self._first = 0
        self._count = 0
        self._ended = False
        self._fault: Y4MError | OSError | None = None
        self._change = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def clip(self) -> vs.VideoNode:
        """The endless clip whose frames are the stream's."""
        node = self._blank.std.ModifyFrame(self._blank, lambda n, f: self._take(n))  # noqa: ARG005
        node.std.SetVideoCache(mode=1, fixedsize=1, maxsize=self._capacity)
        return node

    def wait_for(self, number: int, patient: bool) -> bool:
        """Whether frame `number` exists and its whole batch is here.

        Args:
            number: Of the frame.
            patient: Whether to wait until that is known.
        """
        full = (number // self._group + 1) * self._group
        with self._change:
            if patient:
                self._change.wait_for(lambda: self._ended or self._count >= full)
            return number < self._count and (self._ended or self._count >= full)

    def words(self, number: int) -> bytes:
        """What stood after `FRAME`."""
        with self._change:
            return self._arrivals[number].words

    def release(self, number: int) -> None:
        """Say that output up to and with frame `number` is written."""
        with self._change:
            batch = (number + 1) // self._group * self._group
            # The last frame stays: it may have to fill a batch up.
            keep = min(batch, self._count - 1)
            for old in range(self._first, keep):
                del self._arrivals[old]
            self._first = max(self._first, keep)
            self._change.notify_all()

    def finish(self) -> None:
        """Raise what ended the stream too early, if anything did."""
        if self._fault is not None:
            raise self._fault

    def close(self) -> None:
        """Let nobody wait for this stream any more."""
        with self._change:
            self._ended = True
            self._change.notify_all()

    def _take(self, number: int) -> vs.VideoFrame:
        with self._change:
            self._change.wait_for(lambda: self._ended or number < self._count)
            arrival = self._arrivals.get(min(number, self._count - 1))
        if arrival is None:
            raise vs.Error(f"pipe: frame {number} is no longer held, frame {self._first} is")
        return arrival.frame

    def _read(self) -> None:
        try:
            for arrival in self._frames():
                with self._change:
                    self._arrivals[self._count] = arrival
                    self._count += 1
                    self._change.notify_all()
                    self._change.wait_for(
                        lambda: self._ended or self._count - self._first < self._capacity
                    )
                    if self._ended:
                        return
        except (Y4MError, OSError) as error:
            self._fault = error
        except RuntimeError:
            # Nobody waits any more, and the core may have gone with its frames.
            if not self._ended:
                raise
        finally:
            self.close()

    def _frames(self) -> Iterator[_Arrival]:
        template = self._blank.get_frame(0)
        number = 0
        while line := self._stream.readline(y4m.MAX_LINE):
            if not line.startswith(y4m.FRAME) or not line.endswith(b"\n"):
                raise Y4MError(f"frame {number} starts with {line[:16]!r}, expected 'FRAME'")
            frame = template.copy()
            for plane in range(frame.format.num_planes):
                if not _fill(self._stream, memoryview(frame[plane])):
                    raise Y4MError(f"the stream breaks off inside frame {number}")
            yield _Arrival(frame, line[len(y4m.FRAME) : -1])
            number += 1


def run(colourer: Colourer, source: BinaryIO, sink: Sink) -> int:
    """Colour a stream.

    Args:
        colourer: How.
        source: Y4M.
        sink: Gets Y4M of the same length, and nothing else.

    Returns:
        The number of frames.

    Raises:
        Y4MError: The stream is not Y4M or breaks off; frames before that are written.
        SettingError: The model looks at other frames than the one it colours.
        vapoursynth.Error: A frame cannot be coloured.
        BrokenPipeError: Nobody reads the sink any more.
    """
    if colourer.needs_neighbours:
        raise SettingError(
            "pipe: the model needs neighbouring frames, which a pipe cannot give, expected one "
            "that colours each frame by itself; colorize takes it with a file"
        )
    header = y4m.parse_header(source.readline(y4m.MAX_LINE).rstrip(b"\n"))
    ahead = colourer.prefetch()
    ring = Ring(source, header, colourer.group, ahead)
    try:
        if not ring.wait_for(0, patient=True):
            ring.finish()
            raise Y4MError("the stream holds no frame")
        clip = colourer.apply(ring.clip())
        sink.write(y4m.format_header(_output_header(header, clip)))
        done = _write_all(ring, clip, ahead, sink)
        ring.finish()
    finally:
        ring.close()
    return done


def run_on_stdio(colourer: Colourer) -> bool:
    """Colour stdin to stdout, which nothing else may write to meanwhile.

    Returns:
        Whether all of it could be written; False if the reader went away.

    Raises:
        Y4MError: The stream is not Y4M or breaks off.
        SettingError: The model looks at other frames than the one it colours.
        vapoursynth.Error: A frame cannot be coloured.
    """
    process.limit_core_cache()
    sys.stdout.flush()
    output = os.dup(1)
    # Whatever prints, in Python or in a library, must not end up among the frames.
    os.dup2(2, 1)
    _keep_bytes(0, output)
    source = os.fdopen(os.dup(0), "rb", BUFFER)
    with os.fdopen(output, "wb", 0) as raw:
        try:
            run(colourer, source, _Whole(raw))
        except BrokenPipeError:
            return False
    return True


class _Whole:
    """A raw file that writes all it is given; a pipe may take less at a time."""

    def __init__(self, raw: Sink) -> None:
        self._raw = raw

    def write(self, data: bytes | memoryview, /) -> None:
        rest = memoryview(data)
        while rest:
            taken = self._raw.write(rest)
            rest = rest[taken if isinstance(taken, int) else len(rest) :]


def _write_all(ring: Ring, clip: vs.VideoNode, ahead: int, sink: Sink) -> int:
    """Ask for frames in order and write them as they come."""
    under_way: deque[int] = deque()
    futures = {}
    coming = 0
    while True:
        while len(under_way) < ahead and ring.wait_for(coming, patient=not under_way):
            futures[coming] = clip.get_frame_async(coming)
            under_way.append(coming)
            coming += 1
        if not under_way:
            return coming
        number = under_way.popleft()
        with futures.pop(number).result() as frame:
            sink.write(y4m.FRAME + ring.words(number) + b"\n")
            write_planes(sink, frame, range(frame.format.num_planes))
        ring.release(number)


def _output_header(header: Header, clip: vs.VideoNode) -> Header:
    """The input's header with the output's format."""
    fmt = clip.format
    if fmt.color_family != vs.YUV or fmt.sample_type != vs.INTEGER:
        raise Y4MError(f"Y4M cannot carry {fmt.name}")
    sited = header.chroma_location
    if header.family == vs.GRAY:
        with clip.get_frame(0) as frame:
            place = frame.props.get("_ChromaLocation", y4m.LEFT)
            sited = place if isinstance(place, int) else y4m.LEFT
    shift = (fmt.subsampling_w, fmt.subsampling_h)
    return replace(
        header, family=vs.YUV, bits=fmt.bits_per_sample, shift=shift, chroma_location=sited
    )


def _blank(header: Header) -> vs.VideoNode:
    """An endless clip of the stream's format and properties."""
    rate = header.rate
    clip = vs.core.std.BlankClip(
        width=header.width,
        height=header.height,
        format=header.format_id,
        length=ENDLESS,
        fpsnum=rate.numerator if rate else 0,
        fpsden=rate.denominator if rate else 1,
        keep=True,
    )
    props = header.props()
    clip = clip.std.RemoveFrameProps(["_DurationNum", "_DurationDen"])
    return clip.std.SetFrameProps(**props) if props else clip


def _fill(stream: BinaryIO, plane: memoryview) -> bool:
    """Read a plane's samples; False if the stream ends first."""
    if plane.c_contiguous:
        return _read_into(stream, plane.cast("B"))
    padded = np.asarray(plane)
    packed = np.empty(padded.shape, padded.dtype)
    if not _read_into(stream, memoryview(packed).cast("B")):
        return False
    np.copyto(padded, packed)
    return True


def _read_into(stream: BinaryIO, view: memoryview) -> bool:
    while view:
        got = stream.readinto(view)  # type: ignore[attr-defined]
        if not got:
            return False
        view = view[got:]
    return True


def _keep_bytes(*descriptors: int) -> None:
    """Stop Windows from rewriting line ends."""
    if sys.platform == "win32":
        import msvcrt

        for descriptor in descriptors:
            msvcrt.setmode(descriptor, os.O_BINARY)

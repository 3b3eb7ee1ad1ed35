"""Colours Y4M from a stream to a stream, through the same graph as files.

The graph needs a clip with a length and random access; a stream has neither. So the graph is built
on a practically endless clip whose frames come from a ring: a thread reads the stream into it, an
output frame is requested only when its whole batch has arrived, and frames that no later batch
needs are dropped. At the end of the stream the last frame pads the batch, as `colorize` does at the
end of a clip.
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
    """How to colour, and in batches of how many frames."""

    def apply(self, clip: vs.VideoNode) -> vs.VideoNode:
        """Colour a clip."""
        ...

    @property
    def group(self) -> int:
        """Frames per run of the model."""
        ...

    @property
    def needs_neighbours(self) -> bool:
        """Whether it needs frames other than the one it colours."""
        ...

    def prefetch(self) -> int:
        """Output frames to request ahead."""
        ...


@dataclass(frozen=True)
class _Arrival:
    """A frame of the stream, and the parameters after its `FRAME`."""

    frame: vs.VideoFrame
    words: bytes


class Ring:
    """The frames of a stream that are still needed.

    Args:
        stream: The stream, its header already read.
        header: That header.
        group: Frames per run of the model.
        ahead: Output frames that may be requested at once.
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
        """Whether frame `number` exists and its batch is complete or the stream has ended.

        Args:
            number: Number of the frame.
            patient: Whether to wait until that is known.
        """
        full = (number // self._group + 1) * self._group
        with self._change:
            if patient:
                self._change.wait_for(lambda: self._ended or self._count >= full)
            return number < self._count and (self._ended or self._count >= full)

    def words(self, number: int) -> bytes:
        """The parameters after the frame's `FRAME`."""
        with self._change:
            return self._arrivals[number].words

    def release(self, number: int) -> None:
        """Drop frames not needed once output up to and including frame `number` is written."""
        with self._change:
            batch = (number + 1) // self._group * self._group
            # Keep the last frame: it may have to pad a batch.
            keep = min(batch, self._count - 1)
            for old in range(self._first, keep):
                del self._arrivals[old]
            self._first = max(self._first, keep)
            self._change.notify_all()

    def finish(self) -> None:
        """Raise the error that ended the stream early, if there was one."""
        if self._fault is not None:
            raise self._fault

    def close(self) -> None:
        """End the stream, so that no thread waits for it any longer."""
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
            # After `close` the core and its frames may be gone.
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
    """Colour a Y4M stream.

    Args:
        colourer: How to colour.
        source: The Y4M stream.
        sink: Receives a Y4M stream of the same length, and nothing else.

    Returns:
        The number of frames written.

    Raises:
        Y4MError: The stream is not Y4M or is truncated; frames before that are written.
        SettingError: The model needs frames other than the one it colours.
        vapoursynth.Error: A frame cannot be coloured.
        BrokenPipeError: The reader of the sink has gone.
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
    """Colour stdin to stdout; whatever else is printed goes to stderr.

    Returns:
        Whether everything was written; False if the reader has gone.

    Raises:
        Y4MError: The stream is not Y4M or is truncated.
        SettingError: The model needs frames other than the one it colours.
        vapoursynth.Error: A frame cannot be coloured.
    """
    process.limit_core_cache()
    sys.stdout.flush()
    output = os.dup(1)
    # Whatever Python code or a library prints must not end up among the frames.
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
    """A raw file whose `write` writes everything, in parts if a pipe accepts less."""

    def __init__(self, raw: Sink) -> None:
        self._raw = raw

    def write(self, data: bytes | memoryview, /) -> None:
        rest = memoryview(data)
        while rest:
            taken = self._raw.write(rest)
            rest = rest[taken if isinstance(taken, int) else len(rest) :]


def _write_all(ring: Ring, clip: vs.VideoNode, ahead: int, sink: Sink) -> int:
    """Request frames in order, write them as they arrive, and return their number."""
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
    """Stop Windows from translating line ends."""
    if sys.platform == "win32":
        import msvcrt

        for descriptor in descriptors:
            msvcrt.setmode(descriptor, os.O_BINARY)

"""For our tests and for authors of models: tiny models, clip builders, the conformance suite."""

from vscolor.testing.builders import (
    TINY_CARD,
    TINY_VIDEO_CARD,
    TinyModel,
    TinyVideoModel,
    noise_clip,
    planes_of,
    tiny_entry,
    tiny_video_entry,
)
from vscolor.testing.conformance import Subject, assert_conforms, checks
from vscolor.testing.video_conformance import VideoSubject, video_checks

__all__ = [
    "TINY_CARD",
    "TINY_VIDEO_CARD",
    "Subject",
    "TinyModel",
    "TinyVideoModel",
    "VideoSubject",
    "assert_conforms",
    "checks",
    "noise_clip",
    "planes_of",
    "tiny_entry",
    "tiny_video_entry",
    "video_checks",
]

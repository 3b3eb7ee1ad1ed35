"""The package's errors, one class for each cause.

    VscolorError
    ├── SettingError        an argument is unknown, of the wrong kind or out of range
    ├── WeightsError        a weight file is missing, damaged or of another model
    ├── MissingExtraError   a package of an extra is needed; the message holds the pip command
    ├── MeasureError        clips to be measured are empty, do not fit together or hold NaN
    └── DeviceError         the device is absent or failed
        └── DeviceMemoryError   it ran out of memory; the message names batch= and size=

Models, colour and devices do not depend on VapourSynth and raise these. Filters turn them into
`vapoursynth.Error` with the filter's name in front, the command line into one line on stderr.
"""

from __future__ import annotations


class VscolorError(Exception):
    """Base of every error this package raises on purpose."""


class SettingError(VscolorError):
    """An argument is unknown, of the wrong kind or out of range."""


class WeightsError(VscolorError):
    """A weight file is missing, damaged or belongs to another model."""


class MissingExtraError(VscolorError):
    """A package of an extra is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} is not installed; run: pip install "vscolor[{extra}]"')


class MeasureError(VscolorError):
    """Clips to be measured are empty, differ in size, length or format, or hold NaN."""


class DeviceError(VscolorError):
    """The device is absent or failed."""


class DeviceMemoryError(DeviceError):
    """The device ran out of memory."""

    def __init__(self, device: str, batch: int, height: int, width: int) -> None:
        super().__init__(
            f"out of memory on {device} with a batch of {batch} frames at {width}x{height}; "
            f"lower batch= (now {batch}) or size= (now {min(height, width)})"
        )

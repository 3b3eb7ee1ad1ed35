"""Metrics of single pictures: similarity to another one, and colourfulness.

A picture is R'G'B' `[h,w,3]`, either 8-bit codes (uint8, 0..255) or float 0..1; two that are
compared must be of the same kind. Results do not depend on the kind.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vscolor.errors import MeasureError, MissingExtraError

type Picture = NDArray[np.uint8] | NDArray[np.floating]
type Lab = NDArray[np.floating]
type Plane = NDArray[np.integer] | NDArray[np.floating]

MAX_PSNR: Final = 100.0
"""Returned for identical pictures, so that means and files stay finite."""
WINDOW: Final = 11
SIGMA: Final = 1.5
K1, K2 = 0.01, 0.03
COLOURS: Final = 3


def mean_squared_error(first: Picture, second: Picture) -> float:
    """Mean squared difference over all samples, on the scale 0..1.

    Raises:
        MeasureError: The pictures differ in shape or kind, are empty, or hold NaN.
    """
    check_pair(first, second)
    if first.dtype == np.uint8:
        # cv2.norm adds up exactly; numpy would widen both pictures first.
        return float(cv2.norm(first, second, cv2.NORM_L2SQR)) / (first.size * 255.0**2)
    error = float(np.mean(np.square(first - second), dtype=np.float64))
    _check_number(error)
    return error


def psnr(first: Picture, second: Picture) -> float:
    """Peak signal-to-noise ratio, dB, of the error pooled over the three channels.

    The survey's section 5.1 with MAX the full scale (255 or 1). It equals `average` of ffmpeg's
    filter `psnr` on RGB and scikit-image's `peak_signal_noise_ratio`, except for identical
    pictures, where those return infinity and this returns `MAX_PSNR`.

    Raises:
        MeasureError: As `mean_squared_error`.
    """
    return psnr_of(mean_squared_error(first, second))


def psnr_of(error: float) -> float:
    """PSNR, dB, of a mean squared error on the scale 0..1; at most `MAX_PSNR`."""
    return -10.0 * math.log10(max(error, 10 ** (-MAX_PSNR / 10)))


def ssim(first: Picture, second: Picture) -> float:
    """Structural similarity, -1..1, the mean of the three channels.

    As in Wang et al. 2004: Gaussian window of 11x11 and sigma 1.5, population covariance, K 0.01
    and 0.03, whole windows only. The survey's section 5.2 gives the formula for one window with
    L = 1; here it is evaluated at every pixel, and L is the full scale. It equals
    scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False`; ffmpeg's filter `ssim` uses 8x8 blocks and gives other numbers.

    Raises:
        MeasureError: As `mean_squared_error`, or a side is below 11 pixels.
    """
    check_pair(first, second)
    if min(first.shape[:2]) < WINDOW:
        raise MeasureError(f"picture is {_size(first)}, expected at least {WINDOW}x{WINDOW}")
    scale = 255.0 if first.dtype == np.uint8 else 1.0
    # Relative to mid-grey, squares are small enough for the variance in single precision.
    x, y = (np.asarray(p, np.float32) - np.float32(scale / 2) for p in (first, second))
    mean_x, mean_y, power, product = (_blur(v) for v in (x, y, x * x + y * y, x * y))
    both = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    c1, c2 = ((k * scale) ** 2 for k in (K1, K2))
    # The means are relative to mid-grey; the luminance term needs them relative to black.
    shift = np.float32(scale / 2)
    lift = shift * (mean_x + mean_y) + shift * shift
    luminance = (2 * (both + lift) + c1) / (squares + 2 * lift + c1)
    structure = (2 * (product - both) + c2) / (power - squares + c2)
    value = float(np.mean(luminance * structure, dtype=np.float64))
    _check_number(value)
    return value


def _blur(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian mean over each whole window."""
    edge = WINDOW // 2
    blurred = cv2.GaussianBlur(values, (WINDOW, WINDOW), SIGMA)
    return np.asarray(blurred[edge:-edge, edge:-edge], np.float32)


def colourfulness(rgb: Picture) -> float:
    """Hasler and Suesstrunk 2003, on the 8-bit scale: 0 is grey, 15 slightly and 80 very colourful.

    Standard deviations are the population's.

    Raises:
        MeasureError: It is no picture, is empty, or holds NaN.
    """
    check_picture(rgb)
    matrix = np.array([[1, -1, 0], [0.5, 0.5, -1]], np.float32)
    if rgb.dtype != np.uint8:
        matrix = matrix * np.float32(255)
    opponents = cv2.transform(np.asarray(rgb, np.float32), matrix)
    mean, spread = (v.ravel() for v in cv2.meanStdDev(opponents))
    value = math.hypot(*map(float, spread)) + 0.3 * math.hypot(*map(float, mean))
    _check_number(value)
    return value


def ciede2000(first: Lab, second: Lab) -> float:
    """Mean CIEDE2000 colour difference of two Lab pictures `[h,w,3]`, kL = kC = kH = 1.

    scikit-image's implementation of Sharma et al. 2005; below 1 is not visible.

    Raises:
        MeasureError: As `mean_squared_error`.
        MissingExtraError: scikit-image is not installed.
    """
    check_pair(first, second)
    try:
        from skimage.color import deltaE_ciede2000
    except ImportError as error:
        raise MissingExtraError("scikit-image", "metrics") from error
    value = float(np.mean(deltaE_ciede2000(first, second)))  # type: ignore[no-untyped-call]
    _check_number(value)
    return value


def changed_luma(first: Plane, second: Plane) -> tuple[float, float]:
    """How exactly luma was kept: the fraction of samples that differ, and the largest difference.

    Args:
        first: A luma plane `[h,w]` of any depth.
        second: Another of the same depth.

    Returns:
        0 to 1, and the difference in the planes' own codes; both 0 if luma is unchanged.

    Raises:
        MeasureError: Shapes or depths differ, or a plane is empty or holds NaN.
    """
    if first.shape != second.shape or first.dtype != second.dtype or first.size == 0:
        raise MeasureError(
            f"luma planes are {first.shape} {first.dtype} and {second.shape} {second.dtype}, "
            "expected two of one size and depth"
        )
    largest = float(cv2.norm(first, second, cv2.NORM_INF))
    _check_number(largest)
    return float(np.count_nonzero(first != second)) / first.size, largest


def check_picture(rgb: Picture) -> None:
    """Refuse an array that is no picture.

    Raises:
        MeasureError: It is empty, or not `[h,w,3]` of uint8 or float.
    """
    known = rgb.dtype == np.uint8 or rgb.dtype.kind == "f"
    if rgb.ndim != 3 or rgb.shape[-1] != COLOURS or rgb.size == 0 or not known:
        raise MeasureError(
            f"picture is {rgb.shape} {rgb.dtype}, expected (height, width, 3) of uint8 or float"
        )


def check_pair(first: Picture, second: Picture) -> None:
    """Refuse two pictures that cannot be compared.

    Raises:
        MeasureError: One is no picture, or sizes or kinds differ.
    """
    check_picture(first)
    check_picture(second)
    if first.shape != second.shape:
        raise MeasureError(f"pictures are {_size(first)} and {_size(second)}, expected one size")
    if (first.dtype == np.uint8) != (second.dtype == np.uint8):
        raise MeasureError(f"pictures are {first.dtype} and {second.dtype}, expected one kind")


def _size(picture: Picture) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def _check_number(value: float) -> None:
    if math.isnan(value) or math.isinf(value):
        raise MeasureError("picture holds NaN or infinity, expected finite samples")

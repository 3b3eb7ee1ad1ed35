"""CIE Lab, R'G'B' and Y'CbCr: constants, pure functions, and the same arithmetic as Expr strings.

Sources: CIE 15 (Lab), IEC 61966-2-1 (the sRGB curve), ITU-T H.273 (the numbers of matrix, transfer
and primaries, their coefficients and chromaticities), SMPTE RP 177 (primaries to matrix).

Luma Y' is in 0..1, L* in 0..100, a* and b* in -128..127, R'G'B' in 0..1. White is D65 throughout.

A black-and-white frame is R' = G' = B' = Y', so its lightness is L*(curve(Y')). The curve is the
sRGB one for every standard-dynamic-range transfer, BT.601 and BT.709 included: those define a
camera, not the screen; screens follow a power near 2.2 to 2.4, and the sRGB curve is what the
models saw in training. Only a `linear` clip has its own curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vscolor.errors import SettingError

type Float = NDArray[np.floating]

LAB_DELTA = 6 / 29
LAB_OFFSET = 4 / 29
LAB_SLOPE = 3 * LAB_DELTA**2

SRGB_ENCODED_KNEE = 0.04045
SRGB_LINEAR_KNEE = 0.0031308
SRGB_SLOPE = 12.92
SRGB_GAIN = 1.055
SRGB_OFFSET = 0.055
SRGB_POWER = 2.4
# Lab reaches far outside the gamut: light of 8 times white at L* 100 and saturation 1.5.
ENCODE_LIMIT = 8.0
ENCODE_DEGREE = 9

SHIFT_STEPS = 18
"""Halvings of an interval below 1: finer than a code of 16 bits."""

D65 = (0.3127, 0.3290)
# ASTM E308's tabulated white, which Lab is based on everywhere, not the rounded xy above: they
# differ by 2e-4, which shows at 16 bits.
D65_XYZ = (0.95047, 1.0, 1.08883)
ILLUMINANT_C = (0.310, 0.316)
DCI_WHITE = (0.314, 0.351)

# H.273 table 4, luma weights of red and blue; green has the rest.
LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}

LINEAR_TRANSFERS = frozenset({8})
SRGB_TRANSFERS = frozenset({1, 2, 4, 5, 6, 7, 11, 12, 13, 14, 15})
REFUSED_TRANSFERS = {9: "log 100:1", 10: "log 316:1", 16: "PQ", 17: "ST 428", 18: "HLG"}

# H.273 table 2: xy of red, green, blue and white.
type Chromaticity = tuple[float, float]
PRIMARIES: dict[int, tuple[Chromaticity, Chromaticity, Chromaticity, Chromaticity]] = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), ILLUMINANT_C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), ILLUMINANT_C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), DCI_WHITE),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@dataclass(frozen=True)
class Colorimetry:
    """How a clip's samples encode light, as numbers of H.273.

    Attributes:
        matrix: A key of `LUMA_WEIGHTS`.
        transfer: A member of `SRGB_TRANSFERS` or `LINEAR_TRANSFERS`.
        primaries: A key of `PRIMARIES`.
        full_range: Whether integer samples span the whole code range.

    Raises:
        SettingError: One of the numbers is not supported.
    """

    matrix: int
    transfer: int
    primaries: int
    full_range: bool

    def __post_init__(self) -> None:
        """Refuse numbers that the arithmetic below does not cover."""
        if self.matrix not in LUMA_WEIGHTS:
            raise SettingError(
                f"matrix {self.matrix} is not supported, expected one of {sorted(LUMA_WEIGHTS)} "
                "(H.273); convert with resize first"
            )
        if self.transfer in REFUSED_TRANSFERS:
            raise SettingError(
                f"transfer {self.transfer} ({REFUSED_TRANSFERS[self.transfer]}) is not supported, "
                "expected a standard-dynamic-range curve; tone-map first"
            )
        if self.transfer not in SRGB_TRANSFERS | LINEAR_TRANSFERS:
            raise SettingError(f"transfer {self.transfer} is unknown, expected a number of H.273")
        if self.primaries not in PRIMARIES:
            raise SettingError(
                f"primaries {self.primaries} are not supported, expected one of "
                f"{sorted(PRIMARIES)} (H.273); convert with resize first"
            )

    @property
    def linear(self) -> bool:
        """Whether samples are proportional to light."""
        return self.transfer in LINEAR_TRANSFERS


def luma_code_range(bits: int, full_range: bool) -> tuple[float, float]:
    """Return black and the distance from black to white, in integer codes of `bits` bits."""
    return (
        (0.0, float((1 << bits) - 1))
        if full_range
        else (16.0 * 2 ** (bits - 8), 219.0 * 2 ** (bits - 8))
    )


def chroma_code_range(bits: int, full_range: bool) -> tuple[float, float]:
    """Return neutral and the distance from -0.5 to 0.5, in integer codes of `bits` bits."""
    span = float((1 << bits) - 1) if full_range else 224.0 * 2 ** (bits - 8)
    return float(1 << (bits - 1)), span


def yuv_matrix(matrix: int) -> Float:
    """Matrix `[3,3]` from R'G'B' 0..1 to YUV (nominal units), for a key of `LUMA_WEIGHTS`."""
    kr, kb = LUMA_WEIGHTS[matrix]
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0, 0, 1]) - luma) / (2 - 2 * kb)
    red = (np.array([1, 0, 0]) - luma) / (2 - 2 * kr)
    return np.stack([luma, blue, red])


def decode_srgb(encoded: ArrayLike) -> Float:
    """Turn R'G'B' into linear light (IEC 61966-2-1); negative values follow the linear part."""
    v = np.asarray(encoded, dtype=np.result_type(encoded, np.float32))
    high = ((np.maximum(v, SRGB_ENCODED_KNEE) + SRGB_OFFSET) / SRGB_GAIN) ** SRGB_POWER
    return np.asarray(np.where(v > SRGB_ENCODED_KNEE, high, v / SRGB_SLOPE))


def encode_srgb(linear: ArrayLike) -> Float:
    """Turn linear light into R'G'B' (IEC 61966-2-1); negative values follow the linear part."""
    v = np.asarray(linear, dtype=np.result_type(linear, np.float32))
    high = SRGB_GAIN * np.maximum(v, SRGB_LINEAR_KNEE) ** (1 / SRGB_POWER) - SRGB_OFFSET
    return np.asarray(np.where(v > SRGB_LINEAR_KNEE, high, v * SRGB_SLOPE))


def lab_f(t: ArrayLike) -> Float:
    """CIE 15's f of a relative tristimulus value, of which Lab is a linear function."""
    v = np.asarray(t, dtype=np.result_type(t, np.float32))
    return np.asarray(np.where(v > LAB_DELTA**3, np.cbrt(v), v / LAB_SLOPE + LAB_OFFSET))


def lab_f_inverse(f: ArrayLike) -> Float:
    """Invert `lab_f`."""
    v = np.asarray(f, dtype=np.result_type(f, np.float32))
    return np.asarray(np.where(v > LAB_DELTA, v**3, LAB_SLOPE * (v - LAB_OFFSET)))


def white_xyz(xy: Chromaticity = D65) -> Float:
    """XYZ of a white of luminance 1."""
    if xy == D65:
        return np.array(D65_XYZ)
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def rgb_to_xyz_matrix(primaries: int = 1) -> Float:
    """Return the 3x3 matrix from linear RGB to XYZ relative to D65 (SMPTE RP 177).

    A white that is not D65 is moved there by Bradford adaptation, so that R = G = B is always
    neutral.
    """
    *rgb, white = PRIMARIES[primaries]
    columns = np.stack([white_xyz(xy) for xy in rgb], axis=1)
    native = columns * np.linalg.solve(columns, white_xyz(white))
    gain = (BRADFORD @ white_xyz()) / (BRADFORD @ white_xyz(white))
    return np.asarray(np.linalg.inv(BRADFORD) @ np.diag(gain) @ BRADFORD @ native)


_RELATIVE = (rgb_to_xyz_matrix() / white_xyz()[:, None]).T
"""From linear sRGB to XYZ over that of white."""


def linear_to_lab(linear: Float) -> Float:
    """Lab `[...,3]` of linear sRGB `[...,3]`, in the precision it comes in."""
    f = lab_f(linear @ _RELATIVE.astype(linear.dtype))
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def srgb_to_lab(rgb: ArrayLike) -> Float:
    """Convert R'G'B' `[...,3]` in 0..1 to Lab `[...,3]` (sRGB primaries, D65)."""
    return linear_to_lab(decode_srgb(rgb))


def lab_to_srgb(lab: ArrayLike) -> Float:
    """Convert Lab `[...,3]` to R'G'B' `[...,3]`; colours outside sRGB are outside 0..1."""
    v = np.asarray(lab)
    y = (v[..., 0] + 16) / 116
    f = np.stack([y + v[..., 1] / 500, y, y - v[..., 2] / 200], axis=-1)
    xyz = lab_f_inverse(f) * white_xyz()
    return encode_srgb(xyz @ np.linalg.inv(rgb_to_xyz_matrix()).T)


def lab_for_merge(rgb: ArrayLike, colorimetry: Colorimetry) -> Float:
    """Lab of a coloured picture such that the merge reproduces the picture.

    The merge takes luma Y' as the lightness of grey, but a colour with luma Y' has another
    lightness, since luma weighs encoded channels. So this finds, by bisection on a common offset,
    the colour with the same channel differences and that grey's luminance. Values outside 0..1 are
    clipped first, as a screen does; desaturating them at constant luma, as the merge must, would
    differ more from what is seen.

    Args:
        rgb: R'G'B' `[...,3]`, nominally 0..1, of the film's transfer and primaries.
        colorimetry: The film's.

    Returns:
        Lab `[...,3]`; L* is that of grey of the picture's luma.
    """
    code = np.clip(np.asarray(rgb, dtype=np.result_type(rgb, np.float32)), 0, 1)
    kr, kb = LUMA_WEIGHTS[colorimetry.matrix]
    luma = code @ np.array([kr, 1 - kr - kb, kb], code.dtype)
    decode = (lambda v: v) if colorimetry.linear else decode_srgb
    to_xyz = rgb_to_xyz_matrix(colorimetry.primaries).astype(code.dtype)
    light, wanted = to_xyz[1], decode(luma)
    low, high = luma - code.max(-1), luma - code.min(-1)
    # The luminance of code + shift rises with the shift, from below grey's to above it.
    for _ in range(SHIFT_STEPS):
        middle = (low + high) / 2
        under = decode(code + middle[..., None]) @ light < wanted
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    shifted = code + ((low + high) / 2)[..., None]
    f = lab_f(decode(shifted) @ to_xyz.T / white_xyz().astype(code.dtype))
    grey = luma_to_lab_f(luma, colorimetry.linear)
    x, z = f[..., 0], f[..., 2]
    return np.stack([116 * grey - 16, 500 * (x - grey), 200 * (grey - z)], axis=-1)


def luma_to_lab_f(luma: ArrayLike, linear: bool) -> Float:
    """Return f(Y) of grey with luma Y'; luma outside 0..1 is clipped."""
    y = np.clip(luma, 0, 1)
    return lab_f(y if linear else decode_srgb(y))


# Below, the same in reverse Polish notation for `std.Expr`: x, y, z, a are its clips in turn.


def _decode_expr(linear: bool) -> str:
    clipped = "x 0 max 1 min"
    if linear:
        return clipped
    high = f"{clipped} {SRGB_OFFSET} + {1 / SRGB_GAIN!r} * {SRGB_POWER} pow"
    return f"x {SRGB_ENCODED_KNEE} > {high} {clipped} {1 / SRGB_SLOPE!r} * ?"


def lab_f_expr(linear: bool) -> str:
    """Luma Y' (x, float) to f(Y), as `luma_to_lab_f`."""
    return (
        f"{_decode_expr(linear)} dup {LAB_DELTA**3!r} > swap dup {1 / 3!r} pow "
        f"swap {1 / LAB_SLOPE!r} * {LAB_OFFSET!r} + ?"
    )


def lightness_expr(linear: bool) -> str:
    """Luma Y' (x, float) to L*."""
    return f"{lab_f_expr(linear)} 116 * 16 -"


@cache
def _encode_expr() -> str:
    """Linear light on top of the stack to R'G'B', as `encode_srgb`.

    Expr's pow would take most of a merge's time, so the power is a polynomial in the fourth root,
    interpolated at Chebyshev nodes: off by less than 3e-6 up to `ENCODE_LIMIT`, and much faster.
    """
    roots = np.polynomial.Chebyshev.interpolate(
        lambda t: SRGB_GAIN * t ** (4 / SRGB_POWER) - SRGB_OFFSET,
        ENCODE_DEGREE,
        domain=[SRGB_LINEAR_KNEE**0.25, ENCODE_LIMIT**0.25],
    )
    c = [repr(float(v)) for v in roots.convert(kind=np.polynomial.Polynomial).coef]
    middle = " ".join(f"dup1 * {v} +" for v in c[-3:0:-1])
    horner = f"dup {c[-1]} * {c[-2]} + {middle} * {c[0]} +"
    bounded = f"dup {SRGB_LINEAR_KNEE} max {ENCODE_LIMIT} min sqrt sqrt"
    return f"dup {SRGB_LINEAR_KNEE} > swap {bounded} {horner} swap {SRGB_SLOPE} * ?"


# a* or b* from f(Y) (x), slope (y) and offset (z), see `vscolor.guided`.
LINEAR_EXPR = "x y * z +"


def encoded_rgb_exprs(colorimetry: Colorimetry, gain: float) -> tuple[str, str, str]:
    """R', G' and B' from f(Y) (x), a* (y) and b* (z), the latter two scaled by `gain`.

    Colours outside the gamut are outside 0..1; `chroma_exprs` brings them back.
    """

    def cube(f: str) -> str:
        return (
            f"{f} dup {LAB_DELTA!r} > swap dup dup dup * * swap {LAB_OFFSET!r} - {LAB_SLOPE!r} * ?"
        )

    x, y, z = (
        cube(f"y {gain / 500!r} * x +"),
        cube("x"),
        cube(f"x z {gain / 200!r} * -"),
    )
    rows = np.linalg.inv(rgb_to_xyz_matrix(colorimetry.primaries)) * white_xyz()
    sums = [f"{x} {float(r[0])!r} * {y} {float(r[1])!r} * + {z} {float(r[2])!r} * +" for r in rows]
    encode = "" if colorimetry.linear else f" {_encode_expr()}"
    return (sums[0] + encode, sums[1] + encode, sums[2] + encode)


def chroma_exprs(colorimetry: Colorimetry, bits: int | None) -> tuple[str, str]:
    """Cb and Cr from R' (x), G' (y), B' (z) and the film's luma at the chroma sample (a).

    The colour differences are added to the film's luma rather than to the luma of R'G'B', and
    scaled towards neutral by the largest s <= 1 that keeps all three channels in 0..1.

    Args:
        colorimetry: The clip's.
        bits: Depth of the integer luma and of the chroma to make; None for float (luma 0..1,
            chroma -0.5..0.5).
    """
    kr, kb = LUMA_WEIGHTS[colorimetry.matrix]
    own_luma = f"x {kr} * y {1 - kr - kb!r} * + z {kb} * +"
    if bits is None:
        film, encode = "a 0 max 1 min", ""
    else:
        black, span = luma_code_range(bits, colorimetry.full_range)
        neutral, chroma_span = chroma_code_range(bits, colorimetry.full_range)
        film = f"a {black} - {1 / span!r} * 0 max 1 min"
        encode = f" {chroma_span} * {neutral} +"
    # The stack holds film luma and own luma; each limit leaves them there and adds one number.
    limits = " ".join(
        f"{c} dup{depth} - dup 0 > 1 dup{depth + 3} - dup{depth + 3} ? swap abs 1e-9 + /"
        for depth, c in ((1, "x"), (2, "y"), (3, "z"))
    )
    pull = f"{film} {own_luma} {limits} min min 1 min"
    clear = "swap 0 * + swap 0 * +"  # the two lumas: Expr knows no drop
    cb = f"{pull} z dup2 - * {0.5 / (1 - kb)!r} * {clear}"
    cr = f"{pull} x dup2 - * {0.5 / (1 - kr)!r} * {clear}"
    return cb + encode, cr + encode

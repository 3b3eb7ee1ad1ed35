"""The colour arithmetic once more, in float64 and with the standards' printed numbers.

Nothing of vscolor is used here: two mistakes would have to agree to pass.
"""

import numpy as np

XYZ_TO_SRGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
WEIGHTS = {
    1: (0.2126, 0.7152, 0.0722),
    5: (0.299, 0.587, 0.114),
    6: (0.299, 0.587, 0.114),
    7: (0.212, 0.701, 0.087),
    9: (0.2627, 0.6780, 0.0593),
}


def decode(v):
    return np.where(v <= 0.04045, v / 12.92, ((np.maximum(v, 0) + 0.055) / 1.055) ** 2.4)


def encode(v):
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * np.maximum(v, 1e-9) ** (1 / 2.4) - 0.055)


def lightness(luma, linear=False):
    y = np.clip(np.asarray(luma, np.float64), 0, 1)
    y = y if linear else decode(y)
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def lab_to_rgb(lightness_, a, b, linear=False):
    fy = (lightness_ + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], axis=-1)
    xyz = np.where(f**3 > 216 / 24389, f**3, (116 * f - 16) * 27 / 24389) * WHITE
    rgb = xyz @ XYZ_TO_SRGB.T
    return rgb if linear else encode(rgb)


def chroma(luma, a, b, matrix=1, linear=False):
    """Cb, Cr (-0.5..0.5) of colour ab held inside the gamut at `luma` (nominal 0..1)."""
    y = np.clip(np.asarray(luma, np.float64), 0, 1)
    k = np.array(WEIGHTS[matrix])
    rgb = lab_to_rgb(lightness(y, linear), a, b, linear)
    delta = rgb - (rgb @ k)[..., None]
    room = np.where(delta > 0, 1 - y[..., None], y[..., None])
    scale = np.minimum(1, (room / np.maximum(np.abs(delta), 1e-9)).min(-1))
    return scale * delta[..., 2] / (2 - 2 * k[2]), scale * delta[..., 0] / (2 - 2 * k[0])


def nominal_luma(code, bits, full):
    code = np.asarray(code, np.float64)
    return code / (2**bits - 1) if full else (code / 2 ** (bits - 8) - 16) / 219


def chroma_code(value, bits, full):
    span = 2**bits - 1 if full else 224 * 2 ** (bits - 8)
    return value * span + 2 ** (bits - 1)


def to_rgb(luma, cb, cr, matrix):
    kr, kg, kb = WEIGHTS[matrix]
    r, b = luma + cr * (2 - 2 * kr), luma + cb * (2 - 2 * kb)
    return np.stack([r, (luma - kr * r - kb * b) / kg, b], axis=-1)

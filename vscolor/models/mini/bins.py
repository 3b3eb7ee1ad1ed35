"""The 313 colour bins of the ab plane.

Zhang, Isola and Efros 2016 (arXiv:1603.08511) quantise ab on a grid of spacing 10 and keep the 313
bins that colours can fall into. Their list is a file; here the bins follow from a rule. A colour is
soft-encoded into its five nearest grid points by a Gaussian of sigma 5, so a grid point is useful
if some sRGB colour gives it weight. The 313 points with the most weight over an even lattice of
the sRGB cube are kept: the gamut's cells (262 of them contain a colour) and a rim around them,
which lets the mean of the bins reach the gamut's edge.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float32]

COUNT = 313
SPACING = 10.0
NEIGHBOURS = 5
SIGMA = 5.0
REACH = 120
"""No sRGB colour has |a| or |b| above 110, so the grid ends here."""

LATTICE = 33
"""Steps along each axis of the sRGB cube."""

# IEC 61966-2-1 primaries and D65 white, CIE 15:2004 for Lab. The build imports this module
# without vscolor, so the constants are repeated here; a test compares them with vscolor.color.
_RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_KNEE = 6.0 / 29.0


def lattice_ab() -> Array:
    """Ab of an even lattice of the sRGB cube, `[LATTICE**3, 2]`."""
    steps = np.linspace(0.0, 1.0, LATTICE)
    rgb = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = (linear @ _RGB_TO_XYZ.T) / _RGB_TO_XYZ.sum(axis=1)
    f = np.where(xyz > _KNEE**3, np.cbrt(xyz), xyz / (3.0 * _KNEE**2) + 4.0 / 29.0)
    ab = np.stack([500.0 * (f[:, 0] - f[:, 1]), 200.0 * (f[:, 1] - f[:, 2])], axis=-1)
    return ab.astype(np.float32)


def soft_encode(ab: Array, centres: Array) -> tuple[NDArray[np.int64], Array]:
    """Soft-encode each colour into its nearest bins.

    Args:
        ab: Colours `[N,2]`.
        centres: Bin centres `[Q,2]`.

    Returns:
        Indices `[N,5]`, nearest first, and weights `[N,5]` that sum to 1.
    """
    squared = ((ab[:, None, :] - centres[None, :, :]) ** 2).sum(axis=-1)
    index = np.argsort(squared, axis=1, kind="stable")[:, :NEIGHBOURS]
    near = np.take_along_axis(squared, index, axis=1)
    # Relative to the nearest, so that colours far outside the bins do not divide 0 by 0.
    weight = np.exp((near[:, :1] - near) / (2.0 * SIGMA**2))
    return index, (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


@cache
def centres() -> Array:
    """The bin centres, `[313,2]` as (a, b), ordered by a then b; read-only."""
    axis = np.arange(-REACH, REACH + 1, SPACING, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.zeros(len(grid))
    for part in np.array_split(lattice_ab(), 16):
        index, weight = soft_encode(part, grid)
        np.add.at(mass, index, weight)
    kept = np.sort(np.argsort(-mass, kind="stable")[:COUNT])
    chosen = grid[kept]
    chosen.flags.writeable = False
    return chosen

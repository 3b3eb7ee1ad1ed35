import numpy as np
from skimage import data

from vscolor import color, guided


def fit_coefficients(luma, ab):
    """Slopes and offsets."""
    return np.split(guided.fit_coefficients(luma, ab), 2, axis=2)


def test_a_true_line_is_found():
    """Where ab is a line in L*, so is the fit, up to what the regularisation takes."""
    luma = np.random.default_rng(0).uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)
    small = luma.reshape(16, 4, 24, 4).mean(axis=(1, 3))
    ab = np.stack([0.5 * small - 20, 30 - 0.25 * small])[None].astype(np.float32)
    wide = 50 + 12 * (small - 50)
    tall = np.repeat(np.repeat(wide, 4, 0), 4, 1)[None, None].astype(np.float32)
    slope, offset = fit_coefficients(tall, ab)
    drawn = slope * (wide + 16) / 116 + offset
    assert slope.shape == offset.shape == ab.shape
    assert np.abs(drawn - ab).mean() < 0.1 * np.abs(ab - ab.mean((2, 3), keepdims=True)).mean()


def test_constant_colour_stays_and_flat_luma_gives_the_window_mean():
    luma = np.random.default_rng(1).uniform(0, 100, (2, 1, 32, 32)).astype(np.float32)
    ab = np.full((2, 2, 8, 8), 17, np.float32)
    slope, offset = fit_coefficients(luma, ab)
    assert np.abs(slope).max() < 1e-2
    assert np.abs(offset - 17).max() < 1e-2
    flat, noisy = np.full((1, 1, 32, 32), 40, np.float32), ab[:1] + np.eye(8, dtype=np.float32)
    assert np.abs(fit_coefficients(flat, noisy)[0]).max() < 1e-3


def test_frames_of_a_batch_do_not_mix():
    rng = np.random.default_rng(2)
    luma = rng.uniform(0, 100, (3, 1, 32, 64)).astype(np.float32)
    ab = rng.uniform(-60, 60, (3, 2, 8, 16)).astype(np.float32)
    slope, offset = fit_coefficients(luma, ab)
    for b in range(3):
        alone = fit_coefficients(luma[b : b + 1], ab[b : b + 1])
        assert np.array_equal(alone[0][0], slope[b])
        assert np.array_equal(alone[1][0], offset[b])


def test_a_spill_over_an_edge_shrinks():
    """A dark shape on a bright ground, coloured softly: the lines follow the edge of luma."""
    luma = np.full((64, 64), 85, np.float32)
    luma[:, 30:] = 20
    true = np.where(luma[None] > 50, 5, 45).repeat(2, 0).astype(np.float32)
    soft = true.reshape(2, 16, 4, 16, 4).mean((2, 4))
    soft = np.pad(soft, ((0, 0), (0, 0), (1, 1)), mode="edge")
    soft = ((soft[..., :-2] + soft[..., 1:-1] + soft[..., 2:]) / 3)[None]

    def enlarge(x):
        return np.repeat(np.repeat(x, 4, -2), 4, -1)

    slope, offset = fit_coefficients(luma[None, None], soft.astype(np.float32))
    drawn = enlarge(slope) * (luma + 16) / 116 + enlarge(offset)
    assert np.abs(drawn - true).mean() < 0.85 * np.abs(enlarge(soft) - true).mean()


def test_on_a_photograph_the_lines_stay_near_the_colour():
    lab = color.srgb_to_lab(data.astronaut()[:256, :256] / 255.0).astype(np.float32)
    ab = lab[..., 1:].reshape(64, 4, 64, 4, 2).mean((1, 3)).transpose(2, 0, 1)[None]
    luma = lab[None, None, ..., 0]
    slope, offset = fit_coefficients(luma, ab)
    small = luma.reshape(64, 4, 64, 4).mean((1, 3))
    assert np.abs(slope * (small + 16) / 116 + offset - ab).mean() < 4

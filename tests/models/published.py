"""The weight rule that the authors' networks were run with, so that ours can be held against them.

A tensor's values follow from its name and shape alone. The same rule made the vectors that
`scripts/check_vectors.py` reads, and this file can be given to it as `--rule`.
"""

import hashlib

import numpy as np


def values_by_rule(name, shape, gain=1.0):
    """Float32 values of one tensor; `name` has the network's prefix in front."""
    seed = hashlib.sha256(name.encode()).digest()[:8]
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big")))
    leaf = name.rpartition(".")[2]
    if len(shape) > 1:
        made = rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))
    elif leaf == "weight":
        low, high = (0.1, 0.4) if int(np.prod(shape)) == 1 else (0.8, 1.2)
        made = rng.uniform(low, high, shape)
    elif leaf == "running_var":
        made = rng.uniform(0.5, 1.5, shape)
    else:
        made = rng.uniform(-0.1, 0.1, shape)
    return (np.asarray(made, np.float64) * gain).astype(np.float32)


def make_state(shapes, prefix="", gains=None):
    """Arrays by key for `{key: (shape, is_float)}`."""
    gains = gains or {}
    return {
        key: values_by_rule(prefix + key, shape, gains.get(prefix + key, 1.0))
        if is_float
        else np.zeros(shape, np.int64)
        for key, (shape, is_float) in sorted(shapes.items())
    }


def state_digest(state):
    """sha256 of arrays by key: keys in order, each followed by NUL and the values' bytes."""
    total = hashlib.sha256()
    for key in sorted(state):
        values = np.ascontiguousarray(state[key])
        total.update(key.encode() + b"\0" + values.astype(values.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def tensors_for(network, prefix="", gains=None):
    """A state dict for a network."""
    import torch

    own = network.state_dict().items()
    shapes = {key: (tuple(value.shape), value.is_floating_point()) for key, value in own}
    arrays = make_state(shapes, prefix, gains)
    return {key: torch.from_numpy(np.array(value)) for key, value in arrays.items()}


def fill(network, prefix="", gains=None):
    """Load a network with the rule's weights, in double precision."""
    network.load_state_dict(tensors_for(network, prefix, gains))
    return network.eval().double()


def waves(channels, height, width, low, high):
    """A smooth picture `[1,C,h,w]` in double precision, which any machine makes alike."""
    import torch

    y, x = np.mgrid[:height, :width]
    planes = [
        np.sin(0.21 * x + 0.5 * c) * np.cos(0.17 * y - 0.3 * c)
        + 0.3 * np.sin(1.3 * x * (c + 1) + y)
        for c in range(channels)
    ]
    return torch.from_numpy(low + (high - low) * (np.stack(planes) / 2.6 + 0.5))[None]

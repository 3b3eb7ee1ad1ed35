"""Runners of the published stabilizers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from vector_runners.case import Arrays, Case
from vscolor.errors import WeightsError
from vscolor.models.dvp import objective, reference
from vscolor.models.dvp.perceptual import Perceptual, Vgg19
from vscolor.models.lai.network import Lai

type Loss = Callable[[Tensor], Tensor]

KINDS = ("weight", "bias")


def run_lai(case: Case) -> Arrays:
    """All frames in sequence, and the last one also with its memory reset."""
    size = case.meta.get("opts", {})
    network = case.fill(Lai(size.get("nf", 32), size.get("blocks", 5)), "net")
    frames = range(sum(name.startswith("P") for name in case.inputs))
    source, given = ([case.tensor(f"{name}{t}") for t in frames] for name in "IP")
    memory, before = network.fresh_memory(given[0]), given[0]
    made: Arrays = {}
    for t in frames[1:]:
        if t == frames[-1]:
            fresh = network.fresh_memory(given[t])
            change, _ = network(given[t], before, source[t], source[t - 1], fresh)
            made[f"O{t}_reset"] = (given[t] + change).numpy()
        change, memory = network(given[t], before, source[t], source[t - 1], memory)
        before = given[t] + change
        made |= {f"O{t}": before.numpy(), f"residual{t}": change.numpy()}
    return made | {f"hidden{t}": memory.hidden.numpy(), f"cell{t}": memory.cell.numpy()}


@torch.inference_mode(mode=False)
@torch.enable_grad()
def run_dvp(case: Case) -> Arrays:
    """The authors' PyTorch version: forward, losses, gradients, and one step of Adam."""
    vgg = case.fill(Vgg19(), "vgg")

    def network(channels: int) -> reference.TorchNet:
        return case.fill(reference.TorchNet(channels), f"unet{channels}")

    made = _trained(case, Version(network, Adam, Perceptual(vgg), str))
    layers = vgg(case.tensor("net_gt"))
    return made | {
        f"vgg_conv{n}_2_mean": layer.abs().mean().detach().numpy()
        for n, layer in enumerate(layers, 1)
    }


@torch.inference_mode(mode=False)
@torch.enable_grad()
def run_dvp_tf(case: Case) -> Arrays:
    """The TensorFlow original, with its Adam; also with plain L1 and L2 losses."""

    def network(channels: int) -> reference.TensorFlowNet:
        return _fill_variables(case, reference.TensorFlowNet(channels), f"vcn{channels}")

    vgg = Vgg19(average=True)
    shapes = {key: (tuple(value.shape), True) for key, value in vgg.state_dict().items()}
    state = case.rule.make_state(shapes, "vgg:", case.meta.get("gains", {}))
    vgg.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    loss = Perceptual(vgg.to(case.dtype), original=True)
    wanted = case.tensor("net_gt")
    more: dict[str, Loss] = {
        "plain_l1": lambda made: (made - wanted).abs().mean(),
        "plain_l2": lambda made: (made - wanted).square().mean(),
    }
    return _trained(case, Version(network, objective.TensorFlowAdam, loss, _variable, more))


def _variable(key: str) -> str:
    """The original's variable name for a key of `TensorFlowNet`."""
    layer, _, kind = key.rpartition(".")
    scope = f"{layer}/{layer}" if layer.startswith("g_up") else layer
    return f"{scope}/{'weights' if kind == KINDS[0] else 'biases'}"


def _fill_variables(
    case: Case, network: reference.TensorFlowNet, net: str
) -> reference.TensorFlowNet:
    keys = {_variable(key): key for key in network.state_dict()}
    own = network.state_dict()
    shapes = {name: (tuple(own[key].shape), True) for name, key in keys.items()}
    listed = {name: tuple(shape) for name, shape in case.meta["keys"][net].items()}
    if listed != {name: shape for name, (shape, _) in shapes.items()}:
        raise WeightsError(f"variables of {net} are not those of {case.path.name}")
    state = case.rule.make_state(shapes, f"{net}:", case.meta["gains"])
    network.load_state_dict({keys[n]: torch.from_numpy(np.array(v)) for n, v in state.items()})
    return network.to(case.dtype)


@dataclass(frozen=True)
class Version:
    """One of the authors' two versions.

    Attributes:
        network: Makes the network for 3 or 6 output channels.
        adam: The optimizer.
        plain: The loss without IRT.
        named: Returns the file's name for a parameter.
        more: Further losses on 3 channels, by name.
    """

    network: Callable[[int], nn.Module]
    adam: type[Adam]
    plain: Callable[[Tensor, Tensor], Tensor]
    named: Callable[[str], str]
    more: dict[str, Loss] = field(default_factory=dict)


def _trained(case: Case, version: Version) -> Arrays:
    """For each loss its value, gradient norms, and the output after one step."""
    seen, wanted = case.tensor("net_in"), case.tensor("net_gt")
    share = objective.confidence(version.network(6)(seen), wanted, seen)
    losses: dict[str, tuple[int, Loss]] = {
        "plain": (3, lambda made: version.plain(made, wanted)),
        "irt_init": (6, lambda made: objective.first_frame_loss(made, wanted)),
        "irt": (6, lambda made: objective.reweighted_loss(made, wanted, share)),
        **{name: (3, loss) for name, loss in version.more.items()},
    }
    made: Arrays = {"irt_confidence": share.numpy()}
    for name, (channels, loss) in losses.items():
        forward, after, value, norms = _one_step(version, channels, loss, seen)
        each = np.array([norms[key] for key in sorted(norms)])
        made |= {
            f"forward{channels}": forward.numpy(),
            f"{name}_loss": value.numpy(),
            f"{name}_gradnorm": np.asarray(np.sqrt((each**2).sum())),
            f"{name}_gradnorm_per_key": each,
            f"{name}_forward_after_step": after.numpy(),
        }
    return made


def _one_step(
    version: Version, channels: int, loss: Loss, seen: Tensor
) -> tuple[Tensor, Tensor, Tensor, dict[str, float]]:
    """The output before and after, the loss, and the norm of each parameter's gradient."""
    network = version.network(channels)
    forward = network(seen)
    value = loss(forward)
    objective.optimizer_step(version.adam(network.parameters(), lr=objective.RATE), value)
    norms = {
        version.named(key): float(p.grad.norm())
        for key, p in network.named_parameters()
        if p.grad is not None
    }
    with torch.no_grad():
        return forward.detach(), network(seen), value.detach(), norms

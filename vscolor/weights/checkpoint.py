"""Published checkpoints: reading without code execution, and loading with every key checked."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vscolor.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

NAMED: Final = 3
"""Most differing keys listed in a message."""
WRAPPERS: Final = ("state_dict", "params", "model", "net")
"""Keys under which training programs put the state dict when they save more than it."""
PARALLEL_PREFIX: Final = "module."
COUNTER: Final = "num_batches_tracked"


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, on the CPU.

    Reads torch's zip and legacy formats and safetensors. The state dict may stand alone or under
    one of the keys `WRAPPERS`; the prefix `module.` of parallel training is taken off.

    Raises:
        WeightsError: It is damaged, holds anything but tensors, or would execute code.
    """
    held = _read(path)
    for name in WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
            break
    if not isinstance(held, Mapping) or not held or not all(map(_is_tensor, held.values())):
        raise WeightsError(f"{path} holds no state dict, expected tensors by name")
    if all(str(key).startswith(PARALLEL_PREFIX) for key in held):
        return {str(key).removeprefix(PARALLEL_PREFIX): value for key, value in held.items()}
    return {str(key): value for key, value in held.items()}


def _read(path: Path) -> Any:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(str(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is no weight file of torch: {_torch_reason(error)}") from error
    except Exception as error:  # safetensors' own class; it derives from Exception
        if type(error).__module__.startswith("safetensors"):
            raise WeightsError(f"{path} is no weight file: {_reason(error)}") from error
        raise


def _torch_reason(error: BaseException) -> str:
    """Our own message, as torch's explains how to have the file's code executed."""
    if "GLOBAL" in str(error):
        return "it asks for code to be run, which is not done"
    return "it is damaged or something else"


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Load a state dict whose keys must match the network's exactly.

    Batch norm counters that an old file lacks are left at zero.

    Args:
        network: The network to fill.
        state: Tensors by name.
        source: Where they come from, for the message.

    Raises:
        WeightsError: Keys or shapes differ; the message names the first of them.
    """
    difference = differences(network, state)
    if difference:
        more = f" and {len(difference) - NAMED} more" if len(difference) > NAMED else ""
        raise WeightsError(f"{source} is of another network: {'; '.join(difference[:NAMED])}{more}")
    network.load_state_dict(dict(state), strict=True)


def differences(network: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """How a state dict differs from a network's, one line per key, missing keys first."""
    own = network.state_dict()
    missing = [f"{k} is missing" for k in own if k not in state and not k.endswith(COUNTER)]
    wrong = [
        f"{k} is {_shape(state[k])}, expected {_shape(own[k])}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    unknown = [f"{k} is not expected" for k in state if k not in own]
    return [*missing, *wrong, *unknown]


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"

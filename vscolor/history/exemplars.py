"""The user's references and hints as packed exemplars for a video model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import vapoursynth as vs

from vscolor.batching import FramePass
from vscolor.errors import SettingError, VscolorError
from vscolor.film import Film
from vscolor.history import keyframes
from vscolor.history.gather import cuts_within
from vscolor.history.hints import Hint
from vscolor.history.references import ColourlessError, Reference, shown
from vscolor.history.rows import Shape, fill
from vscolor.history.selection import MAX_REFERENCES, PreparedReference
from vscolor.models.base import Array
from vscolor.models.video import ScaledHint, VideoModel
from vscolor.scenes import scenes_between

HINT_RADIUS = 0.01
"""Default radius of a hint, as a part of the film's short side."""


@dataclass(frozen=True)
class ExemplarBuilder:
    """Turns references and hints into exemplars.

    Attributes:
        frames: The film at the model's size.
        model: The model.
        groups: The cuts, as `gather.cuts_in_groups` returns them.
        cuts: The user's list of cuts; None if there is none.
        film: The film itself.
        cross_scene: Whether scenes without a reference take from those of other scenes.
    """

    frames: FramePass
    model: VideoModel
    groups: vs.VideoNode
    cuts: tuple[int, ...] | None
    film: Film
    cross_scene: bool = True

    @property
    def shape(self) -> Shape:
        """Shape of the model's picture and rows."""
        return Shape.of(self.model, self.frames.luma)

    @cached_property
    def _around(self) -> vs.VideoNode:
        """Cuts near each group, to find a reference's scene; one node for all references."""
        return cuts_within(self.groups, keyframes.REACH)

    def build(
        self, references: Iterable[Reference], hints: Iterable[Hint]
    ) -> list[PreparedReference]:
        """Exemplars of all references and hints.

        Raises:
            SettingError: One of them cannot be used.
        """
        by_frame: dict[int, list[Hint]] = {}
        for hint in hints:
            check_frame(hint.frame, "hint", self.frames.luma.num_frames)
            by_frame.setdefault(hint.frame, []).append(hint)
        return [
            *self._from_references(references),
            *(
                self._locate(
                    f"hints of frame {n}", self._from_hints(n, scaled), n, full_frame=False
                )
                for n, scaled in sorted(by_frame.items())
            ),
        ]

    def _from_references(self, references: Iterable[Reference]) -> list[PreparedReference]:
        """The references; if only some are grey, these are left out with a warning."""
        ready: list[PreparedReference] = []
        grey: list[ColourlessError] = []
        for reference in references:
            try:
                ready.append(self._reference(reference))
            except ColourlessError as error:
                grey.append(error)
        if grey and not ready:
            raise grey[0]
        if grey:
            more = f", and {len(grey) - 1} more" * (len(grey) > 1)
            self._warn(f"left out: {grey[0]}{more}")
        free = sum(reference.frame is None for reference in ready)
        if free > MAX_REFERENCES:
            self._warn(
                f"{free} references belong to no frame, of which a frame takes from the first "
                f"{MAX_REFERENCES} at most"
            )
        return ready

    def _warn(self, text: str) -> None:
        vs.core.log_message(vs.MESSAGE_TYPE_WARNING, f"{self.frames.caller}: {text}")

    def _reference(self, reference: Reference) -> PreparedReference:
        frame = self._frame_of(reference)
        of = "no frame" if frame is None else f"frame {frame}"
        name = f"reference {reference.name} of {of}"
        return self._locate(name, self._picture(reference), frame, full_frame=True)

    def _locate(
        self, name: str, exemplar: vs.VideoNode, frame: int | None, *, full_frame: bool
    ) -> PreparedReference:
        # Nodes that `FrameEval` makes request it; the core cannot foresee that and would not cache.
        exemplar.std.SetVideoCache(mode=1, fixedsize=1, maxsize=1)
        cross_scene = full_frame and self.cross_scene
        if frame is None:
            return PreparedReference(name, exemplar, None, full_frame, cross_scene)
        if self.cuts is not None:
            length = self.frames.luma.num_frames
            scene = keyframes.scene_around(frame, self.cuts, 0, length - 1, length)
            return PreparedReference(name, exemplar, frame, full_frame, cross_scene, scene=scene)
        nearby_cuts = self._around[frame // keyframes.GROUP]
        nearby_cuts.std.SetVideoCache(mode=1, fixedsize=1, maxsize=1)
        return PreparedReference(
            name, exemplar, frame, full_frame, cross_scene, nearby_cuts=nearby_cuts
        )

    def _frame_of(self, reference: Reference) -> int | None:
        if reference.scene is None:
            if reference.frame is not None:
                check_frame(reference.frame, "reference", self.frames.luma.num_frames)
            return reference.frame
        if reference.frame is not None:
            raise SettingError("reference has frame and scene, expected one of them")
        if self.cuts is None:
            raise SettingError(
                f"reference belongs to scene {reference.scene}, expected scenes= beside it, the "
                "list that says where scenes begin"
            )
        scenes = scenes_between(self.cuts, self.frames.luma.num_frames)
        if not 0 <= reference.scene < len(scenes):
            raise SettingError(
                f"reference belongs to scene {reference.scene}, expected 0 to {len(scenes) - 1}"
            )
        scene = scenes[reference.scene]
        return keyframes.first_keyframe(scene.start, scene.stop)

    def _picture(self, reference: Reference) -> vs.VideoNode:
        """A reference's packed exemplar, a clip of one frame."""
        shape = self.shape
        lab = shown(reference, shape.width, shape.height, self.film.colorimetry)
        blank = shape.like(lab, shape.exemplar.size, 1)
        confidence = np.ones(shape.colours, np.float32)

        def write(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
            frame = f[0].copy()
            luma, *ab = (np.array(f[1][plane]) for plane in range(3))
            small = np.stack([_mean(plane, shape.colours) for plane in ab])
            exemplar = shape.pack_exemplar(self._features(luma), luma, small, confidence)
            fill(frame, exemplar)
            return frame

        return blank.std.ModifyFrame([blank, lab[0]], write)

    def _features(self, luma: Array) -> Array:
        try:
            features: Array = self.model.encode(luma[None, None])[0]
        except VscolorError as error:
            raise vs.Error(f"{self.frames.caller}: reference: {error}") from None
        return features

    def _from_hints(self, frame: int, hints: Sequence[Hint]) -> vs.VideoNode:
        """The packed exemplar of a hinted frame, a clip of one frame."""
        shape = self.shape
        film = (self.film.clip.width, self.film.clip.height)
        scaled = [scaled_hint(hint, film, (shape.width, shape.height)) for hint in hints]
        blank = shape.like(self.frames.luma, shape.exemplar.size, 1)

        def write(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
            result = f[0].copy()
            luma = np.array(f[1][0])
            features = self._features(luma)
            ab, confidence = self.model.spread(luma, features, scaled)
            # Even low confidence outweighs every other exemplar of the scene, so such pixels need
            # a sane colour: blend the hints' ab into the still model's by confidence.
            own = self.model.still(features, shape.height, shape.width)
            fill(
                result,
                shape.pack_exemplar(features, luma, own + confidence * (ab - own), confidence),
            )
            return result

        return blank.std.ModifyFrame([blank, self.frames.luma[frame]], write)


def check_frame(frame: int, what: str, length: int) -> None:
    """Raise `SettingError` if a clip of this length has no such frame."""
    if not (isinstance(frame, int) and 0 <= frame < length):
        raise SettingError(f"{what} belongs to frame {frame!r}, expected 0 to {length - 1}")


def scaled_hint(hint: Hint, film: tuple[int, int], seen: tuple[int, int]) -> ScaledHint:
    """A hint scaled to the model's picture.

    Args:
        hint: The hint.
        film: Width and height of the film.
        seen: Width and height of the model's picture.

    Raises:
        SettingError: The hint lies outside the picture, or its radius or colour cannot be used.
    """
    if not (0 <= hint.x < film[0] and 0 <= hint.y < film[1]):
        raise SettingError(
            f"hint at frame {hint.frame} is at {hint.x}, {hint.y}, "
            f"expected 0, 0 to {film[0] - 1}, {film[1] - 1}"
        )
    radius = HINT_RADIUS * min(film) if hint.radius is None else hint.radius
    if not radius > 0:
        raise SettingError(f"hint at frame {hint.frame} has radius {radius}, expected above 0")
    across, down = seen[0] / film[0], seen[1] / film[1]
    return ScaledHint((hint.x + 0.5) * across, (hint.y + 0.5) * down, radius * down, hint.colour())


def _mean(plane: Array, shape: tuple[int, int]) -> Array:
    import cv2

    return np.asarray(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)

"""One moment of a clip: not a picture but a recipe for one, rendered only where and as large as a window asks.

Shot coordinates are pixels of the backdrop at its own scale; maps are ``(2, 3)`` as in ``tracking.geometry``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from vossegment.tracking.geometry import FloatArray, crop_array
from vossegment.tracking.types import Image
from vossegment.training.library import EdgeBox, Mask, Subject, Track
from vossegment.training.maps import compose


@dataclass(frozen=True)
class Cutout:
    """An object laid over the backdrop; ``place`` maps shot pixels to the object's own picture."""

    subject: Subject
    place: FloatArray
    is_target: bool = False
    feather: float = 0.8


@dataclass(frozen=True)
class Shot:
    """One moment. ``truth`` is the target's mask in the backdrop's own picture, None if the target is a cut-out."""

    backdrop: Image
    place: FloatArray
    truth: Mask | None
    box: EdgeBox
    cutouts: tuple[Cutout, ...] = ()
    track: Track | None = None
    """The target's."""

    rivals: Mask | None = None
    """Other known objects in the backdrop's own picture, as ``truth``."""

    def render(self, window: FloatArray, size: int) -> tuple[Image, Mask]:
        """Picture ``(size, size, 3)`` and visible mask of the target ``(size, size)``, 0..255, of a window.

        Outside a real frame lies its mean colour, as in tracking; a composed scene goes on by reflection.
        """
        return self.render_all(window, size)[:2]

    def render_all(self, window: FloatArray, size: int) -> Rendered:
        """``render``, and what is visible of the other objects."""
        view = compose(self.place, window)
        nothing: Mask = np.zeros((size, size), np.uint8)
        if self.truth is not None:
            fill = self.backdrop[::8, ::8].reshape(-1, 3).mean(0)
            image = crop_array(self.backdrop, view, size, fill=tuple(float(c) for c in fill))
            mask = crop_array(self.truth, view, size)
            rivals = nothing if self.rivals is None else crop_array(self.rivals, view, size)
            scene = Rendered(image, mask, rivals)
        else:
            image = crop_array(self.backdrop, view, size, border=cv2.BORDER_REFLECT_101)
            scene = Rendered(image, nothing, nothing)
        for cutout in self.cutouts:
            scene = _lay(scene, cutout, window, size)
        return scene


class Rendered(NamedTuple):
    """A window's picture, and what can be seen in it of the target and of other objects, 0..255."""

    image: Image
    mask: Mask
    rivals: Mask


def _lay(scene: Rendered, cutout: Cutout, window: FloatArray, size: int) -> Rendered:
    view = compose(cutout.place, window)
    alpha = crop_array(cutout.subject.mask, view, size)
    if not alpha.any():
        return scene
    alpha = cv2.GaussianBlur(alpha, (0, 0), cutout.feather).astype(np.uint8)
    picture = crop_array(cutout.subject.image, view, size)
    weight = alpha.astype(np.float32)[..., None] / 255
    mixed = scene.image + (picture.astype(np.float32) - scene.image) * weight

    def under(mask: Mask) -> Mask:
        return (mask * (1 - weight[..., 0])).astype(np.uint8)

    mask, rivals = scene.mask, scene.rivals
    if cutout.is_target:
        mask, rivals = np.maximum(mask, alpha), under(rivals)
    else:
        mask, rivals = under(mask), np.maximum(rivals, alpha)
    return Rendered(mixed.astype(np.uint8), mask, rivals)

"""Turning a stored picture upright, as its display matrix asks."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vossegment.tracking.types import Image

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True)
class Orientation:
    """First ``flipped`` upside down (a mirrored selfie has this and a half turn), then turned by ``rotation``
    degrees clockwise: 0, 90, 180 or 270."""

    rotation: int = 0
    flipped: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.rotation in (90, 270)

    def upright(self, image: Image) -> Image:
        """``image`` as a viewer shows it, C-contiguous."""
        if self.flipped:
            image = cv2.flip(image, 0).astype(np.uint8, copy=False)
        if self.rotation:
            image = cv2.rotate(image, _TURNS[self.rotation]).astype(np.uint8, copy=False)
        return np.ascontiguousarray(image)


def from_matrix(data: bytes) -> Orientation:
    """Orientation that a display matrix asks for: nine native 32-bit integers, as in libavutil/display.h.

    A point (x, y) of the stored picture goes to (a x + c y, b x + d y). Angles between the quarter turns are
    rounded to the nearest; a matrix that is too short or singular asks for nothing.
    """
    if len(data) < 36:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack_from("=9i", data)
    if a * d - b * c == 0:
        return Orientation()
    rotation = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    return Orientation(rotation, flipped=a * d - b * c < 0)


def of_frame(side_data: Iterable[Any]) -> Orientation:
    """Orientation of a decoded frame, from its PyAV side data."""
    for entry in side_data:
        # Not `frame.rotation`: it is younger than PyAV 13 and forgets mirroring.
        if getattr(entry.type, "name", "") == "DISPLAYMATRIX":
            return from_matrix(bytes(entry))
    return Orientation()

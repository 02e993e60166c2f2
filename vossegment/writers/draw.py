"""Objects drawn on a frame: tint, outline, thin box and number, each in the object's colour."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from vossegment.tracking.types import Box, Image, LabelMap, ObjectRecord, TrackedFrame
from vossegment.writers.palette import Color, vivid

TINT = 0.45
"""Share of the object's colour within its mask."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(frame: TrackedFrame) -> Image:
    """A copy of the frame with every object that is not lost drawn on it, ``(H, W, 3)`` uint8 RGB.

    Lines are 2 px at 480 rows and grow with the frame. Work is done in the objects' own windows only.
    """
    image = frame.image.copy()
    scale = max(min(image.shape[:2]) / 480, 0.5)
    shown = [record for record in frame.objects if record.status != "lost" and record.box is not None]
    for record in shown:
        _mask(image, frame.labels, record, scale)
    for record in shown:  # boxes and numbers last: no mask may cover them
        _box_and_number(image, record, scale)
    return image


def _mask(image: Image, labels: LabelMap, record: ObjectRecord, scale: float) -> None:
    line = max(1, round(2 * scale))
    assert record.box is not None
    x0, y0, x1, y1 = _window(record.box, labels.shape, margin=line + 2)
    region = np.ascontiguousarray((labels[y0:y1, x0:x1] == record.id).view(np.uint8))
    window = image[y0:y1, x0:x1]
    tinted = cv2.LUT(window, _tint(record.id))
    cv2.copyTo(tinted, region, window)
    chains, _ = cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    # Straight pieces instead of the steps from pixel to pixel: smoother, truly `line` wide, and quicker.
    contours = [cv2.approxPolyDP(chain, 0.75, closed=True) for chain in chains]
    drawn = np.ascontiguousarray(window)
    cv2.drawContours(drawn, contours, -1, vivid(record.id), line, cv2.LINE_AA)
    window[:] = drawn


def _box_and_number(image: Image, record: ObjectRecord, scale: float) -> None:
    assert record.box is not None
    height, width = image.shape[:2]
    x0, y0, x1, y1 = _window(record.box, (height, width), margin=round(3 * scale))
    cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), vivid(record.id), max(1, round(scale)))
    tag = _tag(record.id, round(scale, 2))
    rows, columns = tag.shape[:2]
    # Above the box where there is room, else inside it.
    top = y0 - rows if y0 >= rows else y0
    left = min(x0, width - columns)
    if left >= 0 and top + rows <= height:
        image[top : top + rows, left : left + columns] = tag


def _window(box: Box, shape: tuple[int, ...], margin: int) -> tuple[int, int, int, int]:
    """Whole pixels x0 y0 x1 y1 (half-open) round ``box``, within a frame of ``shape``."""
    x, y, w, h = box
    height, width = shape[:2]
    x0, y0 = max(0, int(np.floor(x)) - margin), max(0, int(np.floor(y)) - margin)
    x1, y1 = min(width, int(np.ceil(x + w)) + margin), min(height, int(np.ceil(y + h)) + margin)
    return min(x0, width - 1), min(y0, height - 1), max(x1, 1), max(y1, 1)


@lru_cache(maxsize=256)
def _tint(object_id: int) -> Any:
    """(1, 256, 3) table: each value of each channel moved towards the object's colour."""
    values = np.arange(256, dtype=np.float64)[:, None]
    mixed = values * (1 - TINT) + np.array(vivid(object_id), dtype=np.float64) * TINT
    return np.round(mixed).astype(np.uint8)[None]


@lru_cache(maxsize=512)
def _tag(object_id: int, scale: float) -> Image:
    """The object's number on a plate of its colour."""
    ground = vivid(object_id)
    thickness = max(1, round(1.4 * scale))
    (width, height), _ = cv2.getTextSize(str(object_id), _FONT, 0.5 * scale, thickness)
    pad = max(2, round(4 * scale))
    plate = np.full((height + 2 * pad, width + 2 * pad, 3), ground, dtype=np.uint8)
    place = (pad, height + pad)
    cv2.putText(plate, str(object_id), place, _FONT, 0.5 * scale, _ink(ground), thickness, cv2.LINE_AA)
    return plate


def _ink(ground: Color) -> Color:
    """Black or white, whichever reads better on ``ground``."""
    red, green, blue = ground
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)

"""The box that is read out of an answer: the tracker's own, or one from its mask: upright, smallest, most overlapping.

SiamMask 3.2 "Box generation" (Min-max, MBR, Opt); contours as its program takes them (MODELS-siammask, section 7).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from vossegment.tracking.types import Box, Mask, Rotated

Corners = npt.NDArray[np.float32]
"""Four corners x, y in order round the box, ``(4, 2)``."""
_Rectangle = tuple[tuple[float, float], tuple[float, float], float]
"""Centre, size and angle in degrees, as OpenCV has it."""

_LEAST_AREA = 100.0
"""[o] A contour must enclose more frame pixels than these."""


def read_out(mask: Mask, kind: Rotated, own: Box, origin: tuple[float, float] = (0.0, 0.0)) -> Corners:
    """The box of this ``kind``, in frame pixels, edges; ``mask`` ``(h, w)`` begins at ``origin`` of the frame. ``own``
    is the tracker's, x, y, w, h: what is read out of a mask too small for a box [o], or of none."""
    made = None if kind == "box" or not mask.size else box_of_mask(mask, kind)
    return upright(*own) if made is None else made + np.array(origin, np.float32)


def box_of_mask(mask: Mask, kind: Rotated) -> Corners | None:
    """The box of the largest connected part of ``mask`` ``(H, W)``, None where none is large enough."""
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[-2]
    outline = max(contours, key=cv2.contourArea, default=None)
    if outline is None or cv2.contourArea(outline) <= _LEAST_AREA:
        return None
    if kind == "minmax":
        x, y, w, h = cv2.boundingRect(outline)
        return upright(x, y, w, h)
    (cx, cy), (width, height), angle = cv2.minAreaRect(outline)
    best: _Rectangle = (cx, cy), (width, height), angle
    if kind == "opt":
        best = _most_overlap(np.asarray(outline, np.int32), best)
    # Contours run through the centres of pixels, half a pixel further in than their edges.
    return np.asarray(cv2.boxPoints(best), np.float32) + np.float32(0.5)


def upright(x: float, y: float, w: float, h: float) -> Corners:
    """An upright box as corners, clockwise from the top left."""
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def _most_overlap(outline: npt.NDArray[np.int32], start: _Rectangle) -> _Rectangle:
    """The rectangle of highest IoU with the region inside ``outline``, searched from ``start`` by halving steps.

    [p] SiamMask names the aim and cites the annotators' program of VOT-2016; the search is ours.
    """
    x, y, w, h = cv2.boundingRect(outline)
    margin = max(w, h) // 4 + 2
    origin = np.array([x - margin, y - margin])
    region = np.zeros((h + 2 * margin, w + 2 * margin), np.uint8)
    cv2.drawContours(region, [outline - origin.astype(np.int32)], -1, 1, cv2.FILLED)
    area = int(np.count_nonzero(region))

    def overlap(rectangle: _Rectangle) -> float:
        drawn = np.zeros_like(region)
        cv2.fillConvexPoly(drawn, np.round((cv2.boxPoints(rectangle) - origin) * 16).astype(np.int32), 1, shift=4)
        shared = int(np.count_nonzero(drawn & region))
        return shared / (int(np.count_nonzero(drawn)) + area - shared)

    return _climbed(start, overlap)


def _climbed(start: _Rectangle, worth: Callable[[_Rectangle], float]) -> _Rectangle:
    """Goes to the best neighbour while there is a better one, then takes half the step, down to half a pixel."""
    best, value = start, worth(start)
    side = max(max(start[1]), 2.0)
    step = side / 8
    while step >= 0.5:
        better = False
        for parameter, sign in product(range(5), (-1, 1)):
            numbers = [*best[0], *best[1], best[2]]
            # A turn by this angle moves a corner by about a step.
            numbers[parameter] += sign * (np.degrees(2 * step / side) if parameter == 4 else step)
            if min(numbers[2:4]) <= 0:
                continue
            tried = ((numbers[0], numbers[1]), (numbers[2], numbers[3]), numbers[4])
            if (found := worth(tried)) > value:
                best, value, better = tried, found, True
        if not better:
            step /= 2
    return best

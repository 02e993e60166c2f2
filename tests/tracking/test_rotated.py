"""Boxes from masks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vossegment.tracking.rotated import box_of_mask, read_out, upright
from vossegment.tracking.types import Mask, Rotated


def drawn(centre: tuple[float, float], size: tuple[float, float], degrees: float) -> Mask:
    mask = np.zeros((120, 160), np.uint8)
    corners = cv2.boxPoints((centre, size, degrees))
    cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
    return mask


def iou(corners: np.ndarray, mask: Mask) -> float:
    box = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(box, np.round(corners).astype(np.int32), 1)
    return float(np.count_nonzero(box & mask) / np.count_nonzero(box | mask))


@pytest.mark.parametrize("kind", ["mbr", "opt"])
@pytest.mark.parametrize("degrees", [0, 20, 75])
def test_a_rectangle_is_found(kind: Rotated, degrees: float) -> None:
    """Of a mask that is a rotated rectangle, both rotated boxes are that rectangle, to a pixel."""
    mask = drawn((80, 60), (70, 30), degrees)
    found = box_of_mask(mask, kind)
    assert found is not None
    assert iou(found - 0.5, mask) > 0.9


def test_minmax() -> None:
    """The upright box of the largest part, whatever else there is."""
    mask = drawn((80, 60), (40, 20), 0)
    mask[5:9, 5:9] = 1
    x, y, w, h = cv2.boundingRect(drawn((80, 60), (40, 20), 0))
    assert box_of_mask(mask, "minmax") == pytest.approx(upright(x, y, w, h))


def test_opt_leaves_a_thin_part_out() -> None:
    """A body with a long thin tail: the smallest box takes the tail in, the best one overlaps the mask far more."""
    mask = drawn((60, 60), (50, 40), 15)
    cv2.line(mask, (80, 60), (150, 30), 1, 2)
    smallest, best = box_of_mask(mask, "mbr"), box_of_mask(mask, "opt")
    assert smallest is not None
    assert best is not None
    assert iou(best - 0.5, mask) > iou(smallest - 0.5, mask) + 0.2


@pytest.mark.parametrize("side", [0, 1, 9])
def test_too_little(side: int) -> None:
    """An empty mask, or one whose outline encloses 100 pixels or fewer, has no box; the tracker's own is read out."""
    mask = np.zeros((60, 60), np.uint8)
    mask[10 : 10 + side, 10 : 10 + side] = 1
    assert box_of_mask(mask, "mbr") is None
    assert read_out(mask, "mbr", (-5.0, 8.0, 30.0, 20.0), (4, 4)) == pytest.approx(upright(-5, 8, 30, 20))


def test_read_out() -> None:
    """A part of a frame gives the box in the frame; by edges, so that a square of pixels 20 to 39 ends at 40."""
    mask = np.zeros((30, 30), np.uint8)
    mask[5:25, 5:25] = 1
    own = (1.0, 2.0, 3.0, 4.0)
    assert read_out(mask, "minmax", own, (15, 10)) == pytest.approx(upright(20, 15, 20, 20))
    # [o] The smallest box runs through the centres of the outermost pixels.
    mbr = read_out(mask, "mbr", own, (15, 10))
    assert sorted(mbr.tolist()) == [[20.5, 15.5], [20.5, 34.5], [39.5, 15.5], [39.5, 34.5]]
    assert read_out(mask, "box", own, (15, 10)) == pytest.approx(upright(*own))
    assert read_out(mask[:0, :0], "opt", own) == pytest.approx(upright(*own))

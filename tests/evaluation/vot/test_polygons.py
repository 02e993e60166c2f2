"""Overlaps of boxes: exact where they can be reckoned by hand, near a fine raster elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vossegment.evaluation.vot.polygons import clipped, hull, overlap

FINE = 8


def box(x: float, y: float, w: float, h: float, angle: float = 0.0) -> np.ndarray:
    """Corners of a box by its centre."""
    return np.asarray(cv2.boxPoints(((x, y), (w, h), angle)), np.float64)


def drawn(polygon: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cells of a grid FINE times as fine as pixels whose centres are inside."""
    y, x = (np.mgrid[: height * FINE, : width * FINE] + 0.5) / FINE
    inside = np.ones(x.shape, bool)
    corners = hull(polygon)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True):
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
    return inside


def test_nothing() -> None:
    """Boxes without area, apart, or wholly outside the frame have no overlap."""
    flat = np.full((4, 2), 5.0)
    line = np.array([[0.0, 0], [5, 5], [10, 10], [2, 2]])
    one = box(5, 5, 4, 4)
    assert overlap(flat, flat, 20, 20) == overlap(line, line, 20, 20) == overlap(flat, one, 20, 20) == 0
    assert overlap(one, box(15, 5, 4, 4), 20, 20) == 0
    assert overlap(one - 50, one - 50, 20, 20) == 0
    assert overlap(one, box(9, 5, 4, 4), 20, 20) == 0  # they touch


def test_by_hand() -> None:
    """Half shared, a turned square in its box, one inside the other."""
    assert overlap(box(5, 5, 4, 4), box(7, 5, 4, 4), 20, 20) == pytest.approx(8 / 24)
    assert overlap(box(10, 10, 8, 8), box(10, 10, 8, 8, 45) * 1.0, 20, 20) == pytest.approx(1 / (np.sqrt(2)), abs=1e-5)
    assert overlap(box(10, 10, 8, 8), box(10, 10, 4, 2), 20, 20) == pytest.approx(1 / 8)


def test_frame() -> None:
    """What lies outside the frame does not count, in neither box."""
    assert overlap(box(0, 10, 8, 4), box(-2, 10, 12, 4), 20, 20) == pytest.approx(1)
    assert overlap(box(18, 10, 8, 4), box(19, 10, 2, 4), 20, 20) == pytest.approx(2 / 6)
    assert overlap(box(10, 10, 99, 99), box(10, 10, 50, 60), 20, 20) == 1


@pytest.mark.parametrize("seed", range(40))
def test_against_a_raster(seed: int) -> None:
    """Random boxes, some partly outside: as counted on a fine grid; the same whatever the corners' order."""
    rng = np.random.default_rng(seed)
    width, height = 40, 30
    first, second = (
        box(*rng.uniform(0, (width, height)), *rng.uniform(6, 25, 2), float(rng.uniform(0, 180))) for _ in range(2)
    )
    found = overlap(first, second, width, height)
    a, b = drawn(first, width, height), drawn(second, width, height)
    assert found == pytest.approx((a & b).sum() / (a | b).sum(), abs=0.01)
    assert 0 <= found <= 1
    assert overlap(second, first, width, height) == pytest.approx(found, abs=1e-9)
    assert overlap(rng.permutation(first), second[::-1], width, height) == pytest.approx(found, abs=1e-9)
    assert overlap(first, first, width, height) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(10))
def test_against_opencv(seed: int) -> None:
    """Shared areas as OpenCV's, which reckons in single precision."""
    rng = np.random.default_rng(seed)
    first, second = (box(*rng.uniform(0, 20, 2), *rng.uniform(4, 25, 2), float(rng.uniform(0, 90))) for _ in range(2))
    area, _ = cv2.intersectConvexConvex(first.astype(np.float32), second.astype(np.float32))
    shared = clipped(hull(first), hull(second))
    found = cv2.contourArea(shared.astype(np.float32)) if len(shared) else 0.0
    assert found == pytest.approx(area, abs=1e-2)


def test_hull() -> None:
    """Of nothing, of a point given twice, of points in a line, of a square with one inside."""
    assert hull(np.zeros((0, 2))).shape == (0, 2)
    assert hull([[1, 1], [1, 1]]).tolist() == [[1, 1]]
    assert len(hull([[0, 0], [1, 1], [2, 2]])) == 2
    assert hull([[0, 0], [2, 2], [2, 0], [0, 2], [1, 1]]).tolist() == [[0, 0], [2, 0], [2, 2], [0, 2]]


def test_no_window() -> None:
    """A window without area leaves nothing."""
    assert clipped(hull(box(5, 5, 4, 4)), hull([[0, 0], [9, 9]])).shape == (0, 2)

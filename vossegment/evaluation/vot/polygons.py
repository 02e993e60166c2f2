"""How much two boxes of four corners overlap inside the frame: exact areas, nothing is drawn.

VOT's toolkit draws both on the pixel grid, corners rounded to whole pixels, and counts; the area of the clipped
polygons is what that tends to on a fine grid. The two differ by a pixel's share of the outline: most for small boxes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vossegment.data.vot import polygon_area

Polygon = npt.NDArray[np.float64]
"""Corners x, y, ``(N, 2)``."""


def overlap(first: Polygon, second: Polygon, width: int, height: int) -> float:
    """Intersection over union of two convex polygons ``(N, 2)``, both cut to the frame; 0 where nothing is left.

    Corners may come in any order, in frame pixels, edges: the frame reaches from 0 to ``width`` and ``height``.
    """
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    one, two = clipped(hull(first), frame), clipped(hull(second), frame)
    shared = polygon_area(clipped(one, two))
    union = polygon_area(one) + polygon_area(two) - shared
    return min(shared / union, 1.0) if union > 0 else 0.0


def hull(points: npt.ArrayLike) -> Polygon:
    """The convex hull of points ``(N, 2)``, its corners in the order in which ``clipped`` wants them: ``(M, 2)``."""
    ordered = sorted(set(map(tuple, np.asarray(points, np.float64).tolist())))
    if len(ordered) < 3:
        return np.array(ordered, np.float64).reshape(-1, 2)
    halves = []
    for run in (ordered, ordered[::-1]):
        half: list[tuple[float, ...]] = []
        for point in run:
            while len(half) > 1 and _turn(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        halves += half[:-1]
    return np.array(halves)


def clipped(polygon: Polygon, window: Polygon) -> Polygon:
    """What of a convex ``polygon`` ``(N, 2)`` lies inside a convex ``window`` ``(M, 2)``: ``(K, 2)``, K 0 for nothing.

    Both run as ``hull`` has them. One side of the window after the other cuts off what lies beyond it
    (Sutherland and Hodgman 1974).
    """
    kept = [(float(x), float(y)) for x, y in polygon]
    if len(window) < 3:
        return np.zeros((0, 2))
    ends = [(float(x), float(y)) for x, y in window]
    for start, end in zip(ends, [*ends[1:], ends[0]], strict=True):
        sides = [_turn(start, end, point) for point in kept]
        inside: list[tuple[float, float]] = []
        for i, (point, side) in enumerate(zip(kept, sides, strict=True)):
            before, other = kept[i - 1], sides[i - 1]
            if side * other < 0:
                share = other / (other - side)
                inside.append((before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1])))
            if side >= 0:
                inside.append(point)
        kept = inside
    return np.array(kept, np.float64).reshape(-1, 2)


def _turn(start: tuple[float, ...], end: tuple[float, ...], point: tuple[float, ...]) -> float:
    """Above 0 where ``point`` lies to the inner side of the line from ``start`` to ``end``."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])

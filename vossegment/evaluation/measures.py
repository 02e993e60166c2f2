"""Region similarity J, contour accuracy F and their statistics, as DAVIS defines them.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016.
Values equal those of davisvideochallenge/davis2017-evaluation; each mask is looked at in its own box only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
"""(H, W) bool, True where the object is."""


@dataclass(frozen=True)
class Statistics:
    """One object's measure over the frames of a sequence: decimals, ``decay`` negative where it improves."""

    mean: float
    recall: float
    decay: float


class Silhouette:
    """An ``(H, W)`` mask, non-zero = object, made ready for comparison with several others.

    Kept is the part of the frame round the mask alone: its pixels, its boundary, and what lies near the boundary.
    ``tolerance`` says how near: a share of the frame's diagonal, rounded up to pixels, or pixels themselves from 1 on.
    """

    def __init__(self, mask: npt.ArrayLike, tolerance: float = 0.008) -> None:
        whole = np.ascontiguousarray(mask, dtype=np.bool_)
        if whole.ndim != 2:
            raise ValueError(f"a mask of shape {whole.shape}, wanted (H, W)")
        self.shape = whole.shape
        x, y, width, height = cv2.boundingRect(whole.view(np.uint8))
        # A pixel more on each side, where the frame has one: boundaries lie up to a pixel above and left of their
        # mask, and the empty row below and column right of it make the window's own border a border of nothing.
        self.corner = max(y - 1, 0), max(x - 1, 0)
        self.inside: Mask = whole[self.corner[0] : y + height + 1, self.corner[1] : x + width + 1]
        self.area = int(np.count_nonzero(self.inside))
        self._radius = _radius(whole.shape, tolerance)

    @cached_property
    def edge(self) -> Mask:
        """The boundary, in the window of ``inside``."""
        return boundary(self.inside)

    @cached_property
    def length(self) -> int:
        """Pixels of the boundary."""
        return int(np.count_nonzero(self.edge))

    @cached_property
    def near(self) -> tuple[tuple[int, int], Mask]:
        """The pixels near the boundary, and the corner y, x of the window that holds them."""
        (y, x), radius = self.corner, self._radius
        height, width = self.edge.shape
        margins = (
            min(radius, y),
            min(radius, self.shape[0] - y - height),
            min(radius, x),
            min(radius, self.shape[1] - x - width),
        )
        grown = cv2.copyMakeBorder(self.edge.view(np.uint8), *margins, cv2.BORDER_CONSTANT, value=0)
        return (y - margins[0], x - margins[2]), _near(np.asarray(grown).view(np.bool_), radius)


def similarity(one: Silhouette, other: Silhouette) -> float:
    """J: intersection over union; 1 where both masks are empty. Raises ValueError where the frames' shapes differ."""
    _check(one, other)
    common = _shared(one.inside, one.corner, other.inside, other.corner)
    union = one.area + other.area - common
    return common / union if union else 1.0


def accuracy(one: Silhouette, other: Silhouette) -> float:
    """F: harmonic mean of the boundaries' precision and recall.

    A boundary pixel is right if the other boundary passes near it. 1 where neither mask has a boundary, 0 where one
    has. Raises ValueError where the frames' shapes differ.
    """
    _check(one, other)
    if not one.length or not other.length:
        return float(one.length == other.length)
    precision = _shared(other.edge, other.corner, one.near[1], one.near[0]) / other.length
    recall = _shared(one.edge, one.corner, other.near[1], other.near[0]) / one.length
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def region_similarity(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """``similarity`` of two ``(H, W)`` masks, non-zero = object."""
    return similarity(Silhouette(truth), Silhouette(prediction))


def contour_accuracy(truth: npt.ArrayLike, prediction: npt.ArrayLike, tolerance: float = 0.008) -> float:
    """``accuracy`` of two ``(H, W)`` masks, non-zero = object."""
    return accuracy(Silhouette(truth, tolerance), Silhouette(prediction, tolerance))


def boundary(mask: npt.ArrayLike) -> Mask:
    """Pixels of an ``(H, W)`` mask unlike their right, lower or lower right neighbour: ``(H, W)`` bool.

    The frame's border is no boundary, so a mask that fills the frame has none.
    """
    inside = np.ascontiguousarray(mask, dtype=np.bool_)
    edge = np.zeros_like(inside)
    edge[:, :-1] = inside[:, :-1] ^ inside[:, 1:]
    edge[:-1] |= inside[:-1] ^ inside[1:]
    edge[:-1, :-1] |= inside[:-1, :-1] ^ inside[1:, 1:]
    return edge


def statistics(values: Iterable[float]) -> Statistics:
    """Mean, recall (share above 0.5) and decay (first quarter's mean less the last's) of one object's frames.

    Neighbouring quarters share a frame, as in the official code, whose 8-bit frame numbers (wrong from 256
    frames on) are not copied. NaN values are skipped; a quarter of nothing but NaN gives NaN. Raises
    ValueError where there is no value at all.
    """
    frames = np.array([float(value) for value in values], dtype=np.float64)
    if not len(frames):
        raise ValueError("statistics of no frames")
    # Rounds halves to even, but for the 1e-10 that imitates the rounding of Matlab.
    edges = (np.rint(np.linspace(1, len(frames), 5) + 1e-10) - 1).astype(np.int64)
    first, last = frames[edges[0] : edges[1] + 1], frames[edges[3] : edges[4] + 1]
    return Statistics(
        mean=_mean(frames),
        recall=_mean(np.where(np.isnan(frames), np.nan, frames > 0.5)),
        decay=_mean(first) - _mean(last),
    )


def mean_statistics(parts: Iterable[Statistics]) -> Statistics:
    """Mean of each field: a benchmark's score from its objects'. Raises ValueError where there is none."""
    table = np.array([(part.mean, part.recall, part.decay) for part in parts], dtype=np.float64)
    if not len(table):
        raise ValueError("mean of no statistics")
    return Statistics(*(float(value) for value in table.mean(axis=0)))


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _check(one: Silhouette, other: Silhouette) -> None:
    if one.shape != other.shape:
        raise ValueError(f"masks of shapes {one.shape} and {other.shape}, wanted two of one (H, W)")


def _shared(one: Mask, corner: tuple[int, int], other: Mask, other_corner: tuple[int, int]) -> int:
    """Pixels that two windows of one frame have in common; corners y, x."""
    y, x = max(corner[0], other_corner[0]), max(corner[1], other_corner[1])
    down = min(corner[0] + one.shape[0], other_corner[0] + other.shape[0])
    across = min(corner[1] + one.shape[1], other_corner[1] + other.shape[1])
    if down <= y or across <= x:
        return 0
    part = one[y - corner[0] : down - corner[0], x - corner[1] : across - corner[1]]
    against = other[y - other_corner[0] : down - other_corner[0], x - other_corner[1] : across - other_corner[1]]
    return int(np.count_nonzero(part & against))


def _radius(shape: tuple[int, ...], tolerance: float) -> int:
    return math.ceil(tolerance if tolerance >= 1 else tolerance * math.hypot(*shape))


def _near(edge: Mask, radius: int) -> Mask:
    """The pixels of ``edge`` ``(H, W)`` and those within ``radius`` of one, x^2 + y^2 <= r^2; outside counts as empty.

    A disk is a stack of lines: each row is widened once for each length of line, and laid over the rows beside it. That
    takes half the time of one dilation by the whole disk.
    """
    source = edge.view(np.uint8)
    found = np.zeros_like(source)
    for half, offsets in _lines(radius).items():
        line = np.ones((1, 2 * half + 1), np.uint8)
        widened = np.asarray(cv2.dilate(source, line, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)
        for offset in offsets:
            if offset == 0:
                found |= widened
            elif offset < len(found):
                found[offset:] |= widened[:-offset]
                found[:-offset] |= widened[offset:]
    return found.view(np.bool_)


@lru_cache(maxsize=8)
def _lines(radius: int) -> dict[int, list[int]]:
    """The disk's rows from its middle on, by half of their length."""
    rows: dict[int, list[int]] = {}
    for offset in range(radius + 1):
        rows.setdefault(math.isqrt(radius * radius - offset * offset), []).append(offset)
    return rows

"""Region similarity J, contour accuracy F and their statistics, as DAVIS defines them.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016.
Values equal those of davisvideochallenge/davis2017-evaluation; F is found in the box round both masks only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

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


def region_similarity(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """J: intersection over union of two ``(H, W)`` masks, non-zero = object; 1 where both are empty.

    Raises ValueError where the shapes differ.
    """
    true, predicted = _pair(truth, prediction)
    common = np.count_nonzero(true & predicted)
    union = np.count_nonzero(true) + np.count_nonzero(predicted) - common
    return common / union if union else 1.0


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


def contour_accuracy(truth: npt.ArrayLike, prediction: npt.ArrayLike, tolerance: float = 0.008) -> float:
    """F: harmonic mean of the boundaries' precision and recall, two ``(H, W)`` masks, non-zero = object.

    A boundary pixel is right if the other boundary passes within the tolerance: a share of the frame's
    diagonal, rounded up to pixels, or pixels themselves from 1 on. 1 where neither mask has a boundary, 0
    where one has. Raises ValueError where the shapes differ.
    """
    true, predicted = _pair(truth, prediction)
    window = _window(true, predicted)
    true_edge, predicted_edge = boundary(true[window]), boundary(predicted[window])
    true_length, predicted_length = np.count_nonzero(true_edge), np.count_nonzero(predicted_edge)
    if true_length == 0 or predicted_length == 0:
        return float(true_length == predicted_length)
    disk = _disk(_radius(true.shape, tolerance))
    precision = np.count_nonzero(predicted_edge & _dilate(true_edge, disk)) / predicted_length
    recall = np.count_nonzero(true_edge & _dilate(predicted_edge, disk)) / true_length
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


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


def _pair(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Mask, Mask]:
    true = np.ascontiguousarray(truth, dtype=np.bool_)
    predicted = np.ascontiguousarray(prediction, dtype=np.bool_)
    if true.ndim != 2 or true.shape != predicted.shape:
        raise ValueError(f"masks of shapes {true.shape} and {predicted.shape}, wanted two of one (H, W)")
    return true, predicted


def _window(truth: Mask, prediction: Mask) -> tuple[slice, slice]:
    """The part of the frame that holds both boundaries and sees the same neighbours as the whole frame.

    A pixel more on each side, where the frame has one: boundaries lie up to a pixel above and left of their
    mask, and the empty row below and column right of it make the window's own border a border of nothing.
    """
    x, y, width, height = cv2.boundingRect((truth | prediction).view(np.uint8))
    return slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)


def _radius(shape: tuple[int, ...], tolerance: float) -> int:
    return math.ceil(tolerance if tolerance >= 1 else tolerance * math.hypot(*shape))


def _disk(radius: int) -> npt.NDArray[np.uint8]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk: npt.NDArray[np.uint8] = np.less_equal(x * x + y * y, radius * radius).astype(np.uint8)
    return disk


def _dilate(edge: Mask, disk: npt.NDArray[np.uint8]) -> Mask:
    # Outside counts as empty, OpenCV's default; pixels beyond the window's border cannot matter, as every
    # boundary pixel that is asked about lies inside.
    return np.asarray(cv2.dilate(edge.view(np.uint8), disk)).view(np.bool_)

"""What the network should answer to a search crop, made while loading data (E3SN 3.3, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from numpy.random import Generator
from torch import Tensor

from vossegment.networks.refinement import WINDOW
from vossegment.tracking.anchors import MASK_FIRST, STRIDE, anchor_grid, encode, overlap
from vossegment.training.library import Mask

POSITIVE, NEGATIVE = 0.6, 0.3  # [E3SN 4.1]
MOST_POSITIVES = 16
"""Positive anchors kept a crop [o: SiamMask]."""
SIMILAR = 16.0
"""Pixels from the target's centre within which a cell is similar to the template [SiamFC]."""
_ANCHORS = anchor_grid()

Cells = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AnchorTargets:
    """``labels`` ``(5, R, R)`` 1, 0 or -1 (not counted) after sampling, ``all_labels`` before it; ``deltas``
    ``(4, 5, R, R)``; R is 25 unless the grid is another."""

    labels: npt.NDArray[np.int8]
    all_labels: npt.NDArray[np.int8]
    deltas: npt.NDArray[np.float32]
    overlaps: npt.NDArray[np.float32]


def anchor_targets(
    box: tuple[float, float, float, float] | None,
    rng: Generator,
    *,
    positives: int = MOST_POSITIVES,
    total: int = 64,
    anchors: Tensor = _ANCHORS,
) -> AnchorTargets:
    """Labels for a target ``box`` cx, cy, w, h in crop pixels, or for a crop without one.

    As SiamMask's code: IoU over .6 positive, under .3 negative, at most 16 and 64 kept; a crop without the target
    gives 16 negatives from the middle 7x7 cells. ``anchors``: as ``anchor_grid`` makes them.
    """
    shape = anchors.shape[1:]
    labels = np.full(shape, -1, np.int8)
    if box is None:
        edge = max(shape[1] - 7, 0) // 2
        middle = labels[:, edge : shape[1] - edge, edge : shape[1] - edge]
        chosen = rng.choice(middle.size, 16, replace=False)
        middle[np.unravel_index(chosen, middle.shape)] = 0
        nothing = np.zeros(shape, np.float32)
        return AnchorTargets(labels, np.zeros(shape, np.int8), np.zeros(anchors.shape, np.float32), nothing)
    target = torch.tensor(box, dtype=torch.float32)
    overlaps = overlap(target, anchors).numpy()
    kept = _some(np.flatnonzero(overlaps > POSITIVE), positives, rng)
    labels.reshape(-1)[kept] = 1
    labels.reshape(-1)[_some(np.flatnonzero(overlaps < NEGATIVE), total - len(kept), rng)] = 0
    every = np.where(overlaps > POSITIVE, 1, np.where(overlaps < NEGATIVE, 0, -1)).astype(np.int8)
    return AnchorTargets(labels, every, encode(target, anchors).numpy(), overlaps)


def similar_cells(centre: tuple[float, float] | None, anchors: Tensor) -> npt.NDArray[np.int8]:
    """``(R, R)`` 1 for cells within ``SIMILAR`` pixels of the target's ``centre``, else 0; all 0 without a target."""
    if centre is None:
        return np.zeros(anchors.shape[2:], np.int8)
    x, y = anchors[0, 0].numpy() - centre[0], anchors[1, 0].numpy() - centre[1]
    near: npt.NDArray[np.int8] = np.less_equal(np.hypot(x, y), SIMILAR).astype(np.int8)
    return near


def _some(indices: npt.NDArray[np.int64], most: int, rng: Generator) -> npt.NDArray[np.int64]:
    return indices if len(indices) <= most else rng.choice(indices, most, replace=False)


def sampling_matrix(overlaps: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """``(25, 25)``: +1 where the best of a cell's anchors overlaps over .6, -1 under .3, else 0 (E3SN 3.3)."""
    best = overlaps.max(0)
    matrix: npt.NDArray[np.int8] = np.greater(best, POSITIVE).astype(np.int8) - np.less(best, NEGATIVE).astype(np.int8)
    return matrix


def sample_cells(
    overlaps: npt.NDArray[np.float32], rng: Generator, *, positives: int, negatives: int, near: int = 0
) -> tuple[Cells, npt.NDArray[np.int8]]:
    """Cells to refine: ``(K, 2)`` row, column, and their signs ``(K,)``.

    Too few positives are filled up with the cells of the highest overlap above .3; ``near`` draws that many from
    the band between the thresholds [ours]. Nothing suitable left: fewer cells than K come back.
    """
    matrix = sampling_matrix(overlaps).reshape(-1)
    best = overlaps.max(0).reshape(-1)
    chosen = list(_some(np.flatnonzero(matrix == 1), positives, rng))
    band = np.flatnonzero(matrix == 0)
    chosen += list(_some(band, near, rng))
    spare = [i for i in band[np.argsort(-best[band], kind="stable")] if i not in chosen]
    chosen += spare[: positives + near - len(chosen)]
    refused = list(_some(np.flatnonzero(matrix == -1), negatives, rng))
    cells = np.array(chosen + refused, np.int64)
    signs = np.array([1] * len(chosen) + [-1] * len(refused), np.int8)
    side = overlaps.shape[-1]
    return np.stack([cells // side, cells % side], 1).reshape(-1, 2), signs


UNKNOWN = 255
"""Value of mask target pixels outside the search crop: they give no gradient."""


def mask_windows(mask: Mask, cells: Cells, *, first: int = MASK_FIRST) -> npt.NDArray[np.uint8]:
    """``(K, 127, 127)`` windows of the search crop's mask: 1 object, 0 not, UNKNOWN outside the crop. ``first``: where
    the first cell's window begins."""
    padding = -first
    padded = np.full((mask.shape[0] + 2 * padding, mask.shape[1] + 2 * padding), UNKNOWN, np.uint8)
    padded[padding : padding + mask.shape[0], padding : padding + mask.shape[1]] = mask > 127
    return (
        np.stack([padded[r * STRIDE : r * STRIDE + WINDOW, c * STRIDE : c * STRIDE + WINDOW] for r, c in cells])
        if len(cells)
        else np.zeros((0, WINDOW, WINDOW), np.uint8)
    )

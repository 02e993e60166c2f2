"""Labels, sampled cells and mask windows of a search crop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from vossegment.tracking.anchors import anchor_grid, decode, overlap
from vossegment.training.targets import (
    UNKNOWN,
    anchor_targets,
    mask_windows,
    sample_cells,
    sampling_matrix,
)

Box = tuple[float, float, float, float]
CENTRED: Box = (127.5, 127.5, 64.0, 64.0)
BOXES: tuple[Box, ...] = (CENTRED, (100.0, 140.0, 90.0, 40.0), (30.0, 200.0, 40.0, 70.0), (127.0, 127.0, 200.0, 180.0))


def test_no_target() -> None:
    """Without a target: 16 negatives from the middle 7x7 cells, no positive, no deltas, no overlap."""
    targets = anchor_targets(None, default_rng(0))
    assert (targets.labels == 0).sum() == 16
    assert (targets.labels[:, 9:16, 9:16] == 0).sum() == 16
    assert (targets.labels == 1).sum() == 0
    assert not targets.deltas.any()
    assert not targets.overlaps.any()


@pytest.mark.parametrize("box", BOXES)
def test_labels(box: Box) -> None:
    """At most 16 positives, all over .6; negatives fill up to 64, all under .3; the rest does not count."""
    targets = anchor_targets(box, default_rng(1))
    over = overlap(torch.tensor(box), anchor_grid()).numpy()
    positive, negative = targets.labels == 1, targets.labels == 0
    assert positive.sum() == min(16, (over > 0.6).sum())
    assert positive.sum() + negative.sum() == 64
    assert (over[positive] > 0.6).all()
    assert (over[negative] < 0.3).all()
    assert set(np.unique(targets.labels)) <= {-1, 0, 1}


@pytest.mark.parametrize("box", BOXES)
def test_deltas_lead_to_the_box(box: Box) -> None:
    """Every anchor's deltas decode to the target's box."""
    targets = anchor_targets(box, default_rng(1))
    decoded = decode(torch.from_numpy(targets.deltas), anchor_grid())
    torch.testing.assert_close(decoded, torch.tensor(box).view(4, 1, 1, 1).expand_as(decoded), rtol=1e-4, atol=1e-3)


def test_draws_come_from_the_generator() -> None:
    """The same generator draws the same anchors, another others."""
    a, b, c = (anchor_targets(CENTRED, default_rng(s)).labels for s in (3, 3, 4))
    assert (a == b).all()
    assert not (a == c).all()


@pytest.mark.parametrize(("best", "sign"), [(0.0, -1), (0.29, -1), (0.3, 0), (0.31, 0), (0.6, 0), (0.61, 1), (1.0, 1)])
def test_sampling_matrix(best: float, sign: int) -> None:
    """A cell counts by the best of its anchors: strictly over .6 positive, strictly under .3 negative."""
    overlaps = np.zeros((5, 25, 25), np.float32)
    overlaps[3, 4, 5] = best
    matrix = sampling_matrix(overlaps)
    assert matrix.shape == (25, 25)
    assert matrix[4, 5] == sign
    assert (np.delete(matrix.reshape(-1), 4 * 25 + 5) == -1).all()


def overlaps_with(positives: int, band: int) -> np.ndarray:
    """Overlaps with so many cells over .6 and so many between the thresholds, the rest under .3."""
    flat = np.full(625, 0.1, np.float32)
    flat[:positives] = 0.7
    flat[positives : positives + band] = np.linspace(0.35, 0.55, band)
    return np.stack([default_rng(0).permutation(flat).reshape(25, 25)] + [np.zeros((25, 25), np.float32)] * 4)


@pytest.mark.parametrize(
    ("there", "band", "asked", "signs"),
    [
        (0, 0, (0, 0, 0), []),
        (40, 40, (3, 1, 0), [1, 1, 1, -1]),
        (2, 40, (3, 1, 0), [1, 1, 1, -1]),
        (0, 40, (3, 1, 0), [1, 1, 1, -1]),
        (1, 1, (3, 1, 0), [1, 1, -1]),
        (0, 0, (3, 1, 0), [-1]),
        (625, 0, (3, 1, 0), [1, 1, 1]),
        (40, 40, (3, 0, 1), [1, 1, 1, 1]),
        (40, 0, (3, 0, 1), [1, 1, 1]),
        (1, 2, (3, 1, 1), [1, 1, 1, -1]),
    ],
)
def test_sample_cells(there: int, band: int, asked: tuple[int, int, int], signs: list[int]) -> None:
    """Positives to negatives as asked; too few are filled up from the band; no cell twice; none of the wrong kind."""
    positives, negatives, near = asked
    overlaps = overlaps_with(there, band)
    for seed in range(5):
        cells, found = sample_cells(overlaps, default_rng(seed), positives=positives, negatives=negatives, near=near)
        assert found.tolist() == signs
        assert cells.shape == (len(signs), 2)
        assert len({tuple(c) for c in cells.tolist()}) == len(cells)
        best = overlaps.max(0)[tuple(cells.T)] if len(cells) else np.zeros(0)
        assert (best[found == 1] >= 0.3).all()
        assert (best[found == -1] < 0.3).all()
        assert int((best[found == 1] > 0.6).sum()) == min(there, positives)


def test_the_highest_fill_up() -> None:
    """Where positives lack, the cells of highest overlap are taken."""
    overlaps = overlaps_with(1, 20)
    cells, _ = sample_cells(overlaps, default_rng(0), positives=3, negatives=0)
    best = np.sort(overlaps.max(0)[tuple(cells.T)])
    np.testing.assert_allclose(best, np.sort(overlaps.max(0).ravel())[-3:])


def test_no_windows() -> None:
    """No cell, no window."""
    assert mask_windows(np.zeros((255, 255), np.uint8), np.zeros((0, 2), np.int64)).shape == (0, 127, 127)


def test_mask_windows_are_slices() -> None:
    """A cell's window is rows 8r - 32 to 8r + 95 of the crop's mask, 1 and 0, UNKNOWN where it leaves the crop."""
    mask = default_rng(0).integers(0, 256, (255, 255), dtype=np.uint8)
    cells = np.array([[12, 12], [0, 0], [24, 24], [4, 20], [0, 24]])
    for window, (r, c) in zip(mask_windows(mask, cells), cells.tolist(), strict=True):
        for y in range(127):
            row = 8 * r - 32 + y
            columns = np.arange(8 * c - 32, 8 * c + 95)
            inside = (columns >= 0) & (columns < 255) & (0 <= row < 255)
            expected = np.full(127, UNKNOWN, np.uint8)
            if inside.any():
                expected[inside] = mask[row, columns[inside]] > 127
            assert (window[y] == expected).all()

"""What upright windows hold of the frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vossegment.tracking.geometry import square_windows
from vossegment.tracking.upright import averaged, filled_boxes, in_frame, pixel_area

SIZE = 16


def window(x: float, y: float, side: float) -> torch.Tensor:
    return square_windows(torch.tensor([[x, y]], dtype=torch.float32), torch.tensor([side], dtype=torch.float32), SIZE)


def test_in_frame() -> None:
    """A window half beyond the left edge, and a quarter beyond the lower one: there it holds nothing. One within keeps
    all."""
    masks = torch.rand(2, SIZE, SIZE)
    held = in_frame(masks, torch.cat([window(0, 24, 32), window(24, 16, 32)]), torch.empty(32, 48, 3))
    expected = masks.clone()
    expected[0, 12:] = 0
    expected[0, :, :8] = 0
    assert torch.equal(held, expected)


@pytest.mark.parametrize(("side", "area"), [(32, 4.0), (8, 0.25)])
def test_pixel_area(side: float, area: float) -> None:
    """The square of the frame pixels along a side of the window, by its 16."""
    assert pixel_area(window(10, 10, side)).tolist() == [pytest.approx(area)]


def test_averaged_keeps_what_is_thin() -> None:
    """A line of one pixel in a window of a quarter the resolution: a quarter of what it crosses."""
    mask = torch.zeros(1, 64, 64)
    mask[0, :, 33] = 1
    seen = averaged(mask, window(32, 32, 64), SIZE)[0]
    assert seen[:, 8].numpy() == pytest.approx(np.full(SIZE, 0.25), abs=0.02)
    assert float(seen.sum()) == pytest.approx(SIZE / 4, rel=0.05)


def test_filled_boxes() -> None:
    """A box's edges are as soft as their fractions; its pixels sum to its area, and to none outside the window."""
    at = window(8, 8, 16)
    boxes = torch.tensor([[2.5, 4.0, 6.25, 7.0]])
    filled = filled_boxes(boxes, at, SIZE)[0]
    assert filled[5, 1:8].tolist() == pytest.approx([0, 0.5, 1, 1, 1, 0.25, 0])
    assert float(filled.sum()) == pytest.approx(3.75 * 3)
    assert not filled_boxes(boxes + 40, at, SIZE).any()

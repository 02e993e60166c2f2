"""Whose is a pixel: objects of one frame among each other."""

from __future__ import annotations

import math

import pytest
import torch

from vossegment.tracking.aggregation import aggregated, signed
from vossegment.tracking.geometry import square_windows

SIZE = 64


def share(own: float, *others: float) -> float:
    """RGMP Eq. 1 in plain numbers, the background's probability the product of all that is left."""
    every = (math.prod(1 - p for p in (own, *others)), own, *others)
    return own / (1 - own) / sum(p / (1 - p) for p in every)


def test_aggregated() -> None:
    """Odds over the sum of odds, in each window's own pixels: alone, under two, under three, and far away; not at the
    rims, which are looked up at half the resolution."""
    # In the frame: a 0..64 x 0..64, b 32..96 x 16..80, c 0..128 x -64..64 at half the scale, d nowhere near.
    corners = torch.tensor([[0.0, 0, 1], [32, 16, 1], [0, -64, 2], [500, 0, 1]])
    windows = torch.cat([torch.eye(2) * corners[:, 2:, None], corners[:, :2, None]], 2)
    a, b, c, d = 0.7, 0.6, 0.9, 0.8
    mine, others = aggregated(torch.tensor([a, b, c, d])[:, None, None].expand(-1, SIZE, SIZE), windows)
    claims: tuple[tuple[int, int, int, float, tuple[float, ...]], ...] = (
        *((0, 8, 8, a, (c,)), (0, 40, 40, a, (b, c)), (0, 40, 28, a, (c,))),
        *((1, 8, 8, b, (a, c)), (1, 60, 8, b, ()), (1, 8, 60, b, (c,))),
        *((2, 8, 8, c, ()), (2, 50, 20, c, (a, b)), (3, 8, 8, d, ()), (3, 63, 0, d, ())),
    )
    for i, row, column, own, rest in claims:
        assert float(mine[i, row, column]) == pytest.approx(share(own, *rest), abs=1e-4)
        other = sum(share(p, own, *(q for q in rest if q != p)) for p in rest)
        assert float(others[i, row, column]) == pytest.approx(other, abs=1e-4)


def test_aggregated_certainties() -> None:
    """Probabilities of exactly 0 and 1 are survived; several who are certain share."""
    for given, expected in (((0, 0, 0), (0, 0, 0)), ((1, 1, 1), (1 / 3,) * 3), ((1, 0, 0.5), (1, 0, 0))):
        masks = torch.tensor(given, dtype=torch.float32)[:, None, None].expand(-1, 8, 8)
        mine, others = aggregated(masks, torch.eye(2, 3).expand(3, -1, -1))
        assert mine[:, 4, 4].tolist() == pytest.approx(expected, abs=1e-4)
        assert others[:, 4, 4].tolist() == pytest.approx([sum(expected) - v for v in expected], abs=1e-4)


def test_a_pixel_that_one_claims() -> None:
    """What only one object claims is its own, also right beside a surer one."""
    masks = torch.zeros(2, SIZE, SIZE)
    masks[0, :, :32], masks[1, :, 32:] = 0.99, 1 - 1e-6
    mine, _ = aggregated(masks, torch.eye(2, 3).expand(2, -1, -1))
    assert float(mine[0, :, :32].min()) > 0.9


def test_signed() -> None:
    """Others count as far as the object leaves room."""
    mine, others = torch.tensor([[[0.9, 0.0, 0.3, 0.6]]]), torch.tensor([[[0.0, 1.0, 0.7, 0.8]]])
    torch.testing.assert_close(signed(mine, others), torch.tensor([[[0.9, -1.0, -0.4, 0.2]]]))


def test_claims() -> None:
    """A claim of 9 makes odds of 1 into nine of ten, from everyone's window alike."""
    masks, windows = (
        torch.full((2, SIZE, SIZE), 0.5),
        square_windows(torch.full((2, 2), 60.0), torch.tensor([64.0, 64.0]), SIZE),
    )
    plain, _ = aggregated(masks, windows)
    torch.testing.assert_close(plain[0], plain[1])
    mine, others = aggregated(masks, windows, torch.tensor([9.0, 1.0]))
    middle = (slice(None), SIZE // 2, SIZE // 2)
    assert (mine[middle][0] / mine[middle][1]).item() == pytest.approx(9, rel=1e-3)
    torch.testing.assert_close(others[middle].flip(0), mine[middle])

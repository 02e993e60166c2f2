"""Depth-wise cross-correlation against plain loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vossegment.networks.correlation import centre, correlate, correlate_every_second


def plain(z: Tensor, x: Tensor) -> Tensor:
    n, c, h, w = z.shape
    rows, columns = x.shape[2] - h + 1, x.shape[3] - w + 1
    out = x.new_zeros(n, c, rows, columns)
    for i in range(n):
        for k in range(c):
            for r in range(rows):
                for q in range(columns):
                    out[i, k, r, q] = (z[i, k] * x[i, k, r : r + h, q : q + w]).sum()
    return out


@pytest.mark.parametrize(
    ("z", "x"),
    [
        ((1, 1, 1, 1), (1, 1, 1, 1)),
        ((1, 2, 3, 3), (1, 2, 3, 3)),
        ((2, 3, 2, 4), (2, 3, 5, 6)),
        ((3, 2, 3, 3), (3, 2, 7, 7)),
    ],
)
def test_correlate(z: tuple[int, ...], x: tuple[int, ...]) -> None:
    """Every item and channel is correlated with its own template, unflipped, where it fits wholly."""
    a, b = torch.randn(z, dtype=torch.float64), torch.randn(x, dtype=torch.float64)
    torch.testing.assert_close(correlate(a, b), plain(a, b))


@pytest.mark.parametrize(("z", "x"), [((1, 1), (1, 1)), ((3, 3), (3, 3)), ((3, 5), (9, 11)), ((15, 15), (63, 63))])
def test_every_second(z: tuple[int, int], x: tuple[int, int]) -> None:
    """Every second cell, computed alone, is the whole correlation's, and so are the gradients."""
    a = torch.randn(2, 3, *z, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, 3, *x, dtype=torch.float64, requires_grad=True)
    some, whole = correlate_every_second(a, b), correlate(a, b)[:, :, ::2, ::2]
    torch.testing.assert_close(some, whole)
    towards = torch.randn_like(whole)
    for g, h in zip(
        torch.autograd.grad(some, (a, b), towards), torch.autograd.grad(whole, (a, b), towards), strict=True
    ):
        torch.testing.assert_close(g, h)


@pytest.mark.parametrize(("side", "size", "first"), [(7, 7, 0), (15, 7, 4), (31, 15, 8)])
def test_centre(side: int, size: int, first: int) -> None:
    """The middle cells are kept, as many on either side left out."""
    x = torch.arange(side * side).view(1, 1, side, side)
    assert torch.equal(centre(x, size), x[:, :, first : first + size, first : first + size])
    assert side - first - size == first

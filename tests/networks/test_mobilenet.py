"""Depth-wise convolutions, trained by detours."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.networks.mobilenet import DepthwiseConv


def direct(conv: DepthwiseConv, x: Tensor) -> Tensor:
    """The convolution said in one line: at stride 2 padded right and bottom only, else all round."""
    if conv.stride == (2, 2):
        return F.conv2d(F.pad(x, (0, 1, 0, 1)), conv.weight, conv.bias, stride=2, groups=x.shape[1])
    d = conv.dilation[0]
    return F.conv2d(x, conv.weight, conv.bias, padding=d, dilation=d, groups=x.shape[1])


@pytest.mark.parametrize(
    ("stride", "dilation", "height", "width"),
    [
        *((1, d, h, w) for d in (1, 2) for h, w in ((1, 1), (2, 2), (5, 5), (6, 6), (6, 9), (15, 4))),
        *((2, 1, h, w) for h, w in ((2, 2), (3, 3), (5, 5), (6, 6), (6, 9), (15, 4))),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_depthwise_is_the_direct_convolution(
    stride: int, dilation: int, height: int, width: int, training: bool
) -> None:
    """Detours give the direct convolution's values and gradients, at odd and even sizes; so where nothing learns, and
    none is taken."""
    conv = DepthwiseConv(5, stride=stride, dilation=dilation).double().train(training)
    assert conv.bias is not None
    x = torch.randn(2, 5, height, width, dtype=torch.float64, requires_grad=True)
    found, expected = conv(x), direct(conv, x)
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(conv(x), expected)
    towards, leaves = torch.randn_like(expected), (x, conv.weight, conv.bias)
    for got, wanted in zip(
        torch.autograd.grad(found, leaves, towards), torch.autograd.grad(expected, leaves, towards), strict=True
    ):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("frozen", [True, False])
def test_in_bfloat16_the_stride_is_taken_in_float32(frozen: bool) -> None:
    """Frozen or not, where something learns through it: there its backward pass is ten times as quick."""
    conv = DepthwiseConv(5, stride=2).train(not frozen).requires_grad_(not frozen)
    x = torch.randn(2, 5, 9, 6).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = conv(x)
    expected = direct(conv, x.float()).bfloat16()
    assert found.dtype is torch.bfloat16
    assert torch.equal(found, expected)
    towards = torch.randn_like(expected)
    found, expected = (torch.autograd.grad(y, x, towards)[0] for y in (found, expected))
    torch.testing.assert_close(found, expected)

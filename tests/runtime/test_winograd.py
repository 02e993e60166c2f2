"""Convolutions with fewer multiplications give the numbers of plain ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vossegment.runtime import packed
from vossegment.runtime.packed import pack
from vossegment.runtime.winograd import WinogradConv


@pytest.mark.parametrize(("height", "width"), [(31, 31), (8, 5), (1, 1), (2, 9)])
@pytest.mark.parametrize("padding", [0, 1, (2, 1)])
@pytest.mark.parametrize("dilation", [1, 2, (1, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_winograd_is_plain(
    height: int, width: int, padding: int | tuple[int, int], dilation: int | tuple[int, int], bias: bool
) -> None:
    """Odd and even sides, several pictures, each axis its own padding and dilation."""
    conv = nn.Conv2d(6, 5, 3, padding=padding, dilation=dilation, bias=bias).requires_grad_(False)
    try:
        conv(torch.zeros(1, 6, height, width))
    except RuntimeError:
        pytest.skip("the kernel is larger than the picture")
    x = torch.randn(2, 6, height, width).to(memory_format=torch.channels_last)
    torch.testing.assert_close(WinogradConv(conv)(x), conv(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("conv", "fits"),
    [
        (nn.Conv2d(256, 256, 3, padding=1), True),
        (nn.Conv2d(256, 256, 3), True),
        (nn.Conv2d(256, 256, 3, padding=2, dilation=2), True),
        (nn.Conv2d(256, 256, 3, padding=1).bfloat16(), False),
        (nn.Conv2d(64, 64, 3, padding=1), False),
        (nn.Conv2d(512, 512, 3, 2, padding=1), False),
        (nn.Conv2d(1024, 1024, 1), False),
        (nn.Conv2d(1024, 1024, 3, padding=1, groups=2), False),
    ],
)
def test_which_fit(conv: nn.Conv2d, fits: bool) -> None:
    """Large ones of stride 1, in float32."""
    assert WinogradConv.fits(conv) is fits


@pytest.mark.skipif(not packed._available(), reason="this build of PyTorch has no oneDNN operators")
def test_pack_keeps_the_activation_behind() -> None:
    """What stands behind such a convolution is still done."""
    network = nn.Sequential(nn.Conv2d(512, 512, 3, padding=1), nn.ReLU()).requires_grad_(False)
    x = torch.randn(1, 512, 5, 5)
    before = network(x)
    pack(network)
    assert isinstance(network[0], WinogradConv)
    torch.testing.assert_close(network(x), before, rtol=1e-4, atol=1e-4)
